// Package debug is what people do with drafts beside editing them: run one node
// alone, run one iteration or loop alone, and look at, change and reset the
// variables that runs of the draft left behind.
//
// Runs of whole drafts are package run's; it calls Service.Keep with the events
// of a run before they become durable, so that what a node left behind is there
// when its end is. Storage is behind Store: package postgres/drafts, and
// memdebug for tests. HTTP is in api/console/workflows. START HERE: Service.
package debug

import (
	"context"
	"encoding/json"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/truncate"
)

// Scope is whose variables are meant: those of one account in one app.
type Scope struct{ TenantID, AppID, AccountID string }

// Variable is what runs of a draft left behind in one place.
type Variable struct {
	ID          string
	NodeID      string // of a node, or sys or conversation
	Name        string
	Description string
	// ValueType is the contract's name of the type of the value.
	ValueType string
	// Value is JSON. Where File is set it is what was left of the value after
	// cutting it.
	Value     json.RawMessage
	Visible   bool
	Editable  bool
	IsDefault bool
	// ExecutionID is the node execution that made the value; "" for none.
	ExecutionID string
	// EditedAt is when somebody changed the value by hand.
	EditedAt  *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
	// File is set for values that are too large for a row.
	File *VariableFile
}

// Edited reports whether the value is not the one that a run made.
func (v *Variable) Edited() bool { return v.EditedAt != nil }

// Selector names the variable.
func (v *Variable) Selector() []string { return []string{v.NodeID, v.Name} }

// VariableFile tells where the whole of a large value lies.
type VariableFile struct {
	ID       string
	UploadID string
	Size     int64 // bytes of JSON
	Length   *int  // elements of a list or members of an object
	// ValueType is the type of the whole value.
	ValueType string
}

// Execution is a run of a single node, as it is stored.
type Execution struct {
	ID, WorkflowID           string
	NodeID, NodeType, Title  string
	Inputs, Process, Outputs *string // JSON; nil is NULL
	Status                   string
	Error                    *string
	Elapsed                  float64
	Metadata                 *string
	CreatedAt, FinishedAt    time.Time
}

// Store keeps variables and the executions of single nodes. What is not the
// tenant's is not found (code not_found) and nothing is written.
type Store interface {
	// Save puts variables in the place of those with the same node and name; their
	// ids stay. They count as not edited unless EditedAt is set.
	Save(ctx context.Context, s Scope, list []Variable) error
	// Prefill adds the variables that are not there yet.
	Prefill(ctx context.Context, s Scope, list []Variable) error
	// Variables lists those of a node, of all when nodeID is "", newest first.
	Variables(ctx context.Context, s Scope, nodeID string) ([]Variable, error)
	// Page lists all of them without values, newest first, and counts them.
	Page(ctx context.Context, s Scope, offset, limit int) (list []Variable, total int, err error)
	// Variable returns one.
	Variable(ctx context.Context, s Scope, id string) (Variable, error)
	// Find returns the one with that name.
	Find(ctx context.Context, s Scope, nodeID, name string) (Variable, error)
	// Update writes name, value, type, file and edit time of one.
	Update(ctx context.Context, s Scope, v Variable) error
	// Delete removes one.
	Delete(ctx context.Context, s Scope, id string) error
	// DeleteAll removes those of a node, or all when nodeID is "".
	DeleteAll(ctx context.Context, s Scope, nodeID string) error
	// AddExecution stores the execution of a single node.
	AddExecution(ctx context.Context, s Scope, e Execution) error
	// Outputs returns the stored outputs of a node execution of the app.
	Outputs(ctx context.Context, s Scope, executionID string) (json.RawMessage, error)
}

// Blobs keeps values that are too large for a row.
type Blobs interface {
	// Put stores data for an account and returns the id of the upload.
	Put(ctx context.Context, tenantID, accountID string, data []byte) (uploadID string, err error)
	// Get returns what was put.
	Get(ctx context.Context, tenantID, uploadID string) ([]byte, error)
	// URL is where the person who is asking can fetch it for a while.
	URL(uploadID string) string
}

// Deps are what a Service works with; all are required, Types and Graphs only
// to run nodes.
type Deps struct {
	Store  Store
	Blobs  Blobs
	Graphs run.GraphSource
	Types  engine.Types
	Clock  clock.Clock
}

// Options tune a Service; the zero value is usable.
type Options struct {
	// Limits are how much of a value is kept in its row [the contract's].
	Limits truncate.Limits
	// MaxTime bounds the run of a single node [1200 s].
	MaxTime time.Duration
}

// Service debugs drafts. It is safe for concurrent use.
type Service struct {
	Deps
	opts Options
}

// New returns a service.
func New(d Deps, o Options) *Service {
	if o.MaxTime <= 0 {
		o.MaxTime = 1200 * time.Second
	}
	return &Service{d, o}
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }
