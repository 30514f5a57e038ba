package providers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console/providers"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/mockmodel"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/memstore"
	"github.com/millrace/millrace/shared/provider/openaicompat"
	"github.com/millrace/millrace/shared/secretbox"
)

const (
	base = "/console/api/workspaces/current"
	one  = base + "/model-providers/langgenius/openai_api_compatible/openai_api_compatible"
)

type bench struct {
	t       *testing.T
	handler http.Handler
	mock    string
	role    account.Role
}

// auth stands for the console's: the header names workspace and nothing else.
func (b *bench) auth(next providers.Handler) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		tenant := r.Header.Get("X-Tenant")
		if tenant == "" {
			return errs.New(errs.Unauthorized, "")
		}
		return next(w, r, account.Principal{Tenant: account.Tenant{ID: tenant}, Role: b.role})
	}
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, role: account.Owner}
	srv := httptest.NewServer(mockmodel.New(nil).Handler())
	t.Cleanup(srv.Close)
	b.mock = srv.URL + "/v1"
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	box := secretbox.Open(bucket, nil)
	for _, tenant := range []string{"t1", "t2"} {
		_, err := box.GenerateKey(t.Context(), tenant)
		require.NoError(t, err)
	}
	s := provider.NewService(memstore.New(), box, []*provider.Definition{openaicompat.Definition(srv.Client())}, nil)
	b.handler = edge.NewRouter(providers.Routes(&providers.Deps{Providers: s, Auth: b.auth}), nil)
	return b
}

func (b *bench) call(tenant, method, path, body string) (status int, text string) {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Tenant", tenant)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	data, err := io.ReadAll(w.Body)
	require.NoError(b.t, err)
	return w.Code, string(data)
}

// ok calls as a member of t1, wants a status and returns the answer.
func (b *bench) ok(status int, method, path, body string) map[string]any {
	b.t.Helper()
	got, text := b.call("t1", method, path, body)
	require.Equal(b.t, status, got, text)
	if text == "" {
		return nil
	}
	var out map[string]any
	require.NoError(b.t, json.Unmarshal([]byte(text), &out))
	return out
}

func (b *bench) credentials(key string) string {
	return `{"endpoint_url":"` + b.mock + `","api_key":"` + key + `","mode":"chat","context_size":"8192","max_tokens_to_sample":"4096",
		"function_calling_type":"tool_call","stream_function_calling":"supported","vision_support":"no_support",
		"structured_output_support":"not_supported"}`
}

const chat = `"model":"mock-chat","model_type":"llm"`

func (b *bench) add() { b.addNamed("null") }

func (b *bench) addNamed(name string) {
	b.t.Helper()
	b.ok(201, "POST", one+"/models/credentials", `{`+chat+`,"name":`+name+`,"credentials":`+b.credentials("mock-key-1234")+`}`)
}

func list(v map[string]any) []any { return v["data"].([]any) }

func TestAddAndList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Empty(t, list(b.ok(200, "GET", one+"/models", "")))
	require.Nil(t, b.ok(200, "GET", base+"/default-model?model_type=llm", "")["data"])
	b.add()
	models := list(b.ok(200, "GET", one+"/models", ""))
	require.Len(t, models, 1)
	require.Equal(t, "mock-chat", models[0].(map[string]any)["model"])
	require.Equal(t, "active", models[0].(map[string]any)["status"])
	require.Len(t, list(b.ok(200, "GET", base+"/models/model-types/llm", "")), 1)
	require.Len(t, list(b.ok(200, "GET", base+"/model-providers", "")), 1)
	require.Empty(t, list(b.ok(200, "GET", base+"/model-providers?model_type=moderation", "")))
	rules := list(b.ok(200, "GET", one+"/models/parameter-rules?model=mock-chat", ""))
	require.Equal(t, "temperature", rules[0].(map[string]any)["name"])
	require.Len(t, list(b.ok(200, "GET", base+"/model-providers/openai_api_compatible/models", "")), 1, "the bare name is the provider too")

	b.ok(200, "POST", base+"/default-model", `{"model_settings":[{`+chat+`,"provider":"openai_api_compatible"},{"model_type":"tts"}]}`)
	require.Equal(t, "mock-chat", b.ok(200, "GET", base+"/default-model?model_type=llm", "")["data"].(map[string]any)["model"])

	b.ok(204, "DELETE", one+"/models", `{`+chat+`}`)
	require.Empty(t, list(b.ok(200, "GET", one+"/models", "")))
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.addNamed(`"first"`)
	b.addNamed(`"second"`)
	path := one + "/models/credentials?model=mock-chat&model_type=llm"
	got := b.ok(200, "GET", path, "")
	require.Equal(t, "first", got["current_credential_name"])
	require.NotContains(t, got["credentials"].(map[string]any)["api_key"], "key-12")
	available := got["available_credentials"].([]any)
	require.Len(t, available, 2)
	id := func(i int) string { return available[i].(map[string]any)["credential_id"].(string) }

	body := `{` + chat + `,"credential_id":"` + id(1) + `"`
	b.ok(200, "POST", one+"/models/credentials/switch", body+`}`)
	require.Equal(t, "second", b.ok(200, "GET", path, "")["current_credential_name"])
	b.ok(200, "PUT", one+"/models/credentials", body+`,"name":"renamed","credentials":`+b.credentials("[__HIDDEN__]")+`}`)
	require.Equal(t, "renamed", b.ok(200, "GET", path+"&credential_id="+id(1), "")["current_credential_name"])

	b.ok(204, "DELETE", one+"/models", `{`+chat+`}`)
	b.ok(200, "POST", one+"/models", body+`,"config_from":"custom-model"}`)
	require.Len(t, list(b.ok(200, "GET", one+"/models", "")), 1)
	b.ok(204, "DELETE", one+"/models/credentials", body+`}`)
	b.ok(404, "DELETE", one+"/models/credentials", body+`}`)
	require.Equal(t, "credential-removed", list(b.ok(200, "GET", one+"/models", ""))[0].(map[string]any)["status"])
}

func TestEnable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add()
	for _, c := range []struct{ action, status string }{{"disable", "disabled"}, {"enable", "active"}} {
		b.ok(200, "PATCH", one+"/models/"+c.action, `{`+chat+`}`)
		require.Equal(t, c.status, list(b.ok(200, "GET", one+"/models", ""))[0].(map[string]any)["status"])
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := one + "/models/credentials/validate"
	require.Equal(t, map[string]any{"result": "success"}, b.ok(200, "POST", path, `{`+chat+`,"credentials":`+b.credentials("k")+`}`))
	got := b.ok(200, "POST", path, `{`+chat+`,"credentials":{"api_key":"k"}}`)
	require.Equal(t, "error", got["result"])
	require.Contains(t, got["error"], "is required")
}

func TestRolesAndWorkspaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add()
	status, _ := b.call("", "GET", one+"/models", "")
	require.Equal(t, 401, status)
	_, text := b.call("t2", "GET", one+"/models", "")
	require.JSONEq(t, `{"data":[]}`, text)
	status, _ = b.call("t2", "GET", one+"/models/credentials?model=mock-chat&model_type=llm", "")
	require.Equal(t, 200, status)
	b.role = account.Editor
	cred := `{` + chat + `,"credential_id":"x","credentials":{}}`
	for _, c := range [][2]string{{"POST", base + "/default-model"}, {"POST", one + "/models"}, {"DELETE", one + "/models"},
		{"POST", one + "/models/credentials"}, {"PUT", one + "/models/credentials"}, {"DELETE", one + "/models/credentials"},
		{"POST", one + "/models/credentials/switch"}} {
		status, _ := b.call("t1", c[0], c[1], cred)
		require.Equal(t, 403, status, c)
	}
	require.Len(t, list(b.ok(200, "GET", one+"/models", "")), 1, "members may look")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		status             int
		method, path, body string
	}{
		"no type":          {400, "GET", base + "/default-model", ""},
		"old type":         {400, "GET", base + "/default-model?model_type=text-generation", ""},
		"no settings":      {400, "POST", base + "/default-model", `{}`},
		"wrong settings":   {400, "POST", base + "/default-model", `{"model_settings":[{"model_type":"x"}]}`},
		"no such model":    {400, "POST", base + "/default-model", `{"model_settings":[{` + chat + `,"provider":"openai_api_compatible"}]}`},
		"no model":         {400, "DELETE", one + "/models", `{"model_type":"llm"}`},
		"no credentials":   {400, "POST", one + "/models/credentials", `{` + chat + `}`},
		"long name":        {400, "POST", one + "/models/credentials", `{` + chat + `,"credentials":{},"name":"` + strings.Repeat("n", 31) + `"}`},
		"no credential id": {400, "DELETE", one + "/models/credentials", `{` + chat + `}`},
		"custom model":     {400, "POST", one + "/models", `{` + chat + `,"config_from":"custom-model"}`},
		"load balancing":   {501, "POST", one + "/models", `{` + chat + `,"load_balancing":{"enabled":true}}`},
		"provider-wide":    {501, "POST", one + "/credentials", `{"credentials":{}}`},
		"preferred type":   {501, "POST", one + "/preferred-provider-type", `{"preferred_provider_type":"custom"}`},
		"unknown provider": {404, "GET", base + "/model-providers/a/b/c/models", ""},
		"unknown id":       {404, "POST", one + "/models/credentials/switch", `{` + chat + `,"credential_id":"x"}`},
		"outside":          {404, "GET", base + "/model-providers/a/b/c/none", ""},
		"no model query":   {400, "GET", one + "/models/parameter-rules", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, text := b.call("t1", c.method, c.path, c.body)
			require.Equal(t, c.status, status, text)
		})
	}
}

func TestIcon(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/console/api/workspaces/t1/model-providers/" + openaicompat.ID
	status, text := b.call("", "GET", path+"/icon_small/en_US", "")
	require.Equal(t, 200, status)
	require.Contains(t, text, "<svg")
	status, _ = b.call("", "GET", path+"/icon_large/en_US", "")
	require.Equal(t, 400, status)
}
