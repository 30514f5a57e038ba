package run

import (
	"context"
	"slices"
	"strconv"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Snapshot is what has become of a run so far: what a client is shown that
// looks at it for the first time while it runs or waits.
type Snapshot struct {
	*View
	// Inputs are what the run began with, with the shown sys.* variables.
	Inputs *value.Object
	// Nodes are the executions in the order in which they began.
	Nodes []NodeSnapshot
	// Answer is the text that was shown so far.
	Answer string
	// Paused is the last event of a run that waits.
	Paused *workflow.Event
	// LastEventID is where to join the run to see what comes next.
	LastEventID string
}

// NodeSnapshot is an execution: how it began, and how it ended or where it waits.
type NodeSnapshot struct {
	Started workflow.Event
	// Ended is an EventNodeFinished or EventNodePaused; nil while the node works.
	Ended *workflow.Event
}

// Snapshot reads what has become of a run; errs.NotFound when the tenant has
// none.
func (s *Service) Snapshot(ctx context.Context, tenantID, runID string) (*Snapshot, error) {
	v, err := s.Get(ctx, tenantID, runID)
	if err != nil {
		return nil, err
	}
	events, err := s.Store.Events(ctx, tenantID, runID, 0)
	if err != nil {
		return nil, err
	}
	inputs := storedInputs(&Definition{ID: v.Request.WorkflowID}, spec{Request: v.Request, StartedAt: v.StartedAt})
	inputs.Delete("sys.conversation_id")
	out := &Snapshot{View: v, Inputs: inputs}
	at, last := map[string]int{}, int64(0)
	var answer []byte
	for i := range events {
		e := &events[i]
		if e.Terminal() {
			break // joining shows it
		}
		last = e.Seq
		switch e.Type {
		case workflow.EventRunStarted:
			out.Paused = nil
		case workflow.EventRunPaused:
			out.Paused = e
		case workflow.EventNodeStarted:
			if k, ok := at[e.Node.ExecutionID]; ok { // it goes on after a pause
				out.Nodes[k].Ended = nil
				continue
			}
			at[e.Node.ExecutionID] = len(out.Nodes)
			out.Nodes = append(out.Nodes, NodeSnapshot{Started: *e})
		case workflow.EventNodePaused, workflow.EventNodeFinished:
			if k, ok := at[e.Node.ExecutionID]; ok {
				out.Nodes[k].Ended = e
			}
		case workflow.EventText:
			answer = append(answer, e.Text.Text...)
		}
	}
	slices.SortStableFunc(out.Nodes, func(a, b NodeSnapshot) int { return a.Started.Node.Index - b.Started.Node.Index })
	out.Answer, out.LastEventID = string(answer), strconv.FormatInt(last, 10)
	return out, nil
}
