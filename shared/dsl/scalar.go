package dsl

import (
	"fmt"
	"strings"
)

// analysis says in which styles a text may be written.
type analysis struct{ plain, single, multiline bool }

func isBreak(r rune) bool { return r == '\n' || r == 0x85 || r == 0x2028 || r == 0x2029 }

func isSpace(r rune) bool { return r == 0 || r == ' ' || r == '\t' || r == '\r' || isBreak(r) }

// printable reports whether a character may stand in a text without an escape.
func printable(r rune) bool {
	return r == '\n' || r >= 0x20 && r <= 0x7e || r == 0x85 ||
		r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd && r != 0xfeff || r >= 0x10000 && r < 0x10ffff
}

func analyse(s string) analysis {
	if s == "" {
		return analysis{single: true}
	}
	text := []rune(s)
	a := analysis{plain: true, single: true}
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		a.plain = false
	}
	last := len(text) - 1
	if edge := func(r rune) bool { return r == ' ' || isBreak(r) }; edge(text[0]) || edge(text[last]) {
		a.plain = false
	}
	wasSpace, wasBreak, afterWhite := false, false, true
	for i, r := range text {
		beforeWhite := i == last || isSpace(text[i+1])
		if indicator(r, i == 0, afterWhite, beforeWhite) {
			a.plain = false
		}
		if !printable(r) {
			return analysis{multiline: a.multiline || strings.ContainsAny(s, "\n")}
		}
		switch {
		case r == ' ':
			if wasBreak {
				a.plain, a.single = false, false
			}
			wasSpace, wasBreak = true, false
		case isBreak(r):
			a.plain, a.multiline = false, true
			if wasSpace {
				a.single = false
			}
			wasSpace, wasBreak = false, true
		default:
			wasSpace, wasBreak = false, false
		}
		afterWhite = isSpace(r)
	}
	return a
}

// indicator reports whether a character at its place means something to YAML
// outside of flow collections, which Dump never opens.
func indicator(r rune, first, afterWhite, beforeWhite bool) bool {
	switch {
	case first && strings.ContainsRune("#,[]{}&*!|>'\"%@`", r):
		return true
	case first && (r == '?' || r == '-'), r == ':':
		return beforeWhite
	case r == '#':
		return afterWhite
	}
	return false
}

// run returns the end of the stretch of characters from i for which same holds.
func run(text []rune, i int, same func(rune) bool) int {
	for i < len(text) && same(text[i]) {
		i++
	}
	return i
}

func (e *emitter) plain(text []rune, in int, fold bool) {
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			end := run(text, i, func(r rune) bool { return r == ' ' })
			if end == i+1 && e.column > width && fold {
				e.indent(in)
			} else {
				e.write(string(text[i:end]))
			}
			i = end
			continue
		}
		end := run(text, i, func(r rune) bool { return r != ' ' })
		e.write(string(text[i:end]))
		i = end
	}
}

func (e *emitter) single(text []rune, in int, fold bool) {
	e.write("'")
	for i := 0; i < len(text); {
		var end int
		switch {
		case text[i] == ' ':
			end = run(text, i, func(r rune) bool { return r == ' ' })
			if end == i+1 && e.column > width && fold && i != 0 && end != len(text) {
				e.indent(in)
			} else {
				e.write(string(text[i:end]))
			}
		case isBreak(text[i]):
			end = run(text, i, isBreak)
			if text[i] == '\n' {
				e.newline()
			}
			for _, r := range text[i:end] {
				if r == '\n' {
					e.newline()
					continue
				}
				e.b.WriteRune(r)
				e.column, e.fresh = 0, true
			}
			e.indent(in)
		default:
			end = run(text, i, func(r rune) bool { return r != ' ' && !isBreak(r) })
			e.write(strings.ReplaceAll(string(text[i:end]), "'", "''"))
		}
		i = end
	}
	e.write("'")
}

func escape(r rune) string {
	switch r {
	case 0:
		return `\0`
	case 7:
		return `\a`
	case 8:
		return `\b`
	case 9:
		return `\t`
	case 10:
		return `\n`
	case 11:
		return `\v`
	case 12:
		return `\f`
	case 13:
		return `\r`
	case 27:
		return `\e`
	case '"':
		return `\"`
	case '\\':
		return `\\`
	case 0x85:
		return `\N`
	case 0xa0:
		return `\_`
	case 0x2028:
		return `\L`
	case 0x2029:
		return `\P`
	}
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}

// escaped reports whether a character is escaped between double quotes.
func escaped(r rune) bool {
	if r == '"' || r == '\\' || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
		return true
	}
	printable := r >= 0x20 && r <= 0x7e || r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd
	return !printable
}

func (e *emitter) double(text []rune, in int, fold bool) {
	e.write(`"`)
	start := 0
	for end := 0; end <= len(text); end++ {
		if end == len(text) || escaped(text[end]) {
			e.write(string(text[start:end]))
			start = end
			if end < len(text) {
				e.write(escape(text[end]))
				start = end + 1
			}
		}
		if end == 0 || end >= len(text)-1 || !fold || text[end] != ' ' && start < end || e.column+max(end-start, 0) <= width {
			continue
		}
		if start < end {
			e.write(string(text[start:end]))
			start = end
		}
		e.write(`\`)
		e.indent(in)
		if text[start] == ' ' {
			e.write(`\`)
		}
	}
	e.write(`"`)
}
