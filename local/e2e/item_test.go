//go:build linux

package e2e

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
)

// gate stands before the echo server. It counts the calls for each item of an
// iteration, and holds those of some items until it is opened.
type gate struct {
	next http.Handler

	mu    sync.Mutex
	calls map[int]int
	holds func(item int) bool
	open  chan struct{}
}

func newGate(next http.Handler) *gate { return &gate{next: next, calls: map[int]int{}} }

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	item, err := strconv.Atoi(r.URL.Query().Get("item"))
	g.mu.Lock()
	var open chan struct{}
	if err == nil {
		g.calls[item]++
		if g.holds != nil && g.holds(item) {
			open = g.open
		}
	}
	g.mu.Unlock()
	if open != nil {
		select {
		case <-open:
		case <-r.Context().Done():
			return
		}
	}
	g.next.ServeHTTP(w, r)
}

// hold forgets what was counted and closes the gate for some items; the result
// opens it.
func (g *gate) hold(holds func(item int) bool) (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls, g.holds, g.open = map[int]int{}, holds, make(chan struct{})
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.holds = nil
		close(g.open)
	})
}

// called returns how often each item has called.
func (g *gate) called(n int) []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]int, n)
	for i := range out {
		out[i] = g.calls[i]
	}
	return out
}

// TestKillInItem37 kills in the middle of a parallel iteration over 100 items:
// what is finished stays finished, and exactly what was under way is called once
// more.
func TestKillInItem37(t *testing.T) {
	const items, at, parallel = 100, 37, 10
	for i, mode := range modes {
		for _, split := range []bool{false, true} {
			name, settings := mode.name, []string(nil)
			if split {
				name, settings = name+", in parts", splitting()
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newField(t, i, settings)
				holds := func(item int) bool { return item >= at }
				before := at // items that are finished when the kill comes
				if split {
					// Items do not wait for each other: all but one can be done.
					holds, before = func(item int) bool { return item == at }, items-1
				}
				open := f.gate.hold(holds)
				t.Cleanup(open)
				var rung *app
				for _, a := range f.apps {
					if a.name == parallelName {
						rung = a
					}
				}
				r := f.ride(rung, input{n: items}, nil)
				underWay := func(n int) int { // calls of an item at that moment
					if split || n < at+parallel {
						return 1
					}
					return 0
				}
				eventually(t, time.Minute, "the items before to be finished, and item 37 to call", func() bool {
					for n, calls := range f.gate.called(items) {
						if calls != underWay(n) {
							return false
						}
					}
					return f.finishedItems(t) == before
				})
				id, _, _ := r.position()
				kept := f.journal(t, id)
				f.kill(true)
				open()
				<-r.done
				f.verify(t, r)
				again := f.journal(t, id)
				require.Equal(t, kept, again[:len(kept)], "what was in the journal stays")
				for n, calls := range f.gate.called(items) {
					want := 1
					if n == at || !split && n > at && n < at+parallel {
						want = 2
					}
					require.Equal(t, want, calls, "item %d", n)
				}
				f.settle()
			})
		}
	}
}

// finishedItems counts the items whose result is in the journal of the run or,
// when it is split, in those of its parts.
func (f *field) finishedItems(t *testing.T) int {
	t.Helper()
	split := false
	for _, s := range f.runs(t) {
		split = split || s.part
	}
	n := 0
	for _, s := range f.runs(t) {
		if s.part != split {
			continue
		}
		for _, e := range f.journal(t, s.id) {
			if e.Type == workflow.EventNodeFinished && e.Node.NodeID == "say" {
				n++
			}
		}
	}
	return n
}
