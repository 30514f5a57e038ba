package iteration_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/value"
)

func open(t *testing.T, more string, list any) (workflow.Passes, error) {
	t.Helper()
	cfg := nodetest.Config(t, "it", `{"type":"iteration","start_node_id":"s","iterator_selector":["mk","items"],"output_selector":["c","r"]`+more+`}`)
	n, err := iteration.New().New(cfg)
	require.NoError(t, err)
	pool := workflow.NewPool()
	if list != "missing" {
		pool.Set("mk", "items", list)
	}
	c, ok := n.(workflow.Container)
	require.True(t, ok)
	require.Equal(t, "s", c.Entry())
	return c.Open(nodetest.Execution(cfg, pool))
}

// end ends a pass with a result: an error, nothing, or the value of the output.
func end(p workflow.Passes, i int, result any, found bool, usage *workflow.Usage) {
	pool := workflow.NewPool()
	e := workflow.PassEnd{Index: i, Pool: pool, Elapsed: float64(i) + 0.5, Usage: usage}
	if f, ok := result.(*workflow.Failure); ok {
		e.Failure = f
	} else if found {
		pool.Set("c", "r", result)
	}
	p.End(e)
}

// run runs all passes one after the other.
func run(t *testing.T, p workflow.Passes, results ...any) (*workflow.Result, error) {
	t.Helper()
	for i := 0; ; i++ {
		vars, ok := p.Begin(i, workflow.NewPool())
		if !ok {
			break
		}
		require.Equal(t, int64(i), vars.Value("index"))
		end(p, i, results[i], true, nil)
	}
	return p.Close()
}

func TestResultsKeepTheOrderOfTheList(t *testing.T) {
	t.Parallel()
	p, err := open(t, `,"is_parallel":true,"parallel_nums":2`, []any{"a", "b", "c"})
	require.NoError(t, err)
	o := p.Opening()
	require.Equal(t, `{"iterator_selector": ["a", "b", "c"]}`, value.JSON(o.Inputs))
	require.Equal(t, 3, o.Length)
	require.Equal(t, 2, o.Parallel)
	require.False(t, o.Shared)
	require.True(t, o.LastAnswer)
	for i, item := range []any{"a", "b", "c"} {
		vars, ok := p.Begin(i, nil)
		require.True(t, ok)
		require.Equal(t, item, vars.Value("item"))
	}
	_, ok := p.Begin(3, nil)
	require.False(t, ok)
	usage := &workflow.Usage{PromptTokens: 1, CompletionTokens: 2, TotalTokens: 3, TotalPrice: "0.1", Currency: "EUR"}
	end(p, 2, "C", true, usage)
	end(p, 0, "A", true, nil)
	end(p, 1, nil, false, usage)
	res, err := p.Close()
	require.NoError(t, err)
	require.Equal(t, `{"output": ["A", null, "C"]}`, value.JSON(res.Outputs), "a missing result is null")
	require.Equal(t, `{"total_tokens": 6, "total_price": "0.2", "currency": "EUR", "iteration_duration_map": {"0": 0.5, "1": 1.5, "2": 2.5}}`, value.JSON(res.Metadata))
	require.Equal(t, int64(6), res.Usage.TotalTokens)
	require.Equal(t, int64(2), res.Usage.PromptTokens)
	require.Equal(t, "0.2", res.Usage.TotalPrice)
	require.Equal(t, 3, p.(interface{ Steps() int }).Steps())
}

func TestWhatAFailedPassLeaves(t *testing.T) {
	t.Parallel()
	bad := workflow.Fail("CodeExecutionError", "no luck")
	for mode, want := range map[string]string{
		"":                       `{"output": ["A"]}`,
		"terminated":             `{"output": ["A"]}`,
		"continue-on-error":      `{"output": ["A", null, "C"]}`,
		"remove-abnormal-output": `{"output": ["A", "C"]}`,
	} {
		more := ""
		if mode != "" {
			more = `,"error_handle_mode":"` + mode + `"`
		}
		p, err := open(t, more, []any{"a", "bad", "c"})
		require.NoError(t, err)
		require.Equal(t, 1, p.Opening().Parallel)
		res, err := run(t, p, "A", bad, "C")
		require.Equal(t, want, value.JSON(res.Outputs), mode)
		if mode == "" || mode == "terminated" {
			var f *workflow.Failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, "no luck", f.Message)
			require.ErrorIs(t, err, bad)
			require.Len(t, res.Metadata.Value("iteration_duration_map").(*value.Object).Keys(), 2, "the failed pass counts")
			require.Equal(t, "0.0", res.Metadata.String("total_price"))
		} else {
			require.NoError(t, err)
		}
		require.Nil(t, res.Usage)
	}
}

func TestRunningPassesEndAfterAFailure(t *testing.T) {
	t.Parallel()
	p, err := open(t, `,"is_parallel":true,"parallel_nums":3`, []any{"a", "b", "c", "d"})
	require.NoError(t, err)
	for i := range 3 {
		_, ok := p.Begin(i, nil)
		require.True(t, ok)
	}
	end(p, 1, workflow.Fail("X", "first"), false, nil)
	_, ok := p.Begin(3, nil)
	require.False(t, ok, "no pass begins any more")
	end(p, 2, workflow.Fail("X", "second"), false, nil)
	end(p, 0, "A", true, nil)
	res, err := p.Close()
	require.EqualError(t, err, "first")
	require.Equal(t, `{"output": ["A"]}`, value.JSON(res.Outputs))
}

func TestFlattening(t *testing.T) {
	t.Parallel()
	list := func(v ...any) any { return v }
	for want, results := range map[string][]any{
		`["a", "b", "c"]`:     {list("a", "b"), list("c")},
		`["a", ["b"]]`:        {list("a"), list(list("b"))},
		`["a"]`:               {nil, list("a")},
		`[null, null]`:        {nil, nil},
		`[["a"], "b"]`:        {list("a"), "b"},
		`[]`:                  {list(), list()},
		`["x", {"k": "v"}]`:   {list("x"), list(value.Obj("k", "v"))},
		`[{"k": ["v"]}, "1"]`: {value.Obj("k", list("v")), "1"},
	} {
		p, err := open(t, "", []any{"1", "2"})
		require.NoError(t, err)
		res, err := run(t, p, results...)
		require.NoError(t, err)
		require.Equal(t, want, value.JSON(res.Outputs.Value("output")))
	}
	p, err := open(t, `,"flatten_output":false`, []any{"1"})
	require.NoError(t, err)
	res, err := run(t, p, list("a"))
	require.NoError(t, err)
	require.Equal(t, `[["a"]]`, value.JSON(res.Outputs.Value("output")))
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	for _, list := range []any{nil, []any{}} {
		p, err := open(t, "", list)
		require.NoError(t, err)
		require.Equal(t, `{"iterator_selector": []}`, value.JSON(p.Opening().Inputs))
		require.Zero(t, p.Opening().Length)
		_, ok := p.Begin(0, nil)
		require.False(t, ok)
		res, err := p.Close()
		require.NoError(t, err)
		require.Equal(t, `{"output": []}`, value.JSON(res.Outputs))
		require.Nil(t, res.Metadata)
		require.Zero(t, p.(interface{ Steps() int }).Steps())
	}
}

func TestWhatIsNoList(t *testing.T) {
	t.Parallel()
	for _, list := range []any{"missing", "text", int64(1), value.Obj("a", int64(1))} {
		_, err := open(t, "", list)
		var f *workflow.Failure
		require.ErrorAs(t, err, &f)
		require.Contains(t, f.Type, "Iterator")
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	for _, more := range []string{`,"error_handle_mode":"panic"`, `,"is_parallel":true,"parallel_nums":0`} {
		_, err := iteration.New().New(nodetest.Config(t, "it", `{"type":"iteration"`+more+`}`))
		require.Error(t, err)
	}
	p, err := open(t, `,"is_parallel":true`, []any{})
	require.NoError(t, err)
	require.Equal(t, 10, p.Opening().Parallel)
	require.Equal(t, workflow.KindContainer, iteration.New().Kind())
	require.False(t, iteration.New().Effect())
}
