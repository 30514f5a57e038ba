// Package start is the node that a run begins with: its outputs are the inputs
// of the run.
//
// The inputs were checked against the form when the run was accepted (package
// inputs) and lie in the pool under the node's id. Only what the contract
// checks later is checked here: JSON objects against their schema.
package start

import (
	"context"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "start" }

// Kind says that runs begin here.
func (nodeType) Kind() workflow.Kind { return workflow.KindRoot }

// Effect is false: the node only reads the pool.
func (nodeType) Effect() bool { return false }

// New parses the form.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	form, err := inputs.ParseForm(cfg.Data.Value("variables"))
	if err != nil {
		return nil, err
	}
	return &node{form: form}, nil
}

type node struct{ form *inputs.Form }

// Run hands the inputs on.
func (n *node) Run(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	scope := x.Pool.Scope(x.Node.ID)
	out := value.NewObject(len(n.form.Variables))
	for _, v := range n.form.Variables {
		if got, ok := scope[v.Name]; ok {
			out.Set(v.Name, got)
		}
	}
	if err := n.form.CheckSchemas(out); err != nil {
		return nil, &workflow.Failure{Type: "ValueError", Message: err.Error(), Cause: err}
	}
	return &workflow.Result{Inputs: out, Outputs: out}, nil
}
