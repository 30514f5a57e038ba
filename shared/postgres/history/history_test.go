package history_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/postgres"
	pghistory "github.com/millrace/millrace/shared/postgres/history"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/run/history/historytest"
)

type world struct{ pool *pgxpool.Pool }

func (w world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func (world) AddApp(*testing.T, string, string) {}

// person makes sure that who made a row exists and returns the id.
func (w world) person(t *testing.T, tenantID, appID string, p history.Person) string {
	t.Helper()
	if a := p.Account; a != nil {
		w.exec(t, `INSERT INTO accounts (id, name, email) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, a.ID, a.Name, a.Email)
		return a.ID
	}
	u := p.EndUser
	w.exec(t, `INSERT INTO end_users (id, tenant_id, app_id, type, session_id, is_anonymous) VALUES ($1, $2, $3, 'service_api', $4, $5) ON CONFLICT DO NOTHING`,
		u.ID, tenantID, appID, u.SessionID, u.IsAnonymous)
	return u.ID
}

func (w world) AddRun(t *testing.T, tenantID string, r history.Run, log *history.Log, nodes ...history.NodeExecution) {
	t.Helper()
	by := w.person(t, tenantID, r.AppID, r.CreatedBy)
	w.exec(t, `INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, outputs, status,
			elapsed_time, total_tokens, total_steps, created_by_role, created_by, created_at, finished_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		r.ID, tenantID, r.AppID, r.WorkflowID, r.Type, r.TriggeredFrom, r.Version, string(r.Graph), string(r.Inputs), string(r.Outputs), r.Status,
		r.ElapsedTime, r.TotalTokens, r.TotalSteps, r.CreatedByRole, by, r.CreatedAt, r.FinishedAt)
	if log != nil {
		w.exec(t, `INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, created_by_role, created_by, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			log.ID, tenantID, r.AppID, r.WorkflowID, r.ID, log.CreatedFrom, log.CreatedByRole, by, log.CreatedAt)
	}
	for _, n := range nodes {
		w.exec(t, `INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, workflow_run_id, triggered_from, index, node_id, node_type,
				title, outputs, status, error, elapsed_time, created_by_role, created_by, created_at, finished_at)
			VALUES ($1, $2, $3, $4, $5, 'workflow-run', $6, $7, $8, $9, nullif($10, ''), $11, nullif($12, ''), $13, $14, $15, $16, $17)`,
			n.ID, tenantID, r.AppID, r.WorkflowID, r.ID, n.Index, n.NodeID, n.NodeType, n.Title, string(n.Outputs), n.Status, n.Error, n.ElapsedTime,
			n.CreatedByRole, by, n.CreatedAt, n.FinishedAt)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	historytest.Run(t, func(t *testing.T) (history.Store, historytest.World) {
		url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
		pool, err := postgres.Open(t.Context(), url, nil)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pghistory.New(pool), world{pool}
	})
}
