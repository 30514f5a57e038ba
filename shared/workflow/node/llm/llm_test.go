package llm_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/mockmodel"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/openaicompat"
	"github.com/millrace/millrace/shared/workflow"
	node "github.com/millrace/millrace/shared/workflow/node/llm"
	"github.com/millrace/millrace/shared/workflow/value"
)

// bench runs llm nodes against the mock model, with the models that the
// recorded cases have.
type bench struct {
	mock  *mockmodel.Server
	creds map[string]provider.Credentials
	def   *provider.Definition
	opts  node.Options

	pool   *workflow.Pool
	info   workflow.RunInfo
	chunks []workflow.Chunk
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{mock: mockmodel.New(nil), pool: workflow.NewPool(), info: workflow.RunInfo{TenantID: "t1", UserID: "u1", Mode: "workflow"}}
	srv := httptest.NewServer(b.mock.Handler())
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	b.def = openaicompat.Definition(srv.Client())
	base := func(extra ...string) provider.Credentials {
		c := provider.Credentials{"endpoint_url": srv.URL + "/v1", "mode": "chat", "context_size": "8192", "function_calling_type": "tool_call"}
		for i := 0; i+1 < len(extra); i += 2 {
			c[extra[i]] = extra[i+1]
		}
		return c
	}
	b.creds = map[string]provider.Credentials{
		"mock-chat": base(), "mock-think": base(), "mock-chat-2": base("structured_output_support", "supported"),
		"mock-completion": base("mode", "completion"), "mock-vision": base("vision_support", "support"),
	}
	return b
}

// Model opens a model as the provider service does.
func (b *bench) Model(_ context.Context, tenantID, providerID string, ref provider.ModelRef) (*llm.Model, error) {
	c, ok := b.creds[ref.Model]
	if !ok || tenantID != "t1" || providerID != openaicompat.ID {
		return nil, errs.Newf(errs.ProviderNotInitialize, "Model %s credentials is not initialized.", ref.Model)
	}
	d, err := b.def.Open(ref, c)
	if err != nil {
		return nil, err
	}
	return llm.New(providerID, b.def.Describe(ref, c), d, clock.System{}), nil
}

// data makes a node's configuration; more is JSON members for it.
func data(model, mode, prompt, more string) string {
	return `{"type":"llm","title":"llm","model":{"provider":"` + openaicompat.ID + `","name":"` + model + `","mode":"` + mode +
		`","completion_params":{"temperature":0.7}},"prompt_template":` + prompt + `,"context":{"enabled":false,"variable_selector":[]},"vision":{"enabled":false}` +
		more + `}`
}

func user(text string) string { return `[{"role":"user","text":` + value.JSON(text) + `}]` }

func (b *bench) run(t *testing.T, raw string) (*workflow.Result, error) {
	t.Helper()
	return b.runCtx(t.Context(), t, raw)
}

func (b *bench) runCtx(ctx context.Context, t *testing.T, raw string) (*workflow.Result, error) {
	t.Helper()
	v, err := value.Decode([]byte(raw))
	require.NoError(t, err, raw)
	cfg := &workflow.NodeConfig{ID: "llm", Type: "llm", Version: "1", Data: v.(*value.Object)}
	n, err := node.New(b, b.opts).New(cfg)
	require.NoError(t, err)
	b.chunks = nil
	return n.Run(ctx, &workflow.Execution{ID: "x", Node: cfg, Key: "run/llm/0", Run: &b.info, Pool: b.pool, Clock: clock.System{},
		Emit: func(c workflow.Chunk) { b.chunks = append(b.chunks, c) }})
}

func (b *bench) streamed(name string) string {
	out := ""
	for _, c := range b.chunks {
		if c.Name == name {
			out += c.Text
		}
	}
	return out
}

// times replaces what differs from run to run.
var times = regexp.MustCompile(`"(latency|time_to_first_token|time_to_generate)": [0-9.e-]+`)

func stable(o *value.Object) string { return times.ReplaceAllString(value.JSON(o), `"$1": 0`) }

const usage11 = `{"prompt_tokens": 7, "prompt_unit_price": "0", "prompt_price_unit": "0", "prompt_price": "0", "completion_tokens": 4, ` +
	`"completion_unit_price": "0", "completion_price_unit": "0", "completion_price": "0", "total_tokens": 11, "total_price": "0", ` +
	`"currency": "USD", "latency": 0, "time_to_first_token": 0, "time_to_generate": 0}`

func TestBasicAsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Set("sys", "user_id", "user-1")
	b.pool.Set("start", "q", "hello there world")
	res, err := b.run(t, data("mock-chat", "chat", `[{"role":"system","text":"You are terse. {{#sys.user_id#}}"},{"role":"user","text":"{{#start.q#}}"}]`, ""))
	require.NoError(t, err)
	require.Equal(t, `{"model_provider": "`+openaicompat.ID+`", "model_name": "mock-chat"}`, value.JSON(res.Inputs))
	require.Equal(t, `{"text": "echo: hello there world", "reasoning_content": "", "usage": `+usage11+`, "finish_reason": "stop"}`, stable(res.Outputs))
	require.Equal(t, `{"model_mode": "chat", "prompts": [{"role": "system", "text": "You are terse. user-1", "files": []}, `+
		`{"role": "user", "text": "hello there world", "files": []}], "usage": `+usage11+`, "finish_reason": "stop", `+
		`"model_provider": "`+openaicompat.ID+`", "model_name": "mock-chat"}`, stable(res.ProcessData))
	require.Equal(t, `{"total_tokens": 11, "total_price": "0", "currency": "USD"}`, value.JSON(res.Metadata))
	require.Equal(t, int64(11), res.Usage.TotalTokens)
	require.Equal(t, "echo: hello there world", b.streamed("text"))
	require.Len(t, b.chunks, 5, "four words and the end")
	require.True(t, b.chunks[4].Final)
	require.Equal(t, 1, b.mock.Calls().ByKey["run/llm/0"])

	b.pool.Set("start", "q", "EMPTY")
	res, err = b.run(t, data("mock-chat", "chat", user("{{#start.q#}}"), ""))
	require.NoError(t, err)
	require.Empty(t, res.Outputs.String("text"))
}

func TestJinjaPromptAsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Set("start", "q", "cats")
	b.pool.Set("start", "n", int64(2))
	raw := data("mock-chat", "chat", `[{"role":"system","text":"","jinja2_text":"Talk about {{ q }}.","edition_type":"jinja2"},
		{"role":"user","text":"first {{#start.q#}}"},{"role":"assistant","text":"answer one"},
		{"role":"user","text":"","edition_type":"jinja2","jinja2_text":"HISTORY? {% for i in range(n) %}{{ i }}{{ q }} {% endfor %}"}]`,
		`,"prompt_config":{"jinja2_variables":[{"variable":"q","value_selector":["start","q"]},{"variable":"n","value_selector":["start","n"]}]}`)
	res, err := b.run(t, raw)
	require.NoError(t, err)
	require.Equal(t, "4 messages: system=Talk about cats., user=first cats, assistant=answer one, user=HISTORY? 0cats 1cats", res.Outputs.String("text"))
	require.Equal(t, int64(22), res.Usage.TotalTokens)
	b.pool.Set("start", "n", int64(0))
	res, err = b.run(t, raw)
	require.NoError(t, err)
	require.Contains(t, value.JSON(res.ProcessData), `{"role": "user", "text": "HISTORY? ", "files": []}`)
	require.Equal(t, int64(18), res.Usage.TotalTokens)

	_, err = b.run(t, data("mock-chat", "chat", `[{"role":"user","edition_type":"jinja2","jinja2_text":"{% if %}"}]`, ""))
	var f *workflow.Failure
	require.ErrorAs(t, err, &f)
}

func TestFailuresAsRecorded(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"500 broken", "429 slow down", "400 bad", "401 no"} {
		b := setup(t)
		res, err := b.run(t, data("mock-chat", "chat", user("FAIL "+status), ""))
		var f *workflow.Failure
		require.ErrorAs(t, err, &f)
		require.Equal(t, "PluginInvokeError", f.Type)
		require.Contains(t, f.Message, strings.Fields(status)[1])
		require.Equal(t, 2, res.Inputs.Len(), "inputs of a failed try are shown")
		require.Nil(t, res.Outputs)
		require.Nil(t, res.ProcessData)
		require.Nil(t, res.Usage)
	}
	b := setup(t)
	for kind, raw := range map[string]string{
		"ProviderTokenNotInitError": data("unknown", "chat", user("x"), ""),
		"NoPromptFoundError":        data("mock-chat", "chat", user(""), ""),
		"LLMNodeError":              data("mock-chat", "chat", user("x"), `,"structured_output_enabled":true,"structured_output":{"schema":{}}`),
		"ModelNotExistError":        data("mock-chat", "chat", user("x"), `,"model_selector":["env","m"]`),
	} {
		_, err := b.run(t, raw)
		var f *workflow.Failure
		require.ErrorAs(t, err, &f, kind)
		require.Equal(t, kind, f.Type)
	}
	require.Zero(t, b.mock.Calls().Total)
}

const schemaJSON = `,"structured_output_enabled":true,"structured_output":{"schema":{"type":"object","properties":{"name":{"type":"string",` +
	`"description":"the name"},"age":{"type":"number"}},"required":["name","age"],"additionalProperties":false}}`

func TestStructuredOutputAsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	res, err := b.run(t, data("mock-chat-2", "chat", user("name is Bob and age 41"), schemaJSON))
	require.NoError(t, err)
	require.Equal(t, `{"name": "Bob", "age": 41}`, value.JSON(res.Outputs.Value("structured_output")))
	require.Equal(t, `{"name": "Bob", "age": 41}`, b.streamed("text"))
	require.Equal(t, int64(47), res.Usage.PromptTokens)
	require.Equal(t, int64(51), res.Usage.TotalTokens)
	require.Equal(t, `[{"role": "user", "text": "name is Bob and age 41", "files": []}]`, value.JSON(res.ProcessData.Value("prompts")))

	for said, tokens := range map[string]int64{
		"@@U0FZIHsibmFtZSI6ICJBbCIsICJhZ2UiOiAzfQ==@@":                     113,
		"@@UkVQTFk6IGBgYGpzb25cbnsibmFtZSI6ICJBbCIsICJhZ2UiOiAzfVxuYGBg@@": 115,
	} {
		res, err = b.run(t, data("mock-chat", "chat", user(said), schemaJSON))
		require.NoError(t, err)
		require.Equal(t, `{"name": "Al", "age": 3}`, value.JSON(res.Outputs.Value("structured_output")))
		require.Equal(t, tokens, res.Usage.TotalTokens)
	}
	res, err = b.run(t, data("mock-chat", "chat", user("@@U0FZIG5vdCBqc29uIGF0IGFsbA==@@"), schemaJSON))
	require.EqualError(t, err, "Failed to parse structured output: Failed to parse structured output: not json at all")
	require.Nil(t, res.Usage)
	require.Nil(t, res.Outputs)
}

func TestCompletionModelAsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Set("start", "q", "tell me")
	res, err := b.run(t, data("mock-completion", "completion", `{"text":"Prompt: {{#start.q#}}","edition_type":"basic"}`, ""))
	require.NoError(t, err)
	require.Equal(t, "echo: Prompt: tell me", res.Outputs.String("text"))
	require.Equal(t, int64(7), res.Usage.TotalTokens)
	require.Equal(t, `[{"role": "user", "text": "\nPrompt: tell me"}]`, value.JSON(res.ProcessData.Value("prompts")))
}

func TestReasoningAsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	prompt := user("THINK step one | final answer")
	res, err := b.run(t, data("mock-think", "chat", prompt, ""))
	require.NoError(t, err)
	require.Equal(t, "<think>\nstep one\n</think>final answer", res.Outputs.String("text"))
	require.Equal(t, "<think>\nstep one\n</think>final answer", b.streamed("text"))
	require.Empty(t, res.Outputs.String("reasoning_content"))

	res, err = b.run(t, data("mock-think", "chat", prompt, `,"reasoning_format":"separated"`))
	require.NoError(t, err)
	require.Equal(t, "final answer", res.Outputs.String("text"))
	require.Equal(t, "step one", res.Outputs.String("reasoning_content"))
	require.Equal(t, "final answer", b.streamed("text"))
	require.Equal(t, "\nstep one\n", b.streamed("reasoning_content"))
	require.Equal(t, int64(11), res.Usage.TotalTokens)
}

func TestContextAsRecorded(t *testing.T) {
	t.Parallel()
	result := func(content, summary string) any {
		return value.Obj("metadata", value.Obj("_source", "knowledge"), "title", "t", "content", content, "summary", summary)
	}
	for name, c := range map[string]struct {
		context any
		want    string
	}{
		"text":            {"the context", "the context"},
		"strings":         {[]any{"one", "two"}, "one\ntwo"},
		"knowledge":       {[]any{result("The otter.", ""), result("The plane.", "about planes")}, "The otter.\nabout planes\nThe plane."},
		"empty":           {"", ""},
		"no list at all":  {[]any{}, ""},
		"looks like code": {"{{#start.secret#}}", "{{#start.secret#}}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.pool.Set("start", "c", c.context)
			b.pool.Set("start", "secret", "not to be shown")
			raw := strings.Replace(data("mock-chat", "chat", `[{"role":"system","text":"Use: {{#context#}}"},{"role":"user","text":"SYSTEM?"}]`, ""),
				`{"enabled":false,"variable_selector":[]}`, `{"enabled":true,"variable_selector":["start","c"]}`, 1)
			res, err := b.run(t, raw)
			require.NoError(t, err)
			require.Equal(t, "system: Use: "+c.want, res.Outputs.String("text"))
			require.Equal(t, c.want, res.Inputs.String("#context#"))
		})
	}
	b := setup(t)
	b.pool.Set("start", "c", []any{value.Obj("x", int64(1))})
	_, err := b.run(t, strings.Replace(data("mock-chat", "chat", user("x"), ""), `{"enabled":false,"variable_selector":[]}`,
		`{"enabled":true,"variable_selector":["start","c"]}`, 1))
	require.EqualError(t, err, "Invalid context structure: {'x': 1}")
}

// conversation is a memory with fixed exchanges.
type conversation []string

func (c conversation) History(_ context.Context, run *workflow.RunInfo, turns int) ([]llm.Message, error) {
	if run.ConversationID != "c1" {
		return nil, errors.New("another conversation")
	}
	var out []llm.Message
	for _, q := range c[max(len(c)-turns, 0):] {
		out = append(out, llm.Message{Role: llm.RoleUser, Text: q}, llm.Message{Role: llm.RoleAssistant, Text: "re " + q})
	}
	return out, nil
}

func TestMemoryAsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.opts.Memory = conversation{"one", "two"}
	b.pool.Set("sys", "query", "HISTORY? three")
	system := `[{"role":"system","text":"S"}]`
	memory := func(window string) string {
		return `,"memory":{"window":` + window + `,"query_prompt_template":"{{#sys.query#}}","role_prefix":{"user":"","assistant":""}}`
	}
	res, err := b.run(t, data("mock-chat", "chat", system, memory(`{"enabled":true,"size":2}`)))
	require.NoError(t, err)
	require.Equal(t, "2 messages: system=S, user=HISTORY? three", res.Outputs.String("text"), "no conversation")

	b.info.ConversationID = "c1"
	for window, want := range map[string]string{
		`{"enabled":true,"size":2}`:     "4 messages: system=S, user=two, assistant=re two, user=HISTORY? three",
		`{"enabled":true,"size":1}`:     "2 messages: system=S, user=HISTORY? three",
		`{"enabled":false,"size":1}`:    "6 messages: system=S, user=one, assistant=re one, user=two, assistant=re two, user=HISTORY? three",
		`{"enabled":true,"size":null}`:  "6 messages: system=S, user=one, assistant=re one, user=two, assistant=re two, user=HISTORY? three",
		`{"enabled":true,"size":10000}`: "6 messages: system=S, user=one, assistant=re one, user=two, assistant=re two, user=HISTORY? three",
	} {
		res, err := b.run(t, data("mock-chat", "chat", system, memory(window)))
		require.NoError(t, err)
		require.Equal(t, want, res.Outputs.String("text"), window)
	}
	res, err = b.run(t, data("mock-chat", "chat", system, `,"memory":{"window":{"enabled":false}}`))
	require.NoError(t, err)
	require.Contains(t, res.Outputs.String("text"), "user=HISTORY? three", "without a template the query itself")

	res, err = b.run(t, data("mock-completion", "completion", `{"text":"{{#histories#}} Q: #sys.query#"}`, memory(`{"enabled":true,"size":2}`)))
	require.NoError(t, err)
	require.Equal(t, `[{"role": "user", "text": "Human: two\nAssistant: re two Q: HISTORY? three"}]`, value.JSON(res.ProcessData.Value("prompts")))
	_, err = b.run(t, data("mock-completion", "completion", `{"text":"x"}`, `,"memory":{"window":{"enabled":false}}`))
	require.EqualError(t, err, "Memory role prefix is required for completion model.")
}

// reader makes parts of files.
type reader struct{}

func (reader) Part(_ context.Context, _ *workflow.RunInfo, f *value.File, detail string) (llm.Part, error) {
	return llm.Part{Type: llm.PartType(f.Type), URL: "https://files/" + f.Filename, Detail: detail}, nil
}

func TestFiles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.opts.Files = reader{}
	image := &value.File{Type: "image", Filename: "abcdefghijklmnop.png"}
	b.pool.Set("sys", "files", []any{image, &value.File{Type: "custom", Filename: "x.zip"}})
	b.pool.Set("start", "pic", image)
	vision := func(raw string) string {
		return strings.Replace(raw, `"vision":{"enabled":false}`, `"vision":{"enabled":true,"configs":{"detail":"low"}}`, 1)
	}
	res, err := b.run(t, vision(data("mock-vision", "chat", user("look"), "")))
	require.NoError(t, err)
	require.Equal(t, "echo: [image_url] [Unsupported file type: x.zip (custom)] look", res.Outputs.String("text"), "files come first")
	require.Equal(t, `[{"role": "user", "text": "[Unsupported file type: x.zip (custom)]look", `+
		`"files": [{"type": "image", "data": "https://fi...[TRUNCATED]...klmnop.png", "detail": "low"}]}]`, value.JSON(res.ProcessData.Value("prompts")))
	_, ok := res.Inputs.Get("#files#")
	require.True(t, ok)

	res, err = b.run(t, data("mock-vision", "chat", user("HISTORY? {{#start.pic#}}"), ""))
	require.NoError(t, err)
	require.Equal(t, `[{"role": "user", "text": "HISTORY? ", "files": []}, {"role": "user", "text": "", `+
		`"files": [{"type": "image", "data": "https://fi...[TRUNCATED]...klmnop.png", "detail": "high"}]}]`,
		value.JSON(res.ProcessData.Value("prompts")), "a file that the text names")

	res, err = b.run(t, data("mock-chat", "chat", user("HISTORY? {{#start.pic#}}"), ""))
	require.NoError(t, err)
	require.Equal(t, "1 messages: user=HISTORY?", res.Outputs.String("text"), "a model without eyes")

	b.opts.Files = nil
	_, err = b.run(t, vision(data("mock-vision", "chat", user("look"), "")))
	var f *workflow.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, "NotImplementedError", f.Type)
}

func TestModelFromEnvironmentVariable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := value.Obj("provider", openaicompat.ID, "name", "mock-think", "mode", "chat", "completion_params", value.Obj("stop", []any{"two"}))
	b.pool.Set("env", "m", m)
	raw := data("mock-chat", "chat", user("SAY one two"), `,"model_selector":["env","m"]`)
	res, err := b.run(t, raw)
	require.NoError(t, err)
	require.Equal(t, "mock-think", res.Inputs.String("model_name"))
	require.Equal(t, "one ", res.Outputs.String("text"))
	m.Set("mode", "completion")
	_, err = b.run(t, raw)
	require.Error(t, err)
}

func TestStopsWhenTheRunIsStopped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.runCtx(ctx, t, data("mock-chat", "chat", user("SLOW 60000\nSAY never"), ""))
		done <- err
	}()
	require.Eventually(t, func() bool { return b.mock.Calls().Total == 1 }, 5*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
