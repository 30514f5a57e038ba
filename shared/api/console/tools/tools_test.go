package tools_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console/tools"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/builtin/timetool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/workflowtool"
	"github.com/millrace/millrace/shared/tool/workflowtool/memworkflowtool"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	base  = "/console/api/workspaces/current"
	appID = "22222222-2222-4222-8222-222222222222"
	flow  = "33333333-3333-4333-8333-333333333333"
	graph = `{"nodes":[{"id":"s","data":{"type":"start","variables":[{"variable":"q","label":"Question","type":"paragraph","required":true}]}},
		{"id":"e","data":{"type":"end","outputs":[{"variable":"out","value_selector":["s","q"],"value_type":"string"}]}}],"edges":[{"source":"s","target":"e"}]}`
	body = `"name":"say","label":"Say","description":"Says","icon":{"content":"x","background":"#fff"},"labels":["search"],
		"parameters":[{"name":"q","description":"what","form":"llm"}]`
)

// apps has one published workflow, of the workspace t1.
type apps struct{}

func (apps) App(_ context.Context, tenantID, id string) (app.App, error) {
	if tenantID != "t1" || id != appID {
		return app.App{}, errs.New(errs.NotFound, "")
	}
	return app.App{ID: appID, TenantID: tenantID, Mode: app.ModeWorkflow, WorkflowID: flow}, nil
}

func (apps) Published(context.Context, app.App) (app.Workflow, error) {
	return app.Workflow{ID: flow, TenantID: "t1", AppID: appID, Version: "v", Graph: graph}, nil
}

func (a apps) Version(ctx context.Context, _, _, _ string) (app.Workflow, error) {
	return a.Published(ctx, app.App{})
}

func (apps) Authors(context.Context, ...string) (map[string]app.Author, error) { return nil, nil }

type bench struct {
	t       *testing.T
	handler http.Handler
	role    account.Role
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, role: account.Admin}
	store := &memworkflowtool.Store{}
	store.AddVersion("t1", appID, "v", flow)
	published := workflowtool.New(workflowtool.Deps{Store: store, Apps: apps{}, Clock: clock.NewFake(time.Unix(0, 0))})
	b.handler = edge.NewRouter(tools.Routes(&tools.Deps{
		Tools: tool.New(tool.Options{Runtimes: map[tool.ProviderType]driver.Runtime{
			driver.Builtin:  builtin.New(timetool.New(clock.System{})),
			driver.Workflow: workflowtool.NewRuntime(published, nil),
		}}),
		Workflows: published, ConsoleURL: "https://console.example/",
		Auth: func(next tools.Handler) edge.Handler {
			return func(w http.ResponseWriter, r *http.Request) error {
				tenant := r.Header.Get("X-Tenant")
				if tenant == "" {
					return errs.New(errs.Unauthorized, "")
				}
				return next(w, r, account.Principal{Tenant: account.Tenant{ID: tenant}, Account: account.Account{ID: "a"}, Role: b.role})
			}
		},
	}), nil)
	return b
}

// call answers with the decoded body.
func (b *bench) call(want int, tenant, method, path, body string) any {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, base+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Tenant", tenant)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	require.Equal(b.t, want, w.Code, "%s %s: %s", method, path, w.Body)
	if !strings.Contains(w.Header().Get("Content-Type"), "json") {
		return w.Body.String()
	}
	v, err := value.Decode(w.Body.Bytes())
	require.NoError(b.t, err)
	return v
}

func (b *bench) message(want int, tenant, method, path, body string) string {
	b.t.Helper()
	return b.call(want, tenant, method, path, body).(*value.Object).String("message")
}

func at(v any, i int) *value.Object { return v.([]any)[i].(*value.Object) }

func TestLists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list := b.call(200, "t1", "GET", "/tools/builtin", "")
	p := at(list, 0)
	require.Equal(t, "time", p.String("id"))
	require.Equal(t, "https://console.example/console/api/workspaces/current/tool-provider/builtin/time/icon", p.String("icon"))
	require.Equal(t, false, p.Value("allow_delete"))
	require.Len(t, p.Value("tools"), 5)
	require.Equal(t, p.Value("tools"), b.call(200, "t1", "GET", "/tool-provider/builtin/time/tools", ""))
	require.Len(t, b.call(200, "t1", "GET", "/tool-providers", ""), 1, "what is not there is left out")
	require.Empty(t, b.call(200, "t1", "GET", "/tool-providers?type=workflow", ""))
	b.call(501, "t1", "GET", "/tool-providers?type=mcp", "")
	b.call(501, "t1", "GET", "/tools/api", "")
	b.call(400, "t1", "GET", "/tool-providers?type=odd", "")
	b.call(401, "", "GET", "/tools/builtin", "")
	require.Len(t, b.call(200, "t1", "GET", "/tool-labels", ""), 17)
	require.Equal(t, "you have not added provider time", b.message(400, "t1", "GET", "/tool-provider/builtin/time/info", ""))
	b.call(404, "t1", "GET", "/tool-provider/builtin/nothing/tools", "")
	require.Contains(t, b.call(200, "", "GET", "/tool-provider/builtin/time/icon", ""), "<svg", "no session is needed")
	b.call(404, "", "GET", "/tool-provider/builtin/nothing/icon", "")
}

func TestWorkflows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const at1 = "/tool-provider/workflow"
	create := `{` + body + `,"workflow_app_id":"` + appID + `"}`
	b.role = account.Editor
	b.call(403, "t1", "POST", at1+"/create", create)
	b.call(403, "t1", "POST", at1+"/update", `{}`)
	b.call(403, "t1", "POST", at1+"/delete", `{}`)
	b.role = account.Owner
	b.call(400, "t1", "POST", at1+"/create", `{}`)
	require.Contains(t, b.message(400, "t1", "POST", at1+"/create", strings.Replace(create, `"say"`, `"say it"`, 1)), "say it is not a valid alphanumeric value")
	require.Contains(t, b.message(400, "t1", "POST", at1+"/create", strings.Replace(create, `"llm"`, `"odd"`, 1)), "parameters.0.form")
	require.Equal(t, "App "+appID+" not found", b.message(400, "t2", "POST", at1+"/create", create))
	require.Equal(t, `{"result": "success"}`, value.JSON(b.call(200, "t1", "POST", at1+"/create", create)))

	got := b.call(200, "t1", "GET", at1+"/get?workflow_app_id="+appID, "").(*value.Object)
	id := got.String("workflow_tool_id")
	require.Equal(t, true, got.Value("synced"))
	require.Equal(t, `{"background": "#fff", "content": "x"}`, value.JSON(got.Value("icon")))
	require.Equal(t, `[{"name": "q", "description": "what", "form": "llm"}]`, value.JSON(got.Value("parameters")))
	require.Equal(t, "say", got.Value("tool").(*value.Object).String("name"))
	require.Equal(t, got, b.call(200, "t1", "GET", at1+"/get?workflow_tool_id="+id, ""))
	require.Equal(t, got.Value("tool"), at(b.call(200, "t1", "GET", at1+"/tools?workflow_tool_id="+id, ""), 0))
	listed := at(b.call(200, "t1", "GET", "/tools/workflow", ""), 0)
	require.Equal(t, []string{id, appID, "workflow"}, []string{listed.String("id"), listed.String("workflow_app_id"), listed.String("type")})
	require.Empty(t, b.call(200, "t2", "GET", "/tools/workflow", ""))
	require.Equal(t, "Tool not found", b.message(400, "t2", "GET", at1+"/get?workflow_tool_id="+id, ""))
	b.call(400, "t1", "GET", at1+"/get", "")
	b.call(400, "t1", "GET", at1+"/tools", "")

	update := `{` + strings.Replace(body, "Says", "Tells", 1) + `,"workflow_tool_id":"` + id + `"}`
	b.call(400, "t1", "POST", at1+"/update", `{`+body+`}`)
	require.Equal(t, "Tool "+id+" not found", b.message(400, "t2", "POST", at1+"/update", update))
	b.call(200, "t1", "POST", at1+"/update", update)
	require.Equal(t, "Tells", b.call(200, "t1", "GET", at1+"/get?workflow_tool_id="+id, "").(*value.Object).String("description"))
	b.call(400, "t1", "POST", at1+"/delete", `{}`)
	b.call(200, "t2", "POST", at1+"/delete", `{"workflow_tool_id":"`+id+`"}`)
	b.call(200, "t1", "POST", at1+"/delete", `{"workflow_tool_id":"`+id+`"}`)
	require.Empty(t, b.call(200, "t1", "GET", "/tools/workflow", ""))
}
