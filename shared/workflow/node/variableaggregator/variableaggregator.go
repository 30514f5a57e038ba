// Package variableaggregator is the node that joins branches: of a list of
// variables it hands on the first that exists.
package variableaggregator

import (
	"context"
	"strings"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

type nodeType struct{ name string }

// New returns the node type.
func New() workflow.Type { return nodeType{"variable-aggregator"} }

// NewLegacy returns the node type under the name that old apps use.
func NewLegacy() workflow.Type { return nodeType{"variable-assigner"} }

// Name is the DSL's type string.
func (t nodeType) Name() string { return t.name }

// Kind says that the node just runs.
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is false: the node only reads the pool.
func (nodeType) Effect() bool { return false }

// New parses the selectors.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	n := &node{selectors: selectors(cfg.Data.Value("variables"))}
	settings, _ := cfg.Data.Value("advanced_settings").(*value.Object)
	if on, _ := settings.Value("group_enabled").(bool); on {
		list, _ := settings.Value("groups").([]any)
		n.grouped = true
		for _, item := range list {
			if o, ok := item.(*value.Object); ok {
				n.groups = append(n.groups, group{o.String("group_name"), selectors(o.Value("variables"))})
			}
		}
	}
	return n, nil
}

func selectors(v any) []workflow.Selector {
	list, _ := v.([]any)
	out := make([]workflow.Selector, 0, len(list))
	for _, item := range list {
		if s := workflow.SelectorFrom(item); s != nil {
			out = append(out, s)
		}
	}
	return out
}

type group struct {
	name      string
	selectors []workflow.Selector
}

type node struct {
	selectors []workflow.Selector
	grouped   bool
	groups    []group
}

// Run picks the variables. A variable that exists with a null value counts.
func (n *node) Run(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	in, out := value.NewObject(1), value.NewObject(1)
	if !n.grouped {
		if v, ok := first(x.Pool, n.selectors, in); ok {
			out.Set("output", v)
		}
		return &workflow.Result{Inputs: in, Outputs: out}, nil
	}
	for _, g := range n.groups {
		if v, ok := first(x.Pool, g.selectors, in); ok {
			out.Set(g.name, value.Obj("output", v))
		}
	}
	return &workflow.Result{Inputs: in, Outputs: out}, nil
}

func first(pool *workflow.Pool, list []workflow.Selector, in *value.Object) (any, bool) {
	for _, s := range list {
		if v, ok := pool.Get(s); ok {
			in.Set(strings.Join(s[1:], "."), v)
			return v, true
		}
	}
	return nil, false
}
