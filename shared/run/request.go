package run

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Modes of apps whose runs this package knows.
const (
	ModeWorkflow     = "workflow"
	ModeAdvancedChat = "advanced-chat"
)

// User is on whose behalf a run is made.
type User struct {
	ID   string `json:"id"`
	Role string `json:"role"` // account or end_user
	// SessionID is what an end user is called by the app's backend; for accounts
	// it is the account id.
	SessionID string `json:"session_id"`
}

// StartRequest asks for a run of a workflow version. The inputs have been
// checked against the start node's variables.
type StartRequest struct {
	TenantID   string `json:"tenant_id"`
	AppID      string `json:"app_id"`
	WorkflowID string `json:"workflow_id"`
	// RunID is made when empty. The task id follows from it, see TaskID.
	RunID string `json:"run_id"`
	Mode  string `json:"mode"`

	InvokeFrom    string `json:"invoke_from"`    // service-api, web-app, ...
	TriggeredFrom string `json:"triggered_from"` // "" means app-run
	// CreatedFrom is set when the run belongs in the app's log: service-api,
	// web-app, installed-app. Chat turns have messages instead.
	CreatedFrom string `json:"created_from,omitempty"`
	User        User   `json:"user"`

	Inputs *value.Object `json:"inputs"`
	Files  []any         `json:"files,omitempty"` // *value.File, shown as sys.files
	Chat   *ChatTurn     `json:"chat,omitempty"`
	// Alone makes a run of one container of the graph instead of the whole graph.
	Alone *Alone `json:"alone,omitempty"`
	// Replay is set in runs that were made from another one.
	Replay *Replay `json:"replay,omitempty"`
	// CalledBy is the run whose node called this one, CallDepth how many runs
	// called each other on the way here. Call sets both.
	CalledBy  string `json:"called_by,omitempty"`
	CallDepth int    `json:"call_depth,omitempty"`
	// Queue is where the run continues when this process cannot; "" means the
	// service's default.
	Queue string `json:"queue,omitempty"`
}

// ChatTurn is the chatflow part of a request.
type ChatTurn struct {
	ConversationID  string `json:"conversation_id"`
	NewConversation bool   `json:"new_conversation,omitempty"`
	MessageID       string `json:"message_id"`
	ParentMessageID string `json:"parent_message_id,omitempty"`
	Query           string `json:"query"`
	// DialogueCount is the number of turns that the conversation had before.
	DialogueCount int    `json:"dialogue_count"`
	Introduction  string `json:"introduction,omitempty"`
	// Variables are what the conversation keeps of its variables; those that are
	// missing have the workflow's defaults.
	Variables []StoredVariable `json:"variables,omitempty"`
}

// UnmarshalJSON brings files in values back.
func (r *StartRequest) UnmarshalJSON(data []byte) error {
	type plain StartRequest
	aux := struct {
		*plain
		Files json.RawMessage `json:"files"`
	}{plain: (*plain)(r)}
	if err := json.Unmarshal(data, &aux); err != nil {
		return err
	}
	if len(aux.Files) > 0 {
		v, err := value.Decode(aux.Files)
		if err != nil {
			return fmt.Errorf("files: %w", err)
		}
		r.Files, _ = value.Revive(v).([]any)
	}
	r.Replay.revive()
	if r.Inputs != nil {
		value.Revive(r.Inputs)
	}
	return nil
}

// taskMask makes task ids differ from run ids without storing them.
var taskMask = [3]byte{0x5a, 0xa5, 0x3c}

// TaskID returns the task id of a run id, and the run id of a task id. Text
// that is no uuid gives "".
func TaskID(id string) string {
	if len(id) != 36 {
		return ""
	}
	tail, err := hex.DecodeString(id[30:])
	if err != nil {
		return ""
	}
	for i := range tail {
		tail[i] ^= taskMask[i]
	}
	return id[:30] + hex.EncodeToString(tail)
}

// Variable is an environment or conversation variable of a workflow version.
type Variable struct {
	// ID, Type and Description are those of a conversation variable.
	ID, Type, Description string
	Name                  string
	Value                 any
	Secret                bool
}

// Definition is a version of a workflow as it is stored.
type Definition struct {
	ID, TenantID, AppID string
	Type                string // workflow or chat
	Version             string
	Graph               string // JSON text
	Environment         []Variable
	Conversation        []Variable
	// Mutable is true for a draft, which is asked for again for each run.
	Mutable bool
}

// GraphSource finds workflow versions. Published ones never change, so the
// service keeps what it has compiled.
type GraphSource interface {
	// Definition returns errs.NotFound when the tenant has no such version.
	Definition(ctx context.Context, tenantID, workflowID string) (*Definition, error)
}

// Message is a wake-up on its way through a queue.
type Message struct {
	ID         string            `json:"id"`
	TenantID   string            `json:"tenant_id"`
	RunID      string            `json:"run_id"`
	Attributes map[string]string `json:"-"`
}

// Sender puts wake-ups on queues. Delivery is at least once, in any order.
type Sender interface {
	Send(ctx context.Context, queue string, m Message) error
}

// Sink receives what a client should see, in order. An error means that the
// client is gone: it gets nothing more, and the run goes on.
type Sink interface {
	Item(Item) error
}

// SinkFunc is a function as a Sink.
type SinkFunc func(Item) error

// Item implements Sink.
func (f SinkFunc) Item(i Item) error { return f(i) }

// Item is one thing to show. A client that gives ID back as its last event id
// continues right after it.
type Item struct {
	ID    string
	Event workflow.Event
	// Live is true for text that is not journalled yet; Event has no Seq then.
	Live bool
}

// Result is what Start and Join report when they end.
type Result struct {
	RunID, TaskID, WorkflowID string
	CreatedAt                 time.Time
	// Finished is set when the run is over.
	Finished *workflow.RunFinished
	// Paused is set when the run waits for something outside, for example a person.
	Paused *workflow.RunPaused
	// HandedOver is true when the run goes on elsewhere because this process is
	// about to be ended; the client should join again.
	HandedOver bool
}
