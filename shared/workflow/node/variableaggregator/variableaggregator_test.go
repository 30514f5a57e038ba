package variableaggregator_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/node/variableaggregator"
)

func TestGroupsAndNulls(t *testing.T) {
	t.Parallel()
	pool := workflow.NewPool()
	pool.Set("a", "r", nil)
	pool.Set("b", "r", "B")
	for data, want := range map[string]string{
		`{"output_type":"string","variables":[["x","r"],["a","r"],["b","r"]]}`: `{"output":null}`,
		`{"output_type":"string","variables":[["x","r"]]}`:                     `{}`,
		`{"output_type":"string","variables":[],"advanced_settings":{"group_enabled":true,"groups":[
			{"group_name":"one","output_type":"string","variables":[["x","r"],["b","r"]]},
			{"group_name":"two","output_type":"string","variables":[["x","r"]]}]}}`: `{"one":{"output":"B"}}`,
		`{"output_type":"string","variables":[["b","r"]],"advanced_settings":{"group_enabled":false,"groups":[]}}`: `{"output":"B"}`,
	} {
		for _, typ := range []workflow.Type{variableaggregator.New(), variableaggregator.NewLegacy()} {
			res, err := nodetest.Run(t.Context(), t, typ, data, pool)
			require.NoError(t, err)
			raw, err := json.Marshal(res.Outputs)
			require.NoError(t, err)
			require.Equal(t, want, string(raw))
		}
	}
}
