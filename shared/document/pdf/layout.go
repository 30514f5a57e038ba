package pdf

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// matrix maps coordinates: a b c d e f of the format.
type matrix [6]float64

func (m matrix) mul(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

func (m matrix) apply(x, y float64) (float64, float64) {
	return x*m[0] + y*m[2] + m[4], x*m[1] + y*m[3] + m[5]
}

// page puts the characters of a page in the order in which it shows them, with
// line ends and blanks where the page only leaves room.
type page struct {
	out        strings.Builder
	line       []segment // of the line, in the order in which they were drawn
	last       rune
	started    bool
	x, y       float64 // where the last character ended
	dx, dy     float64 // its direction, of length 1
	size       float64
	runs       [8]shown // to see texts that are drawn twice, for a bold look
	run        int
	width      float64 // of the last character
	fresh      bool    // the next character begins a text of its own
	blankWidth float64
}

// segment is a part of a line that was drawn from left to right.
type segment struct {
	start float64 // along the line
	text  []byte
}

// shown is a text at a place.
type shown struct {
	text string
	x, y float64
}

// lineEnd is how lines are parted, as the contract's server has it.
const lineEnd = "\r\n"

// twice reports whether the same text was drawn at the same place just before.
func (p *page) twice(text string, x, y, size float64) bool {
	if strings.TrimSpace(text) == "" {
		return false
	}
	for _, r := range p.runs {
		if r.text == text && math.Hypot(r.x-x, r.y-y) < size*0.1 {
			return true
		}
	}
	p.runs[p.run%len(p.runs)] = shown{text, x, y}
	p.run++
	return false
}

// add appends a character that goes from (x, y) to (endX, endY).
func (p *page) add(text string, x, y, endX, endY, size float64) {
	text = clean(text)
	if text == "" {
		// The gap that it leaves is no blank.
		if p.started {
			p.x, p.y = endX, endY
		}
		return
	}
	dx, dy := endX-x, endY-y
	if n := math.Hypot(dx, dy); n > 0 {
		dx, dy = dx/n, dy/n
	} else {
		dx, dy = p.dx, p.dy
	}
	first := []rune(text)[0]
	if !p.started {
		p.line = append(p.line, segment{start: x*dx + y*dy})
	} else {
		p.part(first, x-p.x, y-p.y, dx, dy, size, math.Hypot(endX-x, endY-y))
	}
	p.write(text)
	runes := []rune(text)
	p.last = runes[len(runes)-1]
	p.started = true
	p.x, p.y, p.dx, p.dy, p.size = endX, endY, dx, dy, size
	p.width, p.fresh = math.Hypot(endX-x, endY-y), false
}

// part writes what stands between the last character and the next.
func (p *page) part(first rune, gapX, gapY, dx, dy, size, width float64) {
	along, across := gapX*p.dx+gapY*p.dy, gapY*p.dx-gapX*p.dy
	em := max(size, p.size)
	turned := p.dx*dx+p.dy*dy < 0.9
	switch {
	case turned || math.Abs(across) > em*0.5:
		p.endLine()
		p.out.WriteString(lineEnd)
		fallthrough
	case along < -em*1.5: // back on the same line
		p.line = append(p.line, segment{start: (p.x+gapX)*dx + (p.y+gapY)*dy})
	case unicode.IsSpace(p.last) || unicode.IsSpace(first):
	default:
		least := em * 0.15
		switch {
		case wide(p.last) && wide(first):
			least = em * 0.6
		case p.fresh:
			least = max(p.width, width) / 4
		case p.blankWidth > 0:
			least = min(em*0.25, max(em*0.1, p.blankWidth*0.5))
		}
		if along > least {
			p.write(" ")
		}
	}
}

func (p *page) write(text string) {
	s := &p.line[len(p.line)-1]
	s.text = append(s.text, text...)
}

// endLine writes the parts of a line from left to right.
func (p *page) endLine() {
	slices.SortStableFunc(p.line, func(a, b segment) int { return cmp.Compare(a.start, b.start) })
	for i, s := range p.line {
		if i > 0 && !bytes.HasSuffix(p.line[i-1].text, []byte(" ")) && !bytes.HasPrefix(s.text, []byte(" ")) {
			p.out.WriteByte(' ')
		}
		p.out.Write(s.text)
	}
	p.line = p.line[:0]
}

// wide reports characters of scripts that are written without blanks.
func wide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef
}

// clean leaves out what is no character of a text and takes ligatures apart.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r == 0x7f || r == unicode.ReplacementChar || r == 0xfeff || r == 0xad {
			return -1
		}
		return r
	}, ligatures(text))
}

func ligatures(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= 0xfb00 && r <= 0xfb06 }) {
		return text
	}
	return strings.NewReplacer("ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "st", "ﬆ", "st").Replace(text)
}
