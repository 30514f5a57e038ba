// Package ifelse is the node that follows the first of its cases whose
// conditions hold.
package ifelse

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/condition"
	"github.com/millrace/millrace/shared/workflow/value"
)

// elseHandle is followed when no case holds.
const elseHandle = "false"

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "if-else" }

// Kind says that the node selects a handle.
func (nodeType) Kind() workflow.Kind { return workflow.KindBranch }

// Effect is false: the node only reads the pool.
func (nodeType) Effect() bool { return false }

// New parses the cases.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	n := &node{}
	list, _ := cfg.Data.Value("cases").([]any)
	for _, item := range list {
		o, ok := item.(*value.Object)
		if !ok {
			return nil, fmt.Errorf("node %s: a case must be an object", cfg.ID)
		}
		c, err := parseCase(o.String("case_id"), o)
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", cfg.ID, err)
		}
		n.cases = append(n.cases, c)
	}
	if len(list) > 0 {
		return n, nil
	}
	// Apps of long ago have one unnamed case, whose handle is "true".
	c, err := parseCase("true", cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", cfg.ID, err)
	}
	c.legacy = true
	n.cases = []branch{c}
	return n, nil
}

func parseCase(id string, o *value.Object) (branch, error) {
	conditions, err := condition.Parse(o.Value("conditions"))
	if err != nil {
		return branch{}, err
	}
	operator := o.String("logical_operator")
	if operator == "" {
		operator = "and"
	}
	return branch{id: id, group: condition.Group{LogicalOperator: operator, Conditions: conditions}}, nil
}

type branch struct {
	id     string
	group  condition.Group
	legacy bool
}

// shown is how the case appears in process data.
func (b branch) shown() any {
	if b.legacy {
		return "default"
	}
	list := make([]any, len(b.group.Conditions))
	for i, c := range b.group.Conditions {
		list[i] = c.Object()
	}
	return value.Obj("case_id", b.id, "logical_operator", b.group.LogicalOperator, "conditions", list)
}

type node struct{ cases []branch }

// Run tries the cases in order. Inputs show the conditions of the last case
// that was tried, process data the results of all that were.
func (n *node) Run(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	shown, results := []any{}, []any{}
	res := &workflow.Result{Handle: elseHandle}
	final := false
	fill := func() {
		res.Inputs = value.Obj("conditions", shown)
		res.ProcessData = value.Obj("condition_results", results)
	}
	for _, c := range n.cases {
		out, err := c.group.Evaluate(x.Pool)
		if err != nil {
			fill()
			res.Handle = ""
			return res, &workflow.Failure{Message: err.Error(), Cause: err}
		}
		single := make([]any, len(out.Results))
		for i, r := range out.Results {
			single[i] = r
		}
		if shown = out.Inputs; shown == nil {
			shown = []any{}
		}
		results = append(results, value.Obj("group", c.shown(), "results", single, "final_result", out.Final))
		if final = out.Final; final {
			res.Handle = c.id
			break
		}
	}
	fill()
	res.Outputs = value.Obj("result", final, "selected_case_id", res.Handle)
	return res, nil
}
