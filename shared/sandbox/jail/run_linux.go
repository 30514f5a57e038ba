//go:build linux && (amd64 || arm64)

package jail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/millrace/millrace/shared/sandbox/driver"
)

// The child's descriptors beside the standard three.
const (
	resultFD  = 3 // main's result or the error
	controlFD = 4 // why the jail could not be built; closed when the code starts
)

// job is what a JavaScript child reads from its standard input.
type job struct {
	Code   string          `json:"code"`
	Inputs json.RawMessage `json:"inputs"`
}

// run starts a child, feeds it and makes a response or an error of its end.
func (d *Driver) run(ctx context.Context, p *plan, req *driver.Request) (*driver.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("run code: %w", err)
	}
	input, err := d.input(req)
	if err != nil {
		return nil, err
	}
	spec := p.spec
	spec.Network = req.EnableNetwork && d.opts.AllowNetwork
	spec.MaxStdout = req.MaxStdout
	spec.CPU = int64((req.Timeout+time.Second-1)/time.Second) + 1
	rawSpec, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode the child's orders: %w", err)
	}
	if spec.Root != "" {
		if err := makeRootFolder(spec.Root); err != nil {
			return nil, fmt.Errorf("make the jail's folder: %w", err)
		}
	}
	c := &child{cmd: command(spec, string(rawSpec))}
	if err := c.pipes(req); err != nil {
		return nil, err
	}
	// The kernel kills the child when the thread that started it ends, so that
	// thread must live as long as the child does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.start(input); err != nil {
		return nil, fmt.Errorf("start the code's process: %w", err)
	}
	over := c.watch(ctx, d.opts.Clock.After(req.Timeout))
	state := c.wait()
	reason := over()
	return c.outcome(ctx, reason, state, req)
}

func (d *Driver) input(req *driver.Request) ([]byte, error) {
	if req.Language == driver.JavaScript {
		raw, err := json.Marshal(job{Code: req.Code, Inputs: req.Inputs})
		if err != nil {
			return nil, fmt.Errorf("encode the code: %w", err)
		}
		return raw, nil
	}
	return encodeMarshal(req.Code, d.opts.PythonPath, req.Inputs)
}

func command(spec childSpec, orders string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{childName, orders}
	cmd.Env = []string{} // nothing of this process's settings and secrets
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if spec.Namespaces != "" {
		flags := syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
		if !spec.Network {
			flags |= syscall.CLONE_NEWNET
		}
		if spec.Namespaces == "user" {
			flags |= syscall.CLONE_NEWUSER
			uids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
			gids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
			if spec.UID != 0 { // root in a container that may not mount: it still leaves its uid
				other := syscall.SysProcIDMap{ContainerID: spec.UID, HostID: spec.UID, Size: 1}
				uids, gids = append(uids, other), append(gids, other)
				cmd.SysProcAttr.GidMappingsEnableSetgroups = true
			}
			cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = uids, gids
		}
		cmd.SysProcAttr.Cloneflags = uintptr(flags)
	}
	return cmd
}

// child is a process that runs code, with everything it says.
type child struct {
	cmd   *exec.Cmd
	stdin *os.File
	// theirs are the child's ends, closed here once it has started.
	theirs  []*os.File
	readers []*reader
	done    sync.WaitGroup
}

// The readers of a child, by index.
const (
	fromStdout = iota
	fromStderr
	fromResult
	fromControl
)

// reader keeps what a pipe gives up to a limit. Beyond it kills the child.
type reader struct {
	f     *os.File
	limit int64
	buf   bytes.Buffer
	over  bool
}

func (c *child) pipes(req *driver.Request) (err error) {
	defer func() {
		if err != nil {
			c.closeAll()
			err = fmt.Errorf("make a pipe: %w", err)
		}
	}()
	in, stdin, err := os.Pipe()
	if err != nil {
		return err
	}
	c.stdin, c.theirs = stdin, append(c.theirs, in)
	for _, limit := range []int64{req.MaxStdout, 256 << 10, req.MaxOutput + 1, 4 << 10} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		c.readers = append(c.readers, &reader{f: r, limit: limit})
		c.theirs = append(c.theirs, w)
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = c.theirs[0], c.theirs[1], c.theirs[2]
	c.cmd.ExtraFiles = c.theirs[3:]
	return nil
}

func (c *child) closeAll() {
	for _, f := range c.theirs {
		_ = f.Close()
	}
	c.theirs = nil
	if c.stdin != nil {
		_ = c.stdin.Close()
	}
	for _, r := range c.readers {
		_ = r.f.Close()
	}
}

func (c *child) start(input []byte) error {
	if err := c.cmd.Start(); err != nil {
		c.closeAll()
		return err
	}
	for _, f := range c.theirs {
		_ = f.Close()
	}
	c.done.Go(func() {
		// A child that does not read its input has its reasons.
		_, _ = c.stdin.Write(input)
		_ = c.stdin.Close()
	})
	for i, r := range c.readers {
		c.done.Go(func() {
			defer func() { _ = r.f.Close() }()
			n, _ := io.Copy(&r.buf, io.LimitReader(r.f, r.limit+1))
			if n <= r.limit {
				return
			}
			r.over = true
			if i != fromStderr { // what libraries complain about is no reason to end
				c.kill()
			}
			_, _ = io.Copy(io.Discard, r.f)
		})
	}
	return nil
}

// kill ends the child and all that it may have started.
func (c *child) kill() {
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	_ = c.cmd.Process.Kill()
}

// watch kills the child when ctx ends or the time is over. The returned
// function stops it and says which of them happened.
func (c *child) watch(ctx context.Context, timeout <-chan time.Time) func() error {
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		select {
		case <-stop:
			ended <- nil
			return
		case <-ctx.Done():
			ended <- ctx.Err()
		case <-timeout:
			ended <- driver.Errorf(driver.Timeout, "The code ran longer than allowed.")
		}
		c.kill()
	}()
	return func() error {
		close(stop)
		return <-ended
	}
}

// wait waits for the end of the process and of everything it wrote.
func (c *child) wait() *os.ProcessState {
	_ = c.cmd.Wait() // how it ended stands in the state
	// Nothing that the code started may hold the pipes open.
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	c.done.Wait()
	return c.cmd.ProcessState
}

// outcome makes a response or an error of a child that has ended.
func (c *child) outcome(ctx context.Context, reason error, state *os.ProcessState, req *driver.Request) (*driver.Response, error) {
	if text := c.readers[fromControl].buf.String(); text != "" {
		return nil, driver.Errorf(driver.Unavailable, "The code sandbox could not be set up: %s", text)
	}
	switch {
	case c.readers[fromStdout].over:
		return nil, driver.Errorf(driver.TooLarge, "The code printed more than %d bytes.", req.MaxStdout)
	case c.readers[fromResult].over:
		return nil, driver.Errorf(driver.TooLarge, "The result of the code is larger than %d bytes.", req.MaxOutput)
	}
	result := c.readers[fromResult].buf.Bytes()
	if state.Success() && len(result) > 0 && result[0] == 'R' {
		return &driver.Response{Output: result[1:], Stdout: c.readers[fromStdout].buf.String()}, nil
	}
	if reason != nil {
		if ctx.Err() != nil && errors.Is(reason, ctx.Err()) {
			return nil, fmt.Errorf("run code: %w", reason)
		}
		return nil, reason
	}
	if len(result) > 0 {
		text := strings.ToValidUTF8(string(result[1:]), "\ufffd")
		switch result[0] {
		case 'E':
			return nil, driver.Errorf(driver.User, "%s", text)
		case 'T':
			return nil, driver.Errorf(driver.TooLarge, "%s", text)
		}
	}
	return nil, died(state, c.readers[fromStderr].buf.String())
}

// died explains a child that ended without an answer.
func died(state *os.ProcessState, stderr string) error {
	status, ok := state.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		switch status.Signal() {
		case syscall.SIGXCPU, syscall.SIGKILL: // the limit of processor time sends these
			return driver.Errorf(driver.Timeout, "The code used more processor time than allowed.")
		case syscall.SIGXFSZ:
			return driver.Errorf(driver.User, "The code wrote a file larger than allowed.")
		default:
			return driver.Errorf(driver.User, "The code ended by signal %s.", status.Signal())
		}
	}
	stderr = strings.TrimSpace(strings.ToValidUTF8(stderr, "\ufffd"))
	switch {
	case strings.Contains(stderr, "out of memory") || strings.Contains(stderr, "cannot allocate memory"):
		return driver.Errorf(driver.User, "The code used more memory than allowed.")
	case len(stderr) > 2000:
		stderr = "…" + stderr[len(stderr)-2000:]
	}
	return &driver.Error{
		Kind: driver.User, Message: fmt.Sprintf("The code ended without a result (exit status %d).", state.ExitCode()),
		Cause: errors.New(stderr),
	}
}
