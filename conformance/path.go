package conformance

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

// rePath takes a path such as $.a.b[0], $.list[-1] or $.list[?key=value][0]
// apart; it is compiled once and never changes.
var rePath = regexp.MustCompile(`\.?([^.\[\]]+)|\[(-?\d+)\]|\[\?([^=\]]+)=([^\]]*)\]|\[(\*)\]`)

// pathToken is one step of a path; exactly one of its parts is used.
type pathToken struct {
	key         string
	index       *int
	find, equal string // [?find=equal]
}

func pathTokens(path string) []pathToken {
	path = strings.TrimPrefix(strings.TrimSpace(path), "$")
	var out []pathToken
	for _, m := range rePath.FindAllStringSubmatch(path, -1) {
		switch {
		case m[1] != "":
			out = append(out, pathToken{key: m[1]})
		case m[2] != "":
			n, _ := strconv.Atoi(m[2]) // the pattern lets only numbers through
			out = append(out, pathToken{index: &n})
		case m[3] != "":
			out = append(out, pathToken{find: m[3], equal: m[4]})
		}
	}
	return out
}

// dig follows a path into a value.
func dig(v any, path string) (any, bool) {
	tokens := pathTokens(path)
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		switch {
		case t.key != "":
			o, ok := v.(*value.Object)
			if !ok {
				return nil, false
			}
			if v, ok = o.Get(t.key); !ok {
				return nil, false
			}
		case t.index != nil:
			list, ok := v.([]any)
			if !ok {
				return nil, false
			}
			if v, ok = at(list, *t.index); !ok {
				return nil, false
			}
		default:
			list, ok := v.([]any)
			if !ok {
				return nil, false
			}
			var hits []any
			for _, x := range list {
				if got, _ := dig(x, t.find); value.Str(got) == t.equal {
					hits = append(hits, x)
				}
			}
			which := 0
			if i+1 < len(tokens) && tokens[i+1].index != nil {
				i++
				which = *tokens[i].index
			}
			if v, ok = at(hits, which); !ok {
				return nil, false
			}
		}
	}
	return v, true
}

func at(list []any, i int) (any, bool) {
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// mustDig is dig for values that a case needs to go on.
func mustDig(v any, path string) (any, error) {
	got, ok := dig(v, path)
	if !ok {
		return nil, fmt.Errorf("path %s not found in %s", path, shorten(value.JSON(v), 600))
	}
	return got, nil
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "..."
	}
	return s
}
