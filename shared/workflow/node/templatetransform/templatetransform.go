// Package templatetransform is the node that renders a Jinja2 template over
// chosen variables.
package templatetransform

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/jinjatext"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Options tunes the node type. The zero value has the contract's defaults.
type Options struct {
	// MaxLength bounds the output in characters; 0 means 400000.
	MaxLength int
	// Compile makes a template; nil means jinjatext.Compile.
	Compile func(source string) (Template, error)
}

// Template is a compiled template.
type Template interface {
	// Render fills the template in.
	Render(ctx context.Context, vars *value.Object) (string, error)
}

type nodeType struct{ opts Options }

// New returns the node type.
func New(opts Options) workflow.Type {
	if opts.MaxLength <= 0 {
		opts.MaxLength = 400000
	}
	if opts.Compile == nil {
		opts.Compile = func(source string) (Template, error) { return jinjatext.Compile(source) }
	}
	return nodeType{opts}
}

// Name is the DSL's type string.
func (nodeType) Name() string { return "template-transform" }

// Kind says that the node just runs.
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is false: the same variables give the same text.
func (nodeType) Effect() bool { return false }

// New compiles the template. A template that does not compile fails the node
// when it runs and not the whole graph: that is where the contract shows it.
func (t nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	n := &node{max: t.opts.MaxLength}
	list, _ := cfg.Data.Value("variables").([]any)
	for _, item := range list {
		if o, ok := item.(*value.Object); ok {
			n.variables = append(n.variables, variable{o.String("variable"), workflow.SelectorFrom(o.Value("value_selector"))})
		}
	}
	n.template, n.broken = t.opts.Compile(cfg.Data.String("template"))
	return n, nil
}

type variable struct {
	name     string
	selector workflow.Selector
}

type node struct {
	variables []variable
	template  Template
	broken    error
	max       int
}

// Run renders the template. A variable that is not there is none.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	in := value.NewObject(len(n.variables))
	for _, v := range n.variables {
		got, _ := x.Pool.Get(v.selector)
		in.Set(v.name, got)
	}
	res := &workflow.Result{Inputs: in}
	for _, v := range in.All() {
		if hasFile(v) {
			return res, workflow.Fail("WorkflowNodeError", "Type is not JSON serializable: File")
		}
	}
	if n.broken != nil {
		return res, failure(n.broken)
	}
	text, err := n.template.Render(ctx, in)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return res, ctx.Err()
		}
		return res, failure(err)
	}
	if utf8.RuneCountInString(text) > n.max {
		return res, workflow.Fail("", fmt.Sprintf("Output length exceeds %d characters", n.max))
	}
	res.Outputs = value.Obj("output", text)
	return res, nil
}

// failure has no type: the contract gives template errors none.
func failure(err error) *workflow.Failure {
	return &workflow.Failure{Message: err.Error(), Cause: err}
}

// hasFile reports whether a file is anywhere in v: templates run over JSON.
func hasFile(v any) bool {
	switch v := v.(type) {
	case *value.File:
		return true
	case []any:
		for _, x := range v {
			if hasFile(x) {
				return true
			}
		}
	case *value.Object:
		for _, x := range v.All() {
			if hasFile(x) {
				return true
			}
		}
	}
	return false
}
