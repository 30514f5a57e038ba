package run_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/value"
)

// workers are services that share a store; wake-ups go round between them.
type workers struct {
	store *memrunstore.Driver
	list  []*run.Service
	next  atomic.Int64
	going sync.WaitGroup
}

// Send implements run.Sender: some worker continues the run.
func (w *workers) Send(ctx context.Context, _ string, m run.Message) error {
	s := w.list[int(w.next.Add(1))%len(w.list)]
	w.going.Add(1)
	go func() {
		defer w.going.Done()
		_ = s.Continue(context.WithoutCancel(ctx), m.TenantID, m.RunID)
	}()
	return nil
}

func newWorkers(t *testing.T, n int, graph string, call fakenode.Func, perTenant int) *workers {
	t.Helper()
	c := clock.System{}
	w := &workers{store: memrunstore.New(c)}
	stream := memstream.New(c)
	for range n {
		w.list = append(w.list, run.New(run.Deps{
			Store: runstore.New(w.store, 0), Stream: eventstream.New(stream), Types: fakenode.Types(call, iteration.New()),
			Graphs: graphs{wfID: graph}, Clock: c, Sender: w,
		}, run.Options{PartsPerTenant: perTenant, Engine: engine.Options{FanOut: engine.FanOut{Over: 10, Size: 5, AtOnce: 3}}}))
	}
	return w
}

func large() string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`,
		`{"id":"it","type":"iteration","start_node_id":"its","iterator_selector":["start","list"],"output_selector":["h","text"],"is_parallel":true,"parallel_nums":6}`,
		`{"id":"its","type":"iteration-start","iteration_id":"it"}`, `{"id":"h","type":"http-request","iteration_id":"it"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"o","value_selector":["it","output"]}]}`,
	}, []string{"start", "it"}, []string{"its", "h"}, []string{"it", "end"})
}

func numbers(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = fmt.Sprintf("i%d", i)
	}
	return out
}

func TestFanOutOverWorkers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	calls := map[string]int{}
	w := newWorkers(t, 3, large(), func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		v, _ := x.Pool.Get(workflow.Selector{"it", "item"})
		id, _ := x.Pool.Get(workflow.Selector{"sys", "workflow_run_id"})
		mu.Lock()
		calls[value.Text(v)]++
		mu.Unlock()
		if x.Run.ID != id {
			return nil, workflow.Fail("E", "a part has another run id")
		}
		return &workflow.Result{Outputs: value.Obj("text", value.Text(v)+"!")}, nil
	}, 2)
	client := newRecorder()
	res, err := w.list[0].Start(t.Context(), request("list", numbers(32)), client)
	require.NoError(t, err)
	require.NotNil(t, res.Finished)
	require.Equal(t, workflow.StatusSucceeded, res.Finished.Status, res.Finished.Error)
	var want []any
	for _, v := range numbers(32) {
		want = append(want, v.(string)+"!")
	}
	require.Equal(t, want, res.Finished.Outputs.Value("o"), "in the order of the items")
	for item, n := range calls {
		require.Equal(t, 1, n, item)
	}
	require.Len(t, calls, 32)

	// The client has seen every item once, and the rows are those of one run.
	seen := map[string]int{}
	for _, i := range client.items {
		if e := i.Event; e.Type == workflow.EventNodeFinished && e.Node.NodeID == "h" {
			seen[e.Node.ExecutionID]++
		}
	}
	require.Len(t, seen, 32)
	rows := map[string]driver.NodeRow{}
	for _, id := range w.store.RunIDs() {
		for _, r := range w.store.Rows(id) {
			for _, n := range r.Nodes {
				require.Equal(t, res.RunID, id, "only the whole run has rows")
				rows[n.ID] = n
			}
		}
	}
	require.Len(t, rows, 35)
	require.Len(t, w.store.RunIDs(), 8, "the run and seven parts")
	w.going.Wait()
}

func TestStopReachesParts(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 64)
	w := newWorkers(t, 2, large(), func(ctx context.Context, _ *workflow.Execution) (*workflow.Result, error) {
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}, 0)
	client := newRecorder()
	go func() {
		<-started
		var id string
		for _, i := range w.store.RunIDs() {
			if len(w.store.Rows(i)) > 0 && w.store.Rows(i)[0].Run != nil {
				id = i
			}
		}
		_ = w.list[1].Stop(context.Background(), tenant, id, run.StopReasonUser)
	}()
	res, err := w.list[0].Start(t.Context(), request("list", numbers(20)), client)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusStopped, res.Finished.Status)
	w.going.Wait() // the parts have ended too
	store := runstore.New(w.store, 0)
	n, err := store.OpenParts(t.Context(), tenant)
	require.NoError(t, err)
	require.Zero(t, n)
}
