package document

import (
	"bytes"
	"context"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// The records of a presentation that matter here.
const (
	recDocument     = 1000
	recSlide        = 1006
	recSlideList    = 4080
	recSlidePersist = 1011
	recTextHeader   = 3999
	recTextChars    = 4000
	recTextBytes    = 4008
	recOutlineRef   = 3998
	recUserEdit     = 4085
	recPersist      = 6002
)

// presentation is a file of PowerPoint before 2007.
type presentation struct {
	stream  window
	offsets map[int]int // of objects, by their persistent number
	outline [][]string  // texts that stand in the list of slides, by slide
	slides  []int       // persistent numbers, in order
	most    int64
	out     []string
}

// readPPT returns the texts of every slide in order.
func readPPT(ctx context.Context, data []byte, most int64) (string, error) {
	if bytes.HasPrefix(data, []byte("PK")) {
		return readPPTX(ctx, data, most)
	}
	c, err := openCompound(data)
	if err != nil {
		return "", err
	}
	if _, ok := c["EncryptedSummary"]; ok {
		return "", errLocked
	}
	raw, err := c.stream("PowerPoint Document", most)
	if err != nil {
		return "", err
	}
	user, err := c.stream("Current User", most)
	if err != nil {
		return "", err
	}
	p := &presentation{stream: raw, offsets: map[int]int{}, most: most}
	if err := p.readEdits(window(user).u32(16)); err != nil {
		return "", err
	}
	for i, id := range p.slides {
		kind, body := p.record(p.offsets[id])
		if kind != recSlide {
			continue
		}
		var outline []string
		if i < len(p.outline) {
			outline = p.outline[i]
		}
		if err := p.readSlide(body, outline, 0); err != nil {
			return "", err
		}
	}
	return strings.Join(p.out, "\n"), nil
}

// record returns the kind and the content of the record at an offset.
func (p *presentation) record(at int) (kind int, body window) {
	return p.stream.u16(at + 2), p.stream.cut(at+8, p.stream.u32(at+4))
}

// readEdits follows the saves of the file back from the last one and reads the
// document that it leads to.
func (p *presentation) readEdits(at int) error {
	document, seen := 0, map[int]bool{}
	for at > 0 && !seen[at] && len(seen) < 1<<16 {
		seen[at] = true
		kind, edit := p.record(at)
		if kind != recUserEdit {
			break
		}
		if document == 0 {
			document = edit.u32(16)
		}
		if kind, directory := p.record(edit.u32(12)); kind == recPersist {
			for len(directory) >= 4 {
				head := directory.u32(0)
				first, count := head&0xfffff, head>>20
				directory = directory[4:]
				for i := 0; i < count && len(directory) >= 4; i++ {
					if _, newer := p.offsets[first+i]; !newer {
						p.offsets[first+i] = directory.u32(0)
					}
					directory = directory[4:]
				}
			}
		}
		at = edit.u32(8)
	}
	kind, body := p.record(p.offsets[document])
	if kind != recDocument {
		return errDamaged
	}
	p.each(body, func(at window, kind int, body window) {
		if kind == recSlideList && at.u16(0)>>4 == 0 { // 1 are masters, 2 notes
			p.readList(body)
		}
	})
	return nil
}

// each calls fn for every record of a container.
func (p *presentation) each(body window, fn func(record window, kind int, body window)) {
	for len(body) >= 8 {
		content := body.cut(8, body.u32(4))
		fn(body, body.u16(2), content)
		body = body[8+len(content):]
	}
}

func (p *presentation) readList(body window) {
	p.each(body, func(_ window, kind int, body window) {
		n := len(p.outline)
		switch kind {
		case recSlidePersist:
			p.slides = append(p.slides, body.u32(0))
			p.outline = append(p.outline, nil)
		case recTextHeader:
			if n > 0 {
				p.outline[n-1] = append(p.outline[n-1], "")
			}
		case recTextChars, recTextBytes:
			if n > 0 && len(p.outline[n-1]) > 0 {
				p.outline[n-1][len(p.outline[n-1])-1] = slideText(kind, body)
			}
		}
	})
}

// readSlide adds the texts of a slide's shapes in order.
func (p *presentation) readSlide(body window, outline []string, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	var failed error
	p.each(body, func(record window, kind int, body window) {
		if failed != nil {
			return
		}
		text := ""
		switch {
		case kind == recTextChars || kind == recTextBytes:
			text = slideText(kind, body)
		case kind == recOutlineRef:
			if i := body.u32(0); i < len(outline) {
				text = outline[i]
			}
		case record.u16(0)&0x0f == 0x0f:
			failed = p.readSlide(body, outline, depth+1)
		}
		if text = strings.TrimRight(text, "\n"); strings.TrimSpace(text) != "" {
			p.out = append(p.out, text)
			if p.most -= int64(len(text)); p.most < 0 {
				failed = errTooLarge
			}
		}
	})
	return failed
}

// slideText decodes a text; paragraphs end with CR, lines with VT.
func slideText(kind int, body window) string {
	text := ""
	if kind == recTextChars {
		text = utf16Text(body)
	} else {
		var b strings.Builder
		for _, c := range body {
			b.WriteRune(charmap.Windows1252.DecodeByte(c))
		}
		text = b.String()
	}
	return strings.NewReplacer("\r", "\n", "\v", "\n").Replace(text)
}
