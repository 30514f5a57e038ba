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

func TestChatEvents(t *testing.T) {
	t.Parallel()
	node := &workflow.NodeEvent{ExecutionID: "e", NodeID: "llm", NodeType: "llm", Title: "llm", Index: 2, StartedAt: at, Status: "succeeded", Outputs: value.Obj("text", "hi")}
	require.Equal(t, []string{`{"event":"message","conversation_id":"c","message_id":"m","created_at":1700000000,"task_id":"t","id":"m","answer":"hi","from_variable_selector":["llm","text"]}`},
		texts(view(true).Render(&workflow.Event{Type: workflow.EventText, Text: &workflow.TextPiece{Selector: workflow.Selector{"llm", "text"}, Text: "hi"}})))
	require.Equal(t, []string{`{"event":"node_started","conversation_id":"c","message_id":"m","created_at":1700000000,"task_id":"t","workflow_run_id":"r","data":{"id":"e","node_id":"llm","node_type":"llm","title":"llm","index":1,"predecessor_node_id":null,"inputs":null,"inputs_truncated":false,"created_at":1700000000,"extras":{},"iteration_id":null,"loop_id":null,"agent_strategy":null}}`},
		texts(view(true).Render(&workflow.Event{Type: workflow.EventNodeStarted, At: at, Node: node})))
	simple := view(true)
	simple.Simple = true
	require.Equal(t, []string{`{"event":"node_finished","conversation_id":"c","message_id":"m","created_at":1700000000,"task_id":"t","workflow_run_id":"r","data":{"id":"e","node_id":"llm","node_type":"llm","title":"llm","index":1,"predecessor_node_id":null,"inputs":null,"process_data":null,"outputs":null,"status":"succeeded","error":null,"elapsed_time":0.0,"execution_metadata":null,"created_at":1700000000,"finished_at":1700000000,"files":[],"iteration_id":null,"loop_id":null}}`},
		texts(simple.Render(&workflow.Event{Type: workflow.EventNodeFinished, At: at, Node: node})))
	require.Equal(t, []string{`{"event":"reasoning_chunk","conversation_id":"c","message_id":"m","created_at":1700000000,"task_id":"t","data":{"message_id":"m","reasoning":"hm","node_id":"llm","is_final":false}}`},
		texts(view(true).Render(&workflow.Event{Type: workflow.EventReasoning, Reasoning: &workflow.Reasoning{NodeID: "llm", Text: "hm"}})))
}

func TestRetry(t *testing.T) {
	t.Parallel()
	got := texts(view(false).Render(&workflow.Event{Type: workflow.EventNodeRetry, At: at, Node: &workflow.NodeEvent{
		ExecutionID: "e", NodeID: "h", NodeType: "http-request", Title: "h", StartedAt: at, Status: "retry", Attempt: 0, Error: "no", Metadata: value.Obj("a", int64(1)),
	}}))
	require.Equal(t, []string{`{"event":"node_retry","workflow_run_id":"r","task_id":"t","data":{"id":"e","node_id":"h","node_type":"http-request","title":"h","index":1,"predecessor_node_id":null,"inputs":{},"inputs_truncated":false,"process_data":{},"process_data_truncated":false,"outputs":{},"outputs_truncated":false,"status":"retry","error":"no","elapsed_time":0.0,"execution_metadata":{"a":1},"created_at":1700000000,"finished_at":1700000000,"files":[],"iteration_id":null,"loop_id":null,"retry_index":1}}`}, got)
}

func TestBlockingBodies(t *testing.T) {
	t.Parallel()
	end := &workflow.Event{Type: workflow.EventRunFinished, At: at.Add(time.Second), Finished: &workflow.RunFinished{
		Status: workflow.StatusFailed, Error: "no", StartedAt: at, Elapsed: 1.5, Tokens: 3, Steps: 2, Answer: "a",
	}}
	raw, err := value.Encode(view(false).BlockingWorkflow(end))
	require.NoError(t, err)
	require.Equal(t, `{"task_id":"t","workflow_run_id":"r","data":{"id":"r","workflow_id":"w","status":"failed","outputs":{},"error":"no","elapsed_time":1.5,"total_tokens":3,"total_steps":2,"created_at":1700000000,"finished_at":1700000001}}`, string(raw))
	chat := view(true).BlockingChat(end, "advanced-chat")
	require.Equal(t, []string{"event", "task_id", "id", "message_id", "conversation_id", "mode", "answer", "metadata", "created_at"}, chat.Keys())
}

func TestStillborn(t *testing.T) {
	t.Parallel()
	v := view(false)
	v.TaskID = v.RunID
	require.Equal(t, []string{
		`{"event":"workflow_started","task_id":"r","workflow_run_id":"r","data":{"id":"r","workflow_id":"w","inputs":{},"created_at":1700000000,"reason":"initial"}}`,
		`{"event":"workflow_finished","task_id":"r","workflow_run_id":"r","data":{"id":"r","workflow_id":"w","status":"failed","outputs":null,"error":"a is required","elapsed_time":0.0,"total_tokens":0,"total_steps":0,"created_by":{},"created_at":1700000000,"finished_at":1700000000,"exceptions_count":1,"files":[]}}`,
	}, texts(v.Stillborn(nil, "a is required", at)))
}
