package document

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/millrace/millrace/shared/workflow/value"
)

// The records of a workbook that matter here.
const (
	biffBOF        = 0x809
	biffEOF        = 0x0a
	biffContinue   = 0x3c
	biffCodePage   = 0x42
	biffDateMode   = 0x22
	biffFilePass   = 0x2f
	biffBoundSheet = 0x85
	biffSST        = 0xfc
	biffXF         = 0xe0
	biffFormat     = 0x41e
	biffFormula    = 0x06
	biffString     = 0x207
	biffNumber     = 0x203
	biffLabel      = 0x204
	biffRString    = 0xd6
	biffBoolErr    = 0x205
	biffRK         = 0x27e
	biffMulRK      = 0xbd
	biffLabelSST   = 0xfd
)

// binaryBook is a workbook of Excel before 2007. It shares with workbook how
// cells are shown and tables written.
type binaryBook struct {
	workbook
	stream  window
	old     bool // Excel 5 and 95: texts are of the code page
	charset string
	starts  []int // of worksheets
	styles  []int // number formats, by cell style
	formats map[int]string
	most    int64
}

// readXLS writes every sheet as a Markdown table. Files of that name are often
// of another kind, which Excel opens too.
func readXLS(ctx context.Context, data []byte, most int64) (string, error) {
	switch {
	case bytes.HasPrefix(data, []byte("PK")):
		return readXLSX(ctx, data, most)
	case !isCompound(data) && looksLikeHTML(data):
		return htmlText(decode(data)), nil
	}
	c, err := openCompound(data)
	if err != nil {
		return "", err
	}
	name := "Workbook"
	if _, ok := c[name]; !ok {
		name = "Book"
	}
	raw, err := c.stream(name, most)
	if err != nil {
		return "", err
	}
	w := &binaryBook{stream: raw, charset: "windows-1252", formats: map[int]string{}, most: most}
	w.epoch, w.cellsLeft = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC), maxCells
	if err := w.readGlobals(); err != nil {
		return "", err
	}
	for _, format := range w.styles {
		code, custom := w.formats[format]
		w.dates = append(w.dates, custom && isDateFormat(code) || !custom && (format >= 14 && format <= 22 || format >= 45 && format <= 47))
	}
	var b strings.Builder
	for _, start := range w.starts {
		rows, err := w.readSheet(start)
		if err != nil {
			return "", err
		}
		if err := w.table(&b, rows); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// record returns the record at an offset and the offset behind it.
func (w *binaryBook) record(at int) (kind int, body window, next int) {
	body = w.stream.cut(at+4, w.stream.u16(at+2))
	return w.stream.u16(at), body, at + 4 + len(body)
}

func (w *binaryBook) readGlobals() error {
	kind, bof, at := w.record(0)
	if kind != biffBOF {
		return errDamaged
	}
	w.old = bof.u16(0) < 0x600
	for at+4 <= len(w.stream) {
		kind, body, next := w.record(at)
		switch kind {
		case biffEOF:
			return nil
		case biffFilePass:
			return errLocked
		case biffCodePage:
			if name := codePage(body.u16(0)); name != "" && body.u16(0) != 1200 {
				w.charset = name
			}
		case biffDateMode:
			if body.u16(0) == 1 {
				w.epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
			}
		case biffBoundSheet:
			if len(body) > 5 && body[5]&0x0f == 0 {
				w.starts = append(w.starts, body.u32(0))
			}
		case biffXF:
			w.styles = append(w.styles, body.u16(2))
		case biffFormat:
			w.formats[body.u16(0)] = w.string(body.cut(2, len(body)), 2)
		case biffSST:
			if err := w.readStrings(body, next); err != nil {
				return err
			}
		}
		at = next
	}
	return nil
}

// string reads a text with a length of so many bytes before it.
func (w *binaryBook) string(body window, lengthBytes int) string {
	n := body.u16(0)
	if lengthBytes == 1 || w.old && lengthBytes == 2 && len(body) < n+2 && len(body) > 0 {
		n = int(body.cut(0, 1).first())
		lengthBytes = 1
	}
	body = body.cut(lengthBytes, len(body))
	if w.old {
		text, _ := decodeAs(body.cut(0, n), w.charset)
		return text
	}
	flags := body.first()
	body = body.cut(1, len(body))
	if flags&8 != 0 {
		body = body.cut(2, len(body))
	}
	if flags&4 != 0 {
		body = body.cut(4, len(body))
	}
	if flags&1 != 0 {
		return utf16Text(body.cut(0, 2*n))
	}
	return latin(body.cut(0, n))
}

func (w window) first() byte {
	if len(w) == 0 {
		return 0
	}
	return w[0]
}

// latin decodes the low halves of UTF-16 units.
func latin(raw []byte) string {
	runes := make([]rune, len(raw))
	for i, c := range raw {
		runes[i] = rune(c)
	}
	return string(runes)
}

// spread reads a record and those that continue it. A text that crosses from
// one to the next says anew how its characters are stored.
type spread struct {
	w    *binaryBook
	body window
	next int // offset of the record behind body
}

// more goes on to the next record; false when none continues this one.
func (s *spread) more() bool {
	for len(s.body) == 0 {
		if s.next+4 > len(s.w.stream) {
			return false
		}
		kind, body, next := s.w.record(s.next)
		if kind != biffContinue {
			return false
		}
		s.body, s.next = body, next
	}
	return true
}

func (s *spread) take(n int) []byte {
	var out []byte
	for n > 0 && s.more() {
		part := s.body.cut(0, n)
		s.body = s.body[len(part):]
		out, n = append(out, part...), n-len(part)
	}
	return out
}

func (s *spread) skip(n int) {
	for n > 0 && s.more() {
		part := len(s.body.cut(0, n))
		s.body, n = s.body[part:], n-part
	}
}

func (w *binaryBook) readStrings(body window, next int) error {
	count := body.u32(4)
	s := &spread{w, body.cut(8, len(body)), next}
	for range count {
		if !s.more() {
			return nil // fewer than it says
		}
		head := window(s.take(3))
		chars, flags := head.u16(0), byte(0)
		if len(head) == 3 {
			flags = head[2]
		}
		runs, extra := 0, 0
		if flags&8 != 0 {
			runs = window(s.take(2)).u16(0)
		}
		if flags&4 != 0 {
			extra = window(s.take(4)).u32(0)
		}
		var units []uint16
		for chars > 0 {
			if len(s.body) == 0 {
				if !s.more() {
					break
				}
				flags = s.body[0]
				s.body = s.body[1:]
			}
			width := 1 + int(flags&1)
			part := s.body.cut(0, chars*width)
			part = part[:len(part)/width*width]
			if len(part) == 0 {
				break
			}
			s.body = s.body[len(part):]
			for i := 0; i < len(part); i += width {
				unit := uint16(part[i])
				if width == 2 {
					unit |= uint16(part[i+1]) << 8
				}
				units = append(units, unit)
			}
			chars -= len(part) / width
		}
		text := string(utf16.Decode(units))
		if w.most -= int64(len(text)); w.most < 0 {
			return errTooLarge
		}
		w.shared = append(w.shared, text)
		s.skip(4*runs + extra)
	}
	return nil
}

// readSheet reads the rows that are not empty of the sheet at an offset.
func (w *binaryBook) readSheet(at int) ([][]cell, error) {
	if kind, _, _ := w.record(at); kind != biffBOF {
		return nil, errDamaged
	}
	s := &binarySheet{w: w, row: -1}
	depth := 0
	for at+4 <= len(w.stream) {
		kind, body, next := w.record(at)
		at = next
		switch kind {
		case biffBOF: // also of charts inside
			depth++
		case biffEOF:
			if depth--; depth <= 0 {
				return s.rows, s.err
			}
		}
		if depth == 1 {
			s.record(kind, body)
		}
		if s.err != nil {
			return nil, s.err
		}
	}
	return s.rows, s.err
}

type binarySheet struct {
	w        *binaryBook
	rows     [][]cell
	row      int
	row1, c1 int // of the formula whose text comes next
	waiting  bool
	err      error
}

func (s *binarySheet) put(row, column int, text string) {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	if text == "" || column >= maxColumns {
		return
	}
	if s.w.most -= int64(len(text)); s.w.most < 0 {
		s.err = errTooLarge
		return
	}
	if row != s.row {
		s.rows, s.row = append(s.rows, nil), row
	}
	last := len(s.rows) - 1
	s.rows[last] = append(s.rows[last], cell{column, text})
}

func (s *binarySheet) record(kind int, body window) {
	row, column, style := body.u16(0), body.u16(2), body.u16(4)
	switch kind {
	case biffLabelSST:
		if i := body.u32(6); i < len(s.w.shared) {
			s.put(row, column, s.w.shared[i])
		}
	case biffLabel, biffRString:
		s.put(row, column, s.w.string(body.cut(6, len(body)), 2))
	case biffNumber:
		s.put(row, column, s.w.float(style, math.Float64frombits(body.u64(6))))
	case biffRK:
		s.put(row, column, s.w.float(style, rk(body.u32(6))))
	case biffMulRK:
		for at := 4; at+8 <= len(body); at += 6 {
			s.put(row, column+(at-4)/6, s.w.float(body.u16(at), rk(body.u32(at+2))))
		}
	case biffBoolErr:
		if b := body.cut(6, 2); len(b) == 2 {
			s.put(row, column, boolOrError(b[0], b[1] != 0))
		}
	case biffFormula:
		s.formula(row, column, style, body.cut(6, 8))
	case biffString:
		if s.waiting {
			s.put(s.row1, s.c1, s.w.string(body, 2))
			s.waiting = false
		}
	}
}

// formula shows the result that was stored.
func (s *binarySheet) formula(row, column, style int, result window) {
	if len(result) < 8 {
		return
	}
	if result.u16(6) != 0xffff {
		s.put(row, column, s.w.float(style, math.Float64frombits(result.u64(0))))
		return
	}
	switch result[0] {
	case 0:
		s.row1, s.c1, s.waiting = row, column, true
	case 1, 2:
		s.put(row, column, boolOrError(result[2], result[0] == 2))
	}
}

func boolOrError(v byte, isError bool) string {
	switch {
	case !isError && v != 0:
		return "True"
	case !isError:
		return "False"
	}
	switch v {
	case 0x00:
		return "#NULL!"
	case 0x07:
		return "#DIV/0!"
	case 0x0f:
		return "#VALUE!"
	case 0x17:
		return "#REF!"
	case 0x1d:
		return "#NAME?"
	case 0x24:
		return "#NUM!"
	}
	return "#N/A"
}

// rk unpacks a number of 30 bits.
func rk(v int) float64 {
	var n float64
	if v&2 != 0 {
		n = float64(int32(v) >> 2) //nolint:gosec // a signed number in unsigned bits
	} else {
		n = math.Float64frombits(binary.LittleEndian.Uint64([]byte{0, 0, 0, 0, byte(v) & 0xfc, byte(v >> 8), byte(v >> 16), byte(v >> 24)}))
	}
	if v&1 != 0 {
		n /= 100
	}
	return n
}

func (w *binaryBook) float(style int, n float64) string {
	raw := value.FloatText(n)
	if n == math.Trunc(n) && math.Abs(n) < 1e15 {
		raw = strconv.FormatInt(int64(n), 10)
	}
	return w.number(strconv.Itoa(style), raw)
}
