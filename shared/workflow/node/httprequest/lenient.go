package httprequest

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// lenientJSON reads what people write for JSON: templates leave raw line
// breaks in texts, single quotes, missing quotes, commas and brackets, Python
// words, comments, fences. Strict JSON is read strictly. ok is false when
// there is nothing that could be a value.
func lenientJSON(s string) (v any, ok bool) {
	if v, err := value.Decode([]byte(s)); err == nil {
		return v, true
	}
	p := &lenient{s: strings.TrimSpace(s)}
	if rest, found := strings.CutPrefix(p.s, "```"); found {
		rest = strings.TrimPrefix(rest, "json")
		p.s = strings.TrimSuffix(strings.TrimSpace(rest), "```")
	}
	p.space()
	if p.end() {
		return nil, false
	}
	return p.value(0), true
}

// lenientDepth bounds nesting; what is deeper reads as text.
const lenientDepth = 200

type lenient struct {
	s string
	i int
}

func (p *lenient) end() bool { return p.i >= len(p.s) }

func (p *lenient) peek() byte {
	if p.end() {
		return 0
	}
	return p.s[p.i]
}

// space skips white space and comments.
func (p *lenient) space() {
	for !p.end() {
		rest := p.s[p.i:]
		switch {
		case strings.ContainsRune(" \t\r\n\f\v", rune(rest[0])):
			p.i++
		case strings.HasPrefix(rest, "//") || rest[0] == '#':
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			p.i += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest, "*/")
			if n < 0 {
				n = len(rest) - 2
			}
			p.i += n + 2
		default:
			return
		}
	}
}

func (p *lenient) value(depth int) any {
	p.space()
	switch c := p.peek(); {
	case depth > lenientDepth:
		return p.bare("")
	case c == '{':
		p.i++
		return p.object(depth)
	case c == '[':
		p.i++
		return p.array(depth)
	case c == '"' || c == '\'':
		p.i++
		return p.quoted(c)
	default:
		return word(p.bare(",]}"))
	}
}

func (p *lenient) object(depth int) any {
	o := value.NewObject(4)
	for {
		p.space()
		switch c := p.peek(); {
		case p.end() || c == ']':
			return o
		case c == '}':
			p.i++
			return o
		case c == ',' || c == ':':
			p.i++
			continue
		}
		var key string
		if c := p.peek(); c == '"' || c == '\'' {
			p.i++
			key = p.quoted(c)
		} else if key = p.bare(":,}]"); key == "" {
			p.i++
			continue
		}
		p.space()
		if p.peek() != ':' {
			o.Set(key, nil)
			continue
		}
		p.i++
		p.space()
		if c := p.peek(); p.end() || c == ',' || c == '}' {
			o.Set(key, "")
			continue
		}
		o.Set(key, p.value(depth+1))
	}
}

func (p *lenient) array(depth int) any {
	list := []any{}
	for {
		p.space()
		switch c := p.peek(); {
		case p.end() || c == '}':
			return list
		case c == ']':
			p.i++
			return list
		case c == ',' || c == ':':
			p.i++
		default:
			before := p.i
			list = append(list, p.value(depth+1))
			if p.i == before {
				p.i++
			}
		}
	}
}

// quoted reads a text after its opening quote. A quote ends the text only when
// what follows can follow a text, so that quotes inside texts survive.
func (p *lenient) quoted(quote byte) string {
	var b strings.Builder
	for !p.end() {
		c := p.s[p.i]
		switch {
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			p.escape(&b)
		case c == quote && p.closes():
			p.i++
			return b.String()
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	return strings.TrimRight(b.String(), "}] \n")
}

func (p *lenient) closes() bool {
	rest := strings.TrimLeft(p.s[p.i+1:], " \t\r\n")
	return rest == "" || strings.ContainsRune(",:}]", rune(rest[0])) || strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "/*")
}

func (p *lenient) escape(b *strings.Builder) {
	c := p.s[p.i]
	p.i++
	switch c {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'u':
		if decoded, err := value.Decode([]byte(`"\u` + cut(p.s[p.i:], 4) + `"`)); err == nil {
			p.i += 4
			b.WriteString(decoded.(string))
			return
		}
		b.WriteString(`\u`)
	default:
		b.WriteByte(c)
	}
}

func cut(s string, n int) string {
	if len(s) < n {
		return s
	}
	return s[:n]
}

// bare reads up to one of stops or a line break.
func (p *lenient) bare(stops string) string {
	start := p.i
	for !p.end() && p.peek() != '\n' && !strings.ContainsRune(stops, rune(p.peek())) {
		_, size := utf8.DecodeRuneInString(p.s[p.i:])
		p.i += size
	}
	return strings.TrimSpace(p.s[start:p.i])
}

// word gives bare words their meaning.
func word(s string) any {
	switch s {
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	case "null", "None", "NULL", "undefined", "":
		return nil
	}
	if strings.Trim(s, "+-0123456789.eE") == "" {
		if v, err := value.Decode([]byte(strings.TrimPrefix(s, "+"))); err == nil {
			return v
		}
	}
	return strings.Trim(s, `"'`)
}
