package document

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

// dialect names the elements of a document format that is a flow of paragraphs
// and tables.
type dialect struct {
	paragraphs string // names, with spaces around them
	// text is the element that holds characters; "" where the paragraph does.
	text             string
	table, row, cell string
	skip             string // names of elements that hold no text of the flow
	keepEmpty        bool   // empty paragraphs count
}

func (d *dialect) isParagraph(name string) bool {
	return strings.Contains(d.paragraphs, " "+name+" ")
}

func (d *dialect) isSkipped(name string) bool { return strings.Contains(d.skip, " "+name+" ") }

// maxSpan bounds how often a merged cell is repeated.
const maxSpan = 64

// flow reads a part of a document; blocks are what it found, in order.
type flow struct {
	dialect
	dec    *xml.Decoder
	blocks []string
	depth  int
}

// maxDepth bounds how deeply elements may be nested.
const maxDepth = 1000

var errTooDeep = errors.New("the document is nested too deeply")

// enter counts one level of nesting; its answer leaves it again.
func (f *flow) enter() (leave func(), err error) {
	if f.depth++; f.depth > maxDepth {
		return nil, errTooDeep
	}
	return func() { f.depth-- }, nil
}

func (f *flow) read(d *xml.Decoder) error {
	f.dec = d
	err := f.container(f.block)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// container calls child for every child of the element that was just opened,
// which it reads to its end.
func (f *flow) container(child func(e xml.StartElement) error) error {
	leave, err := f.enter()
	if err != nil {
		return err
	}
	defer leave()
	for {
		t, err := f.dec.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if f.isSkipped(t.Name.Local) {
				err = f.dec.Skip()
			} else {
				err = child(t)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (f *flow) block(e xml.StartElement) error {
	switch {
	case f.isParagraph(e.Name.Local):
		text, err := f.paragraph()
		if f.keepEmpty || strings.TrimSpace(text) != "" {
			f.blocks = append(f.blocks, text)
		}
		return err
	case e.Name.Local == f.table:
		return f.readTable()
	}
	return f.container(f.block)
}

// paragraph returns the text of the paragraph that was just opened.
func (f *flow) paragraph() (string, error) {
	var b strings.Builder
	err := f.inline(&b, f.text == "")
	return b.String(), err
}

func (f *flow) inline(b *strings.Builder, here bool) error {
	leave, err := f.enter()
	if err != nil {
		return err
	}
	defer leave()
	for {
		t, err := f.dec.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.CharData:
			if here {
				b.Write(t)
			}
		case xml.StartElement:
			name := t.Name.Local
			if f.isSkipped(name) {
				if err := f.dec.Skip(); err != nil {
					return err
				}
				continue
			}
			switch name {
			case "tab":
				b.WriteByte('\t')
			case "br", "cr", "line-break":
				b.WriteByte('\n')
			case "noBreakHyphen":
				b.WriteByte('-')
			case "s":
				if f.text == "" { // several spaces
					n, err := strconv.Atoi(attr(t, "c"))
					if err != nil || n < 1 || n > 1000 {
						n = 1
					}
					b.WriteString(strings.Repeat(" ", n))
				}
			}
			if err := f.inline(b, f.text == "" || name == f.text); err != nil {
				return err
			}
		}
	}
}

// tableCell is a cell and how many columns it takes; continued ones belong to
// the cell above.
type tableCell struct {
	text      string
	span      int
	continued bool
}

// readTable adds the table that was just opened as Markdown, unless it is empty.
func (f *flow) readTable() error {
	var rows [][]string
	var walk func(e xml.StartElement) error
	walk = func(e xml.StartElement) error {
		if e.Name.Local != f.row {
			return f.container(walk)
		}
		var above []string
		if len(rows) > 0 {
			above = rows[len(rows)-1]
		}
		row, err := f.readRow(above)
		rows = append(rows, row)
		return err
	}
	if err := f.container(walk); err != nil {
		return err
	}
	if text := tableText(rows); text != "" {
		f.blocks = append(f.blocks, text)
	}
	return nil
}

// tableText writes a table as Markdown, "" when it is empty.
func tableText(rows [][]string) string {
	filled := false
	for _, row := range rows {
		filled = filled || strings.TrimSpace(strings.Join(row, "")) != ""
	}
	if !filled {
		return ""
	}
	var b strings.Builder
	for i, row := range rows {
		writeRow(&b, row)
		if i == 0 {
			rule := make([]string, len(row))
			for j := range rule {
				rule[j] = "---"
			}
			writeRow(&b, rule)
		}
	}
	return b.String()
}

func (f *flow) readRow(above []string) ([]string, error) {
	var row []string
	var walk func(e xml.StartElement) error
	walk = func(e xml.StartElement) error {
		if e.Name.Local != f.cell {
			return f.container(walk)
		}
		c, err := f.readCell(e)
		for range min(c.span, maxSpan) {
			if col := len(row); c.continued && col < len(above) {
				row = append(row, above[col])
			} else {
				row = append(row, c.text)
			}
		}
		return err
	}
	return row, f.container(walk)
}

func (f *flow) readCell(e xml.StartElement) (tableCell, error) {
	c := tableCell{span: 1}
	setSpan := func(text string) {
		if n, err := strconv.Atoi(text); err == nil && n > 1 {
			c.span = n
		}
	}
	setSpan(attr(e, "gridSpan")) // slides; documents have an element
	if attr(e, "hMerge") == "1" {
		c.span = 0 // counted by the span of the cell before
	}
	c.continued = attr(e, "vMerge") == "1"
	var lines []string
	var walk func(e xml.StartElement) error
	walk = func(e xml.StartElement) error {
		switch name := e.Name.Local; {
		case f.isParagraph(name):
			text, err := f.paragraph()
			lines = append(lines, text)
			return err
		case name == "gridSpan":
			setSpan(attr(e, "val"))
		case name == "vMerge":
			c.continued = attr(e, "val") != "restart"
		}
		return f.container(walk)
	}
	err := f.container(walk)
	c.text = strings.ReplaceAll(strings.Join(lines, "\n"), "\n", "<br>")
	return c, err
}

func (a *archive) flow(part string, d dialect) ([]string, error) {
	f := &flow{dialect: d}
	err := a.decode(part, f.read)
	return f.blocks, err
}
