package web_test

import (
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/web"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/humaninput/memforms"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// house is the forms' part of the API, with one form that waits.
type house struct {
	*world
	forms *humaninput.Service
	h     http.Handler
	form  *humaninput.Form
}

func openForms(t *testing.T, attempts int64) *house {
	t.Helper()
	w := &house{world: open(t), forms: humaninput.New(memforms.New(), humaninput.Options{})}
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	w.h = edge.NewRouter(web.FormRoutes(web.FormDeps{
		Forms: w.forms, Apps: w.apps, Counters: ephemeral.NewMemory(clock.System{}), Attempts: attempts,
		Files: file.NewService(file.Options{Store: file.NewMemory(), Bucket: bucket, Signer: file.NewSigner(secretKey, "", 0, clock.System{}), Clock: clock.System{}}),
	}), nil)
	w.form = w.ask(w.by.TenantID, w.app.ID)
	return w
}

func (w *house) ask(tenantID, appID string) *humaninput.Form {
	w.t.Helper()
	v, err := value.Decode([]byte(`{"form_content":"Say","inputs":[{"type":"file","output_variable_name":"doc"}],"user_actions":[{"id":"ok","title":"OK"}],
		"delivery_methods":[{"type":"webapp","enabled":true}]}`))
	require.NoError(w.t, err)
	c, err := humaninput.ParseConfig("ask", "Ask", v.(*value.Object))
	require.NoError(w.t, err)
	f, err := w.forms.Open(w.t.Context(), humaninput.Ask{ID: ids.New(), Config: c, Pool: workflow.NewPool(), Run: &workflow.RunInfo{
		ID: ids.New(), TenantID: tenantID, AppID: appID, InvokeFrom: "web-app",
	}})
	require.NoError(w.t, err)
	return f
}

func (w *house) call(method, path, body string, headers ...string) (int, map[string]any) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	var o map[string]any
	require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &o), rec.Body.String())
	return rec.Code, o
}

func (w *house) path() string {
	return "/api/form/human_input/" + w.form.Token(humaninput.RecipientWebApp)
}

func (w *house) refuses(status int, code, method, path, body string, headers ...string) {
	w.t.Helper()
	got, o := w.call(method, path, body, headers...)
	require.Equal(w.t, status, got, o)
	require.Equal(w.t, code, o["code"])
}

func TestFormsNeedATokenAlone(t *testing.T) {
	t.Parallel()
	w := openForms(t, 0)
	status, o := w.call("GET", w.path(), "")
	require.Equal(t, 200, status, o)
	site := o["site"].(map[string]any)
	require.Equal(t, w.app.ID, site["app_id"])
	require.Nil(t, site["end_user_id"])
	require.Equal(t, "Say", o["form_content"])

	w.refuses(404, "not_found", "GET", "/api/form/human_input/nothing", "")
	w.refuses(404, "not_found", "POST", "/api/form/human_input/%00", `{"inputs":{},"action":"ok"}`)
	for _, body := range []string{`{}`, `{"inputs":{}}`, `{"action":"ok"}`, `{"inputs":{},"action":1}`} {
		w.refuses(400, "invalid_param", "POST", w.path(), body)
	}
	w.refuses(400, "invalid_form_data", "POST", w.path(), `{"inputs":{"doc":null},"action":"ok"}`)

	w.form = w.ask(w.by.TenantID, ids.Random())
	w.refuses(403, "forbidden", "GET", w.path(), "")
	w.form = w.ask(ids.Random(), w.app.ID)
	w.refuses(403, "forbidden", "GET", w.path(), "")
}

func TestFormsTakeFiles(t *testing.T) {
	t.Parallel()
	w := openForms(t, 0)
	const files = "/api/human-input-forms/files"
	status, o := w.call("POST", w.path()+"/upload-token", "")
	require.Equal(t, 200, status, o)
	bearer := "Bearer " + o["upload_token"].(string)
	require.Greater(t, o["expires_at"].(float64), float64(0))

	var b strings.Builder
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "a.txt")
	require.NoError(t, err)
	_, err = part.Write([]byte("content"))
	require.NoError(t, err)
	require.NoError(t, form.Close())
	w.refuses(401, "invalid_upload_token", "POST", files, b.String(), "Content-Type", form.FormDataContentType())
	w.refuses(400, "invalid_upload_token", "POST", files, b.String(), "Authorization", "x")
	w.refuses(403, "invalid_upload_token", "POST", files, b.String(), "Authorization", "Bearer hitl_upload_x")
	w.refuses(400, "no_file_uploaded", "POST", files, "", "Authorization", bearer)
	status, o = w.call("POST", files, b.String(), "Authorization", bearer, "Content-Type", form.FormDataContentType())
	require.Equal(t, 201, status, o)

	answer := func(id string) string {
		return `{"inputs":{"doc":{"type":"document","transfer_method":"local_file","upload_file_id":"` + id + `"}},"action":"ok"}`
	}
	w.refuses(400, "invalid_form_data", "POST", w.path(), answer(ids.Random()))
	first := w.form
	w.form = w.ask(w.by.TenantID, w.app.ID)
	w.refuses(400, "invalid_form_data", "POST", w.path(), answer(o["id"].(string)))
	w.form = first
	status, o = w.call("POST", w.path(), answer(o["id"].(string)))
	require.Equal(t, 200, status, o)
	w.refuses(412, "human_input_form_submitted", "GET", w.path(), "")
	w.refuses(412, "human_input_form_submitted", "POST", w.path()+"/upload-token", "")
	w.refuses(412, "human_input_form_submitted", "POST", files, b.String(), "Authorization", bearer)
}

func TestFormsAreLimited(t *testing.T) {
	t.Parallel()
	w := openForms(t, 2)
	from := []string{"X-Forwarded-For", "10.1.1.1"}
	for range 2 {
		status, _ := w.call("GET", w.path(), "", from...)
		require.Equal(t, 200, status)
	}
	w.refuses(429, "web_form_rate_limit_exceeded", "GET", w.path(), "", from...)
	w.refuses(400, "invalid_param", "POST", w.path(), `{}`, from...)
	status, _ := w.call("GET", w.path(), "", "X-Forwarded-For", "10.1.1.2")
	require.Equal(t, 200, status)
}
