package run_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/value"
)

// stopWithin is what tests allow; the goal is 200 ms, which is logged. Noise of
// a busy machine must not fail them, a stop that waits for a poll of a second must.
const stopWithin = 700 * time.Millisecond

// hang is a node that works until it is told to stop.
func hang(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	x.Emit(workflow.Chunk{Name: "text", Text: "some "})
	<-ctx.Done()
	return nil, ctx.Err()
}

// consumers hand wake-ups to a service at once, the way consumers of a queue do.
type consumers struct {
	ctx  context.Context //nolint:containedctx // of the test
	work sync.WaitGroup
	to   func() *run.Service
}

// Send implements run.Sender.
func (w *consumers) Send(_ context.Context, _ string, m run.Message) error {
	w.work.Go(func() { _ = w.to().Continue(w.ctx, m.TenantID, m.RunID) })
	return nil
}

// TestStopTakesEffectAtOnce stops runs from another process than the one that
// has them, wherever they are, and takes the time until the client knows.
func TestStopTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	effect := func(extra string) string {
		return fakenode.Graph([]string{
			`{"id":"start","type":"start"}`, `{"id":"h","type":"http-request"` + extra + `}`,
			`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["h","text"]}]}`,
		}, []string{"start", "h"}, []string{"h", "end"})
	}
	retry := func(interval string) string {
		return effect(`,"retry_config":{"retry_enabled":true,"max_retries":3,"retry_interval":` + interval + `}`)
	}
	failing := func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return nil, workflow.Fail("E", "broke")
	}
	pausing := func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return nil, &workflow.Pause{Kind: "test", Reason: value.Obj("TYPE", "test")}
	}
	inside := fakenode.Graph([]string{
		`{"id":"start","type":"start"}`,
		`{"id":"it","type":"iteration","start_node_id":"h","iterator_selector":["start","list"],"output_selector":["h","text"]}`,
		`{"id":"h","type":"http-request","iteration_id":"it"}`,
	}, []string{"start", "it"})
	is := func(types ...workflow.EventType) func(run.Item) bool {
		return func(i run.Item) bool { return slices.Contains(types, i.Event.Type) }
	}
	for name, c := range map[string]struct {
		graph string
		call  fakenode.Func
		ready func(run.Item) bool
		// away is true when nobody has the run any more.
		away bool
	}{
		"while text streams":          {effect(""), hang, func(i run.Item) bool { return i.Live }, false},
		"in a request":                {effect(""), hang, func(i run.Item) bool { return i.Event.Node != nil && i.Event.Node.NodeID == "h" }, false},
		"before the next try":         {retry("5000"), failing, is(workflow.EventNodeRetry), false},
		"inside an iteration":         {inside, hang, func(i run.Item) bool { return i.Event.Node != nil && i.Event.Node.NodeID == "h" }, false},
		"while it is suspended":       {retry("60000"), failing, is(workflow.EventNodeRetry), true},
		"while it waits for somebody": {effect(""), pausing, is(workflow.EventRunPaused), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var took []time.Duration
			for range 5 {
				took = append(took, stopOnce(t, c.graph, c.call, c.ready, c.away))
			}
			slices.Sort(took)
			t.Logf("stopped after %v", took)
			require.Less(t, took[len(took)/2], stopWithin)
		})
	}
}

func stopOnce(t *testing.T, graph string, call fakenode.Func, ready func(run.Item) bool, away bool) time.Duration {
	w := newWorld(graph, call)
	queue := &consumers{ctx: t.Context()}
	service := func(owner string) *run.Service {
		return run.New(run.Deps{
			Store: runstore.New(w.store, 0), Stream: eventstream.New(w.stream), Types: fakenode.Types(call, iteration.New()),
			Graphs: graphs{wfID: w.graph}, Clock: w.clock, Sender: queue,
		}, run.Options{Owner: owner})
	}
	one, two := service("one"), service("two")
	queue.to = func() *run.Service { return two }
	req := request("q", "x", "list", []any{"a", "b"})
	req.RunID = ids.New()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	rec := newRecorder()
	var work sync.WaitGroup
	work.Go(func() { _, _ = one.Start(ctx, req, rec) })
	rec.until(t, ready)
	watch := newRecorder()
	if away {
		require.Eventually(t, func() bool { // it has been let go of
			g, err := runstore.New(w.store, 0).Get(t.Context(), tenant, req.RunID)
			return err == nil && !g.Leased
		}, 5*time.Second, time.Millisecond)
	}
	work.Go(func() { _, _ = two.Join(ctx, tenant, req.RunID, run.JoinFrom{Start: true, Pauses: true}, watch) })
	watch.until(t, ready)
	from := w.clock.Now()
	require.NoError(t, two.Stop(t.Context(), tenant, req.RunID, run.StopReasonUser))
	end := watch.until(t, func(i run.Item) bool { return i.Event.Terminal() })
	took := clock.Since(w.clock, from)
	require.Equal(t, workflow.StatusStopped, end.Event.Finished.Status)
	cancel()
	work.Wait()
	queue.work.Wait()
	return took
}
