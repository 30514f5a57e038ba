package runs

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// sink is a database that keeps groups on their way until it is told how they end.
type sink struct {
	arrived chan []int
	end     chan error
	mu      sync.Mutex
	refuse  map[int]bool // items that no transaction may have
	written []int
}

func newSink() *sink {
	return &sink{arrived: make(chan []int, 64), end: make(chan error, 64), refuse: map[int]bool{}}
}

func (s *sink) send(ctx context.Context, items []int) error {
	s.arrived <- append([]int(nil), items...)
	var err error
	select {
	case err = <-s.end:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range items {
		if s.refuse[i] {
			return &pgconn.PgError{Code: "23505"}
		}
	}
	if err == nil {
		s.written = append(s.written, items...)
	}
	return err
}

func (s *sink) gatherer() *gatherer[int] {
	return &gatherer[int]{send: s.send, weigh: func(int) int { return 1 }}
}

// start calls do and returns where its result will be.
func start(ctx context.Context, g *gatherer[int], item int) <-chan error {
	out := make(chan error, 1)
	go func() { out <- g.do(ctx, item) }()
	return out
}

// waitFor waits until n items wait for a slot.
func waitFor(t *testing.T, g *gatherer[int], n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.waiting) == n
	}, 5*time.Second, time.Millisecond)
}

// fill takes every slot with a commit of its own and returns how they end.
func fill(t *testing.T, s *sink, g *gatherer[int]) []<-chan error {
	t.Helper()
	var out []<-chan error
	for i := range gatherSlots {
		out = append(out, start(t.Context(), g, -i))
		require.Equal(t, []int{-i}, <-s.arrived, "nobody waits for company")
	}
	return out
}

// release ends the commits that fill has begun.
func release(s *sink) {
	for range gatherSlots {
		s.end <- nil
	}
}

// busySink has one group of three on its way, so that one more must wait.
func busySink(t *testing.T) (*sink, *gatherer[int], []<-chan error) {
	t.Helper()
	s := newSink()
	g := s.gatherer()
	alone := fill(t, s, g)
	var results []<-chan error
	for i := 3; i <= 5; i++ {
		results = append(results, start(t.Context(), g, i))
		waitFor(t, g, i-2)
	}
	release(s)
	for _, r := range alone {
		require.NoError(t, <-r)
	}
	require.Equal(t, []int{3, 4, 5}, <-s.arrived, "what waits goes together")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = nil
	return s, g, results
}

func TestGathererSendsWhatWaitsTogether(t *testing.T) {
	t.Parallel()
	s, g, results := busySink(t)
	results = append(results, start(t.Context(), g, 6))
	waitFor(t, g, 1)
	s.end <- nil
	require.Equal(t, []int{6}, <-s.arrived)
	s.end <- nil
	for _, r := range results {
		require.NoError(t, <-r)
	}
	require.ElementsMatch(t, []int{3, 4, 5, 6}, s.written)
}

func TestGathererKeepsRefusalsApart(t *testing.T) {
	t.Parallel()
	s, _, results := busySink(t)
	s.refuse[4] = true
	for range 4 { // the group and then each of its members
		s.end <- nil
	}
	require.NoError(t, <-results[0])
	var refused *pgconn.PgError
	require.ErrorAs(t, <-results[1], &refused)
	require.NoError(t, <-results[2])
	require.ElementsMatch(t, []int{3, 5}, s.written)
}

func TestGathererTellsAllThatTheOutcomeIsOpen(t *testing.T) {
	t.Parallel()
	s, g, results := busySink(t)
	lost := errors.New("connection lost")
	s.end <- lost
	for _, r := range results {
		require.ErrorIs(t, <-r, lost)
	}
	again := start(t.Context(), g, 7)
	require.Equal(t, []int{7}, <-s.arrived, "nothing was sent twice")
	s.end <- nil
	require.NoError(t, <-again)
}

func TestGathererLetsOneGiveUp(t *testing.T) {
	t.Parallel()
	s, g, results := busySink(t)
	ctx, cancel := context.WithCancel(t.Context())
	waits := start(ctx, g, 6)
	waitFor(t, g, 1)
	cancel()
	require.ErrorIs(t, <-waits, context.Canceled)
	s.end <- nil
	for _, r := range results {
		require.NoError(t, <-r)
	}
	require.NotContains(t, s.written, 6)
}

func TestGathererOutlivesItsLeader(t *testing.T) {
	t.Parallel()
	s := newSink()
	g := s.gatherer()
	busy := fill(t, s, g)
	ctx, cancel := context.WithCancel(t.Context())
	leader := start(ctx, g, 3)
	waitFor(t, g, 1)
	member := start(t.Context(), g, 4)
	waitFor(t, g, 2)
	release(s)
	require.Equal(t, []int{3, 4}, <-s.arrived)
	cancel() // the leader's caller has gone, the member's has not
	s.end <- nil
	for _, r := range append(busy, leader, member) {
		require.NoError(t, <-r)
	}
}
