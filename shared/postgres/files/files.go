// Package files keeps the records of package file in the contract's tables
// upload_files, tool_files and message_files.
package files

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/postgres"
)

// Store is a file.Store.
type Store struct{ db postgres.Querier }

var _ file.Store = (*Store)(nil)

// New returns a store.
func New(db postgres.Querier) *Store { return &Store{db} }

// InsertUpload stores a record.
func (s *Store) InsertUpload(ctx context.Context, u *file.Upload) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO upload_files (id, tenant_id, storage_type, key, name, size, extension, mime_type, created_by,
			created_by_role, created_at, used, hash, source_url)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, false, $12, $13)`,
		u.ID, u.TenantID, u.StorageType, u.Key, u.Name, u.Size, u.Extension, u.MimeType, u.CreatedBy,
		u.CreatedByRole, u.CreatedAt.UTC(), u.Hash, u.SourceURL)
	return postgres.Error(err, "File")
}

const uploadColumns = `SELECT id::text, tenant_id::text, storage_type, key, name, size, extension, coalesce(mime_type, ''),
	created_by::text, created_by_role, created_at, coalesce(hash, ''), source_url FROM upload_files `

func (s *Store) upload(ctx context.Context, where string, args ...any) (*file.Upload, error) {
	var u file.Upload
	err := s.db.QueryRow(ctx, uploadColumns+where, args...).Scan(&u.ID, &u.TenantID, &u.StorageType, &u.Key, &u.Name,
		&u.Size, &u.Extension, &u.MimeType, &u.CreatedBy, &u.CreatedByRole, &u.CreatedAt, &u.Hash, &u.SourceURL)
	if err != nil {
		return nil, notFound(err)
	}
	return &u, nil
}

// notFound gives missing records the code that package file promises.
func notFound(err error) error {
	if err = postgres.Error(err, "File"); errs.Is(err, errs.NotFound) {
		return errs.New(errs.FileNotFound, "")
	}
	return err
}

// Upload returns a tenant's record.
func (s *Store) Upload(ctx context.Context, tenantID, id string) (*file.Upload, error) {
	return s.upload(ctx, `WHERE tenant_id = $1 AND id = $2`, tenantID, id)
}

// UploadBySignedID returns a record whatever its tenant: the signature that was
// checked before stands for it.
func (s *Store) UploadBySignedID(ctx context.Context, id string) (*file.Upload, error) {
	return s.upload(ctx, `WHERE id = $1`, id)
}

// InsertToolFile stores a record.
func (s *Store) InsertToolFile(ctx context.Context, t *file.ToolFile) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO tool_files (id, tenant_id, user_id, conversation_id, file_key, mimetype, original_url, name, size)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		t.ID, t.TenantID, t.UserID, postgres.Null(t.ConversationID), t.Key, t.MimeType, postgres.Null(t.OriginalURL), t.Name, t.Size)
	return postgres.Error(err, "File")
}

const toolColumns = `SELECT id::text, tenant_id::text, user_id::text, coalesce(conversation_id::text, ''), file_key, mimetype,
	coalesce(original_url, ''), name, size FROM tool_files `

func (s *Store) tool(ctx context.Context, where string, args ...any) (*file.ToolFile, error) {
	var t file.ToolFile
	err := s.db.QueryRow(ctx, toolColumns+where, args...).Scan(&t.ID, &t.TenantID, &t.UserID, &t.ConversationID, &t.Key,
		&t.MimeType, &t.OriginalURL, &t.Name, &t.Size)
	if err != nil {
		return nil, notFound(err)
	}
	return &t, nil
}

// ToolFile returns a tenant's record.
func (s *Store) ToolFile(ctx context.Context, tenantID, id string) (*file.ToolFile, error) {
	return s.tool(ctx, `WHERE tenant_id = $1 AND id = $2`, tenantID, id)
}

// ToolFileBySignedID returns a record whatever its tenant, see UploadBySignedID.
func (s *Store) ToolFileBySignedID(ctx context.Context, id string) (*file.ToolFile, error) {
	return s.tool(ctx, `WHERE id = $1`, id)
}

// InMessage reports whether a message of the tenant's app has the file.
func (s *Store) InMessage(ctx context.Context, tenantID, appID, uploadID string) (bool, error) {
	var ok bool
	err := s.db.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT 1 FROM message_files mf
			JOIN messages m ON m.id = mf.message_id AND m.app_id = $2
			JOIN apps a ON a.id = m.app_id AND a.tenant_id = $1
			WHERE mf.upload_file_id = $3)`, tenantID, appID, uploadID).Scan(&ok)
	return ok, postgres.Error(err, "File")
}
