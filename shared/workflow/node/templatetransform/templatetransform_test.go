package templatetransform_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/node/templatetransform"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	pool := workflow.NewPool()
	pool.Set("start", "q", "x")
	pool.Set("start", "f", []any{&value.File{Filename: "a"}})
	for name, c := range map[string]struct{ template, variable, typ, message string }{
		"syntax":     {"{% if %}", "q", "", ""},
		"at runtime": {"{{ 1 / 0 }}", "q", "", "division by zero"},
		"unsafe":     {"{{ q.__class__.__mro__ }}", "q", "", ""},
		"too long":   {"{{ q * 11 }}", "q", "", "Output length exceeds 10 characters"},
		"file":       {"{{ q }}", "f", "WorkflowNodeError", "Type is not JSON serializable: File"},
	} {
		res, err := nodetest.Run(t.Context(), t, templatetransform.New(templatetransform.Options{MaxLength: 10}),
			`{"type":"template-transform","template":"`+c.template+`","variables":[{"variable":"q","value_selector":["start","`+c.variable+`"]}]}`, pool)
		var failed *workflow.Failure
		require.ErrorAs(t, err, &failed, name)
		require.Equal(t, c.typ, failed.Type, name)
		if c.message != "" {
			require.Equal(t, c.message, failed.Message, name)
		}
		require.Equal(t, []string{"q"}, res.Inputs.Keys(), name)
		require.Nil(t, res.Outputs, name)
	}
}
