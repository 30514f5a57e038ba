package code_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/jail"
	"github.com/millrace/millrace/shared/sandbox/memsandbox"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/code"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/stretchr/testify/require"
)

// canned is a sandbox whose code returned out.
type canned struct {
	out string
	err error
	got sandbox.Request
}

func (c *canned) Run(_ context.Context, req sandbox.Request) (*sandbox.Result, error) {
	c.got = req
	if c.err != nil {
		return nil, c.err
	}
	return &sandbox.Result{Output: json.RawMessage(c.out)}, nil
}

func node(t *testing.T, r code.Runner, data string) (workflow.Node, *workflow.NodeConfig) {
	t.Helper()
	g, err := workflow.ParseGraph([]byte(`{"nodes":[{"id":"c","data":` + data + `}],"edges":[]}`))
	require.NoError(t, err)
	n, err := code.New(r, code.Options{}).New(g.Nodes[0])
	require.NoError(t, err)
	return n, g.Nodes[0]
}

func run(t *testing.T, r code.Runner, data string, pool *workflow.Pool) (*workflow.Result, error) {
	t.Helper()
	n, cfg := node(t, r, data)
	return n.Run(t.Context(), &workflow.Execution{Node: cfg, Pool: pool})
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	three := `{"out":{"type":"string"},"n":{"type":"number"},"l":{"type":"array[string]"}}`
	open := `{"out":{"type":"string","children":null},"o":{"type":"object","children":null}}`
	for _, c := range []struct {
		name, schema, result string
		want                 string // outputs as JSON, or
		kind, message        string // the failure
	}{
		{name: "fine", schema: three, result: `{"n":1,"out":"fine","l":["a"]}`, want: `{"out":"fine","n":1,"l":["a"]}`},
		{name: "null everywhere", schema: three, result: `{"out":null,"n":null,"l":null}`, want: `{"out":null,"n":null,"l":null}`},
		{name: "missing", schema: three, result: `{"other":"x","n":1,"l":[]}`, kind: "OutputValidationError", message: "Output out is missing."},
		{name: "extra", schema: three, result: `{"out":"x","n":1,"l":[],"more":5}`, kind: "CodeNodeError", message: "Not all output parameters are validated."},
		{name: "no string", schema: three, result: `{"out":5,"n":1,"l":[]}`, kind: "OutputValidationError", message: "Output out must be a string, got int instead."},
		{name: "no number", schema: three, result: `{"out":"x","n":"1","l":[]}`, kind: "OutputValidationError", message: "Output n is not a number, got <class 'str'> instead."},
		{name: "no list", schema: three, result: `{"out":"x","n":1,"l":"abc"}`, kind: "OutputValidationError", message: "Output l is not an array, got <class 'str'> instead."},
		{name: "long", schema: three, result: `{"out":"` + strings.Repeat("ü", 400001) + `","n":1,"l":[]}`, kind: "OutputValidationError", message: "The length of output variable `out` must be less than 400000 characters"},
		{name: "just not long", schema: `{"out":{"type":"string"}}`, result: `{"out":"` + strings.Repeat("ü", 400000) + `"}`, want: `{"out":"` + strings.Repeat("ü", 400000) + `"}`},
		{name: "big", schema: three, result: `{"out":"x","n":1000000000000000000000000000000,"l":[]}`, kind: "OutputValidationError", message: "Output variable `n` is out of range, it must be between -9223372036854775808 and 9223372036854775807."},
		{name: "precise", schema: `{"n":{"type":"number"}}`, result: `{"n":1.5e-30}`, kind: "OutputValidationError", message: "Output variable `n` has too high precision, it must be less than 20 digits."},
		{name: "bool as number", schema: `{"n":{"type":"number"},"l":{"type":"array[number]"}}`, result: `{"n":true,"l":[false,1.0,2]}`, want: `{"n":1,"l":[0,1.0,2]}`},
		{name: "null in numbers", schema: `{"l":{"type":"array[number]"}}`, result: `{"l":[1,null]}`, kind: "OutputValidationError", message: "The element at index 1 of output variable `l` must be a number."},
		{name: "long list", schema: `{"l":{"type":"array[string]"}}`, result: `{"l":[` + strings.Repeat(`"",`, 30) + `""]}`, kind: "OutputValidationError", message: "The length of output variable `l` must be less than 30 elements."},
		{name: "NUL", schema: `{"s":{"type":"string"}}`, result: `{"s":"a\u0000b"}`, want: `{"s":"ab"}`},
		{name: "no boolean", schema: `{"b":{"type":"boolean"}}`, result: `{"b":1}`, kind: "OutputValidationError", message: "Output b is not a boolean, got <class 'int'> instead."},
		{name: "mixed", schema: open, result: `{"out":"x","o":{"l":[1,null,"x"]}}`, kind: "OutputValidationError", message: "Output o.l is not a valid array. make sure all elements are of the same type."},
		{name: "nulls", schema: open, result: `{"out":"x","o":{"l":[null,null]}}`, want: `{"out":"x","o":{"l":[null,null]}}`},
		{name: "lists of lists", schema: open, result: `{"out":"x","o":{"l":[[1],[2]],"m":[{"a":1},{"b":"c"}]}}`, kind: "WorkflowNodeError", message: "'list' object has no attribute 'items'"},
		{name: "deep", schema: open, result: `{"out":"x","o":{"a":{"b":{"c":{"d":{}}}}}}`, kind: "DepthLimitError", message: "Depth limit 5 reached, object too deep."},
		{name: "children", schema: `{"o":{"type":"object","children":{"k":{"type":"string"}}}}`, result: `{"o":{"k":1}}`, kind: "OutputValidationError", message: "Output o.k must be a string, got int instead."},
		{name: "objects", schema: `{"l":{"type":"array[object]","children":{"k":{"type":"string"}}}}`, result: `{"l":[{"k":"v"},null]}`, want: `{"l":[{"k":"v"},null]}`},
		{name: "no object", schema: `{"o":{"type":"object"}}`, result: `{"o":[]}`, kind: "OutputValidationError", message: "Output o is not an object, got <class 'list'> instead."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res, err := run(t, &canned{out: c.result}, `{"type":"code","code":"x","code_language":"python3","variables":[],"outputs":`+c.schema+`}`, workflow.NewPool())
			if c.message != "" {
				var f *workflow.Failure
				require.ErrorAs(t, err, &f)
				require.Equal(t, c.message, f.Message)
				require.Equal(t, c.kind, f.Type)
				require.Nil(t, res.Outputs)
				return
			}
			require.NoError(t, err)
			raw, err := value.Encode(res.Outputs)
			require.NoError(t, err)
			require.Equal(t, c.want, string(raw))
		})
	}
}

func TestInputs(t *testing.T) {
	t.Parallel()
	pool := workflow.NewPool()
	pool.Set("start", "f", 3.0)
	pool.Set("start", "o", value.Obj("k", []any{int64(1), "x"}))
	pool.Set("sys", "files", []any{})
	r := &canned{out: `{}`}
	res, err := run(t, r, `{"type":"code","code":"def main","code_language":"python3","outputs":{},"variables":[
		{"variable":"f","value_selector":["start","f"]},{"variable":"k","value_selector":["start","o","k"]},
		{"variable":"gone","value_selector":["start","gone"]},{"variable":"files","value_selector":["sys","files"]}]}`, pool)
	require.NoError(t, err)
	raw, err := value.Encode(res.Inputs)
	require.NoError(t, err)
	require.Equal(t, `{"f":3.0,"k":[1,"x"],"gone":null,"files":null}`, string(raw))
	require.Equal(t, "def main", r.got.Code)
	require.Equal(t, sandbox.Python3, r.got.Language)
	require.Equal(t, json.RawMessage("3.0"), r.got.Inputs["f"])
	require.Equal(t, json.RawMessage("null"), r.got.Inputs["gone"])
}

func TestFailures(t *testing.T) {
	t.Parallel()
	data := `{"type":"code","code":"x","code_language":"python3","variables":[],"outputs":{}}`
	for err, message := range map[error]string{
		errs.New(errs.UnprocessableEntity, "ValueError: boom"):                                        "ValueError: boom",
		errs.New(errs.ServiceUnavailable, "Install Python"):                                           "Install Python",
		&errs.Error{Code: errs.Internal, Message: "The code sandbox failed.", Cause: errors.New("x")}: "The code sandbox failed.",
	} {
		_, got := run(t, &canned{err: err}, data, workflow.NewPool())
		var f *workflow.Failure
		require.ErrorAs(t, got, &f)
		require.Equal(t, "CodeExecutionError", f.Type)
		require.Equal(t, message, f.Message)
	}
	n, cfg := node(t, &canned{err: context.Canceled}, data)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := n.Run(ctx, &workflow.Execution{Node: cfg, Pool: workflow.NewPool()})
	require.ErrorIs(t, err, context.Canceled)
}

func TestMain(m *testing.M) {
	jail.MaybeChild()
	os.Exit(m.Run())
}

func TestPython(t *testing.T) {
	t.Parallel()
	d := jail.Open(jail.Options{})
	if _, err := d.Check(t.Context(), sandbox.Python3); err != nil {
		t.Skip(err)
	}
	s := sandbox.New(d, sandbox.Options{})
	pool := workflow.NewPool()
	pool.Set("start", "a", "ünï")
	pool.Set("start", "n", int64(4))
	res, err := run(t, s, `{"type":"code","code_language":"python3",
		"code":"\ndef main(a: str, n: int) -> dict:\n    return {'s': a.upper(), 'i': n * 2, 'f': n / 3, 'b': n > 3, 'o': {'k': a, 'nested': {'l': [1, 2]}}, 'ln': [1, 2.5, n], 'e': '1.5e+3'}\n",
		"variables":[{"variable":"a","value_selector":["start","a"]},{"variable":"n","value_selector":["start","n"]}],
		"outputs":{"s":{"type":"string"},"i":{"type":"number"},"f":{"type":"number"},"b":{"type":"boolean"},"o":{"type":"object","children":null},"ln":{"type":"array[number]"},"e":{"type":"number"}}}`, pool)
	require.NoError(t, err)
	raw, err := value.Encode(res.Outputs)
	require.NoError(t, err)
	require.Equal(t, `{"s":"ÜNÏ","i":8,"f":1.3333333333333333,"b":true,"o":{"k":"ünï","nested":{"l":[1,2]}},"ln":[1,2.5,4],"e":1500.0}`, string(raw))

	_, err = run(t, s, `{"type":"code","code_language":"python3","variables":[],"outputs":{},"code":"def helper():\n    raise ValueError('boom')\ndef main():\n    helper()\n"}`, pool)
	var f *workflow.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, "CodeExecutionError", f.Type)
	require.Equal(t, `Traceback (most recent call last):
  File "/var/sandbox/main.py", line 14, in <module>
    output_obj = main(**inputs_obj)
  File "/var/sandbox/main.py", line 4, in main
    helper()
  File "/var/sandbox/main.py", line 2, in helper
    raise ValueError('boom')
ValueError: boom
`, regexp.MustCompile(`(?m)^ +[~^]+\n`).ReplaceAllString(f.Message, ""))
}

func TestJavaScript(t *testing.T) {
	t.Parallel()
	pool := workflow.NewPool()
	pool.Set("start", "a", "text")
	pool.Set("start", "n", int64(4))
	res, err := run(t, sandbox.New(memsandbox.Open(memsandbox.Options{}), sandbox.Options{}), `{"type":"code","code_language":"javascript",
		"code":"function main({a, n}) { return { s: a.split('').reverse().join(''), i: n + 1, ls: [a, `+"`${a}-${n}`"+`], b: n > 0 } }",
		"variables":[{"variable":"a","value_selector":["start","a"]},{"variable":"n","value_selector":["start","n"]}],
		"outputs":{"s":{"type":"string"},"i":{"type":"number"},"ls":{"type":"array[string]"},"b":{"type":"boolean"}}}`, pool)
	require.NoError(t, err)
	raw, err := value.Encode(res.Outputs)
	require.NoError(t, err)
	require.Equal(t, `{"s":"txet","i":5,"ls":["text","text-4"],"b":true}`, string(raw))
}
