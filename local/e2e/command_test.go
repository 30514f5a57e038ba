//go:build linux

package e2e

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// family notes every process that is ever seen below a server.
type family struct {
	mu   sync.Mutex
	seen map[int]string
	stop context.CancelFunc
	done chan struct{}
}

// watch begins to note the processes below the server.
func (s *server) watch() *family {
	ctx, cancel := context.WithCancel(context.Background())
	f := &family{seen: map[int]string{}, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for {
			now := descendants(s.pid())
			f.mu.Lock()
			for pid, name := range now {
				f.seen[pid] = name
			}
			f.mu.Unlock()
			if pause(ctx, 20*time.Millisecond) != nil {
				return
			}
		}
	}()
	s.t.Cleanup(f.end)
	return f
}

func (f *family) end() {
	f.stop()
	<-f.done
}

// gone waits until none of them is left.
func (f *family) gone(t *testing.T) {
	t.Helper()
	f.end()
	require.NotEmpty(t, f.seen, "the server has started something")
	eventually(t, 15*time.Second, "everything that the server started to end", func() bool {
		for pid := range f.seen {
			if alive(pid) {
				return false
			}
		}
		return true
	})
}

func (f *family) has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.seen {
		if n == name {
			return true
		}
	}
	return false
}

func (s *server) wait(limit time.Duration) {
	s.t.Helper()
	select {
	case <-s.done:
	case <-s.t.Context().Done():
		require.FailNow(s.t, "the test is over")
	case <-after(limit):
		require.FailNow(s.t, "the process does not end", "for %s:\n%s", limit, tail(s.output(), 4000))
	}
}

func after(d time.Duration) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = pause(context.Background(), d)
	}()
	return done
}

// TestDemo runs the README's first command on a fresh folder.
func TestDemo(t *testing.T) {
	t.Parallel()
	s := newServer(t, "demo", []string{"--exit"}, nil)
	s.start()
	below := s.watch()
	s.wait(2 * time.Minute)
	require.NoError(t, s.exit(), s.output())
	out := s.output()
	steps := []string{"PostgreSQL", "schema ", "ready ", "account ", "model ", "imported ", "running ", " text ", "finished  succeeded", "repeat it  curl -N " + s.base, "look "}
	at := 0
	for _, step := range steps {
		i := strings.Index(out[at:], step)
		require.GreaterOrEqual(t, i, 0, "%q in its place in\n%s", step, out)
		at += i
	}
	require.True(t, below.has("postgres"))
	below.gone(t)
	require.Zero(t, s.health(), "nobody listens any more")
}

// TestLifeOfTheServer starts a server on a fresh folder, asks for its health
// all the time, and ends it in each of the ways in which a server ends.
func TestLifeOfTheServer(t *testing.T) {
	t.Parallel()
	s := newServer(t, "up", nil, nil)
	for _, life := range []struct {
		name   string
		fresh  bool
		during bool // the signal comes while it starts
		sig    syscall.Signal
	}{
		{"interrupted while it starts", true, true, syscall.SIGINT},
		{"interrupted", true, false, syscall.SIGINT},
		{"terminated", false, false, syscall.SIGTERM},
		{"killed", false, false, syscall.SIGKILL},
		{"terminated after a kill", false, false, syscall.SIGTERM},
	} {
		s.start()
		below := s.watch()
		var states []int
		eventually(t, 2*time.Minute, life.name+": the server to come", func() bool {
			if n := s.health(); len(states) == 0 || states[len(states)-1] != n {
				states = append(states, n)
			}
			return states[len(states)-1] == http.StatusOK || s.ended() || life.during && below.has("postgres")
		})
		require.False(t, s.ended(), "%s: %v\n%s", life.name, s.exit(), s.output())
		if states[0] == 0 {
			states = states[1:] // the process was not there yet
		}
		if life.fresh {
			require.Equal(t, http.StatusServiceUnavailable, states[0], life.name)
		}
		if !life.during {
			require.Equal(t, http.StatusOK, states[len(states)-1], life.name)
			require.LessOrEqual(t, len(states), 2, "%s: first starting, then ready, nothing else: %v", life.name, states)
		}
		s.end(life.sig)
		if life.sig != syscall.SIGKILL {
			require.NoError(t, s.exit(), "%s\n%s", life.name, s.output())
		}
		below.gone(t)
	}
}

// TestPortInUse says what is wrong and what to do.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	s := newServer(t, "up", nil, nil)
	addr := strings.TrimPrefix(s.base, "http://")
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	defer l.Close()
	s.start()
	s.wait(10 * time.Second)
	require.Error(t, s.exit())
	require.Contains(t, s.output(), "another program listens on "+addr)
	require.Contains(t, s.output(), "--listen")
	require.NotContains(t, s.output(), "goroutine")
}

// TestWrongUse answers with the usage.
func TestWrongUse(t *testing.T) {
	t.Parallel()
	for command, args := range map[string][]string{"dance": nil, "up": {"--nonsense"}} {
		s := newServer(t, command, args, nil)
		s.start()
		s.wait(10 * time.Second)
		require.Error(t, s.exit(), command)
		require.Contains(t, s.output(), "usage: millrace", command)
	}
}

// quit ends a server the polite way and checks that nothing of it is left.
func (s *server) quit() {
	s.t.Helper()
	var below []int
	for pid := range descendants(s.pid()) {
		below = append(below, pid)
	}
	s.end(syscall.SIGTERM)
	require.NoError(s.t, s.exit())
	eventually(s.t, 10*time.Second, "all functions to end", func() bool { return !slices.ContainsFunc(below, alive) })
}
