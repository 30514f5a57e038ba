package workflowtool_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	tools "github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/workflowtool"
	"github.com/millrace/millrace/shared/tool/workflowtool/memworkflowtool"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/node/tool"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	tenant   = "11111111-1111-4111-8111-111111111111"
	account  = "44444444-4444-4444-8444-444444444444"
	calledID = "22222222-2222-4222-8222-222222222222" // app that is published as a tool
	callerID = "33333333-3333-4333-8333-333333333333" // app that calls it
	v1       = "77777777-7777-4777-8777-000000000001"
	v2       = "77777777-7777-4777-8777-000000000002"
	callerV  = "77777777-7777-4777-8777-000000000003"
)

// world has apps, a store of tools and processes that run workflows.
type world struct {
	t      *testing.T
	apps   map[string]app.App
	flows  map[string]app.Workflow
	store  *memworkflowtool.Store
	runs   *memrunstore.Driver
	stream *memstream.Driver
	tools  *workflowtool.Service

	mu      sync.Mutex
	effects []string
	effect  fakenode.Func
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, apps: map[string]app.App{}, flows: map[string]app.Workflow{}, store: &memworkflowtool.Store{},
		runs: memrunstore.New(clock.System{}), stream: memstream.New(clock.System{}),
	}
	w.effect = func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		q, _ := x.Pool.Get(workflow.Selector{"start", "q"})
		return &workflow.Result{
			Outputs: value.Obj("text", "said "+value.Str(q)),
			Usage:   &workflow.Usage{PromptTokens: 3, CompletionTokens: 4, TotalTokens: 7, TotalPrice: "0.5", Currency: "EUR"},
		}, nil
	}
	w.tools = workflowtool.New(workflowtool.Deps{Store: w.store, Apps: w, Clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))})
	w.add(calledID, v1, calledGraph(`{"variable":"q","label":"Question","type":"text-input","required":true}`))
	return w
}

func calledGraph(variables string) string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start","variables":[` + variables + `]}`, `{"id":"h","type":"http-request"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"said","value_selector":["h","text"],"value_type":"string"},{"variable":"text","value_selector":["h","text"]}]}`,
	}, []string{"start", "h"}, []string{"h", "end"})
}

// add publishes a version of an app.
func (w *world) add(appID, id, graph string) {
	w.flows[id] = app.Workflow{ID: id, TenantID: tenant, AppID: appID, Type: "workflow", Version: "version " + id, Graph: graph}
	w.apps[appID] = app.App{ID: appID, TenantID: tenant, Mode: app.ModeWorkflow, WorkflowID: id}
	w.store.AddVersion(tenant, appID, "version "+id, id)
}

func (w *world) App(_ context.Context, tenantID, id string) (app.App, error) {
	a, ok := w.apps[id]
	if !ok || a.TenantID != tenantID {
		return a, errs.New(errs.NotFound, "")
	}
	return a, nil
}

func (w *world) Published(ctx context.Context, a app.App) (app.Workflow, error) {
	return w.Version(ctx, a.TenantID, a.ID, a.WorkflowID)
}

func (w *world) Version(_ context.Context, tenantID, appID, id string) (app.Workflow, error) {
	f, ok := w.flows[id]
	if !ok || f.TenantID != tenantID || f.AppID != appID {
		return f, errs.New(errs.NotFound, "")
	}
	return f, nil
}

func (w *world) Authors(_ context.Context, ids ...string) (map[string]app.Author, error) {
	return map[string]app.Author{ids[0]: {Name: "Ada"}}, nil
}

func (w *world) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	f, ok := w.flows[id]
	if !ok || f.TenantID != tenantID {
		return nil, errs.New(errs.NotFound, "")
	}
	return &run.Definition{ID: id, TenantID: tenantID, AppID: f.AppID, Type: "workflow", Version: f.Version, Graph: f.Graph}, nil
}

// process is a run service with a real tool node.
func (w *world) process(opts run.Options) *run.Service {
	var s *run.Service
	runtime := workflowtool.NewRuntime(w.tools, func() (workflowtool.Runs, error) { return s, nil })
	service := tools.New(tools.Options{Runtimes: map[tools.ProviderType]driver.Runtime{driver.Workflow: runtime}})
	types := fakenode.Types(func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
		w.mu.Lock()
		w.effects = append(w.effects, x.Key)
		w.mu.Unlock()
		return w.effect(ctx, x)
	}, tool.New(service, tool.Options{}))
	s = run.New(run.Deps{
		Store: runstore.New(w.runs, 0), Stream: eventstream.New(w.stream), Types: types, Graphs: w, Clock: clock.System{},
	}, opts)
	return s
}

func fields() workflowtool.Fields {
	return workflowtool.Fields{
		Name: "say", Label: "Say", Description: "Says it", Icon: workflowtool.Icon{Background: "#fff", Content: "x"}, Labels: []string{"search", "no label", "search"},
		Parameters: []workflowtool.Parameter{{Name: "q", Description: "what", Form: driver.FormLLM}},
	}
}

func by() app.Actor { return app.Actor{TenantID: tenant, AccountID: account} }

// publish publishes the called app and an app that calls it.
func (w *world) publish() workflowtool.Published {
	w.t.Helper()
	p, err := w.tools.Publish(w.t.Context(), by(), calledID, fields())
	require.NoError(w.t, err)
	w.add(callerID, callerV, fakenode.Graph([]string{
		`{"id":"start","type":"start","variables":[]}`,
		`{"id":"c","type":"tool","provider_type":"workflow","provider_id":"` + p.ID + `","tool_name":"say","tool_parameters":{"q":{"type":"variable","value":["start","q"]}}}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["c","said"]},{"variable":"json","value_selector":["c","json"]}]}`,
	}, []string{"start", "c"}, []string{"c", "end"}))
	return p
}

func request() run.StartRequest {
	return run.StartRequest{
		TenantID: tenant, AppID: callerID, WorkflowID: callerV, RunID: "99999999-9999-4999-8999-999999999999", Mode: run.ModeWorkflow,
		InvokeFrom: "service-api", CreatedFrom: "service-api", User: run.User{ID: account, Role: "end_user", SessionID: "user-1"},
		Inputs: value.Obj("q", "hi"), Queue: "own",
	}
}

// called is the id of the run that was called.
func (w *world) called() string {
	w.t.Helper()
	for _, id := range w.runs.RunIDs() {
		if id != request().RunID {
			return id
		}
	}
	require.FailNow(w.t, "no run was called")
	return ""
}
