package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Error types that the engine itself gives to failures.
const (
	errorTypeNode = "WorkflowNodeError"
)

func (r *Run) execution(i int, emit func(workflow.Chunk)) *workflow.Execution {
	n := &r.nodes[i]
	return &workflow.Execution{
		ID: n.id, Node: r.plan.nodes[i].cfg, Attempt: n.attempt,
		Key: r.info.ID + "/" + n.id + "/" + strconv.Itoa(n.attempt),
		Run: r.info, Pool: r.pool.Snapshot(), Clock: r.setup.Clock, Emit: emit, Recovered: n.recovered,
	}
}

// call runs a node; a panic in it is a failure of the node, not of the process.
func (r *Run) call(ctx context.Context, i int, x *workflow.Execution) (res *workflow.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, &workflow.Failure{Type: errorTypeNode, Message: "The node ended unexpectedly.", Cause: fmt.Errorf("panic: %v", p)}
		}
	}()
	if r.setup.Observe != nil {
		observed, done := r.setup.Observe(ctx, x)
		defer func() { done(err) }()
		ctx = observed
	}
	return r.plan.nodes[i].node.Run(ctx, x)
}

// complete takes the end of one try of a node.
func (r *Run) complete(i int, res *workflow.Result, err error) {
	if res == nil {
		res = &workflow.Result{}
	}
	n := &r.plan.nodes[i]
	if err == nil && n.kind == workflow.KindBranch && res.Handle == "" {
		err = workflow.Fail(errorTypeNode, fmt.Sprintf("Branch node %s finished without selecting a branch", n.cfg.ID))
	}
	e := r.nodeEvent(i)
	e.Attempt = r.nodes[i].attempt
	e.Inputs, e.ProcessData, e.Outputs, e.Metadata = res.Inputs, res.ProcessData, res.Outputs, res.Metadata
	e.Elapsed = r.now().Sub(r.nodes[i].startedAt).Seconds()
	if err != nil {
		r.failed(i, e, err)
	} else {
		e.Status, e.Handle, e.Updates, e.Usage = workflow.StatusSucceeded, res.Handle, res.Updates, res.Usage
		r.done(i, e)
	}
	r.checkLimits()
}

// failed decides between another try, the error strategy and the end of the run.
func (r *Run) failed(i int, e *workflow.NodeEvent, err error) {
	cfg := r.plan.nodes[i].cfg
	f := failureOf(err)
	e.Error, e.ErrorType = f.Message, f.Type
	if retry := r.plan.nodes[i].retry; r.nodes[i].attempt < retry.MaxRetries {
		r.streams.settle(cfg.ID)
		e.Status = workflow.StatusRetry
		e.NotBefore = r.now().Add(time.Duration(retry.Interval) * time.Millisecond)
		r.emit(workflow.Event{Type: workflow.EventNodeRetry, Node: e})
		r.applyRetry(i, e)
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
		r.streams.settle(cfg.ID)
		e.Status = workflow.StatusFailed
		r.emit(workflow.Event{Type: workflow.EventNodeFinished, Node: e})
		r.applyFailure(i, e)
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
	r.done(i, e)
}

// done journals a node's end, preceded by the text that it lets flow.
func (r *Run) done(i int, e *workflow.NodeEvent) {
	e.Streams = r.streams.finish(e.NodeID)
	next := r.applyDone(i, e)
	r.streams.drain()
	r.emit(workflow.Event{Type: workflow.EventNodeFinished, Node: e})
	for _, k := range next {
		r.enqueue(k)
	}
}

// applyRetry, applyFailure and applyDone change the state by an event; they
// are all that recovery needs.
func (r *Run) applyRetry(i int, e *workflow.NodeEvent) {
	r.exceptions++
	n := &r.nodes[i]
	n.phase, n.attempt, n.notBefore, n.recovered = phaseWaiting, e.Attempt+1, e.NotBefore, false
}

func (r *Run) applyFailure(i int, e *workflow.NodeEvent) {
	r.exceptions++
	r.nodes[i].phase = phaseDone
	r.verdict = &verdict{status: workflow.StatusFailed, err: e.Error, errType: e.ErrorType}
}

// applyDone returns the nodes that became ready.
func (r *Run) applyDone(i int, e *workflow.NodeEvent) []int {
	n := &r.plan.nodes[i]
	r.nodes[i].phase = phaseDone
	r.pool.SetAll(e.NodeID, e.Outputs)
	for _, u := range e.Updates {
		if node, name, ok := u.Selector.Key(); ok {
			r.pool.Set(node, name, u.Value)
		}
	}
	if e.Status == workflow.StatusException {
		r.exceptions++
	} else {
		r.addUsage(e)
		if n.kind == workflow.KindResponse {
			r.addOutputs(n.cfg.Type, e.Outputs)
		}
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
		if branch && r.plan.edges[edge].handle != handle {
			r.edges[edge] = edgeSkipped
		} else {
			r.edges[edge] = edgeTaken
		}
	}
	for _, edge := range n.out {
		next = r.settleNode(r.plan.edges[edge].target, next)
	}
	return next
}

// settleNode decides what the state of a node's incoming edges makes of it and
// appends it to next when it became ready. Skipping spreads.
func (r *Run) settleNode(i int, next []int) []int {
	if r.nodes[i].phase != phaseIdle {
		return next
	}
	taken := false
	for _, e := range r.plan.nodes[i].in {
		switch r.edges[e] {
		case edgeUnknown:
			return next
		case edgeTaken:
			taken = true
		}
	}
	if taken {
		r.nodes[i].phase = phaseReady
		return append(next, i)
	}
	r.nodes[i].phase = phaseSkipped
	for _, e := range r.plan.nodes[i].out {
		r.edges[e] = edgeSkipped
	}
	for _, e := range r.plan.nodes[i].out {
		next = r.settleNode(r.plan.edges[e].target, next)
	}
	return next
}

// skipOtherRoots marks the roots that this run does not start from, and what
// only they reach, as skipped.
func (r *Run) skipOtherRoots() {
	for i := range r.plan.nodes {
		if i == r.plan.root || r.plan.nodes[i].kind != workflow.KindRoot || len(r.plan.nodes[i].in) > 0 {
			continue
		}
		r.nodes[i].phase = phaseSkipped
		for _, e := range r.plan.nodes[i].out {
			r.edges[e] = edgeSkipped
		}
		for _, e := range r.plan.nodes[i].out {
			r.settleNode(r.plan.edges[e].target, nil)
		}
	}
}

func (r *Run) enqueue(i int) {
	r.nodes[i].phase = phaseReady
	r.ready = append(r.ready, i)
}

func (r *Run) nodeEvent(i int) *workflow.NodeEvent {
	n, cfg := &r.nodes[i], r.plan.nodes[i].cfg
	return &workflow.NodeEvent{
		ExecutionID: n.id, NodeID: cfg.ID, NodeType: cfg.Type, Title: cfg.Title, Index: n.index, StartedAt: n.startedAt,
	}
}

// addOutputs merges a response node's outputs into those of the run; answers
// of several answer nodes are joined.
func (r *Run) addOutputs(nodeType string, out *value.Object) {
	for k, v := range out.All() {
		if nodeType == "answer" && k == "answer" {
			if text, ok := v.(string); ok {
				v = r.outputs.String(k) + text
			}
		}
		r.outputs.Set(k, v)
	}
}

func (r *Run) addUsage(e *workflow.NodeEvent) {
	if e.Usage != nil {
		r.tokens += e.Usage.TotalTokens
		r.usage = addUsage(r.usage, e.Usage)
		return
	}
	if n, ok := e.Metadata.Value("total_tokens").(int64); ok {
		r.tokens += n
	}
}

func (r *Run) checkLimits() {
	if r.verdict != nil {
		return
	}
	if r.steps > r.opts.MaxSteps {
		r.abort(fmt.Sprintf("Maximum execution steps exceeded: %d > %d", r.steps, r.opts.MaxSteps))
		return
	}
	if d := r.now().Sub(r.startedAt); d > r.opts.MaxTime {
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
	for i := range r.nodes {
		if ph := r.nodes[i].phase; ph == phaseRunning || ph == phaseWaiting {
			r.streams.settle(r.plan.nodes[i].cfg.ID)
		}
	}
	now := r.now()
	f := &workflow.RunFinished{
		Status: workflow.StatusSucceeded, Outputs: r.outputs, StartedAt: r.startedAt, Elapsed: now.Sub(r.startedAt).Seconds(),
		Tokens: r.tokens, Steps: r.steps, Exceptions: r.exceptions, Answer: string(r.streams.answer),
		Usage: r.usage, Reasoning: r.streams.reasoningTexts(),
	}
	switch {
	case r.verdict != nil:
		f.Status, f.Error, f.ErrorType = r.verdict.status, r.verdict.err, r.verdict.errType
	case r.exceptions > 0:
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
