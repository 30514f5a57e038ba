package file_test

import (
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/file/filetest"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/mockecho"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	filetest.RunStore(t, func(*testing.T) file.Store { return file.NewMemory() })
}

type fixture struct {
	service *file.Service
	store   *file.Memory
	bucket  *blob.Bucket
	clock   *clock.Fake
	caller  file.Caller
	echo    string
}

func setup(t *testing.T, change func(*file.Options)) *fixture {
	t.Helper()
	f := &fixture{
		store: file.NewMemory(), bucket: memblob.OpenBucket(nil), clock: clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
		caller: file.Caller{TenantID: ids.New(), UserID: ids.New(), Role: file.RoleEndUser},
	}
	t.Cleanup(func() { _ = f.bucket.Close() })
	s := httptest.NewServer(mockecho.New(nil).Handler())
	t.Cleanup(s.Close)
	f.echo = s.URL
	o := file.Options{
		Store: f.store, Bucket: f.bucket, Signer: file.NewSigner("secret", "http://base", 0, f.clock), Clock: f.clock,
		Client: egress.NewClient(egress.Options{AllowPrivate: true}),
	}
	if change != nil {
		change(&o)
	}
	f.service = file.NewService(o)
	return f
}

func (f *fixture) upload(t *testing.T, name, mime, content string) *file.Upload {
	t.Helper()
	u, err := f.service.Upload(t.Context(), file.UploadRequest{Caller: f.caller, Name: name, MimeType: mime, Content: strings.NewReader(content)})
	require.NoError(t, err)
	return u
}

func TestUpload(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *file.Options) {
		o.Limits = file.Limits{File: 4, Image: 2}
		o.BlockedExtensions = []string{".EXE", " bat"}
	})
	u := f.upload(t, "ü n.MD", "text/markdown", "text")
	require.Regexp(t, `^upload_files/`+f.caller.TenantID+`/[0-9a-f-]{36}\.md$`, u.Key)
	require.Equal(t, "md", u.Extension)
	require.Len(t, u.Hash, 64)
	stored, err := f.bucket.ReadAll(t.Context(), u.Key)
	require.NoError(t, err)
	require.Equal(t, "text", string(stored))
	d := f.service.Describe(u)
	require.Equal(t, f.clock.Now().Unix(), d.CreatedAt)
	require.Regexp(t, `^http://base/files/`+u.ID+`/file-preview\?timestamp=\d+&nonce=[0-9a-f]{32}&sign=[\w%-]+$`, d.SourceURL)
	for name, code := range map[string]errs.Code{
		"five!.txt": errs.FileTooLarge, "a.png": errs.FileTooLarge, "run.exe": errs.FileExtensionBlocked, "x.BAT": errs.FileExtensionBlocked,
		"": errs.FilenameNotExists, "a/b.txt": errs.InvalidParam,
	} {
		_, err := f.service.Upload(t.Context(), file.UploadRequest{Caller: f.caller, Name: name, Content: strings.NewReader("12345")})
		require.True(t, errs.Is(err, code), "%s: %v", name, err)
	}
	long := f.upload(t, strings.Repeat("ä", 300)+".txt", "text/plain", "x")
	require.Equal(t, strings.Repeat("ä", 200)+".txt", long.Name)
}

func parts(t *testing.T, raw string) (id string, sig file.Signature) {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	q := u.Query()
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	id = segments[1]
	if id == "tools" {
		id, _, _ = strings.Cut(segments[2], ".")
	}
	return id, file.Signature{Timestamp: q.Get("timestamp"), Nonce: q.Get("nonce"), Sign: q.Get("sign")}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	u := f.upload(t, "p.png", "image/png", "png")
	other := f.upload(t, "q.txt", "text/plain", "q")
	id, sig := parts(t, f.service.Signer().Preview(u.ID))
	read := func(id string, sig file.Signature, image bool) error {
		c, err := f.service.Signed(t.Context(), id, sig, image)
		if err != nil {
			return err
		}
		defer c.Close()
		data, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, "png", string(data))
		return nil
	}
	require.NoError(t, read(id, sig, false))
	wrong := sig
	wrong.Sign = strings.ToUpper(sig.Sign)
	late := sig
	late.Timestamp += "0"
	for name, err := range map[string]error{
		"another file": read(other.ID, sig, false), "another kind": read(id, sig, true), "changed": read(id, wrong, false),
		"another time": read(id, late, false), "no uuid": read("x", sig, false),
	} {
		require.True(t, errs.Is(err, errs.NotFound), name)
		require.Equal(t, "File not found or signature is invalid", errs.Public(err).Message, name)
	}
	id, image := parts(t, f.service.Signer().Image(u.ID))
	require.NoError(t, read(id, image, true))
	id, image = parts(t, f.service.Signer().Image(other.ID))
	require.True(t, errs.Is(read(id, image, true), errs.UnsupportedFileType))
	f.clock.Advance(299 * time.Second)
	require.NoError(t, read(u.ID, sig, false))
	f.clock.Advance(2 * time.Second)
	require.Error(t, read(u.ID, sig, false), "the time is over")
}

func TestToolFiles(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	v, err := f.service.SaveToolFile(t.Context(), f.caller.TenantID, f.caller.UserID, "", "image/png", []byte("png"))
	require.NoError(t, err)
	id, sig := parts(t, v.URL)
	require.Equal(t, v.RelatedID, id)
	c, err := f.service.SignedTool(t.Context(), id, sig)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = f.service.SignedTool(t.Context(), ids.New(), sig)
	require.True(t, errs.Is(err, errs.Forbidden))
	require.Equal(t, id, file.RecordID(v.Reference))
	again, err := f.service.For(f.caller).ResolveFile(t.Context(),
		value.Obj("type", "image", "transfer_method", "tool_file", "tool_file_id", v.Reference), inputs.FileRules{})
	require.NoError(t, err)
	require.Equal(t, v.Filename, again.Filename)
	stranger := f.caller
	stranger.UserID = ids.New()
	_, err = f.service.For(stranger).ResolveFile(t.Context(),
		value.Obj("type", "image", "transfer_method", "tool_file", "tool_file_id", id), inputs.FileRules{})
	require.EqualError(t, err, "ToolFile "+id+" not found")
}

func TestReferencesAreChecked(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	text := f.upload(t, "b.txt", "text/plain", "bbbb")
	png := f.upload(t, "p.png", "image/png", "png")
	document := inputs.FileRules{Types: []string{"document"}, Extensions: []string{}, Methods: []string{"local_file", "remote_url"}}
	ref := func(kind, method, id string) *value.Object {
		o := value.Obj("transfer_method", method, "upload_file_id", id)
		if kind != "" {
			o.Set("type", kind)
		}
		return o
	}
	resolve := func(c file.Caller, o *value.Object, rules inputs.FileRules) (*value.File, error) {
		return f.service.For(c).ResolveFile(t.Context(), o, rules)
	}
	got, err := resolve(f.caller, ref("document", "local_file", text.ID), document)
	require.NoError(t, err)
	require.Equal(t, &value.File{
		Type: "document", TransferMethod: "local_file", Reference: file.Reference(text.ID), RelatedID: text.ID, Filename: "b.txt",
		Extension: ".txt", MimeType: "text/plain", Size: 4, URL: got.URL,
	}, got)
	colleague, stranger, foreigner := f.caller, f.caller, f.caller
	colleague.Role, colleague.UserID = file.RoleAccount, ids.New()
	stranger.UserID = ids.New()
	foreigner.Role, foreigner.TenantID = file.RoleAccount, ids.New()
	_, err = resolve(colleague, ref("document", "local_file", text.ID), document)
	require.NoError(t, err, "accounts may use the workspace's files")
	for _, c := range []struct {
		who  file.Caller
		ref  *value.Object
		want string
	}{
		{stranger, ref("document", "local_file", text.ID), "Invalid upload file"},
		{foreigner, ref("document", "local_file", text.ID), "Invalid upload file"},
		{f.caller, ref("document", "local_file", ids.New()), "Invalid upload file"},
		{f.caller, ref("document", "local_file", ""), "Invalid upload file"},
		{f.caller, ref("document", "local_file", "x"), "Invalid upload file id format"},
		{f.caller, ref("image", "local_file", png.ID), "File validation failed for file: p.png"},
		{f.caller, ref("", "local_file", text.ID), "File validation failed for file: b.txt"},
		{f.caller, ref("spell", "local_file", text.ID), "File validation failed for file: b.txt"},
		{f.caller, ref("document", "carrier-pigeon", text.ID), "'carrier-pigeon' is not a valid FileTransferMethod"},
		{f.caller, value.Obj("type", "document"), "None is not a valid FileTransferMethod"},
		{f.caller, value.Obj("type", "document", "transfer_method", "remote_url"), "Invalid file url"},
		{f.caller, value.Obj("type", "document", "transfer_method", "remote_url", "url", "not a url"), "Reached maximum retries (3) for URL not a url"},
	} {
		_, err := resolve(c.who, c.ref, document)
		require.True(t, errs.Is(err, errs.InvalidParam), "%v", err)
		require.Equal(t, c.want, errs.Public(err).Message)
	}
	_, err = resolve(f.caller, ref("document", "local_file", text.ID), inputs.FileRules{Types: []string{"document"}, Methods: []string{"remote_url"}})
	require.Error(t, err, "the method is not allowed")
	got, err = resolve(f.caller, ref("custom", "local_file", text.ID), inputs.FileRules{Types: []string{"custom"}, Extensions: []string{".TXT"}})
	require.NoError(t, err)
	require.Equal(t, "custom", got.Type)
	got, err = resolve(f.caller, ref("image", "local_file", text.ID), inputs.FileRules{})
	require.NoError(t, err)
	require.Equal(t, "image", got.Type, "the caller's word counts")
}

func TestRemoteFiles(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	got, err := f.service.For(f.caller).ResolveFile(t.Context(),
		value.Obj("type", "document", "transfer_method", "remote_url", "url", f.echo+"/file/r.md"), inputs.FileRules{})
	require.NoError(t, err)
	require.Equal(t, &value.File{
		Type: "document", TransferMethod: "remote_url", RemoteURL: f.echo + "/file/r.md", URL: f.echo + "/file/r.md",
		Filename: "r.md", Extension: ".md", MimeType: "text/markdown", Size: 16,
	}, got)
	data, err := f.service.ReadAll(t.Context(), f.caller.TenantID, got, 100)
	require.NoError(t, err)
	require.Equal(t, "content of r.md\n", string(data))
	_, err = f.service.ReadAll(t.Context(), f.caller.TenantID, got, 15)
	require.True(t, errs.Is(err, errs.FileTooLarge))
	inner := setup(t, func(o *file.Options) { o.Client = egress.NewClient(egress.Options{}) })
	_, err = inner.service.For(f.caller).ResolveFile(t.Context(),
		value.Obj("type", "document", "transfer_method", "remote_url", "url", f.echo+"/file/r.md"), inputs.FileRules{})
	require.ErrorIs(t, err, egress.ErrForbidden)
}

func TestFilesOfAMessage(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	u := f.upload(t, "p.png", "image/png", "png")
	txt := f.upload(t, "t.txt", "text/plain", "t")
	features, err := value.Decode([]byte(`{"enabled":true,"allowed_file_types":["image","document"],"allowed_file_extensions":[],
		"allowed_file_upload_methods":["local_file","remote_url"],"number_limits":3,"image":{"enabled":true,"detail":"low"}}`))
	require.NoError(t, err)
	config := file.ParseUploadConfig(features)
	require.Equal(t, "low", config.Detail)
	ref := func(kind, id string) any {
		return value.Obj("type", kind, "transfer_method", "local_file", "upload_file_id", id)
	}
	image, doc := ref("image", u.ID), ref("document", txt.ID)
	all := f.service.For(f.caller)
	got, err := all.ResolveAll(t.Context(), []any{image, doc, doc}, config)
	require.NoError(t, err)
	require.Len(t, got, 3)
	_, err = all.ResolveAll(t.Context(), []any{image, image, image, image}, config)
	require.EqualError(t, err, "Number of image files exceeds the maximum limit 3")
	_, err = all.ResolveAll(t.Context(), []any{doc, doc, doc, doc}, config)
	require.EqualError(t, err, "Number of files exceeds the maximum limit 3")
	config.Enabled = false
	got, err = all.ResolveAll(t.Context(), []any{image}, config)
	require.NoError(t, err)
	require.Equal(t, []any{}, got)
}

func TestPreviewAndRefresh(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	u := f.upload(t, "p.png", "image/png", "png")
	app := ids.New()
	_, err := f.service.Preview(t.Context(), f.caller.TenantID, app, u.ID)
	require.True(t, errs.Is(err, errs.FileNotFound))
	require.Equal(t, "File not found in message context", errs.Public(err).Message)
	f.store.AddToMessage(f.caller.TenantID, app, u.ID)
	c, err := f.service.Preview(t.Context(), f.caller.TenantID, app, u.ID)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = f.service.Preview(t.Context(), ids.New(), app, u.ID)
	require.Error(t, err)

	v, err := f.service.For(f.caller).ResolveFile(t.Context(), value.Obj("transfer_method", "local_file", "upload_file_id", u.ID), inputs.FileRules{})
	require.NoError(t, err)
	f.clock.Advance(time.Hour)
	fresh := f.service.Refresh(value.Obj("files", []any{v, v.Object()})).(*value.Object).Value("files").([]any)
	for _, x := range fresh {
		id, sig := parts(t, x.(*value.File).URL)
		c, err := f.service.Signed(t.Context(), id, sig, false)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	_, sig := parts(t, v.URL)
	_, err = f.service.Signed(t.Context(), u.ID, sig, false)
	require.Error(t, err, "the value itself was not changed")
}
