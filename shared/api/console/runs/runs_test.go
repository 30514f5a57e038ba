package runs_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/api/console/consoletest"
	"github.com/millrace/millrace/shared/api/console/runs"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/run/history/memhistory"
	"github.com/millrace/millrace/shared/run/replay/memreplay"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	appID   = "22222222-2222-4222-8222-222222222222"
	version = "33333333-3333-4333-8333-333333333333"
	draft   = "77777777-7777-4777-8777-777777777777"
)

func graph(word string) string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start","variables":[{"variable":"q","type":"text-input","label":"q","required":true,"max_length":9}]}`,
		`{"id":"h","type":"http-request"}`, `{"id":"t","type":"text","template":"` + word + `{{#h.text#}} {{#start.q#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["t","output"]}]}`,
	}, []string{"start", "h"}, []string{"h", "t"}, []string{"t", "end"})
}

// apps is a workspace with one app.
type apps struct{ tenant string }

func (a apps) App(_ context.Context, tenantID, id string) (app.App, error) {
	if tenantID != a.tenant || id != appID {
		return app.App{}, errs.New(errs.AppNotFound, "App not found")
	}
	return app.App{ID: id, TenantID: tenantID, Mode: app.ModeWorkflow}, nil
}

func (a apps) Draft(context.Context, string, string) (app.Workflow, error) {
	return app.Workflow{ID: draft, Graph: graph("draft ")}, nil
}

func (a apps) Version(_ context.Context, _, _, id string) (app.Workflow, error) {
	if id != version {
		return app.Workflow{}, errs.New(errs.NotFound, "")
	}
	return app.Workflow{ID: id, Graph: graph("")}, nil
}

func (a apps) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	d := &run.Definition{ID: id, TenantID: tenantID, AppID: appID, Type: "workflow", Graph: graph("")}
	if id == draft {
		d.Graph, d.Mutable = graph("draft "), true
	}
	return d, nil
}

// For implements runs.Files; there are none.
func (a apps) For(file.Caller) *file.Resolver { return nil }

// Send implements run.Sender.
func (a apps) Send(context.Context, string, run.Message) error { return nil }

type world struct {
	c      *consoletest.Client
	runs   *run.Service
	past   *memhistory.Store
	tenant string
	calls  int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	b := consoletest.NewBench(t, nil, nil)
	who := b.SetUp(t)
	w := &world{tenant: who.Tenant.ID, past: memhistory.New()}
	a, clk, links := apps{w.tenant}, clock.System{}, memreplay.New()
	w.runs = run.New(run.Deps{
		Store: runstore.New(memrunstore.New(clk), 0), Stream: eventstream.New(memstream.New(clk)), Graphs: a, Clock: clk, Sender: a, Replays: links,
		Types: fakenode.Types(func(context.Context, *workflow.Execution) (*workflow.Result, error) {
			w.calls++
			return &workflow.Result{Outputs: value.Obj("text", "called")}, nil
		}),
	}, run.Options{})
	router := edge.NewRouter(runs.Routes(runs.Deps{
		Apps: a, Auth: b.Auth, Runs: w.runs, Replays: links, History: history.NewService(w.past), Files: a, Clock: clk,
	}), nil)
	w.c = b.LogIn(t, router, who.Account.Email)
	return w
}

func (w *world) origin(t *testing.T, q string) string {
	t.Helper()
	res, err := w.runs.Start(t.Context(), run.StartRequest{
		TenantID: w.tenant, AppID: appID, WorkflowID: version, Mode: run.ModeWorkflow, InvokeFrom: "service-api",
		User: run.User{ID: ids.New(), Role: "end_user"}, Inputs: value.Obj("q", q),
	}, nil)
	require.NoError(t, err)
	at := time.Now()
	w.past.AddRun(w.tenant, history.Run{ID: res.RunID, AppID: appID, TriggeredFrom: "app-run", Status: "succeeded", CreatedAt: at, FinishedAt: &at}, nil)
	return res.RunID
}

func (w *world) call(t *testing.T, method, path string, body any) (int, map[string]any) {
	t.Helper()
	r := w.c.Do(t, method, "/console/api"+path, body)
	var out map[string]any
	_ = json.Unmarshal(r.Body.Bytes(), &out)
	return r.Code, out
}

func TestReplayRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.origin(t, "one")
	path := "/apps/" + appID + "/workflow-runs/" + id + "/replay"

	status, out := w.call(t, "POST", path, map[string]any{"from_node": "t", "version": "draft", "inputs": map[string]any{"q": "two"}, "response_mode": "blocking"})
	require.Equal(t, 200, status, out)
	require.Equal(t, 1, w.calls, "what lies before was taken over")
	c := out["comparison"].(map[string]any)
	require.Equal(t, []any{map[string]any{"path": "out", "kind": "changed", "before": "called one", "after": "draft called two"}}, c["differences"])
	made := out["workflow_run_id"].(string)

	status, out = w.call(t, "GET", "/runs/"+made, nil)
	require.Equal(t, 200, status)
	require.Equal(t, id, out["origin"].(map[string]any)["run_id"])
	_, out = w.call(t, "GET", "/runs/"+id, nil)
	require.Nil(t, out["origin"])
	require.Len(t, out["replays"], 1)

	r := w.c.Do(t, "POST", "/console/api"+path, map[string]any{})
	require.Contains(t, r.Body.String(), `"event":"workflow_finished"`)
	require.Equal(t, 2, w.calls)
	status, out = w.call(t, "POST", path, map[string]any{"response_mode": "none"})
	require.Equal(t, 202, status, out)

	for name, c := range map[string]struct {
		path   string
		body   map[string]any
		status int
	}{
		"no node":     {path, map[string]any{"from_node": "x"}, 400},
		"bad inputs":  {path, map[string]any{"inputs": map[string]any{"q": "far too long for it"}}, 400},
		"no object":   {path, map[string]any{"inputs": 1}, 400},
		"bad mode":    {path, map[string]any{"response_mode": "x"}, 400},
		"bad version": {path, map[string]any{"version": "x"}, 400},
		"no version":  {path, map[string]any{"version": ids.New()}, 404},
		"no run":      {"/apps/" + appID + "/workflow-runs/" + ids.New() + "/replay", nil, 404},
		"no app":      {"/apps/" + ids.New() + "/workflow-runs/" + id + "/replay", nil, 404},
		"is not over": {"/apps/" + appID + "/workflow-runs/" + out["workflow_run_id"].(string) + "/replay", nil, 409},
	} {
		status, out := w.call(t, "POST", c.path, c.body)
		require.Equal(t, c.status, status, "%s: %v", name, out)
	}
	status, _ = w.call(t, "GET", "/runs/"+ids.New(), nil)
	require.Equal(t, 404, status)
}

func TestBatchAndTimelineRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := "/apps/" + appID
	status, out := w.call(t, "POST", base+"/workflow-runs/replay-batch", map[string]any{"last": 3})
	require.Equal(t, 400, status, "there are no runs: %v", out)
	for _, q := range []string{"a", "b"} {
		w.origin(t, q)
	}
	status, out = w.call(t, "POST", base+"/workflow-runs/replay-batch", map[string]any{"last": 3, "from_node": "t"})
	require.Equal(t, 202, status, out)
	require.EqualValues(t, 2, out["runs"])
	id := out["id"].(string)
	_, out = w.call(t, "GET", base+"/replay-batches/"+id, nil)
	require.EqualValues(t, 2, out["open"])
	for _, c := range out["runs"].([]any) {
		require.NoError(t, w.runs.Continue(t.Context(), w.tenant, c.(map[string]any)["after"].(map[string]any)["run_id"].(string)))
	}
	_, out = w.call(t, "GET", base+"/replay-batches/"+id, nil)
	require.Equal(t, true, out["done"])
	require.EqualValues(t, 2, out["different"])
	require.Equal(t, 2, w.calls)
	_, out = w.call(t, "GET", base+"/replay-batches", nil)
	require.Len(t, out["data"], 1)
	status, _ = w.call(t, "GET", base+"/replay-batches/"+ids.New(), nil)
	require.Equal(t, 404, status)
	for _, last := range []int{0, 101} {
		status, _ = w.call(t, "POST", base+"/workflow-runs/replay-batch", map[string]any{"last": last})
		require.Equal(t, 400, status)
	}

	run := w.origin(t, "c")
	status, out = w.call(t, "GET", "/runs/"+run+"/events?format=json&types=node_finished", nil)
	require.Equal(t, 200, status)
	require.Len(t, out["data"], 4)
	r := w.c.Do(t, "GET", "/console/api/runs/"+run+"/events", nil)
	require.Contains(t, r.Body.String(), "event: run_finished\nid: ")
	status, _ = w.call(t, "GET", "/runs/"+ids.New()+"/events", nil)
	require.Equal(t, 404, status)
}
