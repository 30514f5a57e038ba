package workflows_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/console/consoletest"
	"github.com/millrace/millrace/shared/api/console/workflows"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/memapp"
	"github.com/millrace/millrace/shared/ids"
)

type noSecrets struct{}

func (noSecrets) Seal(_ context.Context, _, text string) (string, error)   { return text, nil }
func (noSecrets) Unseal(_ context.Context, _, text string) (string, error) { return text, nil }

type object = map[string]any

type bench struct {
	*consoletest.Bench
	owner  *consoletest.Client
	who    account.Principal
	apps   *app.Service
	routes []edge.Route
	router http.Handler
	app    string
}

func setup(t *testing.T, mode string) *bench {
	t.Helper()
	b := &bench{Bench: consoletest.NewBench(t, nil, nil)}
	b.who = b.SetUp(t)
	store := memapp.New()
	store.AddAuthor(app.Author{ID: b.who.Account.ID, Name: "Conformance", Email: b.who.Account.Email})
	b.apps = app.New(store, noSecrets{}, ephemeral.NewMemory(b.Clock), &app.Options{Clock: b.Clock})
	b.routes = workflows.Routes(&workflows.Deps{Apps: b.apps, Auth: b.Auth})
	b.router = edge.NewRouter(b.routes, nil)
	b.owner = b.LogIn(t, b.router, b.who.Account.Email)
	a, err := b.apps.Create(t.Context(), app.Actor{TenantID: b.who.Tenant.ID, AccountID: b.who.Account.ID}, app.NewApp{Name: "a", Mode: mode})
	require.NoError(t, err)
	b.app = a.ID
	return b
}

func call(t *testing.T, c *consoletest.Client, method, path string, body any) (int, object) {
	t.Helper()
	w := c.Do(t, method, path, body)
	var out object
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	}
	return w.Code, out
}

func (b *bench) ok(t *testing.T, status int, method, path string, body any) object {
	t.Helper()
	got, out := call(t, b.owner, method, "/console/api/apps/"+b.app+"/workflows"+path, body)
	require.Equal(t, status, got, "%v", out)
	return out
}

func TestDraft(t *testing.T) {
	t.Parallel()
	b := setup(t, app.ModeAdvancedChat)
	require.Equal(t, "draft_workflow_not_exist", b.ok(t, 404, "GET", "/draft", nil)["code"])
	graph := object{"nodes": []any{object{"id": "s", "position": object{"x": 1.5}}}, "edges": []any{}}
	made := b.ok(t, 200, "POST", "/draft", object{"graph": graph, "features": object{"a": 1}, "conversation_variables": []any{
		object{"name": "c", "value_type": "string", "value": "v"}}})
	got := b.ok(t, 200, "GET", "/draft", nil)
	require.Equal(t, made["hash"], got["hash"])
	require.Equal(t, "Conformance", got["created_by"].(object)["name"])
	require.Nil(t, got["updated_by"])
	require.Equal(t, graph["edges"], got["graph"].(object)["edges"])
	require.Len(t, got["conversation_variables"], 1)
	require.Equal(t, "draft_workflow_not_sync", b.ok(t, 409, "POST", "/draft", object{"graph": graph, "features": object{}})["code"])
	b.ok(t, 200, "POST", "/draft", object{"graph": graph, "features": object{}, "hash": made["hash"]})
	b.ok(t, 200, "POST", "/draft", object{"graph": object{}, "features": object{}, "_is_collaborative": true,
		"environment_variable_patch": object{"environment_variables": []any{object{"name": "P", "value_type": "number", "value": 3}}}})
	for _, bad := range []object{
		{"features": object{}}, {"graph": "x", "features": object{}}, {"graph": graph, "features": object{}, "environment_variables": []any{}},
		{"graph": graph, "features": object{}, "conversation_variables": 5},
	} {
		require.Equal(t, "invalid_param", b.ok(t, 400, "POST", "/draft", bad)["code"])
	}
	b.ok(t, 200, "POST", "/draft/features", object{"features": object{"opening_statement": "hi"}})
	require.Equal(t, "hi", b.ok(t, 200, "GET", "/draft", nil)["features"].(object)["opening_statement"])
	b.ok(t, 200, "POST", "/draft/conversation-variables", object{"conversation_variables": []any{}})
	require.Empty(t, b.ok(t, 200, "GET", "/draft", nil)["conversation_variables"])
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	b := setup(t, app.ModeWorkflow)
	b.ok(t, 200, "POST", "/draft", object{"graph": object{}, "features": object{}})
	id := ids.Random()
	b.ok(t, 200, "POST", "/draft/environment-variables", object{"environment_variables": []any{
		object{"id": id, "name": "K", "value_type": "secret", "value": "hush"}}})
	shown := b.ok(t, 200, "GET", "/draft", nil)["environment_variables"].([]any)[0].(object)
	require.Equal(t, strings.Repeat("*", 20), shown["value"])
	items := b.ok(t, 200, "GET", "/draft/environment-variables", nil)["items"].([]any)
	require.Equal(t, object{"id": id, "type": "env", "name": "K", "description": "", "selector": []any{"env", "K"}, "value_type": "secret",
		"value": "hush", "edited": false, "visible": true, "editable": true}, items[0])
	b.ok(t, 200, "POST", "/draft/environment-variables", object{"patch": true, "deleted_environment_variable_ids": []string{id},
		"environment_variables": []any{object{"name": "E", "value_type": "string", "value": "v"}}})
	items = b.ok(t, 200, "GET", "/draft/environment-variables", nil)["items"].([]any)
	require.Len(t, items, 1)
	require.Equal(t, "E", items[0].(object)["name"])
	b.ok(t, 400, "POST", "/draft/environment-variables", object{})
}

func TestVersions(t *testing.T) {
	t.Parallel()
	b := setup(t, app.ModeWorkflow)
	b.ok(t, 400, "POST", "/publish", object{})
	require.Nil(t, b.ok(t, 200, "GET", "/publish", nil))
	b.ok(t, 200, "POST", "/draft", object{"graph": object{"nodes": []any{}}, "features": object{}})
	b.ok(t, 400, "POST", "/publish", object{"marked_name": strings.Repeat("n", 21)})
	b.ok(t, 400, "POST", "/publish", object{"marked_comment": strings.Repeat("c", 101)})
	b.ok(t, 200, "POST", "/publish", object{"marked_name": "v1", "marked_comment": "first"})
	one := b.ok(t, 200, "GET", "/publish", nil)
	require.Equal(t, []any{"v1", "first", 1.0}, []any{one["marked_name"], one["marked_comment"], one["version_number"]})
	b.Clock.Advance(time.Second)
	b.ok(t, 200, "POST", "/publish", nil)
	list := b.ok(t, 200, "GET", "?limit=2", nil)
	require.Equal(t, true, list["has_more"])
	require.Equal(t, "draft", list["items"].([]any)[0].(object)["version"])
	require.Len(t, b.ok(t, 200, "GET", "?named_only=true", nil)["items"], 1)
	id := one["id"].(string)
	require.Equal(t, "two", b.ok(t, 200, "PATCH", "/"+id, object{"marked_name": "two"})["marked_name"])
	b.ok(t, 400, "PATCH", "/"+id, object{})
	require.Equal(t, "success", b.ok(t, 200, "POST", "/"+id+"/restore", object{})["result"])
	b.ok(t, 204, "DELETE", "/"+id, nil)
	b.ok(t, 404, "DELETE", "/"+id, nil)
	current := b.ok(t, 200, "GET", "/publish", nil)["id"].(string)
	require.Equal(t, "bad_request", b.ok(t, 400, "DELETE", "/"+current, nil)["code"])
}

func TestOnlyAppsWithAGraph(t *testing.T) {
	t.Parallel()
	b := setup(t, app.ModeChat)
	require.Equal(t, "app_not_found", b.ok(t, 404, "GET", "/draft", nil)["code"])
}

func TestForeignersAndRoles(t *testing.T) {
	t.Parallel()
	b := setup(t, app.ModeWorkflow)
	other, err := b.Accounts.AddOwner(t.Context(), account.SetupInput{Email: "o@example.com", Name: "Other", Password: consoletest.Password})
	require.NoError(t, err)
	foreigner := b.LogIn(t, b.router, other.Account.Email)
	b.Join(t, b.who.Tenant.ID, "normal@example.com", account.Normal)
	normal := b.LogIn(t, b.router, "normal@example.com")
	for _, r := range b.routes {
		if !strings.Contains(r.Path, "{app_id:uuid}") {
			continue // runs are found by themselves, see debug_test.go
		}
		path := strings.NewReplacer("{app_id:uuid}", b.app, "{workflow_id:uuid}", ids.Random(), "{variable_id:uuid}", ids.Random(), "{node_id}", "n").Replace(r.Path)
		status, body := call(t, foreigner, r.Method, path, object{})
		require.Equal(t, 404, status, "%s %s", r.Method, r.Path)
		require.Equal(t, "app_not_found", body["code"], r.Path)
		want := 403
		if strings.HasSuffix(r.Path, "/last-run") {
			want = 404 // every member may ask
		}
		status, _ = call(t, normal, r.Method, path, object{})
		require.Equal(t, want, status, "%s %s", r.Method, r.Path)
	}
}
