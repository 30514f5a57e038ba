package run_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

const calledID = "77777777-7777-4777-8777-777777777777"

// nested is a world with a workflow whose node calls another one (or itself).
type nested struct {
	*world
	target string // what the node calls

	mu      sync.Mutex
	effects []string // keys of the called workflow's effect
}

func newNested(call fakenode.Func) *nested {
	n := &nested{target: calledID}
	n.world = newWorld(fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"c","type":"tool"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["c","out"]}]}`,
	}, []string{"start", "c"}, []string{"c", "end"}), func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
		n.mu.Lock()
		n.effects = append(n.effects, x.Key)
		n.mu.Unlock()
		return call(ctx, x)
	})
	return n
}

func (n *nested) process(opts run.Options) *run.Service {
	var s *run.Service
	caller := fakenode.Type{TypeName: "tool", NodeKind: workflow.KindExecutable, IsEffect: true,
		Do: func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
			req := request()
			req.WorkflowID, req.RunID = n.target, run.CalledID(x.Key)
			f, err := s.Call(ctx, req)
			if err != nil {
				return nil, err
			}
			if f.Error != "" {
				return nil, workflow.Fail("ToolInvokeError", f.Error)
			}
			return &workflow.Result{Outputs: f.Outputs}, nil
		}}
	s = run.New(run.Deps{
		Store: runstore.New(n.store, 0), Stream: eventstream.New(n.stream), Types: fakenode.Types(n.call, caller),
		Graphs: graphs{wfID: n.graph, calledID: effectGraph()}, Clock: n.clock, Sender: n.queue,
	}, opts)
	return s
}

// calledRun is the id of the run that a run has called.
func (n *nested) calledRun(t *testing.T, callerID string) string {
	t.Helper()
	for _, id := range n.store.RunIDs() {
		if id != callerID {
			return id
		}
	}
	require.FailNow(t, "no run was called")
	return ""
}

func deepAnswer(context.Context, *workflow.Execution) (*workflow.Result, error) {
	return &workflow.Result{Outputs: value.Obj("text", "deep")}, nil
}

func TestNodesCallRuns(t *testing.T) {
	t.Parallel()
	n := newNested(deepAnswer)
	s := n.process(run.Options{})
	res, err := s.Start(t.Context(), request(), nil)
	require.NoError(t, err)
	require.Equal(t, `{"out": "deep"}`, value.JSON(res.Finished.Outputs))
	v, err := s.Get(t.Context(), tenant, n.calledRun(t, res.RunID))
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, v.Status)
	require.Equal(t, res.RunID, v.Request.CalledBy)
	require.Equal(t, 1, v.Request.CallDepth)
}

func TestCallsEndSomewhere(t *testing.T) {
	t.Parallel()
	n := newNested(deepAnswer)
	n.target = wfID // it calls itself
	res, err := n.process(run.Options{MaxCallDepth: 3}).Start(t.Context(), request(), nil)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusFailed, res.Finished.Status)
	require.Equal(t, "Max workflow call depth 3 reached.", res.Finished.Error)
	require.Len(t, n.store.RunIDs(), 4)
}

func TestStopOfACallerStopsWhatItCalls(t *testing.T) {
	t.Parallel()
	g := newGate()
	n := newNested(g.call)
	s, other := n.process(run.Options{}), n.process(run.Options{})
	req := request()
	req.RunID = "99999999-9999-4999-8999-999999999999"
	done := make(chan *run.Result, 1)
	go func() {
		res, _ := s.Start(context.WithoutCancel(t.Context()), req, nil)
		done <- res
	}()
	<-g.started
	require.NoError(t, other.Stop(t.Context(), tenant, req.RunID, run.StopReasonUser))
	require.Equal(t, workflow.StatusStopped, (<-done).Finished.Status)
	end, err := other.Join(t.Context(), tenant, n.calledRun(t, req.RunID), run.JoinFrom{}, newRecorder())
	require.NoError(t, err)
	require.Equal(t, workflow.StatusStopped, end.Finished.Status)
	require.Equal(t, "Aborted: "+run.StopReasonCaller, end.Finished.Error)
}

// TestCalledRunSeesThatItsCallerIsOver loses both workers; the caller is then
// stopped without ever waiting for the run again.
func TestCalledRunSeesThatItsCallerIsOver(t *testing.T) {
	t.Parallel()
	g := newGate()
	n := newNested(g.call)
	one, two := n.process(run.Options{Owner: "one"}), n.process(run.Options{Owner: "two"})
	req := request()
	req.RunID = "99999999-9999-4999-8999-999999999999"
	go func() { _, _ = one.Start(context.WithoutCancel(t.Context()), req, nil) }()
	<-g.started
	called := n.calledRun(t, req.RunID)
	require.NoError(t, n.store.RequestStop(t.Context(), tenant, req.RunID, run.StopReasonUser))
	_, err := two.ExpireOwner(t.Context(), "one")
	require.NoError(t, err)
	require.NoError(t, two.Continue(t.Context(), tenant, req.RunID))
	require.NoError(t, two.Continue(t.Context(), tenant, called))
	v, err := two.Get(t.Context(), tenant, called)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusStopped, v.Status)
	require.Len(t, n.effects, 1)
	close(g.release)
}

// TestCallOutsideOfRuns is what single nodes of drafts do: nobody comes back for
// the run when the request is given up.
func TestCallOutsideOfRuns(t *testing.T) {
	t.Parallel()
	g := newGate()
	n := newNested(g.call)
	s := n.process(run.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	req := request()
	req.WorkflowID, req.RunID = calledID, "99999999-9999-4999-8999-999999999999"
	go func() {
		_, err := s.Call(ctx, req)
		failed <- err
	}()
	<-g.started
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	end, err := s.Join(t.Context(), tenant, req.RunID, run.JoinFrom{}, newRecorder())
	require.NoError(t, err)
	require.Equal(t, workflow.StatusStopped, end.Finished.Status)

	req.RunID = "no uuid"
	_, err = s.Call(t.Context(), req)
	require.True(t, errs.Is(err, errs.InvalidParam))
}

// TestCalledRunsGoOnAfterTheirCaller hands both runs over.
func TestCalledRunsCrossInvocations(t *testing.T) {
	t.Parallel()
	g := newGate()
	n := newNested(g.call)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+50*time.Millisecond)
	defer cancel()
	s := n.process(run.Options{Engine: engine.Options{HandoverMargin: 10 * time.Minute, HardMargin: 10*time.Minute - 100*time.Millisecond}})
	res, err := s.Start(ctx, request(), nil)
	require.NoError(t, err)
	require.True(t, res.HandedOver)
	s.Wait(t.Context())
	require.Len(t, n.queue.sent, 2, "one wake-up for each")
	close(g.release)
	two := n.process(run.Options{})
	require.NoError(t, two.Continue(t.Context(), tenant, res.RunID))
	v, err := two.Get(t.Context(), tenant, res.RunID)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, v.Status)
	require.Len(t, n.store.RunIDs(), 2, "the same run was continued")
}

// mortal is a process that does nothing more after its nth step.
type mortal struct {
	mu    sync.Mutex
	left  int
	at    string
	died  chan struct{}
	never chan struct{}
}

func (m *mortal) step(point string) {
	m.mu.Lock()
	if m.left--; m.left == 0 {
		m.at = point
		close(m.died)
	}
	dead := m.left <= 0
	m.mu.Unlock()
	if dead {
		<-m.never
	}
}

func TestKilledAnywhereCallsOnce(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		m := &mortal{left: step, died: make(chan struct{}), never: make(chan struct{})}
		n := newNested(deepAnswer)
		one := n.process(run.Options{Owner: "one", Engine: engine.Options{Hook: m.step}})
		two := n.process(run.Options{Owner: "two", JournalPoll: time.Millisecond})
		req := request()
		req.RunID = fmt.Sprintf("99999999-9999-4999-8999-%012d", step)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = one.Start(context.WithoutCancel(t.Context()), req, nil)
		}()
		select {
		case <-ended:
			require.Greater(t, step, 10, "there are many places to die at")
			return
		case <-m.died:
		}
		t.Cleanup(func() { close(m.never) })
		if n.done(t, req.RunID) {
			continue
		}
		_, err := two.ExpireOwner(t.Context(), "one")
		require.NoError(t, err)
		err = two.Continue(t.Context(), tenant, req.RunID)
		if len(n.store.RunIDs()) == 0 {
			continue // there never was a run
		}
		require.NoError(t, err, m.at)
		require.True(t, n.done(t, req.RunID), m.at)
		require.Len(t, n.store.RunIDs(), 2, m.at)
		v, err := two.Get(t.Context(), tenant, n.calledRun(t, req.RunID))
		require.NoError(t, err)
		require.Equal(t, workflow.StatusSucceeded, v.Status, m.at)
		n.mu.Lock()
		keys := map[string]bool{}
		for _, k := range n.effects {
			keys[k] = true
		}
		require.Len(t, keys, 1, "%s: %v", m.at, n.effects)
		if m.at != "effect_end:h" && m.at != "before_append" {
			require.Len(t, n.effects, 1, m.at)
		}
		n.mu.Unlock()
	}
}

func (n *nested) done(t *testing.T, runID string) bool {
	t.Helper()
	r, err := n.store.Get(t.Context(), tenant, runID)
	return err == nil && r.Finished()
}
