package run_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/driver"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

// heldStream publishes the end of a run only when it may.
type heldStream struct {
	*memstream.Driver
	reached, free chan struct{}
}

func (h *heldStream) Publish(ctx context.Context, topic string, records []driver.Record) error {
	for _, r := range records {
		for i := range r.Events {
			if r.Events[i].Terminal() {
				h.reached <- struct{}{}
				<-h.free
			}
		}
	}
	return h.Driver.Publish(ctx, topic, records)
}

// TestContinueWaitsForItselfOnly continues a run in a process that has another
// one under way, for ever: the wake-up is done when its own run is, and when
// others can see that.
func TestContinueWaitsForItselfOnly(t *testing.T) {
	t.Parallel()
	endless := newGate()
	w := newWorld(effectGraph(), func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
		if q, _ := x.Pool.Get(workflow.Selector{"start", "q"}); q == "endless" {
			return endless.call(ctx, x)
		}
		return &workflow.Result{Outputs: value.Obj("text", "done")}, nil
	})
	held := &heldStream{w.stream, make(chan struct{}, 1), make(chan struct{})}
	s := run.New(run.Deps{
		Store: runstore.New(w.store, 0), Stream: eventstream.New(held), Types: fakenode.Types(w.call),
		Graphs: graphs{wfID: w.graph}, Clock: w.clock, Sender: w.queue,
	}, run.Options{})
	other := make(chan error, 1)
	go func() {
		_, err := s.Start(context.WithoutCancel(t.Context()), request("q", "endless"), nil)
		other <- err
	}()
	<-endless.started

	// A run that its first process has handed over because its time was short.
	near, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Second))
	defer cancel()
	res, err := s.Start(near, request("q", "short"), nil)
	require.NoError(t, err)
	require.True(t, res.HandedOver)
	done := make(chan error, 1)
	go func() { done <- s.Continue(t.Context(), tenant, res.RunID) }()
	<-held.reached
	select {
	case err := <-done:
		require.FailNow(t, "it is done though nobody can see it yet", "%v", err)
	default:
	}
	close(held.free)
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		require.FailNow(t, "it waits for the other run")
	}
	close(endless.release)
	require.NoError(t, <-other)
}

// striding is a clock on which every look is a second later.
type striding struct {
	clock.Clock
	n *atomic.Int64
}

func (s striding) Now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(s.n.Add(1)) * time.Second)
}

// TestOneMomentOfStart has everybody see the same start of a run: clients of its
// first stream, those that join later, and the stored rows.
func TestOneMomentOfStart(t *testing.T) {
	t.Parallel()
	w := newWorld(simpleGraph(), nil)
	w.clock = striding{clock.System{}, &atomic.Int64{}}
	s := w.service(run.Options{})
	client := newRecorder()
	res, err := s.Start(t.Context(), request("q", "you"), client)
	require.NoError(t, err)
	v, err := s.Get(t.Context(), tenant, res.RunID)
	require.NoError(t, err)
	require.Equal(t, v.StartedAt, client.items[0].Event.At, "what the first stream and a later one show")
	require.Equal(t, v.StartedAt, res.CreatedAt)
	require.Equal(t, v.StartedAt, res.Finished.StartedAt)
}
