package runs_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/node/assigner"
)

type withAssigner struct{ engine.Types }

func (w withAssigner) Lookup(name string) (workflow.Type, bool) {
	if name == "assigner" {
		return assigner.New(), true
	}
	return w.Types.Lookup(name)
}

type chatflow []run.Variable

func (c chatflow) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	g := fakenode.Graph([]string{
		`{"id":"start","type":"start"}`,
		`{"id":"as","type":"assigner","assigned_variable_selector":["conversation","last"],"write_mode":"over-write","input_variable_selector":["sys","query"]}`,
		`{"id":"a","type":"answer","answer":"{{#conversation.last#}}"}`,
	}, []string{"start", "as"}, []string{"as", "a"})
	return &run.Definition{ID: id, TenantID: tenantID, AppID: appID, Type: "chat", Version: "v1", Graph: g, Conversation: c}, nil
}

func TestVariableRowsAreTheContracts(t *testing.T) {
	t.Parallel()
	p := pool(t)
	last, still := ids.Random(), ids.Random()
	s := run.New(run.Deps{
		Store: runstore.New(runs.New(p), 0), Stream: eventstream.New(memstream.New(clock.System{})), Types: withAssigner{fakenode.Types(nil)},
		Graphs: chatflow{
			{ID: last, Name: "last", Type: "string", Description: "the last", Value: ""}, {ID: still, Name: "still", Type: "integer", Value: int64(5)},
		}, Clock: clock.System{},
	}, run.Options{})
	req := chatRequest("one")
	_, err := s.Start(t.Context(), req, nil)
	require.NoError(t, err)
	const read = `SELECT data FROM workflow_conversation_variables WHERE id=$1 AND conversation_id=$2 AND app_id=$3`
	require.Equal(t, `{"value_type": "string", "value": "one", "id": "`+last+`", "name": "last", "description": "the last", "selector": ["conversation", "last"]}`,
		one[string](t, p, read, last, req.Chat.ConversationID, appID))
	require.Equal(t, `{"value_type": "number", "value": 5, "id": "`+still+`", "name": "still", "description": "", "selector": ["conversation", "still"]}`,
		one[string](t, p, read, still, req.Chat.ConversationID, appID))

	other := chatRequest("elsewhere")
	_, err = s.Start(t.Context(), other, nil)
	require.NoError(t, err)
	again := chatRequest("two")
	again.Chat.ConversationID, again.Chat.NewConversation = req.Chat.ConversationID, false
	again.Chat.Variables = []run.StoredVariable{{ID: last, Type: "string", Value: []byte(`"one"`)}, {ID: still, Type: "number", Value: []byte(`5`)}}
	_, err = s.Start(t.Context(), again, nil)
	require.NoError(t, err)
	const state = `SELECT string_agg((data::json->>'name')||'='||(data::json->>'value')||' '||(updated_at > created_at), ',' ORDER BY data::json->>'name')
		FROM workflow_conversation_variables WHERE conversation_id=$1`
	require.Equal(t, "last=two true,still=5 false", one[string](t, p, state, req.Chat.ConversationID))
	require.Equal(t, "last=elsewhere true,still=5 false", one[string](t, p, state, other.Chat.ConversationID))
}

func TestVariablesOfAnotherAppAreNotTouched(t *testing.T) {
	t.Parallel()
	p := pool(t)
	id, conversation := ids.Random(), ids.New()
	_, err := p.Exec(t.Context(), `INSERT INTO workflow_conversation_variables (id, conversation_id, app_id, data) VALUES ($1, $2, gen_random_uuid(), 'theirs')`, id, conversation)
	require.NoError(t, err)
	s := run.New(run.Deps{
		Store: runstore.New(runs.New(p), 0), Stream: eventstream.New(memstream.New(clock.System{})), Types: withAssigner{fakenode.Types(nil)},
		Graphs: chatflow{{ID: id, Name: "last", Type: "string", Value: ""}}, Clock: clock.System{},
	}, run.Options{})
	req := chatRequest("mine")
	req.Chat.ConversationID = conversation
	_, err = s.Start(t.Context(), req, nil)
	require.NoError(t, err)
	require.Equal(t, "theirs", one[string](t, p, `SELECT data FROM workflow_conversation_variables WHERE id=$1 AND conversation_id=$2`, id, conversation))
}
