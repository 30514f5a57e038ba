package file

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Resolver turns file references in a caller's inputs into files. Every
// reference to a record is checked: the caller must be allowed to use it.
type Resolver struct {
	service *Service
	caller  Caller
}

var _ inputs.Files = (*Resolver)(nil)

// For returns the resolver for what a caller hands in.
func (s *Service) For(c Caller) *Resolver { return &Resolver{service: s, caller: c} }

// UploadConfig is the file_upload part of an app's features.
type UploadConfig struct {
	Enabled bool
	Rules   inputs.FileRules
	// MaxFiles bounds the files of one message or run; 0 is no bound.
	MaxFiles int
	// Detail is how models shall look at images.
	Detail string
}

// ParseUploadConfig reads features.file_upload.
func ParseUploadConfig(v any) UploadConfig {
	o, _ := v.(*value.Object)
	c := UploadConfig{Rules: inputs.FileRules{
		Types:      texts(o.Value("allowed_file_types")),
		Extensions: texts(o.Value("allowed_file_extensions")),
		Methods:    texts(o.Value("allowed_file_upload_methods")),
	}}
	c.Enabled, _ = o.Value("enabled").(bool)
	if n, ok := o.Value("number_limits").(int64); ok {
		c.MaxFiles = int(n)
	}
	if image, ok := o.Value("image").(*value.Object); ok {
		c.Detail = image.String("detail")
	}
	return c
}

func texts(v any) []string {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// ResolveAll turns the files of a message or run into values. Apps that do not
// take files get none.
func (r *Resolver) ResolveAll(ctx context.Context, references []any, c UploadConfig) ([]any, error) {
	out := []any{}
	if !c.Enabled {
		return out, nil
	}
	for _, ref := range references {
		o, ok := ref.(*value.Object)
		if !ok {
			return nil, errs.New(errs.InvalidParam, "files must be a list of objects")
		}
		f, err := r.ResolveFile(ctx, o, c.Rules)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	images := 0
	for _, f := range out {
		if f.(*value.File).Type == TypeImage {
			images++
		}
	}
	switch {
	case c.MaxFiles <= 0:
	case images > c.MaxFiles:
		return nil, errs.Newf(errs.InvalidParam, "Number of image files exceeds the maximum limit %d", c.MaxFiles)
	case len(out) > c.MaxFiles:
		return nil, errs.Newf(errs.InvalidParam, "Number of files exceeds the maximum limit %d", c.MaxFiles)
	}
	return out, nil
}

// ResolveFile turns one reference into a file and checks it against rules.
func (r *Resolver) ResolveFile(ctx context.Context, ref *value.Object, rules inputs.FileRules) (*value.File, error) {
	var f *value.File
	var err error
	switch method := ref.Value("transfer_method"); method {
	case MethodLocalFile:
		f, err = r.local(ctx, ref)
	case MethodRemoteURL:
		f, err = r.remote(ctx, ref)
	case MethodToolFile:
		f, err = r.tool(ctx, ref)
	case MethodDatasource:
		return nil, errs.New(errs.NotImplemented, "")
	default:
		return nil, errs.Newf(errs.InvalidParam, "%s is not a valid FileTransferMethod", value.Repr(method))
	}
	if err != nil {
		return nil, err
	}
	asked := ref.String("type")
	if asked == "" {
		asked = TypeCustom
	}
	if !allowed(asked, f, rules) {
		return nil, errs.Newf(errs.InvalidParam, "File validation failed for file: %s", f.Filename)
	}
	f.Type = asked // what the caller says it is counts, whatever it looks like
	return f, nil
}

// allowed applies the rules to the type that the caller gave. Custom files go
// by their ending.
func allowed(asked string, f *value.File, rules inputs.FileRules) bool {
	switch asked {
	case TypeImage, TypeDocument, TypeAudio, TypeVideo:
		if len(rules.Types) > 0 && !slices.Contains(rules.Types, asked) {
			return false
		}
	case TypeCustom:
		if len(rules.Types) == 0 {
			break
		}
		ok := slices.ContainsFunc(rules.Extensions, func(ext string) bool {
			return strings.EqualFold(strings.TrimPrefix(ext, "."), strings.TrimPrefix(f.Extension, "."))
		})
		if !ok {
			return false
		}
	default:
		return false
	}
	return len(rules.Methods) == 0 || f.TransferMethod == MethodToolFile || slices.Contains(rules.Methods, f.TransferMethod)
}

// record returns the id that a reference names.
func record(ref *value.Object, names ...string) string {
	for _, name := range names {
		if s := ref.String(name); s != "" {
			return RecordID(s)
		}
	}
	return ""
}

func (r *Resolver) upload(ctx context.Context, id string) (*Upload, error) {
	if id == "" {
		return nil, errs.New(errs.InvalidParam, "Invalid upload file")
	}
	if !ids.Valid(id) {
		return nil, errs.New(errs.InvalidParam, "Invalid upload file id format")
	}
	u, err := r.service.store.Upload(ctx, r.caller.TenantID, id)
	if err != nil {
		if isNotFound(err) {
			return nil, errs.New(errs.InvalidParam, "Invalid upload file")
		}
		return nil, err
	}
	// End users may use their own files only, accounts those of the workspace.
	if r.caller.Role != RoleAccount && (u.CreatedByRole != RoleEndUser || u.CreatedBy != r.caller.UserID) {
		return nil, errs.New(errs.InvalidParam, "Invalid upload file")
	}
	return u, nil
}

func (r *Resolver) local(ctx context.Context, ref *value.Object) (*value.File, error) {
	u, err := r.upload(ctx, record(ref, "upload_file_id", "reference", "related_id"))
	if err != nil {
		return nil, err
	}
	return r.service.uploadValue(u), nil
}

func (r *Resolver) tool(ctx context.Context, ref *value.Object) (*value.File, error) {
	id := record(ref, "tool_file_id", "reference", "related_id")
	missing := errs.Newf(errs.InvalidParam, "ToolFile %s not found", id)
	if !ids.Valid(id) {
		return nil, missing
	}
	t, err := r.service.store.ToolFile(ctx, r.caller.TenantID, id)
	if err != nil {
		if isNotFound(err) {
			return nil, missing
		}
		return nil, err
	}
	if r.caller.Role != RoleAccount && t.UserID != r.caller.UserID {
		return nil, missing
	}
	return r.service.toolValue(t), nil
}

func (r *Resolver) remote(ctx context.Context, ref *value.Object) (*value.File, error) {
	if id := record(ref, "upload_file_id"); id != "" {
		u, err := r.upload(ctx, id)
		if err != nil {
			return nil, err
		}
		f := r.service.uploadValue(u)
		f.TransferMethod, f.RemoteURL = MethodRemoteURL, u.SourceURL
		return f, nil
	}
	raw := ref.String("url")
	if raw == "" {
		raw = ref.String("remote_url")
	}
	if raw == "" {
		return nil, errs.New(errs.InvalidParam, "Invalid file url")
	}
	return r.service.remoteValue(ctx, raw)
}

// remoteValue asks the server of a remote file what it is.
func (s *Service) remoteValue(ctx context.Context, raw string) (*value.File, error) {
	unreachable := func(err error) error {
		return errs.Wrap(errs.InvalidParam, err, "Reached maximum retries (3) for URL "+raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, unreachable(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, raw, nil)
	if err != nil {
		return nil, unreachable(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer resp.Body.Close()
	f := &value.File{TransferMethod: MethodRemoteURL, RemoteURL: raw, URL: raw, Size: -1}
	if resp.StatusCode == http.StatusOK {
		if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil {
			f.Filename = path.Base("/" + params["filename"])
		}
		if resp.ContentLength >= 0 {
			f.Size = resp.ContentLength
		}
	}
	if f.Filename == "" || f.Filename == "/" {
		f.Filename = path.Base(u.Path)
	}
	f.MimeType = MIMEByName(f.Filename)
	if header, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && f.MimeType == "" {
		f.MimeType = header
	}
	ext := ExtensionOf(f.Filename)
	if ext == "" {
		if ext = ExtensionByMIME(f.MimeType); ext == "" {
			ext = "bin"
		}
	}
	if f.Filename == "." || f.Filename == "/" {
		f.Filename = strings.ReplaceAll(ids.Random(), "-", "") + "." + ext
	}
	f.Extension, f.Type = dotted(ext), TypeOf(ext, f.MimeType)
	return f, nil
}

// fetch reads a remote file.
func (s *Service) fetch(ctx context.Context, raw string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "Invalid file url")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "The file could not be fetched: "+raw)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, errs.Newf(errs.InvalidParam, "The file could not be fetched: %s answered %d", raw, resp.StatusCode)
	}
	return resp.Body, nil
}
