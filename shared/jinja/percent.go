package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

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
