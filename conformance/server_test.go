package conformance

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/shared/clock"
)

// startServer builds the local command, runs it on a fresh database and returns
// its address. All functions are in that one process, or on the emulated
// Lambda.
func startServer(t *testing.T, lambda bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "millrace-conformance-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755)) // jailed code runs as another account
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := filepath.Join(dir, "millrace")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../local").CombinedOutput()
	require.NoError(t, err, string(out))

	address := freeAddress(t)
	args := []string{"up", "--listen", address, "--data", filepath.Join(dir, "data"), "--tick", "200ms"}
	if lambda {
		args = append(args, "--lambda")
	}
	cmd := exec.Command(program, args...)
	log := &output{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(cleanEnvironment(), "DATABASE_URL="+pgtest.URL(t))
	cmd.WaitDelay = 5 * time.Second
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its output
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(15 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		if t.Failed() {
			t.Logf("the server's output:\n%s", shorten(log.String(), 8000))
		}
	})
	waitReady(t, "http://"+address, done, log)
	return "http://" + address
}

func waitReady(t *testing.T, base string, done chan struct{}, log *output) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		select {
		case <-done:
			require.FailNow(t, "the server ended while it was starting", log.String())
		default:
		}
		if healthy(ctx, base) {
			return
		}
		require.NoError(t, clock.Sleep(ctx, clock.System{}, 20*time.Millisecond), "the server is not ready in time\n%s", log.String())
	}
}

func healthy(ctx context.Context, base string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// cleanEnvironment is what the command needs from this machine and no setting
// of Millrace.
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

// output collects what a process says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns what came so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprint(o.text.String())
}
