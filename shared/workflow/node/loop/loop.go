// Package loop is the container that repeats its child graph on variables of
// its own until a condition holds, a loop-end node ran or the count is reached.
//
// Running the passes is the engine's part: this package says when one begins
// and what comes out of them (loop.go), and reads the loop variables
// (variables.go). START HERE: passes.
package loop

import (
	"context"
	"fmt"
	"strconv"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/condition"
	"github.com/millrace/millrace/shared/workflow/node/internal/tally"
	"github.com/millrace/millrace/shared/workflow/value"
)

// How a loop ended, as its metadata say it.
const (
	reasonBreak     = "loop_break"
	reasonCompleted = "loop_completed"
	reasonError     = "error"
)

// The contract's error types of this node.
const (
	typeFailed     = "LoopNodeError"
	typeUnexpected = "WorkflowNodeError"
)

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "loop" }

// Kind says that the node has a child graph.
func (nodeType) Kind() workflow.Kind { return workflow.KindContainer }

// Effect is false: only the nodes inside touch anything.
func (nodeType) Effect() bool { return false }

// New reads the configuration.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	d := cfg.Data
	n := &node{entry: d.String("start_node_id")}
	count, ok := d.Value("loop_count").(int64)
	if !ok || count < 1 {
		return nil, fmt.Errorf("loop_count must be a whole number of at least 1, not %s", value.Repr(d.Value("loop_count")))
	}
	n.count = int(count)
	conditions, err := condition.Parse(d.Value("break_conditions"))
	if err != nil {
		return nil, err
	}
	n.until = condition.Group{LogicalOperator: d.String("logical_operator"), Conditions: conditions}
	n.variables, err = parseVariables(d.Value("loop_variables"))
	return n, err
}

// node is a configured loop.
type node struct {
	entry     string
	count     int
	until     condition.Group
	variables []variable
}

// Run is never called: the node is a container.
func (*node) Run(context.Context, *workflow.Execution) (*workflow.Result, error) {
	return nil, workflow.Fail(typeFailed, "A loop runs in passes.")
}

// Entry is the id of the child node that every pass begins with.
func (n *node) Entry() string { return n.entry }

// roomFor is for how many passes room is made at once: the count is what a
// document says, and may be any number.
const roomFor = 128

// Open gives the loop variables their start values.
func (n *node) Open(x *workflow.Execution) (workflow.Passes, error) {
	p := &passes{node: n, id: x.Node.ID, start: value.NewObject(len(n.variables)), history: value.NewObject(min(n.count, roomFor))}
	for _, v := range n.variables {
		got, err := v.start(x.Pool)
		if err != nil {
			return nil, &workflow.Failure{Type: typeUnexpected, Message: err.Error(), Cause: err}
		}
		p.start.Set(v.label, got)
	}
	return p, nil
}

// passes is one execution of the node.
type passes struct {
	*node
	id      string
	start   *value.Object
	last    *value.Object // of the loop variables, after the last pass
	history *value.Object // of the loop variables, by pass
	rounds  int
	met     bool // the conditions hold
	ended   bool // a loop-end node ran
	failure *workflow.Failure
	tally   tally.Tally
}

// Opening announces as many passes as the loop may have. They work on the
// variables of the graph around the loop.
func (p *passes) Opening() workflow.Opening {
	return workflow.Opening{Inputs: p.inputs(), Length: p.count, Parallel: 1, Shared: true, Variables: p.start}
}

func (p *passes) inputs() *value.Object {
	in := value.Obj("loop_count", int64(p.count))
	for label, v := range p.start.All() {
		in.Set(label, v)
	}
	return in
}

// Begin starts pass i unless the loop is over. Before the first pass the
// conditions may already hold; that they cannot be evaluated yet is no error,
// because they mostly look at nodes inside the loop.
func (p *passes) Begin(i int, pool *workflow.Pool) (*value.Object, bool) {
	if i == 0 && len(p.until.Conditions) > 0 {
		out, err := p.until.Evaluate(pool)
		p.met = err == nil && out.Final
	}
	if i >= p.count || p.met || p.ended || p.failure != nil {
		return nil, false
	}
	return nil, true
}

// End looks at the variables after a pass and at the conditions.
func (p *passes) End(e workflow.PassEnd) {
	p.tally.Add(e)
	p.rounds = e.Index + 1
	p.last = value.NewObject(len(p.variables))
	for _, v := range p.variables {
		got, _ := e.Pool.Get(workflow.Selector{p.id, v.label})
		p.last.Set(v.label, got)
	}
	p.history.Set(strconv.Itoa(e.Index), p.last)
	switch {
	case e.Failure != nil:
		p.failure = &workflow.Failure{Type: typeFailed, Message: e.Failure.Message, Cause: e.Failure}
	case e.Broke:
		p.ended = true
	case len(p.until.Conditions) > 0:
		out, err := p.until.Evaluate(e.Pool)
		if err != nil {
			p.failure = &workflow.Failure{Type: typeFailed, Message: err.Error(), Cause: err}
			return
		}
		p.met = out.Final
	}
}

// Close returns the loop variables and how many passes there were.
func (p *passes) Close() (*workflow.Result, error) {
	res := &workflow.Result{Inputs: p.inputs(), Outputs: value.NewObject(len(p.variables) + 1), Usage: p.tally.Usage()}
	reason := reasonCompleted
	if p.met {
		reason = reasonBreak
	}
	if p.failure != nil {
		reason = reasonError
	} else if p.rounds > 0 {
		for label, v := range p.last.All() {
			res.Outputs.Set(label, v)
		}
		res.Outputs.Set("loop_round", int64(p.rounds))
	}
	res.Metadata = p.tally.Metadata()
	res.Metadata.Set("completed_reason", reason)
	res.Metadata.Set("loop_duration_map", p.tally.Durations())
	res.Metadata.Set("loop_variable_map", p.history)
	if p.failure != nil {
		return res, p.failure
	}
	return res, nil
}

// Steps is what the contract counts: all passes that the loop could have had
// when one ran.
func (p *passes) Steps() int {
	if p.rounds == 0 {
		return 0
	}
	return p.count
}
