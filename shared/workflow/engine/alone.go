package engine

import (
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// CompileAlone compiles one container of a graph with what is in it, as if the
// graph began and ended with it: for debugging it alone.
func CompileAlone(g *workflow.Graph, types Types, nodeID string) (*Plan, error) {
	cfg, ok := g.Node(nodeID)
	if !ok {
		return nil, errs.Newf(errs.NotFound, "The graph has no node %s.", nodeID)
	}
	n, err := planned(cfg, types)
	if err != nil {
		return nil, err
	}
	if n.kind != workflow.KindContainer {
		return nil, errs.Newf(errs.InvalidParam, "The node %s contains no graph.", nodeID)
	}
	if n.child, err = compileChild(g, types, &n); err != nil {
		return nil, err
	}
	return &Plan{
		nodes: []planNode{n}, byID: map[string]int{nodeID: 0}, shown: map[key]bool{}, reasoning: map[string][]int{}, allowed: newAllowed(),
	}, nil
}

// FailureOf brings any error of a node into the form that users see.
func FailureOf(err error) *workflow.Failure { return failureOf(err) }

// DefaultOutputs are the outputs of a failed node with default values.
func DefaultOutputs(list []workflow.DefaultValue) *value.Object { return defaultOutputs(list) }
