package ifelse_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/ifelse"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
)

func TestHandles(t *testing.T) {
	t.Parallel()
	pool := workflow.NewPool()
	pool.Set("s", "k", "a")
	test := func(value string) string {
		return `{"variable_selector":["s","k"],"comparison_operator":"is","value":"` + value + `"}`
	}
	for data, want := range map[string]string{
		`{"logical_operator":"and","conditions":[` + test("a") + `]}`: "true",
		`{"logical_operator":"and","conditions":[` + test("b") + `]}`: "false",
		`{"cases":[{"case_id":"one","logical_operator":"and","conditions":[` + test("b") + `]},
			{"case_id":"two","logical_operator":"or","conditions":[` + test("b") + `,` + test("a") + `]}]}`: "two",
		`{"cases":[{"case_id":"one","logical_operator":"and","conditions":[` + test("b") + `]}]}`: "false",
	} {
		res, err := nodetest.Run(t.Context(), t, ifelse.New(), data, pool)
		require.NoError(t, err)
		require.Equal(t, want, res.Handle)
		require.Equal(t, want, res.Outputs.Value("selected_case_id"))
		require.Equal(t, want != "false", res.Outputs.Value("result"))
	}
	res, err := nodetest.Run(t.Context(), t, ifelse.New(), `{"cases":[{"case_id":"one","logical_operator":"and","conditions":[`+test("b")+`]},
		{"case_id":"two","logical_operator":"and","conditions":[{"variable_selector":["s","zzz"],"comparison_operator":"empty"}]}]}`, pool)
	require.EqualError(t, err, "Variable ['s', 'zzz'] not found")
	require.Empty(t, res.Handle)
	require.Len(t, res.ProcessData.Value("condition_results"), 1, "what was decided before is kept")
}
