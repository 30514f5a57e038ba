package run_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

// invocations continue runs in calls that the platform ends after a while.
type invocations struct {
	ctx   context.Context //nolint:containedctx // of the test
	limit time.Duration
	work  sync.WaitGroup
	to    func() *run.Service

	mu    sync.Mutex
	count int
}

// Send implements run.Sender.
func (i *invocations) Send(_ context.Context, _ string, m run.Message) error {
	i.mu.Lock()
	i.count++
	i.mu.Unlock()
	i.work.Go(func() {
		ctx, cancel := context.WithTimeout(i.ctx, i.limit)
		defer cancel()
		_ = i.to().Continue(ctx, m.TenantID, m.RunID)
	})
	return nil
}

// TestRunCrossesInvocations runs a workflow that takes longer than a call may:
// effects, and a retry whose delay gives the worker back. Each effect happens
// once, and a client that joins again whenever its stream ends sees every event.
func TestRunCrossesInvocations(t *testing.T) {
	t.Parallel()
	nodes, edges := []string{`{"id":"start","type":"start"}`}, [][]string(nil)
	before := "start"
	for i := range 8 {
		id, more := fmt.Sprintf("h%d", i), ""
		if i == 4 {
			more = `,"retry_config":{"retry_enabled":true,"max_retries":2,"retry_interval":150}`
		}
		nodes = append(nodes, fmt.Sprintf(`{"id":%q,"type":"http-request"%s}`, id, more))
		edges = append(edges, []string{before, id})
		before = id
	}
	nodes = append(nodes, `{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["h7","text"]}]}`)
	edges = append(edges, []string{before, "end"})

	var mu sync.Mutex
	done := map[string]int{}
	w := newWorld(fakenode.Graph(nodes, edges...), nil)
	call := func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		<-w.clock.After(60 * time.Millisecond) // what it calls takes its time
		mu.Lock()
		defer mu.Unlock()
		done[x.Key]++
		if x.Node.ID == "h4" && x.Attempt < 2 {
			return nil, workflow.Fail("E", "not yet")
		}
		return &workflow.Result{Outputs: value.Obj("text", "of "+x.Node.ID)}, nil
	}
	queue := &invocations{ctx: t.Context(), limit: 700 * time.Millisecond}
	s := run.New(run.Deps{
		Store: runstore.New(w.store, 0), Stream: eventstream.New(w.stream), Types: fakenode.Types(call), Graphs: graphs{wfID: w.graph},
		Clock: w.clock, Sender: queue,
	}, run.Options{Engine: engine.Options{HandoverMargin: 500 * time.Millisecond, HardMargin: 10 * time.Millisecond, ReleaseWait: 50 * time.Millisecond}})
	queue.to = func() *run.Service { return s }

	req := request("q", "x")
	req.RunID = ids.New()
	first := newRecorder()
	ctx, cancel := context.WithTimeout(t.Context(), queue.limit)
	res, err := s.Start(ctx, req, first)
	cancel()
	require.NoError(t, err)
	require.True(t, res.HandedOver, "the first call has to end before the run does")

	seen, last := first.items, first.items[len(first.items)-1].ID
	deadline := w.clock.Now().Add(20 * time.Second)
	joins := 0
	for over := false; !over; joins++ {
		require.True(t, w.clock.Now().Before(deadline), "the run is stuck after %v", lines(seen))
		// The time of a retry comes by the schedule.
		_, err := s.Tick(t.Context())
		require.NoError(t, err)
		rec := newRecorder()
		ctx, cancel := context.WithTimeout(t.Context(), queue.limit)
		res, err := s.Join(ctx, tenant, req.RunID, run.JoinFrom{LastEventID: last}, rec)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		} else {
			over = res.Finished != nil
		}
		seen = append(seen, rec.items...)
		last = seen[len(seen)-1].ID
	}
	queue.work.Wait()
	end := seen[len(seen)-1].Event.Finished
	require.Equal(t, workflow.StatusPartialSucceeded, end.Status, end.Error)
	require.Equal(t, "of h7", end.Outputs.String("out"))
	want := []string{"started", "+start", "-start"}
	for i := range 8 {
		want = append(want, fmt.Sprintf("+h%d", i))
		if i == 4 {
			want = append(want, "~h4", "~h4")
		}
		if i == 7 {
			want = append(want, "text h7.text: of h7")
		}
		want = append(want, fmt.Sprintf("-h%d", i))
	}
	require.Equal(t, append(want, "+end", "-end", "finished partial-succeeded"), lines(seen))
	for key, n := range done {
		require.Equal(t, 1, n, key)
	}
	require.Len(t, done, 10)
	require.GreaterOrEqual(t, queue.count, 3, "several calls")
	t.Logf("%d calls, the client joined %d times", queue.count+1, joins)
}
