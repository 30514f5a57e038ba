package runs

import (
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/runstore/driver"
)

// The contract's tables keep UTC without a zone. Tables without a tenant column
// are tied to the tenant through the run: ownApp holds when the run is the
// tenant's and of that app.
//
// Runs, node executions and the app's log are in the functions of commit.go.
//
// Tenant and app are compared with IS NOT DISTINCT FROM because that uses no
// index: on tables without statistics the planner otherwise takes the tenant's
// index instead of the key and reads everything that the tenant has.
const (
	ownApp = `t.app_id IS NOT DISTINCT FROM (SELECT r.app_id FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2)`

	sqlStopNodes = `UPDATE workflow_node_executions SET status = 'stopped', finished_at = $3
WHERE workflow_run_id = $1 AND tenant_id IS NOT DISTINCT FROM $2 AND status IN ('running', 'paused')`

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

	// Ids of variables are those of the workflow, so other apps' conversations may
	// have the same: a row of another app stays as it is.
	sqlVariable = `INSERT INTO workflow_conversation_variables AS t (id, conversation_id, app_id, data, created_at, updated_at)
SELECT $3, $4, r.app_id, $5, $6, $7 FROM millrace_runs r WHERE r.id = $1 AND r.tenant_id = $2
ON CONFLICT (id, conversation_id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at WHERE t.app_id = excluded.app_id`
)

// queueRows adds to a batch what the two functions have not done.
func queueRows(b *pgx.Batch, l *driver.Lease, r *driver.Rows) {
	run, tenant := l.RunID, l.TenantID
	if r.StopNodes != nil {
		b.Queue(sqlStopNodes, run, tenant, *r.StopNodes)
	}
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
	queuePause(b, l, r)
	for _, v := range r.Variables {
		b.Queue(sqlVariable, run, tenant, v.ID, v.ConversationID, clean(v.Data), v.CreatedAt, v.UpdatedAt)
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
	if len(c) == len(*s) {
		return s // as it nearly always is
	}
	return &c
}

// short cuts s to what a varchar(255) holds.
func short(s string) string {
	if utf8.RuneCountInString(s) <= 255 {
		return s
	}
	return string([]rune(s)[:255])
}
