package mockecho

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// The patterns that multipart bodies are taken apart with, as the recorded
// server does it; they are compiled once and never change.
var (
	reBoundary = regexp.MustCompile(`boundary="?([^";]+)`)
	reName     = regexp.MustCompile(`name="([^"]*)"`)
	reFilename = regexp.MustCompile(`filename="([^"]*)"`)
	rePartType = regexp.MustCompile(`(?i)content-type:\s*([^\r\n]+)`)
)

// echo describes a request.
func echo(r *request) map[string]any {
	headers := map[string]any{}
	for name, values := range r.Header {
		k := strings.ToLower(name)
		switch k {
		case "x-forwarded-for", "x-real-ip", "x-request-id", "x-trace-id":
			continue
		case "content-type":
			headers[k], _, _ = strings.Cut(values[len(values)-1], ";")
		case "authorization", "accept-language", "cookie":
			headers[k] = values[len(values)-1]
		default:
			if strings.HasPrefix(k, "x-") {
				headers[k] = values[len(values)-1]
			}
		}
	}
	out := map[string]any{"method": r.Method, "path": r.path, "query": pairs(r.query), "headers": headers}
	key, body := parseBody(r)
	out[key] = body
	return out
}

func parseBody(r *request) (string, any) {
	kind := r.Header.Get("Content-Type")
	switch {
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"):
		form := pairs(string(r.raw))
		slices.SortStableFunc(form, func(a, b any) int {
			x, y := a.([]any), b.([]any)
			return strings.Compare(x[0].(string)+"\x00"+x[1].(string), y[0].(string)+"\x00"+y[1].(string))
		})
		return "form", form
	case strings.HasPrefix(kind, "multipart/form-data"):
		return "multipart", multipartFields(kind, r.raw)
	case strings.HasPrefix(kind, "application/json"):
		if v, ok := sortedJSON(r.raw); ok {
			return "json", v
		}
	}
	if utf8.Valid(r.raw) {
		return "text", string(r.raw)
	}
	return "bytes", len(r.raw)
}

// sortedJSON decodes into plain maps, whose keys value.From sorts.
func sortedJSON(data []byte) (any, bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		return nil, false
	}
	return v, true
}

// pairs reads a query string in its order, blanks kept.
func pairs(query string) []any {
	out := []any{}
	for _, item := range strings.Split(query, "&") {
		if item == "" {
			continue
		}
		k, v, _ := strings.Cut(item, "=")
		out = append(out, []any{unescape(k), unescape(v)})
	}
	return out
}

func unescape(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	return strings.ReplaceAll(s, "+", " ")
}

func multipartFields(kind string, raw []byte) []any {
	fields := []any{}
	m := reBoundary.FindStringSubmatch(kind)
	if m == nil {
		return fields
	}
	parts := bytes.Split(raw, []byte("--"+m[1]))
	if len(parts) < 2 {
		return fields
	}
	for _, part := range parts[1 : len(parts)-1] {
		head, data, _ := bytes.Cut(bytes.Trim(part, "\r\n"), []byte("\r\n\r\n"))
		field := map[string]any{"name": nil}
		if name := reName.FindSubmatch(head); name != nil {
			field["name"] = string(name[1])
		}
		if filename := reFilename.FindSubmatch(head); filename != nil {
			field["filename"], field["type"], field["size"] = string(filename[1]), nil, len(data)
			if t := rePartType.FindSubmatch(head); t != nil {
				field["type"] = string(t[1])
			}
		} else {
			field["value"] = strings.ToValidUTF8(string(data), "\uFFFD")
		}
		fields = append(fields, field)
	}
	return fields
}

// knowledge plays an external knowledge base: its first record tells what was
// asked.
func knowledge(w http.ResponseWriter, r *request) {
	if _, suffix, ok := strings.Cut(r.parts[0], "-"); ok {
		status, err := strconv.Atoi(suffix)
		if err != nil || status < 200 || status > 599 {
			status = http.StatusBadRequest
		}
		writeJSON(w, status, map[string]any{"error_msg": "no knowledge today"})
		return
	}
	decoded, _ := sortedJSON(r.raw)
	asked, ok := decoded.(map[string]any)
	if !ok {
		asked = map[string]any{}
	}
	id := value.Str(value.From(asked["knowledge_id"]))
	if id == "fail" {
		writeJSON(w, http.StatusInternalServerError, map[string]any{"error_msg": "no knowledge today"})
		return
	}
	asked["authorization"] = nil
	if auth := r.Header.Get("Authorization"); auth != "" {
		asked["authorization"] = auth
	}
	writeJSON(w, http.StatusOK, map[string]any{"records": records(id, asked)})
}

func records(id string, asked map[string]any) []any {
	switch id {
	case "empty":
		return []any{}
	case "odd":
		return []any{map[string]any{"content": "no score", "title": "odd"}}
	}
	all := []map[string]any{
		{"content": value.JSONASCII(value.From(asked)), "score": 0.98, "title": "request", "metadata": map[string]any{"path": "a/b.txt", "n": 1}},
		{"content": "Second record of " + id, "score": 0.5, "title": "second", "metadata": map[string]any{"path": "c.txt"}},
		{"content": "Third record", "score": 0.2, "title": "third", "metadata": map[string]any{}},
	}
	setting, _ := asked["retrieval_setting"].(map[string]any)
	threshold, topK := 0.0, 3
	if n, ok := setting["score_threshold"].(json.Number); ok {
		threshold, _ = n.Float64()
	}
	if n, ok := setting["top_k"].(json.Number); ok {
		if k, err := n.Float64(); err == nil && k >= 1 {
			topK = int(k)
		}
	}
	out := []any{}
	for _, rec := range all {
		if rec["score"].(float64) >= threshold && len(out) < topK {
			out = append(out, rec)
		}
	}
	return out
}
