// Package show renders stored runs, conversations and messages in the
// contract's form, for the APIs that share it (service, console, web).
//
// It loads nothing: handlers get rows from domain services and give them to a
// Renderer. What is shown of a running run is package sse's.
package show

import (
	"context"
	"encoding/json"
	"time"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/workflow/truncate"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Signer makes the URLs of files. *file.Signer is one.
type Signer interface {
	Preview(id string) string
	Image(id string) string
	Tool(id, extension string) string
}

// Renderer renders rows; those with files get new URLs for them. Refresh gives
// files in a value new URLs, as file.Service.Refresh does.
type Renderer struct {
	Signer  Signer
	Refresh func(v any) any
}

// Scroll is the contract's list without numbered pages.
type Scroll struct {
	Limit   int             `json:"limit"`
	HasMore bool            `json:"has_more"`
	Data    []*value.Object `json:"data"`
}

// NewScroll renders a list.
func NewScroll[T any](limit int, more bool, list []T, show func(T) *value.Object) Scroll {
	return Scroll{Limit: limit, HasMore: more, Data: Each(list, show)}
}

// Each renders every element; the result is never nil.
func Each[T any](list []T, show func(T) *value.Object) []*value.Object {
	out := make([]*value.Object, 0, len(list))
	for _, x := range list {
		out = append(out, show(x))
	}
	return out
}

// QueryID reads a uuid of the query, "" when there is none.
func QueryID(q *edge.Query, name string, required bool) string {
	v := q.Text(name)
	if v == "" {
		q.Require(name, !required)
		return ""
	}
	if !ids.Valid(v) {
		q.Add(name, "should be a valid uuid")
	}
	return v
}

// Moment reads a time of the query in one of the layouts, ISO forms besides;
// nil when there is none.
func Moment(q *edge.Query, name string, layouts ...string) *time.Time {
	raw := q.Text(name)
	if raw == "" {
		return nil
	}
	for _, layout := range append(layouts, time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02") {
		if t, err := time.Parse(layout, raw); err == nil {
			t = t.UTC()
			return &t
		}
	}
	q.Add(name, "should be a valid datetime")
	return nil
}

// OrNull is nil for "".
func OrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// UnixOrNull is a time in seconds, nil for none.
func UnixOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.Unix()
}

// ISO writes a time as those routes do that show no number.
func ISO(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000") }

// Stored shows a JSON column. What cannot be read, or is not there, is an
// empty object.
func (r *Renderer) Stored(raw json.RawMessage) any {
	v, err := value.Decode(raw)
	if err != nil || v == nil {
		return value.NewObject(0)
	}
	return r.Refresh(v)
}

// Price writes a decimal as the contract does, null for none.
func Price(stored string) any {
	if stored == "" {
		return nil
	}
	d, err := llm.ParseDecimal(stored)
	if err != nil {
		return stored
	}
	return d.String()
}

// Conversation renders a conversation for its person.
func (r *Renderer) Conversation(c chat.Conversation) *value.Object {
	return value.Obj(
		"id", c.ID,
		"name", c.Name,
		"inputs", r.Stored(c.Inputs),
		"status", c.Status,
		"introduction", c.Introduction,
		"created_at", c.CreatedAt.Unix(),
		"updated_at", c.UpdatedAt.Unix(),
	)
}

// Message renders a message for its person.
func (r *Renderer) Message(m chat.Message) *value.Object {
	var feedback any
	for _, f := range m.Feedbacks {
		if f.FromSource == "user" {
			feedback = value.Obj("rating", f.Rating)
		}
	}
	sources := metadata(m).Value("retriever_resources")
	if sources == nil {
		sources = []any{}
	}
	return value.Obj(
		"id", m.ID,
		"conversation_id", m.ConversationID,
		"parent_message_id", OrNull(m.ParentMessageID),
		"inputs", r.Stored(m.Inputs),
		"query", m.Query,
		"answer", r.resign(m.Answer),
		"message_files", r.files(m.Files),
		"feedback", feedback,
		"retriever_resources", sources,
		"created_at", m.CreatedAt.Unix(),
		"agent_thoughts", []any{},
		"extra_contents", append([]any{}, m.Extra...),
		"status", m.Status,
		"error", OrNull(m.Error),
		"message_tokens", m.MessageTokens,
		"answer_tokens", m.AnswerTokens,
		"total_tokens", m.MessageTokens+m.AnswerTokens,
		"total_price", Price(m.TotalPrice),
		"currency", OrNull(m.Currency),
		"provider_response_latency", m.Latency,
	)
}

// Forms finds what runs have asked people. *humaninput.Service is one.
type Forms interface {
	OfMessages(ctx context.Context, tenantID, appID string, messageIDs []string) (map[string][]*value.Object, error)
}

// AddForms adds to an app's messages what their runs have asked people.
func AddForms(ctx context.Context, forms Forms, tenantID, appID string, list []chat.Message) error {
	of := make([]string, len(list))
	for i := range list {
		of[i] = list[i].ID
	}
	found, err := forms.OfMessages(ctx, tenantID, appID, of)
	if err != nil {
		return err
	}
	for i := range list {
		for _, f := range found[list[i].ID] {
			list[i].Extra = append(list[i].Extra, f)
		}
	}
	return nil
}

func metadata(m chat.Message) *value.Object {
	v, err := value.Decode(m.Metadata)
	if err != nil {
		return nil
	}
	o, _ := v.(*value.Object)
	return o
}

// ConsoleMessage renders a message for the console.
func (r *Renderer) ConsoleMessage(m chat.Message) *value.Object {
	feedbacks := make([]any, 0, len(m.Feedbacks))
	for _, f := range m.Feedbacks {
		var account any
		if f.FromAccountID != "" {
			account = value.Obj("id", f.FromAccountID, "name", f.AccountName, "email", f.AccountEmail)
		}
		feedbacks = append(feedbacks, value.Obj("rating", f.Rating, "content", OrNull(f.Content), "from_source", f.FromSource,
			"from_end_user_id", OrNull(f.FromEndUserID), "from_account", account))
	}
	var prompt any = ""
	if v, err := value.Decode(m.Prompt); err == nil && v != nil {
		prompt = v
	}
	var meta any = value.NewObject(0)
	if o := metadata(m); o != nil {
		meta = o
	}
	return value.Obj(
		"id", m.ID,
		"conversation_id", m.ConversationID,
		"parent_message_id", OrNull(m.ParentMessageID),
		"inputs", r.Stored(m.Inputs),
		"query", m.Query,
		"message", prompt,
		"message_tokens", m.MessageTokens,
		"answer", r.resign(m.Answer),
		"answer_tokens", m.AnswerTokens,
		"provider_response_latency", m.Latency,
		"from_source", m.FromSource,
		"from_end_user_id", OrNull(m.FromEndUserID),
		"from_account_id", OrNull(m.FromAccountID),
		"feedbacks", feedbacks,
		"workflow_run_id", OrNull(m.WorkflowRunID),
		"annotation", nil,
		"annotation_hit_history", nil,
		"created_at", m.CreatedAt.Unix(),
		"agent_thoughts", []any{},
		"message_files", r.files(m.Files),
		"extra_contents", append([]any{}, m.Extra...),
		"metadata", meta,
		"status", m.Status,
		"error", OrNull(m.Error),
	)
}

// Log renders an entry of an app's log.
func Log(l history.Log) *value.Object {
	run := l.Run
	return value.Obj(
		"id", l.ID,
		"workflow_run", value.Obj(
			"id", run.ID, "version", run.Version, "status", run.Status, "triggered_from", run.TriggeredFrom,
			"error", OrNull(run.Error), "elapsed_time", run.ElapsedTime, "total_tokens", run.TotalTokens,
			"total_steps", int64(run.TotalSteps), "created_at", run.CreatedAt.Unix(), "finished_at", UnixOrNull(run.FinishedAt),
			"exceptions_count", int64(run.ExceptionsCount),
		),
		"details", nil,
		"created_from", l.CreatedFrom,
		"created_by_role", l.CreatedByRole,
		"created_by_account", account(l.CreatedBy),
		"created_by_end_user", endUser(l.CreatedBy),
		"created_at", l.CreatedAt.Unix(),
	)
}

// Run renders an entry of the console's list of runs.
func Run(r history.Run) *value.Object {
	o := runBase(r)
	o.Set("conversation_id", OrNull(r.ConversationID))
	o.Set("message_id", OrNull(r.MessageID))
	return o
}

// RunOfWorkflow is Run for workflows, which have no conversations.
func RunOfWorkflow(r history.Run) *value.Object { return runBase(r) }

func runBase(r history.Run) *value.Object {
	return value.Obj(
		"id", r.ID, "version", r.Version, "status", r.Status, "elapsed_time", r.ElapsedTime, "total_tokens", r.TotalTokens,
		"total_steps", int64(r.TotalSteps), "created_by_account", account(r.CreatedBy), "created_at", r.CreatedAt.Unix(),
		"finished_at", UnixOrNull(r.FinishedAt), "exceptions_count", int64(r.ExceptionsCount), "retry_index", nil,
	)
}

// RunDetail renders a run for the console.
func (r *Renderer) RunDetail(run history.Run) *value.Object {
	return value.Obj(
		"id", run.ID, "version", run.Version, "graph", r.Stored(run.Graph), "inputs", r.Stored(run.Inputs), "status", run.Status,
		"outputs", r.Stored(run.Outputs), "error", OrNull(run.Error), "elapsed_time", run.ElapsedTime,
		"total_tokens", run.TotalTokens, "total_steps", int64(run.TotalSteps), "created_by_role", run.CreatedByRole,
		"created_by_account", account(run.CreatedBy), "created_by_end_user", endUser(run.CreatedBy),
		"created_at", run.CreatedAt.Unix(), "finished_at", UnixOrNull(run.FinishedAt), "exceptions_count", int64(run.ExceptionsCount),
	)
}

// NodeExecution renders a node's execution for the console.
func (r *Renderer) NodeExecution(n history.NodeExecution) *value.Object {
	// What a node that ran alone did not have is null, in runs it is empty.
	part := func(raw json.RawMessage) (any, bool) {
		if len(raw) == 0 && n.TriggeredFrom == history.FromSingleStep {
			return nil, false
		}
		return truncate.Limits{}.Value(r.Stored(raw))
	}
	inputs, inputsCut := part(n.Inputs)
	process, processCut := part(n.ProcessData)
	outputs, outputsCut := part(n.Outputs)
	return value.Obj(
		"id", n.ID, "index", int64(n.Index), "predecessor_node_id", OrNull(n.Predecessor), "node_id", n.NodeID,
		"node_type", n.NodeType, "title", n.Title, "inputs", inputs, "process_data", process,
		"outputs", outputs, "status", n.Status, "error", OrNull(n.Error), "elapsed_time", n.ElapsedTime,
		"execution_metadata", r.Stored(n.Metadata), "extras", value.NewObject(0), "created_at", n.CreatedAt.Unix(),
		"created_by_role", n.CreatedByRole, "created_by_account", account(n.CreatedBy), "created_by_end_user", endUser(n.CreatedBy),
		"finished_at", UnixOrNull(n.FinishedAt), "inputs_truncated", inputsCut, "outputs_truncated", outputsCut, "process_data_truncated", processCut,
	)
}

func account(p history.Person) any {
	if p.Account == nil {
		return nil
	}
	return value.Obj("id", p.Account.ID, "name", p.Account.Name, "email", p.Account.Email)
}

func endUser(p history.Person) any {
	if p.EndUser == nil {
		return nil
	}
	return value.Obj("id", p.EndUser.ID, "type", p.EndUser.Type, "is_anonymous", false, "session_id", p.EndUser.SessionID)
}
