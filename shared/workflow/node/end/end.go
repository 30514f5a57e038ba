// Package end is the node whose outputs are the outputs of a workflow run.
package end

import (
	"context"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "end" }

// Kind says that clients see what the node shows.
func (nodeType) Kind() workflow.Kind { return workflow.KindResponse }

// Effect is false: the node only reads the pool.
func (nodeType) Effect() bool { return false }

// New parses the outputs.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	n := &node{}
	list, _ := cfg.Data.Value("outputs").([]any)
	for _, item := range list {
		o, ok := item.(*value.Object)
		if !ok {
			continue
		}
		out := output{name: o.String("variable"), selector: workflow.SelectorFrom(o.Value("value_selector"))}
		n.outputs = append(n.outputs, out)
		if len(out.selector) == 0 {
			continue
		}
		if len(n.template) > 0 {
			n.template = append(n.template, workflow.Segment{Text: "\n"})
		}
		n.template = append(n.template, workflow.Segment{Selector: out.selector})
	}
	return n, nil
}

type output struct {
	name     string
	selector workflow.Selector
}

type node struct {
	outputs  []output
	template []workflow.Segment
}

var _ workflow.Responder = (*node)(nil)

// Template is the outputs, one a line.
func (n *node) Template() []workflow.Segment { return n.template }

// Run collects the outputs; a variable that is not there is null.
func (n *node) Run(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	out := value.NewObject(len(n.outputs))
	for _, o := range n.outputs {
		v, _ := x.Pool.Get(o.selector)
		out.Set(o.name, v)
	}
	return &workflow.Result{Inputs: out, Outputs: out}, nil
}
