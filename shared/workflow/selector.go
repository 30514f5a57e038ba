package workflow

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Node ids that stand for variables which belong to no node.
const (
	ScopeSystem       = "sys"
	ScopeEnvironment  = "env"
	ScopeConversation = "conversation"
)

// Selector names a variable: node id (or scope), name, then a path into it.
type Selector []string

// Key returns the first two parts, which identify the variable in a pool.
func (s Selector) Key() (node, name string, ok bool) {
	if len(s) < 2 {
		return "", "", false
	}
	return s[0], s[1], true
}

// SelectorFrom reads a selector from a DSL value; anything that is not a list
// of strings gives nil.
func SelectorFrom(v any) Selector {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	s := make(Selector, len(list))
	for i, x := range list {
		if s[i], ok = x.(string); !ok {
			return nil
		}
	}
	return s
}

// String joins the parts with dots.
func (s Selector) String() string { return strings.Join(s, ".") }

// placeholder is the contract's {{#node.name.path#}}.
var placeholder = regexp.MustCompile(`\{\{#([a-zA-Z0-9_]{1,50}(?:\.[a-zA-Z_][a-zA-Z0-9_]{0,29}){1,10})#\}\}`)

// Segment is a piece of a template: literal text, or a selector.
type Segment struct {
	Text     string
	Selector Selector
}

// ParseTemplate cuts a template into its segments. Neighbouring segments are
// never both text; an empty template has none.
func ParseTemplate(s string) []Segment {
	var out []Segment
	last := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		if m[0] > last {
			out = append(out, Segment{Text: s[last:m[0]]})
		}
		out = append(out, Segment{Selector: strings.Split(s[m[2]:m[3]], ".")})
		last = m[1]
	}
	if last < len(s) {
		out = append(out, Segment{Text: s[last:]})
	}
	return out
}

// Render fills the selectors of a template from the pool with the given text
// form. A selector that the pool does not have leaves its own text without
// braces, as the contract does.
func Render(segments []Segment, pool *Pool, text func(any) string) string {
	var b strings.Builder
	for _, seg := range segments {
		if seg.Selector == nil {
			b.WriteString(seg.Text)
			continue
		}
		v, ok := pool.Get(seg.Selector)
		if !ok {
			b.WriteString(seg.Selector.String())
			continue
		}
		b.WriteString(text(v))
	}
	return b.String()
}

// RenderText is Render of a whole template with value.Text.
func RenderText(template string, pool *Pool) string {
	return Render(ParseTemplate(template), pool, value.Text)
}
