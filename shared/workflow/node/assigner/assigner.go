// Package assigner is the node that changes variables of other scopes: those
// of a conversation, of a loop, or any other that exists.
//
// The node only says what the new values are (Result.Updates). The engine
// assigns them when the node's success is journalled, and who keeps
// conversation variables is package run. Two versions of the node exist: the
// first assigns one variable (first.go), the second a list of operations
// (second.go, operation.go). START HERE: New.
package assigner

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "assigner" }

// Kind says that the node just runs.
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is false: new values follow from the pool alone.
func (nodeType) Effect() bool { return false }

// New reads the configuration. Data without a version is of the first one;
// versions that do not exist are read like the latest.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	if v, given := cfg.Data.Get("version"); !given || value.Str(v) == "1" {
		return newFirst(cfg)
	}
	return newSecond(cfg)
}

var (
	_ workflow.Writer = (*first)(nil)
	_ workflow.Writer = (*second)(nil)
)

// desk is where one execution works: on a copy of the variables, so that
// nothing is changed unless everything is.
type desk struct {
	pool    *workflow.Pool
	types   map[[2]string]string // of the variables that were touched
	order   []workflow.Selector  // the changed variables, in order of their first change
	changed map[[2]string]bool
}

func newDesk(pool *workflow.Pool) *desk {
	return &desk{pool: pool.Snapshot(), types: map[[2]string]string{}, changed: map[[2]string]bool{}}
}

// variable returns a variable's value and type. A part of a variable is none.
func (d *desk) variable(s workflow.Selector) (v any, typ string, ok bool) {
	if len(s) != 2 {
		return nil, "", false
	}
	if v, ok = d.pool.Get(s); !ok {
		return nil, "", false
	}
	key := [2]string{s[0], s[1]}
	if typ = d.types[key]; typ == "" {
		if typ = d.pool.Declared(s[0], s[1]); typ == "" {
			typ = vartype.Of(v)
		}
		d.types[key] = typ
	}
	return v, typ, true
}

// set gives a variable a new value.
func (d *desk) set(s workflow.Selector, v any) error {
	if s[0] == workflow.ScopeConversation {
		if err := vartype.CheckSize(v); err != nil {
			return err
		}
	}
	key := [2]string{s[0], s[1]}
	if !d.changed[key] {
		d.changed[key] = true
		d.order = append(d.order, s)
	}
	d.pool.Set(s[0], s[1], v)
	return nil
}

// updatedVariables is the name under which process data list the changes.
const updatedVariables = "__updated_variables"

// finish writes down what has changed. values says whether process data have
// the new values by name besides the list.
func (d *desk) finish(res *workflow.Result, values bool) {
	list := make([]any, 0, len(d.order))
	process := value.NewObject(len(d.order) + 1)
	for _, s := range d.order {
		v, typ, _ := d.variable(s)
		if vartype.IsNumber(typ) {
			typ = vartype.Of(v) // a number is shown as the kind it has become
		}
		if values {
			process.Set(s[1], v)
		}
		list = append(list, value.Obj("name", s[1], "selector", []any{s[0], s[1]}, "value_type", typ, "new_value", v))
		res.Updates = append(res.Updates, workflow.Update{Selector: s, Value: v})
	}
	process.Set(updatedVariables, list)
	res.ProcessData = process
}

func newResult(inputs *value.Object) *workflow.Result {
	return &workflow.Result{Inputs: inputs, ProcessData: value.NewObject(0), Outputs: value.NewObject(0)}
}

// pythonList is how messages show a selector.
func pythonList(s workflow.Selector) string { return value.Repr(value.From([]string(s))) }

func notFound(s workflow.Selector) error { return fmt.Errorf("Variable %s not found", pythonList(s)) } //nolint:staticcheck // the contract's text

// zero is the value of a cleared variable.
func zero(typ string) (any, error) {
	v, ok := vartype.Zero(typ)
	if !ok {
		return nil, fmt.Errorf("a variable of type %s cannot be cleared", typ)
	}
	return v, nil
}

// first is the first version of the node: one variable, one way to write it.
type first struct {
	target, source workflow.Selector
	mode           string
}

// The ways to write of the first version; the second has them as operations.
const (
	opOverwrite = "over-write"
	opAppend    = "append"
	opClear     = "clear"
)

func newFirst(cfg *workflow.NodeConfig) (*first, error) {
	n := &first{
		target: workflow.SelectorFrom(cfg.Data.Value("assigned_variable_selector")),
		source: workflow.SelectorFrom(cfg.Data.Value("input_variable_selector")), mode: cfg.Data.String("write_mode"),
	}
	if n.target == nil {
		return nil, fmt.Errorf("assigned_variable_selector must be a list of strings")
	}
	if n.source == nil {
		return nil, fmt.Errorf("input_variable_selector must be a list of strings")
	}
	switch n.mode {
	case opOverwrite, opAppend, opClear:
		return n, nil
	default:
		return nil, fmt.Errorf("write_mode must be over-write, append or clear, not %q", n.mode)
	}
}

// Writes is the assigned variable.
func (n *first) Writes() []workflow.Selector { return []workflow.Selector{n.target} }

// typeOfErrors is the contract's for what this version does not expect.
const typeOfErrors = "WorkflowNodeError"

// Run computes the new value. This version does not look at types.
func (n *first) Run(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	d := newDesk(x.Pool)
	income, next, err := n.compute(d)
	if err == nil {
		err = d.set(n.target, next)
	}
	if err != nil {
		return newResult(value.NewObject(0)), &workflow.Failure{Type: typeOfErrors, Message: err.Error(), Cause: err}
	}
	res := newResult(value.Obj("value", income))
	d.finish(res, false)
	return res, nil
}

// compute returns what comes in and what the variable becomes.
func (n *first) compute(d *desk) (income, next any, err error) {
	have, typ, ok := d.variable(n.target)
	if !ok {
		return nil, nil, fmt.Errorf("assigned variable not found")
	}
	if n.mode == opClear {
		next, err = zero(typ)
		return next, next, err
	}
	if income, ok = d.pool.Get(n.source); !ok {
		return nil, nil, fmt.Errorf("input value not found")
	}
	if n.mode == opOverwrite {
		return income, income, nil
	}
	list, ok := have.([]any)
	if !ok {
		return nil, nil, fmt.Errorf("a variable of type %s cannot be appended to", typ)
	}
	return income, join(list, income), nil
}

// join returns a new list: the old one belongs to others too.
func join(list []any, more ...any) []any {
	out := make([]any, 0, len(list)+len(more))
	return append(append(out, list...), more...)
}
