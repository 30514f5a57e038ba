package loop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/loop"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/value"
)

const twoVariables = `,"loop_variables":[{"label":"c","var_type":"number","value_type":"constant","value":"0"},
	{"label":"acc","var_type":"string","value_type":"variable","value":["start","q"]}]`

// bench runs a loop the way the engine does: one pool for everything.
type bench struct {
	workflow.Passes
	pool *workflow.Pool
}

func open(t *testing.T, more string) (*bench, error) {
	t.Helper()
	cfg := nodetest.Config(t, "lp", `{"type":"loop","start_node_id":"s","logical_operator":"and"`+more+`}`)
	n, err := loop.New().New(cfg)
	require.NoError(t, err)
	b := &bench{pool: workflow.NewPool()}
	b.pool.Set("start", "q", "s")
	c, ok := n.(workflow.Container)
	require.True(t, ok)
	require.Equal(t, "s", c.Entry())
	if b.Passes, err = c.Open(nodetest.Execution(cfg, b.pool)); err != nil {
		return nil, err
	}
	b.pool.SetAll("lp", b.Opening().Variables)
	return b, nil
}

// run does passes until the loop is over. Each calls step, which changes
// variables and may set how the pass ended.
func (b *bench) run(t *testing.T, step func(i int, e *workflow.PassEnd)) (*workflow.Result, error) {
	t.Helper()
	for i := 0; ; i++ {
		require.Less(t, i, 1000)
		if _, ok := b.Begin(i, b.pool); !ok {
			return b.Close()
		}
		e := workflow.PassEnd{Index: i, Pool: b.pool, Elapsed: 0.25}
		step(i, &e)
		b.End(e)
	}
}

func (b *bench) count(i int, _ *workflow.PassEnd) { b.pool.Set("lp", "c", int64(i+1)) }

func TestConditionEndsTheLoop(t *testing.T) {
	t.Parallel()
	b, err := open(t, `,"loop_count":6,"break_conditions":[{"variable_selector":["lp","c"],"comparison_operator":"≥","value":"3"}]`+twoVariables)
	require.NoError(t, err)
	o := b.Opening()
	require.Equal(t, `{"loop_count": 6, "c": 0, "acc": "s"}`, value.JSON(o.Inputs))
	require.Equal(t, 6, o.Length)
	require.Equal(t, 1, o.Parallel)
	require.True(t, o.Shared)
	require.False(t, o.LastAnswer)
	res, err := b.run(t, b.count)
	require.NoError(t, err)
	require.Equal(t, `{"c": 3, "acc": "s", "loop_round": 3}`, value.JSON(res.Outputs))
	require.Equal(t, `{"loop_count": 6, "c": 0, "acc": "s"}`, value.JSON(res.Inputs))
	require.Equal(t, `{"total_tokens": 0, "total_price": "0.0", "currency": "USD", "completed_reason": "loop_break", `+
		`"loop_duration_map": {"0": 0.25, "1": 0.25, "2": 0.25}, `+
		`"loop_variable_map": {"0": {"c": 1, "acc": "s"}, "1": {"c": 2, "acc": "s"}, "2": {"c": 3, "acc": "s"}}}`, value.JSON(res.Metadata))
	require.Equal(t, 6, b.Passes.(interface{ Steps() int }).Steps())
}

func TestCountEndsTheLoop(t *testing.T) {
	t.Parallel()
	b, err := open(t, `,"loop_count":2,"break_conditions":[]`+twoVariables)
	require.NoError(t, err)
	usage := &workflow.Usage{TotalTokens: 5, TotalPrice: "0.5", Currency: "USD"}
	res, err := b.run(t, func(i int, e *workflow.PassEnd) { b.count(i, e); e.Usage = usage })
	require.NoError(t, err)
	require.Equal(t, `{"c": 2, "acc": "s", "loop_round": 2}`, value.JSON(res.Outputs))
	require.Equal(t, "loop_completed", res.Metadata.String("completed_reason"))
	require.Equal(t, "1.0", res.Metadata.String("total_price"))
	require.Equal(t, int64(10), res.Usage.TotalTokens)
}

func TestLoopEndNodeEndsTheLoop(t *testing.T) {
	t.Parallel()
	b, err := open(t, `,"loop_count":5`)
	require.NoError(t, err)
	res, err := b.run(t, func(i int, e *workflow.PassEnd) { e.Broke = i == 1 })
	require.NoError(t, err)
	require.Equal(t, `{"loop_round": 2}`, value.JSON(res.Outputs))
	require.Equal(t, 5, b.Passes.(interface{ Steps() int }).Steps())
}

func TestConditionHoldsBeforeTheFirstPass(t *testing.T) {
	t.Parallel()
	b, err := open(t, `,"loop_count":5,"break_conditions":[{"variable_selector":["start","q"],"comparison_operator":"is","value":"s"}]`+twoVariables)
	require.NoError(t, err)
	res, err := b.run(t, func(int, *workflow.PassEnd) { t.Fatal("no pass may run") })
	require.NoError(t, err)
	require.Equal(t, `{}`, value.JSON(res.Outputs))
	require.Equal(t, "loop_break", res.Metadata.String("completed_reason"))
	require.Zero(t, b.Passes.(interface{ Steps() int }).Steps())
}

func TestConditionThatCannotBeEvaluated(t *testing.T) {
	t.Parallel()
	more := `,"loop_count":5,"break_conditions":[{"variable_selector":["inside","x"],"comparison_operator":"is","value":"go"}]`
	b, err := open(t, more)
	require.NoError(t, err)
	res, err := b.run(t, func(i int, _ *workflow.PassEnd) { b.pool.Set("inside", "x", []string{"stay", "go"}[i]) })
	require.NoError(t, err, "before the first pass it does not matter")
	require.Equal(t, `{"loop_round": 2}`, value.JSON(res.Outputs))

	b, err = open(t, more)
	require.NoError(t, err)
	res, err = b.run(t, func(int, *workflow.PassEnd) {})
	require.ErrorContains(t, err, "not found", "after it the loop fails")
	require.Equal(t, `{}`, value.JSON(res.Outputs))
	require.Equal(t, "error", res.Metadata.String("completed_reason"))
}

func TestFailedPassFailsTheLoop(t *testing.T) {
	t.Parallel()
	b, err := open(t, `,"loop_count":3`+twoVariables)
	require.NoError(t, err)
	bad := workflow.Fail("CodeExecutionError", "division by zero")
	res, err := b.run(t, func(_ int, e *workflow.PassEnd) { e.Failure = bad })
	require.ErrorIs(t, err, bad)
	require.EqualError(t, err, "division by zero")
	require.Equal(t, `{}`, value.JSON(res.Outputs))
	require.Equal(t, `{"total_tokens": 0, "total_price": "0.0", "currency": "USD", "completed_reason": "error", `+
		`"loop_duration_map": {"0": 0.25}, "loop_variable_map": {"0": {"c": 0, "acc": "s"}}}`, value.JSON(res.Metadata))
	require.Equal(t, 3, b.Passes.(interface{ Steps() int }).Steps())
}

func TestConstants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, constant, want string }{
		{"string", `"a"`, `"a"`},
		{"string", `"1"`, `"1"`},
		{"number", `"1.5"`, `1.5`},
		{"number", `7`, `7`},
		{"boolean", `"true"`, `true`},
		{"boolean", `false`, `false`},
		{"object", `"{\"a\": [1]}"`, `{"a": [1]}`},
		{"object", `{"a": 1}`, `{"a": 1}`},
		{"array[string]", `"[\"x\", \"y\"]"`, `["x", "y"]`},
		{"array[number]", `"[1, 2.5]"`, `[1, 2.5]`},
		{"array[object]", `"[{\"k\": 1}]"`, `[{"k": 1}]`},
		{"array[string]", `""`, `[]`},
		{"array[object]", `null`, `[]`},
		{"array[string]", `["x"]`, `[]`},
		{"array[boolean]", `[true, false]`, `[true, false]`},
		{"array[boolean]", `"[true]"`, `[true]`},
		{"number", `"many"`, ""},
		{"number", `true`, ""},
		{"string", `5`, ""},
		{"boolean", `"maybe"`, ""},
		{"object", `"[1]"`, ""},
		{"array[number]", `"[\"x\"]"`, ""},
		{"array[number]", `"no json"`, ""},
		{"array[string]", `"{}"`, ""},
	} {
		b, err := open(t, `,"loop_count":1,"loop_variables":[{"label":"v","var_type":"`+c.kind+`","value_type":"constant","value":`+c.constant+`}]`)
		if c.want == "" {
			var f *workflow.Failure
			require.ErrorAs(t, err, &f, "%s %s", c.kind, c.constant)
			continue
		}
		require.NoError(t, err, "%s %s", c.kind, c.constant)
		require.Equal(t, c.want, value.JSON(b.Opening().Variables.Value("v")), "%s %s", c.kind, c.constant)
	}
}

func TestWhatCannotBeALoop(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"type":"loop"}`,
		`{"type":"loop","loop_count":0}`,
		`{"type":"loop","loop_count":1,"break_conditions":["x"]}`,
		`{"type":"loop","loop_count":1,"loop_variables":["x"]}`,
		`{"type":"loop","loop_count":1,"loop_variables":[{"label":"","var_type":"string","value_type":"constant"}]}`,
		`{"type":"loop","loop_count":1,"loop_variables":[{"label":"a","var_type":"file","value_type":"constant"}]}`,
		`{"type":"loop","loop_count":1,"loop_variables":[{"label":"a","var_type":"string","value_type":"guess"}]}`,
	} {
		_, err := loop.New().New(nodetest.Config(t, "lp", data))
		require.Error(t, err, data)
	}
	_, err := open(t, `,"loop_count":1,"loop_variables":[{"label":"a","var_type":"string","value_type":"variable","value":["no","where"]}]`)
	var f *workflow.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, "WorkflowNodeError", f.Type)
}
