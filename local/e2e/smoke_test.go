//go:build linux

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestUndisturbed runs each app with nothing killed, what the other tests take
// for granted, and for clients that break off again and again.
func TestUndisturbed(t *testing.T) {
	w := newWorld(t)
	s := newServerOn(t, w)
	s.start()
	s.ready(60 * time.Second)
	apps := w.setUp(t, s)
	var rides []*ride
	for _, a := range apps {
		for _, in := range []input{{n: 12, pause: 2}, {n: 3}} {
			r := newRide(s.base, a, in)
			r.start(t.Context())
			<-r.done
			if t.Failed() || r.err != nil {
				t.Log(show(r.events))
			}
			w.verify(t, r)
			require.Equal(t, 1, r.segments)
			rides = append(rides, r)
		}
	}
	for _, a := range apps {
		for _, cut := range []int{1, 2, 5} {
			r := newRide(s.base, a, input{n: 12, pause: 15})
			r.cut = cut
			r.start(t.Context())
			<-r.done
			w.verify(t, r)
			require.Greater(t, r.segments, 3)
			require.Zero(t, r.restarts, "nothing had to start again")
			rides = append(rides, r)
		}
	}
	out := w.verifyAll(t, apps, rides)
	require.Zero(t, out.again)
	require.Zero(t, out.unheard)
}
