package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/shared/workflow"
)

// FanOut says which containers are split into parts that run as runs of their
// own. Zero values mean the defaults in brackets.
type FanOut struct {
	Over   int // parallel containers with more passes than this are split [200]
	Size   int // passes of one part [50]
	AtOnce int // parts of one run that may run at the same time [4]
	// Poll is how often a run that has nothing else to do looks after its parts
	// when nobody tells it that they are done [30 s].
	Poll time.Duration
}

func (o FanOut) withDefaults() FanOut {
	set := func(d *int, v int) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&o.Over, 200)
	set(&o.Size, 50)
	set(&o.AtOnce, 4)
	if o.Poll <= 0 {
		o.Poll = 30 * time.Second
	}
	return o
}

// ErrLater is what Parts.Start returns for a part that may not be started yet.
var ErrLater = errors.New("too many parts are under way")

// Parts runs the parts of containers.
type Parts interface {
	// Start makes a part run somewhere. A part that was started before is left
	// alone. ErrLater: ask again later.
	Start(ctx context.Context, p workflow.Part) error
	// Events returns the journal of a part that is over.
	Events(ctx context.Context, p workflow.Part) (events []workflow.Event, over bool, err error)
	// Stop ends a part that is not needed any more.
	Stop(ctx context.Context, p workflow.Part, reason string) error
}

// fan is a container whose passes run elsewhere.
type fan struct {
	c       *container
	parts   []workflow.Part
	joined  []bool
	started []bool // by this process
	// held is true when a part had to wait for those of other runs.
	held bool
	// ended is true when no more parts are started: those that are under way are
	// stopped and waited for.
	ended bool
}

// split decides whether a container is split, and says so in the journal.
func (r *Run) split(c *container) {
	o := r.opts.FanOut
	if r.setup.Parts == nil || r.part != nil || len(c.at.f.path) > 0 || c.opening.Shared || c.opening.Parallel < 2 ||
		c.opening.Length <= o.Over || c.at.plan().child.pauses() {
		return
	}
	atOnce := min(o.AtOnce, c.opening.Parallel)
	var parts []workflow.Part
	for from := 0; from < c.opening.Length; from += o.Size {
		parts = append(parts, workflow.Part{
			RunID: r.setup.NewID(), From: from, To: min(from+o.Size, c.opening.Length), Parallel: max(1, c.opening.Parallel/atOnce),
		})
	}
	r.emit(workflow.Event{Type: workflow.EventFanOut, Frame: c.at.f.path, Node: r.nodeEvent(c.at), Parts: parts})
	r.applyFanOut(c, parts)
}

// pauses reports whether a node of the graph may wait for a person: those are
// not split, because nobody would see the wait.
func (p *Plan) pauses() bool {
	return slices.ContainsFunc(p.nodes, func(n planNode) bool {
		return n.cfg.Type == "human-input" || n.child != nil && n.child.pauses()
	})
}

func (r *Run) applyFanOut(c *container, parts []workflow.Part) {
	c.fan = &fan{c: c, parts: parts, joined: make([]bool, len(parts)), started: make([]bool, len(parts))}
	r.fans = append(r.fans, c.fan)
}

// tend starts the parts whose turn it is and takes over what is done. It
// reports whether anything has changed.
func (r *Run) tend(ctx context.Context) (bool, error) {
	changed := false
	for _, f := range r.fans {
		if !f.going() {
			continue
		}
		if next := f.window(1); len(next) > 0 && !f.ended {
			if _, more := f.c.passes.Begin(f.parts[next[0]].From, f.c.at.f.pool.Snapshot()); !more {
				r.endFan(ctx, f)
			}
		}
		if err := r.startParts(ctx, f); err != nil {
			return false, err
		}
		joined, err := r.join(ctx, f)
		if err != nil {
			return false, err
		}
		changed = changed || joined
		if f.going() && f.over() {
			f.c.ended = true
			r.touch(f.c)
			r.turn()
			changed = true
		}
	}
	r.fans = slices.DeleteFunc(r.fans, func(f *fan) bool { return !f.going() })
	return changed, nil
}

// going is true until the container is done.
func (f *fan) going() bool { return !f.c.at.f.closed && f.c.at.node().phase == phaseOpen }

// window lists the first n parts that are not joined: no others have been
// started, by whatever process.
func (f *fan) window(n int) []int {
	var out []int
	for i := range f.parts {
		if !f.joined[i] && len(out) < n {
			out = append(out, i)
		}
	}
	return out
}

// over is true when every part is joined, or every started one when there will
// be no more.
func (f *fan) over() bool {
	for i := range f.parts {
		if !f.joined[i] && (!f.ended || f.started[i]) {
			return false
		}
	}
	return true
}

// startParts keeps as many parts under way as there may be.
func (r *Run) startParts(ctx context.Context, f *fan) error {
	f.held = false
	for _, i := range f.window(r.opts.FanOut.AtOnce) {
		if f.started[i] || f.ended {
			continue
		}
		err := r.setup.Parts.Start(ctx, f.parts[i])
		if errors.Is(err, ErrLater) {
			f.held = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("start part %d of %s: %w", i, f.c.at.plan().cfg.ID, err)
		}
		f.started[i] = true
	}
	return nil
}

// join takes over the parts that are over.
func (r *Run) join(ctx context.Context, f *fan) (bool, error) {
	changed := false
	for _, i := range f.window(len(f.parts)) {
		if !f.started[i] {
			continue
		}
		events, over, err := r.setup.Parts.Events(ctx, f.parts[i])
		if err != nil {
			return false, fmt.Errorf("read part %d of %s: %w", i, f.c.at.plan().cfg.ID, err)
		}
		if !over {
			continue
		}
		changed = true
		if err := r.take(f, i, events); err != nil {
			r.endFan(ctx, f)
			r.complete(f.c.at, nil, err)
			return true, nil
		}
	}
	return changed, nil
}

// endFan stops the parts that are under way; no more are started.
func (r *Run) endFan(ctx context.Context, f *fan) {
	if f.ended {
		return
	}
	f.ended = true
	for _, i := range f.window(r.opts.FanOut.AtOnce) {
		// A part that cannot be stopped was never there, and is not waited for.
		f.started[i] = r.setup.Parts.Stop(ctx, f.parts[i], "The iteration has ended.") == nil
	}
}

// take makes the events of a part events of this run.
func (r *Run) take(f *fan, i int, events []workflow.Event) error {
	index := map[string]int{}
	for k := range events {
		e := events[k]
		switch e.Type {
		case workflow.EventRunStarted:
			continue
		case workflow.EventRunFinished:
			if e.Finished.Status != workflow.StatusSucceeded && !f.ended {
				return workflow.Fail(errorTypeNode, e.Finished.Error)
			}
			continue
		}
		e.Seq, e.Token = 0, 0
		if e.Node != nil {
			n := *e.Node
			if e.Type == workflow.EventNodeStarted {
				r.index++
				index[n.ExecutionID] = r.index
			}
			if at, ok := index[n.ExecutionID]; ok {
				n.Index = at
			}
			e.Node = &n
		}
		if err := r.fold(&e); err != nil {
			return err
		}
		r.emit(e)
	}
	r.dropPasses(f.c)
	f.joined[i] = true
	r.emit(workflow.Event{Type: workflow.EventPartJoined, Frame: f.c.at.f.path, Node: r.nodeEvent(f.c.at), Parts: f.parts[i : i+1]})
	return nil
}

func (r *Run) foldFan(at ref, e *workflow.Event) error {
	c := at.node().container
	if c == nil {
		return fmt.Errorf("node %q has no passes", e.Node.NodeID)
	}
	if e.Type == workflow.EventFanOut {
		r.applyFanOut(c, e.Parts)
		return nil
	}
	for i, p := range c.fan.parts {
		if len(e.Parts) == 1 && p.RunID == e.Parts[0].RunID {
			c.fan.joined[i], c.fan.started[i] = true, true
		}
	}
	r.dropPasses(c)
	return nil
}

// dropPasses closes the passes that a part which was stopped has left behind.
func (r *Run) dropPasses(c *container) {
	for _, pass := range c.open {
		r.closeFrame(pass)
	}
	clear(c.open)
}

// pollAt is when the run looks after its parts though nobody told it to.
func (r *Run) pollAt() time.Time {
	every := r.opts.FanOut.Poll
	for _, f := range r.fans {
		if f.held {
			every = min(every, heldPoll)
		}
	}
	return r.now().Add(every)
}

// heldPoll is how often a part that had to wait for those of other runs is
// tried again.
const heldPoll = 2 * time.Second

// stopParts ends the parts of a run that is over.
func (r *Run) stopParts(ctx context.Context) {
	for _, f := range r.fans {
		if f.going() {
			r.endFan(ctx, f)
		}
	}
}

// partRun is what makes a run the run of a part.
type partRun struct {
	workflow.Part
	c *container
}

// of returns the container whose passes the run is about; nil for a whole run.
func (p *partRun) of() *container {
	if p == nil {
		return nil
	}
	return p.c
}

// RestorePart makes the run the part with this run id: origin is the journal of
// the run that it is a part of, events its own journal.
func (r *Run) RestorePart(runID string, origin, events []workflow.Event) (err error) {
	defer r.recovered(&err)
	r.streams.folding = true
	defer func() { r.streams.folding = false }()
	for k := range origin {
		e := &origin[k]
		if err := r.fold(e); err != nil {
			return fmt.Errorf("event %d of run %s: %w", e.Seq, r.info.ID, err)
		}
		if e.Type != workflow.EventFanOut {
			continue
		}
		if i := slices.IndexFunc(e.Parts, func(p workflow.Part) bool { return p.RunID == runID }); i >= 0 {
			f, err := r.find(e.Frame)
			if err != nil {
				return err
			}
			return r.becomePart(e.Parts[i], f.nodes[f.plan.byID[e.Node.NodeID]].container, events)
		}
	}
	return fmt.Errorf("run %s has no part %s", r.info.ID, runID)
}

// becomePart forgets everything that the run would do but for one range of a
// container's passes.
func (r *Run) becomePart(p workflow.Part, c *container, events []workflow.Event) error {
	r.ready, r.waiting, r.paused, r.launching, r.dirty, r.fans = nil, nil, nil, nil, nil, nil
	c.fan, c.next, c.queued = nil, p.From, false
	c.opening.Parallel = max(1, p.Parallel)
	r.part = &partRun{Part: p, c: c}
	r.started, r.verdict, r.result, r.halted = false, nil, nil, nil
	r.exceptions = 0
	for k := range events {
		e := &events[k]
		if e.Type == workflow.EventRunStarted {
			r.started = true
			continue
		}
		if err := r.fold(e); err != nil {
			return fmt.Errorf("event %d of part %s: %w", e.Seq, p.RunID, err)
		}
	}
	for _, pass := range c.open {
		r.settleFrame(pass)
	}
	return nil
}

// beginPart is the first event of a part.
func (r *Run) beginPart() {
	r.started = true
	r.emit(workflow.Event{Type: workflow.EventRunStarted, Started: &workflow.RunStarted{Reason: workflow.ReasonPart}})
}
