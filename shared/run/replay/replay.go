// Package replay keeps which runs were made from which others, and the batches
// in which many were; and it tells how the results of two runs differ.
//
// It starts nothing: package run makes the new runs. The stores are memreplay
// and shared/postgres/replays. START HERE: Store and Diff.
package replay

import (
	"context"
	"time"
)

// Origin says where a run comes from.
type Origin struct {
	RunID, TenantID, AppID string
	// OriginID is the run that was run again.
	OriginID string
	// WorkflowID is the version that the new run is a run of.
	WorkflowID string
	// FromNode is where the new run begins to differ; "" at its start.
	FromNode string
	// BatchID and Position are the batch that asked for the run and the run's
	// place in it; BatchID is "" for a single one.
	BatchID  string
	Position int
	// Refused is why there will be no run; only in batches.
	Refused   string
	CreatedAt time.Time
}

// Batch is a request to run many runs again.
type Batch struct {
	ID, TenantID, AppID string
	WorkflowID          string
	FromNode            string
	// Queue is where the runs are worked on, AtOnce how many at the same time.
	Queue  string
	AtOnce int
	// CreatedBy is the account on whose behalf they run.
	CreatedBy string
	CreatedAt time.Time
}

// Store keeps origins and batches. What is not the tenant's is not there.
type Store interface {
	// Link notes the origin of a run; noting it again changes nothing.
	Link(ctx context.Context, o Origin) error
	// Origin returns where a run comes from; errs.NotFound for those that were not
	// made from another.
	Origin(ctx context.Context, tenantID, runID string) (Origin, error)
	// Replays lists what was made from a run, newest first.
	Replays(ctx context.Context, tenantID, originID string, limit int) ([]Origin, error)
	// CreateBatch stores a batch with all its origins, or nothing.
	CreateBatch(ctx context.Context, b Batch, list []Origin) error
	// Batch returns a batch with its origins in order; errs.NotFound.
	Batch(ctx context.Context, tenantID, appID, id string) (Batch, []Origin, error)
	// Batches lists the batches of an app, newest first.
	Batches(ctx context.Context, tenantID, appID string, limit int) ([]Batch, error)
	// Refuse notes why a run of a batch will not be made; errs.NotFound.
	Refuse(ctx context.Context, tenantID, runID, reason string) error
}
