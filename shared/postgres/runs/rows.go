package runs

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/runstore/driver"
)

// The contract's tables keep UTC without a zone. Tables without a tenant column
// are tied to the tenant through the run: ownApp holds when the run is the
// tenant's and of that app.
//
// Tenant and app are compared with IS NOT DISTINCT FROM because that uses no
// index: on tables without statistics the planner otherwise takes the tenant's
// index instead of the key and reads everything that the tenant has.
const (
	ownApp = `t.app_id IS NOT DISTINCT FROM (SELECT r.app_id FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2)`

	sqlRun = `INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, status,
 outputs, error, elapsed_time, total_tokens, total_steps, created_by_role, created_by, created_at, finished_at, exceptions_count)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`

	sqlRunEnd = `UPDATE workflow_runs SET status = $3, outputs = $4, error = $5, elapsed_time = $6, total_tokens = $7, total_steps = $8,
 exceptions_count = $9, finished_at = $10 WHERE id = $1 AND tenant_id IS NOT DISTINCT FROM $2`

	sqlNodes = `INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, index, node_id, node_type,
 title, inputs, process_data, outputs, status, error, elapsed_time, execution_metadata, created_at, created_by_role, created_by, finished_at, node_execution_id)
SELECT x.id, r.tenant_id, r.app_id, x.workflow_id, x.triggered_from, r.id, x.index, x.node_id, x.node_type, x.title, x.inputs, x.process_data, x.outputs,
 x.status, x.error, x.elapsed_time, x.execution_metadata, x.created_at, $4, $5, x.finished_at, x.id::text
FROM millrace_runs r, json_to_recordset($3) AS x(id uuid, workflow_id uuid, triggered_from text, index int, node_id text, node_type text, title text,
 inputs text, process_data text, outputs text, status text, error text, elapsed_time float8, execution_metadata text, created_at timestamp, finished_at timestamp)
WHERE r.id = $1 AND r.tenant_id = $2`

	sqlNodeEnd = `UPDATE workflow_node_executions SET inputs = $4, process_data = $5, outputs = $6, status = $7, error = $8, elapsed_time = $9,
 execution_metadata = $10, finished_at = $11 WHERE id = $3 AND workflow_run_id IS NOT DISTINCT FROM $1 AND tenant_id IS NOT DISTINCT FROM $2`

	sqlStopNodes = `UPDATE workflow_node_executions SET status = 'stopped', finished_at = $3
WHERE workflow_run_id = $1 AND tenant_id IS NOT DISTINCT FROM $2 AND status = 'running'`

	sqlAppLog = `INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, created_by_role, created_by, created_at)
SELECT $3, r.tenant_id, r.app_id, $4, r.id, $5, $6, $7, $8 FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2`

	sqlConversation = `INSERT INTO conversations (id, app_id, mode, name, inputs, introduction, system_instruction, status, from_source, from_end_user_id,
 from_account_id, invoke_from, created_at, updated_at, dialogue_count)
SELECT $3, r.app_id, $4, $5, $6, $7, '', 'normal', $8, $9, $10, $11, $12, $12, 1 FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2`

	sqlConversationTurn = `UPDATE conversations t SET dialogue_count = t.dialogue_count + 1, updated_at = $4 WHERE t.id = $3 AND ` + ownApp

	sqlMessage = `INSERT INTO messages (id, app_id, conversation_id, inputs, query, message, message_unit_price, answer, answer_unit_price, currency,
 from_source, from_end_user_id, from_account_id, created_at, updated_at, workflow_run_id, status, invoke_from, parent_message_id, app_mode, total_price)
SELECT $3, r.app_id, $4, $5, $6, '""', 0, '', 0, 'USD', $7, $8, $9, $10, $10, r.id, 'normal', $11, $12, $13, 0
FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2`

	sqlMessageEnd = `UPDATE messages t SET answer = $4, status = $5, error = $6, message_metadata = $7, message = $8, message_tokens = $9,
 message_unit_price = $10, message_price_unit = $11, answer_tokens = $12, answer_unit_price = $13, answer_price_unit = $14,
 total_price = $15, currency = $16, provider_response_latency = $17, updated_at = $18 WHERE t.id = $3 AND ` + ownApp

	sqlTouch = `UPDATE conversations t SET updated_at = $4 WHERE t.id = $3 AND ` + ownApp

	sqlFile = `INSERT INTO message_files (id, message_id, type, transfer_method, url, upload_file_id, belongs_to, created_by_role, created_by, created_at)
SELECT $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2`
)

// queueRows adds the changes of the contract's tables to a batch. The fence or
// the run's own row comes before them.
func queueRows(b *pgx.Batch, l *driver.Lease, appID string, r *driver.Rows) error {
	run, tenant := l.RunID, l.TenantID
	if r.Run != nil {
		queueRun(b, l, appID, r)
	}
	if err := queueNodes(b, l, r); err != nil {
		return err
	}
	if x := r.RunEnd; x != nil && r.Run == nil {
		b.Queue(sqlRunEnd, run, tenant, x.Status, cleaned(x.Outputs), cleaned(x.Error), x.Elapsed, x.Tokens, x.Steps, x.Exceptions, x.FinishedAt)
	}
	if x := r.AppLog; x != nil {
		b.Queue(sqlAppLog, run, tenant, x.ID, x.WorkflowID, x.CreatedFrom, x.CreatedBy.Role, x.CreatedBy.ID, x.CreatedAt)
	}
	queueChat(b, l, r)
	return nil
}

// queueRun inserts the run's row; one that is over at once gets its end with it.
func queueRun(b *pgx.Batch, l *driver.Lease, appID string, r *driver.Rows) {
	x := r.Run
	end, finished := driver.RunEndRow{Status: x.Status}, (*time.Time)(nil)
	if r.RunEnd != nil {
		end, finished = *r.RunEnd, &r.RunEnd.FinishedAt
	}
	b.Queue(sqlRun, l.RunID, l.TenantID, appID, x.WorkflowID, x.Type, x.TriggeredFrom, x.Version, clean(x.Graph), clean(x.Inputs), end.Status,
		cleaned(end.Outputs), cleaned(end.Error), end.Elapsed, end.Tokens, end.Steps, x.CreatedBy.Role, x.CreatedBy.ID, x.CreatedAt, finished, end.Exceptions)
}

func queueNodes(b *pgx.Batch, l *driver.Lease, r *driver.Rows) error {
	var fresh []driver.NodeRow
	for _, n := range r.Nodes {
		if !n.Update {
			n.Title = short(n.Title)
			n.CreatedAt = n.CreatedAt.UTC()
			fresh = append(fresh, n)
		}
	}
	if len(fresh) > 0 {
		raw, err := json.Marshal(fresh)
		if err != nil {
			return fmt.Errorf("encode node executions: %w", err)
		}
		by := fresh[0].CreatedBy
		b.Queue(sqlNodes, l.RunID, l.TenantID, clean(string(raw)), by.Role, by.ID)
	}
	for _, n := range r.Nodes {
		if n.Update {
			b.Queue(sqlNodeEnd, l.RunID, l.TenantID, n.ID, cleaned(n.Inputs), cleaned(n.ProcessData), cleaned(n.Outputs), n.Status, cleaned(n.Error),
				n.Elapsed, cleaned(n.Metadata), n.FinishedAt)
		}
	}
	if r.StopNodes != nil {
		b.Queue(sqlStopNodes, l.RunID, l.TenantID, *r.StopNodes)
	}
	return nil
}

func queueChat(b *pgx.Batch, l *driver.Lease, r *driver.Rows) {
	run, tenant := l.RunID, l.TenantID
	switch c := r.Conversation; {
	case c == nil:
	case c.Update:
		b.Queue(sqlConversationTurn, run, tenant, c.ID, c.At)
	default:
		b.Queue(sqlConversation, run, tenant, c.ID, c.Mode, short(clean(c.Name)), clean(c.Inputs), clean(c.Introduction), c.FromSource, c.EndUserID, c.AccountID, c.InvokeFrom, c.At)
	}
	if m := r.Message; m != nil {
		b.Queue(sqlMessage, run, tenant, m.ID, m.ConversationID, clean(m.Inputs), clean(m.Query), m.FromSource, m.EndUserID, m.AccountID, m.CreatedAt, m.InvokeFrom,
			m.ParentMessageID, m.AppMode)
	}
	if m := r.MessageEnd; m != nil {
		b.Queue(sqlMessageEnd, run, tenant, m.ID, clean(m.Answer), m.Status, cleaned(m.Error), cleaned(m.Metadata), m.Message, m.PromptTokens,
			m.PromptUnitPrice, m.PromptPriceUnit, m.CompletionTokens, m.CompletionUnitPrice, m.CompletionPriceUnit, m.TotalPrice, m.Currency,
			m.ProviderResponseLatency, m.UpdatedAt)
		b.Queue(sqlTouch, run, tenant, m.ConversationID, m.ConversationLastActivity)
	}
	for _, f := range r.Files {
		b.Queue(sqlFile, run, tenant, f.ID, f.MessageID, f.Type, f.TransferMethod, f.URL, f.UploadFileID, f.BelongsTo, f.CreatedBy.Role, f.CreatedBy.ID, f.CreatedAt)
	}
}

func cleaned(s *string) *string {
	if s == nil {
		return nil
	}
	c := clean(*s)
	return &c
}

// short cuts s to what a varchar(255) holds.
func short(s string) string {
	if utf8.RuneCountInString(s) <= 255 {
		return s
	}
	return string([]rune(s)[:255])
}
