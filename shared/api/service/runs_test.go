package service_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/run"
)

const blocking, streaming = `{"inputs":{"q":"hi"},"response_mode":"blocking","user":"ann"}`, `{"inputs":{"q":"hi"},"response_mode":"streaming","user":"ann"}`

func TestModelsNeedAKnowledgeKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/v1/workspaces/current/models/model-types/"
	w.refused(w.do("app-flow", "GET", path+"llm", ""), 401, "unauthorized", "Access token is invalid")
	w.refused(w.do("dataset-key", "GET", path+"nonsense", ""), 400, "invalid_param", "'nonsense' is not a valid ModelType")
	require.Equal(t, 200, w.do("dataset-key", "GET", path+"llm", "").status)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const missing = "Authorization header must be provided and start with 'Bearer'"
	for _, c := range []struct{ header, path, message string }{
		{"", "/v1/parameters", missing},
		{"Bearer", "/v1/parameters", missing},
		{"app-flow", "/v1/parameters", missing},
		{"Basic abc", "/v1/parameters", "Authorization scheme must be 'Bearer'"},
		{"Bearer app-unknown", "/v1/parameters", "Access token is invalid"},
		{"Bearer dataset-x", "/v1/parameters", "Access token is invalid"},
		{"Bearer app-flow", "/v1/datasets", "Access token is invalid"},
		{"", "/v1/datasets", missing},
	} {
		r := w.do("", "GET", c.path, "", "Authorization", c.header)
		w.refused(r, 401, "unauthorized", c.message)
		require.Equal(t, `Bearer realm="api"`, r.header.Get("WWW-Authenticate"))
	}
	w.refused(w.do("", "POST", "/v1/workflows/run", `{}`), 401, "unauthorized", missing)
	w.refused(w.do("dataset-x", "GET", "/v1/datasets", ""), 501, "not_implemented", "")
}

func TestMalformedRunRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/v1/workflows/run"
	for name, c := range map[string]struct {
		body    string
		status  int
		code    string
		message string
	}{
		"no user":       {`{"inputs":{"q":"x"}}`, 400, "invalid_param", "Arg user must be provided"},
		"no inputs":     {`{"user":"u"}`, 400, "invalid_param", ""},
		"bad mode":      {`{"inputs":{},"user":"u","response_mode":"sideways"}`, 400, "invalid_param", ""},
		"inputs a text": {`{"inputs":"x","user":"u"}`, 400, "invalid_param", ""},
		"files a text":  {`{"inputs":{},"user":"u","files":"x"}`, 400, "invalid_param", ""},
		"files texts":   {`{"inputs":{},"user":"u","files":["x"]}`, 400, "invalid_param", ""},
		"broken":        {`{"inputs": `, 400, "bad_request", ""},
		"list":          {`[1,2]`, 400, "invalid_param", ""},
		"too long":      {`{"inputs":{"q":"longer"},"user":"u"}`, 400, "invalid_param", "q in input form must be less than 5 characters"},
		"missing input": {`{"inputs":{},"user":"u"}`, 400, "invalid_param", "q is required in input form"},
	} {
		r := w.do("app-flow", "POST", path, c.body)
		t.Log(name)
		w.refused(r, c.status, c.code, c.message)
	}
	w.refused(w.do("app-flow", "POST", path, "x", "Content-Type", "text/plain"), 415, "unsupported_media_type", "")
	w.refused(w.do("app-bare", "POST", path, blocking), 400, "invalid_param", "Workflow not published")
	w.refused(w.do("app-bare", "POST", path, streaming), 400, "invalid_param", "Workflow not published")
	w.refused(w.do("app-chat", "POST", path, blocking), 400, "not_workflow_app", "")
	w.refused(w.do("app-flow", "POST", "/v1/workflows/junk/run", blocking), 400, "bad_request", "Invalid workflow_id format: 'junk'. ")
	w.refused(w.do("app-flow", "POST", "/v1/workflows/"+tenantID+"/run", blocking), 404, "not_found", "Workflow not found with id: "+tenantID)
}

func TestDraftsDoNotRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apps.flows[flowID].Draft = true
	w.refused(w.do("app-flow", "POST", "/v1/workflows/"+flowID+"/run", blocking), 400, "bad_request", "")
}

// answer lets the effect node of the next run go on.
func (w *world) answer(text string) {
	select {
	case w.release <- text:
	case <-w.over:
	}
}

func TestBlockingRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	go w.answer("two")
	r := w.do("app-flow", "POST", "/v1/workflows/run", blocking)
	require.Equal(t, 200, r.status, r.body)
	o := r.object(t)
	data := o["data"].(map[string]any)
	require.Equal(t, map[string]any{"out": "one two"}, data["outputs"])
	require.Equal(t, "succeeded", data["status"])
	require.Nil(t, data["error"])
	require.Equal(t, flowID, data["workflow_id"])
	require.Equal(t, o["workflow_run_id"], data["id"])
	require.Equal(t, run.TaskID(o["workflow_run_id"].(string)), o["task_id"])

	go w.answer("FAIL")
	r = w.do("app-flow", "POST", "/v1/workflows/"+flowID+"/run", blocking)
	require.Equal(t, 200, r.status, r.body)
	data = r.object(t)["data"].(map[string]any)
	require.Equal(t, "failed", data["status"])
	require.Equal(t, "it failed", data["error"])
}

func TestStreamedRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open("app-flow", "POST", "/v1/workflows/run", streaming)
	first, ok := s.next()
	require.True(t, ok)
	require.Equal(t, frame{event: "ping"}, first)
	// The first word is there though the node has not finished: nothing buffers.
	head := s.until("text_chunk")
	require.Equal(t, []string{"workflow_started", "node_started", "node_finished", "node_started", "text_chunk"}, events(t, head))
	require.Equal(t, "one ", head[4].object(t)["data"].(map[string]any)["text"])
	go w.answer("two")
	tail := s.rest()
	require.Equal(t, []string{"text_chunk", "node_finished", "node_started", "node_finished", "workflow_finished"}, events(t, tail))
	seen := map[string]bool{}
	for _, f := range append(head, tail...) {
		require.NotEmpty(t, f.id)
		require.False(t, seen[f.id], "id %s is twice in the stream", f.id)
		seen[f.id] = true
	}
	started := head[0].object(t)["data"].(map[string]any)
	require.Equal(t, "ann", started["inputs"].(map[string]any)["sys.user_id"])
	finished := tail[4].object(t)
	require.Equal(t, map[string]any{"id": w.apps.users["ann"].ID, "user": "ann"}, finished["data"].(map[string]any)["created_by"])
}

func TestFailureBeforeTheRunIsStreamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.open("app-flow", "POST", "/v1/workflows/run", `{"inputs":{"x":1},"response_mode":"streaming","user":"u"}`).rest()
	require.Equal(t, []string{"workflow_started", "workflow_finished"}, events(t, list))
	started, finished := list[0].object(t), list[1].object(t)
	require.Equal(t, started["task_id"], started["workflow_run_id"])
	require.Equal(t, map[string]any{"x": 1.0}, started["data"].(map[string]any)["inputs"])
	data := finished["data"].(map[string]any)
	require.Equal(t, "q is required in input form", data["error"])
	require.Equal(t, "failed", data["status"])
	require.Nil(t, data["outputs"])
}

func TestClientThatLeavesDoesNotEndTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open("app-flow", "POST", "/v1/workflows/run", streaming)
	head := s.until("text_chunk")
	runID, last := head[0].object(t)["workflow_run_id"].(string), head[len(head)-1].id
	s.cancel()

	joined := w.open("app-flow", "GET", "/v1/workflow/"+runID+"/events?user=ann", "", "Last-Event-ID", last)
	go w.answer("two")
	tail := joined.rest()
	require.Equal(t, []string{"text_chunk", "node_finished", "node_started", "node_finished", "workflow_finished"}, events(t, tail))
	require.Equal(t, "two", tail[0].object(t)["data"].(map[string]any)["text"], "what was shown is not shown again")
	require.Equal(t, run.TaskID(runID), tail[4].object(t)["task_id"])
}

func TestEventsOfAFinishedRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	go w.answer("two")
	o := w.do("app-flow", "POST", "/v1/workflows/run", blocking).object(t)
	runID, taskID := o["workflow_run_id"].(string), o["task_id"].(string)
	path := "/v1/workflow/" + runID + "/events?user=ann"

	list := w.open("app-flow", "GET", path+"&include_state_snapshot=true&continue_on_pause=true", "").rest()
	require.Equal(t, []string{"workflow_finished"}, events(t, list))
	require.Equal(t, runID, list[0].object(t)["task_id"], "as the contract shows runs that are over")

	all := w.open("app-flow", "GET", "/v1/workflow/"+taskID+"/events?user=ann&last_event_id=0", "").rest()
	require.Equal(t, "workflow_started", events(t, all)[0])
	again := w.open("app-flow", "GET", path, "", "Last-Event-ID", all[2].id).rest()
	require.Equal(t, all[3:], again, "each event once, in order, under the same id")

	w.refused(w.do("app-flow", "GET", path+"&last_event_id=999", ""), 400, "invalid_param", "")
	w.refused(w.do("app-flow", "GET", path+"&last_event_id=junk", ""), 400, "invalid_param", "")
	w.refused(w.do("app-flow", "GET", "/v1/workflow/"+runID+"/events", ""), 400, "invalid_param", "Arg user must be provided")
	for _, key := range []string{"app-flow", "app-other"} {
		w.refused(w.do(key, "GET", strings.Replace(path, "ann", "bob", 1), ""), 404, "not_found", "Workflow run not found")
	}
	w.refused(w.do("app-other", "GET", path, ""), 404, "not_found", "Workflow run not found")
	w.refused(w.do("app-flow", "GET", "/v1/workflow/junk/events?user=ann", ""), 404, "not_found", "Workflow run not found")
	w.refused(w.do("app-basic", "GET", path, ""), 400, "not_workflow_app", "")
}

func TestSnapshotOfARunningRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	head := w.open("app-flow", "POST", "/v1/workflows/run", streaming).until("text_chunk")
	runID := head[0].object(t)["workflow_run_id"].(string)
	s := w.open("app-flow", "GET", "/v1/workflow/"+runID+"/events?user=ann&include_state_snapshot=true", "")
	require.Equal(t, []string{"workflow_started", "node_started", "node_finished"}, events(t, s.until("node_finished")))
	go w.answer("two")
	tail := events(t, s.rest())
	require.Equal(t, "workflow_finished", tail[len(tail)-1])
}

func TestStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open("app-flow", "POST", "/v1/workflows/run", streaming)
	head := s.until("text_chunk")
	task := head[0].object(t)["task_id"].(string)
	stop := "/v1/workflows/tasks/" + task + "/stop"
	w.refused(w.do("app-flow", "POST", stop, `{}`), 400, "invalid_param", "Arg user must be provided")
	w.refused(w.do("app-chat", "POST", stop, `{"user":"ann"}`), 400, "not_workflow_app", "")
	require.Equal(t, `{"result": "success"}`+"\n", w.do("app-other", "POST", stop, `{"user":"ann"}`).body)
	for _, id := range []string{"not-a-uuid", tenantID} {
		r := w.do("app-flow", "POST", "/v1/workflows/tasks/"+id+"/stop", `{"user":"ann"}`)
		require.Equal(t, 200, r.status, r.body)
	}
	view, err := w.runs.Get(t.Context(), tenantID, head[0].object(t)["workflow_run_id"].(string))
	require.NoError(t, err)
	require.False(t, view.Finished, "another app's key must not stop it")

	require.Equal(t, 200, w.do("app-flow", "POST", stop, `{"user":"bob"}`).status)
	tail := s.rest()
	data := tail[len(tail)-1].object(t)["data"].(map[string]any)
	require.Equal(t, "stopped", data["status"])
	require.Equal(t, "Aborted: User requested stop", data["error"])
}

func TestPings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open("app-flow", "POST", "/v1/workflows/run", streaming)
	s.until("text_chunk")
	w.clock.BlockUntil(1)
	w.clock.Advance(10 * time.Second)
	f, ok := s.next()
	require.True(t, ok)
	require.Equal(t, frame{event: "ping"}, f)
	go w.answer("two")
	require.NotEmpty(t, s.rest())
}

func TestRoutesThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, http.StatusNotFound, w.do("", "GET", "/v1/", "").status)
	require.Equal(t, http.StatusNotFound, w.do("", "GET", "/v1/nothing-here", "").status)
	w.refused(w.do("", "GET", "/v1/workflows/run", ""), 405, "method_not_allowed", "The method is not allowed for the requested URL")
	w.refused(w.do("app-chat", "GET", "/v1/apps/annotation-reply/enable/status/"+tenantID, ""), 501, "not_implemented", "")
}
