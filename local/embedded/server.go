//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startPatience bounds the wait for a server to accept connections, recovery
// after a crash included.
const startPatience = 2 * time.Minute

// process is a child bound to the life of this process.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid after done
}

// startProcess starts a child from a thread that lives as long as the child:
// the kernel sends the parent-death signal when the starting thread ends, not
// the process.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks for a fast shutdown, then for an immediate one when ctx ends.
func (p *process) stop(ctx context.Context) error {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	kill := time.NewTimer(5 * time.Second)
	defer kill.Stop()
	select {
	case <-p.done:
	case <-kill.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	return nil
}

// startServer runs the server and waits until it accepts connections. On
// failure it returns what the server logged.
func (p *Postgres) startServer(ctx context.Context) (string, error) {
	logFile, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return "", err
	}
	defer logFile.Close() //nolint:errcheck // the server writes with its own descriptor
	if info, err := logFile.Stat(); err == nil && info.Size() > 8<<20 {
		_ = logFile.Truncate(0) // keep the log from growing for ever
	}
	info, err := logFile.Stat()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(p.programs.path("postgres"), p.arguments()...)
	cmd.Dir = "/"
	cmd.Env = environment()
	cmd.SysProcAttr = processAttributes(p.account)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if p.process, err = startProcess(cmd); err != nil {
		return "", err
	}
	announced := false
	begun := 0
	ready := poll(ctx, startPatience, func() bool {
		if begun++; begun > 200 && !announced { // polls are 5 ms apart
			announced = true
			p.opts.Progress("waiting for PostgreSQL (it may be recovering after a crash)")
		}
		return p.process.ended() || isReady(filepath.Join(p.data, "postmaster.pid"), p.process.pid())
	})
	if ready && !p.process.ended() {
		return "", nil
	}
	if !p.process.ended() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.process.stop(now)
	}
	log := readFrom(p.logFile, info.Size())
	if p.process.err != nil {
		return log, fmt.Errorf("the server ended: %w", p.process.err)
	}
	return log, errors.New("the server did not become ready")
}

// isReady reads the status line the server keeps in its pid file.
func isReady(path string, pid int) bool {
	raw, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	lines := strings.Split(string(raw), "\n")
	return len(lines) >= 8 && strings.TrimSpace(lines[0]) == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func readFrom(path string, offset int64) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if offset > int64(len(raw)) {
		offset = 0
	}
	return string(raw[offset:])
}

// arguments are the command line of the server. Settings travel there and not
// in postgresql.conf, so that a later release can change them for folders that
// exist already.
func (p *Postgres) arguments() []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(p.port),
		"unix_socket_directories": "", // its usual place belongs to a system server
		"logging_collector":       "off",
		"log_min_messages":        "warning",
		"max_connections":         "200",
		"max_wal_size":            "256MB",
		"jit":                     "off", // statements here are short: compiling costs more than it saves
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if p.opts.Fast {
		maps.Copy(settings, map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
	}
	maps.Copy(settings, p.opts.Settings)
	args := []string{"-D", p.data}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}
