package humaninput

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
)

// AddUploadToken stores a token.
func (s *Store) AddUploadToken(ctx context.Context, t humaninput.UploadToken) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO human_input_form_upload_tokens (id, created_at, updated_at, tenant_id, app_id, form_id, recipient_id, token)
		VALUES ($1, $2, $2, $3, $4, $5, $6, $7)`, t.ID, t.CreatedAt.UTC(), t.TenantID, t.AppID, t.FormID, t.RecipientID, t.Token)
	return postgres.Error(err, what)
}

// UploadToken returns a token by its text, which is the permission.
func (s *Store) UploadToken(ctx context.Context, token string) (t humaninput.UploadToken, err error) {
	err = s.db.QueryRow(ctx, `
		SELECT id::text, tenant_id::text, app_id::text, form_id::text, recipient_id::text, token, created_at
		FROM human_input_form_upload_tokens WHERE token = $1`, token).
		Scan(&t.ID, &t.TenantID, &t.AppID, &t.FormID, &t.RecipientID, &t.Token, &t.CreatedAt)
	return t, postgres.Error(err, what)
}

// AddUpload says that a file was uploaded for a form.
func (s *Store) AddUpload(ctx context.Context, t humaninput.UploadToken, uploadID string, at time.Time) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO human_input_form_upload_files (id, created_at, updated_at, tenant_id, app_id, form_id, upload_file_id, upload_token_id)
		VALUES ($1, $2, $2, $3, $4, $5, $6, $7)`, ids.New(), at.UTC(), t.TenantID, t.AppID, t.FormID, uploadID, t.ID)
	return postgres.Error(err, what)
}

// Uploads returns the ids of a form's files.
func (s *Store) Uploads(ctx context.Context, tenantID, formID string) ([]string, error) {
	rows, err := s.db.Query(ctx, `
		SELECT upload_file_id::text FROM human_input_form_upload_files WHERE tenant_id = $1 AND form_id = $2 ORDER BY created_at, id`,
		tenantID, formID)
	if err != nil {
		return nil, postgres.Error(err, what)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return list, postgres.Error(err, what)
}

// ClaimMails takes mails that are owed; those that somebody else is taking at
// the same moment are left to them.
func (s *Store) ClaimMails(ctx context.Context, formID string, now, until time.Time, limit int) ([]humaninput.Mail, error) {
	rows, err := s.db.Query(ctx, `
		UPDATE millrace_form_mails m SET due_at = $3
		FROM (SELECT id FROM millrace_form_mails WHERE due_at <= $2 AND ($1::uuid IS NULL OR form_id = $1)
			ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) due
		WHERE m.id = due.id
		RETURNING m.id::text, m.tenant_id::text, m.form_id::text, m.recipient, m.subject, m.body, m.attempts`,
		postgres.Null(formID), now, until, limit)
	if err != nil {
		return nil, postgres.Error(err, what)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[humaninput.Mail])
	return list, postgres.Error(err, what)
}

// SettleMail forgets a mail or says when to try again.
func (s *Store) SettleMail(ctx context.Context, tenantID, id string, sent bool, retryAt time.Time) error {
	var err error
	if sent || retryAt.IsZero() {
		_, err = s.db.Exec(ctx, `DELETE FROM millrace_form_mails WHERE tenant_id = $1 AND id = $2`, tenantID, id)
	} else {
		_, err = s.db.Exec(ctx, `UPDATE millrace_form_mails SET attempts = attempts + 1, due_at = $3 WHERE tenant_id = $1 AND id = $2`,
			tenantID, id, retryAt)
	}
	return postgres.Error(err, what)
}
