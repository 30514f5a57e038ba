package file

import (
	"bytes"
	"context"
	"crypto/sha3"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Limits bounds uploads by type, in bytes. Zero fields have the contract's
// defaults: 15, 10, 100 and 50 MiB.
type Limits struct{ File, Image, Video, Audio int64 }

// Options is what a Service is made of.
type Options struct {
	// Store, Bucket and Signer are required.
	Store  Store
	Bucket *blob.Bucket
	Signer *Signer
	// Client fetches remote files; it comes from package egress. Required.
	Client *http.Client
	Limits Limits
	// BlockedExtensions are endings, with or without dot, that are refused.
	BlockedExtensions []string
	// StorageType is written to records; "" means opendal, the contract's
	// default.
	StorageType string
	// Clock is nil for the machine's.
	Clock clock.Clock
}

// Service is everything that is done with files.
type Service struct {
	store   Store
	bucket  *blob.Bucket
	signer  *Signer
	client  *http.Client
	limits  Limits
	blocked map[string]bool
	storage string
	clock   clock.Clock
}

const mib = 1 << 20

// NewService returns a service.
func NewService(o Options) *Service {
	def := func(n *int64, mb int64) {
		if *n <= 0 {
			*n = mb * mib
		}
	}
	def(&o.Limits.File, 15)
	def(&o.Limits.Image, 10)
	def(&o.Limits.Video, 100)
	def(&o.Limits.Audio, 50)
	if o.StorageType == "" {
		o.StorageType = "opendal"
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	blocked := map[string]bool{}
	for _, ext := range o.BlockedExtensions {
		if ext = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(ext), ".")); ext != "" {
			blocked[ext] = true
		}
	}
	return &Service{
		store: o.Store, bucket: o.Bucket, signer: o.Signer, client: o.Client, limits: o.Limits, blocked: blocked,
		storage: o.StorageType, clock: o.Clock,
	}
}

// Signer returns the maker of the URLs of files.
func (s *Service) Signer() *Signer { return s.signer }

// UploadRequest is a file that someone hands in.
type UploadRequest struct {
	Caller   Caller
	Name     string
	MimeType string
	Content  io.Reader
	// SourceURL is where the file was fetched from, if it was.
	SourceURL string
}

// maxNameLength is how much of a name is kept, in characters.
const maxNameLength = 200

// Upload stores a file. Codes: filename_not_exists, file_extension_blocked,
// file_too_large, invalid_param.
func (s *Service) Upload(ctx context.Context, r UploadRequest) (*Upload, error) {
	if r.Name == "" {
		return nil, errs.New(errs.FilenameNotExists, "")
	}
	if strings.ContainsAny(r.Name, `/\:*?"<>|`) {
		return nil, errs.New(errs.InvalidParam, "Filename contains invalid characters")
	}
	ext := ExtensionOf(r.Name)
	if s.blocked[ext] {
		return nil, errs.Newf(errs.FileExtensionBlocked, "File extension '.%s' is not allowed for security reasons", ext)
	}
	if name := []rune(r.Name); len(name) > maxNameLength {
		stem := []rune(strings.SplitN(r.Name, ".", 2)[0])
		r.Name = string(stem[:min(len(stem), maxNameLength)])
		if ext != "" {
			r.Name += "." + ext
		}
	}
	if r.MimeType == "" {
		if r.MimeType = MIMEByName(r.Name); r.MimeType == "" {
			r.MimeType = "application/octet-stream"
		}
	}
	limit := s.limit(ext)
	content, err := io.ReadAll(io.LimitReader(r.Content, limit+1))
	if err != nil {
		return nil, errs.Wrap(errs.BadRequest, err, "The file could not be read.")
	}
	if int64(len(content)) > limit {
		return nil, errs.New(errs.FileTooLarge, "")
	}
	hash := sha3.Sum256(content)
	u := &Upload{
		ID: ids.New(), TenantID: r.Caller.TenantID, StorageType: s.storage, Name: r.Name, Size: int64(len(content)),
		Extension: ext, MimeType: r.MimeType, CreatedBy: r.Caller.UserID, CreatedByRole: r.Caller.Role,
		CreatedAt: s.clock.Now().UTC().Truncate(time.Second), Hash: hex.EncodeToString(hash[:]), SourceURL: r.SourceURL,
	}
	u.Key = "upload_files/" + u.TenantID + "/" + ids.Random() + "." + ext
	if err := s.write(ctx, u.Key, u.MimeType, content); err != nil {
		return nil, err
	}
	if err := s.store.InsertUpload(ctx, u); err != nil {
		s.forget(ctx, u.Key)
		return nil, err
	}
	return u, nil
}

func (s *Service) limit(ext string) int64 {
	switch TypeOf(ext, "") {
	case TypeImage:
		return s.limits.Image
	case TypeVideo:
		return s.limits.Video
	case TypeAudio:
		return s.limits.Audio
	}
	return s.limits.File
}

// MaxUpload is the largest upload there is: bodies may be a little larger.
func (s *Service) MaxUpload() int64 {
	return max(s.limits.File, s.limits.Image, s.limits.Video, s.limits.Audio)
}

// LimitsMB are the limits in MiB, as the contract's configuration routes show
// them.
func (s *Service) LimitsMB() (file, image, video, audio int64) {
	return s.limits.File / mib, s.limits.Image / mib, s.limits.Video / mib, s.limits.Audio / mib
}

func (s *Service) write(ctx context.Context, key, mimeType string, content []byte) error {
	if err := s.bucket.WriteAll(ctx, key, content, &blob.WriterOptions{ContentType: mimeType}); err != nil {
		return errs.Wrap(errs.Internal, err, "")
	}
	return nil
}

// forget removes content whose record could not be written. That nobody can
// reach it makes a failure harmless.
func (s *Service) forget(ctx context.Context, key string) {
	if err := s.bucket.Delete(context.WithoutCancel(ctx), key); err != nil {
		slog.WarnContext(ctx, "content without a record stays in the bucket", "key", key, "error", err)
	}
}

// Describe is the contract's form of an upload.
func (s *Service) Describe(u *Upload) Response {
	return Response{
		ID: u.ID, Name: u.Name, Size: u.Size, Extension: u.Extension, MimeType: u.MimeType, CreatedBy: u.CreatedBy,
		CreatedAt: u.CreatedAt.Unix(), SourceURL: s.signer.Preview(u.ID), TenantID: u.TenantID,
	}
}

// SaveToolFile keeps content that a node or tool produced and returns it as a
// value.
func (s *Service) SaveToolFile(ctx context.Context, tenantID, userID, conversationID, mimeType string, data []byte) (*value.File, error) {
	ext := ExtensionByMIME(mimeType)
	if ext == "" {
		ext = "bin"
	}
	t := &ToolFile{
		ID: ids.New(), TenantID: tenantID, UserID: userID, ConversationID: conversationID, MimeType: mimeType,
		Name: strings.ReplaceAll(ids.Random(), "-", "") + "." + ext, Size: int64(len(data)),
	}
	t.Key = "tools/" + tenantID + "/" + t.Name
	if err := s.write(ctx, t.Key, mimeType, data); err != nil {
		return nil, err
	}
	if err := s.store.InsertToolFile(ctx, t); err != nil {
		s.forget(ctx, t.Key)
		return nil, err
	}
	return s.toolValue(t), nil
}

// Content is a file that is about to be sent. Close it.
type Content struct {
	io.ReadSeekCloser
	Name     string
	MimeType string
	Size     int64
	ModTime  time.Time
}

func (s *Service) open(ctx context.Context, key, name, mimeType string) (*Content, error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	if err != nil {
		if gcerrors.Code(err) == gcerrors.NotFound {
			return nil, errs.Wrap(errs.FileNotFound, err, "")
		}
		return nil, errs.Wrap(errs.Internal, err, "")
	}
	return &Content{ReadSeekCloser: r, Name: name, MimeType: mimeType, Size: r.Size(), ModTime: r.ModTime()}, nil
}

// Open returns the content of a file value: one of the tenant's, or a remote
// one, which is fetched.
func (s *Service) Open(ctx context.Context, tenantID string, f *value.File) (io.ReadCloser, error) {
	id := f.RelatedID
	if id == "" {
		id = RecordID(f.Reference)
	}
	switch f.TransferMethod {
	case MethodLocalFile:
		u, err := s.store.Upload(ctx, tenantID, id)
		if err != nil {
			return nil, err
		}
		return s.open(ctx, u.Key, u.Name, u.MimeType)
	case MethodToolFile:
		t, err := s.store.ToolFile(ctx, tenantID, id)
		if err != nil {
			return nil, err
		}
		return s.open(ctx, t.Key, t.Name, t.MimeType)
	case MethodRemoteURL:
		return s.fetch(ctx, f.RemoteURL)
	}
	return nil, errs.New(errs.NotImplemented, "")
}

// ReadAll returns the content of a file value, at most max bytes of it: more
// is an error with code file_too_large.
func (s *Service) ReadAll(ctx context.Context, tenantID string, f *value.File, max int64) ([]byte, error) {
	rc, err := s.Open(ctx, tenantID, f)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(rc, max+1))
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "")
	}
	if n > max {
		return nil, errs.New(errs.FileTooLarge, "")
	}
	return b.Bytes(), nil
}

// Signed opens the file of a signed URL. Whoever holds the URL may read it.
func (s *Service) Signed(ctx context.Context, id string, sig Signature, image bool) (*Content, error) {
	kind := kindFile
	if image {
		kind = kindImage
	}
	denied := errs.New(errs.NotFound, "File not found or signature is invalid")
	if !ids.Valid(id) || !s.signer.verify(kind, id, sig) {
		return nil, denied
	}
	u, err := s.store.UploadBySignedID(ctx, id)
	if err != nil {
		if errs.Is(err, errs.FileNotFound) {
			return nil, denied
		}
		return nil, err
	}
	if image && TypeOf(u.Extension, "") != TypeImage {
		return nil, errs.New(errs.UnsupportedFileType, "")
	}
	return s.open(ctx, u.Key, u.Name, u.MimeType)
}

// SignedTool opens the tool file of a signed URL.
func (s *Service) SignedTool(ctx context.Context, id string, sig Signature) (*Content, error) {
	if !ids.Valid(id) || !s.signer.verify(kindFile, id, sig) {
		return nil, errs.New(errs.Forbidden, "Invalid request.")
	}
	t, err := s.store.ToolFileBySignedID(ctx, id)
	if err != nil {
		if errs.Is(err, errs.FileNotFound) {
			return nil, errs.New(errs.NotFound, "file is not found")
		}
		return nil, err
	}
	return s.open(ctx, t.Key, t.Name, t.MimeType)
}

// Preview opens an uploaded file for a client of an app: only files that a
// message of that app shows.
func (s *Service) Preview(ctx context.Context, tenantID, appID, id string) (*Content, error) {
	missing := errs.New(errs.FileNotFound, "File not found in message context")
	if !ids.Valid(id) {
		return nil, missing
	}
	ok, err := s.store.InMessage(ctx, tenantID, appID, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing
	}
	u, err := s.store.Upload(ctx, tenantID, id)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, u.Key, u.Name, u.MimeType)
}

// Refresh returns v with new URLs for the files in it: those in stored values
// are too old to fetch anything. Values are not changed but copied where
// needed.
func (s *Service) Refresh(v any) any {
	switch v := v.(type) {
	case *value.File:
		f := *v
		switch f.TransferMethod {
		case MethodLocalFile:
			f.URL = s.signer.Preview(f.RelatedID)
		case MethodToolFile:
			f.URL = s.signer.Tool(f.RelatedID, f.Extension)
		}
		return &f
	case *value.Object:
		if f, ok := value.FileFrom(v); ok {
			return s.Refresh(f)
		}
		out := value.NewObject(v.Len())
		for k, x := range v.All() {
			out.Set(k, s.Refresh(x))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = s.Refresh(x)
		}
		return out
	}
	return v
}

// isNotFound reports errors of records that are not there or not the tenant's.
func isNotFound(err error) bool {
	return errs.Is(err, errs.FileNotFound) || errs.Is(err, errs.NotFound)
}
