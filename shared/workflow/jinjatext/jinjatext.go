// Package jinjatext renders Jinja2 templates over workflow values. It is the
// one place where values meet package jinja: template-transform nodes and the
// jinja2 prompts of llm nodes both go through it.
//
// It knows nothing of prompts or nodes. START HERE: Compile.
package jinjatext

import (
	"context"

	"github.com/millrace/millrace/shared/jinja"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Template is a compiled template, safe for concurrent use.
type Template struct{ t *jinja.Template }

// Compile parses a template. Errors are *jinja.Error.
func Compile(source string) (*Template, error) {
	t, err := jinja.Compile(source, jinja.Options{})
	if err != nil {
		return nil, err
	}
	return &Template{t}, nil
}

// Render fills the template in with the members of vars.
func (t *Template) Render(ctx context.Context, vars *value.Object) (string, error) {
	m := make(map[string]any, vars.Len())
	for k, v := range vars.All() {
		m[k] = convert(v)
	}
	return t.t.Render(ctx, m)
}

// object lets the interpreter read an object in its own order.
type object struct{ *value.Object }

// Range calls f for each member until f returns false.
func (o object) Range(f func(key string, v any) bool) {
	for k, v := range o.All() {
		if !f(k, convert(v)) {
			return
		}
	}
}

var _ jinja.OrderedMap = object{}

func convert(v any) any {
	switch v := v.(type) {
	case *value.Object:
		return object{v}
	case *value.File:
		return object{v.Object()}
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = convert(x)
		}
		return out
	default:
		return v
	}
}
