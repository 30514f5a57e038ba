package tool_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	tools "github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/memtool"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/node/tool"
	"github.com/millrace/millrace/shared/workflow/value"
)

// bench has one tool "go" that answers with messages and remembers its call.
type bench struct {
	pool     *workflow.Pool
	messages []driver.Message
	err      error
	call     *driver.Call
	chunks   []workflow.Chunk
}

func setup() *bench { return &bench{pool: workflow.NewPool()} }

func (b *bench) typ() workflow.Type {
	r := &memtool.Runtime{}
	llm := func(name, kind string, required bool) tools.Parameter {
		return tools.Parameter{Name: name, Type: kind, Form: driver.FormLLM, Required: required}
	}
	r.Add("tenant", &driver.Provider{Type: driver.Builtin, ID: "p x", Name: "p", Tools: []*driver.Tool{{Name: "go", Parameters: []tools.Parameter{
		llm("q", "string", true), llm("n", "number", false), llm("o", "object", false), llm("f", "files", false),
		{Name: "lang", Type: "select", Form: driver.FormForm, Default: "en"}, {Name: "old", Type: "string", Form: driver.FormForm},
	}}}}, map[string]memtool.Func{"go": func(_ context.Context, call *driver.Call, send func(driver.Message) error) error {
		b.call = call
		for _, m := range b.messages {
			if err := send(m); err != nil {
				return err
			}
		}
		return b.err
	}})
	s := tools.New(tools.Options{Runtimes: map[tools.ProviderType]driver.Runtime{driver.Builtin: r}})
	return tool.New(s, tool.Options{ConsoleURL: "https://console.example/"})
}

func (b *bench) run(t *testing.T, more string) (*workflow.Result, error) {
	t.Helper()
	cfg := nodetest.Config(t, "tl", `{"type":"tool","provider_id":"p x","provider_type":"builtin","tool_name":"go"`+more+`}`)
	n, err := b.typ().New(cfg)
	require.NoError(t, err)
	x := nodetest.Execution(cfg, b.pool)
	x.Emit = func(c workflow.Chunk) { b.chunks = append(b.chunks, c) }
	return n.Run(t.Context(), x)
}

const query = `,"tool_parameters":{"q":{"type":"mixed","value":"print({{#start.q#}})"}}`

func TestMessagesBecomeOutputs(t *testing.T) {
	t.Parallel()
	b := setup()
	stored := &value.File{Type: "document", Filename: "a.pdf"}
	b.messages = []driver.Message{
		{Type: driver.Words, Text: "one "}, {Type: driver.Words, Text: "two\n"}, {Type: driver.Link, Text: "https://a.example/x"},
		{Type: driver.Link, Text: "/files/tools/1", File: stored},
		{Type: driver.JSON, Value: value.Obj("a", int64(1))}, {Type: driver.JSON, Value: []any{int64(2)}},
		{Type: driver.Variable, Name: "v", Value: int64(7)}, {Type: driver.Variable, Name: "s", Value: "a", Stream: true},
		{Type: driver.Variable, Name: "s", Value: "b", Stream: true}, {Type: driver.FileLink, File: stored},
		{Type: driver.ImageLink, Text: "https://a.example/dir/p.png"}, {Type: driver.Log}, {Type: driver.Resources},
	}
	b.pool.Set("start", "q", "6 * 7")
	res, err := b.run(t, query)
	require.NoError(t, err)
	require.Equal(t, "one two\nLink: https://a.example/x\nFile: /files/tools/1\n", res.Outputs.String("text"))
	require.Equal(t, `[{"a": 1}, [2]]`, value.JSON(res.Outputs.Value("json")))
	files := res.Outputs.Value("files").([]any)
	require.Len(t, files, 3)
	require.Same(t, stored, files[0])
	require.Equal(t, "p.png", files[2].(*value.File).Filename)
	require.Equal(t, "remote_url", files[2].(*value.File).TransferMethod)
	require.Equal(t, int64(7), res.Outputs.Value("v"))
	require.Equal(t, "ab", res.Outputs.String("s"))
	require.Equal(t, `{"q": "print(6 * 7)"}`, value.JSON(res.Inputs))
	require.Equal(t, `{"tool_info": {"provider_type": "builtin", "provider_id": "p x", "plugin_unique_identifier": null}}`, value.JSON(res.Metadata))
	streamed := map[string]string{}
	for _, c := range b.chunks {
		streamed[c.Name] += c.Text
	}
	require.Equal(t, map[string]string{"text": res.Outputs.String("text"), "s": "ab"}, streamed)
	require.Equal(t, "run/execution/0", b.call.Key)
	require.Equal(t, "user", b.call.UserID)

	b.messages = nil
	res, err = b.run(t, query)
	require.NoError(t, err)
	require.Equal(t, `{"text": "", "files": [], "json": [{"data": []}]}`, value.JSON(res.Outputs))

	b.messages = []driver.Message{{Type: driver.Variable, Name: "s", Value: int64(1), Stream: true}}
	_, err = b.run(t, query)
	require.ErrorContains(t, err, "must be text")
}

func TestParameters(t *testing.T) {
	t.Parallel()
	b := setup()
	pic := &value.File{Type: "image"}
	b.pool.Set("start", "n", int64(7))
	b.pool.Set("start", "o", value.Obj("k", "v"))
	b.pool.Set("start", "null", nil)
	b.pool.Set("sys", "files", []any{pic})
	b.pool.Set("env", "token", "very-secret-token")
	b.pool.MarkSecret("token")
	res, err := b.run(t, `,"tool_configurations":{"lang":{"type":"mixed","value":"{{#start.n#}}x"},"old":"plain","q":"not mine"},"tool_parameters":{
		"q":{"type":"constant","value":"key {{#env.token#}} {{#no.where#}}"},"n":{"type":"variable","value":["start","n"]},
		"o":{"type":"variable","value":["start","o"]},"f":{"type":"variable","value":["sys","files"]},"ghost":{"type":"constant","value":1}}`)
	require.NoError(t, err)
	require.Equal(t, "key very-secret-token no.where", b.call.Parameters.String("q"))
	require.Equal(t, "7x", b.call.Parameters.String("lang"))
	require.Equal(t, "plain", b.call.Parameters.String("old"))
	require.Equal(t, int64(7), b.call.Parameters.Value("n"))
	require.Equal(t, []any{pic}, b.call.Parameters.Value("f"))
	require.NotContains(t, value.JSON(res.Inputs), "very-secret-token")
	require.Contains(t, res.Inputs.String("q"), "***")
	require.Equal(t, []string{"q", "n", "o", "f", "ghost"}, res.Inputs.Keys(), "configurations are not shown")
	ghost, ok := res.Inputs.Get("ghost")
	require.True(t, ok)
	require.Nil(t, ghost, "the tool does not know it")

	res, err = b.run(t, `,"tool_parameters":{"q":{"type":"constant","value":2},"n":{"type":"variable","value":["no","where"]},"lang":{"type":"constant","value":"de"}}`)
	require.NoError(t, err)
	require.Equal(t, `{"q": "2", "lang": "de"}`, value.JSON(res.Inputs), "constants are text, optional variables may be missing")
	require.Equal(t, "de", b.call.Parameters.String("lang"))

	for more, kind := range map[string]string{
		`,"tool_parameters":{"q":{"type":"variable","value":["no","where"]}}`:                                                                "ToolParameterError",
		`,"tool_configurations":{"lang":{"type":"variable","value":["no","where"]}},"tool_parameters":{"q":{"type":"constant","value":"a"}}`: "ToolParameterError",
		`,"tool_parameters":{"q":{"type":"variable","value":["start","null"]}}`:                                                              "ToolInvokeError",
		`,"tool_parameters":{}`: "ToolInvokeError",
	} {
		_, err := b.run(t, more)
		var f *workflow.Failure
		require.ErrorAs(t, err, &f, more)
		require.Equal(t, kind, f.Type, more)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	b := setup()
	b.err = errs.New(errs.InvalidParam, "no luck")
	res, err := b.run(t, query)
	require.EqualError(t, err, "Failed to invoke tool: no luck")
	require.NotNil(t, res.Metadata)
	require.Equal(t, 1, res.Inputs.Len())
	require.Nil(t, res.Outputs)
	b.err = context.DeadlineExceeded
	_, err = b.run(t, query)
	require.NotContains(t, err.Error(), "deadline", "what is not made for users is not shown")
	for more, want := range map[string]string{
		`,"tool_name":"other"`:        "Failed to get tool runtime: tool other not found in provider p x",
		`,"provider_id":"other"`:      "Failed to get tool runtime: tool provider other not found",
		`,"provider_type":"workflow"`: "Failed to get tool runtime: Tools of the provider type workflow are not available here.",
	} {
		_, err := b.run(t, more)
		require.EqualError(t, err, want)
	}
}

func TestIcon(t *testing.T) {
	t.Parallel()
	extras := func(data string) *value.Object {
		n, err := setup().typ().New(nodetest.Config(t, "tl", data))
		require.NoError(t, err)
		return n.(workflow.Presenter).Extras()
	}
	require.Equal(t, `{"icon": "https://console.example/console/api/workspaces/current/tool-provider/builtin/p%20x/icon"}`,
		value.JSON(extras(`{"type":"tool","provider_id":"p x","provider_type":"builtin"}`)))
	require.Nil(t, extras(`{"type":"tool","provider_id":"p","provider_type":"api"}`))
}
