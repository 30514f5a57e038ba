package document

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	maxColumns = 16384   // of the format
	maxCells   = 4 << 20 // of the tables that are written
)

type workbook struct {
	*archive
	shared    []string
	dates     []bool // by cell style: its numbers are dates
	epoch     time.Time
	sheets    []string // part names
	cellsLeft int
}

// cell is a cell that is not empty.
type cell struct {
	column int
	text   string
}

// readXLSX writes every sheet as a Markdown table; its first row that is not
// empty is the head.
func readXLSX(ctx context.Context, data []byte, most int64) (string, error) {
	a, err := openArchive(ctx, data, most)
	if err != nil {
		return "", err
	}
	w := &workbook{archive: a, epoch: time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC), cellsLeft: maxCells}
	if err := w.open(); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range w.sheets {
		if !w.has(name) {
			continue
		}
		var rows [][]cell
		err := w.decode(name, func(d *xml.Decoder) (err error) {
			rows, err = w.rows(d)
			return err
		})
		if err != nil {
			return "", err
		}
		if err := w.table(&b, rows); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func (w *workbook) open() error {
	const part = "xl/workbook.xml"
	targets, err := w.relations(part)
	if err != nil {
		return err
	}
	err = w.each(part, func(e xml.StartElement) {
		switch e.Name.Local {
		case "sheet":
			w.sheets = append(w.sheets, targets[relation(e)])
		case "workbookPr":
			if on := attr(e, "date1904"); on == "1" || on == "true" {
				w.epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
			}
		}
	})
	if err != nil {
		return err
	}
	if w.has("xl/sharedStrings.xml") {
		if err := w.decode("xl/sharedStrings.xml", w.readShared); err != nil {
			return err
		}
	}
	return w.readStyles()
}

func (w *workbook) readShared(d *xml.Decoder) error {
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok && e.Name.Local == "si" {
			text, err := richText(d)
			if err != nil {
				return err
			}
			w.shared = append(w.shared, text)
		}
	}
}

// richText joins the runs of the text that was just opened, without the
// readings printed above Japanese ones.
func richText(d *xml.Decoder) (string, error) {
	var b strings.Builder
	for depth, in := 1, false; depth > 0; {
		t, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local == "rPh" {
				if err := d.Skip(); err != nil {
					return "", err
				}
				continue
			}
			depth++
			in = t.Name.Local == "t"
		case xml.EndElement:
			depth--
			in = false
		case xml.CharData:
			if in {
				b.Write(t)
			}
		}
	}
	return b.String(), nil
}

// readStyles finds out which cell styles show dates.
func (w *workbook) readStyles() error {
	const part = "xl/styles.xml"
	if !w.has(part) {
		return nil
	}
	custom := map[string]bool{}
	within := ""
	return w.each(part, func(e xml.StartElement) {
		switch e.Name.Local {
		case "numFmt":
			custom[attr(e, "numFmtId")] = isDateFormat(attr(e, "formatCode"))
		case "cellXfs", "cellStyleXfs", "dxfs", "cellStyles":
			within = e.Name.Local
		case "xf":
			if within == "cellXfs" {
				id := attr(e, "numFmtId")
				n, err := strconv.Atoi(id)
				w.dates = append(w.dates, custom[id] || err == nil && (n >= 14 && n <= 22 || n >= 45 && n <= 47))
			}
		}
	})
}

// isDateFormat looks for parts of dates outside quotes, brackets and escapes.
func isDateFormat(code string) bool {
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case '\\', '_', '*':
			i++
		case '"', '[':
			end := byte('"')
			if c == '[' {
				end = ']'
			}
			next := strings.IndexByte(code[i+1:], end)
			if next < 0 {
				return false
			}
			i += next + 1
		case 'y', 'Y', 'd', 'D', 'h', 'H', 's', 'S', 'm', 'M':
			return true
		case 'G', 'g': // General
			return false
		}
	}
	return false
}

// rows reads a sheet's rows that are not empty.
func (w *workbook) rows(d *xml.Decoder) ([][]cell, error) {
	var out [][]cell
	var row []cell
	next := 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "row":
				row, next = nil, 0
			case "c":
				column := next
				if ref := attr(t, "r"); ref != "" {
					column = columnOf(ref)
				}
				if column < 0 || column >= maxColumns {
					return nil, fmt.Errorf("wrong cell reference %q", attr(t, "r"))
				}
				next = column + 1
				text, err := w.cell(d, t)
				if err != nil {
					return nil, err
				}
				if text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " "); text != "" {
					row = append(row, cell{column, text})
				}
			}
		case xml.EndElement:
			if t.Name.Local == "row" && len(row) > 0 {
				out = append(out, row)
			}
		}
	}
}

// columnOf returns the column of a reference such as B7, counted from 0.
func columnOf(ref string) int {
	n := 0
	for i := 0; i < len(ref) && i < 4; i++ {
		c := ref[i] | 0x20
		if c < 'a' || c > 'z' {
			break
		}
		n = n*26 + int(c-'a') + 1
	}
	return n - 1
}

// cell returns the text of the cell that was just opened.
func (w *workbook) cell(d *xml.Decoder, e xml.StartElement) (string, error) {
	var raw, inline string
	for {
		t, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.EndElement:
			if inline != "" {
				return inline, nil
			}
			return w.show(attr(e, "t"), attr(e, "s"), raw), nil
		case xml.StartElement:
			switch t.Name.Local {
			case "v":
				err = d.DecodeElement(&raw, &t)
			case "is":
				inline, err = richText(d)
			default: // a formula: its result is what counts
				err = d.Skip()
			}
			if err != nil {
				return "", err
			}
		}
	}
}

func (w *workbook) show(kind, style, raw string) string {
	switch kind {
	case "s":
		if i, err := strconv.Atoi(strings.TrimSpace(raw)); err == nil && i >= 0 && i < len(w.shared) {
			return w.shared[i]
		}
		return ""
	case "b":
		if raw == "1" {
			return "True"
		}
		return "False"
	case "", "n":
		return w.number(style, strings.TrimSpace(raw))
	}
	return raw
}

func (w *workbook) number(style, raw string) string {
	n, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return raw
	}
	if i, err := strconv.Atoi(style); err == nil && i >= 0 && i < len(w.dates) && w.dates[i] && math.Abs(n) < 3e6 {
		at := w.epoch.Add(time.Duration(math.Round(n*86400)) * time.Second)
		if n >= 0 && n < 1 {
			return at.Format("15:04:05")
		}
		return at.Format("2006-01-02 15:04:05")
	}
	if !strings.ContainsAny(raw, ".eE") {
		return raw
	}
	return value.FloatText(n)
}

// table writes rows as a Markdown table and a blank line.
func (w *workbook) table(b *strings.Builder, rows [][]cell) error {
	if len(rows) == 0 {
		return nil
	}
	width := 0
	for _, row := range rows {
		for _, c := range row {
			width = max(width, c.column+1)
		}
	}
	if w.cellsLeft -= width * len(rows); w.cellsLeft < 0 {
		return errTooLarge
	}
	line := make([]string, width)
	fill := func(row []cell) {
		clear(line)
		for _, c := range row {
			line[c.column] = c.text
		}
	}
	fill(rows[0])
	nameColumns(line)
	writeRow(b, line)
	writeRow(b, dashes(line))
	for _, row := range rows[1:] {
		fill(row)
		writeRow(b, line)
	}
	b.WriteByte('\n')
	return nil
}

// nameColumns gives columns without a name one, and makes names differ.
func nameColumns(head []string) {
	seen := map[string]int{}
	for i, name := range head {
		if name == "" {
			head[i] = "Unnamed: " + strconv.Itoa(i)
			continue
		}
		if n := seen[name]; n > 0 {
			head[i] = name + "." + strconv.Itoa(n)
		}
		seen[name]++
	}
}
