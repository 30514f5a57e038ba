// Package driver is the interface between package runstore and the databases
// that keep journals. Only drivers and runstore itself import it; everybody
// else uses the aliases in runstore.
package driver

import (
	"context"
	"encoding/json"
	"time"

	"github.com/millrace/millrace/shared/workflow"
)

// Statuses of a stored run besides the final ones of package workflow.
const (
	StatusRunning   = "running"
	StatusSuspended = "suspended" // nobody needs to work on it before WakeAt
)

// Run is a stored run.
type Run struct {
	ID         string
	TenantID   string
	AppID      string
	WorkflowID string
	// TaskID is what clients stop the run by.
	TaskID string
	// Queue is where wake-ups of the run are sent.
	Queue string
	// Spec is everything that is needed to continue the run, a JSON object. The
	// store only looks whether it has a member "part": see OpenParts.
	Spec       json.RawMessage
	Status     string
	StopReason string // not empty: somebody asked the run to stop
	LastSeq    int64
	Token      int64 // of the latest lease
	CreatedAt  time.Time
	// Leased is true while some worker has a valid lease.
	Leased bool
}

// Finished reports whether the run is over.
func (r *Run) Finished() bool { return r.Status != StatusRunning && r.Status != StatusSuspended }

// Lease is the right to write a run's journal. Whoever acquires the run later
// gets a higher token, and writes with the lower one fail.
type Lease struct {
	TenantID string
	RunID    string
	Owner    string
	Token    int64
	// LastSeq is the last journalled event; the holder counts on from it.
	LastSeq int64
}

// Batch is what one commit writes: events, the rows made from them, and
// wake-ups.
type Batch struct {
	Events []workflow.Event
	Rows   Rows
	Wakes  []Wake
	// Status is the run's new status; "" keeps it. A final status ends the lease.
	Status string
	// CheckBudgets asks whether a budget of the run's app or workspace is used up.
	// Begin then fails with errs.BudgetExceeded; Append writes the batch, stores
	// the reason for which the run has to stop, and returns it.
	CheckBudgets bool
}

// Wake is a message that makes some worker look at a run. It carries no state.
type Wake struct {
	ID         string
	TenantID   string
	RunID      string
	Queue      string
	Attributes map[string]string // trace context
}

// Granted is an acquired run with its journal.
type Granted struct {
	Run    Run
	Lease  Lease
	Events []workflow.Event
}

// Driver is a database. All methods are safe for concurrent use. Errors carry
// the codes that package runstore documents; everything else is internal.
type Driver interface {
	Begin(ctx context.Context, run *Run, owner string, ttl time.Duration, b *Batch) (Lease, error)
	Append(ctx context.Context, l *Lease, ttl time.Duration, b *Batch) (stopReason string, err error)
	Acquire(ctx context.Context, tenantID, runID, owner string, ttl time.Duration) (*Granted, error)
	Renew(ctx context.Context, l *Lease, ttl time.Duration) (stopReason string, err error)
	Release(ctx context.Context, l *Lease, wakeAt time.Time, wakes []Wake) error
	Get(ctx context.Context, tenantID, runID string) (*Run, error)
	Events(ctx context.Context, tenantID, runID string, after int64) ([]workflow.Event, error)
	RequestStop(ctx context.Context, tenantID, runID, reason string) error
	Signal(ctx context.Context, tenantID, runID string) error
	OpenParts(ctx context.Context, tenantID string) (int, error)
	Due(ctx context.Context, limit int) (int, error)
	ExpireOwner(ctx context.Context, owner string) (int, error)
	Pending(ctx context.Context, limit int) ([]Wake, error)
	MarkRelayed(ctx context.Context, wakes []Wake) error
	FirstDelivery(ctx context.Context, consumer, messageID string) (bool, error)
}
