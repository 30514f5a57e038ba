package pdf

import (
	"bytes"
	"strconv"
)

// The kinds of objects: nil, bool, int64, float64, text, name, array, dict,
// *stream, ref; keyword stands for every other word.
type (
	name    string
	text    string
	keyword string
	array   []any
	dict    map[name]any
	ref     struct{ num, gen int }
	stream  struct {
		dict
		raw []byte
		id  ref // of the object that it is, for its key
	}
)

// maxNesting bounds how deeply objects, forms and page trees may be nested.
const maxNesting = 64

// endOfData is what a lexer returns behind the last token.
const endOfData keyword = "\x00"

type lexer struct {
	data []byte
	pos  int
	// left is how many more elements arrays and dictionaries may have: in
	// memory they are many times as large as in the file. nil means maxElements.
	left *int
}

// maxElements bounds the elements of what one lexer reads.
const maxElements = 1 << 20

// spend counts an element; false means that there may be no more, after which
// the lexer is at the end.
func (l *lexer) spend() bool {
	if l.left == nil {
		n := maxElements
		l.left = &n
	}
	if *l.left--; *l.left < 0 {
		l.pos = len(l.data)
		return false
	}
	return true
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func (l *lexer) skipSpace() {
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		if c == '%' {
			for l.pos < len(l.data) && l.data[l.pos] != '\n' && l.data[l.pos] != '\r' {
				l.pos++
			}
		} else if !isSpace(c) {
			return
		} else {
			l.pos++
		}
	}
}

// token returns the next number, string, name or keyword; brackets are keywords.
func (l *lexer) token() any {
	l.skipSpace()
	if l.pos >= len(l.data) {
		return endOfData
	}
	c := l.data[l.pos]
	two := l.pos+1 < len(l.data) && l.data[l.pos+1] == c
	switch {
	case c == '/':
		l.pos++
		return l.name()
	case c == '(':
		l.pos++
		return l.literal()
	case (c == '<' || c == '>') && two:
		l.pos += 2
		return keyword([]byte{c, c})
	case c == '<':
		l.pos++
		return l.hex()
	case isDelimiter(c):
		l.pos++
		return keyword([]byte{c})
	}
	start := l.pos
	for l.pos < len(l.data) && !isSpace(l.data[l.pos]) && !isDelimiter(l.data[l.pos]) {
		l.pos++
	}
	word := l.data[start:l.pos]
	if c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.' {
		if n, ok := number(word); ok {
			return n
		}
	}
	return keyword(word)
}

// number reads a number as lenient readers do: 12, -.5, 4., --5, 1.2-3.
func number(word []byte) (any, bool) {
	for len(word) > 1 && word[0] == '-' && word[1] == '-' {
		word = word[1:]
	}
	if at := bytes.LastIndexByte(word, '-'); at > 0 {
		word = word[:at]
	}
	if n, err := strconv.ParseInt(string(word), 10, 64); err == nil {
		return n, true
	}
	if len(word) > 40 || bytes.ContainsAny(word, "eExXpPiInN_") {
		return nil, false
	}
	n, err := strconv.ParseFloat(string(word), 64)
	return n, err == nil
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (l *lexer) name() name {
	var out []byte
	for l.pos < len(l.data) && !isSpace(l.data[l.pos]) && !isDelimiter(l.data[l.pos]) {
		c := l.data[l.pos]
		if c == '#' && l.pos+2 < len(l.data) {
			if hi, lo := hexValue(l.data[l.pos+1]), hexValue(l.data[l.pos+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				l.pos += 2
			}
		}
		out = append(out, c)
		l.pos++
	}
	return name(out)
}

func (l *lexer) hex() text {
	var out []byte
	high := -1
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		l.pos++
		if c == '>' {
			break
		}
		v := hexValue(c)
		switch {
		case v < 0:
		case high < 0:
			high = v
		default:
			out = append(out, byte(high<<4|v))
			high = -1
		}
	}
	if high >= 0 {
		out = append(out, byte(high<<4))
	}
	return text(out)
}

func (l *lexer) literal() text {
	var out []byte
	depth := 1
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		l.pos++
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text(out)
			}
		case '\\':
			out = l.escape(out)
			continue
		case '\r':
			if l.pos < len(l.data) && l.data[l.pos] == '\n' {
				l.pos++
			}
			c = '\n'
		}
		out = append(out, c)
	}
	return text(out)
}

func (l *lexer) escape(out []byte) []byte {
	if l.pos >= len(l.data) {
		return out
	}
	c := l.data[l.pos]
	l.pos++
	switch c {
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case '\r':
		if l.pos < len(l.data) && l.data[l.pos] == '\n' {
			l.pos++
		}
		return out
	case '\n':
		return out
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := int(c - '0')
		for i := 0; i < 2 && l.pos < len(l.data) && l.data[l.pos] >= '0' && l.data[l.pos] <= '7'; i++ {
			n = n*8 + int(l.data[l.pos]-'0')
			l.pos++
		}
		c = byte(n)
	}
	return append(out, c)
}

// object reads a whole object; references are "12 0 R". A keyword comes back
// as it is.
func (l *lexer) object(depth int) any {
	t := l.token()
	switch t := t.(type) {
	case int64:
		start := l.pos
		if gen, ok := l.token().(int64); ok && gen >= 0 && t >= 0 {
			if l.token() == keyword("R") {
				return ref{int(t), int(gen)}
			}
		}
		l.pos = start
		return t
	case keyword:
		switch t {
		case "true":
			return true
		case "false":
			return false
		case "null":
			return nil
		case "[":
			return l.array(depth)
		case "<<":
			return l.dict(depth)
		}
	}
	return t
}

func (l *lexer) array(depth int) any {
	out := array{}
	for depth < maxNesting && l.spend() {
		v := l.object(depth + 1)
		if k, ok := v.(keyword); ok {
			if k == "]" || k == endOfData {
				return out
			}
			continue
		}
		out = append(out, v)
	}
	l.pos = len(l.data) // nothing behind can be trusted
	return out
}

func (l *lexer) dict(depth int) any {
	out := dict{}
	for depth < maxNesting && l.spend() {
		switch key := l.token().(type) {
		case keyword:
			if key == ">>" || key == endOfData {
				return out
			}
		case name:
			start := l.pos
			v := l.object(depth + 1)
			if k, ok := v.(keyword); ok {
				if k == ">>" || k == endOfData {
					l.pos = start
				}
				continue
			}
			out[key] = v
		}
	}
	l.pos = len(l.data)
	return out
}
