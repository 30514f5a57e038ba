//go:build linux

package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
)

// inProcess kills the one process and starts it again on the same data.
func inProcess(t *testing.T, w *world) (*server, func()) {
	s := newServerOn(t, w)
	return s, func() {
		s.kill()
		s.start()
		s.ready(60 * time.Second)
	}
}

// runners are the functions that hold runs.
var runners = []string{"workflow-run", "chat-messages", "run-workflow"}

// onLambda kills the processes of functions, each as if its machine had failed:
// all that hold runs.
func onLambda(t *testing.T, w *world) (*server, func()) {
	s := newServerOn(t, w, "--lambda")
	require.NoError(t, os.Symlink(functions(t), filepath.Join(s.data, "functions")))
	return s, func() {
		for pid, name := range descendants(s.pid()) {
			if contains(runners, name) {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone by now
			}
		}
	}
}

// modes are the two ways in which the program runs functions.
var modes = []struct {
	name string
	open func(*testing.T, *world) (*server, func())
	slow bool
	// gap is the longest time between random kills, in milliseconds. On Lambda a
	// lease has to run out before another worker goes on.
	gap int
}{
	{"in process", inProcess, false, 700},
	{"lambda", onLambda, true, 1600},
}

// field is a mode's server with everything around it.
type field struct {
	*world
	s      *server
	strike func()
	apps   []*app
	t      *testing.T
	ctx    context.Context

	mu    sync.Mutex
	rides []*ride
	hits  int // kill points: (kill, run that was under way)
	kills int
}

func newField(t *testing.T, mode int) *field {
	if testing.Short() && modes[mode].slow {
		t.Skip("builds every function")
	}
	w := newWorld(t)
	f := &field{world: w, t: t}
	f.s, f.strike = modes[mode].open(t, w)
	f.s.start()
	f.s.ready(time.Minute)
	f.apps = w.setUp(t, f.s)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	f.ctx = ctx
	return f
}

func (f *field) ride(a *app, in input, when func(*ride)) *ride {
	r := newRide(f.s.base, a, in)
	r.when = when
	f.mu.Lock()
	f.rides = append(f.rides, r)
	f.mu.Unlock()
	r.start(f.ctx)
	return r
}

// kill strikes once and counts whom. A run counts when it got on since the kill
// that was counted for it before, so that no point counts twice.
func (f *field) kill() {
	f.mu.Lock()
	for _, r := range f.rides {
		if r.hit() {
			f.hits++
		}
	}
	f.mu.Unlock()
	f.kills++
	f.strike()
}

// settle waits for all rides and checks everything.
func (f *field) settle() {
	t := f.t
	start := clock.System{}.Now()
	segments, restarts := 0, 0
	for _, r := range f.rides {
		<-r.done
	}
	waited := clock.Since(clock.System{}, start)
	for _, r := range f.rides {
		if r.err != nil {
			t.Logf("%v\n%s\n%s", r.err, f.stored(r.runID), show(r.events))
		}
		f.verify(t, r)
		segments += r.segments
		restarts += r.restarts
	}
	out := f.verifyAll(t, f.apps, f.rides)
	f.s.quit()
	t.Logf("%d kills, %d kill points (kill, run under way that had got on); %d runs, all succeeded (%d of them started but unknown to their client); %d streams; "+
		"%d effects, %d calls started again; %d texts announced as starting again; the last run ended %s after the last kill",
		f.kills, f.hits, out.runs, out.unheard, segments, out.effects, out.again, restarts, waited.Round(time.Millisecond))
}

// boundaries is how many facts a whole run of an app shows to its client.
func boundaries(a *app, in input) int {
	n := 2 + 2*len(a.nodes(in))
	return n
}

// TestKillAtEveryBoundary kills right after a client has received the n-th event
// of its run, for every n, and in the middle of the texts of models. A run that
// was hit goes on beside the later ones, and may be hit again.
func TestKillAtEveryBoundary(t *testing.T) {
	for i, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			f := newField(t, i)
			in := input{n: 10, pause: 4}
			for _, a := range f.apps {
				for n := 1; n < boundaries(a, in); n++ {
					f.killWhen(a, in, func(r *ride) bool { facts, _ := r.counts(); return facts == n })
				}
				for _, n := range []int{2, 5, 9} {
					f.killWhen(a, in, func(r *ride) bool { _, texts := r.counts(); return texts == n })
				}
			}
			f.settle()
		})
	}
}

// killWhen starts a run and strikes as soon as its client has seen enough.
func (f *field) killWhen(a *app, in input, enough func(*ride) bool) {
	f.t.Helper()
	now := make(chan struct{}, 1)
	r := f.ride(a, in, func(r *ride) {
		if enough(r) {
			select {
			case now <- struct{}{}:
			default:
			}
		}
	})
	select {
	case <-now:
	case <-r.done:
		require.FailNow(f.t, "the run ended before the moment to kill", "%v", r.err)
	case <-f.ctx.Done():
		require.FailNow(f.t, "the moment to kill never came")
	}
	f.kill()
}

// TestKillAtRandom kills at random moments while several clients run apps with
// random inputs, until the wanted number of runs was hit.
func TestKillAtRandom(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	const riders = 12
	for i, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Logf("to repeat the moments: -seed %d", s)
			f := newField(t, i)
			want := *kills / len(modes)
			stop := make(chan struct{})
			var all sync.WaitGroup
			for k := range riders {
				rnd := rand.New(rand.NewPCG(s, uint64(k)))
				all.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-f.ctx.Done():
							return
						default:
						}
						in := input{n: 1 + rnd.IntN(30), pause: rnd.IntN(12)}
						<-f.ride(f.apps[rnd.IntN(len(f.apps))], in, nil).done
					}
				})
			}
			rnd := rand.New(rand.NewPCG(s, 1000))
			for f.hits < want {
				require.NoError(t, pause(f.ctx, time.Duration(50+rnd.IntN(mode.gap))*time.Millisecond), "%d of %d kill points", f.hits, want)
				f.kill()
			}
			close(stop)
			all.Wait()
			f.settle()
			require.GreaterOrEqual(t, f.hits, want)
		})
	}
}
