package httprequest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/file/filetest"
	"github.com/millrace/millrace/shared/mockecho"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/node/httprequest"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/value"
)

type fixture struct {
	typ   workflow.Type
	files *file.Service
	echo  *mockecho.Server
	url   string
	pool  *workflow.Pool
}

func setup(t *testing.T, change func(*httprequest.Options)) *fixture {
	t.Helper()
	f := &fixture{echo: mockecho.New(nil), pool: workflow.NewPool()}
	s := httptest.NewServer(f.echo.Handler())
	t.Cleanup(s.Close)
	f.url = s.URL
	client := egress.NewClient(egress.Options{AllowPrivate: true})
	f.files = filetest.Service(t, client)
	o := httprequest.Options{Client: client, Insecure: client, Files: f.files}
	if change != nil {
		change(&o)
	}
	f.typ = httprequest.New(o)
	return f
}

func (f *fixture) run(t *testing.T, data string) (*workflow.Result, error) {
	t.Helper()
	return nodetest.Run(t.Context(), t, f.typ, strings.ReplaceAll(data, "ECHO", f.url), f.pool)
}

// echoed runs the node and returns what the echo server saw.
func (f *fixture) echoed(t *testing.T, data string) *value.Object {
	t.Helper()
	res, err := f.run(t, data)
	require.NoError(t, err)
	return nodetest.Value(t, res.Outputs.String("body")).(*value.Object)
}

const noAuth = `"authorization":{"type":"no-auth"},"params":""`

func request(res *workflow.Result) string { return res.ProcessData.String("request") }

func TestRequestLog(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	host := strings.TrimPrefix(f.url, "http://")
	f.pool.Set("env", "K", "super secret/value")
	f.pool.MarkSecret("K")
	f.pool.Set("env", "S", "short")
	f.pool.MarkSecret("S")
	res, err := f.run(t, `{"type":"http-request","method":"get","url":"ECHO/echo","headers":"Authorization: Bearer {{#env.K#}}\nX-S: {{#env.S#}}",
		"params":"k:{{#env.K#}}","authorization":{"type":"no-auth"},"body":{"type":"none","data":[]}}`)
	require.NoError(t, err)
	require.Equal(t, "GET /echo?k=super ************ue HTTP/1.1\r\nHost: "+host+
		"\r\nAuthorization: Bearer super ************ue\r\nX-S: "+strings.Repeat("*", 20)+"\r\n\r\n", request(res))
	require.Contains(t, res.Outputs.String("body"), "super secret/value", "only the log is masked")

	res, err = f.run(t, `{"type":"http-request","method":"post","url":"ECHO/echo","headers":"","params":"",
		"authorization":{"type":"api-key","config":{"type":"bearer","api_key":"{{#env.S#}}"}},
		"body":{"type":"json","data":[{"type":"text","value":"{\"k\":\"{{#env.K#}}\"}"}]}}`)
	require.NoError(t, err)
	require.Equal(t, "POST /echo HTTP/1.1\r\nHost: "+host+"\r\nAuthorization: "+strings.Repeat("*", len("Bearer short"))+
		"\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n{\"k\":\"super ************ue\"}", request(res))
}

func TestStatusesFailOnlyWhenSomethingDealsWithThem(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	base := `{"type":"http-request","method":"get","url":"ECHO/status/500","headers":"",` + noAuth
	res, err := f.run(t, base+`}`)
	require.NoError(t, err)
	require.Equal(t, int64(500), res.Outputs.Value("status_code"))
	for _, more := range []string{
		`,"retry_config":{"retry_enabled":true,"max_retries":3}}`, `,"error_strategy":"fail-branch"}`, `,"error_strategy":"default-value"}`,
	} {
		res, err = f.run(t, base+more)
		var failed *workflow.Failure
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "HTTPResponseCodeError", failed.Type)
		require.Equal(t, "Request failed with status code 500", failed.Message)
		require.Equal(t, int64(500), res.Outputs.Value("status_code"))
		require.NotEmpty(t, request(res))
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *httprequest.Options) { o.MaxText, o.MaxBinary = 1<<20, 2<<20 })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	node := func(method, url, auth, body string) string {
		return `{"type":"http-request","method":"` + method + `","url":"` + url + `","headers":"","params":"","authorization":` + auth + `,"body":` + body + `}`
	}
	none, empty := `{"type":"no-auth"}`, `{"type":"none"}`
	for _, c := range []struct{ data, typ, message string }{
		{node("get", "", none, empty), "InvalidURLError", "url is required"},
		{node("get", "ftp://x", none, empty), "InvalidURLError", "url should start with http:// or https://"},
		{node("options", "ECHO/echo", none, empty), "InvalidHttpMethodError", "Invalid http method options"},
		{
			node("get", "ECHO/echo", `{"type":"api-key","config":{"type":"bearer","api_key":"","header":""}}`, empty),
			"AuthorizationConfigError", "API key is required for authorization but was empty. Please provide a valid API key.",
		},
		{node("get", "ECHO/echo", `{"type":"api-key"}`, empty), "AuthorizationConfigError", "authorization config is required"},
		{
			node("post", "ECHO/echo", none, `{"type":"json","data":[]}`),
			"RequestBodyError", "json body type should have exactly one item",
		},
		{node("post", "ECHO/echo", none, `{"type":"binary","data":[{"type":"file","file":["a","b"]}]}`), "FileFetchError", "cannot fetch file with selector ['a', 'b']"},
		{
			node("get", "ECHO/big/1048577", none, empty),
			"ResponseSizeError", "Text size is too large, max size is 1.00 MB, but current size is 1.00 MB.",
		},
		{
			node("get", "ECHO/bytes/3145728", none, empty),
			"ResponseSizeError", "File size is too large, max size is 2.00 MB, but current size is 3.00 MB.",
		},
		{node("get", "http://169.254.169.254/latest", none, empty), "HttpRequestNodeError", "Access to the requested address is not allowed"},
		{node("get", "http://"+closed.Addr().String(), none, empty), "HttpRequestNodeError", "Connection failed: connect: connection refused"},
	} {
		_, err := f.run(t, c.data)
		var failed *workflow.Failure
		require.ErrorAs(t, err, &failed, c.data)
		require.Equal(t, c.typ, failed.Type)
		require.Equal(t, c.message, failed.Message)
	}
	_, err = f.run(t, node("brew", "ECHO/echo", none, empty))
	require.ErrorContains(t, err, "method")
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	for _, method := range []string{"get", "put", "delete", "head"} {
		_, err := f.run(t, `{"type":"http-request","method":"`+method+`","url":"ECHO/echo","headers":"",`+noAuth+`}`)
		require.NoError(t, err)
	}
	require.Empty(t, f.echo.Calls().ByKey)
	for _, method := range []string{"post", "PATCH"} {
		_, err := f.run(t, `{"type":"http-request","method":"`+method+`","url":"ECHO/echo","headers":"",`+noAuth+`}`)
		require.NoError(t, err)
	}
	_, err := f.run(t, `{"type":"http-request","method":"post","url":"ECHO/echo","headers":"idempotency-key: mine",`+noAuth+`}`)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"run/execution/0": 2, "mine": 1}, f.echo.Calls().ByKey)
}

func TestVariablesCannotAddHeaders(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	f.pool.Set("start", "q", "v\r\nX-Evil: 1")
	f.pool.Set("start", "list", "X-A: 1\nX-B: 2")
	got := f.echoed(t, `{"type":"http-request","method":"get","url":"ECHO/echo","headers":"X-Q: {{#start.q#}}\n{{#start.list#}}",`+noAuth+`}`)
	require.JSONEq(t, `{"x-q":"v X-Evil: 1","x-a":"1","x-b":"2"}`, value.JSON(got.Value("headers")))
}

func upload(t *testing.T, s *file.Service, name, content string) *value.File {
	t.Helper()
	caller := file.Caller{TenantID: "tenant", UserID: "user", Role: file.RoleEndUser}
	u, err := s.Upload(t.Context(), file.UploadRequest{Caller: caller, Name: name, MimeType: "text/plain", Content: strings.NewReader(content)})
	require.NoError(t, err)
	f, err := s.For(caller).ResolveFile(t.Context(), value.Obj("type", "document", "transfer_method", "local_file", "upload_file_id", u.ID), inputs.FileRules{})
	require.NoError(t, err)
	return f
}

func TestFileBodies(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	f.pool.Set("start", "f", upload(t, f.files, "doc.txt", "file text"))
	f.pool.Set("start", "many", []any{upload(t, f.files, "a.txt", "1"), upload(t, f.files, "b.txt", "22")})
	form := `{"type":"http-request","method":"post","url":"ECHO/echo","headers":"Content-Type: text/plain",` + noAuth + `,"body":{"type":"form-data","data":[
		{"type":"file","key":"up","file":["start","SELECTED"]},{"type":"text","key":"t","value":"v"}]}}`
	got := f.echoed(t, strings.ReplaceAll(form, "SELECTED", "f"))
	require.JSONEq(t, `[{"name":"t","value":"v"},{"filename":"doc.txt","name":"up","size":9,"type":"text/plain"}]`, value.JSON(got.Value("multipart")))
	got = f.echoed(t, strings.ReplaceAll(form, "SELECTED", "many"))
	require.JSONEq(t, `[{"name":"t","value":"v"},{"filename":"a.txt","name":"up","size":1,"type":"text/plain"},
		{"filename":"b.txt","name":"up","size":2,"type":"text/plain"}]`, value.JSON(got.Value("multipart")))
	res, err := f.run(t, strings.ReplaceAll(form, "SELECTED", "f"))
	require.NoError(t, err)
	require.Contains(t, request(res), `filename="doc.txt"`)
	require.NotContains(t, request(res), "file text")

	got = f.echoed(t, `{"type":"http-request","method":"post","url":"ECHO/echo","headers":"Content-Type:application/octet-stream",`+noAuth+`,
		"body":{"type":"binary","data":[{"type":"file","file":["start","f"]}]}}`)
	require.Equal(t, "file text", got.Value("text"))
}

func TestFileAnswers(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	for path, want := range map[string]struct{ ext, kind, mime string }{
		"file/a.txt":   {".txt", "document", "text/plain"},
		"file/a.png":   {".png", "image", "image/png"},
		"inline/a.png": {".png", "image", "image/png"},
		"bytes/16":     {".bin", "custom", "application/octet-stream"},
	} {
		res, err := f.run(t, `{"type":"http-request","method":"get","url":"ECHO/`+path+`","headers":"",`+noAuth+`}`)
		require.NoError(t, err)
		require.Empty(t, res.Outputs.String("body"))
		got := res.Outputs.Value("files").([]any)[0].(*value.File)
		require.Equal(t, want.ext, got.Extension)
		require.Equal(t, want.kind, got.Type)
		require.Equal(t, want.mime, got.MimeType)
		require.Equal(t, "tool_file", got.TransferMethod)
		require.Regexp(t, `^[0-9a-f]{32}\`+want.ext+`$`, got.Filename)
		require.Regexp(t, `^http://files\.test/files/tools/`+got.RelatedID+`\`+want.ext+`\?timestamp=\d+&nonce=[0-9a-f]{32}&sign=`, got.URL)
		rc, err := f.files.Open(t.Context(), "tenant", got)
		require.NoError(t, err)
		data, err := io.ReadAll(rc)
		require.NoError(t, err)
		require.NoError(t, rc.Close())
		require.Len(t, data, int(got.Size))
		_, err = f.files.Open(t.Context(), "another", got)
		require.Error(t, err)
	}
}

// answer serves one fixed response.
func answer(t *testing.T, header http.Header, body []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestWhatAnAnswerIs(t *testing.T) {
	t.Parallel()
	f := setup(t, nil)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte("plain after all"))
	require.NoError(t, w.Close())
	for name, c := range map[string]struct {
		header http.Header
		body   string
		text   string
		isFile bool
	}{
		"json api":     {http.Header{"Content-Type": {"application/vnd.api+json"}}, `{}`, `{}`, false},
		"code":         {http.Header{"Content-Type": {"application/x-thing"}}, `var a = 1`, `var a = 1`, false},
		"pdf":          {http.Header{"Content-Type": {"application/pdf"}}, "%PDF-1.4 \xff", "", true},
		"named":        {http.Header{"Content-Type": {"text/plain"}, "Content-Disposition": {`inline; filename="x.txt"`}}, "x", "", true},
		"audio":        {http.Header{"Content-Type": {"audio/mpeg"}}, "x", "", true},
		"csv":          {http.Header{"Content-Type": {"text/csv"}}, "a,b", "a,b", false},
		"latin":        {http.Header{"Content-Type": {"text/plain; charset=iso-8859-1"}}, "caf\xe9", "café", false},
		"unnamed utf8": {http.Header{"Content-Type": {"text/plain"}}, "café", "café", false},
		"gzip":         {http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}}, zipped.String(), "plain after all", false},
	} {
		url := answer(t, c.header, []byte(c.body))
		res, err := f.run(t, `{"type":"http-request","method":"get","url":"`+url+`","headers":"",`+noAuth+`}`)
		require.NoError(t, err, name)
		require.Equal(t, c.text, res.Outputs.String("body"), name)
		require.Equal(t, c.isFile, len(res.Outputs.Value("files").([]any)) == 1, name)
	}
}

func TestTimeoutAndCancellation(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *httprequest.Options) {
		o.Timeouts = egress.Timeouts{Connect: 10 * time.Millisecond, Read: 10 * time.Millisecond, Write: 10 * time.Millisecond}
	})
	data := `{"type":"http-request","method":"get","url":"ECHO/delay/2000","headers":"",` + noAuth + `,"timeout":{"max_read_timeout":500}}`
	_, err := f.run(t, data)
	require.EqualError(t, err, "The read operation timed out")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = nodetest.Run(ctx, t, f.typ, strings.ReplaceAll(data, "ECHO", f.url), f.pool)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCertificateChecksAreTheNodesChoice(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "secure") }))
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	f := setup(t, func(o *httprequest.Options) {
		o.Insecure = egress.NewClient(egress.Options{AllowPrivate: true, InsecureSkipVerify: true})
	})
	data := `{"type":"http-request","method":"get","url":"` + s.URL + `","headers":"",` + noAuth + `,"ssl_verify":`
	_, err := f.run(t, data+`true}`)
	require.ErrorContains(t, err, "certificate")
	_, err = f.run(t, data+`null}`)
	require.ErrorContains(t, err, "certificate")
	res, err := f.run(t, data+`false}`)
	require.NoError(t, err)
	require.Equal(t, "secure", res.Outputs.String("body"))
}
