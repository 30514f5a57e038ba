package engine

import (
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// What the metadata of a recorded node says about where its result is from.
const (
	// MetaReplayedFrom is the id of the run that the result was computed in.
	MetaReplayedFrom = "replayed_from"
	// metaReplayedExecution is the id of the execution.
	metaReplayedExecution = "replayed_execution_id"
)

// costs are what the metadata of a node tells about money; a result that was
// taken over costs nothing again.
func costs() []string { return []string{"total_tokens", "total_price", "currency"} }

// Recorded returns what a new run of the plan takes over from the journal of
// originID when it begins at the node from: the results of the nodes of the
// graph itself that ended there, are not the beginning, are neither from nor
// behind it, and still exist with the same type. Containers are taken over as a
// whole. With from "" nothing is taken over.
func (p *Plan) Recorded(originID string, journal []workflow.Event, from string) ([]workflow.NodeEvent, error) {
	if from == "" {
		return nil, nil
	}
	again, err := p.behind(from)
	if err != nil {
		return nil, err
	}
	var out []workflow.NodeEvent
	finished := false
	for i := range journal {
		e := &journal[i]
		if e.Type != workflow.EventNodeFinished || len(e.Frame) > 0 {
			continue
		}
		n := e.Node
		finished = finished || n.NodeID == from
		at, ok := p.byID[n.NodeID]
		if !ok || again[at] || p.nodes[at].kind == workflow.KindRoot || p.nodes[at].cfg.Type != n.NodeType || n.Status == workflow.StatusFailed {
			continue
		}
		out = append(out, recorded(originID, n))
	}
	if !finished {
		return nil, errs.Newf(errs.InvalidParam, "The node %s has not finished in the run %s.", from, originID)
	}
	return out, nil
}

// behind marks a node and everything that comes after it.
func (p *Plan) behind(id string) ([]bool, error) {
	at, ok := p.byID[id]
	if !ok {
		for i := range p.nodes {
			if child := p.nodes[i].child; child != nil && child.contains(id) {
				return nil, errs.Newf(errs.InvalidParam, "The node %s lies inside of %s; begin at that one.", id, p.nodes[i].cfg.ID)
			}
		}
		return nil, errs.Newf(errs.InvalidParam, "The graph has no node %s.", id)
	}
	seen := make([]bool, len(p.nodes))
	seen[at] = true
	for todo := []int{at}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range p.nodes[n].out {
			if t := p.edges[e].target; !seen[t] {
				seen[t] = true
				todo = append(todo, t)
			}
		}
	}
	return seen, nil
}

func (p *Plan) contains(id string) bool {
	if _, ok := p.byID[id]; ok {
		return true
	}
	for i := range p.nodes {
		if child := p.nodes[i].child; child != nil && child.contains(id) {
			return true
		}
	}
	return false
}

// recorded is what of the end of an execution another run takes over: the
// result, but neither identity nor costs.
func recorded(originID string, n *workflow.NodeEvent) workflow.NodeEvent {
	meta := value.NewObject(4)
	if n.Metadata != nil {
		meta = n.Metadata.Clone()
	}
	for _, key := range costs() {
		meta.Delete(key)
	}
	meta.Set(MetaReplayedFrom, originID)
	meta.Set(metaReplayedExecution, n.ExecutionID)
	return workflow.NodeEvent{
		ExecutionID: n.ExecutionID, NodeID: n.NodeID, NodeType: n.NodeType, Status: n.Status, Handle: n.Handle, Updates: n.Updates,
		Inputs: n.Inputs, ProcessData: n.ProcessData, Outputs: n.Outputs, Metadata: meta, Error: n.Error, ErrorType: n.ErrorType,
		Length: n.Length, Steps: n.Steps,
	}
}

// replay completes a node at once when its result was recorded. Start and end
// are journalled in one commit, so recovery finds both or none.
func (r *Run) replay(at ref) bool {
	if at.f != r.root || r.part != nil {
		return false
	}
	var rec *workflow.NodeEvent
	for i := range r.setup.Recorded {
		if x := &r.setup.Recorded[i]; x.NodeID == at.plan().cfg.ID && x.NodeType == at.plan().cfg.Type {
			rec = x
		}
	}
	if rec == nil {
		return false
	}
	r.identify(at)
	start := r.nodeEvent(at)
	start.Metadata = value.Obj(MetaReplayedFrom, rec.Metadata.Value(MetaReplayedFrom))
	if rec.Length != nil {
		start.Inputs, start.Length = rec.Inputs, rec.Length
	}
	r.emitNode(at, workflow.EventNodeStarted, start)
	e := r.nodeEvent(at)
	e.Status, e.Handle, e.Updates, e.Error, e.ErrorType = rec.Status, rec.Handle, rec.Updates, rec.Error, rec.ErrorType
	e.Inputs, e.ProcessData, e.Outputs, e.Metadata = rec.Inputs, rec.ProcessData, rec.Outputs, rec.Metadata
	e.Length, e.Steps = rec.Length, rec.Steps
	r.done(at, e)
	r.checkLimits(at.f)
	r.turn()
	return true
}

// replayed reports whether a node_started belongs to a result that was taken
// over.
func replayed(e *workflow.NodeEvent) bool {
	return e.Metadata != nil && e.Metadata.String(MetaReplayedFrom) != ""
}
