package jinja

import (
	"strings"
	"unicode"
)

func matchName(s string) int {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Nl, r) &&
			(i == 0 || !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Mc, r) && r != '\u00b7') {
			return i
		}
	}
	return len(s)
}

// digits matches (\d+_)*\d+ and returns its length.
func digits(s string) int {
	i := 0
	for i < len(s) {
		if isDigit(s[i]) {
			i++
			continue
		}
		if s[i] == '_' && i > 0 && isDigit(s[i-1]) && i+1 < len(s) && isDigit(s[i+1]) {
			i++
			continue
		}
		break
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func matchFloat(s string) int {
	n := digits(s)
	if n == 0 {
		return 0
	}
	isFloat := false
	if n+1 < len(s) && s[n] == '.' {
		if d := digits(s[n+1:]); d > 0 {
			n += 1 + d
			isFloat = true
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if d := digits(s[m:]); d > 0 {
			return m + d
		}
	}
	if isFloat {
		return n
	}
	return 0
}

func matchInteger(s string) int {
	run := func(start int, ok func(byte) bool) int {
		i := start
		for i < len(s) {
			if ok(s[i]) {
				i++
				continue
			}
			if s[i] == '_' && i+1 < len(s) && ok(s[i+1]) {
				i += 2
				continue
			}
			break
		}
		return i
	}
	if s[0] == '0' {
		if len(s) > 1 {
			var ok func(byte) bool
			switch s[1] {
			case 'b', 'B':
				ok = func(c byte) bool { return c == '0' || c == '1' }
			case 'o', 'O':
				ok = func(c byte) bool { return c >= '0' && c <= '7' }
			case 'x', 'X':
				ok = func(c byte) bool {
					return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
				}
			}
			if ok != nil {
				if n := run(2, ok); n > 2 {
					return n
				}
			}
		}
		return run(1, func(c byte) bool { return c == '0' })
	}
	return run(1, isDigit)
}

func matchString(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}

// unescapeString resolves backslash escapes; msg is the decoder's complaint.
func unescapeString(s string) (out, msg string) {
	if !strings.Contains(s, "\\") {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'a', 'b', 'f', 'n', 'r', 't', 'v':
			b.WriteByte("\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)])
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v, n := rune(0), 0
			for n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7' {
				v = v*8 + rune(s[i+n]-'0')
				n++
			}
			b.WriteRune(v)
			i += n - 1
		case 'x', 'u', 'U':
			width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			v, n := rune(0), 0
			for n < width && i+1+n < len(s) {
				h := strings.IndexByte("0123456789abcdef", s[i+1+n]|0x20)
				if h < 0 || s[i+1+n] < '0' {
					break
				}
				v = v<<4 | rune(h)
				n++
			}
			if n < width {
				return "", "truncated \\" + string(c) + strings.Repeat("X", width) + " escape"
			}
			if v < 0 || v > unicode.MaxRune {
				return "", "illegal Unicode character"
			}
			b.WriteRune(v)
			i += width
		case 'N':
			return "", "malformed \\N character escape"
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// isPySpace is str.isspace for one character.
func isPySpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}
