package service_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	go w.answer("two")
	first := w.do("app-flow", "POST", "/v1/workflows/run", blocking).object(t)
	runID, taskID := first["workflow_run_id"].(string), first["task_id"].(string)
	for _, id := range []string{runID, taskID} {
		page := w.do("app-flow", "GET", "/v1/workflows/run/"+id+"/events?format=json&types=run_started,run_finished", "").object(t)
		require.Equal(t, runID, page["run_id"])
		list := page["data"].([]any)
		require.Len(t, list, 2)
		require.Equal(t, "run_finished", list[1].(map[string]any)["type"])
	}
	r := w.do("app-flow", "GET", "/v1/workflows/run/"+runID+"/events", "")
	require.Contains(t, r.header.Get("Content-Type"), "text/event-stream")

	// The contract's route shows its own events unless somebody asks for JSON, and
	// to the end user of the run only.
	path := "/v1/workflow/" + taskID + "/events?user="
	require.Equal(t, 1.0, w.do("app-flow", "GET", path+"ann", "", "Accept", "application/json").object(t)["data"].([]any)[0].(map[string]any)["seq"])
	require.Contains(t, w.do("app-flow", "GET", path+"ann", "").header.Get("Content-Type"), "text/event-stream")
	require.Equal(t, 404, w.do("app-flow", "GET", path+"bob&format=json", "").status)

	require.Equal(t, 404, w.do("app-other", "GET", "/v1/workflows/run/"+runID+"/events", "").status, "of another app")
	require.Equal(t, 404, w.do("app-flow", "GET", "/v1/workflows/run/x/events", "").status)
	require.Equal(t, 401, w.do("", "GET", "/v1/workflows/run/"+runID+"/events", "").status)
	require.Equal(t, 400, w.do("app-flow", "GET", "/v1/workflows/run/"+runID+"/events?types=x", "").status)
}
