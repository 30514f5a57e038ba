package document

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// readDOC reads a Word document of before 2007. Files of that name are often
// of another kind, which Word opens too.
func readDOC(ctx context.Context, data []byte, most int64) (string, error) {
	switch {
	case bytes.HasPrefix(data, []byte("PK")):
		return readDOCX(ctx, data, most)
	case bytes.HasPrefix(data, []byte(`{\rtf`)):
		return rtfText(data, most)
	case !isCompound(data) && looksLikeHTML(data):
		return htmlText(decode(data)), nil
	}
	c, err := openCompound(data)
	if err != nil {
		return "", err
	}
	main, err := c.stream("WordDocument", most)
	if err != nil {
		return "", err
	}
	d := &wordDocument{main: main, most: most}
	if d.main.u16(0) != 0xa5ec && d.main.u16(0) != 0xa5dc {
		return "", errDamaged
	}
	flags := d.main.u16(0x0a)
	if flags&0x0100 != 0 {
		return "", errLocked
	}
	if d.main.u16(2) < 0xc1 { // Word 6 and 95
		start, end := d.main.u32(0x18), d.main.u32(0x1c)
		return d.text([]piece{{start, max(0, end-start), true}}, end-start)
	}
	table := "0Table"
	if flags&0x0200 != 0 {
		table = "1Table"
	}
	if d.table, err = c.stream(table, most); err != nil {
		return "", err
	}
	d.findMarks()
	return d.text(d.pieces(), d.main.u32(0x4c))
}

func looksLikeHTML(data []byte) bool {
	head := strings.ToLower(strings.TrimSpace(string(data[:min(len(data), 512)])))
	return strings.HasPrefix(head, "<!doctype html") || strings.Contains(head, "<html") || strings.HasPrefix(head, "<table")
}

type wordDocument struct {
	main, table window
	most        int64
	marks       map[int]mark // by the offset behind a paragraph's mark
}

// piece is a run of characters of the main stream.
type piece struct {
	offset, chars int
	narrow        bool // one byte for each character
}

// pieces reads the table of pieces, in the order of the text.
func (d *wordDocument) pieces() []piece {
	clx := d.table.cut(d.main.u32(0x1a2), d.main.u32(0x1a6))
	for len(clx) > 4 && clx[0] == 1 { // properties of pieces
		clx = clx.cut(3+clx.u16(1), len(clx))
	}
	if len(clx) < 5 || clx[0] != 2 {
		return nil
	}
	plc := clx.cut(5, clx.u32(1))
	count := (len(plc) - 4) / 12
	var out []piece
	for i := range count {
		chars := plc.u32(4*i+4) - plc.u32(4*i)
		fc := plc.u32(4*(count+1) + 8*i + 2)
		p := piece{fc & 0x3fffffff, chars, fc&0x40000000 != 0}
		if p.narrow {
			p.offset /= 2
		}
		if chars > 0 {
			out = append(out, p)
		}
	}
	return out
}

// mark is what the end of a paragraph stands for.
type mark struct{ inTable, endsRow bool }

// findMarks looks through the properties of paragraphs for tables: the mark of
// a row is the same as that of a cell.
func (d *wordDocument) findMarks() {
	d.marks = map[int]mark{}
	plc := d.table.cut(d.main.u32(0x102), d.main.u32(0x106))
	count := (len(plc) - 4) / 8
	for i := range count {
		page := d.main.cut(plc.u32(4*(count+1)+4*i)&0x3fffff*512, 512)
		if len(page) < 512 {
			continue
		}
		runs := int(page[511])
		for j := range runs {
			at := 4*(runs+1) + 13*j
			if at >= 511 || page[at] == 0 {
				continue
			}
			papx := page.cut(2*int(page[at]), 512)
			if len(papx) < 2 {
				continue
			}
			size := 2*int(papx[0]) - 1
			papx = papx[1:]
			if size < 0 {
				size = 2 * int(papx[0])
				papx = papx[1:]
			}
			if m := markOf(papx.cut(2, size-2)); m.inTable || m.endsRow {
				d.marks[page.u32(4*j+4)] = m
			}
		}
	}
}

// markOf looks for the properties that have to do with tables.
func markOf(sprms window) mark {
	var m mark
	for len(sprms) > 2 {
		op := sprms.u16(0)
		switch op {
		case 0x2416, 0x244b:
			m.inTable = m.inTable || sprms[2] != 0
		case 0x2417, 0x244c:
			m.endsRow = m.endsRow || sprms[2] != 0
		}
		size := 0
		switch op >> 13 {
		case 0, 1:
			size = 1
		case 2, 4, 5:
			size = 2
		case 3:
			size = 4
		case 7:
			size = 3
		case 6:
			size = 1 + int(sprms[2])
			if op == 0xd608 || op == 0xd606 {
				size = 1 + sprms.u16(2)
			}
		}
		sprms = sprms.cut(2+size, len(sprms))
	}
	return m
}

// text writes paragraphs and tables of the first so many characters.
func (d *wordDocument) text(pieces []piece, chars int) (string, error) {
	w := &wordWriter{}
	for _, p := range pieces {
		n := min(p.chars, chars)
		width := 2
		if p.narrow {
			width = 1
		}
		raw := d.main.cut(p.offset, n*width)
		for at := 0; at+width <= len(raw); at += width {
			unit := uint16(raw[at])
			if width == 2 {
				unit = uint16(raw.u16(at)) //nolint:gosec // 16 bits
			} else if unit >= 0x80 {
				unit = uint16(charmap.Windows1252.DecodeByte(raw[at])) //nolint:gosec // of the basic plane
			}
			w.put(unit, d.marks[p.offset+at+width])
		}
		if w.size > d.most {
			return "", errTooLarge
		}
		if chars -= n; chars <= 0 {
			break
		}
	}
	if len(w.line) > 0 {
		w.endParagraph(mark{})
	}
	w.endTable()
	return strings.Join(w.blocks, "\n"), nil
}

// wordWriter sorts characters into paragraphs, cells and rows.
type wordWriter struct {
	line   []uint16
	lines  []string // of the cell
	row    []string
	rows   [][]string
	blocks []string
	fields []bool // open fields: still in the instruction
	size   int64
}

func (w *wordWriter) put(unit uint16, m mark) {
	w.size++
	switch unit {
	case 0x13:
		w.fields = append(w.fields, true)
		return
	case 0x14:
		if n := len(w.fields); n > 0 {
			w.fields[n-1] = false
		}
		return
	case 0x15:
		if n := len(w.fields); n > 0 {
			w.fields = w.fields[:n-1]
		}
		return
	}
	for _, instruction := range w.fields {
		if instruction {
			return
		}
	}
	switch unit {
	case '\r', 0x0c:
		w.endParagraph(m)
	case 0x07:
		w.endCell(m.endsRow)
	case 0x0b:
		w.line = append(w.line, '\n')
	case 0x1e:
		w.line = append(w.line, '-')
	default:
		if unit >= 0x20 || unit == '\t' {
			w.line = append(w.line, unit)
		}
	}
}

func (w *wordWriter) take() string {
	s := string(utf16.Decode(w.line))
	w.line = w.line[:0]
	return s
}

func (w *wordWriter) endParagraph(m mark) {
	if m.inTable {
		w.lines = append(w.lines, w.take())
		return
	}
	w.endTable()
	w.blocks = append(w.blocks, w.take())
}

func (w *wordWriter) endCell(endsRow bool) {
	if endsRow {
		if len(w.row) > 0 {
			w.rows = append(w.rows, w.row)
		}
		w.row, w.lines, w.line = nil, nil, w.line[:0]
		return
	}
	cell := strings.Join(append(w.lines, w.take()), "<br>")
	w.row = append(w.row, strings.ReplaceAll(cell, "\n", "<br>"))
	w.lines = nil
}

// endTable writes the rows that are there.
func (w *wordWriter) endTable() {
	if len(w.row) > 0 {
		w.rows, w.row = append(w.rows, w.row), nil
	}
	if text := tableText(w.rows); text != "" {
		w.blocks = append(w.blocks, text)
	}
	w.rows = nil
	w.blocks = append(w.blocks, w.lines...)
	w.lines = nil
}
