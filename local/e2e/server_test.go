//go:build linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is the command under test in its own process, again and again on the
// same port and data.
type server struct {
	t    *testing.T
	args []string
	env  []string
	base string
	data string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has been waited for
	err  error
	log  bytes.Buffer
}

// newServer prepares `millrace COMMAND` with a port and a data folder of its
// own; it is started by start.
func newServer(t *testing.T, command string, args, env []string) *server {
	data := dataFolder(t)
	addr := freeAddress(t)
	s := &server{
		t: t, base: "http://" + addr, data: data,
		args: append([]string{command, "--listen", addr, "--data", data}, args...),
		env:  append(cleanEnvironment(), env...),
	}
	t.Cleanup(func() {
		early := s.ended()
		s.kill()
		if t.Failed() {
			t.Logf("the server ended by itself: %t (%v); its output:\n%s", early, s.exit(), tail(s.output(), 12000))
		}
	})
	return s
}

// newServerOn prepares a server on a world's database, with more settings.
func newServerOn(t *testing.T, w *world, settings []string, args ...string) *server {
	return newServer(t, "up", append([]string{"--tick", "100ms"}, args...),
		append([]string{"DATABASE_URL=" + w.databaseURL, "MILLRACE_LEASE_TTL=1s"}, settings...))
}

// splitting makes a server split iterations over few items.
func splitting() []string { return []string{"MILLRACE_FANOUT_OVER=8", "MILLRACE_FANOUT_SIZE=4"} }

// dataFolder returns a folder that an unprivileged Postgres can reach too.
func dataFolder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "millrace-e2e-data-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// freeAddress returns a free port below those that the system gives to outgoing
// connections: nobody takes it by accident while the server is down.
func freeAddress(t *testing.T) string {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(17000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	require.FailNow(t, "no free port")
	return ""
}

// cleanEnvironment is what the go command and Postgres need and no setting of
// Millrace.
func cleanEnvironment() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name == "PATH" || name == "HOME" || name == "TMPDIR" || strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "XDG_") {
			env = append(env, kv)
		}
	}
	return env
}

// Write takes the process's output.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *server) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// start starts the process and does not wait for it to be ready.
func (s *server) start() {
	s.t.Helper()
	cmd := exec.Command(build(s.t), s.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, s, s
	cmd.WaitDelay = 5 * time.Second // a grandchild must not hold the output forever
	require.NoError(s.t, cmd.Start())
	done := make(chan struct{})
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	go func() {
		err := cmd.Wait()
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
		close(done)
	}()
}

// ready waits until /health answers 200.
func (s *server) ready(limit time.Duration) {
	s.t.Helper()
	eventually(s.t, limit, "the server to be ready", func() bool {
		select {
		case <-s.done:
			require.FailNow(s.t, "the server ended while it was starting", "%v\n%s", s.exit(), tail(s.output(), 4000))
		default:
		}
		return s.health() == http.StatusOK
	})
}

// health returns the status of /health, or 0 while nobody answers.
func (s *server) health() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/health", nil)
	require.NoError(s.t, err)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// ended reports whether the process is gone.
func (s *server) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		return true
	}
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *server) exit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *server) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil || s.cmd.Process == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// kill ends the process with SIGKILL and returns when it is gone.
func (s *server) kill() { s.end(syscall.SIGKILL) }

// end sends a signal and returns when the process is gone.
func (s *server) end(sig syscall.Signal) {
	pid := s.pid()
	if pid == 0 {
		return
	}
	select {
	case <-s.done:
		return
	default:
	}
	_ = syscall.Kill(pid, sig) // it may be gone by now
	<-s.done
}

// descendants returns the processes below pid, with the name of their program.
func descendants(pid int) map[int]string {
	out := map[int]string{}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				continue
			}
			exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", child))
			out[child] = filepath.Base(exe)
			for p, name := range descendants(child) {
				out[p] = name
			}
		}
	}
	return out
}

// alive reports whether a process runs: a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest != "" && rest[0] != 'Z' && rest[0] != 'X'
}

func tail(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}
