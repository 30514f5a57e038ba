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
	s := newServerOn(t, w, splitting())
	s.start()
	s.ready(60 * time.Second)
	apps := w.setUp(t, s)
	var rides []*ride
	ride := func(a *app, in input, cut int) {
		r := newRide(s.base, a, in)
		r.cut = cut
		r.start(t.Context())
		rides = append(rides, r)
	}
	for _, a := range apps {
		ride(a, input{n: 12, pause: 2}, 0)
		ride(a, input{n: 3}, 0)
		for _, cut := range []int{1, 2, 5} {
			ride(a, input{n: 12, pause: 15}, cut)
		}
	}
	for _, r := range rides {
		<-r.done
		if r.err != nil {
			t.Log(show(r.events))
		}
		w.verify(t, r)
		require.Zero(t, r.restarts, "%s: nothing had to start again", r.app.name)
		if r.cut == 0 {
			require.LessOrEqual(t, r.segments, 1+r.asked, "%s: streams end with a pause only", r.app.name)
		} else {
			require.Greater(t, r.segments, 2, r.app.name)
		}
	}
	out := w.verifyAll(t, s.base, apps, rides)
	require.Zero(t, out.again)
	require.Zero(t, out.unheard)
	require.NotZero(t, out.called, "workflows call others")
	require.NotZero(t, out.parts, "large iterations are split")
}
