package run_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/node"
	"github.com/millrace/millrace/shared/workflow/node/answer"
	"github.com/millrace/millrace/shared/workflow/node/assigner"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/node/loop"
	"github.com/millrace/millrace/shared/workflow/node/start"
)

// TestVariablesChangedInsideContainers changes a conversation variable in the
// passes of an iteration, which work on copies, and of a loop, which do not.
func TestVariablesChangedInsideContainers(t *testing.T) {
	t.Parallel()
	graph := fakenode.Graph([]string{
		`{"id":"start","type":"start","variables":[]}`,
		`{"id":"it","type":"iteration","start_node_id":"in","iterator_selector":["conversation","ls"],"output_selector":["it","item"]}`,
		`{"id":"in","type":"assigner","iteration_id":"it","assigned_variable_selector":["conversation","out"],"write_mode":"append","input_variable_selector":["it","item"]}`,
		`{"id":"lp","type":"loop","loop_count":2,"start_node_id":"inl","logical_operator":"and","break_conditions":[],
			"loop_variables":[{"label":"empty","var_type":"array[number]","value_type":"constant","value":"[]"}]}`,
		`{"id":"inl","type":"assigner","loop_id":"lp","version":"2","items":[
			{"variable_selector":["conversation","n"],"operation":"+=","input_type":"constant","value":1},
			{"variable_selector":["lp","empty"],"operation":"append","input_type":"variable","value":["conversation","n"]}]}`,
		`{"id":"a","type":"answer","answer":"{{#conversation.out#}} {{#conversation.n#}} {{#lp.empty#}}"}`,
	}, []string{"start", "it"}, []string{"it", "lp"}, []string{"lp", "a"})
	flow := chatflow{
		{ID: "n1", Name: "n", Type: "integer", Value: int64(0)},
		{ID: "l1", Name: "ls", Type: "array[string]", Value: []any{"x", "y"}},
		{ID: "o1", Name: "out", Type: "array[string]", Value: []any{}},
	}
	store := memrunstore.New(clock.System{})
	s := serviceOf(store, node.NewRegistry(start.New(), answer.New(), assigner.New(), iteration.New(), loop.New()), graphOf{flow, graph}, run.Options{})
	res, err := s.Start(t.Context(), chatRequest("q"), nil)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, res.Finished.Status, res.Finished.Error)
	require.Equal(t, "- x\n- y 2 - 1\n- 2", res.Finished.Answer)
	kept := contents(t, store.Rows(res.RunID))
	require.Equal(t, []any{"x", "y"}, kept["o1"].Value, "what the answer showed is what is kept")
	require.Equal(t, int64(2), kept["n1"].Value)
}

// graphOf is a chatflow with another graph.
type graphOf struct {
	chatflow
	graph string
}

func (g graphOf) Definition(ctx context.Context, tenantID, id string) (*run.Definition, error) {
	d, err := g.chatflow.Definition(ctx, tenantID, id)
	d.Graph = g.graph
	return d, err
}
