package forms_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/console/consoletest"
	"github.com/millrace/millrace/shared/api/console/forms"
	"github.com/millrace/millrace/shared/api/console/workflows"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/memapp"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/humaninput/memforms"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/mail"
	"github.com/millrace/millrace/shared/mail/memmail"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

type noSecrets struct{}

func (noSecrets) Seal(_ context.Context, _, text string) (string, error)   { return text, nil }
func (noSecrets) Unseal(_ context.Context, _, text string) (string, error) { return text, nil }

// paused are runs of one tenant that wait.
type paused struct {
	tenant string
	runs   map[string]*run.Snapshot
}

func (p *paused) Snapshot(_ context.Context, tenantID, runID string) (*run.Snapshot, error) {
	if s := p.runs[runID]; s != nil && tenantID == p.tenant {
		return s, nil
	}
	return nil, errs.New(errs.NotFound, "")
}

type bench struct {
	*consoletest.Bench
	who    account.Principal
	owner  *consoletest.Client
	forms  *humaninput.Service
	box    *memmail.Box
	runs   *paused
	appID  string
	router http.Handler
}

const ask = `{"type":"human-input","title":"Ask","form_content":"Is {{#start.q#}} {{#$output.note#}}?",
	"inputs":[{"type":"paragraph","output_variable_name":"note"}],"user_actions":[{"id":"ok","title":"OK"}],
	"delivery_methods":[{"id":"3f1d2c4e-0000-4000-8000-000000000001","type":"webapp","enabled":true},
		{"id":"3f1d2c4e-0000-4000-8000-000000000002","type":"email","enabled":false,"config":{"subject":"S","body":"B {{#url#}}","recipients":{"items":[{"type":"external","email":"x@example.com"}]}}}]}`

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: consoletest.NewBench(t, nil, nil), box: memmail.New()}
	b.who = b.SetUp(t)
	b.runs = &paused{tenant: b.who.Tenant.ID, runs: map[string]*run.Snapshot{}}
	mailer, err := mail.New(b.box, "m@example.com")
	require.NoError(t, err)
	b.forms = humaninput.New(memforms.New(), humaninput.Options{Clock: b.Clock, Mailer: mailer, WebURL: "https://web"})
	store := memapp.New()
	apps := app.New(store, noSecrets{}, ephemeral.NewMemory(b.Clock), &app.Options{Clock: b.Clock})
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	files := file.NewService(file.Options{Store: file.NewMemory(), Bucket: bucket, Signer: file.NewSigner("k", "", 0, clock.System{}), Clock: clock.System{}})
	routes := append(workflows.Routes(&workflows.Deps{Apps: apps, Auth: b.Auth}), forms.Routes(forms.Deps{
		Forms: b.forms, Apps: apps, Runs: b.runs, Files: files, Auth: b.Auth.Session,
	})...)
	b.router = edge.NewRouter(routes, nil)
	b.owner = b.LogIn(t, b.router, b.who.Account.Email)
	a, err := apps.Create(t.Context(), app.Actor{TenantID: b.who.Tenant.ID, AccountID: b.who.Account.ID}, app.NewApp{Name: "a", Mode: app.ModeWorkflow})
	require.NoError(t, err)
	b.appID = a.ID
	graph := json.RawMessage(`{"nodes":[{"id":"start","data":{"type":"start"}},{"id":"ask","data":` + ask + `}],"edges":[]}`)
	status, out := b.call(t, "POST", "/console/api/apps/"+a.ID+"/workflows/draft", map[string]any{"graph": graph, "features": map[string]any{}})
	require.Equal(t, 200, status, out)
	return b
}

func (b *bench) call(t *testing.T, method, path string, body any) (int, map[string]any) {
	t.Helper()
	w := b.owner.Do(t, method, path, body)
	var out map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	return w.Code, out
}

func (b *bench) node(t *testing.T, id, path string, body any) (int, map[string]any) {
	t.Helper()
	return b.call(t, "POST", "/console/api/apps/"+b.appID+"/workflows/draft/human-input/nodes/"+id+path, body)
}

func (b *bench) form(t *testing.T, tenantID string) *humaninput.Form {
	t.Helper()
	v, err := value.Decode([]byte(ask))
	require.NoError(t, err)
	c, err := humaninput.ParseConfig("ask", "Ask", v.(*value.Object))
	require.NoError(t, err)
	f, err := b.forms.Open(t.Context(), humaninput.Ask{ID: ids.New(), Config: c, Pool: workflow.NewPool(), Run: &workflow.RunInfo{
		ID: ids.New(), TenantID: tenantID, AppID: b.appID, InvokeFrom: "service-api",
	}})
	require.NoError(t, err)
	return f
}

func TestMembersAnswerForms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.form(t, b.who.Tenant.ID)
	at := func(token string) string { return "/console/api/form/human_input/" + token }
	path := at(f.Token(humaninput.RecipientBackstage))
	status, out := b.call(t, "GET", path, nil)
	require.Equal(t, 200, status, out)
	require.Equal(t, "Is start.q {{#$output.note#}}?", out["rendered_content"])
	require.Equal(t, "Is {{#start.q#}} {{#$output.note#}}?", out["form_content"])
	foreign := b.form(t, ids.New())
	for _, token := range []string{f.Token(humaninput.RecipientWebApp), foreign.Token(humaninput.RecipientBackstage), "nothing"} {
		for method, body := range map[string]any{"GET": nil, "POST": map[string]any{"inputs": map[string]any{"note": "x"}, "action": "ok"}} {
			status, out := b.call(t, method, at(token), body)
			require.Equal(t, 404, status, out)
			require.Equal(t, "not_found", out["code"])
		}
	}
	status, _ = b.call(t, "POST", path, map[string]any{"action": "ok"})
	require.Equal(t, 400, status)
	status, out = b.call(t, "POST", path, map[string]any{"inputs": map[string]any{"note": "x"}, "action": "ok"})
	require.Equal(t, 200, status, out)
	status, out = b.call(t, "GET", path, nil)
	require.Equal(t, 412, status, out)
	f, err := b.forms.Form(t.Context(), f.TenantID, f.ID)
	require.NoError(t, err)
	require.Equal(t, b.who.Account.ID, f.Submission.AccountID)
}

func TestPauseDetails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.form(t, b.who.Tenant.ID)
	path := "/console/api/workflow/" + f.RunID + "/pause-details"
	status, out := b.call(t, "GET", path, nil)
	require.Equal(t, 404, status, out)
	b.runs.runs[f.RunID] = &run.Snapshot{}
	_, out = b.call(t, "GET", path, nil)
	require.Equal(t, map[string]any{"paused_at": nil, "paused_nodes": []any{}}, out)
	b.runs.runs[f.RunID].Paused = &workflow.Event{At: b.Clock.Now()}
	_, out = b.call(t, "GET", path, nil)
	require.NotNil(t, out["paused_at"])
	require.Equal(t, []any{map[string]any{"node_id": "ask", "node_title": "Ask", "pause_type": map[string]any{
		"type": "human_input", "form_id": f.ID, "backstage_input_url": "https://web/form/" + f.Token(humaninput.RecipientBackstage),
	}}}, out["paused_nodes"])
}

func TestFormsOfDrafts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	given := map[string]any{"#start.q#": "it"}
	status, out := b.node(t, "ask", "/form/preview", map[string]any{"inputs": given})
	require.Equal(t, 200, status, out)
	require.Equal(t, "Is it {{#$output.note#}}?", out["form_content"])
	require.Equal(t, "ask", out["form_id"])
	status, out = b.node(t, "ask", "/form/run", map[string]any{"inputs": given, "form_inputs": map[string]any{"note": "n"}, "action": "ok"})
	require.Equal(t, 200, status, out)
	require.Equal(t, map[string]any{"note": "n", "__action_id": "ok", "__action_value": "OK", "__rendered_content": "Is it n?"}, out)
	for name, c := range map[string]struct {
		status  int
		message string
		body    map[string]any
	}{
		"variable": {400, "Variable key ask.#start.q# not found in user inputs", map[string]any{"inputs": map[string]any{}, "form_inputs": map[string]any{}, "action": "ok"}},
		"action":   {400, "Invalid action: no", map[string]any{"inputs": given, "form_inputs": map[string]any{"note": "n"}, "action": "no"}},
		"field":    {400, "Missing required inputs: note", map[string]any{"inputs": given, "form_inputs": map[string]any{}, "action": "ok"}},
	} {
		status, out := b.node(t, "ask", "/form/run", c.body)
		require.Equal(t, c.status, status, name)
		require.Equal(t, c.message, strings.TrimSuffix(out["message"].(string), "."), name)
	}
	for _, id := range []string{"start", "nope"} {
		status, _ = b.node(t, id, "/form/preview", map[string]any{"inputs": given})
		require.Equal(t, 404, status)
	}
	status, _ = b.call(t, "POST", "/console/api/apps/"+b.appID+"/advanced-chat/workflows/draft/human-input/nodes/ask/form/preview", map[string]any{"inputs": given})
	require.Equal(t, 404, status, "the app is no chatflow")
}

func TestDeliveriesAreTried(t *testing.T) {
	t.Parallel()
	b := setup(t)
	given := map[string]any{"#start.q#": "it"}
	status, out := b.node(t, "ask", "/delivery-test", map[string]any{"delivery_method_id": "3f1d2c4e-0000-4000-8000-000000000002", "inputs": given})
	require.Equal(t, 200, status, out)
	mails := b.box.Mails()
	require.Len(t, mails, 1)
	token := mails[0].Text[strings.LastIndexByte(mails[0].Text, '/')+1:]
	x, err := b.forms.ByToken(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, humaninput.KindDeliveryTest, x.Form.Kind)
	require.NoError(t, b.forms.Submit(t.Context(), x, humaninput.Answer{Action: "ok", Inputs: value.Obj("note", "x")}), "an answer to nobody")
	for _, body := range []map[string]any{{"inputs": given}, {"delivery_method_id": "x", "inputs": given}} {
		status, _ = b.node(t, "ask", "/delivery-test", body)
		require.Equal(t, 400, status)
	}
}
