package service_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/api/service"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
)

const askID, talkID = "44444444-4444-4444-8444-444444444444", "55555555-5555-4555-8555-555555555555"

// asking is a workflow that asks a person and shows the answer.
func asking(id, last string) *service.Workflow {
	return &service.Workflow{ID: id, Features: json.RawMessage(`{}`), Graph: json.RawMessage(fakenode.Graph([]string{
		`{"id":"start","type":"start"}`,
		`{"id":"ask","type":"human-input","title":"Ask","form_content":"Say {{#$output.note#}}","inputs":[{"type":"paragraph","output_variable_name":"note"},
			{"type":"file-list","output_variable_name":"docs"}],"user_actions":[{"id":"ok","title":"OK"}],"delivery_methods":[{"type":"webapp","enabled":true}]}`,
		`{"id":"last","type":"` + last + `","answer":"got {{#ask.note#}}","outputs":[{"variable":"out","value_selector":["ask","__rendered_content"]}]}`,
	}, []string{"start", "ask"}, []string{"ask", "ok", "last"}))}
}

func (w *world) pausedForm(list []frame) (runID, token string) {
	w.t.Helper()
	require.Equal(w.t, []string{"workflow_started", "node_started", "node_finished", "node_started", "human_input_required", "workflow_paused"}, events(w.t, list))
	form := list[4].object(w.t)
	data := form["data"].(map[string]any)
	require.Equal(w.t, true, data["display_in_ui"])
	reason := list[5].object(w.t)["data"].(map[string]any)["reasons"].([]any)[0].(map[string]any)
	require.NotContains(w.t, reason, "display_in_ui")
	require.Equal(w.t, "human_input_required", reason["TYPE"])
	return form["workflow_run_id"].(string), data["form_token"].(string)
}

func TestFormsOverTheServiceAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.open("app-ask", "POST", "/v1/workflows/run", `{"inputs":{},"response_mode":"streaming","user":"ann"}`).rest()
	runID, token := w.pausedForm(list)
	path := "/v1/form/human_input/" + token
	for _, key := range []string{"app-flow", "app-talk"} {
		w.refused(w.do(key, "GET", path, ""), 404, "not_found", "Form not found")
		w.refused(w.do(key, "POST", path, `{"inputs":{},"action":"ok","user":"ann"}`), 404, "not_found", "Form not found")
	}
	forms, err := w.forms.OfRun(t.Context(), tenantID, runID)
	require.NoError(t, err)
	w.refused(w.do("app-ask", "GET", "/v1/form/human_input/"+forms[0].Token(humaninput.RecipientBackstage), ""), 404, "not_found", "Form not found")
	require.Equal(t, "Say {{#$output.note#}}", w.do("app-ask", "GET", path, "").object(t)["form_content"])
	for _, body := range []string{`{"inputs":[],"action":"ok","user":"ann"}`, `{"inputs":{},"action":1,"user":"ann"}`, `{"user":"ann"}`} {
		w.refused(w.do("app-ask", "POST", path, body), 400, "invalid_param", "")
	}
	bobs := w.upload("bob", map[string]string{"file": "a.txt"}).object(t)["id"].(string)
	anns := w.upload("ann", map[string]string{"file": "a.txt"}).object(t)["id"].(string)
	answer := func(id string) string {
		return `{"inputs":{"note":"hi","docs":[{"type":"document","transfer_method":"local_file","upload_file_id":"` + id + `"}]},"action":"ok","user":"ann"}`
	}
	w.refused(w.do("app-ask", "POST", path, answer(bobs)), 400, "invalid_form_data", "Invalid value for file-list input 'docs': Invalid upload file")
	require.Equal(t, 200, w.do("app-ask", "POST", path, answer(anns)).status)
	w.refused(w.do("app-ask", "POST", path, answer(anns)), 412, "human_input_form_submitted", "")

	joined := w.open("app-ask", "GET", "/v1/workflow/"+runID+"/events?user=ann&include_state_snapshot=true&continue_on_pause=true", "")
	require.Equal(t, []string{"workflow_started", "node_started", "node_finished", "node_started", "node_finished", "human_input_required", "workflow_paused"},
		events(t, joined.until("workflow_paused")))
	require.NoError(t, w.runs.Continue(t.Context(), tenantID, runID))
	tail := joined.rest()
	names := events(t, tail)
	require.Equal(t, "workflow_started", names[0])
	require.Equal(t, "resumption", tail[0].object(t)["data"].(map[string]any)["reason"])
	require.Equal(t, "workflow_finished", names[len(names)-1])
	for _, f := range tail {
		o := f.object(t)
		if data, ok := o["data"].(map[string]any); ok && o["event"] == "node_finished" && data["node_id"] == "ask" {
			shown := data["inputs"].(map[string]any)
			require.Equal(t, map[string]any{"value": "hi", "value_type": "string"}, shown["note"])
			require.Equal(t, "array[file]", shown["docs"].(map[string]any)["value_type"])
		}
	}
	require.Equal(t, map[string]any{"out": "Say hi"}, tail[len(tail)-1].object(t)["data"].(map[string]any)["outputs"])
}

// TestEveryEventOnceOverPauses joins again at each place of a stream that went
// over a pause.
func TestEveryEventOnceOverPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	runID, token := w.pausedForm(w.open("app-ask", "POST", "/v1/workflows/run", `{"inputs":{},"response_mode":"streaming","user":"ann"}`).rest())
	path := "/v1/workflow/" + runID + "/events?user=ann"
	require.Empty(t, events(t, w.open("app-ask", "GET", path, "").rest()), "nothing comes before somebody answers")
	require.Equal(t, 200, w.do("app-ask", "POST", "/v1/form/human_input/"+token, `{"inputs":{"note":"hi","docs":[]},"action":"ok","user":"ann"}`).status)
	require.NoError(t, w.runs.Continue(t.Context(), tenantID, runID))
	all := w.open("app-ask", "GET", path+"&continue_on_pause=true&last_event_id=0", "").rest()
	for i, f := range all {
		if f.id == "" {
			continue // of several frames of one event the last has the id
		}
		require.ElementsMatch(t, all[i+1:], w.open("app-ask", "GET", path+"&continue_on_pause=true", "", "Last-Event-ID", f.id).rest())
	}
}

func TestPausedRunsInBlockingMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.do("app-ask", "POST", "/v1/workflows/run", `{"inputs":{},"response_mode":"blocking","user":"ann"}`).object(t)
	data := o["data"].(map[string]any)
	require.Equal(t, "paused", data["status"])
	require.Nil(t, data["finished_at"])
	require.Equal(t, []any{"ask"}, data["paused_nodes"])
	require.Len(t, data["reasons"], 1)

	o = w.do("app-talk", "POST", "/v1/chat-messages", `{"inputs":{},"query":"q","response_mode":"blocking","user":"ann"}`).object(t)
	require.Equal(t, "workflow_paused", o["event"])
	require.Equal(t, o["id"], o["message_id"])
	require.Equal(t, "paused", o["data"].(map[string]any)["status"])
	require.NotEmpty(t, o["conversation_id"])
}

func TestChatsThatAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.open("app-talk", "POST", "/v1/chat-messages", `{"inputs":{},"query":"q","response_mode":"streaming","user":"ann"}`).rest()
	runID, token := w.pausedForm(list)
	message := list[0].object(t)["message_id"]
	require.Equal(t, message, list[5].object(t)["message_id"])
	require.Equal(t, 200, w.do("app-talk", "POST", "/v1/form/human_input/"+token, `{"inputs":{"note":"hi","docs":[]},"action":"ok","user":"ann"}`).status)
	joined := w.open("app-talk", "GET", "/v1/workflow/"+runID+"/events?user=ann&include_state_snapshot=true&continue_on_pause=true", "")
	for _, f := range joined.until("workflow_paused") {
		if f.data != "" {
			require.Equal(t, message, f.object(t)["message_id"], f.data)
		}
	}
	require.NoError(t, w.runs.Continue(t.Context(), tenantID, runID))
	tail := joined.rest()
	require.Contains(t, strings.Join(events(t, tail), " "), "message message")
	require.Equal(t, "message_end", tail[len(tail)-2].object(t)["event"])
}
