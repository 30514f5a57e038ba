// Package admission lets only so many runs of a process be under way at once.
// Others wait for their turn instead of failing, so that a burst costs time and
// not memory: a waiting request is a connection and a goroutine, a run is its
// events, its variables and its place in the queue for the database.
//
// Waiting is fair between workspaces: they take turns, and within one who came
// first goes first. A run that waits has not been made, its time has not begun,
// and when its client leaves nothing is left of it.
//
// It does not slow the workers of queues, which continue runs that exist, nor
// runs that are called by others: those would wait for who waits for them.
package admission

import (
	"context"
	"slices"
	"sync"

	"github.com/millrace/millrace/shared/run"
)

// Starter starts runs. *run.Service is one.
type Starter interface {
	Start(ctx context.Context, req run.StartRequest, sink run.Sink) (*run.Result, error)
}

// Runs is a run service that admits so many runs at once.
type Runs struct {
	*run.Service
	gate *Gate
}

// New returns a service that starts at most limit runs at once; 0 sets no
// limit.
func New(s *run.Service, limit int) *Runs { return &Runs{Service: s, gate: NewGate(limit)} }

var _ Starter = (*Runs)(nil)

// Start makes a run when its turn has come; see run.Service.Start.
func (r *Runs) Start(ctx context.Context, req run.StartRequest, sink run.Sink) (*run.Result, error) {
	leave, err := r.gate.Enter(ctx, req.TenantID)
	if err != nil {
		return nil, err
	}
	defer leave()
	return r.Service.Start(ctx, req, sink)
}

// Gate lets so many in at once. It is safe for concurrent use.
type Gate struct {
	limit int

	mu     sync.Mutex
	inside int
	// waiting are those who wait by tenant, and turns the tenants that have any,
	// in the order in which it is their turn.
	waiting map[string][]chan struct{}
	turns   []string
}

// NewGate returns a gate for so many at once; 0 sets no limit.
func NewGate(limit int) *Gate { return &Gate{limit: limit, waiting: map[string][]chan struct{}{}} }

// Enter waits for a place, or until ctx ends. Who has entered calls leave, once.
func (g *Gate) Enter(ctx context.Context, tenantID string) (leave func(), err error) {
	if g.limit <= 0 {
		return func() {}, nil
	}
	g.mu.Lock()
	if g.inside < g.limit {
		g.inside++
		g.mu.Unlock()
		return g.leave, nil
	}
	mine := make(chan struct{})
	if len(g.waiting[tenantID]) == 0 {
		g.turns = append(g.turns, tenantID)
	}
	g.waiting[tenantID] = append(g.waiting[tenantID], mine)
	g.mu.Unlock()
	select {
	case <-mine:
		return g.leave, nil
	case <-ctx.Done():
	}
	if !g.withdraw(tenantID, mine) {
		g.leave() // the place came at the same moment: it is the next one's
	}
	return nil, context.Cause(ctx)
}

// leave hands the place to who is next.
func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.turns) == 0 {
		g.inside--
		return
	}
	tenantID := g.turns[0]
	g.turns = g.turns[1:]
	list := g.waiting[tenantID]
	close(list[0])
	if len(list) == 1 {
		delete(g.waiting, tenantID)
		return
	}
	g.waiting[tenantID] = list[1:]
	g.turns = append(g.turns, tenantID)
}

// withdraw takes somebody out of the queue; false when the place was given.
func (g *Gate) withdraw(tenantID string, mine chan struct{}) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.waiting[tenantID]
	i := slices.Index(list, mine)
	if i < 0 {
		return false
	}
	if len(list) == 1 {
		delete(g.waiting, tenantID)
		g.turns = slices.DeleteFunc(g.turns, func(t string) bool { return t == tenantID })
		return true
	}
	g.waiting[tenantID] = slices.Delete(list, i, i+1)
	return true
}

// Waiting returns how many wait.
func (g *Gate) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, list := range g.waiting {
		n += len(list)
	}
	return n
}
