package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Host is what a run needs from the world.
type Host interface {
	// Commit makes events durable, in this order, and then shows them to whoever
	// watches. It sets Seq and Token of each event.
	Commit(ctx context.Context, events []workflow.Event) error
	// Live shows a piece of text that is not durable yet. It must not block.
	Live(Live)
}

// Live is a piece of text of a step that still runs.
type Live struct {
	Kind     workflow.EventType // EventText or EventReasoning
	NodeID   string             // of EventReasoning
	Selector workflow.Selector  // of EventText
	Text     string
	// Offset counts the runes shown of this tail before this piece.
	Offset int
}

// Options tune a run. Zero values mean the defaults in brackets.
type Options struct {
	Parallel       int           // effects at once [10]
	FlushAfter     time.Duration // longest pure work between commits [50 ms]
	MaxSteps       int           // node starts [500]
	MaxTime        time.Duration // of the whole run [1200 s]
	MaxEvents      int           // that a run's journal may have [1,000,000]
	ReleaseWait    time.Duration // waits longer than this leave the process [10 s]
	HandoverMargin time.Duration // before the deadline: no new effects [20 s]
	HardMargin     time.Duration // before the deadline: effects are cancelled [5 s]
	FanOut         FanOut
	// Hook is called at named points; tests kill the process there.
	Hook func(point string)
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	if o.Parallel <= 0 {
		o.Parallel = 10
	}
	if o.MaxSteps <= 0 {
		o.MaxSteps = 500
	}
	if o.MaxEvents <= 0 {
		o.MaxEvents = 1_000_000
	}
	set(&o.FlushAfter, 50*time.Millisecond)
	set(&o.MaxTime, 1200*time.Second)
	set(&o.ReleaseWait, 10*time.Second)
	set(&o.HandoverMargin, 20*time.Second)
	set(&o.HardMargin, 5*time.Second)
	if o.Hook == nil {
		o.Hook = func(string) {}
	}
	o.FanOut = o.FanOut.withDefaults()
	return o
}

// Setup is what makes one run different from another.
type Setup struct {
	Info *workflow.RunInfo
	// Pool holds the variables that exist before the first node runs. The run
	// owns it from now on.
	Pool *workflow.Pool
	// Inputs are shown in the run's first event.
	Inputs *value.Object
	// StartedAt is when the run begins, if that has been told to somebody before;
	// zero means now.
	StartedAt time.Time
	// Deadline is when the platform will end this process; zero means never.
	Deadline time.Time
	// Stop delivers the reason when somebody asks the run to stop.
	Stop <-chan string
	// Signal tells that what a paused node waits for may have happened; may be nil.
	Signal <-chan struct{}
	// Recorded are results that nodes of the graph itself have without being run;
	// see Plan.Recorded.
	Recorded []workflow.NodeEvent
	// Parts runs parts of large containers elsewhere; nil: they are not split.
	Parts Parts
	NewID func() string
	Clock clock.Clock
	// Observe is told of each try of each node, in the goroutine that runs it: it
	// returns the context to run with and what to call with the try's error. May
	// be nil.
	Observe func(ctx context.Context, x *workflow.Execution) (context.Context, func(error))
}

// Verdict is how Execute ended.
type Verdict int

// The ways in which Execute ends without an error.
const (
	Finished   Verdict = iota // the run is over
	HandedOver                // the deadline is near; another process has to go on
	Suspended                 // nothing to do before WakeAt
	Paused                    // nothing to do before a signal, or WakeAt
)

// Outcome is what Execute reports.
type Outcome struct {
	Verdict Verdict
	// WakeAt is when the run goes on by itself; zero means never.
	WakeAt time.Time
	// Result is set when the run finished.
	Result *workflow.RunFinished
	// Paused is set when the verdict is Paused.
	Paused *workflow.RunPaused
}

type edgeState int8

const (
	edgeUnknown edgeState = iota
	edgeTaken
	edgeSkipped
)

type nodeRun struct {
	phase     phase
	id        string
	index     int
	attempt   int
	startedAt time.Time
	notBefore time.Time // of the next try, or of the next look at a paused node
	recovered bool
	resumed   bool // runs again after a pause
	launched  bool // in this process
	pause     *workflow.PauseInfo
	container *container
}

// Run is one run in one process. It is used by one goroutine: New, then
// Restore if there is a journal, then Execute once.
type Run struct {
	setup Setup
	host  Host
	opts  Options
	info  *workflow.RunInfo

	// root is the graph itself; the passes of containers are frames below it.
	root    *frame
	plan    *Plan // of root
	ready   []ref // in the order in which they became ready
	waiting []ref // for their next try
	paused  []ref // in the order in which they paused
	dirty   []*container
	fans    []*fan
	part    *partRun // set when this is the run of a part
	turning bool
	streams *streams

	started    bool
	startedAt  time.Time
	index      int
	exceptions int
	result     *workflow.RunFinished
	verdict    *verdict // set when the run must end early

	// halted is set while the journal's last word is that the run is paused.
	halted   *workflow.RunPaused
	haltedAt time.Time
	idleTime time.Duration // spent paused

	pending   []workflow.Event
	events    int // so far, with those of earlier workers
	lastFlush time.Time
	launching []ref
	running   int
	msgs      chan message // made for the first effect
	cancel    context.CancelFunc
	effectCtx context.Context

	timer   <-chan time.Time
	timerAt time.Time
}

type verdict struct{ status, err, errType string }

// message is what an effect's goroutine reports: a chunk, or its end.
type message struct {
	at    ref
	chunk *workflow.Chunk
	res   *workflow.Result
	err   error
}

// New returns a run that has not started.
func New(plan *Plan, setup Setup, host Host, opts Options) *Run {
	r := &Run{plan: plan, setup: setup, host: host, opts: opts.withDefaults(), info: setup.Info}
	r.root = newFrame(plan, setup.Pool)
	r.streams = newStreams(r)
	return r
}

// Execute advances the run until it is over or this process should not go on.
// An error means that the state could not be made durable: whatever was not
// committed is forgotten and another process continues from the journal.
func (r *Run) Execute(ctx context.Context) (out Outcome, err error) {
	defer r.recovered(&err)
	r.effectCtx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	r.lastFlush = r.now()
	if r.result != nil {
		return Outcome{Verdict: Finished, Result: r.result}, nil
	}
	switch {
	case r.started:
	case r.part != nil:
		r.beginPart()
	default:
		r.begin()
	}
	if r.part != nil {
		r.touch(r.part.c)
	}
	r.lookAgain(true)
	r.turn()
	for {
		more, err := r.advance(ctx)
		if err != nil {
			return Outcome{}, err
		}
		r.noticeStop()
		if r.verdict != nil || r.idle() {
			r.stopParts(ctx)
			r.conclude()
			if err := r.flush(ctx); err != nil {
				return Outcome{}, err
			}
			return Outcome{Verdict: Finished, Result: r.result}, nil
		}
		if r.onlyPaused() {
			r.halt()
		}
		if err := r.flush(ctx); err != nil {
			return Outcome{}, err
		}
		if r.noticeStop(); r.verdict != nil {
			continue // the commit has brought a stop: nothing more is launched
		}
		if len(r.fans) > 0 {
			changed, err := r.tend(ctx)
			if err != nil {
				return Outcome{}, err
			}
			if changed {
				continue
			}
		}
		r.streams.pump()
		r.launch()
		busy := more || len(r.dirty) > 0
		if out, leave := r.shouldLeave(busy); leave {
			return out, nil
		}
		if busy {
			r.hear()
			r.turn()
			continue
		}
		if err := r.wait(ctx); err != nil {
			return Outcome{}, err
		}
	}
}

// recovered turns a bug of the engine into an error: nothing that was not
// committed has happened, and the process goes on with its other runs.
func (r *Run) recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("run %s: the engine failed: %v", r.info.ID, p)
	}
}

func (r *Run) begin() {
	r.started = true
	r.startedAt = r.setup.StartedAt
	if r.startedAt.IsZero() {
		r.startedAt = r.now()
	}
	r.emit(workflow.Event{Type: workflow.EventRunStarted, At: r.startedAt, Started: &workflow.RunStarted{Inputs: r.setup.Inputs, Reason: workflow.ReasonInitial}})
	r.skipOtherRoots()
	r.streams.drain()
	r.enqueue(ref{r.root, r.plan.root})
}

// advance starts everything that is ready: pure nodes run at once, effects are
// put in line for launch. After a while it lets others have their turn (commits,
// effects, stop requests) and reports that there is more to do.
func (r *Run) advance(ctx context.Context) (more bool, err error) {
	r.dueRetries()
	var held []ref
	for len(r.ready) > 0 && r.verdict == nil && !more {
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		at := r.ready[0]
		r.ready = r.ready[1:]
		if at.f.closed {
			continue
		}
		if r.replay(at) {
			continue
		}
		n := at.plan()
		if n.effect && (r.running+len(r.launching) >= r.opts.Parallel || r.draining()) {
			held = append(held, at)
			continue
		}
		switch {
		case n.kind == workflow.KindContainer:
			r.openContainer(at)
		case n.effect:
			r.startNode(at)
			r.launching = append(r.launching, at)
		default:
			r.startNode(at)
			res, err := r.call(ctx, at, r.execution(at, nil))
			if ctx.Err() != nil {
				return false, context.Cause(ctx)
			}
			r.complete(at, res, err)
		}
		more = len(r.pending) > 0 && r.now().Sub(r.lastFlush) > r.opts.FlushAfter
	}
	r.ready = append(held, r.ready...)
	return more, nil
}

func (r *Run) startNode(at ref) {
	r.identify(at)
	e := r.nodeEvent(at)
	if p, ok := at.plan().node.(workflow.Presenter); ok {
		e.Extras = p.Extras()
	}
	r.emitNode(at, workflow.EventNodeStarted, e)
}

// identify gives a node that starts its identity and place in the run.
func (r *Run) identify(at ref) {
	n := at.node()
	r.index++
	at.f.steps++
	at.f.set(at.i, phaseRunning)
	n.id, n.index, n.startedAt = r.setup.NewID(), r.index, r.now()
}

// dueRetries puts nodes whose next try is due in line for launch.
func (r *Run) dueRetries() {
	if r.draining() {
		return
	}
	keep := r.waiting[:0]
	for _, at := range r.waiting {
		if at.f.closed {
			continue
		}
		if n := at.node(); n.notBefore.After(r.now()) || r.running+len(r.launching) >= r.opts.Parallel {
			keep = append(keep, at)
			continue
		}
		at.f.set(at.i, phaseRunning)
		at.f.steps++
		r.launching = append(r.launching, at)
	}
	r.waiting = keep
}

// launch starts the effects in line; everything before them is durable now.
func (r *Run) launch() {
	for _, at := range r.launching {
		if at.f.closed {
			continue
		}
		if r.msgs == nil {
			r.msgs = make(chan message, 64)
		}
		at.node().launched = true
		r.running++
		ctx := r.contextOf(at.f)
		x := r.execution(at, func(c workflow.Chunk) {
			select {
			case r.msgs <- message{at: at, chunk: &c}:
			case <-ctx.Done():
			}
		})
		r.opts.Hook("effect_start:" + x.Node.ID)
		go func() {
			res, err := r.call(ctx, at, x)
			r.opts.Hook("effect_end:" + x.Node.ID)
			select {
			case r.msgs <- message{at: at, res: res, err: err}:
			case <-r.effectCtx.Done():
			}
		}()
	}
	r.launching = r.launching[:0]
}

// wait blocks until something happens and handles it, and with it everything
// that has happened meanwhile.
func (r *Run) wait(ctx context.Context) error {
	r.setTimer()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case reason := <-r.setup.Stop:
		r.abort(reason)
		return nil
	case <-r.setup.Signal:
		r.lookAgain(true)
		return nil
	case m := <-r.msgs:
		r.handle(m)
	case <-r.timer:
		r.timer = nil
		if !r.now().Before(r.limit()) {
			r.abort("App execution exceeded " + seconds(r.opts.MaxTime) + " seconds")
		}
		r.lookAgain(false)
		return nil
	}
	r.hear()
	return nil
}

// hear handles what effects have reported meanwhile.
func (r *Run) hear() {
	for r.verdict == nil {
		select {
		case m := <-r.msgs:
			r.handle(m)
		default:
			return
		}
	}
}

// noticeStop looks for a stop request that came while there was no waiting.
func (r *Run) noticeStop() {
	select {
	case reason := <-r.setup.Stop:
		r.abort(reason)
	default:
	}
}

func (r *Run) handle(m message) {
	if m.chunk != nil {
		if m.at.f == r.root {
			r.streams.chunk(m.at.plan().cfg.ID, *m.chunk)
		}
		return
	}
	if m.at.f.closed {
		return // its pass ended without it
	}
	r.running--
	m.at.node().launched = false
	r.complete(m.at, m.res, m.err)
}

// shouldLeave says whether this process should let go of the run. busy is true
// when there is pure work to do.
func (r *Run) shouldLeave(busy bool) (Outcome, bool) {
	if !r.setup.Deadline.IsZero() && !r.now().Before(r.setup.Deadline.Add(-r.opts.HardMargin)) {
		return Outcome{Verdict: HandedOver}, true
	}
	if r.running > 0 {
		return Outcome{}, false
	}
	if busy && !r.draining() {
		return Outcome{}, false
	}
	if r.halted != nil {
		return Outcome{Verdict: Paused, WakeAt: r.halted.Until, Paused: r.halted}, true
	}
	if r.draining() {
		return Outcome{Verdict: HandedOver}, true
	}
	wake, ok := r.nextRetry()
	if len(r.fans) > 0 {
		if poll := r.pollAt(); !ok || poll.Before(wake) {
			wake = poll
		}
		if limit := r.limit(); limit.Before(wake) {
			wake = limit
		}
		return Outcome{Verdict: Suspended, WakeAt: wake}, true
	}
	if ok && wake.Sub(r.now()) > r.opts.ReleaseWait {
		return Outcome{Verdict: Suspended, WakeAt: wake}, true
	}
	return Outcome{}, false
}

// draining is true when the deadline is too near for new effects.
func (r *Run) draining() bool {
	return !r.setup.Deadline.IsZero() && !r.now().Before(r.setup.Deadline.Add(-r.opts.HandoverMargin))
}

// limit is when the run has taken too long; the time that it was paused does
// not count.
func (r *Run) limit() time.Time {
	idle := r.idleTime
	if r.halted != nil {
		idle += r.now().Sub(r.haltedAt)
	}
	return r.startedAt.Add(r.opts.MaxTime + idle)
}

// nextRetry is when the next waiting node has its try, or a paused one is
// looked at.
func (r *Run) nextRetry() (at time.Time, ok bool) {
	for _, list := range [][]ref{r.waiting, r.paused} {
		for _, w := range list {
			if t := w.node().notBefore; !w.f.closed && !t.IsZero() && (!ok || t.Before(at)) {
				at, ok = t, true
			}
		}
	}
	return at, ok
}

// setTimer arms the timer for the next moment at which something is due.
func (r *Run) setTimer() {
	next := r.limit()
	if at, ok := r.nextRetry(); ok && at.Before(next) {
		next = at
	}
	if d := r.setup.Deadline; !d.IsZero() {
		for _, at := range []time.Time{d.Add(-r.opts.HandoverMargin), d.Add(-r.opts.HardMargin)} {
			if at.After(r.now()) && at.Before(next) {
				next = at
			}
		}
	}
	if r.timer != nil && r.timerAt.Equal(next) {
		return
	}
	r.timer, r.timerAt = r.setup.Clock.After(next.Sub(r.now())), next
}

// idle is true when nothing is left to do.
func (r *Run) idle() bool {
	if r.part != nil {
		return r.part.c.ended && len(r.part.c.open) == 0
	}
	return r.root.active == 0 && r.running == 0
}

func (r *Run) flush(ctx context.Context) error {
	r.lastFlush = r.now()
	if len(r.pending) == 0 {
		return nil
	}
	events := r.pending
	r.pending = nil
	if err := r.host.Commit(ctx, events); err != nil {
		return err
	}
	r.lastFlush = r.now()
	return nil
}

func (r *Run) emit(e workflow.Event) {
	if e.At.IsZero() {
		e.At = r.now()
	}
	if r.events == 0 { // a run without effects has no other batch
		r.pending = make([]workflow.Event, 0, min(2*len(r.plan.nodes)+2, 32))
	}
	r.pending = append(r.pending, e)
	r.events++
}

// emitNode emits an event of a node.
func (r *Run) emitNode(at ref, t workflow.EventType, n *workflow.NodeEvent) {
	r.emit(workflow.Event{Type: t, Frame: at.f.path, Node: n})
}

func (r *Run) live(l Live) { r.host.Live(l) }

// now has the precision of the journal.
func (r *Run) now() time.Time { return r.setup.Clock.Now().UTC().Truncate(time.Microsecond) }
