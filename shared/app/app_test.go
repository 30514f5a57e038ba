package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/memapp"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// box seals by marking, so that tests see what is sealed.
type box struct{}

func (box) Seal(_ context.Context, tenant, text string) (string, error) {
	return "sealed:" + tenant + ":" + text, nil
}

func (box) Unseal(_ context.Context, tenant, sealed string) (string, error) {
	text, ok := strings.CutPrefix(sealed, "sealed:"+tenant+":")
	if !ok {
		return "", errs.New(errs.Internal, "not sealed for this workspace")
	}
	return text, nil
}

// bus delivers to every listener before Publish returns.
type bus struct{ listeners []func(string) }

func (b *bus) Publish(_ context.Context, key string) error {
	for _, l := range b.listeners {
		l(key)
	}
	return nil
}

func (b *bus) Listen(_ context.Context, forget func(string)) error {
	b.listeners = append(b.listeners, forget)
	return nil
}

type world struct {
	*app.Service
	store *memapp.Store
	clock *clock.Fake
	by    app.Actor
	opts  app.Options
}

func setup(opts app.Options) world {
	w := world{store: memapp.New(), clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)),
		by: app.Actor{TenantID: ids.Random(), AccountID: ids.Random(), Language: "de-DE"}}
	opts.Clock = w.clock
	w.opts = opts
	w.Service = app.New(w.store, box{}, ephemeral.NewMemory(w.clock), &opts)
	return w
}

func (w world) workflow(t *testing.T) app.App {
	t.Helper()
	a, err := w.Create(t.Context(), w.by, app.NewApp{Name: "flow", Mode: app.ModeWorkflow})
	require.NoError(t, err)
	return a
}

func obj(t *testing.T, text string) *value.Object {
	t.Helper()
	v, err := value.Decode([]byte(text))
	require.NoError(t, err)
	return v.(*value.Object)
}

func list(t *testing.T, text string) []any {
	t.Helper()
	return obj(t, `{"l":`+text+`}`).Value("l").([]any)
}

func TestGraphHashIsTheContracts(t *testing.T) {
	t.Parallel()
	require.Equal(t, "7feabc4b69556ba92129207b38448e726447ecacc5407c7fa3de4cf087370305", app.GraphHash(
		`{"nodes": [{"id": "n", "position": {"x": 383.0, "y": -1.5e-07, "z": 100000000000000000000},`+
			` "data": {"title": "Größe 🤖", "b": true, "n": null}}], "edges": []}`))
	require.Equal(t, app.GraphHash(`{"a":1,"b":2}`), app.GraphHash(`{"b":2,"a":1}`))
	require.NotEqual(t, app.GraphHash(`{"a":1}`), app.GraphHash(`{"a":1.0}`))
}

func TestDraftConflicts(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{})
	a := w.workflow(t)
	ctx := t.Context()
	_, err := w.Draft(ctx, w.by.TenantID, a.ID)
	require.True(t, errs.Is(err, errs.DraftWorkflowNotExist))
	_, err = w.EditDraft(ctx, w.by, a, app.DraftChange{})
	require.True(t, errs.Is(err, errs.DraftWorkflowNotExist))
	one, err := w.SyncDraft(ctx, w.by, a, app.DraftChange{Graph: obj(t, `{"nodes":[1]}`), Features: obj(t, `{}`)})
	require.NoError(t, err)
	require.Empty(t, one.UpdatedBy)
	two, err := w.SyncDraft(ctx, w.by, a, app.DraftChange{Graph: obj(t, `{"nodes":[2]}`), Hash: app.GraphHash(one.Graph)})
	require.NoError(t, err)
	require.Equal(t, w.by.AccountID, two.UpdatedBy)
	for _, hash := range []string{app.GraphHash(one.Graph), ""} {
		_, err = w.SyncDraft(ctx, w.by, a, app.DraftChange{Graph: obj(t, `{"nodes":[3]}`), Hash: hash})
		require.True(t, errs.Is(err, errs.DraftWorkflowNotSync))
	}
	_, err = w.SyncDraft(ctx, w.by, a, app.DraftChange{Graph: obj(t, `{"nodes":[4]}`), Force: true})
	require.NoError(t, err)
}

func TestSecretsAreSealedAndMasked(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{})
	a := w.workflow(t)
	ctx := t.Context()
	id := ids.Random()
	secret := func(v string) []any {
		return []any{value.Obj("id", id, "name", "K", "value_type", "secret", "value", v)}
	}
	_, err := w.SyncDraft(ctx, w.by, a, app.DraftChange{Graph: obj(t, `{}`), Environment: secret("hush")})
	require.NoError(t, err)
	stars := strings.Repeat("*", 20)
	for _, send := range []string{stars, "[__HIDDEN__]"} {
		draft, err := w.EditDraft(ctx, w.by, a, app.DraftChange{Environment: secret(send)})
		require.NoError(t, err)
		require.Equal(t, "sealed:"+w.by.TenantID+":hush", draft.Environment[0].Value, "a masked value keeps the stored one")
		require.Equal(t, stars, app.Mask(draft.Environment)[0].Value)
	}
	draft, err := w.EditDraft(ctx, w.by, a, app.DraftChange{EnvironmentPatch: secret("new"), EnvironmentDeleted: []string{ids.Random()}})
	require.NoError(t, err)
	plain, err := w.PlainEnvironment(ctx, draft)
	require.NoError(t, err)
	require.Equal(t, "new", plain[0].Value)
	text, err := w.Export(ctx, a, app.ExportOptions{})
	require.NoError(t, err)
	require.NotContains(t, text, "new")
	require.NotContains(t, text, "sealed")
	text, err = w.Export(ctx, a, app.ExportOptions{Secrets: true})
	require.NoError(t, err)
	require.Contains(t, text, "value: new")

	v, err := w.Publish(ctx, w.by, a, "", "")
	require.NoError(t, err)
	def, err := w.Definition(ctx, w.by.TenantID, v.ID)
	require.NoError(t, err)
	require.Equal(t, "new", def.Environment[0].Value)
	require.True(t, def.Environment[0].Secret)
	_, err = w.Definition(ctx, ids.Random(), v.ID)
	require.True(t, errs.Is(err, errs.NotFound))
	draft, err = w.EditDraft(ctx, w.by, a, app.DraftChange{EnvironmentDeleted: []string{id}})
	require.NoError(t, err)
	require.Empty(t, draft.Environment)
}

func TestVariableChecks(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{})
	a := w.workflow(t)
	for name, c := range map[string]app.DraftChange{
		"no name":  {Environment: list(t, `[{"value_type":"string","value":"x"}]`)},
		"no type":  {Environment: list(t, `[{"name":"a","value":"x"}]`)},
		"no value": {Environment: list(t, `[{"name":"a","value_type":"string"}]`)},
		"type":     {Environment: list(t, `[{"name":"a","value_type":"object","value":{}}]`)},
		"text":     {Environment: list(t, `[{"name":"a","value_type":"string","value":5}]`)},
		"number":   {Environment: list(t, `[{"name":"a","value_type":"number","value":"five"}]`)},
		"twice":    {Environment: list(t, `[{"name":"a","value_type":"string","value":"1"},{"name":"a","value_type":"string","value":"2"}]`)},
		"array":    {Conversation: list(t, `[{"name":"a","value_type":"array[string]","value":"x"}]`)},
		"long":     {Conversation: list(t, `[{"name":"a","value_type":"string","value":"","description":"`+strings.Repeat("d", 256)+`"}]`)},
		"large":    {Conversation: list(t, `[{"name":"a","value_type":"string","value":"`+strings.Repeat("d", 204900)+`"}]`)},
		"entry":    {Conversation: list(t, `[5]`)},
	} {
		_, err := w.SyncDraft(t.Context(), w.by, a, c)
		require.True(t, errs.Is(err, errs.InvalidParam), "%s: %v", name, err)
	}
	_, err := w.Draft(t.Context(), w.by.TenantID, a.ID)
	require.True(t, errs.Is(err, errs.DraftWorkflowNotExist), "nothing was stored")
	draft, err := w.SyncDraft(t.Context(), w.by, a, app.DraftChange{Conversation: list(t, `[
		{"name":"n","value_type":"number","value":"1.5"},{"name":"b","value_type":"boolean"},{"name":"l","value_type":"array[object]"}]`)})
	require.NoError(t, err)
	require.Equal(t, 1.5, draft.Conversation[0].Value)
	require.Equal(t, false, draft.Conversation[1].Value)
	require.Equal(t, []any{}, draft.Conversation[2].Value)
	text, err := app.EncodeVariables(draft.Conversation)
	require.NoError(t, err)
	back, err := app.DecodeVariables(text)
	require.NoError(t, err)
	require.Equal(t, draft.Conversation, back)
}

func TestPublishAndVersions(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{})
	a := w.workflow(t)
	ctx := t.Context()
	_, err := w.Publish(ctx, w.by, a, "", "")
	require.True(t, errs.Is(err, errs.InvalidParam))
	_, err = w.Published(ctx, a)
	require.True(t, errs.Is(err, errs.NotFound))
	_, err = w.SyncDraft(ctx, w.by, a, app.DraftChange{Graph: obj(t, `{"nodes":[{"id":"s","data":{"type":"start","variables":[{"variable":"q"}]}}]}`)})
	require.NoError(t, err)
	one, err := w.Publish(ctx, w.by, a, "n", "c")
	require.NoError(t, err)
	require.Equal(t, "2026-01-02 03:04:05.000006", one.Version)
	require.True(t, one.PublishedAt().Equal(w.clock.Now().UTC().Truncate(time.Microsecond)))
	require.Len(t, one.StartVariables(), 1)
	a, err = w.App(ctx, w.by.TenantID, a.ID)
	require.NoError(t, err)
	err = w.DeleteVersion(ctx, w.by.TenantID, a, one.ID)
	require.True(t, errs.Is(err, errs.BadRequest), "in use")
	w.clock.Advance(time.Second)
	_, err = w.EditDraft(ctx, w.by, a, app.DraftChange{Graph: obj(t, `{"nodes":[]}`)})
	require.NoError(t, err)
	_, err = w.Publish(ctx, w.by, a, "", "")
	require.NoError(t, err)
	draft, err := w.RestoreVersion(ctx, w.by, a, one.ID)
	require.NoError(t, err)
	require.Equal(t, one.Graph, draft.Graph)
	_, err = w.RestoreVersion(ctx, w.by, a, draft.ID)
	require.True(t, errs.Is(err, errs.BadRequest))
	a, err = w.App(ctx, w.by.TenantID, a.ID)
	require.NoError(t, err)
	require.True(t, errs.Is(w.DeleteVersion(ctx, w.by.TenantID, a, draft.ID), errs.BadRequest))
	require.NoError(t, w.DeleteVersion(ctx, w.by.TenantID, a, one.ID))
	require.True(t, errs.Is(w.DeleteVersion(ctx, w.by.TenantID, a, one.ID), errs.NotFound))
	_, err = w.EditDraft(ctx, w.by, a, app.DraftChange{
		Graph: obj(t, `{"nodes":[{"id":"s","data":{"type":"start"}},{"id":"w","data":{"type":"trigger-webhook"}}]}`)})
	require.NoError(t, err)
	_, err = w.Publish(ctx, w.by, a, "", "")
	require.True(t, errs.Is(err, errs.InvalidParam), "start and trigger")
}

const document = `
version: 0.7.0
kind: app
app: {name: doc, mode: workflow, icon: 🐟}
dependencies:
- {type: package, value: {plugin_unique_identifier: 'org/here:1@x'}}
- {type: package, value: {plugin_unique_identifier: 'org/gone:1@x'}}
workflow:
  environment_variables: [{name: K, value_type: secret, value: s3cret}]
  graph:
    nodes:
    - {id: k, data: {type: knowledge-retrieval, dataset_ids: [11111111-1111-4111-8111-111111111111, junk]}}
    - {id: t, data: {type: tool, credential_id: cred}}
    - {id: w, data: {type: trigger-webhook, webhook_url: 'https://x'}}
`

func TestImportAndExport(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{EncryptDatasetIDs: true, HasPlugin: func(_ context.Context, _, id string) bool { return id == "org/here" }})
	ctx := t.Context()
	res, err := w.Import(ctx, w.by, app.ImportRequest{Mode: "yaml-content", Content: document})
	require.NoError(t, err)
	require.Equal(t, dsl.Completed, res.Status, res.Error)
	a, err := w.App(ctx, w.by.TenantID, *res.AppID)
	require.NoError(t, err)
	require.Equal(t, "emoji", a.IconType)
	missing, err := w.MissingDependencies(ctx, w.by.TenantID, a.ID)
	require.NoError(t, err)
	require.Len(t, missing, 1)
	draft, err := w.Draft(ctx, w.by.TenantID, a.ID)
	require.NoError(t, err)
	require.Contains(t, draft.Graph, `"dataset_ids":["11111111-1111-4111-8111-111111111111"]`)
	require.Equal(t, "sealed:"+w.by.TenantID+":s3cret", draft.Environment[0].Value)

	text, err := w.Export(ctx, a, app.ExportOptions{})
	require.NoError(t, err)
	for _, private := range []string{"11111111-1111", "credential_id", "https://x", "s3cret"} {
		require.NotContains(t, text, private)
	}
	again, err := w.Import(ctx, w.by, app.ImportRequest{Mode: "yaml-content", Content: text})
	require.NoError(t, err)
	back, err := w.Draft(ctx, w.by.TenantID, *again.AppID)
	require.NoError(t, err)
	require.Contains(t, back.Graph, `"dataset_ids":["11111111-1111-4111-8111-111111111111"]`)
	stranger := app.Actor{TenantID: ids.Random(), AccountID: ids.Random()}
	other, err := w.Import(ctx, stranger, app.ImportRequest{Mode: "yaml-content", Content: text})
	require.NoError(t, err)
	theirs, err := w.Draft(ctx, stranger.TenantID, *other.AppID)
	require.NoError(t, err)
	require.Contains(t, theirs.Graph, `"dataset_ids":[]`, "datasets of another workspace are dropped")

	copied, err := w.Copy(ctx, w.by, a, app.ImportRequest{})
	require.NoError(t, err)
	twin, err := w.Draft(ctx, w.by.TenantID, *copied.AppID)
	require.NoError(t, err)
	require.Equal(t, draft.Environment[0].Value, twin.Environment[0].Value, "a copy keeps its secrets")
}

func TestImportRefusals(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{})
	ctx := t.Context()
	chat, err := w.Create(ctx, w.by, app.NewApp{Name: "chat", Mode: app.ModeChat})
	require.NoError(t, err)
	doc := func(body string) string { return "version: 0.7.0\nkind: app\n" + body }
	for name, c := range map[string]struct {
		in   app.ImportRequest
		want string
	}{
		"version":  {app.ImportRequest{Content: "version: 1.5\napp: {name: x, mode: chat}"}, "Invalid version type, expected str, got <class 'float'>"},
		"no app":   {app.ImportRequest{Content: doc("")}, "Missing app data in YAML content"},
		"no mode":  {app.ImportRequest{Content: doc("app: {name: x}")}, "loss app mode"},
		"mode":     {app.ImportRequest{Content: doc("app: {name: x, mode: spaceship}")}, "Invalid app mode"},
		"workflow": {app.ImportRequest{Content: doc("app: {name: x, mode: workflow}")}, "Missing workflow data for workflow/advanced chat app"},
		"config":   {app.ImportRequest{Content: doc("app: {name: x, mode: chat}")}, "Missing model_config for chat/agent-chat/completion app"},
		"over":     {app.ImportRequest{Content: document, AppID: chat.ID}, "Only workflow or advanced chat apps can be overwritten"},
		"unknown":  {app.ImportRequest{Content: document, AppID: ids.Random()}, "App not found"},
		"variable": {app.ImportRequest{Content: doc("app: {name: x, mode: workflow}\nworkflow: {environment_variables: [{name: A, value: x}]}")}, "missing value type"},
	} {
		c.in.Mode = "yaml-content"
		res, err := w.Import(ctx, w.by, c.in)
		require.NoError(t, err, name)
		require.Equal(t, dsl.Failed, res.Status, name)
		require.Equal(t, c.want, res.Error, name)
		require.Nil(t, res.AppID, name)
	}
	_, total, err := w.Apps(ctx, w.by.TenantID, app.Filter{Page: 1, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 1, total, "nothing was made")
	_, err = w.Import(ctx, w.by, app.ImportRequest{Mode: "yaml-content", Content: doc("app: {name: x, mode: agent}")})
	require.True(t, errs.Is(err, errs.NotImplemented))
	_, err = w.Import(ctx, w.by, app.ImportRequest{Mode: "yaml-url", URL: "https://x"})
	require.True(t, errs.Is(err, errs.NotImplemented), "without a way to fetch")
}

func TestConfirmation(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{})
	ctx := t.Context()
	newer := strings.Replace(document, "0.7.0", "0.8.0", 1)
	ask := func() string {
		res, err := w.Import(ctx, w.by, app.ImportRequest{Mode: "yaml-content", Content: newer})
		require.NoError(t, err)
		require.Equal(t, dsl.Pending, res.Status)
		require.Nil(t, res.AppID)
		return res.ID
	}
	status := func(by app.Actor, id string) dsl.Status {
		res, err := w.ConfirmImport(ctx, by, id)
		require.NoError(t, err)
		return res.Status
	}
	id := ask()
	require.Equal(t, dsl.Failed, status(app.Actor{TenantID: w.by.TenantID, AccountID: ids.Random()}, id))
	require.Equal(t, dsl.Failed, status(app.Actor{TenantID: ids.Random(), AccountID: w.by.AccountID}, id))
	require.Equal(t, dsl.Completed, status(w.by, id))
	require.Equal(t, dsl.Failed, status(w.by, id), "once")
	id = ask()
	w.clock.Advance(11 * time.Minute)
	require.Equal(t, dsl.Failed, status(w.by, id))
}

func TestImportFromAnAddress(t *testing.T) {
	t.Parallel()
	var asked string
	w := setup(app.Options{Fetch: func(_ context.Context, url string, _ int64) ([]byte, error) {
		asked = url
		if strings.Contains(url, "bad") {
			return nil, errs.New(errs.InvalidParam, "no such host")
		}
		return []byte(document), nil
	}})
	res, err := w.Import(t.Context(), w.by, app.ImportRequest{Mode: "yaml-url", URL: "https://github.com/o/r/blob/main/a.yml"})
	require.NoError(t, err)
	require.Equal(t, dsl.Completed, res.Status)
	require.Equal(t, "https://raw.githubusercontent.com/o/r/main/a.yml", asked)
	res, err = w.Import(t.Context(), w.by, app.ImportRequest{Mode: "yaml-url", URL: "https://bad"})
	require.NoError(t, err)
	require.Equal(t, "Error fetching YAML from URL: no such host", res.Error)
}

func TestKeysOpenAppsAndChangesAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	shared := &bus{}
	w := setup(app.Options{Bus: shared, KeyTTL: time.Hour})
	elsewhere := app.New(w.store, box{}, ephemeral.NewMemory(w.clock), &w.opts) // another process
	ctx := t.Context()
	require.NoError(t, elsewhere.Listen(ctx))
	a := w.workflow(t)
	k, err := w.CreateToken(ctx, w.by.TenantID, app.TokenApp, a.ID)
	require.NoError(t, err)
	require.Regexp(t, `^app-[A-Za-z0-9]{24}$`, k.Token)
	open := func() error {
		_, err := elsewhere.ByKey(ctx, k.Token)
		_, here := w.ByKey(ctx, k.Token)
		require.Equal(t, errs.CodeOf(err), errs.CodeOf(here))
		return err
	}
	require.NoError(t, open())
	_, err = w.Update(ctx, w.by, a.ID, func(a *app.App) { a.EnableAPI = false })
	require.NoError(t, err)
	require.ErrorContains(t, open(), "disabled")
	_, err = w.Update(ctx, w.by, a.ID, func(a *app.App) { a.EnableAPI = true })
	require.NoError(t, err)
	require.NoError(t, open())
	_, err = w.ByDatasetKey(ctx, k.Token)
	require.True(t, errs.Is(err, errs.Unauthorized))
	require.NoError(t, w.DeleteToken(ctx, w.by.TenantID, app.TokenApp, a.ID, k.ID))
	require.True(t, errs.Is(open(), errs.Unauthorized))
	k, err = w.CreateToken(ctx, w.by.TenantID, app.TokenApp, a.ID)
	require.NoError(t, err)
	require.NoError(t, open())
	require.NoError(t, w.Delete(ctx, w.by.TenantID, a.ID))
	require.ErrorContains(t, open(), "no longer exists")
}

func TestEndUsers(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{})
	a := w.workflow(t)
	one, err := w.EndUser(t.Context(), w.by.TenantID, a.ID, app.EndUserService, "u")
	require.NoError(t, err)
	two, err := w.EndUser(t.Context(), w.by.TenantID, a.ID, app.EndUserService, "u")
	require.NoError(t, err)
	require.Equal(t, one, two)
	require.False(t, one.IsAnonymous)
	nobody, err := w.EndUser(t.Context(), w.by.TenantID, a.ID, app.EndUserService, "")
	require.NoError(t, err)
	require.Equal(t, app.AnonymousSession, nobody.SessionID)
	require.True(t, nobody.IsAnonymous)
}

func TestDefaultConfigs(t *testing.T) {
	t.Parallel()
	w := setup(app.Options{DefaultLLM: func(context.Context, string) (app.DefaultLLM, error) {
		return app.DefaultLLM{Provider: "p", Model: "m", Mode: "chat"}, nil
	}})
	a, err := w.Create(t.Context(), w.by, app.NewApp{Name: "c", Mode: app.ModeCompletion})
	require.NoError(t, err)
	c, err := w.ModelConfig(t.Context(), w.by.TenantID, a.ID)
	require.NoError(t, err)
	o := c.Object()
	require.Equal(t, "{{query}}", o.Value("pre_prompt"))
	require.Equal(t, "m", o.Value("model").(*value.Object).String("name"))
	require.Equal(t, "multiple", o.Value("dataset_configs").(*value.Object).String("retrieval_model"))
	site, err := w.Site(t.Context(), w.by.TenantID, a.ID)
	require.NoError(t, err)
	require.Equal(t, "de-DE", site.DefaultLanguage)
	before := site.Code
	site, err = w.ResetSiteCode(t.Context(), w.by, a.ID)
	require.NoError(t, err)
	require.NotEqual(t, before, site.Code)
	text, err := w.Export(t.Context(), a, app.ExportOptions{})
	require.NoError(t, err)
	require.Contains(t, text, "model_config:")
	_, err = w.Create(t.Context(), w.by, app.NewApp{Name: "c", Mode: "spaceship"})
	require.True(t, errs.Is(err, errs.InvalidParam))
}
