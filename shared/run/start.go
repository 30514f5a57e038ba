package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/value"
)

// spec is what is stored with a run so that any process can continue it.
type spec struct {
	Request   StartRequest `json:"request"`
	StartedAt time.Time    `json:"started_at"`
	// Pin is set in runs of drafts.
	Pin *pin `json:"pin,omitempty"`
	// Trace is the trace context of the start, so that a run that was found by the
	// clock still belongs to the trace of the call that made it.
	Trace map[string]string `json:"trace,omitempty"`
	// Part is set when this is a part of another run.
	Part *partOf `json:"part,omitempty"`
}

// Start makes a run and executes it here, in the caller's goroutine. The sink,
// if any, gets what the client should see. A cancelled ctx does not end the run;
// a deadline of ctx is taken as the moment when the platform ends this process:
// the run is handed over before that.
//
// An error before the first commit means that there is no run. If this process
// cannot go on later, another one does, and Start follows it for the client; it
// returns without a result only when ctx ends first or the deadline is near.
func (s *Service) Start(ctx context.Context, req StartRequest, sink Sink) (*Result, error) {
	c, sp, err := s.newSpec(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := s.refusals.of(s.Clock, req.TenantID, req.AppID); err != nil {
		return nil, err
	}
	return s.newExecution(ctx, c, sp, sink).run(ctx, nil)
}

// newSpec completes the request of a new run, and finds what it executes.
func (s *Service) newSpec(ctx context.Context, req StartRequest) (*compiled, spec, error) {
	c, err := s.planFor(ctx, &req)
	if err != nil {
		return nil, spec{}, err
	}
	if req.RunID == "" {
		req.RunID = ids.New()
	}
	if TaskID(req.RunID) == "" {
		return nil, spec{}, errs.New(errs.InvalidParam, "the run id must be a uuid")
	}
	if req.Queue == "" {
		req.Queue = s.opts.Queue
	}
	if req.TriggeredFrom == "" {
		req.TriggeredFrom = "app-run"
	}
	return c, spec{Request: req, StartedAt: s.now(), Pin: pinOf(c.def), Trace: inject(ctx)}, nil
}

// stored is how a run is kept.
func (sp *spec) stored() (*runstore.Run, error) {
	raw, err := json.Marshal(sp)
	if err != nil {
		return nil, fmt.Errorf("encode spec: %w", err)
	}
	req := &sp.Request
	return &runstore.Run{
		ID: req.RunID, TenantID: req.TenantID, AppID: req.AppID, WorkflowID: req.WorkflowID, TaskID: TaskID(req.RunID), Queue: req.Queue, Spec: raw,
	}, nil
}

// enqueue stores a new run with these rows for some worker to execute. A run
// that is there already is left alone.
func (s *Service) enqueue(ctx context.Context, sp *spec, rows runstore.Rows) error {
	run, err := sp.stored()
	if err != nil {
		return err
	}
	lease, err := s.Store.Begin(ctx, run, s.opts.Owner, &runstore.Batch{Rows: rows})
	if errs.Is(err, errs.Conflict) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.handOver(ctx, &lease, run.Queue)
}

// handOver gives a lease back and wakes some worker up for the run.
func (s *Service) handOver(ctx context.Context, l *runstore.Lease, queue string) error {
	w := runstore.Wake{ID: ids.New(), TenantID: l.TenantID, RunID: l.RunID, Queue: queue, Attributes: inject(ctx)}
	if err := s.Store.Release(ctx, l, time.Time{}, w); err != nil {
		return err
	}
	if err := s.send(ctx, []runstore.Wake{w}); err != nil {
		s.opts.Log.WarnContext(ctx, "relay wake-up; tick will", "run_id", w.RunID, "error", err)
	}
	return nil
}

// Continue advances a run that another process has left, until it is over or
// has to be left again. It is what a wake-up calls, any number of times: a run
// that is finished or in good hands needs nothing.
func (s *Service) Continue(ctx context.Context, tenantID, runID string) error {
	g, err := s.Store.Acquire(ctx, tenantID, runID, s.opts.Owner)
	if errs.Is(err, errs.Conflict) {
		return nil
	}
	if err != nil {
		return err
	}
	if g.Run.Finished() {
		return nil
	}
	if g.Lease.Token > s.opts.MaxWorkers {
		return s.giveUp(ctx, g, errs.New(errs.InvalidParam, "The run was given up because too many workers ended while they had it."))
	}
	x, err := s.reopen(ctx, g)
	if err != nil {
		return s.giveUp(ctx, g, err)
	}
	_, err = x.run(ctx, g)
	x.published(ctx) // the platform may freeze the process when this returns
	if errs.Is(err, errs.LeaseLost) {
		return nil // somebody else goes on with it
	}
	return err
}

// reopen rebuilds an execution from its journal.
func (s *Service) reopen(ctx context.Context, g *runstore.Granted) (*execution, error) {
	var sp spec
	if err := json.Unmarshal(g.Run.Spec, &sp); err != nil {
		return nil, fmt.Errorf("spec of run %s: %w", g.Run.ID, err)
	}
	c, err := s.planOf(ctx, &sp)
	if err != nil {
		return nil, err
	}
	x := s.newExecution(ctx, c, sp, nil)
	x.adopt(g)
	x.parent = sp.Trace
	if g.Run.StopReason != "" {
		x.requestStop(g.Run.StopReason)
	}
	x.watchCaller(ctx)
	if sp.Part != nil {
		err = x.restorePart(ctx, g.Events)
	} else {
		err = x.engine.Restore(g.Events)
	}
	if err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

// giveUp handles a run that cannot be loaded. When it never will be (its
// workflow is gone or cannot run any more) it is failed; otherwise it is left
// for a later try.
func (s *Service) giveUp(ctx context.Context, g *runstore.Granted, cause error) error {
	ctx = context.WithoutCancel(ctx)
	switch errs.CodeOf(cause) {
	case errs.NotFound, errs.InvalidParam, errs.NotImplemented:
	default:
		if err := s.Store.Release(ctx, &g.Lease, time.Time{}); err != nil {
			s.opts.Log.WarnContext(ctx, "release run", "run_id", g.Run.ID, "error", err)
		}
		return cause
	}
	s.opts.Log.ErrorContext(ctx, "give up run", "run_id", g.Run.ID, "error", cause)
	var sp spec
	if err := json.Unmarshal(g.Run.Spec, &sp); err != nil {
		return fmt.Errorf("spec of run %s: %w", g.Run.ID, err)
	}
	now := s.now()
	events := []workflow.Event{{
		Seq: g.Lease.LastSeq + 1, Token: g.Lease.Token, Type: workflow.EventRunFinished, At: now,
		Finished: &workflow.RunFinished{
			Status: workflow.StatusFailed, Outputs: value.NewObject(0), Error: errs.Public(cause).Message,
			StartedAt: sp.StartedAt, Elapsed: now.Sub(sp.StartedAt).Seconds(), Exceptions: 1,
		},
	}}
	p := projection{def: &Definition{ID: g.Run.WorkflowID}, req: &sp.Request}
	_, err := s.Store.Append(ctx, &g.Lease, &runstore.Batch{Events: events, Status: workflow.StatusFailed, Rows: p.rows(events, false, sp.StartedAt)})
	return err
}

// execution is a run in this process.
type execution struct {
	s      *Service
	c      *compiled
	spec   spec
	engine *engine.Run
	base   context.Context // the caller's, without its cancellation
	ctx    context.Context // of the work: cancelled when the lease is lost

	lease   runstore.Lease
	begun   bool
	seq     int64
	lastOf  map[workflow.EventType]int64 // last journalled event of a kind
	project *projection

	client *mailbox // of the client that started the run
	relay  *relay   // what that client sees; used by serve until client is drained
	gone   error    // why the client gets nothing more
	stream *mailbox // on its way to other processes

	parent map[string]string // trace context, when the caller has none
	stop   chan string
	signal chan struct{}
	cancel context.CancelCauseFunc
	// deadline is when the platform ends this process.
	deadline time.Time
	called   map[string]bool // runs that nodes wait for; guarded by s.mu
	renewed  chan struct{}   // closed when the renewal has ended
}

func (s *Service) newExecution(ctx context.Context, c *compiled, sp spec, sink Sink) *execution {
	x := &execution{
		s: s, c: c, spec: sp, stop: make(chan string, 1), signal: make(chan struct{}, 1), lastOf: map[workflow.EventType]int64{},
		project: &projection{def: c.def, req: &sp.Request},
	}
	req := &sp.Request
	x.relay = newRelay(func(i Item) {
		if sink != nil && x.gone == nil {
			x.gone = sink.Item(i)
		}
	})
	if sink != nil {
		x.client = newMailbox()
		go x.serve()
	}
	x.deadline, _ = ctx.Deadline()
	// Clients are told the same moment by the first event, by the run's rows and
	// when they join again. A replay waits for a worker before it begins.
	startedAt := sp.StartedAt
	if req.Replay != nil {
		startedAt = time.Time{}
	}
	x.engine = engine.New(c.plan, engine.Setup{
		StartedAt: startedAt, Info: runInfo(c, sp.whole()), Pool: newPool(c, sp.whole()), Inputs: shownInputs(c, req), Parts: fanOut{x}, Recorded: req.Replay.recorded(),
		Deadline: x.deadline, Stop: x.stop, Signal: x.signal, NewID: ids.New, Clock: s.Clock, Observe: s.observe,
	}, x, s.opts.Engine)
	return x
}

func (x *execution) adopt(g *runstore.Granted) {
	x.begun, x.lease, x.seq = true, g.Lease, g.Lease.LastSeq
	for i := range g.Events {
		x.lastOf[g.Events[i].Type] = g.Events[i].Seq
		x.project.see(&g.Events[i])
	}
	x.stream = newMailbox()
}

// run executes until the engine lets go. g is nil for a new run.
func (x *execution) run(ctx context.Context, g *runstore.Granted) (*Result, error) {
	s, req := x.s, &x.spec.Request
	ctx = extract(ctx, x.parent)
	traced, span := s.opts.Tracer.Start(ctx, "run", trace.WithAttributes(
		attribute.String("millrace.run_id", req.RunID), attribute.String("millrace.app_id", req.AppID), attribute.Bool("millrace.resumed", g != nil)))
	defer span.End()
	x.base = context.WithoutCancel(traced)
	x.ctx, x.cancel = context.WithCancelCause(x.forNodes(x.base))
	defer x.cancel(nil)
	s.register(x)
	if x.begun {
		x.keepLease()
		x.publishInBackground()
	}
	out, err := x.engine.Execute(x.ctx)
	s.unregister(x)
	x.endLease()
	if err == nil && out.Verdict != engine.Finished {
		err = x.leave(out)
	}
	if err != nil {
		span.RecordError(err)
		err = x.stranded(g != nil, err)
	}
	x.close()
	if err != nil {
		return nil, err
	}
	if x.spec.Part == nil {
		s.meter.ended(x.base, out.Result)
	} else if out.Result != nil {
		x.partEnded()
	}
	if out.Result != nil {
		x.stopCalled()
		x.replayEnded()
	}
	res := &Result{
		RunID: req.RunID, TaskID: TaskID(req.RunID), WorkflowID: req.WorkflowID, CreatedAt: x.spec.StartedAt, Finished: out.Result, Paused: out.Paused,
	}
	if g == nil && res.Finished == nil && res.Paused == nil && out.Verdict != engine.HandedOver {
		res.Finished, err = x.waitFor(ctx, out.WakeAt)
		res.Paused = x.relay.paused
	}
	res.HandedOver = res.Finished == nil && res.Paused == nil
	return res, err
}

// stranded handles an execution that cannot go on though its run is not over:
// the journal could not be written, or the lease is lost. Some other worker has
// or will have the run, so to the client that started it nothing has happened
// but a pause; only a run that was never made is an error to it.
func (x *execution) stranded(continued bool, cause error) error {
	if !x.begun {
		return cause
	}
	if !errs.Is(cause, errs.LeaseLost) {
		if err := x.leave(engine.Outcome{Verdict: engine.HandedOver}); err != nil {
			x.s.opts.Log.WarnContext(x.base, "release run; its lease will expire", "run_id", x.spec.Request.RunID, "error", err)
		}
	}
	if continued {
		return cause
	}
	x.s.opts.Log.WarnContext(x.base, "run goes on elsewhere", "run_id", x.spec.Request.RunID, "error", cause)
	return nil
}

// forever is when a run that waits for nothing but a signal is looked at
// without one.
const forever = 20 * 365 * 24 * time.Hour

// leave gives the lease back and arranges for the run to go on.
func (x *execution) leave(out engine.Outcome) error {
	if !x.begun {
		return errs.New(errs.DeadlineNear, "")
	}
	if out.Verdict == engine.Suspended || out.Verdict == engine.Paused {
		at := out.WakeAt
		if at.IsZero() {
			at = x.s.now().Add(forever)
		}
		if err := x.s.Store.Release(x.base, &x.lease, at); err != nil {
			return err
		}
		x.s.hurry(x.base) // somebody may have signalled it meanwhile
		return nil
	}
	return x.s.handOver(x.base, &x.lease, x.spec.Request.Queue)
}

// waitFor keeps the client of a run company that is not executed here any more.
// A suspended run is continued when its time has come and this process still
// lives; tick would do it too, but later.
func (x *execution) waitFor(ctx context.Context, wakeAt time.Time) (*workflow.RunFinished, error) {
	s, req := x.s, &x.spec.Request
	follow, cancel := context.WithCancel(ctx)
	defer cancel()
	if !wakeAt.IsZero() {
		done := s.background.begin()
		go func() {
			defer done()
			if clock.Sleep(follow, s.Clock, wakeAt.Sub(s.Clock.Now())) != nil {
				return
			}
			if err := s.Continue(context.WithoutCancel(ctx), req.TenantID, req.RunID); err != nil {
				s.opts.Log.WarnContext(ctx, "continue suspended run; tick will", "run_id", req.RunID, "error", err)
			}
		}()
	}
	f := &follower{s: s, tenantID: req.TenantID, runID: req.RunID, relay: x.relay, gone: &x.gone}
	err := f.follow(follow)
	if errors.Is(err, errGone) || ctx.Err() != nil {
		err = nil
	}
	return x.relay.finished, err
}

// close ends the deliveries; the client's is complete when it returns.
func (x *execution) close() {
	if x.stream != nil {
		x.stream.close()
	}
	if x.client != nil {
		x.client.close()
		<-x.client.drained
	}
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }
