package lambdaemu

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/ids"
)

const (
	// maxPayload is Lambda's limit for a buffered answer.
	maxPayload = 6 << 20
	// stopGrace is the time between SIGTERM and SIGKILL.
	stopGrace = 2 * time.Second
	// initLimit is how long a process may take until it asks for an event.
	initLimit = 10 * time.Second
	// maxStarts bounds how many processes are tried for an event that none took.
	maxStarts = 3
)

// errNotTaken says that the process ended before it was given the event, so
// that another one may have it.
var errNotTaken = errors.New("the event was not taken")

// FunctionError is what a function, or Lambda for it, answers instead of a result.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// Error returns type and message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// call is an event and how it is to be answered.
type call struct {
	payload       []byte
	clientContext string
	stream        bool
}

// invocation is one event on its way through an instance.
type invocation struct {
	call
	id       string
	deadline time.Time
	begun    chan struct{} // closed when the process has taken the event
	answer   chan answer   // has room for the one that is ever sent
	answered atomic.Bool
	done     chan struct{} // closed when the instance is free again or gone
	ended    sync.Once
}

type answer struct {
	body        io.ReadCloser
	contentType string
	err         error
}

// respond gives the caller its answer, unless it has had one.
func (inv *invocation) respond(a answer) bool {
	if inv.answered.Swap(true) {
		return false
	}
	inv.answer <- a
	return true
}

func (inv *invocation) taken() bool {
	select {
	case <-inv.begun:
		return true
	default:
		return false
	}
}

func (inv *invocation) end() { inv.ended.Do(func() { close(inv.done) }) }

// instance is one process.
type instance struct {
	id     string
	p      *pool
	cmd    *exec.Cmd
	work   chan *invocation // has room for one: the pool gives an instance to one caller
	exited chan struct{}
	dead   atomic.Bool // set before a kill, so that no event is given to it any more

	mu        sync.Mutex
	current   *invocation
	idleSince time.Time // guarded by the pool's lock
}

func startInstance(p *pool) (*instance, error) {
	inst := &instance{id: ids.Token(20), p: p, work: make(chan *invocation, 1), exited: make(chan struct{})}
	f := p.f
	cmd := exec.Command(p.binary)
	cmd.Dir = filepath.Dir(p.binary)
	// What Lambda sets. The credentials satisfy SDKs and open nothing.
	env := map[string]string{
		"AWS_LAMBDA_RUNTIME_API":          p.e.api.addr + "/" + inst.id,
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/millrace/" + stackName,
		"AWS_LAMBDA_LOG_STREAM_NAME":      inst.id,
		"AWS_REGION":                      region,
		"AWS_DEFAULT_REGION":              region,
		"AWS_ACCESS_KEY_ID":               "emulated",
		"AWS_SECRET_ACCESS_KEY":           "emulated",
		"AWS_ENDPOINT_URL_LAMBDA":         "http://" + p.e.api.addr,
		"LAMBDA_TASK_ROOT":                cmd.Dir,
		"_HANDLER":                        "bootstrap",
		"TZ":                              ":UTC",
		// Lambda's PATH leads to the runtime's python3, this machine's to its own.
		"PATH": config.Environ()["PATH"],
	}
	for k, v := range p.e.opts.Env(f) {
		env[k] = v
	}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out := &lineWriter{w: p.e.opts.Output, prefix: "[" + f.Folder + "] "}
	cmd.Stdout, cmd.Stderr = out, out
	p.e.api.add(inst)
	if err := p.e.spawn.start(cmd); err != nil {
		p.e.api.forget(inst.id)
		return nil, &FunctionError{"Runtime.InvalidEntrypoint", fmt.Sprintf("cannot start %s: %v", p.binary, err)}
	}
	inst.cmd = cmd
	go func() {
		err := cmd.Wait()
		if err == nil {
			err = errors.New("exit status 0")
		}
		out.flush()
		inst.gone(err)
	}()
	return inst, nil
}

// gone ends the invocation that the process took with it.
func (inst *instance) gone(cause error) {
	inst.mu.Lock()
	inv := inst.current
	inst.mu.Unlock()
	if inv != nil && inv.taken() {
		if inv.respond(answer{err: &FunctionError{"Runtime.ExitError", "the function's process ended: " + cause.Error()}}) {
			inst.p.e.opts.Logger.Warn("function crashed", "function", inst.p.f.Folder, "cause", cause)
		}
		inv.end()
	}
	close(inst.exited)
}

// freeze and thaw stop and continue an idle process where that is asked for.
func (inst *instance) freeze() {
	if inst.p.e.opts.Freeze {
		pause(inst.cmd.Process)
	}
}

func (inst *instance) thaw() {
	if inst.p.e.opts.Freeze {
		resume(inst.cmd.Process)
	}
}

// kill ends the process at once; its exit is noticed by its waiter.
func (inst *instance) kill() {
	inst.dead.Store(true)
	killGroup(inst.cmd.Process)
}

// stop ends an idle process: a signal first, and force after the grace time.
func (inst *instance) stop() {
	inst.thaw()
	terminate(inst.cmd.Process)
	select {
	case <-inst.exited:
	case <-inst.p.e.opts.Clock.After(stopGrace):
		inst.kill()
		<-inst.exited
	}
}

// response is an answer whose beginning has arrived.
type response struct {
	body        io.ReadCloser
	contentType string
}

// invoke runs one event and returns when its answer begins (stream) or is
// complete (buffered). ctx bounds the waiting for a free instance only: once a
// function has begun, it goes on when its caller is gone, as on Lambda.
func (p *pool) invoke(ctx context.Context, c call) (response, error) {
	for attempt := 1; ; attempt++ {
		resp, err := p.invokeOnce(ctx, c)
		if !errors.Is(err, errNotTaken) {
			return resp, err
		}
		if attempt == maxStarts {
			return resp, &FunctionError{"Runtime.ExitError", "the function's process ended before it took the event"}
		}
	}
}

func (p *pool) invokeOnce(ctx context.Context, c call) (response, error) {
	inst, err := p.acquire(ctx)
	if err != nil {
		return response{}, err
	}
	inv := &invocation{
		call: c, id: ids.Random(), begun: make(chan struct{}), answer: make(chan answer, 1), done: make(chan struct{}),
	}
	inst.mu.Lock()
	inst.current = inv
	inst.mu.Unlock()
	inst.work <- inv
	p.e.goRun(func() { p.guard(inst, inv) })
	a := <-inv.answer
	if a.err != nil {
		return response{}, a.err
	}
	return response{a.body, a.contentType}, nil
}

// guard enforces the time limits of one invocation.
func (p *pool) guard(inst *instance, inv *invocation) {
	limit, what := initLimit, "did not ask for its event within"
	begun := inv.begun
	timer := p.e.opts.Clock.After(limit)
	for {
		select {
		case <-begun:
			begun = nil
			limit, what = p.f.Timeout, "timed out after"
			timer = p.e.opts.Clock.After(-clock.Since(p.e.opts.Clock, inv.deadline))
		case <-timer:
			p.e.opts.Logger.Warn("function stopped", "function", p.f.Folder, "reason", what, "limit", limit)
			inv.respond(answer{err: &FunctionError{"Sandbox.Timedout",
				fmt.Sprintf("RequestId: %s Error: Task %s %.2f seconds", inv.id, what, limit.Seconds())}})
			inst.kill()
			<-inst.exited
			return
		case <-inv.done:
			return
		case <-inst.exited:
			// gone has answered if it saw that the process had taken the event. When the
			// event was handed to a process that was dead already, it has not.
			if inv.taken() {
				inv.respond(answer{err: &FunctionError{"Runtime.ExitError", "the function's process ended"}})
			} else {
				inv.respond(answer{err: errNotTaken})
			}
			inv.end()
			return
		}
	}
}

// lineWriter puts a prefix before each line and writes whole lines.
type lineWriter struct {
	w      io.Writer
	prefix string
	mu     sync.Mutex
	buf    bytes.Buffer
}

// Write collects p and passes complete lines on.
func (l *lineWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	for {
		i := bytes.IndexByte(l.buf.Bytes(), '\n')
		if i < 0 {
			return len(p), nil
		}
		l.emit(l.buf.Next(i + 1))
	}
}

func (l *lineWriter) emit(line []byte) {
	b := bufio.NewWriter(l.w)
	_, _ = b.WriteString(l.prefix)
	_, _ = b.Write(line)
	_ = b.Flush() // output is for people; a full disk must not stop functions
}

func (l *lineWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > 0 {
		l.emit(append(l.buf.Bytes(), '\n'))
		l.buf.Reset()
	}
}
