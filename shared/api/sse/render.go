// Package sse renders the events of a run as the contract's server-sent events
// and blocking answers, and writes event streams.
//
// It decides nothing about runs: what happened comes from package workflow's
// events, in the order of package run's relay. The two forms that the contract
// knows (full for the service API and debugging, simple for web apps) are here.
package sse

import (
	"strings"
	"time"

	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// View is how one client sees one run.
type View struct {
	Chat bool // conversation events instead of workflow events
	// Simple leaves out what only owners of the app may see.
	Simple bool
	// Truncate cuts large values; only the service API shows them whole.
	Truncate   bool
	TaskID     string
	RunID      string
	WorkflowID string
	// ConversationID, MessageID and MessageAt are set in chats.
	ConversationID string
	MessageID      string
	MessageAt      time.Time
	StartedAt      time.Time
	// CreatedBy is {id, user} of an end user or {id, name, email} of an account.
	CreatedBy *value.Object
}

// Render returns the bodies of the server-sent events that show ev, in order;
// most events have one, the end of a chat has two, a pause one more for each form.
func (v *View) Render(ev *workflow.Event) [][]byte {
	var out []*value.Object
	ev, cuts := v.cut(ev)
	switch ev.Type {
	case workflow.EventRunStarted:
		out = append(out, v.data("workflow_started", value.Obj(
			"id", v.RunID,
			"workflow_id", v.WorkflowID,
			"inputs", object(ev.Started.Inputs),
			"created_at", ev.At.Unix(),
			"reason", ev.Started.Reason,
		)))
	case workflow.EventNodeStarted:
		if isContainer(ev.Node) {
			out = v.containerStarted(ev)
			break
		}
		out = append(out, v.data("node_started", v.nodeStarted(ev)))
	case workflow.EventNodeFinished:
		if isContainer(ev.Node) {
			out = v.containerFinished(ev)
			break
		}
		out = append(out, v.data("node_finished", v.nodeFinished(ev)))
	case workflow.EventPassStarted:
		out = v.passStarted(ev)
	case workflow.EventNodeRetry:
		o := nodeResult(ev)
		o.Set("retry_index", int64(ev.Node.Attempt+1))
		out = append(out, v.data("node_retry", o))
	case workflow.EventText:
		out = append(out, v.text(ev.Text))
	case workflow.EventTextReplaced:
		out = append(out, v.replaced(ev.Text.Text))
	case workflow.EventReasoning:
		o := v.envelope("reasoning_chunk")
		o.Set("data", value.Obj(
			"message_id", orNil(v.MessageID),
			"reasoning", ev.Reasoning.Text,
			"node_id", ev.Reasoning.NodeID,
			"is_final", ev.Reasoning.Final,
		))
		out = append(out, o)
	case workflow.EventRunPaused:
		out = v.paused(ev)
	case workflow.EventRunFinished:
		out = v.finished(ev)
	}
	cuts.mark(out)
	return encode(out)
}

func encode(out []*value.Object) [][]byte {
	bodies := make([][]byte, 0, len(out))
	for _, o := range out {
		raw, err := value.Encode(o)
		if err != nil {
			continue // values were encoded when they were journalled
		}
		bodies = append(bodies, raw)
	}
	return bodies
}

// envelope starts an event with the keys that come before its own.
func (v *View) envelope(name string) *value.Object {
	o := value.NewObject(8)
	o.Set("event", name)
	if v.Chat {
		o.Set("conversation_id", v.ConversationID)
		o.Set("message_id", v.MessageID)
		o.Set("created_at", v.MessageAt.Unix())
	} else {
		o.Set("workflow_run_id", v.RunID)
	}
	o.Set("task_id", v.TaskID)
	return o
}

func (v *View) data(name string, data *value.Object) *value.Object {
	o := v.envelope(name)
	o.Set("workflow_run_id", v.RunID)
	o.Set("data", data)
	return o
}

func (v *View) text(t *workflow.TextPiece) *value.Object {
	if v.Chat {
		o := v.envelope("message")
		o.Set("id", v.MessageID)
		o.Set("answer", t.Text)
		o.Set("from_variable_selector", selector(t.Selector))
		return o
	}
	o := v.envelope("text_chunk")
	o.Set("data", value.Obj("text", t.Text, "from_variable_selector", selector(t.Selector)))
	return o
}

func (v *View) replaced(text string) *value.Object {
	if v.Chat {
		o := v.envelope("message_replace")
		o.Set("answer", text)
		o.Set("reason", "restarted")
		return o
	}
	o := v.envelope("text_replace")
	o.Set("data", value.Obj("text", text))
	return o
}

func identity(n *workflow.NodeEvent) *value.Object {
	return value.Obj(
		"id", n.ExecutionID,
		"node_id", n.NodeID,
		"node_type", n.NodeType,
		"title", n.Title,
		"index", int64(1),
		"predecessor_node_id", nil,
	)
}

func (v *View) nodeStarted(ev *workflow.Event) *value.Object {
	o := identity(ev.Node)
	o.Set("inputs", nil)
	if !v.Simple {
		o.Set("inputs_truncated", false)
	}
	o.Set("created_at", ev.Node.StartedAt.Unix())
	extras := value.NewObject(0)
	if !v.Simple && ev.Node.Extras != nil {
		extras = ev.Node.Extras
	}
	o.Set("extras", extras)
	containers(o, ev)
	if !v.Simple {
		o.Set("agent_strategy", nil)
	}
	return o
}

func (v *View) nodeFinished(ev *workflow.Event) *value.Object {
	if !v.Simple {
		return nodeResult(ev)
	}
	n := ev.Node
	o := identity(n)
	for _, key := range []string{"inputs", "process_data", "outputs"} {
		o.Set(key, nil)
	}
	o.Set("status", n.Status)
	o.Set("error", nil)
	o.Set("elapsed_time", n.Elapsed)
	o.Set("execution_metadata", nil)
	o.Set("created_at", n.StartedAt.Unix())
	o.Set("finished_at", ev.At.Unix())
	o.Set("files", []any{})
	containers(o, ev)
	return o
}

func nodeResult(ev *workflow.Event) *value.Object {
	n := ev.Node
	o := identity(n)
	o.Set("inputs", typedInputs(n))
	o.Set("inputs_truncated", false)
	o.Set("process_data", object(n.ProcessData))
	o.Set("process_data_truncated", false)
	o.Set("outputs", object(n.Outputs))
	o.Set("outputs_truncated", false)
	o.Set("status", n.Status)
	o.Set("error", orNil(n.Error))
	o.Set("elapsed_time", n.Elapsed)
	if n.Metadata.Len() == 0 {
		o.Set("execution_metadata", nil)
	} else {
		o.Set("execution_metadata", n.Metadata)
	}
	o.Set("created_at", n.StartedAt.Unix())
	o.Set("finished_at", ev.At.Unix())
	o.Set("files", files(Files(n.Outputs)))
	containers(o, ev)
	return o
}

// containers sets the innermost iteration and the innermost loop that the
// event belongs to.
func containers(o *value.Object, ev *workflow.Event) {
	var iteration, loop any
	for _, f := range ev.Frame {
		switch f.Type {
		case typeIteration:
			iteration = f.NodeID
		case typeLoop:
			loop = f.NodeID
		}
	}
	o.Set("iteration_id", iteration)
	o.Set("loop_id", loop)
}

func (v *View) finished(ev *workflow.Event) []*value.Object {
	f := ev.Finished
	data := value.Obj(
		"id", v.RunID,
		"workflow_id", v.WorkflowID,
		"status", f.Status,
		"outputs", object(f.Outputs),
		"error", orNil(f.Error),
		"elapsed_time", f.Elapsed,
		"total_tokens", f.Tokens,
		"total_steps", int64(f.Steps),
		"created_by", object(v.CreatedBy),
		"created_at", f.StartedAt.Unix(),
		"finished_at", ev.At.Unix(),
		"exceptions_count", int64(f.Exceptions),
		"files", files(f.Files()),
	)
	end := v.data("workflow_finished", data)
	if !v.Chat || (f.Status != workflow.StatusSucceeded && f.Status != workflow.StatusPartialSucceeded) {
		return []*value.Object{end}
	}
	o := v.envelope("message_end")
	o.Set("id", v.MessageID)
	o.Set("metadata", v.Metadata(f))
	o.Set("files", files(f.Files()))
	return []*value.Object{o, end}
}

// Metadata is what the contract tells of an answer beside its text: usage,
// sources and reasoning.
func (v *View) Metadata(f *workflow.RunFinished) *value.Object {
	full := run.MessageMetadata(f)
	if v.Simple {
		full.Delete("usage")
		full.Delete("annotation_reply")
	}
	return full
}

// BlockingWorkflow is the answer of a workflow run in blocking mode.
func (v *View) BlockingWorkflow(ev *workflow.Event) *value.Object {
	f := ev.Finished
	return value.Obj(
		"task_id", v.TaskID,
		"workflow_run_id", v.RunID,
		"data", value.Obj(
			"id", v.RunID,
			"workflow_id", v.WorkflowID,
			"status", f.Status,
			"outputs", object(f.Outputs),
			"error", orNil(f.Error),
			"elapsed_time", f.Elapsed,
			"total_tokens", f.Tokens,
			"total_steps", int64(f.Steps),
			"created_at", f.StartedAt.Unix(),
			"finished_at", ev.At.Unix(),
		),
	)
}

// BlockingChat is the answer of a chatflow in blocking mode.
func (v *View) BlockingChat(ev *workflow.Event, mode string) *value.Object {
	return value.Obj(
		"event", "message",
		"task_id", v.TaskID,
		"id", v.MessageID,
		"message_id", v.MessageID,
		"conversation_id", v.ConversationID,
		"mode", mode,
		"answer", ev.Finished.Answer,
		"metadata", v.Metadata(ev.Finished),
		"created_at", v.MessageAt.Unix(),
	)
}

// Stillborn is the pair of events for a run that failed before its graph
// started: the client asked for a stream and gets one.
func (v *View) Stillborn(inputs *value.Object, failure string, at time.Time) [][]byte {
	var out [][]byte
	for _, o := range []*value.Object{
		value.Obj("event", "workflow_started", "task_id", v.TaskID, "workflow_run_id", v.RunID, "data", value.Obj(
			"id", v.RunID, "workflow_id", v.WorkflowID, "inputs", object(inputs), "created_at", at.Unix(), "reason", "initial",
		)),
		value.Obj("event", "workflow_finished", "task_id", v.TaskID, "workflow_run_id", v.RunID, "data", value.Obj(
			"id", v.RunID, "workflow_id", v.WorkflowID, "status", workflow.StatusFailed, "outputs", nil,
			"error", strings.TrimSpace(failure), "elapsed_time", 0.0, "total_tokens", int64(0), "total_steps", int64(0),
			"created_by", value.NewObject(0), "created_at", at.Unix(), "finished_at", at.Unix(), "exceptions_count", int64(1),
			"files", []any{},
		)),
	} {
		raw, err := value.Encode(o)
		if err == nil {
			out = append(out, raw)
		}
	}
	return out
}

// Files returns the files in an object's values, in order.
func Files(o *value.Object) []*value.File {
	var out []*value.File
	for _, v := range o.All() {
		switch v := v.(type) {
		case *value.File:
			out = append(out, v)
		case []any:
			for _, x := range v {
				if f, ok := x.(*value.File); ok {
					out = append(out, f)
				}
			}
		}
	}
	return out
}

func files(list []*value.File) []any {
	out := make([]any, len(list))
	for i, f := range list {
		out[i] = f
	}
	return out
}

func selector(s workflow.Selector) any {
	if s == nil {
		return nil
	}
	out := make([]any, len(s))
	for i, part := range s {
		out[i] = part
	}
	return out
}

func object(o *value.Object) *value.Object {
	if o == nil {
		return value.NewObject(0)
	}
	return o
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
