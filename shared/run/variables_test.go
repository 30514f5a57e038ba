package run_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/node/assigner"
	"github.com/millrace/millrace/shared/workflow/value"
)

// withAssigner are the fake node types and the real assigner.
type withAssigner struct{ fakes engine.Types }

func (w withAssigner) Lookup(name string) (workflow.Type, bool) {
	if name == "assigner" {
		return assigner.New(), true
	}
	return w.fakes.Lookup(name)
}

// chatflow is a version with conversation variables.
type chatflow []run.Variable

func (c chatflow) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	return &run.Definition{ID: id, TenantID: tenantID, AppID: appID, Type: "chat", Version: "v1", Graph: rememberGraph, Conversation: c, Mutable: true}, nil
}

// rememberGraph counts and remembers questions before and after an effect.
var rememberGraph = fakenode.Graph([]string{
	`{"id":"start","type":"start"}`,
	`{"id":"one","type":"assigner","version":"2","items":[
		{"variable_selector":["conversation","n"],"operation":"/=","input_type":"constant","value":2},
		{"variable_selector":["conversation","ls"],"operation":"append","input_type":"variable","value":["sys","query"]}]}`,
	`{"id":"h","type":"http-request"}`,
	`{"id":"two","type":"assigner","assigned_variable_selector":["conversation","ls"],"write_mode":"append","input_variable_selector":["h","text"]}`,
	`{"id":"a","type":"answer","answer":"{{#conversation.ls#}} {{#conversation.n#}}"}`,
}, []string{"start", "one"}, []string{"one", "h"}, []string{"h", "two"}, []string{"two", "a"})

func rememberVariables() chatflow {
	return chatflow{
		{ID: "n1", Name: "n", Type: "integer", Value: int64(20)},
		{ID: "l1", Name: "ls", Type: "array[string]", Description: "questions", Value: []any{}},
	}
}

func said(context.Context, *workflow.Execution) (*workflow.Result, error) {
	return &workflow.Result{Outputs: value.Obj("text", "said")}, nil
}

func rememberService(store *memrunstore.Driver, flow chatflow, call fakenode.Func, opts run.Options) *run.Service {
	return serviceOf(store, withAssigner{fakenode.Types(call)}, flow, opts)
}

func serviceOf(store *memrunstore.Driver, types engine.Types, graphs run.GraphSource, opts run.Options) *run.Service {
	return run.New(run.Deps{
		Store: runstore.New(store, 0), Stream: eventstream.New(memstream.New(clock.System{})), Types: types, Graphs: graphs, Clock: clock.System{},
		Sender: &sender{},
	}, opts)
}

// contents are what batches of rows leave in the table, by variable.
func contents(t *testing.T, batches []driver.Rows) map[string]chat.Variable {
	t.Helper()
	out := map[string]chat.Variable{}
	for _, b := range batches {
		seen := map[string]bool{}
		for _, r := range b.Variables {
			require.False(t, seen[r.ID], "one row of a variable in a batch")
			seen[r.ID] = true
			require.Equal(t, "55555555-5555-4555-8555-555555555555", r.ConversationID)
			v := chat.Variable{ID: r.ID}
			require.NoError(t, v.ReadData(r.Data))
			out[r.ID] = v
		}
	}
	return out
}

// turn runs a turn and returns its answer and what the conversation keeps.
func turn(t *testing.T, flow chatflow, query string, stored map[string]chat.Variable) (string, map[string]chat.Variable) {
	t.Helper()
	store := memrunstore.New(clock.System{})
	req := chatRequest(query)
	var err error
	req.Chat.Variables, err = run.StoredVariables(slices.Collect(maps.Values(stored)))
	require.NoError(t, err)
	req.Chat.NewConversation = stored == nil
	res, err := rememberService(store, flow, said, run.Options{}).Start(t.Context(), req, nil)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, res.Finished.Status, res.Finished.Error)
	out := contents(t, store.Rows(res.RunID))
	for id, v := range stored {
		if _, written := out[id]; !written {
			out[id] = v
		}
	}
	return res.Finished.Answer, out
}

func TestVariablesLastOverTurns(t *testing.T) {
	t.Parallel()
	answer, kept := turn(t, rememberVariables(), "t1", nil)
	require.Equal(t, "- t1\n- said 10.0", answer)
	require.Equal(t, map[string]chat.Variable{
		"n1": {ID: "n1", Name: "n", Type: "number", Value: 10.0},
		"l1": {ID: "l1", Name: "ls", Type: "array[string]", Description: "questions", Value: []any{"t1", "said"}},
	}, kept)
	answer, kept = turn(t, rememberVariables(), "t2", kept)
	require.Equal(t, "- t1\n- said\n- t2\n- said 5.0", answer)
	require.Equal(t, 5.0, kept["n1"].Value)
}

func TestVariablesOfChangedWorkflows(t *testing.T) {
	t.Parallel()
	_, kept := turn(t, rememberVariables(), "t1", nil)

	changed := append(rememberVariables(), run.Variable{ID: "new", Name: "new", Type: "string", Value: "hi"})
	changed[0].ID = "n2"
	answer, more := turn(t, changed, "t2", kept)
	require.Equal(t, "- t1\n- said\n- t2\n- said 10.0", answer, "another variable of the same name begins anew")
	require.Equal(t, "hi", more["new"].Value)
	require.Equal(t, 10.0, more["n1"].Value, "nobody writes the old one any more")

	junk := map[string]chat.Variable{"n1": {ID: "n1", Name: "n", Type: "number", Value: "x"}, "l1": kept["l1"]}
	answer, more = turn(t, rememberVariables(), "t2", junk)
	require.Equal(t, "- t1\n- said\n- t2\n- said 10.0", answer, "a value of another type is none")
	require.Equal(t, 10.0, more["n1"].Value)
}

func TestVariablesOfARunThatWasLeft(t *testing.T) {
	t.Parallel()
	store := memrunstore.New(clock.System{})
	started := make(chan struct{})
	hang := func(ctx context.Context, _ *workflow.Execution) (*workflow.Result, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	req := chatRequest("t1")
	req.Chat.NewConversation = false
	req.Chat.Variables = []run.StoredVariable{
		{ID: "n1", Type: "number", Value: json.RawMessage(`8.0`)}, {ID: "l1", Type: "array[string]", Value: json.RawMessage(`["old"]`)},
	}
	first := rememberService(store, rememberVariables(), hang, run.Options{Owner: "a"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = first.Start(ctx, req, nil)
	}()
	<-started
	id := store.RunIDs()[0]
	before := contents(t, store.Rows(id))
	require.Equal(t, 4.0, before["n1"].Value, "what was changed before the effect is kept with it")
	require.Equal(t, []any{"old", "t1"}, before["l1"].Value)

	second := rememberService(store, rememberVariables(), said, run.Options{Owner: "b"})
	_, err := second.ExpireOwner(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, second.Continue(t.Context(), tenant, id))
	after := contents(t, store.Rows(id))
	require.Equal(t, 4.0, after["n1"].Value, "the division was not done again")
	require.Equal(t, []any{"old", "t1", "said"}, after["l1"].Value)
}
