package runs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// gatherSlots is how many gathered commits are under way at once: while one
	// waits for the disk, the next one is written.
	gatherSlots = 3
	// gatherItems and gatherBytes bound one gathered commit.
	gatherItems = 64
	gatherBytes = 1 << 20
)

// gatherer sends what several goroutines have to write at the same moment as
// one transaction. Nobody waits for company while nothing is under way; beside
// others a commit sets out when at least half as much waits as they have, so
// that all of them stay large.
//
// A statement that the database refuses undoes the whole transaction, so its
// members are then sent again one by one, and each has its own result. Other
// failures (a lost connection) leave the outcome open; all members get them.
type gatherer[T any] struct {
	// send writes items as one transaction.
	send func(ctx context.Context, items []T) error
	// weigh is the rough size of an item in bytes.
	weigh func(T) int

	mu      sync.Mutex
	waiting []*waiter[T]
	busy    int // slots in use
	flying  int // items on their way
	// leading is true from the moment when a waiter is told to lead until it has
	// taken along what waits by then.
	leading bool
}

// waiter is a goroutine whose item is to be sent.
type waiter[T any] struct {
	ctx  context.Context
	item T
	turn chan turn
	err  error
}

// turn tells a waiter what to do next.
type turn int

const (
	turnSent  turn = iota // nothing: its err is the result
	turnLead              // send its item and those of others
	turnAlone             // send its item without others
)

// do returns when the item is written, or is known not to be.
func (g *gatherer[T]) do(ctx context.Context, item T) error {
	w := &waiter[T]{ctx: ctx, item: item, turn: make(chan turn, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	g.wake()
	g.mu.Unlock()
	var t turn
	select {
	case t = <-w.turn:
	case <-ctx.Done():
		if g.withdraw(w) {
			return context.Cause(ctx)
		}
		t = <-w.turn // it is on its way, and what comes of it has to be known
	}
	switch t {
	case turnLead:
		return g.lead(w)
	case turnAlone:
		return g.send(ctx, []T{item})
	default:
		return w.err
	}
}

// lead sends the waiter's item and what else is waiting, and gives the slot on.
func (g *gatherer[T]) lead(w *waiter[T]) error {
	members := g.take(w)
	defer g.land(len(members))
	items := make([]T, len(members))
	for i, m := range members {
		items[i] = m.item
	}
	err, t := errUnsent, turnSent
	tell := func() {
		for _, m := range members[1:] {
			m.err = err
			m.turn <- t
		}
	}
	ctx, done := together(members)
	func() {
		defer tell() // even if sending panics: nobody must wait for ever
		defer done()
		err = g.send(ctx, items)
		if refused := (*pgconn.PgError)(nil); len(members) > 1 && errors.As(err, &refused) {
			t = turnAlone
		}
	}()
	if t == turnAlone {
		return g.send(w.ctx, []T{w.item})
	}
	return err
}

// errUnsent is what the members get of a commit whose sender has broken down.
var errUnsent = errors.New("runs: a gathered commit broke down")

// take collects the members of a commit; the first is the one that leads.
func (g *gatherer[T]) take(leader *waiter[T]) []*waiter[T] {
	members, size := []*waiter[T]{leader}, g.weigh(leader.item)
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for ; n < len(g.waiting) && len(members) < gatherItems; n++ {
		if size += g.weigh(g.waiting[n].item); size > gatherBytes {
			break
		}
		members = append(members, g.waiting[n])
	}
	g.waiting = append(g.waiting[:0], g.waiting[n:]...)
	g.flying += len(members)
	g.leading = false
	g.wake()
	return members
}

// land frees the slot of a commit of n members.
func (g *gatherer[T]) land(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	g.flying -= n
	g.wake()
}

// wake lets the first that waits lead, if it may go now.
func (g *gatherer[T]) wake() {
	if len(g.waiting) == 0 || g.leading || g.busy >= gatherSlots || 2*len(g.waiting) < g.flying {
		return
	}
	next := g.waiting[0]
	g.waiting = append(g.waiting[:0], g.waiting[1:]...)
	g.busy++
	g.leading = true
	next.turn <- turnLead
}

// withdraw takes back an item that nobody has begun to send.
func (g *gatherer[T]) withdraw(w *waiter[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, have := range g.waiting {
		if have == w {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// together is a context that ends when the contexts of all members have ended:
// one that gives up must not undo the others' work. Its values are the leader's.
func together[T any](members []*waiter[T]) (context.Context, func()) {
	if len(members) == 1 {
		return members[0].ctx, func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(members[0].ctx))
	var left atomic.Int64
	left.Store(int64(len(members)))
	stops := make([]func() bool, len(members))
	for i, m := range members {
		stops[i] = context.AfterFunc(m.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
