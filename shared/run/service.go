package run

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	nometrics "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run/replay"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
)

// Deps are what a Service works with. All but Sender and Keeper are required.
type Deps struct {
	Store  *runstore.Store
	Stream *eventstream.Stream
	Types  engine.Types // node.NewRegistry(...)
	Graphs GraphSource
	Clock  clock.Clock
	// Sender relays wake-ups to queues; without one they stay in the outbox.
	Sender Sender
	// Keeper gets the events of runs of drafts; nil keeps nothing.
	Keeper Keeper
	// Replays keeps which runs were made from which; nil: none can be.
	Replays replay.Store
}

// Options tune a Service; zero values are usable.
type Options struct {
	// Owner names this process in leases; made when empty. A process that keeps
	// its name over restarts can free its old leases with ExpireOwner.
	Owner string
	// Queue is where runs without a queue of their own continue ["runs-professional"].
	Queue string
	// Engine tunes the engine.
	Engine engine.Options
	// StopPoll is how often running runs look for stop requests from other
	// processes [50 ms].
	StopPoll time.Duration
	// JournalPoll is how often a joined client looks into the journal when the
	// stream is silent [1 s].
	JournalPoll time.Duration
	// Plans is how many compiled workflow versions are kept [256].
	Plans int
	// MaxWorkers is how many workers may have had a run before it is given up: a
	// run that ends every process that touches it must not go on for ever [200].
	MaxWorkers int64
	// PartsPerTenant is how many parts of large containers a tenant may have under
	// way at once; 0 sets no limit.
	PartsPerTenant int
	// MaxCallDepth is how many runs may have called each other [5].
	MaxCallDepth int
	// Tracer makes spans of runs and nodes; nil makes none.
	Tracer trace.Tracer
	// Meter counts runs and measures runs and nodes; nil does not.
	Meter metric.Meter
	Log   *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Owner == "" {
		o.Owner = ids.New()
	}
	if o.Queue == "" {
		o.Queue = "runs-professional"
	}
	if o.StopPoll <= 0 {
		o.StopPoll = 50 * time.Millisecond
	}
	if o.JournalPoll <= 0 {
		o.JournalPoll = time.Second
	}
	if o.Plans <= 0 {
		o.Plans = 256
	}
	if o.MaxWorkers <= 0 {
		o.MaxWorkers = 200
	}
	if o.MaxCallDepth <= 0 {
		o.MaxCallDepth = 5
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.Meter == nil {
		o.Meter = nometrics.NewMeterProvider().Meter("")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Engine.Hook == nil {
		o.Engine.Hook = func(string) {}
	}
	return o
}

// Service runs workflows durably. It is safe for concurrent use.
type Service struct {
	Deps
	opts  Options
	plans plans
	meter meters

	mu      sync.Mutex
	active  map[string]*execution // by run id
	polling bool
	// background counts publishers and relays that outlive a call.
	background background
	refusals   refusals
}

// New returns a service.
func New(deps Deps, opts Options) *Service {
	s := &Service{Deps: deps, opts: opts.withDefaults(), active: map[string]*execution{}}
	s.plans.limit = s.opts.Plans
	s.meter = newMeters(s.opts.Meter)
	return s
}

// Owner is the name of this process in leases.
func (s *Service) Owner() string { return s.opts.Owner }

// Wait returns when everything that calls have left to do in the background is
// done, or ctx ends. A process calls it before it exits or freezes.
func (s *Service) Wait(ctx context.Context) { s.background.wait(ctx) }

// compiled is a workflow version that is ready to run.
type compiled struct {
	def  *Definition
	plan *engine.Plan
	root *workflow.NodeConfig
	// types are those of the declared variables; see declaredTypes.
	types map[[2]string]string
}

// plans keeps compiled versions by tenant and id. The oldest one makes room.
type plans struct {
	mu    sync.Mutex
	limit int
	byID  map[[2]string]*compiled
	order [][2]string
}

func (p *plans) get(k [2]string) *compiled {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[k]
}

func (p *plans) put(k [2]string, c *compiled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID == nil {
		p.byID = map[[2]string]*compiled{}
	}
	if p.byID[k] == nil {
		p.order = append(p.order, k)
	}
	p.byID[k] = c
	for len(p.order) > p.limit {
		delete(p.byID, p.order[0])
		p.order = p.order[1:]
	}
}

// plan returns the compiled version of a workflow.
func (s *Service) plan(ctx context.Context, tenantID, workflowID string) (*compiled, error) {
	k := [2]string{tenantID, workflowID}
	if c := s.plans.get(k); c != nil {
		return c, nil
	}
	def, err := s.Graphs.Definition(ctx, tenantID, workflowID)
	if err != nil {
		return nil, err
	}
	c, err := s.compile(def)
	if err != nil {
		return nil, err
	}
	if !def.Mutable {
		s.plans.put(k, c)
	}
	return c, nil
}

func (s *Service) compile(def *Definition) (*compiled, error) {
	g, err := workflow.ParseGraph([]byte(def.Graph))
	if err != nil {
		return nil, &errs.Error{Code: errs.InvalidParam, Message: err.Error(), Cause: err}
	}
	plan, err := engine.Compile(g, s.Types)
	if err != nil {
		return nil, err
	}
	root, _ := g.Root()
	return &compiled{def: def, plan: plan, root: root, types: declaredTypes(def, g)}, nil
}
