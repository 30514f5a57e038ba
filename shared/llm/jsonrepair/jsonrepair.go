// Package jsonrepair reads JSON the way language models write it: inside code
// fences or prose, with single quotes, comments, trailing commas, Python's
// words for true, false and null, or cut off before the end.
//
// Text that is strict JSON gives exactly what it says. It is not a general
// parser of other notations, and it never guesses a document out of text that
// has no object or array in it.
package jsonrepair

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// ErrNoJSON is returned for text without an object or array.
var ErrNoJSON = errors.New("no JSON object or array in the text")

const maxDepth = 200

// Parse returns the document in text, in the forms of package value.
func Parse(text string) (any, error) {
	if v, err := value.Decode([]byte(strings.TrimSpace(text))); err == nil {
		return v, nil
	}
	start := strings.IndexAny(text, "{[")
	if start < 0 {
		return nil, ErrNoJSON
	}
	p := &parser{s: text[start:]}
	v, ok := p.value(0)
	if !ok {
		return nil, ErrNoJSON
	}
	return v, nil
}

// parser reads as much as it can; a missing end is taken as given.
type parser struct {
	s string
	i int
}

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// blank skips white space and comments.
func (p *parser) blank() {
	for p.i < len(p.s) {
		rest := p.s[p.i:]
		switch {
		case strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "#"):
			p.until("\n")
		case strings.HasPrefix(rest, "/*"):
			p.until("*/")
		default:
			r, size := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) {
				return
			}
			p.i += size
		}
	}
}

func (p *parser) until(end string) {
	if n := strings.Index(p.s[p.i:], end); n >= 0 {
		p.i += n + len(end)
		return
	}
	p.i = len(p.s)
}

func (p *parser) value(depth int) (any, bool) {
	p.blank()
	if depth > maxDepth {
		return nil, false
	}
	switch c := p.peek(); c {
	case 0:
		return nil, false
	case '{':
		return p.object(depth), true
	case '[':
		return p.array(depth), true
	case '"', '\'', '`':
		return p.quoted(c), true
	}
	return p.bare(",]}\n")
}

func (p *parser) object(depth int) *value.Object {
	p.i++
	out := value.NewObject(4)
	for {
		p.blank()
		switch p.peek() {
		case 0:
			return out
		case '}':
			p.i++
			return out
		case ',', ':', ']':
			p.i++
			continue
		}
		key := p.key()
		p.blank()
		if p.peek() != ':' {
			if key == "" {
				p.i++
			}
			continue // a key without a value
		}
		p.i++
		v, ok := p.member(depth)
		if !ok && p.peek() == 0 {
			return out
		}
		out.Set(key, v)
	}
}

// member reads a value that may be missing.
func (p *parser) member(depth int) (any, bool) {
	p.blank()
	if c := p.peek(); c == ',' || c == '}' {
		return nil, true
	}
	return p.value(depth + 1)
}

func (p *parser) key() string {
	if c := p.peek(); c == '"' || c == '\'' || c == '`' {
		return p.quoted(c)
	}
	start := p.i
	for p.i < len(p.s) && !strings.ContainsRune(":,}{]\n", rune(p.s[p.i])) {
		p.i++
	}
	return strings.TrimSpace(p.s[start:p.i])
}

func (p *parser) array(depth int) []any {
	p.i++
	out := []any{}
	for {
		p.blank()
		switch p.peek() {
		case 0:
			return out
		case ']':
			p.i++
			return out
		case '}':
			return out // the bracket is missing: the object around ends here
		case ',':
			p.i++
			continue
		}
		before := p.i
		v, ok := p.value(depth + 1)
		if !ok || p.i == before {
			return out
		}
		out = append(out, v)
	}
}

// quoted reads a text. A quote that is not followed by what may come after a
// text is taken as part of it.
func (p *parser) quoted(quote byte) string {
	p.i++
	var b strings.Builder
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '\\' && p.i+1 < len(p.s):
			p.escape(&b)
		case c == quote && p.closes():
			p.i++
			return b.String()
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	return strings.TrimRightFunc(b.String(), unicode.IsSpace)
}

func (p *parser) closes() bool {
	rest := strings.TrimLeftFunc(p.s[p.i+1:], unicode.IsSpace)
	return rest == "" || strings.ContainsRune(",:}]/#`", rune(rest[0])) || strings.HasPrefix(p.s[p.i+1:], "\n")
}

func (p *parser) escape(b *strings.Builder) {
	// Let the strict decoder read what it knows, surrogate pairs included.
	for _, n := range []int{12, 6, 2} {
		if p.i+n > len(p.s) {
			continue
		}
		piece := p.s[p.i : p.i+n]
		if n == 12 && !strings.HasPrefix(piece[6:], `\u`) {
			continue
		}
		if v, err := value.Decode([]byte(`"` + piece + `"`)); err == nil && (n == 2 || piece[1] == 'u') {
			b.WriteString(v.(string))
			p.i += n
			return
		}
	}
	b.WriteByte(p.s[p.i+1]) // \' and the like
	p.i += 2
}

// bare reads an unquoted word: a number, a constant, or text.
func (p *parser) bare(ends string) (any, bool) {
	start := p.i
	for p.i < len(p.s) && !strings.ContainsRune(ends, rune(p.s[p.i])) {
		if rest := p.s[p.i:]; p.i > start && (strings.HasPrefix(rest, "/*") || strings.HasPrefix(rest, " //")) {
			break
		}
		p.i++
	}
	word := strings.TrimSpace(p.s[start:p.i])
	switch strings.ToLower(word) {
	case "":
		return nil, false
	case "true":
		return true, true
	case "false":
		return false, true
	case "null", "none", "nan", "undefined":
		return nil, true
	}
	if v, err := value.Decode([]byte(word)); err == nil {
		return v, true
	}
	return word, true
}
