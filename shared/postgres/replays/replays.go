// Package replays keeps which runs were made from which others, and batches of
// them, in tables of its own.
package replays

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/run/replay"
)

// Store is a replay.Store.
type Store struct{ db postgres.DB }

var _ replay.Store = (*Store)(nil)

// New returns a store.
func New(db postgres.DB) *Store { return &Store{db} }

const (
	whatRun   = "Run"
	whatBatch = "Batch"

	insertOrigin = `INSERT INTO millrace_run_origins
		(run_id, tenant_id, app_id, origin_run_id, workflow_id, from_node, batch_id, position, refused, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (run_id) DO NOTHING`
	selectOrigin = `SELECT run_id::text, tenant_id::text, app_id::text, origin_run_id::text, workflow_id::text, from_node,
		coalesce(batch_id::text, ''), position, refused, created_at FROM millrace_run_origins `
	selectBatch = `SELECT id::text, tenant_id::text, app_id::text, workflow_id::text, from_node, queue, at_once, created_by::text, created_at
		FROM millrace_replay_batches `
)

func row(o replay.Origin) []any {
	return []any{
		o.RunID, o.TenantID, o.AppID, o.OriginID, o.WorkflowID, o.FromNode, postgres.Null(o.BatchID), o.Position, o.Refused, o.CreatedAt,
	}
}

func scanOrigin(r pgx.CollectableRow) (replay.Origin, error) {
	var o replay.Origin
	err := r.Scan(&o.RunID, &o.TenantID, &o.AppID, &o.OriginID, &o.WorkflowID, &o.FromNode, &o.BatchID, &o.Position, &o.Refused, &o.CreatedAt)
	o.CreatedAt = o.CreatedAt.UTC()
	return o, err
}

func scanBatch(r pgx.CollectableRow) (replay.Batch, error) {
	var b replay.Batch
	err := r.Scan(&b.ID, &b.TenantID, &b.AppID, &b.WorkflowID, &b.FromNode, &b.Queue, &b.AtOnce, &b.CreatedBy, &b.CreatedAt)
	b.CreatedAt = b.CreatedAt.UTC()
	return b, err
}

// Link implements replay.Store.
func (s *Store) Link(ctx context.Context, o replay.Origin) error {
	_, err := s.db.Exec(ctx, insertOrigin, row(o)...)
	return postgres.Error(err, whatRun)
}

// Origin implements replay.Store.
func (s *Store) Origin(ctx context.Context, tenantID, runID string) (replay.Origin, error) {
	rows, err := s.db.Query(ctx, selectOrigin+`WHERE run_id = $1 AND tenant_id = $2`, runID, tenantID)
	if err != nil {
		return replay.Origin{}, postgres.Error(err, whatRun)
	}
	o, err := pgx.CollectExactlyOneRow(rows, scanOrigin)
	return o, postgres.Error(err, whatRun)
}

// Replays implements replay.Store.
func (s *Store) Replays(ctx context.Context, tenantID, originID string, limit int) ([]replay.Origin, error) {
	rows, err := s.db.Query(ctx, selectOrigin+`WHERE tenant_id = $1 AND origin_run_id = $2 ORDER BY created_at DESC, run_id DESC LIMIT $3`, tenantID, originID, limit)
	if err != nil {
		return nil, postgres.Error(err, whatRun)
	}
	list, err := pgx.CollectRows(rows, scanOrigin)
	return list, postgres.Error(err, whatRun)
}

// CreateBatch implements replay.Store.
func (s *Store) CreateBatch(ctx context.Context, x replay.Batch, list []replay.Origin) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO millrace_replay_batches (id, tenant_id, app_id, workflow_id, from_node, queue, at_once, created_by, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			x.ID, x.TenantID, x.AppID, x.WorkflowID, x.FromNode, x.Queue, x.AtOnce, x.CreatedBy, x.CreatedAt)
		for _, o := range list {
			b.Queue(insertOrigin, row(o)...)
		}
		return postgres.Error(tx.SendBatch(ctx, b).Close(), whatBatch)
	})
}

// Batch implements replay.Store.
func (s *Store) Batch(ctx context.Context, tenantID, appID, id string) (replay.Batch, []replay.Origin, error) {
	if !ids.Valid(id) {
		return replay.Batch{}, nil, errs.New(errs.NotFound, "Batch not found")
	}
	rows, err := s.db.Query(ctx, selectBatch+`WHERE id = $1 AND tenant_id = $2 AND app_id = $3`, id, tenantID, appID)
	if err != nil {
		return replay.Batch{}, nil, postgres.Error(err, whatBatch)
	}
	b, err := pgx.CollectExactlyOneRow(rows, scanBatch)
	if err != nil {
		return replay.Batch{}, nil, postgres.Error(err, whatBatch)
	}
	if rows, err = s.db.Query(ctx, selectOrigin+`WHERE batch_id = $1 AND tenant_id = $2 ORDER BY position`, id, tenantID); err != nil {
		return replay.Batch{}, nil, postgres.Error(err, whatBatch)
	}
	list, err := pgx.CollectRows(rows, scanOrigin)
	return b, list, postgres.Error(err, whatBatch)
}

// Batches implements replay.Store.
func (s *Store) Batches(ctx context.Context, tenantID, appID string, limit int) ([]replay.Batch, error) {
	rows, err := s.db.Query(ctx, selectBatch+`WHERE tenant_id = $1 AND app_id = $2 ORDER BY created_at DESC, id DESC LIMIT $3`, tenantID, appID, limit)
	if err != nil {
		return nil, postgres.Error(err, whatBatch)
	}
	list, err := pgx.CollectRows(rows, scanBatch)
	return list, postgres.Error(err, whatBatch)
}

// Refuse implements replay.Store.
func (s *Store) Refuse(ctx context.Context, tenantID, runID, reason string) error {
	tag, err := s.db.Exec(ctx, `UPDATE millrace_run_origins SET refused = $3 WHERE run_id = $1 AND tenant_id = $2 AND batch_id IS NOT NULL`,
		runID, tenantID, reason)
	if err == nil && tag.RowsAffected() == 0 {
		return errs.New(errs.NotFound, "Run not found")
	}
	return postgres.Error(err, whatRun)
}
