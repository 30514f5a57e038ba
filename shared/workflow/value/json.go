package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nesting when values are read or written.
const maxDepth = 512

// Decode reads one JSON document into a value. Integers become int64 (or
// *big.Int when they do not fit), all other numbers float64.
func Decode(data []byte) (any, error) {
	if !json.Valid(data) {
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, err // which says what is wrong
		}
		return nil, errors.New("the text is not JSON")
	}
	r := reader{data: data}
	return r.value(0)
}

// reader reads a document that is known to be valid.
type reader struct {
	data []byte
	at   int
}

// next skips white space and returns the byte behind it, which it leaves.
func (r *reader) next() byte {
	for {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
}

func (r *reader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("JSON is nested deeper than %d levels", maxDepth)
	}
	switch r.next() {
	case '{':
		return r.object(depth)
	case '[':
		return r.list(depth)
	case '"':
		return r.text()
	case 't':
		r.at += len("true")
		return true, nil
	case 'f':
		r.at += len("false")
		return false, nil
	case 'n':
		r.at += len("null")
		return nil, nil
	default:
		from := r.at
		for r.at < len(r.data) && strings.IndexByte("+-.0123456789eE", r.data[r.at]) >= 0 {
			r.at++
		}
		return Number(string(r.data[from:r.at])), nil
	}
}

func (r *reader) object(depth int) (any, error) {
	o := NewObject(4)
	for r.at++; r.next() != '}'; {
		if r.data[r.at] == ',' {
			r.at++
			r.next()
		}
		key, err := r.text()
		if err != nil {
			return nil, err
		}
		r.next()
		r.at++ // the colon
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o.Set(key, v)
	}
	r.at++
	return o, nil
}

func (r *reader) list(depth int) (any, error) {
	list := []any{}
	for r.at++; r.next() != ']'; {
		if r.data[r.at] == ',' {
			r.at++
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	r.at++
	return list, nil
}

// text reads the string that begins here.
func (r *reader) text() (string, error) {
	from := r.at
	plain := true
	for r.at++; r.data[r.at] != '"'; r.at++ {
		if r.data[r.at] == '\\' {
			plain = false
			r.at++
		}
	}
	r.at++
	if inner := r.data[from+1 : r.at-1]; plain && utf8.Valid(inner) {
		return string(inner), nil
	}
	var s string
	err := json.Unmarshal(r.data[from:r.at], &s)
	return s, err
}

// Number turns the text of a JSON number into int64, *big.Int or float64.
func Number(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		if n, ok := new(big.Int).SetString(s, 10); ok {
			return n
		}
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// From brings ordinary Go values (maps, slices, numbers, json.RawMessage) into
// the form of this package. Keys of plain maps are sorted. Types that it does
// not know go through their JSON form.
func From(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int64, float64, *big.Int, *File:
		return v
	case *Object:
		if v == nil {
			return nil
		}
		return v
	case int:
		return int64(v)
	case json.Number:
		return Number(v.String())
	case json.RawMessage:
		out, err := Decode(v)
		if err != nil {
			return string(v)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = From(x)
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = x
		}
		return out
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		o := NewObject(len(v))
		for _, k := range keys {
			o.Set(k, From(v[k]))
		}
		return o
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		out, err := Decode(raw)
		if err != nil {
			return string(raw)
		}
		return out
	}
}

// Encode writes v as compact JSON without ASCII or HTML escaping.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	err := writeJSON(&b, v, jsonStyle{item: ",", colon: ":"}, 0)
	return b.Bytes(), err
}

// WriteJSON appends what Encode returns to b.
func WriteJSON(b *bytes.Buffer, v any) error {
	return writeJSON(b, v, jsonStyle{item: ",", colon: ":"}, 0)
}

// WriteText appends s as a JSON string, as Encode writes strings.
func WriteText(b *bytes.Buffer, s string) { writeString(b, s, false) }

// jsonStyle are the separators of one way to write JSON.
type jsonStyle struct {
	item, colon string
	indent      string // for each level; "" writes one line
	ascii       bool   // escape everything outside ASCII
}

func writeJSON(b *bytes.Buffer, v any, st jsonStyle, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("value is nested deeper than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		writeString(b, v, st.ascii)
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case int:
		b.WriteString(strconv.Itoa(v))
	case float64:
		writeFloat(b, v)
	case *big.Int:
		b.WriteString(v.String())
	case *File:
		return writeJSON(b, v.Object(), st, depth)
	case []any:
		return writeSeq(b, '[', ']', len(v), st, depth, func(i int) error { return writeJSON(b, v[i], st, depth+1) })
	case *Object:
		if v == nil {
			b.WriteString("null")
			return nil
		}
		return writeSeq(b, '{', '}', len(v.keys), st, depth, func(i int) error {
			writeString(b, v.keys[i], st.ascii)
			b.WriteString(st.colon)
			return writeJSON(b, v.values[i], st, depth+1)
		})
	default:
		return writeJSON(b, From(v), st, depth+1)
	}
	return nil
}

func writeSeq(b *bytes.Buffer, open, end byte, n int, st jsonStyle, depth int, item func(int) error) error {
	b.WriteByte(open)
	for i := range n {
		if i > 0 {
			b.WriteString(st.item)
		}
		newline(b, st, depth+1)
		if err := item(i); err != nil {
			return err
		}
	}
	if n > 0 {
		newline(b, st, depth)
	}
	b.WriteByte(end)
	return nil
}

func newline(b *bytes.Buffer, st jsonStyle, depth int) {
	if st.indent != "" {
		b.WriteByte('\n')
		for range depth {
			b.WriteString(st.indent)
		}
	}
}

// writeFloat keeps a decimal point, so that a float stays a float when read back.
func writeFloat(b *bytes.Buffer, f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		b.WriteString("null")
		return
	}
	b.WriteString(FloatText(f))
}

// FloatText is the shortest text that reads back as f, in the notation that
// Python uses: 1.0, 0.1, 1e+16, 1e-05.
func FloatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

const hexDigits = "0123456789abcdef"

func writeString(b *bytes.Buffer, s string, ascii bool) {
	b.WriteByte('"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' && (c != 0x7f || !ascii) {
				i++
				continue
			}
			b.WriteString(s[start:i])
			switch c {
			case '"', '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case '\n':
				b.WriteString(`\n`)
			case '\r':
				b.WriteString(`\r`)
			case '\t':
				b.WriteString(`\t`)
			case '\b':
				b.WriteString(`\b`)
			case '\f':
				b.WriteString(`\f`)
			case 0x7f:
				b.WriteByte(c)
			default:
				b.WriteString(`\u00`)
				b.WriteByte(hexDigits[c>>4])
				b.WriteByte(hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b.WriteString(s[start:i])
			b.WriteString(`\ufffd`)
			i++
			start = i
			continue
		}
		if ascii {
			b.WriteString(s[start:i])
			writeEscapedRune(b, r)
			i += size
			start = i
			continue
		}
		i += size
	}
	b.WriteString(s[start:])
	b.WriteByte('"')
}

func writeEscapedRune(b *bytes.Buffer, r rune) {
	if r > 0xffff {
		r -= 0x10000
		writeUnit(b, 0xd800+(r>>10))
		writeUnit(b, 0xdc00+(r&0x3ff))
		return
	}
	writeUnit(b, r)
}

func writeUnit(b *bytes.Buffer, r rune) {
	b.WriteString(`\u`)
	for shift := 12; shift >= 0; shift -= 4 {
		b.WriteByte(hexDigits[(r>>shift)&15])
	}
}
