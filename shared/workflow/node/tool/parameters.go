package tool

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/shared/secretbox"
	tools "github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The ways to say a parameter.
const (
	fromVariable = "variable"
	fromConstant = "constant"
)

// input is a parameter as the node has it.
type input struct {
	name     string
	kind     string // variable, mixed or constant; "" for a plain value of old graphs
	value    any
	selector workflow.Selector
	template []workflow.Segment
}

func inputs(v any) []input {
	o, _ := v.(*value.Object)
	out := make([]input, 0, o.Len())
	for name, raw := range o.All() {
		in := input{name: name, value: raw}
		if given, ok := raw.(*value.Object); ok {
			if kind, ok := given.Value("type").(string); ok {
				in.kind, in.value = kind, given.Value("value")
			}
		}
		switch in.kind {
		case "":
		case fromVariable:
			in.selector = workflow.SelectorFrom(in.value)
		default:
			in.template = workflow.ParseTemplate(value.Str(in.value))
		}
		out = append(out, in)
	}
	return out
}

// parameters are what the tool is called with: what the author set before the
// run, and over it what comes from variables. Shown is the second part only,
// with secrets masked.
func (n *node) parameters(t *tools.Tool, pool *workflow.Pool) (params, shown *value.Object, err error) {
	params, shown = value.NewObject(len(t.Parameters)), value.NewObject(len(n.given))
	for _, in := range n.configured {
		p, ok := find(t, in.name)
		if !ok || p.Form != driver.FormForm || in.value == nil {
			continue
		}
		v := in.value
		switch in.kind {
		case "", fromConstant:
		default:
			var found bool
			if v, found = in.resolve(pool); !found {
				return params, shown, missing(in)
			}
		}
		params.Set(in.name, v)
	}
	secrets := pool.Secrets()
	for _, in := range n.given {
		p, ok := find(t, in.name)
		if !ok {
			shown.Set(in.name, nil)
			continue
		}
		v, found := in.resolve(pool)
		if !found {
			if p.Required {
				return params, shown, missing(in)
			}
			continue
		}
		params.Set(in.name, v)
		shown.Set(in.name, mask(v, secrets))
	}
	return params, shown, nil
}

func find(t *tools.Tool, name string) (tools.Parameter, bool) {
	i := slices.IndexFunc(t.Parameters, func(p tools.Parameter) bool { return p.Name == name })
	if i < 0 {
		return tools.Parameter{}, false
	}
	return t.Parameters[i], true
}

// resolve returns the value; found is false when the variable is not there.
// Templates and constants are always text.
func (in input) resolve(pool *workflow.Pool) (v any, found bool) {
	switch in.kind {
	case "":
		return in.value, true
	case fromVariable:
		return pool.Get(in.selector)
	}
	if in.value == nil {
		return nil, true
	}
	return workflow.Render(in.template, pool, value.Text), true
}

func missing(in input) *workflow.Failure {
	return workflow.Fail(typeParameter, fmt.Sprintf("Variable %s does not exist", value.Repr(in.value)))
}

// mask hides the secrets in a text, the longest first: one may be part of
// another.
func mask(v any, secrets []string) any {
	text, ok := v.(string)
	if !ok || len(secrets) == 0 {
		return v
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, secretbox.Mask(s))
	}
	return text
}
