package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatSpec is Python's format mini-language.
type formatSpec struct {
	fill      rune
	align     byte // 0 when not given
	sign      byte
	alt, zero bool
	width     int
	group     byte
	precision int // -1 when not given
	typ       byte
}

func parseSpec(s string) formatSpec {
	f := formatSpec{fill: ' ', precision: -1}
	if r, n := utf8.DecodeRuneInString(s); n < len(s) && strings.IndexByte("<>=^", s[n]) >= 0 {
		f.fill, f.align = r, s[n]
		s = s[n+1:]
	} else if s != "" && strings.IndexByte("<>=^", s[0]) >= 0 {
		f.align = s[0]
		s = s[1:]
	}
	take := func(set string) byte {
		if s != "" && strings.IndexByte(set, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	f.sign = take("+- ")
	f.alt = take("#") != 0
	if take("0") != 0 {
		f.zero = true
		if f.align == 0 {
			f.fill, f.align = '0', '='
		}
	}
	number := func() int {
		n := 0
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		v, err := strconv.Atoi(s[:n])
		if err != nil {
			raise(KindValue, "Too many decimal digits in format string")
		}
		s = s[n:]
		return v
	}
	if s != "" && isDigit(s[0]) {
		f.width = number()
	}
	f.group = take(",_")
	if take(".") != 0 {
		if s == "" || !isDigit(s[0]) {
			raise(KindValue, "Format specifier missing precision")
		}
		f.precision = number()
	}
	if len(s) > 1 {
		raise(KindValue, "Invalid format specifier")
	}
	if s != "" {
		f.typ = s[0]
	}
	return f
}

// formatValue is format(v, spec).
func (it *interp) formatValue(v any, spec string) string {
	if spec == "" {
		return it.str(v)
	}
	switch x := v.(type) {
	case string:
		return it.formatText(x, parseSpec(spec))
	case markup:
		return it.formatText(string(x), parseSpec(spec))
	case bool:
		return it.formatInt(bigOf(x), parseSpec(spec))
	case int, *big.Int:
		return it.formatInt(bigOf(x), parseSpec(spec))
	case float64:
		return it.formatFloat(x, parseSpec(spec), "float")
	}
	raiseType("unsupported format string passed to %s.__format__", typeName(v))
	return ""
}

func unknownCode(typ byte, name string) {
	raise(KindValue, "Unknown format code '%c' for object of type '%s'", typ, name)
}

func (it *interp) formatText(s string, f formatSpec) string {
	if f.typ != 0 && f.typ != 's' {
		unknownCode(f.typ, "str")
	}
	if f.sign != 0 {
		raise(KindValue, "Sign not allowed in string format specifier")
	}
	if f.alt {
		raise(KindValue, "Alternate form (#) not allowed in string format specifier")
	}
	if f.align == '=' {
		if !f.zero {
			raise(KindValue, "'=' alignment not allowed in string format specifier")
		}
		f.align = '<'
	}
	if f.group != 0 {
		raise(KindValue, "Cannot specify '%c' with 's'.", f.group)
	}
	if f.precision >= 0 && runeLen(s) > f.precision {
		s = it.pickText(s, 0, 1, f.precision)
	}
	return it.align("", s, f, '<')
}

// align pads sign and body to the width.
func (it *interp) align(sign, body string, f formatSpec, def byte) string {
	n := runeLen(sign) + runeLen(body)
	if f.width <= n {
		return sign + body
	}
	room := f.width - n
	a := f.align
	if a == 0 {
		a = def
	}
	fill := string(f.fill)
	switch a {
	case '<':
		return sign + body + it.repeatText(fill, room)
	case '^':
		return it.repeatText(fill, room/2) + sign + body + it.repeatText(fill, room-room/2)
	case '=':
		return sign + it.repeatText(fill, room) + body
	}
	return it.repeatText(fill, room) + sign + body
}

func signOf(neg bool, f formatSpec) string {
	switch {
	case neg:
		return "-"
	case f.sign == '+' || f.sign == ' ':
		return string(f.sign)
	}
	return ""
}

// groupDigits inserts separators, and zeros up to the width when it pads so.
func groupDigits(intPart string, sep byte, every, minLen int) string {
	var b []byte
	n := 0
	for i := len(intPart) - 1; i >= 0 || len(b) < minLen; i-- {
		if n > 0 && n%every == 0 {
			if i < 0 && len(b)+1 >= minLen+1 {
				break
			}
			b = append(b, sep)
		}
		if i >= 0 {
			b = append(b, intPart[i])
		} else {
			b = append(b, '0')
		}
		n++
	}
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func (it *interp) formatInt(v *big.Int, f formatSpec) string {
	base, prefix := 10, ""
	switch f.typ {
	case 0, 'd', 'n':
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x', 'X':
		base, prefix = 16, "0"+string(f.typ)
	case 'c':
		if !v.IsInt64() || v.Int64() < 0 || v.Int64() > 0x10ffff {
			raise(KindOverflow, "%%c arg not in range(0x110000)")
		}
		return it.align("", string(rune(v.Int64())), f, '<')
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		x, _ := floatOf(normBig(new(big.Int).Set(v)))
		return it.formatFloat(x, f, "int")
	default:
		unknownCode(f.typ, "int")
	}
	if f.precision >= 0 {
		raise(KindValue, "Precision not allowed in integer format specifier")
	}
	if base == 10 {
		reprBig(v) // refuses what is too long
	}
	digits := new(big.Int).Abs(v).Text(base)
	if f.typ == 'X' {
		digits = strings.ToUpper(digits)
	}
	sign := signOf(v.Sign() < 0, f)
	if f.alt {
		sign += prefix
	}
	every := 3
	if base != 10 {
		every = 4
		if f.group == ',' {
			raise(KindValue, "Cannot specify ',' with '%c'.", f.typ)
		}
	}
	return it.align(sign, it.grouped(sign, digits, "", every, f), f, '>')
}

// grouped joins integer digits and rest, with separators when asked for.
func (it *interp) grouped(sign, digits, rest string, every int, f formatSpec) string {
	if f.group == 0 {
		return digits + rest
	}
	minLen := 0
	if f.align == '=' && f.fill == '0' {
		minLen = f.width - len(sign) - len(rest)
		it.reserve(max(minLen, 0))
	}
	return groupDigits(digits, f.group, every, minLen) + rest
}

func (it *interp) formatFloat(x float64, f formatSpec, name string) string {
	typ, suffix := f.typ, ""
	prec := f.precision
	if prec > 1<<16 {
		raise(KindValue, "precision too big")
	}
	neg := math.Signbit(x) && !math.IsNaN(x)
	a := math.Abs(x)
	body := ""
	switch typ {
	case '%':
		a *= 100
		suffix = "%"
		typ = 'f'
	case 'F', 'E', 'G':
		typ |= 0x20
	case 'n':
		typ = 'g'
	}
	if prec < 0 && typ != 0 {
		prec = 6
	}
	switch {
	case math.IsNaN(a):
		body = "nan"
	case math.IsInf(a, 0):
		body = "inf"
	case typ == 0 && prec < 0:
		body = reprFloat(a)
	case typ == 0:
		body = generalFloat(a, prec, f.alt, true)
	case typ == 'g':
		body = generalFloat(a, prec, f.alt, false)
	case typ == 'f':
		body = strconv.FormatFloat(a, 'f', prec, 64)
	case typ == 'e':
		body = strconv.FormatFloat(a, 'e', prec, 64)
	default:
		unknownCode(f.typ, name)
	}
	if f.alt && (typ == 'f' || typ == 'e') && prec == 0 {
		m, e, has := strings.Cut(body, "e")
		body = m + "."
		if has {
			body += "e" + e
		}
	}
	if f.typ == 'F' || f.typ == 'E' || f.typ == 'G' {
		body = strings.ToUpper(body)
	}
	n := 0
	for n < len(body) && isDigit(body[n]) {
		n++
	}
	sign := signOf(neg, f)
	if n == 0 {
		return it.align(sign, body+suffix, f, '>')
	}
	return it.align(sign, it.grouped(sign, body[:n], body[n:]+suffix, 3, f), f, '>')
}

// generalFloat is the 'g' format; asRepr is the variant without a type, which
// keeps a ".0" and switches to exponents one digit earlier.
func generalFloat(a float64, prec int, alt, asRepr bool) string {
	if prec == 0 {
		prec = 1
	}
	e := strconv.FormatFloat(a, 'e', prec-1, 64)
	m, expText, _ := strings.Cut(e, "e")
	exp, _ := strconv.Atoi(expText)
	limit := prec
	if asRepr {
		limit = prec - 1
		if limit < 1 {
			limit = 1
		}
	}
	trim := func(s string) string {
		if alt || !strings.Contains(s, ".") {
			return s
		}
		return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	if exp < -4 || exp >= limit && !(asRepr && exp < prec-1) {
		return trim(m) + "e" + expText
	}
	s := trim(strconv.FormatFloat(a, 'f', max(prec-1-exp, 0), 64))
	if asRepr && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func filterFormat(it *interp, args []any, kw []kwArg) any {
	if len(args) > 1 && len(kw) > 0 {
		raise(KindFilterArgument, "can't handle positional and keyword arguments at the same time")
	}
	v := it.softStr(args[0])
	s, _ := strOf(v)
	if len(kw) > 0 {
		d := newDict(len(kw))
		for _, k := range kw {
			d.set(k.name, k.val)
		}
		return it.percentOf(v, s, d)
	}
	return it.percentOf(v, s, newTuple(args[1:]...))
}

// percentOf is format % arg.
func (it *interp) percentOf(self any, format string, arg any) any {
	p := &percent{it: it, format: format, arg: arg}
	_, p.escape = self.(markup)
	if t, ok := arg.(*tuple); ok {
		p.args, p.isTuple = t.items, true
	} else {
		p.args = []any{arg}
	}
	return like(self, p.run())
}

type percent struct {
	it      *interp
	format  string
	arg     any
	args    []any
	next    int
	isTuple bool
	escape  bool
	i       int
	out     strings.Builder
}

func (p *percent) take() any {
	if p.next >= len(p.args) {
		raiseType("not enough arguments for format string")
	}
	p.next++
	return p.args[p.next-1]
}

func (p *percent) run() string {
	usedMap := false
	for p.i < len(p.format) {
		n := strings.IndexByte(p.format[p.i:], '%')
		if n < 0 {
			n = len(p.format) - p.i
		}
		p.out.WriteString(p.format[p.i : p.i+n])
		p.i += n
		if p.i >= len(p.format) {
			break
		}
		p.i++
		usedMap = p.directive() || usedMap
		p.it.reserve(p.out.Len())
	}
	_, isDict := p.arg.(*dict)
	_, isList := p.arg.(*list)
	if p.next < len(p.args) && !usedMap && !isDict && !isList {
		raiseType("not all arguments converted during string formatting")
	}
	return p.out.String()
}

func (p *percent) peek() byte {
	if p.i >= len(p.format) {
		raise(KindValue, "incomplete format")
	}
	return p.format[p.i]
}

// directive formats one conversion and tells whether it used a mapping key.
func (p *percent) directive() bool {
	var v any
	if p.peek() == '(' {
		depth, start := 1, p.i+1
		for p.i++; depth > 0; p.i++ {
			if p.i >= len(p.format) {
				raise(KindValue, "incomplete format key")
			}
			switch p.format[p.i] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		d, ok := p.arg.(*dict)
		if !ok {
			raiseType("format requires a mapping")
		}
		key := p.format[start : p.i-1]
		if v = d.getStr(key); v == nil {
			raise(KindKey, "%s", reprString(key))
		}
	}
	mapped := v != nil
	f := formatSpec{fill: ' ', precision: -1, align: '>'}
	p.flags(&f)
	if strings.IndexByte("hlL", p.peek()) >= 0 {
		p.i++
	}
	c := p.peek()
	p.i++
	if c == '%' {
		p.out.WriteByte('%')
		return mapped
	}
	if v == nil {
		v = p.take()
	}
	p.convert(c, v, f)
	return mapped
}

func (p *percent) flags(f *formatSpec) {
	left := false
	for ; strings.IndexByte("-+ #0", p.peek()) >= 0; p.i++ {
		switch c := p.peek(); c {
		case '-':
			left = true
		case '+':
			f.sign = '+'
		case ' ':
			if f.sign == 0 {
				f.sign = ' '
			}
		case '#':
			f.alt = true
		case '0':
			f.zero = true
		}
	}
	number := func() int {
		if p.peek() == '*' {
			p.i++
			n, ok := intOf(p.take())
			if !ok {
				raiseType("* wants int")
			}
			return n
		}
		n := 0
		for ; isDigit(p.peek()); p.i++ {
			n = n*10 + int(p.peek()-'0')
			if n > 1<<31 {
				raise(KindValue, "width too big")
			}
		}
		return n
	}
	f.width = number()
	if f.width < 0 {
		f.width, left = -f.width, true
	}
	if p.peek() == '.' {
		p.i++
		f.precision = max(number(), 0)
	}
	if left {
		f.align, f.zero = '<', false
	}
}

func (p *percent) convert(c byte, v any, f formatSpec) {
	it := p.it
	switch c {
	case 's', 'r', 'a':
		s := ""
		switch {
		case c != 's':
			s = it.repr(v)
			if c == 'a' {
				s = asciiRepr(s)
			}
		case p.escape:
			s = string(it.escape(v))
		default:
			s = it.str(v)
		}
		if f.precision >= 0 && runeLen(s) > f.precision {
			s = it.pickText(s, 0, 1, f.precision)
		}
		p.out.WriteString(it.align("", s, f, '>'))
	case 'd', 'i', 'u', 'x', 'X', 'o':
		p.out.WriteString(it.percentInt(c, v, f))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		failUndefined(v)
		x, ok := floatOf(v)
		if !ok {
			raiseType("must be real number, not %s", typeName(v))
		}
		f.typ = c
		if f.zero {
			f.fill, f.align = '0', '='
		}
		p.out.WriteString(it.formatFloat(x, f, "float"))
	case 'c':
		s, isText := strOf(v)
		if n, ok := intOf(v); ok && n >= 0 && n <= 0x10ffff {
			s, isText = string(rune(n)), true
		}
		if !isText || runeLen(s) != 1 {
			raiseType("%%c requires int or char")
		}
		p.out.WriteString(it.align("", s, f, '>'))
	default:
		r, _ := utf8.DecodeRuneInString(p.format[p.i-1:])
		raise(KindValue, "unsupported format character '%c' (0x%x) at index %d", r, r, runeLen(p.format[:p.i-1]))
	}
}

func asciiRepr(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r <= 0xff:
			b.WriteString(`\x` + strconv.FormatInt(int64(r), 16))
		case r <= 0xffff:
			b.WriteString(`\u` + strconv.FormatInt(int64(r)+0x10000, 16)[1:])
		default:
			b.WriteString(`\U` + strconv.FormatInt(int64(r)+0x100000000, 16)[1:])
		}
	}
	return b.String()
}

func (it *interp) percentInt(c byte, v any, f formatSpec) string {
	if x, ok := v.(float64); ok && strings.IndexByte("diu", c) >= 0 {
		n, ok := truncFloat(x)
		if !ok {
			raise(KindValue, "cannot convert float NaN to integer")
		}
		v = n
	}
	if !isInt(v) {
		failUndefined(v)
		kind := "a real number"
		if strings.IndexByte("diu", c) < 0 {
			kind = "an integer"
		}
		raiseType("%%%c format: %s is required, not %s", c, kind, typeName(v))
	}
	b := bigOf(v)
	base, prefix := 10, ""
	switch c {
	case 'x', 'X':
		base, prefix = 16, "0"+string(c)
	case 'o':
		base, prefix = 8, "0o"
	default:
		reprBig(b)
	}
	digits := new(big.Int).Abs(b).Text(base)
	if c == 'X' {
		digits = strings.ToUpper(digits)
	}
	if f.precision > len(digits) {
		digits = it.repeatText("0", f.precision-len(digits)) + digits
	}
	sign := signOf(b.Sign() < 0, f)
	if f.alt {
		sign += prefix
	}
	if f.zero {
		f.fill, f.align = '0', '='
	}
	return it.align(sign, digits, f, '>')
}
