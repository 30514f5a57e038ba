package run_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

// draft is a graph that changes.
type draft struct {
	mu  sync.Mutex
	def run.Definition
}

func (d *draft) Definition(context.Context, string, string) (*run.Definition, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	def := d.def
	def.Mutable = true
	return &def, nil
}

func (d *draft) change(edit func(*run.Definition)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	edit(&d.def)
}

// keeper remembers what it was given.
type keeper struct {
	mu   sync.Mutex
	seen []string
	err  error
}

func (k *keeper) Keep(_ context.Context, req *run.StartRequest, events []workflow.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range events {
		if n := events[i].Node; n != nil && events[i].Type == workflow.EventNodeFinished {
			k.seen = append(k.seen, req.User.ID+" "+n.NodeID)
		}
	}
	return k.err
}

func draftRequest(kv ...any) run.StartRequest {
	req := request(kv...)
	req.InvokeFrom, req.TriggeredFrom, req.CreatedFrom = run.InvokeFromDebugger, run.FromDebugging, ""
	return req
}

func envGraph(after string) string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"h","type":"http-request"}`,
		`{"id":"t","type":"text","template":"` + after + ` {{#env.plain#}} {{#env.token#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["t","output"]}]}`,
	}, []string{"start", "h"}, []string{"h", "t"}, []string{"t", "end"})
}

func TestRunsOfDraftsArePinned(t *testing.T) {
	t.Parallel()
	dead, alive := newGate(), newGate()
	d := &draft{def: run.Definition{
		ID: wfID, TenantID: tenant, AppID: appID, Type: "workflow", Version: "draft", Graph: envGraph("old"),
		Environment: []run.Variable{{Name: "plain", Value: "as-it-was"}, {Name: "token", Value: "s3cret", Secret: true}},
	}}
	k := &keeper{}
	w := newWorld("", dead.call)
	service := func(owner string) *run.Service {
		s := w.service(run.Options{Owner: owner})
		s.Graphs, s.Keeper = d, k
		return s
	}
	one := service("one")
	w.call = alive.call
	two := service("two")
	req := draftRequest("q", "x")
	req.RunID = "88888888-8888-4888-8888-888888888888"
	started := make(chan struct{})
	go func() {
		_, _ = one.Start(context.WithoutCancel(t.Context()), req, nil)
		close(started)
	}()
	<-dead.started // and nothing more is heard of it

	stored, err := w.store.Get(t.Context(), tenant, req.RunID)
	require.NoError(t, err)
	require.NotContains(t, string(stored.Spec), "s3cret", "secrets are not written down")
	require.Contains(t, string(stored.Spec), "as-it-was")

	d.change(func(def *run.Definition) {
		def.Graph = simpleGraph()
		def.Environment = []run.Variable{{Name: "plain", Value: "changed"}, {Name: "token", Value: "newer", Secret: true}}
	})
	_, err = two.ExpireOwner(t.Context(), "one")
	require.NoError(t, err)
	close(alive.release)
	require.NoError(t, two.Continue(t.Context(), tenant, req.RunID))

	events, err := w.store.Events(t.Context(), tenant, req.RunID, 0)
	require.NoError(t, err)
	last := events[len(events)-1]
	require.Equal(t, workflow.StatusSucceeded, last.Finished.Status, last.Finished.Error)
	require.Equal(t, "old as-it-was newer", last.Finished.Outputs.String("out"), "the graph it started with; secrets as they are now")
	require.Subset(t, k.seen, []string{userID + " start", userID + " h", userID + " t", userID + " end"})
	close(dead.release)
	<-started

	next := newRecorder()
	res, err := two.Start(t.Context(), draftRequest("q", "y"), next)
	require.NoError(t, err)
	require.Equal(t, "hello y", res.Finished.Outputs.String("out"), "a new run has the draft as it is now")
}

func TestOnlyRunsOfDraftsAreKept(t *testing.T) {
	t.Parallel()
	k := &keeper{err: errors.New("no room")}
	w := newWorld(simpleGraph(), nil)
	s := w.service(run.Options{})
	s.Keeper = k
	_, err := s.Start(t.Context(), request("q", "x"), nil)
	require.NoError(t, err)
	require.Empty(t, k.seen)
	_, err = s.Start(t.Context(), draftRequest("q", "x"), nil)
	require.ErrorContains(t, err, "no room", "nothing becomes durable whose variables are not")
	require.NotEmpty(t, k.seen)
}

func TestSetPath(t *testing.T) {
	t.Parallel()
	p := workflow.NewPool()
	inner := value.Obj("b", "old", "c", int64(1))
	p.Set("n", "o", value.Obj("a", inner))
	run.SetPath(p, workflow.Selector{"n", "o", "a", "b"}, "new")
	run.SetPath(p, workflow.Selector{"n", "fresh", "x", "y"}, true)
	run.SetPath(p, workflow.Selector{"n", "plain"}, "v")
	run.SetPath(p, workflow.Selector{"n"}, "ignored")
	for path, want := range map[string]any{"n.o.a.b": "new", "n.o.a.c": int64(1), "n.fresh.x.y": true, "n.plain": "v"} {
		got, ok := p.Get(strings.Split(path, "."))
		require.True(t, ok, path)
		require.Equal(t, want, got, path)
	}
	require.Equal(t, "old", inner.String("b"), "values are not changed")
}
