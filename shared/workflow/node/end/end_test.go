package end_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/end"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
)

func TestTemplateAndMissing(t *testing.T) {
	t.Parallel()
	cfg := nodetest.Config(t, "e", `{"outputs":[{"variable":"a","value_selector":["s","a"]},{"variable":"x","value_selector":[]},
		{"variable":"b","value_selector":["s","b","c"]}]}`)
	n, err := end.New().New(cfg)
	require.NoError(t, err)
	require.Equal(t, []workflow.Segment{
		{Selector: workflow.Selector{"s", "a"}}, {Text: "\n"}, {Selector: workflow.Selector{"s", "b", "c"}},
	}, n.(workflow.Responder).Template())
	pool := workflow.NewPool()
	pool.Set("s", "a", int64(1))
	res, err := n.Run(t.Context(), nodetest.Execution(cfg, pool))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "x", "b"}, res.Outputs.Keys())
	require.Equal(t, int64(1), res.Outputs.Value("a"))
	require.Nil(t, res.Outputs.Value("b"))
}
