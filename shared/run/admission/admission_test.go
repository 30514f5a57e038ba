package admission_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/run/admission"
)

func TestTenantsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := admission.NewGate(1)
		leave, err := g.Enter(t.Context(), "first")
		require.NoError(t, err)
		var order []string
		for _, tenant := range []string{"a", "a", "a", "b", "c", "b"} {
			go func() {
				leave, err := g.Enter(context.Background(), tenant)
				if err == nil {
					order = append(order, tenant)
					leave()
				}
			}()
			synctest.Wait()
		}
		require.Equal(t, 6, g.Waiting())
		leave()
		synctest.Wait()
		require.Equal(t, []string{"a", "b", "c", "a", "b", "a"}, order)
		require.Zero(t, g.Waiting())
	})
}

func TestWhoLeavesTheQueueLeavesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := admission.NewGate(1)
		leave, err := g.Enter(t.Context(), "a")
		require.NoError(t, err)
		gone := errors.New("gone")
		for _, tenant := range []string{"a", "a", "b"} {
			ctx, cancel := context.WithCancelCause(context.Background())
			failed := make(chan error, 1)
			go func() {
				_, err := g.Enter(ctx, tenant)
				failed <- err
			}()
			synctest.Wait()
			cancel(gone)
			require.ErrorIs(t, <-failed, gone)
		}
		require.Zero(t, g.Waiting())
		leave()
		leave, err = g.Enter(t.Context(), "c") // the place is free again
		require.NoError(t, err)
		leave()
	})
}

func TestNeverMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 5
	g := admission.NewGate(limit)
	var inside, most, done atomic.Int64
	var wg sync.WaitGroup
	for i := range 500 {
		ctx, cancel := context.WithCancel(context.Background())
		wg.Go(func() {
			defer cancel()
			leave, err := g.Enter(ctx, string(rune('a'+i%7)))
			if err != nil {
				return
			}
			now := inside.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			runtime.Gosched()
			inside.Add(-1)
			done.Add(1)
			leave()
		})
		if i%10 == 0 {
			wg.Go(cancel)
		}
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int64(limit))
	require.GreaterOrEqual(t, done.Load(), int64(450))
	require.Zero(t, g.Waiting())
	for range limit { // no place got lost
		_, err := g.Enter(t.Context(), "z")
		require.NoError(t, err)
	}
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	g := admission.NewGate(0)
	for range 10 {
		_, err := g.Enter(t.Context(), "a")
		require.NoError(t, err)
	}
}
