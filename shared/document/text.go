package document

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/workflow/value"
)

// sample is how much of a text the detection of its encoding looks at.
const sample = 64 << 10

// sure is the confidence from which a text counts as UTF-8 with mistakes.
const sure = 80

// decode returns data as text: UTF-8 where it is valid, otherwise in the
// encoding that it most probably has.
func decode(data []byte) string {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		data = rest
	}
	if text, ok := decodeUTF16(data); ok {
		return text
	}
	if utf8.Valid(data) {
		return string(data)
	}
	guesses, err := chardet.NewTextDetector().DetectAll(data[:min(len(data), sample)])
	if err != nil {
		guesses = nil // nothing comes near
	}
	for _, g := range guesses {
		damaged := g.Charset == "UTF-8" && g.Confidence >= sure
		if text, ok := decodeAs(data, g.Charset); ok && (damaged || !strings.ContainsRune(text, utf8.RuneError)) {
			return text
		}
	}
	text, _ := decodeAs(data, "windows-1252") // every byte is a character there
	return text
}

// decodeUTF16 decodes UTF-16 that does not say so at its start. Only it has
// bytes that are control characters of every other encoding.
func decodeUTF16(data []byte) (string, bool) {
	head := data[:min(len(data), sample)&^1]
	if len(data)%2 != 0 || len(head) == 0 || bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) ||
		!bytes.ContainsFunc(head, func(r rune) bool { return r < 7 }) {
		return "", false
	}
	if utf8.Valid(data) && bytes.Count(head, []byte{0})*4 < len(head) { // stray NULs
		return "", false
	}
	best, share := "", 0.9
	for _, charset := range []string{"utf-16le", "utf-16be"} {
		text, ok := decodeAs(head, charset)
		if !ok {
			continue
		}
		known, all := 0, 0
		for _, r := range text {
			// Bytes in the wrong order make characters of rare scripts, private
			// ones and such that nothing has.
			if r < 0x3100 && (unicode.IsGraphic(r) || unicode.IsSpace(r)) && r != utf8.RuneError || unicode.In(r, unicode.Han, unicode.Hangul) && r > 0x3400 ||
				r >= 0xff00 && r < 0xfff0 || r >= 0x1f300 && r < 0x20000 {
				known++
			}
			all++
		}
		spaces := strings.Count(text, " ") + strings.Count(text, "\n") + strings.Count(text, "。") + strings.Count(text, "、")
		if s := float64(known+spaces) / float64(all); s > share {
			best, share = charset, s
		}
	}
	if best == "" {
		return "", false
	}
	return decodeAs(data, best)
}

// decodeAs decodes from a named encoding.
func decodeAs(data []byte, charset string) (string, bool) {
	name := strings.ToLower(strings.TrimSpace(charset))
	switch name {
	case "", "utf-8", "us-ascii", "ascii":
		return strings.ToValidUTF8(string(data), "\uFFFD"), true
	case "gb-18030":
		name = "gb18030"
	}
	enc, err := htmlindex.Get(name)
	if err != nil {
		return "", false
	}
	out, err := enc.NewDecoder().Bytes(data)
	return strings.TrimPrefix(string(out), "\uFEFF"), err == nil
}

func readJSON(data []byte) (string, error) {
	v, err := value.Decode([]byte(decode(data)))
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return "", errors.New("the file is no valid JSON")
		}
		return "", err
	}
	return value.JSONIndent(v), nil
}

// readYAML writes every document of the file anew in the contract's layout,
// keys in the order of the file.
func readYAML(data []byte, most int64) (string, error) {
	dec := yaml.NewDecoder(strings.NewReader(decode(data)))
	var b strings.Builder
	for first := true; ; first = false {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", errors.New("the file is no valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: "))
		}
		v, err := yamlValue(&doc)
		if err != nil {
			return "", err
		}
		if !first {
			b.WriteString("---\n")
		}
		if err := writeYAML(&b, v, ""); err != nil {
			return "", err
		}
		if int64(b.Len()) > most {
			return "", errTooLarge
		}
	}
}

// yamlValue reads a document with the rules of package dsl, which takes
// mappings only: the document becomes the value of one.
func yamlValue(doc *yaml.Node) (any, error) {
	if len(doc.Content) == 0 {
		return nil, nil
	}
	wrapped, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Tag: "!!str", Value: "document"}, doc.Content[0],
	}})
	if err != nil {
		return nil, err
	}
	o, err := dsl.Parse(string(wrapped))
	if err != nil {
		return nil, err
	}
	return o.Value("document"), nil
}

// writeYAML writes v in block style. Package dsl writes the scalars; it sorts
// keys, so the containers are written here.
func writeYAML(b *strings.Builder, v any, indent string) error {
	line := func(v any, cut string) error {
		text, err := dsl.Dump(v)
		if err != nil {
			return err
		}
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), cut)
		b.WriteString(strings.ReplaceAll(text, "\n", "\n"+indent))
		b.WriteByte('\n')
		return nil
	}
	switch v := v.(type) {
	case *value.Object:
		if v.Len() == 0 {
			return line(v, "")
		}
		first := true
		for k, item := range v.All() {
			if !first {
				b.WriteString(indent)
			}
			first = false
			if !hasItems(item) {
				if err := line(value.Obj(k, item), ""); err != nil {
					return err
				}
				continue
			}
			if err := line(value.Obj(k, nil), " null"); err != nil {
				return err
			}
			inner := indent
			if _, ok := item.(*value.Object); ok {
				inner += "  "
			}
			b.WriteString(inner)
			if err := writeYAML(b, item, inner); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if len(v) == 0 {
			return line(v, "")
		}
		for i, item := range v {
			if i > 0 {
				b.WriteString(indent)
			}
			if !hasItems(item) {
				if err := line([]any{item}, ""); err != nil {
					return err
				}
				continue
			}
			b.WriteString("- ")
			if err := writeYAML(b, item, indent+"  "); err != nil {
				return err
			}
		}
		return nil
	}
	return line(v, "")
}

func hasItems(v any) bool {
	switch v := v.(type) {
	case *value.Object:
		return v.Len() > 0
	case []any:
		return len(v) > 0
	}
	return false
}

// readProperties writes every entry as "key: value"; comments and blank lines
// stay.
func readProperties(data []byte) string {
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(decode(data), "\r\n", "\n"), "\n"), "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line[0] != '!' {
			at := strings.IndexByte(line, '=')
			if at < 0 {
				at = strings.IndexByte(line, ':')
			}
			key, val := line, ""
			if at >= 0 {
				key, val = line[:at], line[at+1:]
			}
			line = strings.TrimSpace(key) + ": " + strings.TrimSpace(val)
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

func readCSV(data []byte) (string, error) {
	r := csv.NewReader(strings.NewReader(decode(data)))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	var b strings.Builder
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		for i, cell := range row {
			row[i] = strings.ReplaceAll(strings.ReplaceAll(cell, "\r", ""), "\n", " ")
		}
		writeRow(&b, row)
		if first {
			writeRow(&b, dashes(row))
		}
	}
}

// writeRow writes a row of a Markdown table.
func writeRow(b *strings.Builder, cells []string) {
	b.WriteString("| ")
	b.WriteString(strings.Join(cells, " | "))
	b.WriteString(" |\n")
}

// dashes underlines a table's head, each column as wide as its name.
func dashes(head []string) []string {
	out := make([]string, len(head))
	for i, cell := range head {
		out[i] = strings.Repeat("-", utf8.RuneCountInString(cell))
	}
	return out
}
