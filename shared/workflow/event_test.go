package workflow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestEventsSurviveTheJournal(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)
	file := &value.File{ID: "1", Type: "image", Filename: "a.png", Size: 3}
	events := []workflow.Event{
		{Seq: 1, Token: 1, At: at, Type: workflow.EventRunStarted, Started: &workflow.RunStarted{Inputs: value.Obj("z", 1.0, "a", int64(1), "sys.files", []any{file}), Reason: "initial"}},
		{Seq: 2, Token: 1, At: at, Type: workflow.EventNodeFinished, Frame: []workflow.Frame{{NodeID: "it", Index: 2}}, Node: &workflow.NodeEvent{
			ExecutionID: "x", NodeID: "n", StartedAt: at, Outputs: value.Obj("f", file, "n", nil, "l", []any{42.0, "é<"}), Handle: "h",
			Updates: []workflow.Update{{Selector: workflow.Selector{"conversation", "v"}, Value: []any{1.0, file}}},
			Usage:   &workflow.Usage{TotalTokens: 3, TotalPrice: "0.1", Object: value.Obj("total_tokens", int64(3))},
			Streams: map[string]string{"text": "rest"},
		}},
		{Seq: 3, Token: 1, At: at, Type: workflow.EventText, Text: &workflow.TextPiece{Selector: workflow.Selector{"n", "text"}, Text: "\n"}},
		{Seq: 4, Token: 1, At: at, Type: workflow.EventRunFinished, Finished: &workflow.RunFinished{Status: workflow.StatusSucceeded, StartedAt: at, Outputs: value.Obj("a", file, "b", []any{file, "x"})}},
	}
	data, err := workflow.EncodeEvents(events)
	require.NoError(t, err)
	require.Contains(t, string(data), `{"z":1.0,"a":1,`)
	got, err := workflow.DecodeEvents(data)
	require.NoError(t, err)
	require.Equal(t, events, got)
	require.Equal(t, []*value.File{file, file}, got[3].Finished.Files())
	require.True(t, got[3].Terminal())
	_, err = workflow.DecodeEvents([]byte(`{`))
	require.Error(t, err)
}
