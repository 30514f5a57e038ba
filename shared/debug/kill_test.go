package debug_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/value"
)

const effects = `{"nodes":[{"id":"start","data":{"type":"start","variables":[{"variable":"q","type":"text-input"}]}},
	{"id":"a","data":{"type":"code"}},{"id":"b","data":{"type":"code"}},
	{"id":"end","data":{"type":"end","outputs":[{"variable":"out","value_selector":["b","r"]}]}}],
	"edges":[{"source":"start","target":"a"},{"source":"a","target":"b"},{"source":"b","target":"end"}]}`

// TestNothingIsLostWhereverAWorkerEnds ends the worker of a draft run at each of
// its commits, changes the draft, and lets another worker go on.
func TestNothingIsLostWhereverAWorkerEnds(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		if !endsAt(t, n) {
			require.Greater(t, n, 6, "a commit has two sides, and there are several")
			return
		}
	}
}

// endsAt ends the first worker at its n-th hook; false when it got through.
func endsAt(t *testing.T, n int) bool {
	t.Helper()
	b := setup(t, effects)
	b.call = func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		return &workflow.Result{Outputs: value.Obj("r", x.Node.ID+" of "+x.Run.ID)}, nil
	}
	store, stream := memrunstore.New(clock.System{}), memstream.New(clock.System{})
	dead, rest := make(chan struct{}), make(chan struct{})
	defer close(rest) // lets the dead worker's goroutine end with the test
	count := 0
	service := func(owner string, hook func(string)) *run.Service {
		return run.New(run.Deps{
			Store: runstore.New(store, 0), Stream: eventstream.New(stream), Types: b.Types, Graphs: b.source, Clock: clock.System{}, Keeper: b.Service,
		}, run.Options{Owner: owner, Engine: engine.Options{Hook: hook}})
	}
	one := service("one", func(string) {
		if count++; count == n {
			close(dead)
			<-rest
		}
	})
	req := run.StartRequest{
		TenantID: b.scope.TenantID, AppID: b.scope.AppID, WorkflowID: draftID, RunID: ids.New(), Mode: run.ModeWorkflow, InvokeFrom: run.InvokeFromDebugger,
		TriggeredFrom: run.FromDebugging, User: run.User{ID: b.scope.AccountID, Role: "account", SessionID: b.scope.AccountID}, Inputs: value.Obj("q", "v"),
	}
	through := make(chan struct{})
	ctx := context.WithoutCancel(t.Context())
	go func() {
		defer close(through)
		_, _ = one.Start(ctx, req, nil)
	}()
	select {
	case <-through:
		return false
	case <-dead:
	}
	b.source.set(graphOf(template))
	two := service("two", nil)
	_, err := two.ExpireOwner(t.Context(), "one")
	require.NoError(t, err)
	err = two.Continue(t.Context(), req.TenantID, req.RunID)
	if errs.Is(err, errs.NotFound) {
		require.Equal(t, 1, n, "only before the first commit is there no run")
		return true
	}
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"start.q": `"v"`, "a.r": `"a of ` + req.RunID + `"`, "b.r": `"b of ` + req.RunID + `"`, "end.out": `"b of ` + req.RunID + `"`,
	}, b.left(t), "hook %d", n)
	v, err := two.Get(t.Context(), req.TenantID, req.RunID)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, v.Status)
	return true
}
