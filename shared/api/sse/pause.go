package sse

import (
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// humanInput is the type of pauses for a person.
const humanInput = "human_input_required"

// typeHumanInput is the node type whose inputs the contract shows with types.
const typeHumanInput = "human-input"

// paused shows that a run waits: one event for each form, then the pause. What
// ends the wait has no event of its own: the recorded servers send none, the
// run's next segment begins with workflow_started.
func (v *View) paused(ev *workflow.Event) []*value.Object {
	p := ev.Paused
	var out []*value.Object
	for _, reason := range p.Reasons {
		if reason.String("TYPE") == humanInput {
			out = append(out, v.data(humanInput, form(reason)))
		}
	}
	return append(out, v.data("workflow_paused", value.Obj(
		"workflow_run_id", v.RunID,
		"paused_nodes", nodes(p),
		"outputs", object(p.Outputs),
		"reasons", reasons(p),
		"status", workflow.StatusPaused,
		"created_at", p.StartedAt.Unix(),
		"elapsed_time", p.Elapsed,
		"total_tokens", p.Tokens,
		"total_steps", int64(p.Steps),
	)))
}

// form is a reason as an event of its own shows it.
func form(reason *value.Object) *value.Object {
	o := value.NewObject(reason.Len())
	for _, key := range []string{
		"form_id", "node_id", "node_title", "form_content", "inputs", "actions", "display_in_ui", "form_token", "approval_channels",
		"resolved_default_values", "expiration_time",
	} {
		o.Set(key, reason.Value(key))
	}
	return o
}

// reasons are the reasons as a pause shows them.
func reasons(p *workflow.RunPaused) []any {
	out := make([]any, len(p.Reasons))
	for i, r := range p.Reasons {
		c := r.Clone()
		c.Delete("display_in_ui")
		out[i] = c
	}
	return out
}

func nodes(p *workflow.RunPaused) []any {
	out := make([]any, len(p.Nodes))
	for i, id := range p.Nodes {
		out[i] = id
	}
	return out
}

// BlockingWorkflowPaused is the answer of a workflow run in blocking mode that
// waits for a person.
func (v *View) BlockingWorkflowPaused(p *workflow.RunPaused) *value.Object {
	return value.Obj("task_id", v.TaskID, "workflow_run_id", v.RunID, "data", v.pausedData(p))
}

func (v *View) pausedData(p *workflow.RunPaused) *value.Object {
	return value.Obj(
		"id", v.RunID, "workflow_id", v.WorkflowID, "status", workflow.StatusPaused, "outputs", object(p.Outputs), "error", nil,
		"elapsed_time", p.Elapsed, "total_tokens", p.Tokens, "total_steps", int64(p.Steps), "created_at", p.StartedAt.Unix(),
		"finished_at", nil, "paused_nodes", nodes(p), "reasons", reasons(p),
	)
}

// BlockingChatPaused is the answer of a chatflow in blocking mode that waits for
// a person.
func (v *View) BlockingChatPaused(p *workflow.RunPaused, mode string) *value.Object {
	return value.Obj(
		"event", "workflow_paused", "task_id", v.TaskID, "id", v.MessageID, "message_id", v.MessageID,
		"conversation_id", v.ConversationID, "mode", mode, "answer", p.Answer, "metadata", v.Metadata(&workflow.RunFinished{}),
		"created_at", v.MessageAt.Unix(), "workflow_run_id", v.RunID, "data", v.pausedData(p),
	)
}

// typedInputs shows what a person has answered: each value with its type.
func typedInputs(n *workflow.NodeEvent) *value.Object {
	if n.NodeType != typeHumanInput || n.Inputs == nil {
		return object(n.Inputs)
	}
	out := value.NewObject(n.Inputs.Len())
	for k, x := range n.Inputs.All() {
		kind := "string"
		switch x.(type) {
		case *value.File:
			kind = "file"
		case []any:
			kind = "array[file]"
		}
		out.Set(k, value.Obj("value", x, "value_type", kind))
	}
	return out
}

// RenderSnapshot returns the events that bring a client up to date that sees a
// run for the first time. They have the simple form for everybody, and tell the
// real order of nodes.
func (v *View) RenderSnapshot(s *run.Snapshot) [][]byte {
	out := []*value.Object{v.data("workflow_started", value.Obj(
		"id", v.RunID, "workflow_id", v.WorkflowID, "inputs", object(s.Inputs), "created_at", s.StartedAt.Unix(), "reason", workflow.ReasonInitial,
	))}
	if v.Chat && s.Answer != "" {
		o := v.envelope("message_replace")
		o.Set("answer", s.Answer)
		o.Set("reason", "")
		out = append(out, o)
	}
	simple := *v
	simple.Simple = true
	for i := range s.Nodes {
		n := &s.Nodes[i]
		o := simple.nodeStarted(&n.Started)
		o.Set("index", int64(n.Started.Node.Index))
		out = append(out, v.data("node_started", o))
		if n.Ended != nil {
			o := simple.nodeFinished(n.Ended)
			o.Set("index", int64(n.Started.Node.Index))
			out = append(out, v.data("node_finished", o))
		}
	}
	if s.Paused != nil {
		out = append(out, v.paused(s.Paused)...)
	}
	return encode(out)
}
