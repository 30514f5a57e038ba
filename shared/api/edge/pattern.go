package edge

import (
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/ids"
)

type kind uint8

const (
	literal kind = iota
	uuid
	text
	tail // one or more segments
)

type segment struct {
	kind           kind
	name           string // the literal, or the parameter
	prefix, suffix string // around a parameter inside one segment
	inner          string // second parameter of a segment such as {file_id}.{extension}
}

type pattern []segment

// compile parses a path such as /apps/{app_id:uuid}/x. A parameter is {name},
// {name:uuid} or {name:path}; the last takes several segments.
func compile(path string) pattern {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	out := make(pattern, 0, len(parts))
	for _, p := range parts {
		out = append(out, compileSegment(p))
	}
	return out
}

func compileSegment(p string) segment {
	open := strings.IndexByte(p, '{')
	end := strings.IndexByte(p, '}')
	if open < 0 || end < open {
		return segment{kind: literal, name: p}
	}
	name, converter, _ := strings.Cut(p[open+1:end], ":")
	s := segment{kind: text, name: name, prefix: p[:open], suffix: p[end+1:]}
	switch converter {
	case "uuid":
		s.kind = uuid
	case "path":
		s.kind = tail
	}
	if mid, rest, ok := strings.Cut(s.suffix, "{"); ok && strings.HasSuffix(rest, "}") {
		s.suffix, s.inner = mid, strings.TrimSuffix(rest, "}")
	}
	return s
}

type param struct{ name, value string }

// match reports whether the path's segments fit and what the parameters are.
func (p pattern) match(parts []string, found []param) ([]param, bool) {
	if len(p) == 0 {
		return found, len(parts) == 0
	}
	if len(parts) < len(p) {
		return nil, false
	}
	s := p[0]
	if s.kind == tail {
		// The longest match wins; what follows must still fit.
		for n := len(parts) - len(p) + 1; n >= 1; n-- {
			value := strings.Join(parts[:n], "/")
			if got, ok := p[1:].match(parts[n:], append(found, param{s.name, value})); ok {
				return got, true
			}
		}
		return nil, false
	}
	found, ok := s.match(parts[0], found)
	if !ok {
		return nil, false
	}
	return p[1:].match(parts[1:], found)
}

func (s segment) match(part string, found []param) ([]param, bool) {
	if s.kind == literal {
		return found, part == s.name
	}
	if len(part) <= len(s.prefix) || !strings.HasPrefix(part, s.prefix) {
		return nil, false
	}
	value := part[len(s.prefix):]
	if s.inner != "" {
		first, second, ok := strings.Cut(value, s.suffix)
		if !ok || first == "" || second == "" {
			return nil, false
		}
		return append(found, param{s.name, first}, param{s.inner, second}), true
	}
	value, ok := strings.CutSuffix(value, s.suffix)
	if !ok || value == "" || s.kind == uuid && !ids.Valid(value) {
		return nil, false
	}
	return append(found, param{s.name, value}), true
}

// loose is the pattern with any text where it asks for a uuid.
func (p pattern) loose() pattern {
	out := make(pattern, len(p))
	copy(out, p)
	for i := range out {
		if out[i].kind == uuid {
			out[i].kind = text
		}
	}
	return out
}

// less orders patterns: literals before uuids before texts before tails, from
// the left, so that the most specific pattern is tried first.
func (p pattern) less(q pattern) int {
	for i := range min(len(p), len(q)) {
		if d := int(p[i].kind) - int(q[i].kind); d != 0 {
			return d
		}
	}
	return len(q) - len(p)
}

func split(r *http.Request) []string {
	return strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
}
