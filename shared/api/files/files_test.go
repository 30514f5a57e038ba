package files_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/files"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/file/filetest"
)

func upload(t *testing.T, s *file.Service, name, mime, content string) *file.Upload {
	t.Helper()
	u, err := s.Upload(t.Context(), file.UploadRequest{
		Caller: file.Caller{TenantID: "tenant", UserID: "user", Role: file.RoleEndUser}, Name: name, MimeType: mime, Content: strings.NewReader(content),
	})
	require.NoError(t, err)
	return u
}

func get(t *testing.T, h http.Handler, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimPrefix(target, "http://files.test"), nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(data)
}

func TestSignedRoutes(t *testing.T) {
	t.Parallel()
	s := filetest.Service(t, nil)
	h := edge.NewRouter(files.Routes(s), nil)
	png := upload(t, s, "ü p.png", "image/png", "0123456789")
	link := s.Signer().Preview(png.ID)

	r := get(t, h, link)
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, "image/png", r.Header.Get("Content-Type"))
	require.Equal(t, "10", r.Header.Get("Content-Length"))
	require.Equal(t, "0123456789", body(t, r))

	r = get(t, h, link, "Range", "bytes=2-4")
	require.Equal(t, http.StatusPartialContent, r.StatusCode)
	require.Equal(t, "234", body(t, r))

	r = get(t, h, link+"&as_attachment=true")
	require.Equal(t, "attachment; filename*=UTF-8''%C3%BC%20p.png", r.Header.Get("Content-Disposition"))
	require.Equal(t, "application/octet-stream", r.Header.Get("Content-Type"))

	r = get(t, h, s.Signer().Image(png.ID))
	require.Equal(t, 200, r.StatusCode)

	html := upload(t, s, "x.html", "text/html; charset=utf-8", "<script>")
	r = get(t, h, s.Signer().Preview(html.ID))
	require.Contains(t, r.Header.Get("Content-Disposition"), "attachment", "scripts of strangers do not run here")

	r = get(t, h, "/files/"+png.ID+"/file-preview")
	require.Equal(t, 400, r.StatusCode)
	require.Contains(t, body(t, r), `"invalid_param"`)
	r = get(t, h, "/files/"+png.ID+"/file-preview?timestamp=1&nonce=0&sign=x")
	require.Equal(t, 404, r.StatusCode)
	require.Contains(t, body(t, r), "File not found or signature is invalid")

	f, err := s.SaveToolFile(t.Context(), "tenant", "user", "", "text/plain", []byte("made"))
	require.NoError(t, err)
	r = get(t, h, f.URL)
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, "made", body(t, r))
	u, err := url.Parse(f.URL)
	require.NoError(t, err)
	r = get(t, h, u.Path+"?timestamp=1&nonce=0&sign=x")
	require.Equal(t, 403, r.StatusCode)
	require.Contains(t, body(t, r), "Invalid request.")
	require.Equal(t, http.StatusNotImplemented, get(t, h, "/files/workspaces/x/webapp-logo").StatusCode)
}

type part struct{ field, name, mime, content string }

func multipartRequest(t *testing.T, parts ...part) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		disposition := `form-data; name="` + p.field + `"`
		if p.name != "-" {
			disposition += `; filename="` + p.name + `"`
		}
		h.Set("Content-Disposition", disposition)
		if p.mime != "" {
			h.Set("Content-Type", p.mime)
		}
		pw, err := w.CreatePart(h)
		require.NoError(t, err)
		_, err = pw.Write([]byte(p.content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/files/upload", &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func TestParseUpload(t *testing.T) {
	t.Parallel()
	s := filetest.Service(t, nil)
	in, err := files.ParseUpload(multipartRequest(t, part{"file", "a.txt", "text/plain; charset=utf-8", "abc"}, part{"user", "-", "", "user-1"}), s)
	require.NoError(t, err)
	require.Equal(t, "a.txt", in.Name)
	require.Equal(t, "text/plain", in.MimeType)
	require.Equal(t, "user-1", in.Form.Get("user"))
	data, err := io.ReadAll(in.Content)
	require.NoError(t, err)
	require.Equal(t, "abc", string(data))

	plain := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("user=x"))
	plain.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	large := multipartRequest(t, part{"file", "a.txt", "text/plain", strings.Repeat("x", 1000)})
	large.Body = http.MaxBytesReader(nil, large.Body, 100)
	for name, c := range map[string]struct {
		r    *http.Request
		code errs.Code
	}{
		"not multipart": {plain, errs.NoFileUploaded},
		"no file":       {multipartRequest(t, part{"user", "-", "", "x"}), errs.NoFileUploaded},
		"other field":   {multipartRequest(t, part{"doc", "a.txt", "text/plain", "x"}), errs.NoFileUploaded},
		"two files":     {multipartRequest(t, part{"file", "a.txt", "", "a"}, part{"file2", "b.txt", "", "b"}), errs.TooManyFiles},
		"no name":       {multipartRequest(t, part{"file", "", "text/plain", "a"}), errs.FilenameNotExists},
		"no type":       {multipartRequest(t, part{"file", "a.txt", "", "a"}), errs.UnsupportedFileType},
		"large body":    {large, errs.FileTooLarge},
	} {
		_, err := files.ParseUpload(c.r, s)
		require.True(t, errs.Is(err, c.code), "%s: %v", name, err)
	}
}
