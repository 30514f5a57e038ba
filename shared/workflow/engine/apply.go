package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/redact"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Error types that the engine itself gives to failures.
const (
	errorTypeNode = "WorkflowNodeError"
)

func (r *Run) execution(at ref, emit func(workflow.Chunk)) *workflow.Execution {
	n := at.node()
	return &workflow.Execution{
		ID: n.id, Node: at.plan().cfg, Attempt: n.attempt,
		Key: r.info.ID + "/" + n.id + "/" + strconv.Itoa(n.attempt),
		Run: r.info, Pool: at.f.pool.Snapshot(), Clock: r.setup.Clock, Emit: emit, Recovered: n.recovered, Resumed: n.resumed,
		Frames: at.f.path,
	}
}

// call runs a node; a panic in it is a failure of the node, not of the process.
func (r *Run) call(ctx context.Context, at ref, x *workflow.Execution) (res *workflow.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, panicked(p)
		}
	}()
	if r.setup.Observe != nil {
		observed, done := r.setup.Observe(ctx, x)
		defer func() { done(err) }()
		ctx = observed
	}
	return at.plan().node.Run(ctx, x)
}

func panicked(p any) error {
	return &workflow.Failure{Type: errorTypeNode, Message: "The node ended unexpectedly.", Cause: fmt.Errorf("panic: %v", p)}
}

// complete takes the end of one try of a node.
func (r *Run) complete(at ref, res *workflow.Result, err error) {
	if pause := (*workflow.Pause)(nil); errors.As(err, &pause) {
		r.pauseNode(at, pause)
		return
	}
	if res == nil {
		res = &workflow.Result{}
	}
	if at.node().resumed {
		r.resumeNode(at, res.Resumption)
	}
	n := at.plan()
	if err == nil && n.kind == workflow.KindBranch && res.Handle == "" {
		err = workflow.Fail(errorTypeNode, fmt.Sprintf("Branch node %s finished without selecting a branch", n.cfg.ID))
	}
	e := r.nodeEvent(at)
	e.Attempt = at.node().attempt
	e.Inputs, e.ProcessData, e.Outputs, e.Metadata = res.Inputs, res.ProcessData, res.Outputs, place(res.Metadata, at.f.path)
	e.Elapsed = r.now().Sub(at.node().startedAt).Seconds()
	if c := at.node().container; c != nil {
		c.describe(e)
	}
	e.Usage = res.Usage // also of a failed try: the model was called
	if err != nil {
		r.failed(at, e, err)
	} else {
		e.Status, e.Handle, e.Updates = workflow.StatusSucceeded, res.Handle, res.Updates
		r.done(at, e)
	}
	r.checkLimits(at.f)
	r.turn()
}

// failed decides between another try, the error strategy and the end of the run.
func (r *Run) failed(at ref, e *workflow.NodeEvent, err error) {
	cfg := at.plan().cfg
	f := failureOf(err)
	// Messages quote what nodes worked on; a copy keeps the node's own as it is.
	f = &workflow.Failure{Type: f.Type, Message: redact.Text(f.Message, at.f.pool.Secrets()), Cause: f.Cause}
	e.Error, e.ErrorType = f.Message, f.Type
	if retry := at.plan().retry; at.node().attempt < retry.MaxRetries {
		r.settleStreams(at)
		e.Status = workflow.StatusRetry
		e.NotBefore = r.now().Add(time.Duration(retry.Interval) * time.Millisecond)
		r.emitNode(at, workflow.EventNodeRetry, e)
		r.applyRetry(at, e)
		return
	}
	switch cfg.ErrorStrategy {
	case workflow.StrategyFailBranch:
		e.Outputs = value.Obj("error_message", f.Message, "error_type", f.Type)
		e.Handle = workflow.HandleFailBranch
	case workflow.StrategyDefaultValue:
		e.Outputs = defaultOutputs(cfg.DefaultValue)
		e.Outputs.Set("error_message", f.Message)
		e.Outputs.Set("error_type", f.Type)
	default:
		r.settleStreams(at)
		e.Status = workflow.StatusFailed
		r.emitNode(at, workflow.EventNodeFinished, e)
		r.applyFailure(at, e)
		if at.f != r.root {
			r.endPass(at.f)
		}
		return
	}
	if f.Type == "" {
		e.Error = "Unknown error" // the contract shows the text of typed errors only
	}
	e.Status = workflow.StatusException
	meta := value.NewObject(4)
	if e.Metadata != nil {
		meta = e.Metadata.Clone()
	}
	meta.Set("error_strategy", cfg.ErrorStrategy)
	e.Metadata = meta
	r.done(at, e)
}

// settleStreams ends what a node has streamed without success. Only nodes of
// the graph itself stream to clients.
func (r *Run) settleStreams(at ref) {
	if at.f == r.root {
		r.streams.settle(at.plan().cfg.ID)
	}
}

// done journals a node's end, preceded by the text that it lets flow.
func (r *Run) done(at ref, e *workflow.NodeEvent) {
	if at.f != r.root {
		next := r.applyDone(at, e)
		r.emitNode(at, workflow.EventNodeFinished, e)
		r.enqueueAll(at.f, next)
		if at.f.active == 0 {
			r.endPass(at.f)
		}
		return
	}
	e.Streams = r.streams.finish(e.NodeID)
	next := r.applyDone(at, e)
	if at.plan().kind != workflow.KindContainer {
		r.streams.drain()
		r.emitNode(at, workflow.EventNodeFinished, e)
	} else {
		// The contract shows the end of a container before the text it lets flow.
		r.emitNode(at, workflow.EventNodeFinished, e)
		r.streams.drain()
	}
	r.enqueueAll(at.f, next)
}

// applyRetry, applyFailure and applyDone change the state by an event; they
// are all that recovery needs.
func (r *Run) applyRetry(at ref, e *workflow.NodeEvent) {
	r.exceptions++
	at.f.addUsage(e)
	n := at.node()
	at.f.set(at.i, phaseWaiting)
	n.attempt, n.notBefore, n.recovered = e.Attempt+1, e.NotBefore, false
	r.waiting = append(r.waiting, at)
}

func (r *Run) applyFailure(at ref, e *workflow.NodeEvent) {
	r.exceptions++
	at.f.addUsage(e)
	at.f.set(at.i, phaseDone)
	at.node().container = nil
	if at.f == r.root {
		r.verdict = &verdict{status: workflow.StatusFailed, err: e.Error, errType: e.ErrorType}
		return
	}
	at.f.failure = &workflow.Failure{Type: e.ErrorType, Message: e.Error}
}

// applyDone returns the nodes that became ready.
func (r *Run) applyDone(at ref, e *workflow.NodeEvent) []int {
	f, n := at.f, at.plan()
	f.set(at.i, phaseDone)
	f.pool.SetAll(e.NodeID, e.Outputs)
	f.update(e.Updates)
	if c := at.node().container; c != nil {
		addOutputs(f.outputs, c.answers)
		at.node().container = nil
	}
	f.addUsage(e)
	if e.Status == workflow.StatusException {
		r.exceptions++
	} else {
		if n.kind == workflow.KindResponse {
			addOutputs(f.outputs, e.Outputs)
		}
		f.broke = f.broke || n.breaks
	}
	branch, handle := n.kind == workflow.KindBranch, e.Handle
	if n.cfg.ErrorStrategy == workflow.StrategyFailBranch {
		branch = true
		if handle == "" {
			handle = workflow.HandleSource
		}
	}
	var next []int
	for _, edge := range n.out {
		if branch && f.plan.edges[edge].handle != handle {
			f.edges[edge] = edgeSkipped
		} else {
			f.edges[edge] = edgeTaken
		}
	}
	for _, edge := range n.out {
		next = f.settle(f.plan.edges[edge].target, next)
	}
	return next
}

// update assigns variables. A pass works on a copy of the variables, but those
// of the conversation are not its own: they outlive the run, and the graphs
// around the pass see what becomes of them.
func (f *frame) update(updates []workflow.Update) {
	for _, u := range updates {
		node, name, ok := u.Selector.Key()
		if !ok {
			continue
		}
		f.pool.Set(node, name, u.Value)
		for around := f; node == workflow.ScopeConversation && around.owner != nil; {
			around = around.owner.at.f
			around.pool.Set(node, name, u.Value)
		}
	}
}

// settle decides what the state of a node's incoming edges makes of it and
// appends it to next when it became ready. Skipping spreads.
func (f *frame) settle(i int, next []int) []int {
	if f.nodes[i].phase != phaseIdle {
		return next
	}
	taken := false
	for _, e := range f.plan.nodes[i].in {
		switch f.edges[e] {
		case edgeUnknown:
			return next
		case edgeTaken:
			taken = true
		}
	}
	if taken {
		f.set(i, phaseReady)
		return append(next, i)
	}
	f.set(i, phaseSkipped)
	for _, e := range f.plan.nodes[i].out {
		f.edges[e] = edgeSkipped
	}
	for _, e := range f.plan.nodes[i].out {
		next = f.settle(f.plan.edges[e].target, next)
	}
	return next
}

// skipOtherRoots marks the roots that this run does not start from, and what
// only they reach, as skipped.
func (r *Run) skipOtherRoots() {
	f := r.root
	for i := range f.plan.nodes {
		if i == f.plan.root || f.plan.nodes[i].kind != workflow.KindRoot || len(f.plan.nodes[i].in) > 0 {
			continue
		}
		f.set(i, phaseSkipped)
		for _, e := range f.plan.nodes[i].out {
			f.edges[e] = edgeSkipped
		}
		for _, e := range f.plan.nodes[i].out {
			f.settle(f.plan.edges[e].target, nil)
		}
	}
}

func (r *Run) enqueue(at ref) {
	at.f.set(at.i, phaseReady)
	r.ready = append(r.ready, at)
}

func (r *Run) enqueueAll(f *frame, nodes []int) {
	for _, i := range nodes {
		r.enqueue(ref{f, i})
	}
}

func (r *Run) nodeEvent(at ref) *workflow.NodeEvent {
	n, cfg := at.node(), at.plan().cfg
	return &workflow.NodeEvent{
		ExecutionID: n.id, NodeID: cfg.ID, NodeType: cfg.Type, Title: cfg.Title, Index: n.index, StartedAt: n.startedAt,
	}
}

// addOutputs merges the outputs of a response node into dst; answers of several
// answer nodes are joined.
func addOutputs(dst, out *value.Object) {
	for k, v := range out.All() {
		if k == "answer" {
			if text, ok := v.(string); ok {
				v = dst.String(k) + text
			}
		}
		dst.Set(k, v)
	}
}

func (f *frame) addUsage(e *workflow.NodeEvent) {
	if e.Usage != nil {
		f.tokens += e.Usage.TotalTokens
		f.usage = addUsage(f.usage, e.Usage)
		return
	}
	if n, ok := e.Metadata.Value("total_tokens").(int64); ok {
		f.tokens += n
	}
}

// checkLimits ends the run when a frame has taken too many steps or the run
// too long. Each pass of a container counts its own steps.
func (r *Run) checkLimits(f *frame) {
	if r.verdict != nil {
		return
	}
	if f.steps > r.opts.MaxSteps {
		r.abort(fmt.Sprintf("Maximum execution steps exceeded: %d > %d", f.steps, r.opts.MaxSteps))
		return
	}
	if r.events > r.opts.MaxEvents {
		r.abort(fmt.Sprintf("Maximum number of events exceeded: %d > %d", r.events, r.opts.MaxEvents))
		return
	}
	if d := r.now().Sub(r.startedAt) - r.idleTime; d > r.opts.MaxTime {
		r.abort(fmt.Sprintf("Maximum execution time exceeded: %.2fs > %ss", d.Seconds(), seconds(r.opts.MaxTime)))
	}
}

// abort ends the run as stopped.
func (r *Run) abort(reason string) {
	if r.verdict == nil {
		r.verdict = &verdict{status: workflow.StatusStopped, err: "Aborted: " + reason}
	}
}

// conclude emits the run's last event; what clients have seen of unfinished
// steps goes into the journal before it.
func (r *Run) conclude() {
	r.cancel()
	for i := range r.root.nodes {
		if ph := r.root.nodes[i].phase; ph == phaseRunning || ph == phaseWaiting {
			r.streams.settle(r.plan.nodes[i].cfg.ID)
		}
	}
	now := r.now()
	if r.halted != nil {
		r.applyResumption(now)
	}
	f := &workflow.RunFinished{
		Status: workflow.StatusSucceeded, Outputs: r.root.outputs, StartedAt: r.startedAt, Elapsed: (now.Sub(r.startedAt) - r.idleTime).Seconds(),
		Tokens: r.root.tokens, Steps: r.root.steps, Exceptions: r.exceptions, Answer: string(r.streams.answer),
		Usage: r.root.usage, Reasoning: r.streams.reasoningTexts(),
	}
	if r.part != nil {
		f.Outputs, f.Answer, f.Usage, f.Reasoning = value.NewObject(0), "", nil, nil // the whole run has them
	}
	switch {
	case r.verdict != nil:
		f.Status, f.Error, f.ErrorType = r.verdict.status, r.verdict.err, r.verdict.errType
	case r.exceptions > 0 && r.part == nil:
		f.Status = workflow.StatusPartialSucceeded
	}
	r.result = f
	r.emit(workflow.Event{Type: workflow.EventRunFinished, At: now, Finished: f})
}

// failureOf brings any error of a node into the form that users see. Errors
// without a code or a type show nothing of the inside.
func failureOf(err error) *workflow.Failure {
	var f *workflow.Failure
	if errors.As(err, &f) {
		return f
	}
	return &workflow.Failure{Type: errorTypeNode, Message: errs.Public(err).Message, Cause: err}
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}
