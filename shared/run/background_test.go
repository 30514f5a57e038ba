package run

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBackgroundIsWaitedForWhileItGoesOn has several wait while work begins and
// ends again and again, which a sync.WaitGroup answers with a panic that ends
// the process.
func TestBackgroundIsWaitedForWhileItGoesOn(t *testing.T) {
	t.Parallel()
	var b background
	b.wait(t.Context()) // nothing goes on
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5000 {
				done := b.begin()
				done()
			}
		})
		all.Go(func() {
			for range 5000 {
				b.wait(t.Context())
			}
		})
	}
	all.Wait()
	require.Zero(t, b.count)

	done := b.begin()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.wait(ctx) // returns though the work goes on
	woken := make(chan struct{}, 2)
	for range 2 {
		go func() { b.wait(t.Context()); woken <- struct{}{} }()
	}
	select {
	case <-woken:
		require.FailNow(t, "the work still goes on")
	default:
	}
	done()
	<-woken
	<-woken
}
