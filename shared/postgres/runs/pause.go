package runs

import (
	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/runstore/driver"
)

// A run has one pause at a time. The contract's pauses have no tenant column:
// mine holds when the run is the tenant's. The state of a paused run is its
// journal, so the pause names no object that holds one.
const (
	mine = `EXISTS (SELECT 1 FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2)`

	sqlRunPaused = `UPDATE workflow_runs w SET status = 'paused', outputs = $3, elapsed_time = $4, total_tokens = $5, total_steps = $6, finished_at = NULL
WHERE w.id = $1 AND w.tenant_id IS NOT DISTINCT FROM $2`

	sqlRunResumed = `UPDATE workflow_runs w SET status = 'running' WHERE w.id = $1 AND w.tenant_id IS NOT DISTINCT FROM $2 AND w.status = 'paused'`

	sqlPauseEnd = `UPDATE workflow_pauses p SET resumed_at = $3, updated_at = $3 WHERE p.workflow_run_id = $1 AND p.resumed_at IS NULL AND ` + mine

	sqlPauseReasonsGone = `DELETE FROM workflow_pause_reasons d WHERE d.pause_id IN (SELECT p.id FROM workflow_pauses p WHERE p.workflow_run_id = $1) AND ` + mine

	sqlPauseGone = `DELETE FROM workflow_pauses p WHERE p.workflow_run_id = $1 AND ` + mine

	sqlPause = `INSERT INTO workflow_pauses (id, workflow_id, workflow_run_id, state_object_key, created_at, updated_at)
SELECT $3, $4, r.id, '', $5, $5 FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2`

	sqlPauseReason = `INSERT INTO workflow_pause_reasons (id, pause_id, type_, form_id, node_id, message, created_at, updated_at)
SELECT $3, $4, $5, $6, $7, $8, $9, $9 FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2`

	sqlMessagePause = `UPDATE messages t SET status = 'paused', answer = $4, updated_at = $5 WHERE t.id = $3 AND ` + ownApp
)

// queuePause adds the end of a pause and the begin of one, in that order.
func queuePause(b *pgx.Batch, l *driver.Lease, r *driver.Rows) {
	run, tenant := l.RunID, l.TenantID
	if r.Resume != nil {
		b.Queue(sqlPauseEnd, run, tenant, *r.Resume)
		b.Queue(sqlRunResumed, run, tenant)
	}
	if p := r.Pause; p != nil {
		b.Queue(sqlRunPaused, run, tenant, cleaned(p.Outputs), p.Elapsed, p.Tokens, p.Steps)
		b.Queue(sqlPauseReasonsGone, run, tenant)
		b.Queue(sqlPauseGone, run, tenant)
		b.Queue(sqlPause, run, tenant, p.ID, p.WorkflowID, p.At)
		for _, x := range p.Reasons {
			b.Queue(sqlPauseReason, run, tenant, x.ID, p.ID, x.Type, x.FormID, short(x.NodeID), short(clean(x.Message)), p.At)
		}
	}
	if m := r.MessagePause; m != nil {
		b.Queue(sqlMessagePause, run, tenant, m.ID, clean(m.Answer), m.At)
	}
}
