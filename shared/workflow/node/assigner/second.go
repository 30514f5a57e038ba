package assigner

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

// second is the second version of the node: a list of operations.
type second struct {
	items []item
	// shown is the whole configuration with its defaults, which the contract
	// shows as the node's inputs.
	shown *value.Object
}

// item is one operation on one variable.
type item struct {
	target   workflow.Selector
	op       string
	constant bool
	value    any               // of a constant
	source   workflow.Selector // of a variable; nil when none was chosen
}

func newSecond(cfg *workflow.NodeConfig) (*second, error) {
	n := &second{shown: shown(cfg.Data)}
	raw, given := cfg.Data.Get("items")
	list, ok := raw.([]any)
	if given && !ok {
		return nil, fmt.Errorf("items must be a list")
	}
	shownItems := make([]any, 0, len(list))
	for i, x := range list {
		o, _ := x.(*value.Object)
		it, err := parseItem(o)
		if err != nil {
			return nil, fmt.Errorf("items.%d: %w", i, err)
		}
		n.items = append(n.items, it)
		shownItems = append(shownItems, value.Obj(
			"variable_selector", o.Value("variable_selector"), "operation", it.op, "input_type", o.Value("input_type"), "value", o.Value("value")))
	}
	n.shown.Set("items", shownItems)
	return n, nil
}

func parseItem(o *value.Object) (item, error) {
	it := item{target: workflow.SelectorFrom(o.Value("variable_selector")), op: o.String("operation"), value: o.Value("value")}
	if it.target == nil {
		return it, fmt.Errorf("variable_selector must be a list of strings")
	}
	if !isOperation(it.op) {
		return it, fmt.Errorf("operation %q does not exist", it.op)
	}
	switch kind := o.String("input_type"); kind {
	case inputConstant:
		it.constant = true
	case inputVariable:
		it.source = workflow.SelectorFrom(it.value)
		if it.value != nil && it.source == nil && it.needsValue() {
			return it, fmt.Errorf("the value of a variable must be its selector")
		}
	default:
		return it, fmt.Errorf("input_type must be variable or constant, not %q", kind)
	}
	return it, nil
}

// shown completes the data by what every node has.
func shown(data *value.Object) *value.Object {
	o := data.Clone()
	for _, d := range []struct {
		key string
		v   any
	}{{"type", "assigner"}, {"title", ""}, {"desc", nil}, {"version", "2"}, {"error_strategy", nil}, {"default_value", nil}} {
		if _, given := o.Get(d.key); !given {
			o.Set(d.key, d.v)
		}
	}
	given, _ := o.Value("retry_config").(*value.Object)
	retry := value.Obj("max_retries", int64(0), "retry_interval", int64(0), "retry_enabled", false)
	for k, v := range given.All() {
		retry.Set(k, v)
	}
	o.Set("retry_config", retry)
	return o
}

// Writes are the targets.
func (n *second) Writes() []workflow.Selector {
	out := make([]workflow.Selector, len(n.items))
	for i := range n.items {
		out[i] = n.items[i].target
	}
	return out
}

// Run applies the items one after the other; each sees what the ones before it
// did. When one fails, none counts.
func (n *second) Run(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	res := newResult(n.shown.Clone())
	d := newDesk(x.Pool)
	for i := range n.items {
		if err := d.apply(&n.items[i]); err != nil {
			// The contract gives these failures a text and no type.
			return res, &workflow.Failure{Message: err.Error(), Cause: err}
		}
	}
	d.finish(res, true)
	return res, nil
}

// apply does one operation.
func (d *desk) apply(it *item) error {
	have, typ, ok := d.variable(it.target)
	if !ok {
		return notFound(it.target)
	}
	if !it.supports(typ) {
		return fmt.Errorf("Operation %s is not supported for type %s", it.op, typ) //nolint:staticcheck // the contract's text
	}
	if !it.takesInput(typ) {
		return fmt.Errorf("Input type %s is not supported for operation %s", it.inputType(), it.op) //nolint:staticcheck // the contract's text
	}
	given := it.value
	if it.source != nil && it.needsValue() {
		if given, ok = d.pool.Get(it.source); !ok {
			return notFound(it.source)
		}
		if given == nil {
			return nil // nothing came, so nothing changes
		}
	}
	if text, isText := given.(string); isText && it.op == opSet && typ == vartype.Object {
		parsed, err := value.Decode([]byte(text))
		if err != nil {
			return invalid(given)
		}
		given = parsed
	}
	if !it.accepts(typ, given) {
		return invalid(given)
	}
	next, err := it.compute(typ, have, given)
	if err != nil {
		return err
	}
	return d.set(it.target, next)
}

func invalid(v any) error { return fmt.Errorf("Invalid input value %s", value.Str(v)) } //nolint:staticcheck // the contract's text
