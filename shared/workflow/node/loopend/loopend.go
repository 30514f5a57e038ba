// Package loopend is the node that ends the loop around it. It does nothing
// itself: the engine tells the loop after the pass in which such a node ran
// (see workflow.PassEnd and node/loop).
package loopend

import (
	"context"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "loop-end" }

// Kind says that the node just runs.
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is false: nothing happens.
func (nodeType) Effect() bool { return false }

// New has nothing to read.
func (nodeType) New(*workflow.NodeConfig) (workflow.Node, error) { return node{}, nil }

type node struct{}

// Run succeeds without outputs.
func (node) Run(context.Context, *workflow.Execution) (*workflow.Result, error) {
	return &workflow.Result{Inputs: value.NewObject(0), Outputs: value.NewObject(0)}, nil
}
