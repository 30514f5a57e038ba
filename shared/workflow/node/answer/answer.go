// Package answer is the node that says something in a chatflow: a template of
// text and variables that is streamed as they become known.
package answer

import (
	"context"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "answer" }

// Kind says that clients see what the node shows.
func (nodeType) Kind() workflow.Kind { return workflow.KindResponse }

// Effect is false: the node only reads the pool.
func (nodeType) Effect() bool { return false }

// New parses the template.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	return &node{template: workflow.ParseTemplate(cfg.Data.String("answer"))}, nil
}

type node struct{ template []workflow.Segment }

var _ workflow.Responder = (*node)(nil)

// Template is what the node streams.
func (n *node) Template() []workflow.Segment { return n.template }

// Run renders the whole answer as it is stored. Files that the template shows
// are listed beside it, each time they are shown.
func (n *node) Run(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	files := []any{}
	for _, seg := range n.template {
		if seg.Selector == nil {
			continue
		}
		v, _ := x.Pool.Get(seg.Selector)
		switch v := v.(type) {
		case *value.File:
			files = append(files, v)
		case []any:
			for _, item := range v {
				if f, ok := item.(*value.File); ok {
					files = append(files, f)
				}
			}
		}
	}
	return &workflow.Result{Outputs: value.Obj(
		"answer", workflow.Render(n.template, x.Pool, value.Markdown), "files", files,
	)}, nil
}
