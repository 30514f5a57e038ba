package sse_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/stretchr/testify/require"
)

var at = time.Unix(1700000000, 0)

func view(chat bool) *sse.View {
	return &sse.View{
		Chat: chat, TaskID: "t", RunID: "r", WorkflowID: "w", ConversationID: "c", MessageID: "m", MessageAt: at, StartedAt: at,
		CreatedBy: value.Obj("id", "u1", "user", "user-1"),
	}
}

func texts(bodies [][]byte) (out []string) {
	for _, b := range bodies {
		out = append(out, string(b))
	}
	return out
}

func TestWorkflowEvents(t *testing.T) {
	t.Parallel()
	v := view(false)
	require.Equal(t, []string{`{"event":"workflow_started","workflow_run_id":"r","task_id":"t","data":{"id":"r","workflow_id":"w","inputs":{"q":"é"},"created_at":1700000000,"reason":"initial"}}`},
		texts(v.Render(&workflow.Event{Type: workflow.EventRunStarted, At: at, Started: &workflow.RunStarted{Inputs: value.Obj("q", "é"), Reason: "initial"}})))
	require.Equal(t, []string{`{"event":"text_chunk","workflow_run_id":"r","task_id":"t","data":{"text":"hi","from_variable_selector":["llm","text"]}}`},
		texts(v.Render(&workflow.Event{Type: workflow.EventText, Text: &workflow.TextPiece{Selector: workflow.Selector{"llm", "text"}, Text: "hi"}})))
	require.Equal(t, []string{`{"event":"node_finished","workflow_run_id":"r","task_id":"t","data":{"id":"e","node_id":"start","node_type":"start","title":"Start","index":1,"predecessor_node_id":null,"inputs":{"x":null},"inputs_truncated":false,"process_data":{},"process_data_truncated":false,"outputs":{"x":null},"outputs_truncated":false,"status":"succeeded","error":null,"elapsed_time":0.5,"execution_metadata":null,"created_at":1700000000,"finished_at":1700000000,"files":[],"iteration_id":null,"loop_id":null}}`},
		texts(v.Render(&workflow.Event{Type: workflow.EventNodeFinished, At: at, Node: &workflow.NodeEvent{
			ExecutionID: "e", NodeID: "start", NodeType: "start", Title: "Start", Index: 3, StartedAt: at, Status: "succeeded",
			Inputs: value.Obj("x", nil), Outputs: value.Obj("x", nil), Elapsed: 0.5,
		}})))
}

func TestEndOfChat(t *testing.T) {
	t.Parallel()
	end := &workflow.Event{Type: workflow.EventRunFinished, At: at, Finished: &workflow.RunFinished{
		Status: workflow.StatusSucceeded, Outputs: value.Obj("answer", "a", "files", []any{}), StartedAt: at, Elapsed: 1, Steps: 2, Answer: "a",
	}}
	out := texts(view(true).Render(end))
	require.Len(t, out, 2)
	require.Contains(t, out[0], `"event":"message_end"`)
	require.Contains(t, out[0], `"total_price":"0.0"`)
	require.Contains(t, out[1], `"event":"workflow_finished","conversation_id":"c","message_id":"m"`)

	end.Finished.Status, end.Finished.Error = workflow.StatusFailed, "no"
	out = texts(view(true).Render(end))
	require.Len(t, out, 1)
	require.Contains(t, out[0], `"error":"no"`)

	simple := view(true)
	simple.Simple = true
	end.Finished.Status = workflow.StatusSucceeded
	require.NotContains(t, texts(simple.Render(end))[0], "usage")
}

func TestReplacedText(t *testing.T) {
	t.Parallel()
	ev := &workflow.Event{Type: workflow.EventTextReplaced, Text: &workflow.TextPiece{Text: "so far"}}
	require.Equal(t, []string{`{"event":"text_replace","workflow_run_id":"r","task_id":"t","data":{"text":"so far"}}`}, texts(view(false).Render(ev)))
	require.Equal(t, []string{`{"event":"message_replace","conversation_id":"c","message_id":"m","created_at":1700000000,"task_id":"t","answer":"so far","reason":"restarted"}`}, texts(view(true).Render(ev)))
}

func TestStreamFraming(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	s := sse.NewStream(w, clock.System{})
	require.NoError(t, s.Ping())
	require.NoError(t, s.Send("3", []byte(`{"a":1}`)))
	require.NoError(t, s.Send("", []byte(`{}`)))
	require.Equal(t, "event: ping\n\nid: 3\ndata: {\"a\":1}\n\ndata: {}\n\n", w.Body.String())
	require.True(t, w.Flushed)
}
