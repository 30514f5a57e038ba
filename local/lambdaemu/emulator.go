package lambdaemu

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
)

// Options configure an Emulator. Template is required.
type Options struct {
	Template *Template
	// BinaryDir holds one executable per function, named like its folder.
	BinaryDir string
	// Env returns a function's whole environment but for what the emulator sets
	// itself (AWS_*); f.Env is what the template says. nil means f.Env.
	Env func(f Function) map[string]string
	// Subscriptions are the queues to consume, by name. A queue of the template
	// without a subscription is an error.
	Subscriptions map[string]*pubsub.Subscription
	// Schedules runs the template's schedules.
	Schedules bool
	// MaxInstances bounds the processes of one function; 0 means 16. More events
	// wait.
	MaxInstances int
	// IdleTimeout is how long an instance without work is kept; 0 means 5 minutes.
	IdleTimeout time.Duration
	// Freeze stops the processor time of an instance between events, as Lambda
	// does, so that work left in the background after an answer shows.
	Freeze bool
	// Output gets what functions print, each line with the function's name before
	// it; nil drops it.
	Output io.Writer
	// Logger gets crashes and time-outs; nil means slog.Default.
	Logger *slog.Logger
	// Clock is for limits and schedules; nil means the machine's.
	Clock clock.Clock
}

func (o Options) withDefaults() Options {
	if o.MaxInstances == 0 {
		o.MaxInstances = 16
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 5 * time.Minute
	}
	if o.Env == nil {
		o.Env = func(f Function) map[string]string { return f.Env }
	}
	if o.Output == nil {
		o.Output = io.Discard
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	return o
}

// Emulator runs the functions of one template.
type Emulator struct {
	opts    Options
	api     *runtimeAPI
	pools   map[string]*pool // by folder
	gateway http.Handler
	spawn   *spawner
	cancel  context.CancelFunc
	running sync.WaitGroup
	once    sync.Once
}

// New starts an emulator: the runtime API, the queue consumers and, if asked
// for, the schedules. No function process runs until its first event. Close it.
func New(ctx context.Context, o Options) (*Emulator, error) {
	o = o.withDefaults()
	if o.Template == nil {
		return nil, errs.New(errs.Internal, "lambdaemu: no template")
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "lambdaemu: no free port on loopback")
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e := &Emulator{opts: o, pools: map[string]*pool{}, cancel: cancel, spawn: newSpawner()}
	e.api = newRuntimeAPI(e, ln)
	for _, f := range o.Template.Functions {
		e.pools[f.Folder] = newPool(e, f, filepath.Join(o.BinaryDir, f.Folder))
	}
	if err := e.startTriggers(ctx); err != nil {
		e.Close()
		return nil, err
	}
	if e.gateway, err = newGateway(e); err != nil {
		e.Close()
		return nil, err
	}
	for _, p := range e.pools {
		e.goRun(func() { p.reap(ctx) })
	}
	return e, nil
}

func (e *Emulator) startTriggers(ctx context.Context) error {
	for _, f := range e.opts.Template.Functions {
		for _, src := range f.Queues {
			sub := e.opts.Subscriptions[src.Queue]
			if sub == nil {
				return fmt.Errorf("lambdaemu: no subscription for queue %s of %s", src.Queue, f.Folder)
			}
			e.goRun(func() { e.consume(ctx, f, src, sub) })
		}
		if !e.opts.Schedules {
			continue
		}
		for _, expr := range f.Schedules {
			s, err := parseSchedule(expr)
			if err != nil {
				return fmt.Errorf("%s: %w", f.Folder, err)
			}
			e.goRun(func() { e.runSchedule(ctx, f, s) })
		}
	}
	return nil
}

func (e *Emulator) goRun(f func()) {
	e.running.Add(1)
	go func() {
		defer e.running.Done()
		f()
	}()
}

// Handler is the gateway: requests go to the function whose route matches.
func (e *Emulator) Handler() http.Handler { return e.gateway }

// Invoke calls a function directly and returns its answer. A failed function
// is a *FunctionError.
func (e *Emulator) Invoke(ctx context.Context, folder string, payload []byte) ([]byte, error) {
	return e.call(ctx, folder, call{payload: payload})
}

func (e *Emulator) call(ctx context.Context, folder string, c call) ([]byte, error) {
	p := e.pools[folder]
	if p == nil {
		return nil, errs.Newf(errs.NotFound, "no function %s in the template", folder)
	}
	resp, err := p.invoke(ctx, c)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(resp.body)
}

// InstanceInfo describes one running function process.
type InstanceInfo struct {
	ID, Function string
	PID          int
	Busy         bool
}

// Instances lists the running processes of a function, or of all for "".
func (e *Emulator) Instances(folder string) []InstanceInfo {
	var out []InstanceInfo
	for name, p := range e.pools {
		if folder == "" || folder == name {
			out = append(out, p.list()...)
		}
	}
	return out
}

// Kill ends an instance with SIGKILL, as a failing machine would, and reports
// whether there was such an instance.
func (e *Emulator) Kill(id string) bool {
	inst := e.api.find(id)
	if inst == nil {
		return false
	}
	inst.kill()
	return true
}

// Close stops the triggers and then every process. Calling it again does nothing.
func (e *Emulator) Close() { e.once.Do(e.close) }

func (e *Emulator) close() {
	e.cancel()
	for _, p := range e.pools {
		p.close()
	}
	e.running.Wait()
	e.api.close()
	e.spawn.close()
}
