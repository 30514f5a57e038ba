package pdf

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"unicode/utf16"
)

// state is the graphics state, as far as it moves text.
type state struct {
	ctm                                 matrix
	font                                *font
	size, charSpace, wordSpace, leading float64
	rise                                float64
	stretch                             float64
}

// interpreter runs the operators of a page.
type interpreter struct {
	f            *file
	page         *page
	state        state
	stack        []state
	text, line   matrix
	forms        []*stream // that are being drawn
	marks        []bool    // marked content: replaced by a text of its own
	replaced     int
	replacement  string
	steps, drawn int
}

// maxDrawn bounds how many forms a page draws, since forms can draw forms.
const maxDrawn = 20_000

var errTooComplex = errors.New("a page is too complex")

func (it *interpreter) run(content []byte, resources dict) error {
	left := maxElements
	l := &lexer{data: content, left: &left}
	var args []any
	for {
		v := l.object(0)
		op, ok := v.(keyword)
		if !ok {
			if len(args) < 64 {
				args = append(args, v)
			}
			continue
		}
		if op == endOfData {
			return nil
		}
		if it.steps++; it.steps%1024 == 0 {
			if err := it.f.ctx.Err(); err != nil {
				return err
			}
		}
		if op == "BI" {
			skipImage(l)
		} else if err := it.operator(op, args, resources); err != nil {
			return err
		}
		args, left = args[:0], maxElements
	}
}

// skipImage goes behind the data of an inline image.
func skipImage(l *lexer) {
	for {
		t := l.token()
		if t == endOfData {
			return
		}
		if t == keyword("ID") {
			break
		}
	}
	for l.pos < len(l.data) {
		at := bytes.Index(l.data[l.pos:], []byte("EI"))
		if at < 0 {
			l.pos = len(l.data)
			return
		}
		l.pos += at + 2
		before, after := l.data[l.pos-3], byte(' ')
		if l.pos < len(l.data) {
			after = l.data[l.pos]
		}
		if isSpace(before) && isSpace(after) {
			return
		}
	}
}

func numbers(args []any) []float64 {
	out := make([]float64, 0, 6)
	for _, a := range args {
		switch n := a.(type) {
		case int64:
			out = append(out, float64(n))
		case float64:
			out = append(out, n)
		}
	}
	return out
}

func (it *interpreter) operator(op keyword, args []any, resources dict) error {
	s := &it.state
	n := numbers(args)
	one := func() float64 {
		if len(n) > 0 {
			return n[0]
		}
		return 0
	}
	switch op {
	case "q":
		if len(it.stack) < 1024 {
			it.stack = append(it.stack, *s)
		}
	case "Q":
		if len(it.stack) > 0 {
			*s = it.stack[len(it.stack)-1]
			it.stack = it.stack[:len(it.stack)-1]
		}
	case "cm":
		if len(n) == 6 {
			s.ctm = matrix(n).mul(s.ctm)
		}
	case "Do":
		return it.draw(args, resources)
	case "gs":
		it.graphics(args, resources)
	case "BDC", "BMC":
		it.mark(op, args, resources)
	case "EMC":
		it.unmark()
	case "Tc":
		s.charSpace = one()
	case "Tw":
		s.wordSpace = one()
	case "Tz":
		s.stretch = one() / 100
	case "TL":
		s.leading = one()
	case "Ts":
		s.rise = one()
	default:
		it.textOperator(op, args, n, resources)
	}
	return nil
}

func (it *interpreter) textOperator(op keyword, args []any, n []float64, resources dict) {
	s := &it.state
	switch op {
	case "BT":
		it.text, it.line = matrix{1, 0, 0, 1, 0, 0}, matrix{1, 0, 0, 1, 0, 0}
	case "Tf":
		if len(args) == 2 && len(n) == 1 {
			key, _ := args[0].(name)
			fonts, _ := it.f.resolve(resources["Font"]).(dict)
			s.font, s.size = it.f.font(fonts[key]), n[0]
		}
	case "Tm":
		if len(n) == 6 {
			it.text, it.line = matrix(n), matrix(n)
		}
	case "Td", "TD":
		if len(n) == 2 {
			if op == "TD" {
				s.leading = -n[1]
			}
			it.move(n[0], n[1])
		}
	case "T*":
		it.move(0, -s.leading)
	case "Tj", "'", "\"":
		if op == "\"" && len(n) == 2 {
			s.wordSpace, s.charSpace = n[0], n[1]
		}
		if op != "Tj" {
			it.move(0, -s.leading)
		}
		if len(args) > 0 {
			it.show(args[len(args)-1:])
		}
	case "TJ":
		if len(args) > 0 {
			if parts, ok := args[0].(array); ok {
				it.show(parts)
			}
		}
	}
}

func (it *interpreter) move(x, y float64) {
	it.line = matrix{1, 0, 0, 1, x, y}.mul(it.line)
	it.text = it.line
}

// show shows texts, which numbers among them push apart.
func (it *interpreter) show(parts []any) {
	s := &it.state
	if s.font == nil || math.IsNaN(s.size) {
		return
	}
	var chars []char
	var all strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case text:
			for len(p) > 0 {
				var c char
				c, p = s.font.next(p)
				all.WriteString(c.text)
				chars = append(chars, c)
			}
		case int64:
			chars = append(chars, char{width: math.NaN(), text: "", blank: false}, char{width: -float64(p) / 1000})
		case float64:
			chars = append(chars, char{width: math.NaN(), text: "", blank: false}, char{width: -p / 1000})
		}
	}
	m := matrix{s.size * s.stretch, 0, 0, s.size, 0, s.rise}.mul(it.text).mul(s.ctm)
	x, y := m.apply(0, 0)
	// A text of blanks alone leaves the room that the next one is parted by.
	blank := strings.TrimSpace(all.String()) == ""
	it.page.fresh = it.page.fresh || !blank
	hidden := blank && it.replaced == 0 || it.page.twice(all.String(), x, y, m.height(s.font.vertical)) || it.replaced > 0
	for i := 0; i < len(chars); i++ {
		c := chars[i]
		if math.IsNaN(c.width) { // a shift stands behind it
			i++
			it.advance(chars[i].width * s.size)
			continue
		}
		it.glyph(c, hidden)
	}
}

// height is the size of a font in the page's units.
func (m matrix) height(vertical bool) float64 {
	if vertical {
		return math.Hypot(m[0], m[1])
	}
	return math.Hypot(m[2], m[3])
}

// advance moves on along the line.
func (it *interpreter) advance(by float64) {
	if it.state.font.vertical {
		it.text = matrix{1, 0, 0, 1, 0, by}.mul(it.text)
	} else {
		it.text = matrix{1, 0, 0, 1, by * it.state.stretch, 0}.mul(it.text)
	}
}

func (it *interpreter) glyph(c char, hidden bool) {
	s := &it.state
	m := matrix{s.size * s.stretch, 0, 0, s.size, 0, s.rise}.mul(it.text).mul(s.ctm)
	x, y := m.apply(0, 0)
	space := s.charSpace
	if c.blank {
		space += s.wordSpace
	}
	width := c.width
	var endX, endY float64
	if s.font.vertical {
		width = -1 // glyphs are an em high
		endX, endY = m.apply(0, width)
		space = -space
	} else {
		endX, endY = m.apply(width, 0)
	}
	size := m.height(s.font.vertical)
	it.page.blankWidth = s.font.space * size
	text := c.text
	if it.replaced > 0 {
		text, it.replacement = it.replacement, ""
		hidden = text == ""
	}
	if !hidden && size > 0 && !math.IsInf(size, 0) && !math.IsNaN(x+y+endX+endY) {
		it.page.add(text, x, y, endX, endY, size)
	}
	it.advance(width*s.size + space)
}

// graphics sets the font of a graphics state.
func (it *interpreter) graphics(args []any, resources dict) {
	if len(args) == 0 {
		return
	}
	key, _ := args[0].(name)
	states, _ := it.f.resolve(resources["ExtGState"]).(dict)
	gs, _ := it.f.resolve(states[key]).(dict)
	if v, ok := it.f.resolve(gs["Font"]).(array); ok && len(v) == 2 {
		if size, ok := it.f.number(v[1]); ok {
			it.state.font, it.state.size = it.f.font(v[0]), size
		}
	}
}

// mark begins marked content, which may bring its text along.
func (it *interpreter) mark(op keyword, args []any, resources dict) {
	instead, found := text(""), false
	if op == "BDC" && len(args) == 2 {
		props, ok := args[1].(dict)
		if key, named := args[1].(name); named {
			all, _ := it.f.resolve(resources["Properties"]).(dict)
			props, ok = it.f.resolve(all[key]).(dict)
		}
		if ok {
			instead, found = it.f.resolve(props["ActualText"]).(text)
		}
	}
	if len(it.marks) > 4096 {
		return
	}
	it.marks = append(it.marks, found)
	if found {
		if it.replaced == 0 {
			it.replacement = documentText(instead)
		}
		it.replaced++
	}
}

func (it *interpreter) unmark() {
	if len(it.marks) == 0 {
		return
	}
	if it.marks[len(it.marks)-1] {
		it.replaced--
	}
	it.marks = it.marks[:len(it.marks)-1]
}

// documentText decodes a text that is meant for people.
func documentText(s text) string {
	switch {
	case strings.HasPrefix(string(s), "\xfe\xff"):
		return utf16Text(s[2:])
	case strings.HasPrefix(string(s), "\xff\xfe"):
		units := make([]uint16, 0, len(s)/2)
		for i := 2; i+1 < len(s); i += 2 {
			units = append(units, uint16(s[i+1])<<8|uint16(s[i]))
		}
		return string(utf16.Decode(units))
	case strings.HasPrefix(string(s), "\xef\xbb\xbf"):
		return strings.ToValidUTF8(string(s[3:]), "")
	}
	codes := baseEncoding("PDFDocEncoding")
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(codes[s[i]])
	}
	return b.String()
}

// draw runs a form. Images hold no text.
func (it *interpreter) draw(args []any, resources dict) error {
	if len(args) == 0 {
		return nil
	}
	key, _ := args[0].(name)
	objects, _ := it.f.resolve(resources["XObject"]).(dict)
	form, _ := it.f.resolve(objects[key]).(*stream)
	if form == nil || it.f.resolve(form.dict["Subtype"]) != name("Form") {
		return nil
	}
	if len(it.forms) >= maxNesting/2 || slices.Contains(it.forms, form) {
		return nil
	}
	if it.drawn++; it.drawn > maxDrawn {
		return errTooComplex
	}
	content, err := it.f.decode(form)
	if err != nil {
		return err
	}
	if own, ok := it.f.resolve(form.dict["Resources"]).(dict); ok {
		resources = own
	}
	saved, stack, text, line := it.state, it.stack, it.text, it.line
	if m, ok := it.f.resolve(form.dict["Matrix"]).(array); ok {
		var n []float64
		for _, v := range m {
			if x, ok := it.f.number(v); ok {
				n = append(n, x)
			}
		}
		if len(n) == 6 {
			it.state.ctm = matrix(n).mul(it.state.ctm)
		}
	}
	it.stack = nil
	it.forms = append(it.forms, form)
	err = it.run(content, resources)
	it.forms = it.forms[:len(it.forms)-1]
	it.state, it.stack, it.text, it.line = saved, stack, text, line
	return err
}
