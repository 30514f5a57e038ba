package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// upper is str.upper, with the characters that grow ("ß") as Unicode has them.
func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

func casefold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Fold().String(s)
}

func capitalize(s string) string {
	if s == "" {
		return ""
	}
	_, n := utf8.DecodeRuneInString(s)
	return titleRune(s[:n]) + lower(s[n:])
}

// titleRune is the title case of one character.
func titleRune(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	r, _ := utf8.DecodeRuneInString(s)
	if t := unicode.ToTitle(r); t != r {
		return string(t)
	}
	u := cases.Upper(language.Und).String(s)
	if runeLen(u) > 1 { // "ß" becomes "Ss"
		_, n := utf8.DecodeRuneInString(u)
		return u[:n] + lower(u[n:])
	}
	return u
}

func isCased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) ||
		unicode.Is(unicode.Other_Uppercase, r) || unicode.Is(unicode.Other_Lowercase, r)
}

func titleText(s string) string {
	var b strings.Builder
	prev := false
	for _, r := range s {
		if prev {
			b.WriteString(lower(string(r)))
		} else {
			b.WriteString(titleRune(string(r)))
		}
		prev = isCased(r)
	}
	return b.String()
}

func swapcase(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			b.WriteString(lower(string(r)))
		case unicode.IsLower(r):
			b.WriteString(upper(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// caseTest is islower or isupper.
func caseTest(s string, up bool) bool {
	seen := false
	for _, r := range s {
		if !isCased(r) {
			continue
		}
		if unicode.IsTitle(r) || unicode.IsUpper(r) != up {
			return false
		}
		seen = true
	}
	return seen
}

func isTitleText(s string) bool {
	seen, prev := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			if prev {
				return false
			}
			prev, seen = true, true
		case unicode.IsLower(r):
			if !prev {
				return false
			}
			seen = true
		default:
			prev = false
		}
	}
	return seen
}

// allRunes tells whether s is not empty and every character passes.
func allRunes(s string, ok func(rune) bool) bool {
	for _, r := range s {
		if !ok(r) {
			return false
		}
	}
	return s != ""
}

// isDigits is str.isdigit for the decimal digits.
func isDigits(s string) bool {
	return allRunes(s, func(r rune) bool { return unicode.Is(unicode.Nd, r) || isSuperscript(r) })
}

func isSuperscript(r rune) bool {
	return r == '²' || r == '³' || r == '¹' || r >= 0x2070 && r <= 0x2079 || r >= 0x2080 && r <= 0x2089
}

// asciiDigits replaces other scripts' decimal digits by ASCII ones.
func asciiDigits(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r) {
			return r
		}
		for z := r; ; z-- { // blocks of ten start at a multiple found by walking back
			if !unicode.Is(unicode.Nd, z-1) || r-z == 9 {
				return '0' + (r-z)%10
			}
		}
	}, s)
}

func isLineBreak(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// splitLines is str.splitlines.
func splitLines(s string, keep bool) []string {
	var out []string
	for s != "" {
		i := strings.IndexFunc(s, isLineBreak)
		if i < 0 {
			return append(out, s)
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			out = append(out, s[:i+n])
		} else {
			out = append(out, s[:i])
		}
		s = s[i+n:]
	}
	return out
}

// stripText is strip, lstrip and rstrip.
func stripText(s, name string, chars any, left, right bool) string {
	in := isPySpace
	if (chars != none{}) {
		set, ok := strOf(chars)
		if !ok {
			raiseType("%s arg must be None or str", name)
		}
		in = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s
}

// pad is the padding of width columns around a text of n characters.
func (it *interp) pad(width, n int, fill rune) (string, int) {
	if width <= n {
		return "", 0
	}
	return string(fill), width - n
}

// center is str.center with Python's choice of the odd column.
func (it *interp) center(s string, width int, fill rune) string {
	f, n := it.pad(width, runeLen(s), fill)
	if n == 0 {
		return s
	}
	left := n/2 + n&width&1
	return it.repeatText(f, left) + s + it.repeatText(f, n-left)
}

func (it *interp) justify(s string, width int, fill rune, right bool) string {
	f, n := it.pad(width, runeLen(s), fill)
	if n == 0 {
		return s
	}
	if right {
		return it.repeatText(f, n) + s
	}
	return s + it.repeatText(f, n)
}
