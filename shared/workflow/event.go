package workflow

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/workflow/value"
)

// EventType names a kind of journalled event.
type EventType string

// The kinds of events. All but EventTextReplaced are journalled.
const (
	EventRunStarted   EventType = "run_started"
	EventRunFinished  EventType = "run_finished"
	EventNodeStarted  EventType = "node_started"
	EventNodeRetry    EventType = "node_retry"
	EventNodeFinished EventType = "node_finished"
	// EventNodePaused and EventNodeResumed are the waits of a node.
	EventNodePaused  EventType = "node_paused"
	EventNodeResumed EventType = "node_resumed"
	// EventPassStarted and EventPassFinished are one pass of a container; Node is
	// the container and Pass the pass.
	EventPassStarted  EventType = "pass_started"
	EventPassFinished EventType = "pass_finished"
	// EventFanOut says that the passes of a container (Node) run as runs of their
	// own, the Parts; EventPartJoined that the events before it are those of
	// Parts[0].
	EventFanOut     EventType = "fan_out"
	EventPartJoined EventType = "part_joined"
	// EventRunPaused says that nothing is left to do but to wait for paused nodes.
	// The run goes on with an EventRunStarted whose reason is ReasonResumption.
	EventRunPaused EventType = "run_paused"
	EventText      EventType = "text"
	EventReasoning EventType = "reasoning"
	// EventTextReplaced is never journalled: a relay makes it when text that a
	// client has seen will not be continued because the step behind it has to
	// start again. Its text is the whole response so far.
	EventTextReplaced EventType = "text_replaced"
)

// Statuses of runs and node executions, as the contract has them.
const (
	StatusRunning          = "running"
	StatusSucceeded        = "succeeded"
	StatusFailed           = "failed"
	StatusStopped          = "stopped"
	StatusPartialSucceeded = "partial-succeeded"
	StatusPaused           = "paused"
	StatusException        = "exception"
	StatusRetry            = "retry"
)

// Event is one fact of a run. The journal of a run is the ordered list of its
// events: recovery folds it, clients are shown it, and the contract's tables
// are made from it. Which payload is set follows from Type.
type Event struct {
	// Seq counts from 1 within the run.
	Seq  int64     `json:"seq"`
	Type EventType `json:"type"`
	At   time.Time `json:"at"`
	// Token is the fencing token of the worker that wrote the event.
	Token int64 `json:"token,omitempty"`
	// Frame is where in nested containers the event happened; empty at the top.
	Frame []Frame `json:"frame,omitempty"`

	Started   *RunStarted  `json:"started,omitempty"`
	Finished  *RunFinished `json:"finished,omitempty"`
	Node      *NodeEvent   `json:"node,omitempty"`
	Text      *TextPiece   `json:"text,omitempty"`
	Reasoning *Reasoning   `json:"reasoning,omitempty"`
	Pass      *Pass        `json:"pass,omitempty"`
	Pause     *PauseInfo   `json:"pause,omitempty"`
	Resumed   *Resumption  `json:"resumed,omitempty"`
	Paused    *RunPaused   `json:"paused,omitempty"`
	Parts     []Part       `json:"parts,omitempty"`
}

// Frame is one pass of one container on the way to a node, outermost first.
type Frame struct {
	NodeID string `json:"node_id"`
	// Type is the container's node type: iteration or loop.
	Type  string `json:"type"`
	Index int    `json:"index"`
}

// Pass is the payload of the pass events.
type Pass struct {
	Index int `json:"index"`
	// Elapsed is in seconds; at the end of a pass only.
	Elapsed float64 `json:"elapsed,omitempty"`
	// Error and ErrorType are set when a node of the pass failed.
	Error     string `json:"error,omitempty"`
	ErrorType string `json:"error_type,omitempty"`
}

// Part is a range of a container's passes that runs as a run of its own, on any
// worker. Its journal goes on from the journal of the run it belongs to, which
// takes its events over when it is done.
type Part struct {
	RunID string `json:"run_id"`
	From  int    `json:"from"` // the first pass
	To    int    `json:"to"`   // the pass after the last
	// Parallel is how many passes it may run at once.
	Parallel int `json:"parallel"`
}

// PauseInfo is the payload of EventNodePaused.
type PauseInfo struct {
	Kind   string        `json:"kind"`
	Until  time.Time     `json:"until,omitzero"`
	Reason *value.Object `json:"reason,omitempty"`
}

// RunPaused is the payload of EventRunPaused.
type RunPaused struct {
	// Nodes are the ids of the paused nodes, Reasons what they wait for, both in
	// the order in which the nodes started.
	Nodes   []string        `json:"nodes"`
	Reasons []*value.Object `json:"reasons"`
	Outputs *value.Object   `json:"outputs"`
	// StartedAt is the start of the run; Elapsed the seconds it has worked.
	StartedAt time.Time `json:"started_at"`
	Elapsed   float64   `json:"elapsed"`
	Tokens    int64     `json:"tokens"`
	Steps     int       `json:"steps"`
	// Until is when the run goes on at the latest; zero means when it is woken.
	Until time.Time `json:"until,omitzero"`
	// Answer is the whole text that the response nodes have streamed so far.
	Answer string `json:"answer,omitempty"`
}

// RunStarted is the payload of EventRunStarted.
type RunStarted struct {
	// Inputs are the user's inputs followed by the sys.* variables that are shown.
	Inputs *value.Object `json:"inputs"`
	// Reason is ReasonInitial or ReasonResumption.
	Reason string `json:"reason"`
}

// Why a run, or a new segment of it, started.
const (
	ReasonInitial    = "initial"
	ReasonResumption = "resumption"
	ReasonPart       = "part" // of a container, never shown to clients
)

// RunFinished is the payload of EventRunFinished.
type RunFinished struct {
	Status     string        `json:"status"`
	Outputs    *value.Object `json:"outputs"`
	Error      string        `json:"error,omitempty"`
	ErrorType  string        `json:"error_type,omitempty"`
	StartedAt  time.Time     `json:"started_at"`
	Elapsed    float64       `json:"elapsed"` // seconds
	Tokens     int64         `json:"tokens"`
	Steps      int           `json:"steps"`
	Exceptions int           `json:"exceptions"`
	// Answer is the whole text that the response nodes streamed.
	Answer string `json:"answer,omitempty"`
	// Usage adds up the model usage of all nodes; nil when no model was called.
	Usage *Usage `json:"usage,omitempty"`
	// Reasoning is the shown reasoning text by node id.
	Reasoning *value.Object `json:"reasoning,omitempty"`
}

// NodeEvent is the payload of the node events. A node_started event has the
// identity and Extras only.
type NodeEvent struct {
	ExecutionID string    `json:"execution_id"`
	NodeID      string    `json:"node_id"`
	NodeType    string    `json:"node_type"`
	Title       string    `json:"title"`
	Index       int       `json:"index"` // order of start within the run, from 1
	StartedAt   time.Time `json:"started_at"`

	// Attempt is the try that ended (from 0); on node_retry the retry index is
	// Attempt+1 and NotBefore is when the next try starts.
	Attempt   int       `json:"attempt,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`

	Status      string        `json:"status,omitempty"`
	Inputs      *value.Object `json:"inputs,omitempty"`
	ProcessData *value.Object `json:"process_data,omitempty"`
	Outputs     *value.Object `json:"outputs,omitempty"`
	Metadata    *value.Object `json:"metadata,omitempty"`
	Error       string        `json:"error,omitempty"`
	ErrorType   string        `json:"error_type,omitempty"`
	Elapsed     float64       `json:"elapsed,omitempty"` // seconds

	// Extras is what a node_started event shows besides, for example an icon.
	Extras *value.Object `json:"extras,omitempty"`

	// Length is the announced number of passes of a container that opened; nil for
	// other nodes and for containers that failed before.
	Length *int `json:"length,omitempty"`
	// Steps is what the contract counts as a container's steps.
	Steps int `json:"steps,omitempty"`

	Handle  string   `json:"handle,omitempty"`
	Updates []Update `json:"updates,omitempty"`
	Usage   *Usage   `json:"usage,omitempty"`
	// Streams holds, by output name, what the node had streamed but could not be
	// shown yet when it finished, because other text comes first.
	Streams map[string]string `json:"streams,omitempty"`
}

// TextPiece is the payload of EventText: a contiguous piece of the response.
type TextPiece struct {
	Selector Selector `json:"selector"`
	Text     string   `json:"text"`
}

// Reasoning is the payload of EventReasoning.
type Reasoning struct {
	NodeID string `json:"node_id"`
	Text   string `json:"text"`
	// Final marks the end of one node's reasoning.
	Final bool `json:"final,omitempty"`
}

// Files returns the files found in the run's outputs, in order: those that are
// an output or an element of an output that is a list.
func (f *RunFinished) Files() []*value.File {
	var out []*value.File
	for _, v := range f.Outputs.All() {
		switch v := v.(type) {
		case *value.File:
			out = append(out, v)
		case []any:
			for _, x := range v {
				if file, ok := x.(*value.File); ok {
					out = append(out, file)
				}
			}
		}
	}
	return out
}

// Terminal reports whether no event of the run can follow.
func (e *Event) Terminal() bool { return e.Type == EventRunFinished }

// MarshalJSON keeps the difference between integers and floats.
func (u Update) MarshalJSON() ([]byte, error) {
	v, err := value.Encode(u.Value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Selector Selector        `json:"selector"`
		Value    json.RawMessage `json:"value"`
	}{u.Selector, v})
}

// UnmarshalJSON is the opposite of MarshalJSON.
func (u *Update) UnmarshalJSON(data []byte) error {
	var raw struct {
		Selector Selector        `json:"selector"`
		Value    json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	v, err := value.Decode(raw.Value)
	if err != nil {
		return err
	}
	u.Selector, u.Value = raw.Selector, value.Revive(v)
	return nil
}

// DecodeEvents reads what EncodeEvents wrote. Files in values are files again.
func DecodeEvents(data []byte) ([]Event, error) {
	var events []Event
	if err := json.Unmarshal(data, &events); err != nil {
		return nil, fmt.Errorf("decode events: %w", err)
	}
	ReviveEvents(events)
	return events, nil
}

// ReviveEvents turns the files in the values of decoded events into files again.
func ReviveEvents(events []Event) {
	for i := range events {
		e := &events[i]
		if e.Started != nil {
			value.Revive(e.Started.Inputs)
		}
		if e.Finished != nil {
			value.Revive(e.Finished.Outputs)
		}
		if e.Pause != nil && e.Pause.Reason != nil {
			value.Revive(e.Pause.Reason)
		}
		if e.Resumed != nil && e.Resumed.Data != nil {
			value.Revive(e.Resumed.Data)
		}
		if e.Paused != nil && e.Paused.Outputs != nil {
			value.Revive(e.Paused.Outputs)
		}
		if n := e.Node; n != nil {
			for _, o := range []*value.Object{n.Inputs, n.ProcessData, n.Outputs, n.Metadata} {
				if o != nil {
					value.Revive(o)
				}
			}
		}
	}
}
