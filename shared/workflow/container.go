package workflow

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Container is a node of KindContainer: it has a child graph (the nodes whose
// ParentID is its id) that the engine runs once for each pass. The node only
// decides: which passes there are, what they begin with and what comes out. Its
// Run is never called.
type Container interface {
	Node
	// Entry is the id of the child node that every pass begins with.
	Entry() string
	// Open looks at the variables when the node starts. An error fails the node
	// before its first pass, like an error of Run.
	Open(x *Execution) (Passes, error)
}

// Passes is the state of one execution of a container. It has no effects and
// does not wait, and it is deterministic: after a crash the engine rebuilds it
// by calling Open and then the same methods with the same values again.
type Passes interface {
	// Opening tells what the engine needs before the first pass.
	Opening() Opening
	// Begin says whether pass i (counted from 0) begins now, and which variables it
	// finds in the container's scope. It is asked whenever fewer than
	// Opening().Parallel passes run; pool is what the pass would see. After false
	// no pass begins any more.
	Begin(i int, pool *Pool) (vars *value.Object, ok bool)
	// End takes the end of a pass.
	End(p PassEnd)
	// Close returns the outcome when no pass runs and none begins any more. As with
	// Run, a failure may come with a result.
	Close() (*Result, error)
}

// Opening describes an execution of a container that is about to begin.
type Opening struct {
	// Inputs are shown to users.
	Inputs *value.Object
	// Length is the announced number of passes.
	Length int
	// Parallel is how many passes may run at once, at least 1.
	Parallel int
	// Shared passes write to the variables of the graph around the container;
	// otherwise each pass has a copy of its own.
	Shared bool
	// Variables are set in the container's scope before the first pass.
	Variables *value.Object
	// LastAnswer takes over what response nodes inside produced from the last pass
	// only; otherwise that of all passes is joined.
	LastAnswer bool
}

// PassEnd is the end of one pass.
type PassEnd struct {
	Index int
	// Pool holds the variables as the pass left them.
	Pool *Pool
	// Failure is set when a node failed that has no error strategy.
	Failure *Failure
	// Broke is true when a loop-end node ran.
	Broke bool
	// Elapsed is in seconds.
	Elapsed float64
	// Usage adds up the model usage of the pass; nil when no model was called.
	Usage *Usage
}

// Pause is what a node returns as its error when it has to wait for something
// outside, for example a person. The run goes on with its other branches; when
// nothing else is left it is suspended and costs nothing. When it is woken, the
// node is run again with Execution.Resumed set, and may pause again.
type Pause struct {
	// Kind names what is waited for, for example "human_input_required".
	Kind string
	// Until is when the node is run again at the latest; zero means never.
	Until time.Time
	// Reason is what clients are shown, in the contract's form.
	Reason *value.Object
}

// Error says what is waited for.
func (p *Pause) Error() string { return fmt.Sprintf("paused: %s", p.Kind) }

// Resumption tells how the wait of a paused node ended; clients see it before
// the node goes on.
type Resumption struct {
	// Kind is the contract's event, for example "human_input_form_filled".
	Kind string        `json:"kind"`
	Data *value.Object `json:"data,omitempty"`
}
