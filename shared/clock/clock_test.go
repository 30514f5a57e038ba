package clock_test

import (
	"context"
	"testing"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/stretchr/testify/require"
)

func TestFakeFiresDueWaitersOnly(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := clock.NewFake(start)
	near, far := f.After(time.Second), f.After(time.Minute)
	f.Advance(2 * time.Second)
	require.Equal(t, start.Add(2*time.Second), <-near)
	select {
	case <-far:
		t.Fatal("fired before its time")
	default:
	}
	require.Equal(t, 2*time.Second, clock.Since(f, start))
}

func TestSleepEndsWithContext(t *testing.T) {
	t.Parallel()
	f := clock.NewFake(time.Unix(0, 0))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- clock.Sleep(ctx, f, time.Hour) }()
	f.BlockUntil(1)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
