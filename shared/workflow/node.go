package workflow

import (
	"context"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Kind is how the engine treats the nodes of a type.
type Kind string

// The kinds of node types.
const (
	KindRoot       Kind = "root"       // starts a run
	KindExecutable Kind = "executable" // follows all of its edges
	KindBranch     Kind = "branch"     // follows the edges of the handle it selects
	KindContainer  Kind = "container"  // runs a child graph
	KindResponse   Kind = "response"   // its template is what clients see
)

// Type is a node type: one value for each package below node/.
type Type interface {
	// Name is the DSL's type string, for example "http-request".
	Name() string
	// Kind says how the engine treats its nodes.
	Kind() Kind
	// Effect reports whether running a node touches anything outside the run.
	// Everything before such a node is durable when it starts, and its result is
	// durable before anything after it starts. Nodes without effects must be
	// deterministic: after a crash they may be computed again.
	Effect() bool
	// New parses and checks the configuration. The node is immutable and may be
	// run by any number of runs at once.
	New(cfg *NodeConfig) (Node, error)
}

// Node is a configured node.
type Node interface {
	// Run executes the node once. On failure it returns an *Failure (any other
	// error counts as type WorkflowNodeError) together with whatever of Result it
	// has: inputs and process data of a failed try are shown to the user. Run
	// stops promptly when ctx ends and then returns ctx's error.
	Run(ctx context.Context, x *Execution) (*Result, error)
}

// Responder is a node of KindResponse. Template is what it streams, in order.
type Responder interface {
	Node
	Template() []Segment
}

// Writer is a node that assigns variables of other scopes (an assigner).
// Streaming of a template waits for writers of the selectors it shows.
type Writer interface {
	Node
	Writes() []Selector
}

// Presenter is a node that shows more than its identity when it starts, in the
// form in which clients see it.
type Presenter interface {
	Node
	Extras() *value.Object
}

// Execution is everything a node gets to know about one try.
type Execution struct {
	// ID is the node execution's id, the same for every try.
	ID string
	// Node is the configuration.
	Node *NodeConfig
	// Attempt counts tries from 0.
	Attempt int
	// Key is stable for one try over crashes and workers: send it as
	// Idempotency-Key where the other side may honour it.
	Key string
	// Run tells about the run.
	Run *RunInfo
	// Pool is a snapshot of the variables.
	Pool *Pool
	// Clock tells the time and waits.
	Clock clock.Clock
	// Emit sends a piece of a streamed output; nil when nobody listens. It may
	// block for a short time and must be called from Run's goroutine.
	Emit func(Chunk)
	// Recovered is true when an earlier worker started this same try and died.
	Recovered bool
	// Resumed is true when an earlier call of this same try returned a *Pause.
	Resumed bool
	// Frames is where in nested containers the node runs; empty at the top.
	Frames []Frame
}

// Chunk is a piece of a variable that is streamed while the node still runs.
type Chunk struct {
	// Name of the output, for example "text" or "reasoning_content".
	Name string
	Text string
	// Final marks the end of this output's stream; Text may be empty.
	Final bool
}

// RunInfo tells nodes about the run they belong to.
type RunInfo struct {
	ID         string
	TaskID     string
	TenantID   string
	AppID      string
	WorkflowID string
	Mode       string // workflow or advanced-chat
	InvokeFrom string // service-api, web-app, debugger, ...
	UserID     string // account or end user id
	UserFrom   string // account or end-user
	// ConversationID and ParentMessageID are set in chatflows.
	ConversationID string
	MessageID      string
	StartedAt      time.Time
}

// Result is what a try produced.
type Result struct {
	Inputs      *value.Object
	ProcessData *value.Object
	Outputs     *value.Object
	// Metadata becomes execution_metadata: total_tokens, total_price, currency...
	Metadata *value.Object
	// Handle is the selected handle of a branch.
	Handle string
	// Usage is set by nodes that called a model.
	Usage *Usage
	// Updates assigns variables of other scopes.
	Updates []Update
	// Resumption is set by a node that had paused.
	Resumption *Resumption
}

// Update assigns a variable when the node's success is journalled.
type Update struct {
	Selector Selector
	Value    any
}

// Usage adds up model usage. Object is the contract's usage object as shown in
// outputs; the sums of a run are made from the other fields.
type Usage struct {
	PromptTokens     int64
	CompletionTokens int64
	TotalTokens      int64
	TotalPrice       string // decimal
	Currency         string
	Object           *value.Object
	// Provider and Model are who was called. Sums over several calls name nobody,
	// which is how they are told from what is metered.
	Provider string `json:",omitempty"`
	Model    string `json:",omitempty"`
	// Latency is how long the call took, in seconds.
	Latency float64 `json:",omitempty"`
}

// Failure is the error of a node: Type is the contract's error type (for
// example HTTPResponseCodeError), Message what users see.
type Failure struct {
	Type    string
	Message string
	Cause   error
}

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Fail returns a *Failure.
func Fail(errorType, message string) *Failure { return &Failure{Type: errorType, Message: message} }
