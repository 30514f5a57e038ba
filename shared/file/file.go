// Package file keeps the files that people upload and that tools and nodes
// produce: what they are, who may use them, the URLs under which they are
// fetched, and how references in API inputs become file values.
//
// Content lies in a bucket under the contract's keys, records behind Store
// (package postgres/files; Memory in tests). HTTP is in api/files. START HERE:
// Service.
package file

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Transfer methods: how a file came here.
const (
	MethodRemoteURL  = "remote_url"
	MethodLocalFile  = "local_file"
	MethodToolFile   = "tool_file"
	MethodDatasource = "datasource_file"
)

// Roles of those who upload.
const (
	RoleAccount = "account"
	RoleEndUser = "end_user"
)

// Caller is someone who uploads files or uses them in a run.
type Caller struct {
	TenantID string
	// UserID is the id of an account or of an end user.
	UserID string
	// Role is RoleAccount or RoleEndUser.
	Role string
}

// Upload is the record of an uploaded file.
type Upload struct {
	ID            string
	TenantID      string
	StorageType   string
	Key           string
	Name          string
	Size          int64
	Extension     string // without the dot
	MimeType      string
	CreatedBy     string
	CreatedByRole string
	CreatedAt     time.Time
	Hash          string
	SourceURL     string
}

// ToolFile is the record of a file that a node or tool produced.
type ToolFile struct {
	ID             string
	TenantID       string
	UserID         string
	ConversationID string // "" outside of conversations
	Key            string
	MimeType       string
	OriginalURL    string
	Name           string
	Size           int64
}

// Store keeps records. What belongs to another tenant is not found (code
// file_not_found).
type Store interface {
	// InsertUpload stores a record.
	InsertUpload(ctx context.Context, u *Upload) error
	// Upload returns a tenant's record.
	Upload(ctx context.Context, tenantID, id string) (*Upload, error)
	// UploadBySignedID returns a record to someone who holds a signed URL of it:
	// the signature was made for someone of its tenant and is the permission.
	UploadBySignedID(ctx context.Context, id string) (*Upload, error)
	// InsertToolFile stores a record.
	InsertToolFile(ctx context.Context, t *ToolFile) error
	// ToolFile returns a tenant's record.
	ToolFile(ctx context.Context, tenantID, id string) (*ToolFile, error)
	// ToolFileBySignedID is like UploadBySignedID.
	ToolFileBySignedID(ctx context.Context, id string) (*ToolFile, error)
	// InMessage reports whether a message of the app has the uploaded file.
	InMessage(ctx context.Context, tenantID, appID, uploadID string) (bool, error)
}

// Response is the contract's form of an uploaded file. Fields that have no
// meaning for uploads are null.
type Response struct {
	ID             string  `json:"id"`
	Reference      *string `json:"reference"`
	Name           string  `json:"name"`
	Size           int64   `json:"size"`
	Extension      string  `json:"extension"`
	MimeType       string  `json:"mime_type"`
	CreatedBy      string  `json:"created_by"`
	CreatedAt      int64   `json:"created_at"`
	PreviewURL     *string `json:"preview_url"`
	SourceURL      string  `json:"source_url"`
	OriginalURL    *string `json:"original_url"`
	UserID         *string `json:"user_id"`
	TenantID       string  `json:"tenant_id"`
	ConversationID *string `json:"conversation_id"`
	FileKey        *string `json:"file_key"`
}

// referencePrefix begins opaque references to records.
const referencePrefix = "dify-file-ref:"

type reference struct {
	RecordID   string `json:"record_id"`
	StorageKey string `json:"storage_key,omitempty"`
}

// Reference makes the opaque reference to a record.
func Reference(recordID string) string {
	raw, err := json.Marshal(reference{RecordID: recordID})
	if err != nil {
		return ""
	}
	return referencePrefix + base64.URLEncoding.EncodeToString(raw)
}

// RecordID returns the id in a reference; a bare id stands for itself.
func RecordID(ref string) string {
	encoded, ok := strings.CutPrefix(ref, referencePrefix)
	if !ok {
		return ref
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil {
		return ""
	}
	var r reference
	if json.Unmarshal(raw, &r) != nil {
		return ""
	}
	return r.RecordID
}

// value builds the value of an uploaded file.
func (s *Service) uploadValue(u *Upload) *value.File {
	return &value.File{
		Type: TypeOf(u.Extension, u.MimeType), TransferMethod: MethodLocalFile, Reference: Reference(u.ID), RelatedID: u.ID,
		Filename: u.Name, Extension: dotted(u.Extension), MimeType: u.MimeType, Size: u.Size,
		URL: s.signer.Preview(u.ID),
	}
}

// toolValue builds the value of a file that a node produced.
func (s *Service) toolValue(t *ToolFile) *value.File {
	ext := ExtensionOf(t.Name)
	return &value.File{
		Type: TypeOf(ext, t.MimeType), TransferMethod: MethodToolFile, Reference: Reference(t.ID), RelatedID: t.ID,
		Filename: t.Name, Extension: dotted(ext), MimeType: t.MimeType, Size: t.Size,
		URL: s.signer.Tool(t.ID, dotted(ext)),
	}
}

func dotted(ext string) string {
	if ext == "" || strings.HasPrefix(ext, ".") {
		return ext
	}
	return "." + ext
}
