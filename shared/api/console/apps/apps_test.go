package apps_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/console/apps"
	"github.com/millrace/millrace/shared/api/console/consoletest"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/memapp"
	"github.com/millrace/millrace/shared/ids"
)

type noSecrets struct{}

func (noSecrets) Seal(_ context.Context, _, text string) (string, error)   { return text, nil }
func (noSecrets) Unseal(_ context.Context, _, text string) (string, error) { return text, nil }

type bench struct {
	*consoletest.Bench
	owner  *consoletest.Client
	who    account.Principal
	routes []edge.Route
	router http.Handler
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{Bench: consoletest.NewBench(t, nil, nil)}
	b.who = b.SetUp(t)
	store := memapp.New()
	store.AddAuthor(app.Author{ID: b.who.Account.ID, Name: b.who.Account.Name, Email: b.who.Account.Email})
	service := app.New(store, noSecrets{}, ephemeral.NewMemory(b.Clock), &app.Options{Clock: b.Clock})
	b.routes = apps.Routes(&apps.Deps{Apps: service, Auth: b.Auth, ServiceURL: "https://api.example/"})
	b.router = edge.NewRouter(b.routes, nil)
	b.owner = b.LogIn(t, b.router, b.who.Account.Email)
	return b
}

// call makes a request and returns the decoded answer.
func call(t *testing.T, c *consoletest.Client, method, path string, body any) (int, map[string]any) {
	t.Helper()
	w := c.Do(t, method, "/console/api"+path, body)
	var out map[string]any
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	}
	return w.Code, out
}

func (b *bench) ok(t *testing.T, status int, method, path string, body any) map[string]any {
	t.Helper()
	got, out := call(t, b.owner, method, path, body)
	require.Equal(t, status, got, "%v", out)
	return out
}

type object = map[string]any

func (b *bench) create(t *testing.T, mode string) string {
	t.Helper()
	return b.ok(t, 201, "POST", "/apps", object{"name": mode + " app", "mode": mode, "icon_type": "emoji", "icon": "🤖"})["id"].(string)
}

func TestLifeOfAnApp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, "chat")
	got := b.ok(t, 200, "GET", "/apps/"+id, nil)
	require.Equal(t, "https://api.example/v1", got["api_base_url"])
	require.Len(t, got["permission_keys"], 11)
	require.Equal(t, "chat app", got["site"].(object)["title"])
	require.Equal(t, false, got["model_config"].(object)["annotation_reply"].(object)["enabled"])
	require.Nil(t, got["workflow"])
	got = b.ok(t, 200, "PUT", "/apps/"+id, object{"name": "new", "description": "d", "icon": "🎯"})
	require.Equal(t, "new", got["name"])
	require.EqualValues(t, 0, got["max_active_requests"])
	require.Empty(t, got["permission_keys"])
	require.Equal(t, "renamed", b.ok(t, 200, "POST", "/apps/"+id+"/name", object{"name": "renamed"})["name"])
	require.Equal(t, "🐟", b.ok(t, 200, "POST", "/apps/"+id+"/icon", object{"icon": "🐟"})["icon"])
	require.Equal(t, false, b.ok(t, 200, "POST", "/apps/"+id+"/site-enable", object{"enable_site": false})["enable_site"])
	require.Equal(t, false, b.ok(t, 200, "POST", "/apps/"+id+"/api-enable", object{"enable_api": false})["enable_api"])
	b.ok(t, 400, "POST", "/apps/"+id+"/api-enable", object{"enable_api": "yes"})
	require.Equal(t, false, b.ok(t, 200, "GET", "/apps/"+id+"/trace", nil)["enabled"])
	b.ok(t, 200, "POST", "/apps/"+id+"/trace", object{"enabled": true, "tracing_provider": "langfuse"})
	require.Equal(t, "langfuse", b.ok(t, 200, "GET", "/apps/"+id+"/trace", nil)["tracing_provider"])

	list := b.ok(t, 200, "GET", "/apps?limit=1&name=RENAM", nil)
	require.EqualValues(t, 1, list["total"])
	require.Equal(t, "Conformance", list["data"].([]any)[0].(object)["author_name"])
	b.ok(t, 400, "GET", "/apps?limit=1000", nil)
	b.ok(t, 400, "GET", "/apps?mode=spaceship", nil)
	b.ok(t, 204, "DELETE", "/apps/"+id, nil)
	require.Equal(t, "app_not_found", b.ok(t, 404, "GET", "/apps/"+id, nil)["code"])
	b.ok(t, 404, "GET", "/apps/junk", nil)
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []object{
		{"name": "x", "mode": "spaceship"}, {"mode": "chat"}, {"name": "", "mode": "chat"}, {"name": "x"},
		{"name": "x", "mode": "chat", "description": strings.Repeat("d", 401)}, {"name": "x", "mode": "chat", "icon_type": "clip"},
	} {
		require.Equal(t, "unprocessable_entity", b.ok(t, 422, "POST", "/apps", body)["code"])
	}
	require.Equal(t, "invalid_param", b.ok(t, 400, "POST", "/apps/imports", object{"yaml_content": "x: 1"})["code"])
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := "kind: app\nversion: 0.7.0\napp: {name: flow, mode: workflow}\nworkflow: {graph: {nodes: []}}\n" +
		"dependencies: [{type: package, value: {plugin_unique_identifier: 'a/b:1@c'}}]\n"
	made := b.ok(t, 200, "POST", "/apps/imports", object{"mode": "yaml-content", "yaml_content": doc})
	require.Equal(t, "completed", made["status"])
	id := made["app_id"].(string)
	require.Len(t, b.ok(t, 200, "GET", "/apps/imports/"+id+"/check-dependencies", nil)["leaked_dependencies"], 1)
	text := b.ok(t, 200, "GET", "/apps/"+id+"/export?include_secret=true", nil)["data"].(string)
	require.True(t, strings.HasPrefix(text, "app:\n  description: ''\n"), text)
	copied := b.ok(t, 201, "POST", "/apps/"+id+"/copy", object{"name": "twin"})
	require.Equal(t, "twin", copied["site"].(object)["title"])
	waits := b.ok(t, 202, "POST", "/apps/imports", object{"mode": "yaml-content", "yaml_content": strings.Replace(doc, "0.7.0", "9.0.0", 1)})
	require.Nil(t, waits["app_id"])
	b.ok(t, 200, "POST", "/apps/imports/"+waits["id"].(string)+"/confirm", object{})
	failed := b.ok(t, 400, "POST", "/apps/imports/"+waits["id"].(string)+"/confirm", object{})
	require.Equal(t, "failed", failed["status"])
	require.Equal(t, waits["id"], failed["id"])
}

func TestKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/apps/" + b.create(t, "workflow") + "/api-keys"
	var key string
	for range 10 {
		key = b.ok(t, 201, "POST", path, nil)["id"].(string)
	}
	require.Equal(t, object{"custom": "max_keys_exceeded", "message": "Cannot create more than 10 API keys for this resource type"},
		b.ok(t, 400, "POST", path, nil))
	require.Len(t, b.ok(t, 200, "GET", path, nil)["data"], 10)
	b.ok(t, 204, "DELETE", path+"/"+key, nil)
	require.Equal(t, object{"message": "API key not found"}, b.ok(t, 404, "DELETE", path+"/"+key, nil))
	made := b.ok(t, 200, "POST", "/datasets/api-keys", nil)
	require.Regexp(t, "^dataset-", made["token"])
	require.Len(t, b.ok(t, 200, "GET", "/datasets/api-keys", nil)["data"], 1)
	b.ok(t, 204, "DELETE", "/datasets/api-keys/"+made["id"].(string), nil)
}

func TestSite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/apps/" + b.create(t, "workflow") + "/site"
	got := b.ok(t, 200, "POST", path, object{"title": "T", "default_language": "de-DE", "prompt_public": true, "description": "d"})
	require.Equal(t, []any{"T", "de-DE", true, "d", nil}, []any{got["title"], got["default_language"], got["prompt_public"], got["description"], got["copyright"]})
	b.ok(t, 422, "POST", path, object{"default_language": "xx-YY"})
	b.ok(t, 400, "POST", path, object{"custom_disclaimer": strings.Repeat("d", 513)})
	require.Equal(t, "T", b.ok(t, 200, "POST", path, object{})["title"])
	require.NotEqual(t, got["code"], b.ok(t, 200, "POST", path+"/access-token-reset", nil)["code"])
}

// Every route of one app answers members of other workspaces as if the app did
// not exist, and members who may not edit with 403 where it changes something.
func TestForeignersAndRoles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, "workflow")
	other, err := b.Accounts.AddOwner(t.Context(), account.SetupInput{Email: "o@example.com", Name: "Other", Password: consoletest.Password})
	require.NoError(t, err)
	foreigner := b.LogIn(t, b.router, other.Account.Email)
	b.Join(t, b.who.Tenant.ID, "normal@example.com", account.Normal)
	normal := b.LogIn(t, b.router, "normal@example.com")
	nobody := consoletest.NewClient(b.router)
	tried := 0
	for _, r := range b.routes {
		path := strings.NewReplacer("/console/api", "", "{app_id:uuid}", id, "{api_key_id:uuid}", ids.Random()).Replace(r.Path)
		status, _ := call(t, nobody, r.Method, path, object{})
		require.Equal(t, 401, status, r.Path)
		if !strings.Contains(r.Path, "{app_id") {
			continue
		}
		status, body := call(t, foreigner, r.Method, path, object{})
		require.Equal(t, 404, status, "%s %s", r.Method, r.Path)
		require.Equal(t, "app_not_found", body["code"], r.Path)
		tried++
		if r.Method != http.MethodGet {
			status, _ = call(t, normal, r.Method, path, object{})
			require.Equal(t, 403, status, "%s %s", r.Method, r.Path)
		}
	}
	require.Greater(t, tried, 15)
	status, _ := call(t, normal, "GET", "/apps/"+id, nil)
	require.Equal(t, 200, status)
}
