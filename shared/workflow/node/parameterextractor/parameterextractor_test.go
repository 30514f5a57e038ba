package parameterextractor_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/node/modelcall/modelcalltest"
	"github.com/millrace/millrace/shared/workflow/node/parameterextractor"
	"github.com/millrace/millrace/shared/workflow/value"
)

const parameters = `[{"name":"city","type":"string","description":"a city","required":true},
	{"name":"days","type":"number","description":"how many","required":true},
	{"name":"tags","type":"array[string]","description":"tags","required":false},
	{"name":"ok","type":"bool","description":"ok","required":false},
	{"name":"color","type":"select","options":["red","blue"],"description":"c","required":false}]`

func data(model, mode, params, more string) string {
	return `{"type":"parameter-extractor","query":["start","q"],"model":` + modelcalltest.Config(model, mode) + `,"parameters":` + params +
		`,"instruction":"take {{#start.what#}}"` + more + `}`
}

// hidden makes the mock do something, whatever the prompt around it is.
func hidden(directive string) string {
	return "text @@" + base64.StdEncoding.EncodeToString([]byte(directive)) + "@@"
}

// shown are the outputs without usage.
func shown(t *testing.T, res *workflow.Result) string {
	t.Helper()
	o := res.Outputs.Clone()
	require.NotNil(t, o.Value("__usage"))
	o.Delete("__usage")
	return value.JSON(o)
}

func TestFunctionCallsAsRecorded(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	typ := parameterextractor.New(b, modelcall.Options{})
	for arguments, want := range map[string]string{
		`{"city": "Rome", "days": 3, "tags": ["a","b"], "ok": true, "color": "red"}`: `{"city": "Rome", "days": 3, "tags": ["a", "b"], "ok": true, "color": "red", "__is_success": 1, "__reason": null}`,
		`{"city": "Rome"}`: `{"city": "Rome", "days": 0, "tags": [], "ok": false, "color": "", "__is_success": 0, "__reason": "Invalid number of parameters"}`,
		`{"city": "Rome", "days": "7", "ok": "false", "color": "green", "tags": "x"}`: `{"city": "Rome", "days": 7, "tags": [], "ok": false, "color": "green", "__is_success": 0, ` +
			`"__reason": "Invalid value for parameter days, expected segment type: number, actual_type: string, python_type: <class 'str'>, value: 7"}`,
		`{"city": "Rome", "days": 1, "ok": true, "color": "green", "tags": ["x"]}`: `{"city": "Rome", "days": 1, "tags": ["x"], "ok": true, "color": "green", "__is_success": 0, "__reason": "Invalid ` + "`select`" + ` value for parameter color"}`,
		`{"town": "Rome", "days": 1, "ok": true, "color": "blue", "tags": []}`:     `{"city": "", "days": 1, "tags": [], "ok": true, "color": "blue", "__is_success": 0, "__reason": "Parameter city is required"}`,
		`{"city": "Rome", "days": 1, "ok": true, "color": "red", "tags": ["a", 1]}`: `{"city": "Rome", "days": 1, "tags": ["a"], "ok": true, "color": "red", "__is_success": 0, ` +
			`"__reason": "Invalid value for parameter tags, expected segment type: array[string], actual_type: array[any], python_type: <class 'list'>, value: ['a', 1]"}`,
		`{"city": null, "days": true, "ok": 1, "color": "red", "tags": []}`: `{"city": "", "days": 1, "tags": [], "ok": true, "color": "red", "__is_success": 0, ` +
			`"__reason": "Invalid value for parameter city, expected segment type: string, actual_type: none, python_type: <class 'NoneType'>, value: None"}`,
	} {
		b.Pool.Set("start", "q", hidden("CALL extract_parameters "+arguments))
		res, err := b.Run(t.Context(), t, typ, data("mock-chat", "chat", parameters, ""))
		require.NoError(t, err, arguments)
		require.Equal(t, want, shown(t, res), arguments)
		call := res.ProcessData.Value("tool_call").(*value.Object).Value("function").(*value.Object)
		require.Equal(t, "extract_parameters", call.String("name"))
		require.Equal(t, arguments, call.String("arguments"))
		require.Empty(t, res.ProcessData.String("llm_text"))
		require.Equal(t, res.Usage.TotalTokens, res.Metadata.Value("total_tokens"))
		require.Nil(t, res.Outputs.Value("__usage").(*value.Object).Value("time_to_first_token"))
	}
}

func TestFunctionAndInputsAsRecorded(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	typ := parameterextractor.New(b, modelcall.Options{})
	b.Pool.Set("start", "q", hidden(`SAY plain text`))
	b.Pool.Set("start", "what", "them")
	res, err := b.Run(t.Context(), t, typ, data("mock-chat", "chat", parameters, `,"reasoning_mode":"function_call"`))
	require.NoError(t, err)
	require.Equal(t, `{"name": "extract_parameters", "description": "Extract parameters from the natural language text", "parameters": {"type": "object", `+
		`"properties": {"city": {"description": "a city", "type": "string"}, "days": {"description": "how many", "type": "number"}, `+
		`"tags": {"description": "tags", "type": "array", "items": {"type": "string"}}, "ok": {"description": "ok", "type": "boolean"}, `+
		`"color": {"description": "c", "type": "string", "enum": ["red", "blue"]}}, "required": ["city", "days"]}}`, value.JSON(res.ProcessData.Value("function")))
	require.Nil(t, res.ProcessData.Value("tool_call"))
	require.Equal(t, "plain text", res.ProcessData.String("llm_text"))
	require.Equal(t, "take {{#start.what#}}", res.Inputs.String("instruction"))
	require.Equal(t, `{"name": "color", "type": "string", "options": ["red", "blue"], "description": "c", "required": false}`,
		value.JSON(res.Inputs.Value("parameters").([]any)[4]))
	prompts := res.ProcessData.Value("prompts").([]any)
	require.Len(t, prompts, 10)
	roles := ""
	for _, p := range prompts {
		o := p.(*value.Object)
		_, calls := o.Get("tool_calls")
		require.Equal(t, calls, o.String("role") == "assistant" && o.String("text") == "")
		roles += o.String("role") + " "
	}
	require.Equal(t, "system user assistant tool assistant user assistant tool assistant user ", roles)
	asked, err := value.Decode([]byte(prompts[9].(*value.Object).String("text")))
	require.NoError(t, err)
	require.Equal(t, "take them", asked.(*value.Object).String("rules"))
	for _, i := range []int{1, 5} {
		example, err := value.Decode([]byte(prompts[i].(*value.Object).String("text")))
		require.NoError(t, err)
		require.IsType(t, &value.Object{}, example.(*value.Object).Value("schema"))
	}
}

func TestAnswersInWords(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	typ := parameterextractor.New(b, modelcall.Options{})
	const empty = `{"city": "", "days": 0, "tags": [], "ok": false, "color": "", "__is_success": 0, "__reason": "Invalid number of parameters"}`
	for _, c := range []struct{ params, answer, want string }{
		{parameters, `here: {"city": "Oslo", "days": 2.5, "tags": [], "ok": true, "color": "red"} done`, `{"city": "Oslo", "days": 2.5, "tags": [], "ok": true, "color": "red", "__is_success": 1, "__reason": null}`},
		{parameters, `{never} {"city": "Oslo", "days": 2, "tags": ["n"], "ok": false, "color": "blue"}`, `{"city": "Oslo", "days": 2, "tags": ["n"], "ok": false, "color": "blue", "__is_success": 1, "__reason": null}`},
		{parameters, `nothing`, empty},
		{parameters, `{}`, empty},
		{parameters, `{"city": 5, "days": "many", "tags": [], "ok": true, "color": "red"}`, `{"city": "", "days": 0, "tags": [], "ok": true, "color": "red", "__is_success": 0, ` +
			`"__reason": "Invalid value for parameter city, expected segment type: string, actual_type: integer, python_type: <class 'int'>, value: 5"}`},
		{`[{"name":"city","type":"string"},{"name":"days","type":"number"},{"name":"ok","type":"boolean"}]`, `nothing`,
			`{"city": "", "days": 0, "ok": false, "__is_success": 0, "__reason": "Failed to extract result from function call or text response, using empty result."}`},
		{`[{"name":"color","type":"select","options":["red"]}]`, `nothing`, `{"color": "", "__is_success": 0, "__reason": "Invalid ` + "`select`" + ` value for parameter color"}`},
		{`[{"name":"a","type":"array[number]"},{"name":"b","type":"array[object]"},{"name":"c","type":"array[boolean]"}]`,
			`{"a": [1, 2.5], "b": [{"k": "v"}], "c": [true, false]}`, `{"a": [1, 2.5], "b": [{"k": "v"}], "c": [true, false], "__is_success": 1, "__reason": null}`},
		{`[{"name":"a","type":"array[number]"}]`, `{"a": ["1", "x", "2.5"]}`, `{"a": [1, 2.5], "__is_success": 0, "__reason": "Invalid value for parameter a, ` +
			`expected segment type: array[number], actual_type: array[string], python_type: <class 'list'>, value: ['1', 'x', '2.5']"}`},
		{`[{"name":"a","type":"string"}]`, `<think>{"a": "draft"}</think>{"a": "final"}`, `{"a": "final", "__is_success": 1, "__reason": null}`},
		{`[{"name":"a","type":"string"}]`, `{"a": {"b": 1}}`, `{"a": "", "__is_success": 0, "__reason": "Invalid value for parameter a, expected segment type: string, ` +
			`actual_type: object, python_type: <class 'dict'>, value: {'b': 1}"}`},
	} {
		b.Pool.Set("start", "q", hidden("SAY "+c.answer))
		for _, raw := range []string{
			data("mock-chat", "chat", c.params, `,"reasoning_mode":"prompt"`), data("mock-plain", "chat", c.params, ""),
			data("mock-completion", "completion", c.params, ""),
		} {
			res, err := b.Run(t.Context(), t, typ, raw)
			require.NoError(t, err)
			require.Equal(t, c.want, shown(t, res), "%s %s", raw, c.answer)
			require.Equal(t, `{}`, value.JSON(res.ProcessData.Value("function")))
		}
	}
}

func TestMemoryAndFiles(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	b.Info.ConversationID = "c1"
	typ := parameterextractor.New(b, modelcall.Options{Files: modelcalltest.Pictures{}, Memory: modelcalltest.History{
		{Role: llm.RoleUser, Text: "earlier question"}, {Role: llm.RoleAssistant, Text: "earlier answer"},
	}})
	b.Pool.Set("start", "q", hidden(`SAY {"a": "b"}`))
	b.Pool.Set("start", "pic", &value.File{Type: "image", Filename: "a.png", URL: "https://files.example/a.png"})
	res, err := b.Run(t.Context(), t, typ, data("mock-vision", "chat", `[{"name":"a","type":"string"}]`,
		`,"memory":{"window":{"enabled":false}},"vision":{"enabled":true,"configs":{"variable_selector":["start","pic"],"detail":"low"}}`))
	require.NoError(t, err)
	require.Len(t, res.Inputs.Value("files"), 1)
	prompts := res.ProcessData.Value("prompts").([]any)
	require.Contains(t, prompts[0].(*value.Object).String("text"), "Human: earlier question\nAssistant: earlier answer")
	last := prompts[len(prompts)-1].(*value.Object)
	require.Equal(t, "low", last.Value("files").([]any)[0].(*value.Object).String("detail"))
}

func TestFailures(t *testing.T) {
	t.Parallel()
	b := modelcalltest.New(t)
	typ := parameterextractor.New(b, modelcall.Options{})
	b.Pool.Set("start", "q", hidden("FAIL 500 broken"))
	for want, raw := range map[string]string{
		"PluginInvokeError":         data("mock-chat", "chat", parameters, ""),
		"ProviderTokenNotInitError": data("unknown", "chat", parameters, ""),
	} {
		res, err := b.Run(t.Context(), t, typ, raw)
		var f *workflow.Failure
		require.ErrorAs(t, err, &f)
		require.Equal(t, want, f.Type)
		require.Equal(t, []string{"__is_success", "__reason", "__error"}, res.Outputs.Keys())
		require.Equal(t, int64(0), res.Outputs.Value("__is_success"))
		require.Equal(t, f.Message, res.Outputs.String("__error"))
		require.Nil(t, res.Usage)
	}
	for _, params := range []string{`["x"]`, `[{"name":"","type":"string"}]`, `[{"name":"__reason","type":"string"}]`, `[{"name":"a","type":"file"}]`, `[{"name":"a","type":"object"}]`} {
		_, err := b.Run(t.Context(), t, typ, data("mock-chat", "chat", params, ""))
		require.Error(t, err, params)
	}
}
