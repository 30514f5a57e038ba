package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/mockmodel"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/memstore"
	"github.com/millrace/millrace/shared/provider/openaicompat"
	"github.com/millrace/millrace/shared/secretbox"
)

const tenant = "t1"

type bench struct {
	*provider.Service
	store *memstore.Store
	mock  *mockmodel.Server
	url   string
	clock *clock.Fake
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{store: memstore.New(), mock: mockmodel.New(nil), clock: clock.NewFake(time.Unix(1700000000, 0))}
	srv := httptest.NewServer(b.mock.Handler())
	t.Cleanup(srv.Close)
	b.url = srv.URL + "/v1"
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	box := secretbox.Open(bucket, nil)
	_, err := box.GenerateKey(t.Context(), tenant)
	require.NoError(t, err)
	b.Service = provider.NewService(b.store, box, []*provider.Definition{openaicompat.Definition(srv.Client())}, &provider.Options{Clock: b.clock})
	return b
}

func ref(model string, kind llm.ModelType) provider.ModelRef {
	return provider.ModelRef{Model: model, Type: kind}
}

// base are the fields that the conformance runner sends for every model.
func (b *bench) base(extra ...string) provider.Credentials {
	c := provider.Credentials{"endpoint_url": b.url, "api_key": "mock-key-1234"}
	for i := 0; i+1 < len(extra); i += 2 {
		c[extra[i]] = extra[i+1]
	}
	return c
}

func (b *bench) llm(extra ...string) provider.Credentials {
	return b.base(append([]string{"mode", "chat", "context_size", "8192", "max_tokens_to_sample", "4096", "function_calling_type", "tool_call",
		"stream_function_calling", "supported", "vision_support", "no_support", "structured_output_support", "not_supported",
		"stream_mode_delimiter", `\n\n`}, extra...)...)
}

func (b *bench) addAll(t *testing.T) {
	t.Helper()
	for _, m := range []struct {
		ref provider.ModelRef
		c   provider.Credentials
	}{
		{ref("mock-chat", llm.TypeLLM), b.llm()},
		{ref("mock-think", llm.TypeLLM), b.llm("agent_thought_support", "only_thinking_supported")},
		{ref("mock-chat-2", llm.TypeLLM), b.llm("function_calling_type", "no_call", "structured_output_support", "supported")},
		{ref("mock-completion", llm.TypeLLM), b.llm("mode", "completion", "function_calling_type", "no_call")},
		{ref("mock-embed", llm.TypeTextEmbedding), b.base("context_size", "8192", "max_chunks", "8")},
		{ref("mock-rerank", llm.TypeRerank), b.base("context_size", "8192")},
		{ref("mock-stt", llm.TypeSpeechToText), b.base("language", "en")},
		{ref("mock-tts", llm.TypeTTS), b.base("voices", "alloy,echo", "audio_type", "mp3", "max_workers", "1", "word_limit", "120")},
	} {
		require.NoError(t, b.CreateModelCredential(t.Context(), tenant, openaicompat.ID, m.ref, provider.CredentialInput{Credentials: m.c}), m.ref)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

func model(name, kind, features, properties string) string {
	return fmt.Sprintf(`{"deprecated":false,"features":%s,"fetch_from":"customizable-model","has_invalid_load_balancing_configs":false,
		"label":{"en_US":%q,"zh_Hans":%q},"load_balancing_enabled":false,"model":%q,"model_properties":%s,"model_type":%q,"status":"active"}`,
		features, name, name, name, properties, kind)
}

func TestListsLikeTheContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.addAll(t)
	got, err := b.ModelsOfType(t.Context(), tenant, "llm")
	require.NoError(t, err)
	const icon = `"icon_small":{"en_US":"/console/api/workspaces/t1/model-providers/langgenius/openai_api_compatible/openai_api_compatible/icon_small/en_US",` +
		`"zh_Hans":"/console/api/workspaces/t1/model-providers/langgenius/openai_api_compatible/openai_api_compatible/icon_small/zh_Hans"}`
	const label = `"label":{"en_US":"OpenAI-API-compatible","zh_Hans":"OpenAI-API-compatible"}`
	const chatProps, complProps = `{"context_size":8192,"mode":"chat"}`, `{"context_size":8192,"mode":"completion"}`
	require.JSONEq(t, `[{`+label+`,`+icon+`,"provider":"`+openaicompat.ID+`","status":"active","tenant_id":"t1","models":[`+
		model("mock-chat", "llm", `["multi-tool-call","stream-tool-call"]`, chatProps)+`,`+
		model("mock-chat-2", "llm", `["stream-tool-call","structured-output"]`, chatProps)+`,`+
		model("mock-completion", "llm", `["stream-tool-call"]`, complProps)+`,`+
		model("mock-think", "llm", `["multi-tool-call","stream-tool-call","agent-thought"]`, chatProps)+`]}]`, asJSON(t, got))

	got, err = b.ModelsOfType(t.Context(), tenant, "text-embedding")
	require.NoError(t, err)
	require.JSONEq(t, `[`+model("mock-embed", "text-embedding", "null", `{"context_size":8192,"max_chunks":1}`)+`]`, asJSON(t, got[0].Models))

	_, err = b.ModelsOfType(t.Context(), tenant, "nonsense")
	require.Equal(t, errs.Body{Code: "invalid_param", Message: "'nonsense' is not a valid ModelType", Status: 400}, errs.Public(err))

	rules, err := b.ParameterRules(t.Context(), tenant, openaicompat.ID, "mock-chat")
	require.NoError(t, err)
	for i := range rules {
		require.NotEmpty(t, rules[i].Label)
		rules[i].Label, rules[i].Help = nil, nil
	}
	require.JSONEq(t, `[
		{"label":null,"help":null,"default":0.7,"max":2.0,"min":0.0,"name":"temperature","options":[],"precision":2,"required":false,"type":"float","use_template":null},
		{"label":null,"help":null,"default":1,"max":1.0,"min":0.0,"name":"top_p","options":[],"precision":2,"required":false,"type":"float","use_template":null},
		{"label":null,"help":null,"default":0,"max":2.0,"min":-2.0,"name":"frequency_penalty","options":[],"precision":null,"required":false,"type":"float","use_template":null},
		{"label":null,"help":null,"default":0,"max":2.0,"min":-2.0,"name":"presence_penalty","options":[],"precision":null,"required":false,"type":"float","use_template":null},
		{"label":null,"help":null,"default":512,"max":4096.0,"min":1.0,"name":"max_tokens","options":[],"precision":null,"required":false,"type":"int","use_template":null}]`,
		asJSON(t, rules))
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	none, err := b.DefaultModel(t.Context(), tenant, "llm")
	require.NoError(t, err)
	require.Nil(t, none)
	b.addAll(t)
	first, err := b.DefaultModel(t.Context(), tenant, "llm")
	require.NoError(t, err)
	require.Equal(t, "mock-chat", first.Model, "without a choice the first usable one")
	require.NoError(t, b.SetDefaultModels(t.Context(), tenant, []provider.DefaultSetting{
		{ModelType: "llm", Provider: openaicompat.ID, Model: "mock-chat-2"}, {ModelType: "rerank"}}))
	chosen, err := b.DefaultModel(t.Context(), tenant, "llm")
	require.NoError(t, err)
	chosen.Provider.IconSmall = nil
	require.JSONEq(t, `{"model":"mock-chat-2","model_type":"llm","provider":{"icon_small":null,
		"label":{"en_US":"OpenAI-API-compatible","zh_Hans":"OpenAI-API-compatible"},"models":[],"provider":"`+openaicompat.ID+`","provider_name":"",
		"supported_model_types":["llm","rerank","text-embedding","speech2text","tts"],"tenant_id":"t1"}}`, asJSON(t, chosen))
	m, err := b.Default(t.Context(), tenant, llm.TypeLLM)
	require.NoError(t, err)
	require.Equal(t, "mock-chat-2", m.Name())
	err = b.SetDefaultModels(t.Context(), tenant, []provider.DefaultSetting{{ModelType: "llm", Provider: openaicompat.ID, Model: "nope"}})
	require.True(t, errs.Is(err, errs.InvalidParam))
}

func TestSecretsAreSealedAndMasked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := ref("mock-chat", llm.TypeLLM)
	require.NoError(t, b.CreateModelCredential(t.Context(), tenant, "openai_api_compatible", r, provider.CredentialInput{Credentials: b.llm()}))
	rows, err := b.store.ModelCredentials(t.Context(), tenant, openaicompat.ID, &r)
	require.NoError(t, err)
	require.NotContains(t, rows[0].Config, "mock-key-1234")
	require.Contains(t, rows[0].Config, b.url, "only secret fields are sealed")

	view, err := b.ModelCredentials(t.Context(), tenant, openaicompat.ID, r, "")
	require.NoError(t, err)
	require.Equal(t, "mock-k************34", view.Credentials["api_key"])
	require.Equal(t, "API KEY 1", *view.CurrentCredentialName)
	id := *view.CurrentCredentialID

	// An update that keeps the secret.
	hidden := b.llm("api_key", secretbox.Hidden, "context_size", "100")
	require.NoError(t, b.UpdateModelCredential(t.Context(), tenant, openaicompat.ID, r, id, provider.CredentialInput{Credentials: hidden}))
	view, err = b.ModelCredentials(t.Context(), tenant, openaicompat.ID, r, id)
	require.NoError(t, err)
	require.Equal(t, "mock-k************34", view.Credentials["api_key"])
	require.Equal(t, "100", view.Credentials["context_size"])
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", hidden, b.llm(), b.llm()), "mock-key", "credentials do not print")

	_, err = b.ModelCredentials(t.Context(), tenant, openaicompat.ID, r, "nope")
	require.True(t, errs.Is(err, errs.InvalidParam))
}

func TestValidationIsARealCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := ref("mock-chat", llm.TypeLLM)
	require.NoError(t, b.ValidateModelCredentials(t.Context(), tenant, openaicompat.ID, r, b.llm()))
	require.Equal(t, 1, b.mock.Calls().Total)
	for want, c := range map[string]provider.Credentials{
		"Variable endpoint_url is required":  {"api_key": "x"},
		"Variable context_size is required":  b.base(),
		"Variable mode is not in options":    b.llm("mode", "other"),
		"Variable api_key should be string":  {"endpoint_url": b.url, "api_key": 5, "context_size": "1"},
		"the endpoint URL must start":        b.llm("endpoint_url", "ftp://x"),
		"API request failed with status 404": nil,
	} {
		if c == nil {
			c, want = b.llm("endpoint_url", b.url+"/nowhere"), "no such route"
		}
		err := b.CreateModelCredential(t.Context(), tenant, openaicompat.ID, r, provider.CredentialInput{Credentials: c})
		require.True(t, errs.Is(err, errs.InvalidParam), want)
		require.Contains(t, errs.Public(err).Message, want)
	}
	models, err := b.ProviderModels(t.Context(), tenant, openaicompat.ID)
	require.NoError(t, err)
	require.Empty(t, models, "refused credentials leave nothing behind")
	err = b.ValidateModelCredentials(t.Context(), tenant, "acme/x/y", r, b.llm())
	require.True(t, errs.Is(err, errs.NotFound))
}

func TestModelIsOpenedCachedAndForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, r := context.Background(), ref("mock-chat", llm.TypeLLM)
	_, err := b.Model(ctx, tenant, openaicompat.ID, r)
	require.Equal(t, "Model mock-chat credentials is not initialized.", errs.Public(err).Message)
	require.True(t, errs.Is(err, errs.ProviderNotInitialize))
	b.addAll(t)
	one, err := b.Model(ctx, tenant, openaicompat.ID, r)
	require.NoError(t, err)
	got, err := one.Generate(ctx, llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Text: "hi"}}})
	require.NoError(t, err)
	require.Equal(t, "echo: hi", got.Text)
	two, err := b.Model(ctx, tenant, "openai_api_compatible", r)
	require.NoError(t, err)
	require.Same(t, one, two)
	b.clock.Advance(time.Minute)
	three, err := b.Model(ctx, tenant, openaicompat.ID, r)
	require.NoError(t, err)
	require.NotSame(t, one, three)
	_, err = b.Model(ctx, "t2", openaicompat.ID, r)
	require.True(t, errs.Is(err, errs.ProviderNotInitialize), "another workspace has its own models")

	require.NoError(t, b.SetModelEnabled(ctx, tenant, openaicompat.ID, r, false))
	_, err = b.Model(ctx, tenant, openaicompat.ID, r)
	require.Equal(t, "Model mock-chat is disabled.", errs.Public(err).Message)
	require.NoError(t, b.SetModelEnabled(ctx, tenant, openaicompat.ID, r, true))
	require.NoError(t, b.DeleteModel(ctx, tenant, openaicompat.ID, r))
	require.NoError(t, b.DeleteModel(ctx, tenant, openaicompat.ID, r))
	_, err = b.Model(ctx, tenant, openaicompat.ID, r)
	require.True(t, errs.Is(err, errs.ProviderNotInitialize))
}

func TestProviderEntry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	list, err := b.Providers(ctx, tenant, "")
	require.NoError(t, err)
	require.Equal(t, "no-configure", list[0].CustomConfiguration.Status)
	b.addAll(t)
	r := ref("mock-chat", llm.TypeLLM)
	name := "second"
	require.NoError(t, b.CreateModelCredential(ctx, tenant, openaicompat.ID, r, provider.CredentialInput{Name: &name, Credentials: b.llm()}))
	err = b.CreateModelCredential(ctx, tenant, openaicompat.ID, r, provider.CredentialInput{Name: &name, Credentials: b.llm()})
	require.Equal(t, "Model credential with name 'second' already exists for mock-chat.", errs.Public(err).Message)
	require.NoError(t, b.DeleteModel(ctx, tenant, openaicompat.ID, ref("mock-rerank", llm.TypeRerank)))
	list, err = b.Providers(ctx, tenant, "")
	require.NoError(t, err)
	c := list[0].CustomConfiguration
	require.Equal(t, "active", c.Status)
	require.Len(t, c.CustomModels, 8)
	require.Len(t, c.CustomModels[0].AvailableModelCredentials, 2)
	require.Equal(t, []map[string]any{{"model": "mock-rerank", "model_type": llm.TypeRerank}}, c.CanAddedModels)
	list, err = b.Providers(ctx, tenant, "moderation")
	require.NoError(t, err)
	require.Empty(t, list)

	view, err := b.ModelCredentials(ctx, tenant, openaicompat.ID, r, "")
	require.NoError(t, err)
	require.Len(t, view.AvailableCredentials, 2)
	other := view.AvailableCredentials[1].ID
	require.NoError(t, b.UseModelCredential(ctx, tenant, openaicompat.ID, r, other))
	require.NoError(t, b.DeleteModelCredential(ctx, tenant, openaicompat.ID, r, other))
	_, err = b.Model(ctx, tenant, openaicompat.ID, r)
	require.True(t, errs.Is(err, errs.ProviderNotInitialize), "the credential in use is gone")

	data, kind, err := b.Icon(openaicompat.ID, "icon_small")
	require.NoError(t, err)
	require.Equal(t, "image/svg+xml", kind)
	require.NotEmpty(t, data)
	_, _, err = b.Icon(openaicompat.ID, "icon_big")
	require.True(t, errs.Is(err, errs.InvalidParam))
}
