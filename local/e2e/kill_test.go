//go:build linux

package e2e

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
)

// strike kills what holds runs; wide strikes everything, otherwise one worker
// only, where there are several.
type strike func(wide bool)

// inProcess kills the one process and starts it again on the same data.
func inProcess(t *testing.T, w *world, settings []string) (*server, strike) {
	s := newServerOn(t, w, settings)
	return s, func(bool) {
		s.kill()
		s.start()
		s.ready(60 * time.Second)
	}
}

// runners are the functions that hold runs.
var runners = []string{"workflow-run", "chat-messages", "run-workflow"}

// onLambda kills the processes of functions, each as if its machine had failed:
// all that hold runs, or one.
func onLambda(t *testing.T, w *world, settings []string) (*server, strike) {
	s := newServerOn(t, w, settings, "--lambda")
	require.NoError(t, os.Symlink(functions(t), filepath.Join(s.data, "functions")))
	return s, func(wide bool) {
		for pid, name := range descendants(s.pid()) {
			if !contains(runners, name) {
				continue
			}
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone by now
			if !wide {
				return
			}
		}
	}
}

// modes are the two ways in which the program runs functions.
var modes = []struct {
	name string
	open func(*testing.T, *world, []string) (*server, strike)
	slow bool
	// gap is the longest time between random kills, in milliseconds. On Lambda a
	// lease has to run out before another worker goes on.
	gap int
	// workers is true when single workers can be killed.
	workers bool
}{
	{"in process", inProcess, false, 500, false},
	{"lambda", onLambda, true, 1300, true},
}

// field is a mode's server with everything around it.
type field struct {
	*world
	s      *server
	strike strike
	apps   []*app
	t      *testing.T
	ctx    context.Context

	mu    sync.Mutex
	rides []*ride
	hits  map[string]int // kill points (kill, run that was under way), by app
	kills int            // wide ones
	lone  int            // kills of one worker; nobody knows whose
}

func newField(t *testing.T, mode int, settings []string) *field {
	if testing.Short() && modes[mode].slow {
		t.Skip("builds every function")
	}
	w := newWorld(t)
	f := &field{world: w, t: t, hits: map[string]int{}}
	f.s, f.strike = modes[mode].open(t, w, settings)
	f.s.start()
	f.s.ready(3 * time.Minute) // functions may have to be built
	f.apps = w.setUp(t, f.s)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	f.ctx = ctx
	return f
}

// ride starts a run; prepare, if any, is called before.
func (f *field) ride(a *app, in input, prepare func(*ride)) *ride {
	r := newRide(f.s.base, a, in)
	if prepare != nil {
		prepare(r)
	}
	f.mu.Lock()
	f.rides = append(f.rides, r)
	f.mu.Unlock()
	r.start(f.ctx)
	return r
}

// kill strikes once and counts whom. A run counts when it got on since the kill
// that was counted for it before, so that no point counts twice. Of a kill of
// one worker nobody knows which run it had, so it counts for none.
func (f *field) kill(wide bool) {
	f.mu.Lock()
	if !wide {
		f.lone++
	} else {
		f.kills++
		for _, r := range f.rides {
			if r.hit() {
				f.hits[r.app.name]++
			}
		}
	}
	f.mu.Unlock()
	f.strike(wide)
}

// points is how many kill points there were.
func (f *field) points() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, k := range f.hits {
		n += k
	}
	return n
}

// settle waits for all rides and checks everything.
func (f *field) settle() {
	t := f.t
	start := clock.System{}.Now()
	segments, restarts, pauses := 0, 0, 0
	for _, r := range f.rides {
		<-r.done
	}
	waited := clock.Since(clock.System{}, start)
	for _, r := range f.rides {
		if r.err != nil {
			t.Logf("%s: %v\n%s\n%s", r.app.name, r.err, f.stored(r.runID), show(r.events))
		}
		f.verify(t, r)
		segments += r.segments
		restarts += r.restarts
		pauses += r.asked
	}
	out := f.verifyAll(t, f.s.base, f.apps, f.rides)
	f.s.quit()
	t.Logf("%d kills of everything and %d of one worker; %d kill points (kill of everything, run under way that had got on); %d runs (%d of them called by others) and %d parts, all done "+
		"(%d started but unknown to their client); %d pauses; %d streams; %d effects, %d calls started again; %d texts announced as starting again; "+
		"the last run ended %s after the last kill",
		f.kills, f.lone, f.points(), out.runs, out.called, out.parts, out.unheard, pauses, segments, out.effects, out.again, restarts, waited.Round(time.Millisecond))
	for _, name := range slices.Sorted(maps.Keys(f.hits)) {
		t.Logf("%5d kill points in %s", f.hits[name], name)
	}
}

// moments are the moments of an app's runs at which it is killed: after so many
// facts, pieces of text, or answers that the client has sent.
func moments(a *app, in input) []func(*ride) bool {
	facts := 0
	for _, n := range a.counts(in) {
		facts += 2 * n
	}
	var out []func(*ride) bool
	at := func(n int) { out = append(out, func(r *ride) bool { seen, _ := r.counts(); return seen == n }) }
	for n := 1; n <= min(facts, 12); n++ {
		at(n)
	}
	for n := 15; n < facts; n += 7 { // the passes are much alike
		at(n)
	}
	if a.streams {
		for _, n := range []int{2, 5, 9} {
			out = append(out, func(r *ride) bool { _, texts := r.counts(); return texts == n })
		}
	}
	if a.name == askingName {
		for n := 1; n <= 2; n++ {
			out = append(out, func(r *ride) bool { return r.answers() == n })
		}
	}
	return out
}

// TestKillAtEveryBoundary kills right after a client has received the n-th event
// of its run, for every n, in the middle of the texts of models, and around the
// answers of people. Runs of all apps go on beside each other; moments that come
// together share a kill.
func TestKillAtEveryBoundary(t *testing.T) {
	for i, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			f := newField(t, i, splitting())
			in := input{n: 10, pause: 4}
			due := make(chan struct{}, 1)
			missed := 0
			for round := 0; ; round++ {
				var rides []*ride
				for _, a := range f.apps {
					if list := moments(a, in); round < len(list) {
						rides = append(rides, f.ride(a, in, func(r *ride) { r.when = once(list[round], due) }))
					}
				}
				if len(rides) == 0 {
					break
				}
				missed += f.killDue(rides, due)
			}
			t.Logf("%d moments were not met: the run had been hit before by another's", missed)
			f.settle()
		})
	}
}

// once tells due the first time that a ride is at a moment.
func once(at func(*ride) bool, due chan<- struct{}) func(*ride) {
	told := false
	return func(r *ride) {
		if told || !at(r) {
			return
		}
		told = true
		r.met.Store(true)
		select {
		case due <- struct{}{}:
		default: // the kill that is due will do
		}
	}
}

// together is how long a kill waits for other moments.
const together = 10 * time.Millisecond

// killDue kills whenever a moment has come, until all rides have met theirs or
// are over. It returns how many did not meet it.
func (f *field) killDue(rides []*ride, due <-chan struct{}) int {
	over := make(chan struct{})
	go func() {
		defer close(over)
		for _, r := range rides {
			for !r.met.Load() {
				select {
				case <-r.done:
				case <-after(5 * time.Millisecond):
					continue
				}
				break
			}
		}
	}()
	for {
		select {
		case <-due:
			_ = pause(f.ctx, together)
			f.kill(true)
			continue
		case <-over:
		}
		break
	}
	select {
	case <-due:
		f.kill(true)
	default:
	}
	missed := 0
	for _, r := range rides {
		if !r.met.Load() {
			missed++
		}
	}
	return missed
}

// TestKillAtRandom kills at random moments while several clients run apps with
// random inputs, until the wanted number of runs was hit.
func TestKillAtRandom(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	for i, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			t.Logf("to repeat the moments: -seed %d", s)
			f := newField(t, i, splitting())
			want := *kills / len(modes)
			stop := make(chan struct{})
			var all sync.WaitGroup
			for k := range riders {
				all.Go(func() { f.rideOn(k, rand.New(rand.NewPCG(s, uint64(k))), stop) })
			}
			rnd := rand.New(rand.NewPCG(s, 1000))
			for n := 0; f.points() < want; n++ {
				require.NoError(t, pause(f.ctx, time.Duration(50+rnd.IntN(mode.gap))*time.Millisecond), "%d of %d kill points", f.points(), want)
				f.kill(!mode.workers || n%4 != 3)
			}
			close(stop)
			all.Wait()
			f.settle()
			require.GreaterOrEqual(t, f.points(), want)
		})
	}
}

// riders are how many clients run apps at the same time.
const riders = 18

// rideOn runs apps one after the other until stop. One client runs the slow
// apps, the others all the rest.
func (f *field) rideOn(k int, rnd *rand.Rand, stop <-chan struct{}) {
	var list []*app
	for _, a := range f.apps {
		if a.slow == (k == 0) {
			list = append(list, a)
		}
	}
	for n := k; ; n++ {
		select {
		case <-stop:
			return
		case <-f.ctx.Done():
			return
		default:
		}
		in := input{n: 1 + rnd.IntN(30), pause: rnd.IntN(25)}
		wait := time.Duration(rnd.IntN(400)) * time.Millisecond
		r := f.ride(list[n%len(list)], in, func(r *ride) {
			r.linger = func(ctx context.Context) { _ = pause(ctx, wait) } // the loop looks at ctx
		})
		select {
		case <-r.done:
		case <-stop:
			if r.app.slow {
				return // settle waits for it
			}
			<-r.done
		}
	}
}
