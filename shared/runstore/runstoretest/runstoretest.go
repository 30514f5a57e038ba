// Package runstoretest is the suite that every driver of runstore passes.
package runstoretest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Run tests a driver. Tests share it; each makes runs of its own.
func Run(t *testing.T, d driver.Driver) {
	s := runstore.New(d, time.Hour)
	for name, test := range map[string]func(*testing.T, *runstore.Store){
		"journal":            testJournal,
		"finished at once":   testFinishedAtOnce,
		"fencing":            testFencing,
		"acquire":            testAcquire,
		"tenant":             testTenant,
		"stop":               testStop,
		"suspend and wake":   testSuspend,
		"signal":             testSignal,
		"parts":              testParts,
		"concurrent acquire": testConcurrentAcquire,
		"inbox":              testInbox,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// NewRun returns a run that is in no store yet.
func NewRun() *runstore.Run {
	return &runstore.Run{
		ID: ids.New(), TenantID: ids.New(), AppID: ids.New(), WorkflowID: ids.New(), TaskID: ids.New(), Queue: "q",
		Spec: json.RawMessage(`{"b": 1, "a": "nul \u0000 and \\u0000"}`),
	}
}

// Events returns n small events after a sequence number.
func Events(after, token int64, n int) []workflow.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)
	out := make([]workflow.Event, n)
	for i := range out {
		after++
		out[i] = workflow.Event{Seq: after, Token: token, At: at, Type: workflow.EventNodeFinished, Node: &workflow.NodeEvent{
			ExecutionID: ids.New(), NodeID: fmt.Sprintf("n%d", after), NodeType: "code", Title: "é", StartedAt: at, Status: workflow.StatusSucceeded,
			Outputs: value.Obj("z", 1.0, "a", int64(2), "f", &value.File{ID: "1", Type: "image", Size: 3}, "n", nil),
			Updates: []workflow.Update{{Selector: workflow.Selector{"conversation", "x"}, Value: []any{2.0}}},
		}}
	}
	return out
}

func begin(t *testing.T, s *runstore.Store, n int) (*runstore.Run, *runstore.Lease) {
	t.Helper()
	run := NewRun()
	l, err := s.Begin(t.Context(), run, "owner-"+run.ID, &runstore.Batch{Events: Events(0, 1, n)})
	require.NoError(t, err)
	return run, &l
}

func testJournal(t *testing.T, s *runstore.Store) {
	ctx := t.Context()
	first := Events(0, 1, 3)
	run := NewRun()
	l, err := s.Begin(ctx, run, "o", &runstore.Batch{Events: first})
	require.NoError(t, err)
	require.Equal(t, int64(1), l.Token)
	second := Events(3, 1, 2)
	stop, err := s.Append(ctx, &l, &runstore.Batch{Events: second})
	require.NoError(t, err)
	require.Empty(t, stop)
	require.Equal(t, int64(5), l.LastSeq)

	all := append(append([]workflow.Event(nil), first...), second...)
	for after := int64(0); after <= 5; after++ {
		got, err := s.Events(ctx, run.TenantID, run.ID, after)
		require.NoError(t, err)
		require.Len(t, got, int(5-after))
		for i := range got {
			require.Equal(t, all[int(after)+i], got[i])
		}
	}
	got, err := s.Get(ctx, run.TenantID, run.ID)
	require.NoError(t, err)
	require.Equal(t, driver.StatusRunning, got.Status)
	require.True(t, got.Leased)
	require.Equal(t, int64(5), got.LastSeq)
	require.Contains(t, string(got.Spec), `\\u0000`)

	_, err = s.Begin(ctx, run, "o", &runstore.Batch{Events: Events(0, 1, 1)})
	require.True(t, errs.Is(err, errs.Conflict), "%v", err)
	_, err = s.Append(ctx, &l, &runstore.Batch{Events: Events(7, 1, 1)})
	require.Error(t, err, "a gap in the journal")
}

func testFinishedAtOnce(t *testing.T, s *runstore.Store) {
	run := NewRun()
	l, err := s.Begin(t.Context(), run, "o", &runstore.Batch{Events: Events(0, 1, 2), Status: workflow.StatusSucceeded})
	require.NoError(t, err)
	got, err := s.Get(t.Context(), run.TenantID, run.ID)
	require.NoError(t, err)
	require.True(t, got.Finished())
	require.False(t, got.Leased)
	_, err = s.Append(t.Context(), &l, &runstore.Batch{Events: Events(2, 1, 1)})
	require.True(t, errs.Is(err, errs.LeaseLost), "%v", err)
	g, err := s.Acquire(t.Context(), run.TenantID, run.ID, "p")
	require.NoError(t, err)
	require.True(t, g.Run.Finished())
	require.Zero(t, g.Lease.Token)
	require.Len(t, g.Events, 2)
	require.NoError(t, s.RequestStop(t.Context(), run.TenantID, run.ID, "late"))
}

func testFencing(t *testing.T, s *runstore.Store) {
	ctx := t.Context()
	run, old := begin(t, s, 1)
	n, err := s.ExpireOwner(ctx, old.Owner)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = s.Append(ctx, old, &runstore.Batch{Events: Events(1, 1, 1)})
	require.True(t, errs.Is(err, errs.LeaseLost), "%v", err)

	g, err := s.Acquire(ctx, run.TenantID, run.ID, "new")
	require.NoError(t, err)
	require.Equal(t, int64(2), g.Lease.Token)
	wake := runstore.Wake{ID: ids.New(), TenantID: run.TenantID, RunID: run.ID, Queue: "never"}
	_, err = s.Append(ctx, old, &runstore.Batch{Events: Events(1, 1, 1), Wakes: []runstore.Wake{wake}, Status: workflow.StatusFailed})
	require.True(t, errs.Is(err, errs.LeaseLost), "%v", err)
	_, err = s.Renew(ctx, old)
	require.True(t, errs.Is(err, errs.LeaseLost), "%v", err)
	require.True(t, errs.Is(s.Release(ctx, old, time.Time{}), errs.LeaseLost))

	_, err = s.Append(ctx, &g.Lease, &runstore.Batch{Events: Events(1, 2, 1)})
	require.NoError(t, err)
	stale := g.Lease
	stale.LastSeq = 1
	_, err = s.Append(ctx, &stale, &runstore.Batch{Events: Events(1, 2, 1)})
	require.True(t, errs.Is(err, errs.LeaseLost), "the same events twice: %v", err)
	events, err := s.Events(ctx, run.TenantID, run.ID, 0)
	require.NoError(t, err)
	require.Len(t, events, 2)
	require.Equal(t, int64(2), events[1].Token)
	got, err := s.Get(ctx, run.TenantID, run.ID)
	require.NoError(t, err)
	require.False(t, got.Finished(), "the lost batch left a trace")
}

func testAcquire(t *testing.T, s *runstore.Store) {
	ctx := t.Context()
	run, l := begin(t, s, 2)
	_, err := s.Acquire(ctx, run.TenantID, run.ID, "other")
	require.True(t, errs.Is(err, errs.Conflict), "%v", err)
	require.NoError(t, s.Release(ctx, l, time.Time{}))
	g, err := s.Acquire(ctx, run.TenantID, run.ID, "other")
	require.NoError(t, err)
	require.Len(t, g.Events, 2)
	require.Equal(t, int64(2), g.Lease.LastSeq)
	_, err = s.Renew(ctx, &g.Lease)
	require.NoError(t, err)
}

func testTenant(t *testing.T, s *runstore.Store) {
	ctx := t.Context()
	run, l := begin(t, s, 1)
	foreign := ids.New()
	_, err := s.Get(ctx, foreign, run.ID)
	require.True(t, errs.Is(err, errs.NotFound), "%v", err)
	_, err = s.Acquire(ctx, foreign, run.ID, "o")
	require.True(t, errs.Is(err, errs.NotFound), "%v", err)
	require.True(t, errs.Is(s.RequestStop(ctx, foreign, run.ID, "x"), errs.NotFound))
	events, err := s.Events(ctx, foreign, run.ID, 0)
	require.NoError(t, err)
	require.Empty(t, events)
	other := *l
	other.TenantID = foreign
	_, err = s.Append(ctx, &other, &runstore.Batch{Events: Events(1, 1, 1)})
	require.True(t, errs.Is(err, errs.LeaseLost), "%v", err)
}

func testStop(t *testing.T, s *runstore.Store) {
	ctx := t.Context()
	run, l := begin(t, s, 1)
	require.NoError(t, s.RequestStop(ctx, run.TenantID, run.ID, "why"))
	stop, err := s.Append(ctx, l, &runstore.Batch{Events: Events(1, 1, 1)})
	require.NoError(t, err)
	require.Equal(t, "why", stop)
	stop, err = s.Renew(ctx, l)
	require.NoError(t, err)
	require.Equal(t, "why", stop)
}

// pending takes everything out of the outbox and returns the wakes of one run.
func pending(t *testing.T, s *runstore.Store, runID string) []runstore.Wake {
	t.Helper()
	var out []runstore.Wake
	all, err := s.Pending(t.Context(), 1000)
	require.NoError(t, err)
	for _, w := range all {
		if w.RunID == runID {
			out = append(out, w)
		}
	}
	return out
}

func testSuspend(t *testing.T, s *runstore.Store) {
	ctx := t.Context()
	run, l := begin(t, s, 1)
	_, err := s.Due(ctx, 1000)
	require.NoError(t, err)
	require.Empty(t, pending(t, s, run.ID), "a leased run is not due")

	// A timer in the past is due at once, and only once.
	require.NoError(t, s.Release(ctx, l, time.Now().Add(-time.Minute)))
	got, err := s.Get(ctx, run.TenantID, run.ID)
	require.NoError(t, err)
	require.Equal(t, driver.StatusSuspended, got.Status)
	for i := range 2 {
		_, err = s.Due(ctx, 1000)
		require.NoError(t, err)
		if wakes := pending(t, s, run.ID); i == 0 {
			require.Len(t, wakes, 1)
			require.Equal(t, run.TenantID, wakes[0].TenantID)
			require.Equal(t, "q", wakes[0].Queue)
			require.NoError(t, s.MarkRelayed(ctx, wakes))
		} else {
			require.Empty(t, wakes)
		}
	}
	g, err := s.Acquire(ctx, run.TenantID, run.ID, "next-"+run.ID)
	require.NoError(t, err)
	require.Equal(t, driver.StatusRunning, g.Run.Status)

	// A dead owner's runs are due at once.
	_, err = s.ExpireOwner(ctx, "next-"+run.ID)
	require.NoError(t, err)
	_, err = s.Due(ctx, 1000)
	require.NoError(t, err)
	require.Len(t, pending(t, s, run.ID), 1)

	// It may have died while it was sending their wake-ups.
	require.Empty(t, pending(t, s, run.ID), "claimed")
	_, err = s.ExpireOwner(ctx, "next-"+run.ID)
	require.NoError(t, err)
	require.Len(t, pending(t, s, run.ID), 1)

	// A timer in the future is not due, until somebody wants to stop the run.
	g, err = s.Acquire(ctx, run.TenantID, run.ID, "third")
	require.NoError(t, err)
	require.NoError(t, s.MarkRelayed(ctx, pendingAll(t, s)))
	require.NoError(t, s.Release(ctx, &g.Lease, time.Now().Add(time.Hour)))
	_, err = s.Due(ctx, 1000)
	require.NoError(t, err)
	require.Empty(t, pending(t, s, run.ID))
	require.NoError(t, s.RequestStop(ctx, run.TenantID, run.ID, "x"))
	n, err := s.Due(ctx, 1000)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, 1)
}

func testSignal(t *testing.T, s *runstore.Store) {
	ctx := t.Context()
	run, l := begin(t, s, 1)
	due := func() bool {
		_, err := s.Due(ctx, 1000)
		require.NoError(t, err)
		wakes := pending(t, s, run.ID)
		require.NoError(t, s.MarkRelayed(ctx, wakes))
		return len(wakes) > 0
	}
	require.True(t, errs.Is(s.Signal(ctx, ids.New(), run.ID), errs.NotFound), "of another tenant")

	// One that comes before the run is suspended counts then.
	require.NoError(t, s.Signal(ctx, run.TenantID, run.ID))
	require.False(t, due(), "the worker has it")
	require.NoError(t, s.Release(ctx, l, time.Now().Add(time.Hour)))
	require.True(t, due())

	// Whoever takes the run has heard it.
	g, err := s.Acquire(ctx, run.TenantID, run.ID, "second")
	require.NoError(t, err)
	require.NoError(t, s.Release(ctx, &g.Lease, time.Now().Add(time.Hour)))
	require.False(t, due())

	// One that comes later makes it due at once.
	require.NoError(t, s.Signal(ctx, run.TenantID, run.ID))
	require.True(t, due())
}

func testParts(t *testing.T, s *runstore.Store) {
	ctx := t.Context()
	run := NewRun()
	open := func() int {
		n, err := s.OpenParts(ctx, run.TenantID)
		require.NoError(t, err)
		return n
	}
	_, err := s.Begin(ctx, run, "w", &runstore.Batch{Events: Events(0, 1, 1)})
	require.NoError(t, err)
	require.Zero(t, open(), "no part")
	part := NewRun()
	part.TenantID, part.Spec = run.TenantID, json.RawMessage(`{"part": {"run_id": "x"}}`)
	l, err := s.Begin(ctx, part, "w", &runstore.Batch{Events: Events(0, 1, 1)})
	require.NoError(t, err)
	require.Equal(t, 1, open())
	_, err = s.Append(ctx, &l, &runstore.Batch{Events: Events(1, 1, 1), Status: workflow.StatusSucceeded})
	require.NoError(t, err)
	require.Zero(t, open(), "it is over")
}

func pendingAll(t *testing.T, s *runstore.Store) []runstore.Wake {
	t.Helper()
	all, err := s.Pending(t.Context(), 1000)
	require.NoError(t, err)
	return all
}

func testConcurrentAcquire(t *testing.T, s *runstore.Store) {
	ctx := context.Background()
	run, l := begin(t, s, 1)
	require.NoError(t, s.Release(ctx, l, time.Time{}))
	const workers = 8
	var wg sync.WaitGroup
	granted := make([]bool, workers)
	failed := make([]error, workers)
	for i := range workers {
		wg.Go(func() {
			g, err := s.Acquire(ctx, run.TenantID, run.ID, fmt.Sprint(i))
			granted[i] = err == nil && g.Lease.Token == 2
			if err != nil && !errs.Is(err, errs.Conflict) {
				failed[i] = err
			}
		})
	}
	wg.Wait()
	n := 0
	for i := range workers {
		require.NoError(t, failed[i])
		if granted[i] {
			n++
		}
	}
	require.Equal(t, 1, n)
}

func testInbox(t *testing.T, s *runstore.Store) {
	id := ids.New()
	for i, consumer := range []string{"a", "a", "b"} {
		first, err := s.FirstDelivery(t.Context(), consumer, id)
		require.NoError(t, err)
		require.Equal(t, i != 1, first)
	}
}
