// Package clock is the one source of time. Everything that reads the time,
// waits or measures takes a Clock, so that tests decide what time it is.
//
// It is not a scheduler: due work is kept in the database and found by the
// tick function. See package runstore for leases and timers.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and waits. Implementations are safe for concurrent use.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// After returns a channel that receives the time once d has passed.
	After(d time.Duration) <-chan time.Time
}

// System is the machine's clock.
type System struct{}

var _ Clock = System{}

// Now returns the current wall-clock time with its monotonic reading.
func (System) Now() time.Time { return time.Now() }

// After is time.After.
func (System) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Sleep waits for d or until ctx ends, in which case it returns ctx's error.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.After(d):
		return nil
	}
}

// Since returns the time passed on c since t.
func Since(c Clock, t time.Time) time.Duration { return c.Now().Sub(t) }
