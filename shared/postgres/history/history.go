// Package history reads stored runs from the contract's tables. It implements
// the Store of shared/run/history; the rows are written by package runs.
package history

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/run/history"
)

// Store implements history.Store on Postgres.
type Store struct{ db postgres.Querier }

var _ history.Store = (*Store)(nil)

// New returns a store on db.
func New(db postgres.Querier) *Store { return &Store{db} }

// personColumns show who created a row r; personJoins find them.
const (
	personColumns = `a.id::text, a.name, a.email, u.id::text, u.type, u.is_anonymous, u.session_id`
	personJoins   = ` LEFT JOIN accounts a ON r.created_by_role = 'account' AND a.id = r.created_by
		LEFT JOIN end_users u ON r.created_by_role = 'end_user' AND u.id = r.created_by AND u.tenant_id = $1`
)

type person struct {
	accountID, accountName, accountEmail *string
	userID, userType                     *string
	anonymous                            *bool
	session                              *string
}

func (p *person) targets() []any {
	return []any{&p.accountID, &p.accountName, &p.accountEmail, &p.userID, &p.userType, &p.anonymous, &p.session}
}

func (p *person) value() (out history.Person) {
	if p.accountID != nil {
		out.Account = &history.Account{ID: *p.accountID, Name: *p.accountName, Email: *p.accountEmail}
	}
	if p.userID != nil {
		out.EndUser = &history.EndUser{
			ID: *p.userID, Type: strings.ReplaceAll(*p.userType, "_", "-"), IsAnonymous: *p.anonymous, SessionID: *p.session,
		}
	}
	return out
}

const runColumns = `r.id::text, r.workflow_id::text, r.app_id::text, r.type, r.triggered_from, r.version, r.status, r.error,
	r.elapsed_time, r.total_tokens, coalesce(r.total_steps, 0), coalesce(r.exceptions_count, 0), r.created_by_role,
	r.created_at, r.finished_at`

func runTargets(r *history.Run, failure **string) []any {
	return []any{&r.ID, &r.WorkflowID, &r.AppID, &r.Type, &r.TriggeredFrom, &r.Version, &r.Status, failure,
		&r.ElapsedTime, &r.TotalTokens, &r.TotalSteps, &r.ExceptionsCount, &r.CreatedByRole, &r.CreatedAt, &r.FinishedAt}
}

// Run returns one run with its graph, inputs and outputs.
func (st *Store) Run(ctx context.Context, tenantID, appID, runID string) (history.Run, error) {
	var r history.Run
	var p person
	var failure, graph, inputs, outputs *string
	targets := append(runTargets(&r, &failure), &graph, &inputs, &outputs)
	err := st.db.QueryRow(ctx, `SELECT `+runColumns+`, r.graph, r.inputs, r.outputs, `+personColumns+`
		FROM workflow_runs r`+personJoins+` WHERE r.tenant_id = $1 AND r.app_id = $2 AND r.id = $3`,
		tenantID, appID, runID).Scan(append(targets, p.targets()...)...)
	r.Error, r.CreatedBy = postgres.Text(failure), p.value()
	r.Graph, r.Inputs, r.Outputs = raw(graph), raw(inputs), raw(outputs)
	return r, postgres.Error(err, "")
}

// Runs returns a page of runs, newest first, with the message they answered.
func (st *Store) Runs(ctx context.Context, tenantID, appID string, q history.RunQuery) ([]history.Run, bool, error) {
	var before *time.Time
	if q.LastID != "" {
		if err := st.db.QueryRow(ctx, `SELECT created_at FROM workflow_runs WHERE tenant_id = $1 AND app_id = $2 AND id = $3`,
			tenantID, appID, q.LastID).Scan(&before); err != nil {
			return nil, false, postgres.Error(err, "")
		}
	}
	rows, err := st.db.Query(ctx, `SELECT `+runColumns+`, coalesce(m.conversation_id::text, ''), coalesce(m.id::text, ''), `+
		personColumns+` FROM workflow_runs r`+personJoins+`
		LEFT JOIN messages m ON m.workflow_run_id = r.id AND m.app_id = r.app_id
		WHERE r.tenant_id = $1 AND r.app_id = $2 AND r.triggered_from = ANY ($3) AND ($4 = '' OR r.status = $4)
			AND ($5::timestamp IS NULL OR r.created_at < $5 OR r.created_at = $5 AND r.id < nullif($6, '')::uuid)
		ORDER BY r.created_at DESC, r.id DESC LIMIT $7`,
		tenantID, appID, q.TriggeredFrom, q.Status, before, q.LastID, q.Limit+1)
	if err != nil {
		return nil, false, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r history.Run, err error) {
		var p person
		var failure *string
		err = row.Scan(append(append(runTargets(&r, &failure), &r.ConversationID, &r.MessageID), p.targets()...)...)
		r.Error, r.CreatedBy = postgres.Text(failure), p.value()
		return r, err
	})
	if len(list) > q.Limit {
		return list[:q.Limit], true, postgres.Error(err, "")
	}
	return list, false, postgres.Error(err, "")
}

// Logs returns a page of an app's log, newest first.
func (st *Store) Logs(ctx context.Context, tenantID, appID string, q history.LogQuery) ([]history.Log, int, error) {
	from := ` FROM workflow_app_logs l
		JOIN workflow_runs w ON w.id = l.workflow_run_id AND w.tenant_id = $1
		LEFT JOIN accounts a ON l.created_by_role = 'account' AND a.id = l.created_by
		LEFT JOIN end_users u ON l.created_by_role = 'end_user' AND u.id = l.created_by AND u.tenant_id = $1
		WHERE l.tenant_id = $1 AND l.app_id = $2 AND ($3 = '' OR w.status = $3)
			AND ($4 = '' OR w.inputs ILIKE $4 OR w.outputs ILIKE $4 OR u.session_id ILIKE $4 OR w.id::text = $5)
			AND ($6::timestamp IS NULL OR l.created_at <= $6) AND ($7::timestamp IS NULL OR l.created_at >= $7)
			AND ($8 = '' OR u.session_id = $8) AND ($9 = '' OR a.email = $9)`
	params := []any{tenantID, appID, q.Status, postgres.Like(q.Keyword), q.Keyword, q.Before, q.After, q.SessionID, q.Account}
	var total int
	if err := st.db.QueryRow(ctx, `SELECT count(*)`+from, params...).Scan(&total); err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	rows, err := st.db.Query(ctx, `SELECT l.id::text, l.created_from, l.created_by_role, l.created_at, `+
		strings.ReplaceAll(runColumns, "r.", "w.")+`, `+personColumns+from+
		` ORDER BY l.created_at DESC, l.id DESC LIMIT $10 OFFSET $11`, append(params, q.Limit, (q.Page-1)*q.Limit)...)
	if err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l history.Log, err error) {
		var p person
		var failure *string
		targets := append([]any{&l.ID, &l.CreatedFrom, &l.CreatedByRole, &l.CreatedAt}, runTargets(&l.Run, &failure)...)
		err = row.Scan(append(targets, p.targets()...)...)
		l.Run.Error, l.CreatedBy = postgres.Text(failure), p.value()
		return l, err
	})
	return list, total, postgres.Error(err, "")
}

const nodeSelect = `SELECT r.id::text, r.workflow_id::text, r.triggered_from, r.index, r.node_id, r.node_type, r.title, r.predecessor_node_id, r.inputs,
		r.process_data, r.outputs, r.status, r.error, r.elapsed_time, r.execution_metadata, r.created_by_role, r.created_at,
		r.finished_at, ` + personColumns + `
	FROM workflow_node_executions r` + personJoins + `
	WHERE r.tenant_id = $1 AND r.app_id = $2 `

func (st *Store) nodes(ctx context.Context, where string, args ...any) ([]history.NodeExecution, error) {
	rows, err := st.db.Query(ctx, nodeSelect+where, args...)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n history.NodeExecution, err error) {
		var p person
		var predecessor, inputs, process, outputs, failure, metadata *string
		err = row.Scan(append([]any{&n.ID, &n.WorkflowID, &n.TriggeredFrom, &n.Index, &n.NodeID, &n.NodeType, &n.Title, &predecessor, &inputs, &process,
			&outputs, &n.Status, &failure, &n.ElapsedTime, &metadata, &n.CreatedByRole, &n.CreatedAt, &n.FinishedAt}, p.targets()...)...)
		n.Predecessor, n.Error, n.CreatedBy = postgres.Text(predecessor), postgres.Text(failure), p.value()
		n.Inputs, n.ProcessData, n.Outputs, n.Metadata = raw(inputs), raw(process), raw(outputs), raw(metadata)
		return n, err
	})
	return list, postgres.Error(err, "")
}

// NodeExecutions returns a run's executions in the order they started.
func (st *Store) NodeExecutions(ctx context.Context, tenantID, appID, runID string) ([]history.NodeExecution, error) {
	return st.nodes(ctx, `AND r.workflow_run_id = $3 ORDER BY r.index, r.created_at, r.id`, tenantID, appID, runID)
}

// NodeExecution returns one execution.
func (st *Store) NodeExecution(ctx context.Context, tenantID, appID, id string) (history.NodeExecution, error) {
	return first(st.nodes(ctx, `AND r.id = $3`, tenantID, appID, id))
}

// LastNodeExecution returns the latest execution of a node in one version.
func (st *Store) LastNodeExecution(ctx context.Context, tenantID, appID, workflowID, nodeID string) (history.NodeExecution, error) {
	return first(st.nodes(ctx, `AND r.workflow_id = $3 AND r.node_id = $4 ORDER BY r.created_at DESC, r.index DESC, r.id DESC LIMIT 1`,
		tenantID, appID, workflowID, nodeID))
}

func first(list []history.NodeExecution, err error) (history.NodeExecution, error) {
	if err == nil && len(list) == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return history.NodeExecution{}, postgres.Error(err, "")
	}
	return list[0], nil
}

// CountRuns counts runs by status.
func (st *Store) CountRuns(ctx context.Context, tenantID, appID string, q history.CountQuery) (map[string]int, error) {
	rows, err := st.db.Query(ctx, `SELECT status, count(*) FROM workflow_runs WHERE tenant_id = $1 AND app_id = $2
			AND ($3 = '' OR triggered_from = $3) AND ($4 = '' OR status = $4) AND ($5::timestamp IS NULL OR created_at >= $5) GROUP BY status`,
		tenantID, appID, q.TriggeredFrom, q.Status, q.Since)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	out := map[string]int{}
	var status string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error {
		out[status] = n
		return nil
	})
	return out, postgres.Error(err, "")
}

// raw returns stored JSON text, nil for none.
func raw(s *string) json.RawMessage {
	if s == nil || *s == "" {
		return nil
	}
	return json.RawMessage(*s)
}
