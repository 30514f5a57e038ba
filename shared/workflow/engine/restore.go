package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Restore folds a journal into the state of a new run. Finished nodes stay
// finished; a node that had started and not finished will run again under the
// same execution id, try and key.
func (r *Run) Restore(events []workflow.Event) (err error) {
	defer r.recovered(&err)
	r.streams.folding = true
	defer func() { r.streams.folding = false }()
	r.events = len(events)
	for k := range events {
		if err := r.fold(&events[k]); err != nil {
			return fmt.Errorf("event %d of run %s: %w", events[k].Seq, r.info.ID, err)
		}
	}
	r.settleFrame(r.root)
	return nil
}

// settleFrame puts what was going on in a frame in line again.
func (r *Run) settleFrame(f *frame) {
	for i := range f.nodes {
		switch n := &f.nodes[i]; n.phase {
		case phaseRunning:
			n.recovered = true
			r.launching = append(r.launching, ref{f, i})
		case phaseWaiting:
			n.recovered = !n.notBefore.After(r.now()) // it may have been started
		case phaseOpen:
			for _, pass := range slices.Sorted(maps.Keys(n.container.open)) {
				r.settleFrame(n.container.open[pass])
			}
			r.touch(n.container)
		}
	}
}

func (r *Run) fold(e *workflow.Event) error {
	switch e.Type {
	case workflow.EventRunStarted:
		if r.started {
			r.applyResumption(e.At)
			return nil
		}
		r.started, r.startedAt = true, e.At
		r.skipOtherRoots()
		r.streams.drain()
		r.enqueue(ref{r.root, r.plan.root})
		return nil
	case workflow.EventRunPaused:
		r.halted, r.haltedAt = e.Paused, e.At
		return nil
	case workflow.EventText:
		r.streams.answer = append(r.streams.answer, e.Text.Text...)
		return nil
	case workflow.EventReasoning:
		s := r.streams.reasoning[e.Reasoning.NodeID]
		if s == nil {
			s = &reasoning{}
			r.streams.reasoning[e.Reasoning.NodeID] = s
		}
		s.all += e.Reasoning.Text
		return nil
	case workflow.EventRunFinished:
		r.result = e.Finished
		return nil
	}
	if e.Node == nil {
		return fmt.Errorf("unknown type %q", e.Type)
	}
	f, err := r.find(e.Frame)
	if err != nil {
		return err
	}
	i, ok := f.plan.byID[e.Node.NodeID]
	if !ok {
		return fmt.Errorf("the graph has no node %q", e.Node.NodeID)
	}
	return r.foldNode(ref{f, i}, e)
}

// find returns the frame at the end of a path.
func (r *Run) find(path []workflow.Frame) (*frame, error) {
	f := r.root
	for _, p := range path {
		i, ok := f.plan.byID[p.NodeID]
		if !ok || f.nodes[i].container == nil || f.nodes[i].container.open[p.Index] == nil {
			return nil, fmt.Errorf("pass %d of %q is not open", p.Index, p.NodeID)
		}
		f = f.nodes[i].container.open[p.Index]
	}
	return f, nil
}

func (r *Run) foldNode(at ref, e *workflow.Event) error {
	switch e.Type {
	case workflow.EventNodeStarted:
		return r.foldStart(at, e)
	case workflow.EventNodeRetry:
		r.countTry(at.f, e.Node)
		r.waiting = without(r.waiting, at)
		r.applyRetry(at, e.Node)
	case workflow.EventNodePaused:
		r.applyPause(at, e.Pause)
	case workflow.EventNodeResumed:
	case workflow.EventPassStarted, workflow.EventPassFinished:
		return r.foldPass(at, e)
	case workflow.EventFanOut, workflow.EventPartJoined:
		return r.foldFan(at, e)
	case workflow.EventNodeFinished:
		r.countTry(at.f, e.Node)
		r.waiting = without(r.waiting, at)
		if e.Node.Status == workflow.StatusFailed {
			r.applyFailure(at, e.Node)
			return nil
		}
		if at.f == r.root {
			r.streams.restore(e.Node.NodeID, e.Node.Streams)
		}
		next := r.applyDone(at, e.Node)
		if at.f == r.root {
			r.streams.drain()
		}
		r.enqueueAll(at.f, next)
	default:
		return fmt.Errorf("unknown type %q", e.Type)
	}
	return nil
}

func (r *Run) foldStart(at ref, e *workflow.Event) error {
	n := at.node()
	r.ready, r.paused = without(r.ready, at), without(r.paused, at)
	r.index = max(r.index, e.Node.Index)
	at.f.steps++
	at.f.set(at.i, phaseRunning)
	n.id, n.index, n.startedAt, n.pause = e.Node.ExecutionID, e.Node.Index, e.Node.StartedAt, nil
	if at.plan().kind != workflow.KindContainer || e.Node.Length == nil || replayed(e.Node) {
		return nil
	}
	c, err := r.newContainer(at)
	if err != nil {
		return fmt.Errorf("open %q again: %w", e.Node.NodeID, err)
	}
	r.adopt(c)
	return nil
}

func (r *Run) foldPass(at ref, e *workflow.Event) error {
	c := at.node().container
	if c == nil || e.Pass == nil {
		return fmt.Errorf("node %q has no passes", e.Node.NodeID)
	}
	if e.Type == workflow.EventPassFinished {
		f := c.open[e.Pass.Index]
		if f == nil {
			return fmt.Errorf("pass %d of %q is not open", e.Pass.Index, e.Node.NodeID)
		}
		r.applyPassEnd(f, e.Pass)
		return nil
	}
	c.next = e.Pass.Index
	f := r.newPass(c)
	if f == nil {
		return fmt.Errorf("pass %d of %q does not begin again", e.Pass.Index, e.Node.NodeID)
	}
	f.started = *e
	r.enter(f)
	return nil
}

// countTry counts the start of a try after the first, which has no event of
// its own, when its end is seen.
func (r *Run) countTry(f *frame, e *workflow.NodeEvent) {
	if e.Attempt > 0 {
		f.steps++
	}
}

// without removes a node from a list.
func without(list []ref, at ref) []ref {
	if i := slices.Index(list, at); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// reasoningTexts returns what was shown of each node's reasoning.
func (s *streams) reasoningTexts() *value.Object {
	var out *value.Object
	for i := range s.run.plan.nodes {
		id := s.run.plan.nodes[i].cfg.ID
		if r := s.reasoning[id]; r != nil && r.all != "" {
			if out == nil {
				out = value.NewObject(1)
			}
			out.Set(id, r.all)
		}
	}
	return out
}
