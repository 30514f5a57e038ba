package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestUsageRows(t *testing.T) {
	t.Parallel()
	p := projection{def: &Definition{ID: "w"}, req: &StartRequest{RunID: "part", User: User{ID: "u", Role: "end_user"}, Chat: &ChatTurn{ConversationID: "c"}}}
	used := func(model string) *workflow.Usage {
		return &workflow.Usage{PromptTokens: 2, CompletionTokens: 1, TotalTokens: 3, TotalPrice: "0.1", Currency: "EUR", Provider: "p", Model: model, Latency: 0.5}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	event := func(kind workflow.EventType, id string, attempt int, u *workflow.Usage) workflow.Event {
		return workflow.Event{Type: kind, At: at, Node: &workflow.NodeEvent{ExecutionID: id, NodeID: "n", Attempt: attempt, Usage: u}}
	}
	replayed := event(workflow.EventNodeFinished, "old", 0, used("m"))
	replayed.Node.Metadata = value.Obj(engine.MetaReplayedFrom, "x")
	bare := used("m")
	bare.TotalPrice, bare.Currency = "", ""
	list := p.usage([]workflow.Event{
		{Type: workflow.EventRunStarted}, event(workflow.EventNodeStarted, "a", 0, nil), event(workflow.EventNodeRetry, "a", 0, used("m")),
		event(workflow.EventNodeFinished, "a", 1, used("m")), event(workflow.EventNodeFinished, "sum", 0, used("")),
		event(workflow.EventPassFinished, "pass", 0, used("m")), event(workflow.EventNodeFinished, "pure", 0, nil), replayed,
		event(workflow.EventNodeFinished, "free", 0, bare),
	}, "whole")
	require.Len(t, list, 3)
	require.Equal(t, "a", list[0].ExecutionID)
	require.Equal(t, []int{0, 1, 0}, []int{list[0].Attempt, list[1].Attempt, list[2].Attempt})
	require.Equal(t, "0 USD", list[2].TotalPrice+" "+list[2].Currency)
	r := list[1]
	require.Equal(t, "whole n c end_user u p m 0.1 EUR", r.RunID+" "+r.NodeID+" "+*r.ConversationID+" "+r.Role+" "+*r.By+" "+r.Provider+" "+r.Model+" "+r.TotalPrice+" "+r.Currency)
	require.Equal(t, []int64{2, 1, 3}, []int64{r.PromptTokens, r.CompletionTokens, r.TotalTokens})
	require.Equal(t, at, r.At)
}

func TestBudgetsAreLookedAtBeforeCalls(t *testing.T) {
	t.Parallel()
	event := func(kind workflow.EventType, node string) []workflow.Event {
		return []workflow.Event{{Type: workflow.EventRunStarted}, {Type: kind, Node: &workflow.NodeEvent{NodeType: node}}}
	}
	require.True(t, callsModel(event(workflow.EventNodeStarted, "llm")))
	require.True(t, callsModel(event(workflow.EventNodeRetry, "question-classifier")))
	require.False(t, callsModel(event(workflow.EventNodeFinished, "llm")))
	require.False(t, callsModel(event(workflow.EventNodeStarted, "code")))
}

func TestRefusalsAreForgotten(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(time.Unix(0, 0))
	var r refusals
	r.note(c, "t", "a", errs.New(errs.Conflict, ""))
	require.NoError(t, r.of(c, "t", "a"))
	over := errs.New(errs.BudgetExceeded, "used up")
	r.note(c, "t", "a", over)
	require.Equal(t, error(over), r.of(c, "t", "a"))
	require.NoError(t, r.of(c, "t", "b"))
	require.NoError(t, r.of(c, "u", "a"))
	c.Advance(refusalTime)
	require.NoError(t, r.of(c, "t", "a"))
}
