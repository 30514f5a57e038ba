// Package humaninput keeps the forms of package shared/humaninput in the
// contract's human_input tables, and what they owe in tables of its own.
package humaninput

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Store is a humaninput.Store.
type Store struct{ db postgres.DB }

var _ humaninput.Store = (*Store)(nil)

// New returns a store.
func New(db postgres.DB) *Store { return &Store{db} }

const what = "Form"

// Create stores a form that is not there yet, with what belongs to it.
func (s *Store) Create(ctx context.Context, f *humaninput.Form, mails []humaninput.Mail) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO human_input_forms (id, created_at, updated_at, tenant_id, app_id, workflow_run_id, form_kind, node_id,
				form_definition, rendered_content, status, expiration_time, conversation_id)
			VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`,
			f.ID, f.CreatedAt.UTC(), f.TenantID, f.AppID, postgres.Null(f.RunID), f.Kind, f.NodeID,
			humaninput.EncodeDefinition(&f.Definition, f.ExpiresAt), f.Definition.Content, f.Status, f.ExpiresAt.UTC(), postgres.Null(f.ConversationID))
		if err != nil || tag.RowsAffected() == 0 {
			return postgres.Error(err, what)
		}
		b := &pgx.Batch{}
		for _, d := range f.Deliveries {
			b.Queue(`INSERT INTO human_input_form_deliveries (id, created_at, updated_at, form_id, delivery_method_type, delivery_config_id, channel_payload)
				VALUES ($1, $2, $2, $3, $4, $5, $6)`,
				d.ID, f.CreatedAt.UTC(), f.ID, d.Method, postgres.Null(configID(d.ConfigID)), value.JSONASCII(d.Payload))
		}
		for _, r := range f.Recipients {
			b.Queue(`INSERT INTO human_input_form_recipients (id, created_at, updated_at, form_id, delivery_id, recipient_type, recipient_payload, access_token)
				VALUES ($1, $2, $2, $3, $4, $5, $6, $7)`,
				r.ID, f.CreatedAt.UTC(), f.ID, r.DeliveryID, r.Type, recipientPayload(r), r.Token)
		}
		for _, m := range mails {
			b.Queue(`INSERT INTO millrace_form_mails (id, tenant_id, form_id, recipient, subject, body, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				m.ID, m.TenantID, m.FormID, m.To, m.Subject, m.Body, f.CreatedAt)
		}
		if f.MessageID != "" {
			b.Queue(`INSERT INTO execution_extra_contents (id, created_at, updated_at, type, workflow_run_id, message_id, form_id)
				VALUES ($1, $2, $2, 'human_input', $3, $4, $5)`, ids.New(), f.CreatedAt.UTC(), f.RunID, f.MessageID, f.ID)
		}
		return postgres.Error(tx.SendBatch(ctx, b).Close(), what)
	})
}

// configID keeps ids that are none out of a column of uuids.
func configID(id string) string {
	if !ids.Valid(id) {
		return ""
	}
	return id
}

func recipientPayload(r humaninput.Recipient) string {
	o := value.Obj("TYPE", r.Type)
	switch r.Type {
	case humaninput.RecipientMember:
		o.Set("user_id", r.AccountID)
		o.Set("email", r.Email)
	case humaninput.RecipientExternal:
		o.Set("email", r.Email)
	case humaninput.RecipientConsole, humaninput.RecipientBackstage:
		o.Set("account_id", nil)
		if r.AccountID != "" {
			o.Set("account_id", r.AccountID)
		}
	}
	return value.JSONASCII(o)
}

const columns = `SELECT f.id::text, f.tenant_id::text, f.app_id::text, coalesce(f.workflow_run_id::text, ''), f.form_kind, f.node_id,
	coalesce(f.conversation_id::text, ''), coalesce(x.message_id::text, ''), f.form_definition, f.status, f.expiration_time, f.created_at,
	coalesce(f.selected_action_id, ''), coalesce(f.submitted_data, ''), f.submitted_at, coalesce(f.submission_user_id::text, ''),
	coalesce(f.submission_end_user_id::text, ''), coalesce(f.completed_by_recipient_id::text, '')
	FROM human_input_forms f LEFT JOIN LATERAL (
		SELECT e.message_id FROM execution_extra_contents e
		WHERE e.workflow_run_id = f.workflow_run_id AND e.form_id = f.id ORDER BY e.created_at LIMIT 1) x ON true `

func scan(row pgx.Row) (humaninput.Form, error) {
	var f humaninput.Form
	var a humaninput.Submission
	var definition, data string
	var at *time.Time
	err := row.Scan(&f.ID, &f.TenantID, &f.AppID, &f.RunID, &f.Kind, &f.NodeID, &f.ConversationID, &f.MessageID, &definition, &f.Status,
		&f.ExpiresAt, &f.CreatedAt, &a.ActionID, &data, &at, &a.AccountID, &a.EndUserID, &a.RecipientID)
	if err != nil {
		return f, postgres.Error(err, what)
	}
	if f.Definition, err = humaninput.DecodeDefinition(definition); err != nil {
		return f, fmt.Errorf("form %s: %w", f.ID, err)
	}
	if f.Status == humaninput.StatusSubmitted && at != nil {
		a.At, a.Data = *at, value.NewObject(0)
		if data != "" {
			v, err := value.Decode([]byte(data))
			if err != nil {
				return f, fmt.Errorf("answer to form %s: %w", f.ID, err)
			}
			if o, ok := value.Revive(v).(*value.Object); ok {
				a.Data = o
			}
		}
		f.Submission = &a
	}
	return f, nil
}

// forms reads forms with their recipients. Recipients have no tenant column:
// they are found by the forms that the statement before has found.
func (s *Store) forms(ctx context.Context, where string, args ...any) ([]humaninput.Form, error) {
	rows, err := s.db.Query(ctx, columns+where+` ORDER BY f.created_at, f.id`, args...)
	if err != nil {
		return nil, postgres.Error(err, what)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (humaninput.Form, error) { return scan(row) })
	if err != nil || len(list) == 0 {
		return nil, postgres.Error(err, what)
	}
	byID := make(map[string]*humaninput.Form, len(list))
	found := make([]string, len(list))
	for i := range list {
		byID[list[i].ID], found[i] = &list[i], list[i].ID
	}
	rows, err = s.db.Query(ctx, `
		SELECT r.form_id::text, r.id::text, r.delivery_id::text, r.recipient_type, r.recipient_payload, r.access_token
		FROM human_input_form_recipients r WHERE r.form_id = ANY($1::uuid[]) ORDER BY r.created_at, r.id`, found)
	if err != nil {
		return nil, postgres.Error(err, what)
	}
	defer rows.Close()
	for rows.Next() {
		var formID, payload string
		var r humaninput.Recipient
		if err := rows.Scan(&formID, &r.ID, &r.DeliveryID, &r.Type, &payload, &r.Token); err != nil {
			return nil, postgres.Error(err, what)
		}
		if v, err := value.Decode([]byte(payload)); err == nil {
			o, _ := v.(*value.Object)
			r.Email = o.String("email")
			if r.AccountID = o.String("account_id"); r.AccountID == "" {
				r.AccountID = o.String("user_id")
			}
		}
		byID[formID].Recipients = append(byID[formID].Recipients, r)
	}
	return list, postgres.Error(rows.Err(), what)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (*humaninput.Form, error) {
	list, err := s.forms(ctx, where, args...)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, postgres.Error(pgx.ErrNoRows, what)
	}
	return &list[0], nil
}

// Form returns a form of the tenant.
func (s *Store) Form(ctx context.Context, tenantID, id string) (*humaninput.Form, error) {
	return s.one(ctx, `WHERE f.tenant_id = $1 AND f.id = $2`, tenantID, id)
}

// ByToken returns the form that an access token opens.
func (s *Store) ByToken(ctx context.Context, token string) (*humaninput.Form, *humaninput.Recipient, error) {
	f, err := s.one(ctx, `WHERE f.id = (SELECT r.form_id FROM human_input_form_recipients r WHERE r.access_token = $1)`, token)
	if err != nil {
		return nil, nil, err
	}
	for i := range f.Recipients {
		if f.Recipients[i].Token == token {
			return f, &f.Recipients[i], nil
		}
	}
	return nil, nil, postgres.Error(pgx.ErrNoRows, what)
}

// OfRun returns the forms of a run.
func (s *Store) OfRun(ctx context.Context, tenantID, runID string) ([]humaninput.Form, error) {
	return s.forms(ctx, `WHERE f.tenant_id = $1 AND f.workflow_run_id = $2`, tenantID, runID)
}

// OfMessages returns the forms of an app's messages.
func (s *Store) OfMessages(ctx context.Context, tenantID, appID string, messageIDs []string) (map[string][]humaninput.Form, error) {
	list, err := s.forms(ctx, `WHERE f.tenant_id = $1 AND f.app_id = $2 AND f.id IN (
		SELECT e.form_id FROM execution_extra_contents e WHERE e.message_id = ANY($3::uuid[]))`, tenantID, appID, messageIDs)
	if err != nil {
		return nil, err
	}
	out := map[string][]humaninput.Form{}
	for _, f := range list {
		out[f.MessageID] = append(out[f.MessageID], f)
	}
	return out, nil
}

// Submit stores an answer to a waiting form whose run is not over, and that the
// run is owed a wake-up.
func (s *Store) Submit(ctx context.Context, tenantID, id string, a humaninput.Submission, notBefore time.Time) (bool, error) {
	var one int
	err := s.db.QueryRow(ctx, `
		WITH answered AS (
			UPDATE human_input_forms SET status = 'submitted', selected_action_id = $3, submitted_data = $4, submitted_at = $5, updated_at = $5,
				submission_user_id = $6, submission_end_user_id = $7, completed_by_recipient_id = $8
			WHERE tenant_id = $1 AND id = $2 AND status = 'waiting' AND expiration_time > $5 AND created_at > $9 AND NOT EXISTS (
				SELECT 1 FROM millrace_runs r WHERE r.id = workflow_run_id AND r.tenant_id = $1 AND r.finished_at IS NOT NULL)
			RETURNING id, tenant_id, workflow_run_id
		), owed AS (
			INSERT INTO millrace_form_wakes (form_id, tenant_id, run_id, submitted_at)
			SELECT id, tenant_id, workflow_run_id, $10 FROM answered WHERE workflow_run_id IS NOT NULL
		)
		SELECT 1 FROM answered`,
		tenantID, id, a.ActionID, value.JSONASCII(a.Data), a.At.UTC(), postgres.Null(a.AccountID), postgres.Null(a.EndUserID),
		postgres.Null(a.RecipientID), notBefore.UTC(), a.At).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, postgres.Error(err, what)
}

// OwedWakes returns wake-ups that nobody has sent.
func (s *Store) OwedWakes(ctx context.Context, before time.Time, limit int) ([]humaninput.Wake, error) {
	rows, err := s.db.Query(ctx, `
		SELECT tenant_id::text, form_id::text, run_id::text FROM millrace_form_wakes
		WHERE submitted_at < $1 ORDER BY submitted_at LIMIT $2`, before, limit)
	if err != nil {
		return nil, postgres.Error(err, what)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[humaninput.Wake])
	return list, postgres.Error(err, what)
}

// SettleWake forgets a wake-up.
func (s *Store) SettleWake(ctx context.Context, tenantID, formID string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM millrace_form_wakes WHERE tenant_id = $1 AND form_id = $2`, tenantID, formID)
	return postgres.Error(err, what)
}

// End gives a waiting form a final status.
func (s *Store) End(ctx context.Context, tenantID, id, status string, at time.Time) (bool, error) {
	tag, err := s.db.Exec(ctx, `
		UPDATE human_input_forms SET status = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2 AND status = 'waiting'`,
		tenantID, id, status, at.UTC())
	return err == nil && tag.RowsAffected() > 0, postgres.Error(err, what)
}
