package workflowtool_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/workflowtool"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	refused := func(want, appID string, change func(*workflowtool.Fields)) {
		t.Helper()
		f := fields()
		change(&f)
		_, err := w.tools.Publish(ctx, by(), appID, f)
		require.True(t, errs.Is(err, errs.InvalidParam), "%v", err)
		require.EqualError(t, err, want)
	}
	none := func(*workflowtool.Fields) {}
	nowhere, chat, unpublished, human := ids.Random(), ids.Random(), ids.Random(), ids.Random()
	w.apps[chat] = app.App{ID: chat, TenantID: tenant, Mode: app.ModeAdvancedChat}
	w.apps[unpublished] = app.App{ID: unpublished, TenantID: tenant, Mode: app.ModeWorkflow}
	w.add(human, ids.Random(), fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"h","type":"human-input"}`}, []string{"start", "h"}))
	refused("App "+nowhere+" not found", nowhere, none)
	refused("App "+chat+" not found", chat, none)
	refused("Workflow not found for app "+unpublished, unpublished, none)
	refused("Workflow with Human Input nodes cannot be published as a workflow tool.", human, none)
	mismatch := "parameter configuration mismatch, please republish the tool to update"
	refused(mismatch, calledID, func(f *workflowtool.Fields) { f.Parameters = nil })
	refused(mismatch, calledID, func(f *workflowtool.Fields) { f.Parameters[0].Name = "other" })

	p := w.publish()
	require.Equal(t, []string{"search"}, p.Labels)
	refused("Tool with name say or app_id "+nowhere+" already exists", nowhere, none)
	refused("Tool with name two or app_id "+calledID+" already exists", calledID, func(f *workflowtool.Fields) { f.Name = "two" })

	d, current, err := w.tools.Describe(ctx, &p)
	require.NoError(t, err)
	require.True(t, current)
	require.Equal(t, "Ada", d.Author)
	require.Equal(t, calledID, d.AppID)
	require.Equal(t, `{"type": "object", "properties": {"said": {"type": "string", "description": ""}}}`, value.JSON(d.Tools[0].OutputSchema))
	q := d.Tools[0].Parameters[0]
	require.Equal(t, "Question", q.Label["en_US"])
	require.Equal(t, "what", q.ModelDescription)
	require.True(t, q.Required)

	// A new version is run only after the tool was published again.
	w.add(calledID, v2, calledGraph(`{"variable":"n","label":"N","type":"number"},{"variable":"s","label":"S","type":"select","options":["a"]}`))
	_, current, err = w.tools.Describe(ctx, &p)
	require.NoError(t, err)
	require.False(t, current)
	f := fields()
	require.EqualError(t, w.tools.Change(ctx, by(), p.ID, f), mismatch)
	f.Label, f.Parameters = "Now", []workflowtool.Parameter{{Name: "s", Form: driver.FormForm}, {Name: "n", Form: driver.FormLLM}}
	require.NoError(t, w.tools.Change(ctx, by(), p.ID, f))
	p, err = w.tools.Find(ctx, tenant, "", calledID)
	require.NoError(t, err)
	require.Equal(t, "Now", p.Label)
	d, current, err = w.tools.Describe(ctx, &p)
	require.NoError(t, err)
	require.True(t, current)
	require.Equal(t, "select", d.Tools[0].Parameters[0].Type)
	require.Equal(t, "a", d.Tools[0].Parameters[0].Options[0].Value)
	require.Equal(t, "number", d.Tools[0].Parameters[1].Type)

	require.EqualError(t, w.tools.Change(ctx, by(), human, f), "Tool with name say already exists")
	f.Name = "three"
	require.EqualError(t, w.tools.Change(ctx, by(), human, f), "Tool "+human+" not found")
	require.NoError(t, w.tools.Withdraw(ctx, nowhere, p.ID), "it is not that workspace's")
	_, err = w.tools.Find(ctx, tenant, p.ID, "")
	require.NoError(t, err)
	require.NoError(t, w.tools.Withdraw(ctx, tenant, p.ID))
	_, err = w.tools.Find(ctx, tenant, p.ID, "")
	require.EqualError(t, err, "Tool not found")
}

func TestCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish()
	s := w.process(run.Options{})
	res, err := s.Start(t.Context(), request(), nil)
	require.NoError(t, err)
	require.Equal(t, `{"out": "said hi", "json": [{"said": "said hi", "text": "said hi"}]}`, value.JSON(res.Finished.Outputs))
	require.Equal(t, int64(7), res.Finished.Tokens, "what the called run has spent counts")
	require.Equal(t, "0.5", res.Finished.Usage.TotalPrice)
	require.Empty(t, res.Finished.Usage.Model, "the call of the model was metered in the other run")
	v, err := s.Get(t.Context(), tenant, w.called())
	require.NoError(t, err)
	q := v.Request
	require.Equal(t, calledID, q.AppID)
	require.Equal(t, v1, q.WorkflowID)
	require.Equal(t, request().User, q.User)
	require.Equal(t, []string{"service-api", "service-api", "app-run", "own"}, []string{q.InvokeFrom, q.CreatedFrom, q.TriggeredFrom, q.Queue})
	require.Len(t, w.runs.Rows(w.called())[0].Nodes, 2, "it has rows of its own")
}

func TestFailuresOfCalledRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish()
	w.effect = func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return &workflow.Result{Usage: &workflow.Usage{TotalTokens: 5}}, workflow.Fail("E", "no luck")
	}
	s := w.process(run.Options{})
	res, err := s.Start(t.Context(), request(), nil)
	require.NoError(t, err)
	require.Equal(t, "Failed to invoke tool: no luck", res.Finished.Error)
	require.Equal(t, int64(5), res.Finished.Tokens)

	req := request()
	req.RunID, req.Inputs = ids.New(), value.NewObject(0)
	res, err = s.Start(t.Context(), req, nil)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusFailed, res.Finished.Status)
	require.Contains(t, res.Finished.Error, "q")
	delete(w.flows, v1)
	req.RunID, req.Inputs = ids.New(), value.Obj("q", "x")
	res, err = s.Start(t.Context(), req, nil)
	require.NoError(t, err)
	require.Equal(t, "Failed to get tool runtime: workflow not found or not published", res.Finished.Error)
}

func TestToolThatCallsItselfEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	w.flows[v1] = app.Workflow{ID: v1, TenantID: tenant, AppID: calledID, Type: "workflow", Version: "version " + v1, Graph: fakenode.Graph([]string{
		`{"id":"start","type":"start","variables":[{"variable":"q","label":"q","type":"text-input"}]}`,
		`{"id":"c","type":"tool","provider_type":"workflow","provider_id":"` + p.ID + `","tool_name":"say","tool_parameters":{"q":{"type":"constant","value":"x"}}}`,
	}, []string{"start", "c"})}
	res, err := w.process(run.Options{}).Start(t.Context(), request(), nil)
	require.NoError(t, err)
	require.Contains(t, res.Finished.Error, "Max workflow call depth 5 reached.")
	require.Len(t, w.runs.RunIDs(), 6)
}

// TestLostWorkerFindsTheRunItHasCalled loses the process after the called run's
// effect is durable.
func TestLostWorkerFindsTheRunItHasCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish()
	done, never := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(never) })
	var once sync.Once // the first append is the called run's last
	one := w.process(run.Options{Owner: "one", Engine: engine.Options{Hook: func(point string) {
		if point == "after_append" {
			once.Do(func() { close(done) })
			<-never
		}
	}}})
	go func() { _, _ = one.Start(context.WithoutCancel(t.Context()), request(), nil) }()
	<-done
	two := w.process(run.Options{Owner: "two"})
	_, err := two.ExpireOwner(t.Context(), "one")
	require.NoError(t, err)
	require.NoError(t, two.Continue(t.Context(), tenant, request().RunID))
	v, err := two.Get(t.Context(), tenant, request().RunID)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, v.Status)
	require.Len(t, w.effects, 1)
	require.Len(t, w.runs.RunIDs(), 2)
}

func TestFilesOfCalledRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish()
	w.effect = func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return &workflow.Result{Outputs: value.Obj("text", []any{&value.File{Type: "image", Filename: "a.png", TransferMethod: "remote_url"}})}, nil
	}
	res, err := w.process(run.Options{}).Start(t.Context(), request(), nil)
	require.NoError(t, err)
	require.Equal(t, "a.png", res.Finished.Outputs.Value("out").([]any)[0].(*value.File).Filename)
	events, err := w.runs.Events(t.Context(), tenant, request().RunID, 0)
	require.NoError(t, err)
	for _, e := range events {
		if e.Type == workflow.EventNodeFinished && e.Node.NodeID == "c" {
			require.Len(t, e.Node.Outputs.Value("files"), 2, "a file of each output")
		}
	}
}

func TestRuntimeListsWhatCanRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.publish()
	r := workflowtool.NewRuntime(w.tools, nil)
	list, err := r.Providers(t.Context(), tenant)
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = r.Provider(t.Context(), ids.Random(), p.ID)
	require.True(t, errs.Is(err, errs.NotFound))
	require.True(t, errs.Is(r.Invoke(t.Context(), &driver.Call{}, nil), errs.NotImplemented))
	delete(w.flows, v1)
	list, err = r.Providers(t.Context(), tenant)
	require.NoError(t, err)
	require.Empty(t, list)
}
