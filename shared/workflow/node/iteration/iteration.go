// Package iteration is the container that runs its child graph once for each
// element of a list, one after the other or several at once, and collects a
// result of each pass.
//
// Running the passes is the engine's part: this package says which there are,
// what they see and what comes out of them. START HERE: passes.
package iteration

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/internal/tally"
	"github.com/millrace/millrace/shared/workflow/value"
)

// What happens when a pass fails.
const (
	modeTerminated = "terminated"
	modeContinue   = "continue-on-error"
	modeRemove     = "remove-abnormal-output"
)

// The contract's error types of this node.
const (
	typeFailed   = "IterationNodeError"
	typeNotFound = "IteratorVariableNotFoundError"
	typeNoList   = "InvalidIteratorValueError"
)

// defaultParallel is how many passes run at once when a parallel node does not
// say.
const defaultParallel = 10

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "iteration" }

// Kind says that the node has a child graph.
func (nodeType) Kind() workflow.Kind { return workflow.KindContainer }

// Effect is false: only the nodes inside touch anything.
func (nodeType) Effect() bool { return false }

// New reads the configuration.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	d := cfg.Data
	n := &node{
		entry: d.String("start_node_id"), list: workflow.SelectorFrom(d.Value("iterator_selector")),
		output: workflow.SelectorFrom(d.Value("output_selector")), mode: d.String("error_handle_mode"),
		parallel: 1, flatten: true,
	}
	if flatten, ok := d.Value("flatten_output").(bool); ok {
		n.flatten = flatten
	}
	if at, ok := d.Value("is_parallel").(bool); ok && at {
		n.parallel = defaultParallel
		if size, ok := d.Value("parallel_nums").(int64); ok {
			n.parallel = int(size)
		}
	}
	switch n.mode {
	case "":
		n.mode = modeTerminated
	case modeTerminated, modeContinue, modeRemove:
	default:
		return nil, fmt.Errorf("error_handle_mode must be %s, %s or %s, not %q", modeTerminated, modeContinue, modeRemove, n.mode)
	}
	if n.parallel < 1 {
		return nil, fmt.Errorf("parallel_nums must be at least 1, not %d", n.parallel)
	}
	return n, nil
}

// node is a configured iteration.
type node struct {
	entry        string
	list, output workflow.Selector
	mode         string
	parallel     int
	flatten      bool
}

// Run is never called: the node is a container.
func (*node) Run(context.Context, *workflow.Execution) (*workflow.Result, error) {
	return nil, workflow.Fail(typeFailed, "An iteration runs in passes.")
}

// Entry is the id of the child node that every pass begins with.
func (n *node) Entry() string { return n.entry }

// Open reads the list. A null counts as an empty one.
func (n *node) Open(x *workflow.Execution) (workflow.Passes, error) {
	v, ok := x.Pool.Get(n.list)
	if !ok {
		return nil, workflow.Fail(typeNotFound, fmt.Sprintf("iterator variable %s not found", value.Repr(parts(n.list))))
	}
	items, ok := v.([]any)
	if !ok && v != nil {
		return nil, workflow.Fail(typeNoList, fmt.Sprintf("invalid iterator value: %s, please provide a list.", value.Str(v)))
	}
	if items == nil {
		items = []any{}
	}
	return &passes{node: n, items: items, results: make([]result, len(items))}, nil
}

func parts(s workflow.Selector) []any {
	out := make([]any, len(s))
	for i, part := range s {
		out[i] = part
	}
	return out
}

// passes is one execution of the node.
type passes struct {
	*node
	items   []any
	results []result
	failure *workflow.Failure // that ends the node
	tally   tally.Tally
}

// result is what became of a pass.
type result struct {
	ended, failed bool
	value         any
}

// Opening announces one pass for each element. Each pass works on its own copy
// of the variables.
func (p *passes) Opening() workflow.Opening {
	return workflow.Opening{Inputs: p.inputs(), Length: len(p.items), Parallel: p.parallel, LastAnswer: true}
}

func (p *passes) inputs() *value.Object { return value.Obj("iterator_selector", p.items) }

// Begin starts pass i unless the list or, with an earlier failure, the node is
// at its end.
func (p *passes) Begin(i int, _ *workflow.Pool) (*value.Object, bool) {
	if i >= len(p.items) || p.failure != nil {
		return nil, false
	}
	return value.Obj("index", int64(i), "item", p.items[i]), true
}

// End keeps the result of a pass.
func (p *passes) End(e workflow.PassEnd) {
	p.tally.Add(e)
	r := &p.results[e.Index]
	r.ended = true
	if e.Failure != nil {
		r.failed = true
		if p.mode == modeTerminated && p.failure == nil {
			p.failure = &workflow.Failure{Type: typeFailed, Message: e.Failure.Message, Cause: e.Failure}
		}
		return
	}
	r.value, _ = e.Pool.Get(p.output)
}

// Close returns the results in the order of the list. They are shown after a
// failure too.
func (p *passes) Close() (*workflow.Result, error) {
	outputs := make([]any, 0, len(p.results))
	for _, r := range p.results {
		if r.ended && (!r.failed || p.mode == modeContinue) {
			outputs = append(outputs, r.value)
		}
	}
	if p.flatten {
		outputs = flat(outputs)
	}
	res := &workflow.Result{Inputs: p.inputs(), Outputs: value.Obj("output", outputs), Usage: p.tally.Usage()}
	if len(p.items) > 0 {
		res.Metadata = p.tally.Metadata()
		res.Metadata.Set("iteration_duration_map", p.tally.Durations())
	}
	if p.failure != nil {
		return res, p.failure
	}
	return res, nil
}

// Steps is what the contract counts: the elements, whether they had their pass
// or not.
func (p *passes) Steps() int { return len(p.items) }

// flat takes one level of nesting away when every result but nulls is a list;
// the nulls go too.
func flat(outputs []any) []any {
	lists := 0
	for _, v := range outputs {
		if _, ok := v.([]any); ok {
			lists++
		} else if v != nil {
			return outputs
		}
	}
	if lists == 0 {
		return outputs
	}
	out := []any{}
	for _, v := range outputs {
		list, _ := v.([]any)
		out = append(out, list...)
	}
	return out
}
