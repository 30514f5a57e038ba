package value

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
)

// Text renders v the way templates of prompts, requests and conditions do:
// strings as they are, numbers and booleans as Python writes them, objects and
// arrays of strings as JSON, other arrays as a Python list, files as nothing.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case *File:
		return ""
	case *Object:
		return JSON(v)
	case []any:
		if len(v) == 0 || isFiles(v) {
			return ""
		}
		if allStrings(v) {
			return JSON(v)
		}
		return Repr(v)
	default:
		return Repr(v)
	}
}

// Markdown renders v the way answers do: like Text, but objects indented,
// arrays as a list of lines and files as links.
func Markdown(v any) string {
	switch v := v.(type) {
	case *Object:
		return JSONIndent(v)
	case *File:
		return fileMarkdown(v)
	case []any:
		lines := make([]string, len(v))
		files := isFiles(v)
		for i, x := range v {
			if files {
				lines[i] = fileMarkdown(x.(*File))
			} else {
				lines[i] = "- " + Str(x)
			}
		}
		return strings.Join(lines, "\n")
	default:
		return Text(v)
	}
}

// Log renders v for a stored request: like Text, objects indented.
func Log(v any) string {
	if o, ok := v.(*Object); ok {
		return JSONIndent(o)
	}
	return Text(v)
}

// JSON writes v as one line of JSON with spaces after separators and without
// ASCII escaping, as Python's json.dumps(ensure_ascii=False) does.
func JSON(v any) string { return jsonText(v, jsonStyle{item: ", ", colon: ": "}) }

// JSONASCII is JSON with everything outside ASCII escaped.
func JSONASCII(v any) string { return jsonText(v, jsonStyle{item: ", ", colon: ": ", ascii: true}) }

// JSONIndent writes v as JSON indented by two spaces.
func JSONIndent(v any) string {
	return jsonText(v, jsonStyle{item: ",", colon: ": ", indent: "  "})
}

func jsonText(v any, st jsonStyle) string {
	var b bytes.Buffer
	if err := writeJSON(&b, v, st, 0); err != nil {
		return ""
	}
	return b.String()
}

// Str is Python's str(): strings as they are, everything else like Repr.
func Str(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return Repr(v)
}

// Repr is Python's repr() of the value.
func Repr(v any) string {
	var b strings.Builder
	writeRepr(&b, v, 0)
	return b.String()
}

func writeRepr(b *strings.Builder, v any, depth int) {
	if depth > maxDepth {
		b.WriteString("...")
		return
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case string:
		b.WriteString(quotePython(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case int:
		b.WriteString(strconv.Itoa(v))
	case float64:
		b.WriteString(FloatText(v))
	case *big.Int:
		b.WriteString(v.String())
	case []any:
		b.WriteByte('[')
		for i, x := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, x, depth+1)
		}
		b.WriteByte(']')
	case *Object:
		b.WriteByte('{')
		for i, k := range v.Keys() {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quotePython(k))
			b.WriteString(": ")
			writeRepr(b, v.values[i], depth+1)
		}
		b.WriteByte('}')
	case *File:
		writeRepr(b, v.Object(), depth+1)
	default:
		writeRepr(b, From(v), depth+1)
	}
}

func quotePython(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0xad:
			b.WriteString(`\x`)
			b.WriteByte(hexDigits[r>>4])
			b.WriteByte(hexDigits[r&15])
		case r != ' ' && !strconv.IsPrint(r):
			if r > 0xffff {
				b.WriteString(`\U` + pad(r, 8))
			} else {
				b.WriteString(`\u` + pad(r, 4))
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

func pad(r rune, width int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", width-len(s)) + s
}

func fileMarkdown(f *File) string {
	link := "[" + f.Filename + "](" + f.URL + ")"
	if f.Type == "image" {
		return "!" + link
	}
	return link
}

func allStrings(list []any) bool {
	for _, x := range list {
		if _, ok := x.(string); !ok {
			return false
		}
	}
	return true
}

func isFiles(list []any) bool {
	if len(list) == 0 {
		return false
	}
	for _, x := range list {
		if _, ok := x.(*File); !ok {
			return false
		}
	}
	return true
}
