package engine

import (
	"context"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// frame is one pass through a graph: the run itself, or one pass of a container.
type frame struct {
	plan  *Plan
	path  []workflow.Frame
	owner *container // nil at the top
	pass  int
	pool  *workflow.Pool
	nodes []nodeRun
	edges []edgeState
	// active counts the nodes that keep the frame from being over.
	active  int
	steps   int
	tokens  int64
	usage   *workflow.Usage
	outputs *value.Object // of the response nodes

	started workflow.Event // of a pass
	failure *workflow.Failure
	broke   bool
	closed  bool

	ctx    context.Context
	cancel context.CancelFunc
}

// ref is a node in a frame.
type ref struct {
	f *frame
	i int
}

func (at ref) node() *nodeRun  { return &at.f.nodes[at.i] }
func (at ref) plan() *planNode { return &at.f.plan.nodes[at.i] }

func newFrame(plan *Plan, pool *workflow.Pool) *frame {
	return &frame{
		plan: plan, pool: pool, nodes: make([]nodeRun, len(plan.nodes)), edges: make([]edgeState, len(plan.edges)),
		outputs: value.NewObject(2),
	}
}

// set changes a node's phase. A change that is not among moves is a bug.
func (f *frame) set(i int, p phase) {
	n := &f.nodes[i]
	f.plan.allowed.check(f.plan.nodes[i].cfg.ID, n.phase, p)
	if n.phase.active() {
		f.active--
	}
	if n.phase = p; p.active() {
		f.active++
	}
}

// contextOf is the context of the effects in a frame; it ends with the frame.
func (r *Run) contextOf(f *frame) context.Context {
	if f.owner == nil {
		return r.effectCtx
	}
	if f.ctx == nil {
		f.ctx, f.cancel = context.WithCancel(r.contextOf(f.owner.at.f))
	}
	return f.ctx
}

// closeFrame ends a frame and all below it; whatever still runs there is told
// to stop and not heard any more.
func (r *Run) closeFrame(f *frame) {
	f.closed = true
	if f.cancel != nil {
		f.cancel()
	}
	for i := range f.nodes {
		if f.nodes[i].launched {
			r.running--
		}
		if c := f.nodes[i].container; c != nil {
			for _, child := range c.open {
				r.closeFrame(child)
			}
		}
	}
}

// container is one execution of a container node.
type container struct {
	at      ref
	passes  workflow.Passes
	opening workflow.Opening
	open    map[int]*frame
	next    int
	ended   bool          // no pass begins any more
	answers *value.Object // of the passes' response nodes
	queued  bool          // in Run.dirty
	fan     *fan          // set when the passes run elsewhere
}

// openContainer starts a container node: either its passes begin, or it fails.
func (r *Run) openContainer(at ref) {
	r.identify(at)
	c, err := r.newContainer(at)
	if err != nil {
		r.emitNode(at, workflow.EventNodeStarted, r.nodeEvent(at))
		r.complete(at, nil, err)
		return
	}
	r.adopt(c)
	e := r.nodeEvent(at)
	e.Inputs, e.Length = c.opening.Inputs, &c.opening.Length
	r.emitNode(at, workflow.EventNodeStarted, e)
	r.split(c)
	r.touch(c)
	r.turn()
}

func (r *Run) newContainer(at ref) (c *container, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, panicked(p)
		}
	}()
	node, ok := at.plan().node.(workflow.Container)
	if !ok {
		return nil, workflow.Fail(errorTypeNode, "The node is no container.")
	}
	passes, err := node.Open(r.execution(at, nil))
	if err != nil {
		return nil, err
	}
	c = &container{at: at, passes: passes, opening: passes.Opening(), open: map[int]*frame{}, answers: value.NewObject(0)}
	c.opening.Parallel = max(1, c.opening.Parallel)
	return c, nil
}

// adopt makes an opened container part of the run's state.
func (r *Run) adopt(c *container) {
	c.at.node().container = c
	c.at.f.set(c.at.i, phaseOpen)
	c.at.f.pool.SetAll(c.at.plan().cfg.ID, c.opening.Variables)
}

// touch puts a container in line for the next turn.
func (r *Run) touch(c *container) {
	if !c.queued {
		c.queued = true
		r.dirty = append(r.dirty, c)
	}
}

// turnEvents is how many events may wait for their commit before containers
// wait for it too: passes without a node that takes time would fill the memory.
const turnEvents = 5000

// turn lets containers begin passes and end, until there is nothing to do for
// them, or much to commit first. It works through a list, because a pass may be
// over at once.
func (r *Run) turn() {
	if r.turning {
		return
	}
	r.turning = true
	defer func() { r.turning = false }()
	for len(r.dirty) > 0 && r.verdict == nil && len(r.pending) < turnEvents {
		c := r.dirty[0]
		r.dirty = r.dirty[1:]
		c.queued = false
		if c.at.f.closed || c.at.node().phase != phaseOpen {
			continue
		}
		for !c.ended && c.fan == nil && len(c.open) < c.opening.Parallel && r.verdict == nil && len(r.pending) < turnEvents {
			r.beginPass(c)
		}
		if !c.ended && c.fan == nil && len(c.open) == 0 {
			r.touch(c) // it goes on after the commit
		}
		if c.ended && len(c.open) == 0 && r.part.of() != c {
			r.closeContainer(c)
		}
	}
}

// beginPass begins the next pass, if there is one.
func (r *Run) beginPass(c *container) {
	if r.part.of() == c && c.next >= r.part.To {
		c.ended = true
		return
	}
	f := r.newPass(c)
	if f == nil {
		c.ended = true
		return
	}
	f.started = workflow.Event{Type: workflow.EventPassStarted, At: r.now(), Frame: c.at.f.path, Node: r.nodeEvent(c.at), Pass: &workflow.Pass{Index: f.pass}}
	r.emit(f.started)
	r.enter(f)
	if f.active == 0 {
		r.endPass(f)
	}
}

// newPass makes the frame of the next pass; nil when there is none.
func (r *Run) newPass(c *container) *frame {
	pool := c.at.f.pool
	plan := c.at.plan()
	if c.opening.Shared {
		for i := range plan.child.nodes {
			pool.Remove(plan.child.nodes[i].cfg.ID)
		}
	} else {
		pool = pool.Snapshot()
	}
	vars, ok := c.passes.Begin(c.next, pool)
	if !ok {
		return nil
	}
	pool.SetAll(plan.cfg.ID, vars)
	f := newFrame(plan.child, pool)
	f.owner, f.pass = c, c.next
	f.path = append(c.at.f.path[:len(c.at.f.path):len(c.at.f.path)], workflow.Frame{NodeID: plan.cfg.ID, Type: plan.cfg.Type, Index: c.next})
	c.next++
	c.open[f.pass] = f
	return f
}

// enter makes the first node of a pass ready. Nodes that only mark the
// beginning are passed through.
func (r *Run) enter(f *frame) {
	root := f.plan.root
	if !f.plan.nodes[root].silent {
		r.enqueue(ref{f, root})
		return
	}
	f.set(root, phaseDone)
	for _, e := range f.plan.nodes[root].out {
		f.edges[e] = edgeTaken
	}
	var next []int
	for _, e := range f.plan.nodes[root].out {
		next = f.settle(f.plan.edges[e].target, next)
	}
	for _, i := range next {
		r.enqueue(ref{f, i})
	}
}

// endPass ends a pass that has nothing left to do, or in which a node failed.
func (r *Run) endPass(f *frame) {
	p := &workflow.Pass{Index: f.pass, Elapsed: r.now().Sub(f.started.At).Seconds()}
	if f.failure != nil {
		p.Error, p.ErrorType = f.failure.Message, f.failure.Type
	}
	r.emit(workflow.Event{Type: workflow.EventPassFinished, Frame: f.owner.at.f.path, Node: r.nodeEvent(f.owner.at), Pass: p})
	r.applyPassEnd(f, p)
	r.checkLimits(f)
	r.touch(f.owner)
	r.turn()
}

// applyPassEnd changes the state by the end of a pass.
func (r *Run) applyPassEnd(f *frame, p *workflow.Pass) {
	c := f.owner
	r.closeFrame(f)
	delete(c.open, f.pass)
	if c.opening.LastAnswer {
		c.answers = f.outputs
	} else {
		addOutputs(c.answers, f.outputs)
	}
	end := workflow.PassEnd{Index: f.pass, Pool: f.pool, Broke: f.broke, Elapsed: p.Elapsed, Usage: f.usage}
	if f.failure != nil || p.Error != "" || p.ErrorType != "" {
		end.Failure = &workflow.Failure{Type: p.ErrorType, Message: p.Error}
	}
	c.passes.End(end)
}

// closeContainer ends a container node with what its passes have produced.
func (r *Run) closeContainer(c *container) {
	res, err := func() (res *workflow.Result, err error) {
		defer func() {
			if p := recover(); p != nil {
				res, err = nil, panicked(p)
			}
		}()
		return c.passes.Close()
	}()
	r.complete(c.at, res, err)
}

// counted is implemented by passes whose number of steps the contract counts
// in a way of its own.
type counted interface{ Steps() int }

// describe adds to a container's last event what only containers have.
func (c *container) describe(e *workflow.NodeEvent) {
	e.Length = &c.opening.Length
	e.Steps = c.opening.Length
	if n, ok := c.passes.(counted); ok {
		e.Steps = n.Steps()
	}
}

// place adds to the metadata of a node where in containers it ran: the
// innermost iteration and the innermost loop.
func place(meta *value.Object, path []workflow.Frame) *value.Object {
	if len(path) == 0 {
		return meta
	}
	out := value.NewObject(4)
	for k, v := range meta.All() {
		out.Set(k, v)
	}
	for _, p := range path {
		out.Set(p.Type+"_id", p.NodeID)
		out.Set(p.Type+"_index", int64(p.Index))
	}
	return out
}
