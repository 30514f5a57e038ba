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
	if exp < -4 || exp >= limit && (!asRepr || exp >= prec-1) {
		return trim(m) + "e" + expText
	}
	s := trim(strconv.FormatFloat(a, 'f', max(prec-1-exp, 0), 64))
	if asRepr && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
