package engine

import (
	"fmt"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Restore folds a journal into the state of a new run. Finished nodes stay
// finished; a node that had started and not finished will run again under the
// same execution id, try and key.
func (r *Run) Restore(events []workflow.Event) error {
	r.streams.folding = true
	defer func() { r.streams.folding = false }()
	for k := range events {
		if err := r.fold(&events[k]); err != nil {
			return err
		}
	}
	for i := range r.nodes {
		switch n := &r.nodes[i]; n.phase {
		case phaseRunning:
			n.recovered = true
			r.launching = append(r.launching, i)
		case phaseWaiting:
			n.recovered = !n.notBefore.After(r.now()) // it may have been started
		}
	}
	return nil
}

func (r *Run) fold(e *workflow.Event) error {
	switch e.Type {
	case workflow.EventRunStarted:
		r.started, r.startedAt = true, e.At
		r.skipOtherRoots()
		r.streams.drain()
		r.enqueue(r.plan.root)
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
		return fmt.Errorf("event %d of run %s: unknown type %q", e.Seq, r.info.ID, e.Type)
	}
	i, ok := r.plan.byID[e.Node.NodeID]
	if !ok {
		return fmt.Errorf("event %d of run %s: the graph has no node %q", e.Seq, r.info.ID, e.Node.NodeID)
	}
	return r.foldNode(i, e)
}

func (r *Run) foldNode(i int, e *workflow.Event) error {
	n := &r.nodes[i]
	switch e.Type {
	case workflow.EventNodeStarted:
		r.unready(i)
		r.index = max(r.index, e.Node.Index)
		r.steps++
		n.phase, n.id, n.index, n.startedAt = phaseRunning, e.Node.ExecutionID, e.Node.Index, e.Node.StartedAt
	case workflow.EventNodeRetry:
		r.countTry(e.Node)
		r.applyRetry(i, e.Node)
	case workflow.EventNodeFinished:
		r.countTry(e.Node)
		if e.Node.Status == workflow.StatusFailed {
			r.applyFailure(i, e.Node)
			return nil
		}
		r.streams.restore(e.Node.NodeID, e.Node.Streams)
		next := r.applyDone(i, e.Node)
		r.streams.drain()
		for _, k := range next {
			r.enqueue(k)
		}
	default:
		return fmt.Errorf("event %d of run %s: unknown type %q", e.Seq, r.info.ID, e.Type)
	}
	return nil
}

// countTry counts the start of a try after the first, which has no event of
// its own, when its end is seen.
func (r *Run) countTry(e *workflow.NodeEvent) {
	if e.Attempt > 0 {
		r.steps++
	}
}

func (r *Run) unready(i int) {
	for k, x := range r.ready {
		if x == i {
			r.ready = append(r.ready[:k], r.ready[k+1:]...)
			return
		}
	}
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
