package sse

import (
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The node types that have events of their own.
const (
	typeIteration = "iteration"
	typeLoop      = "loop"
)

func isContainer(n *workflow.NodeEvent) bool {
	return n.NodeType == typeIteration || n.NodeType == typeLoop
}

// containerIdentity starts the data of a container's event. Its id is the
// node's, not the execution's.
func containerIdentity(n *workflow.NodeEvent) *value.Object {
	return value.Obj("id", n.NodeID, "node_id", n.NodeID, "node_type", n.NodeType, "title", n.Title)
}

// containerStarted shows nothing for a container that failed before its first
// pass.
func (v *View) containerStarted(ev *workflow.Event) []*value.Object {
	n := ev.Node
	if n.Length == nil {
		return nil
	}
	o := containerIdentity(n)
	o.Set("created_at", n.StartedAt.Unix())
	o.Set("extras", value.NewObject(0))
	o.Set("metadata", value.Obj(n.NodeType+"_length", int64(*n.Length)))
	o.Set("inputs", object(n.Inputs))
	o.Set("inputs_truncated", false)
	return []*value.Object{v.data(n.NodeType+"_started", o)}
}

// passStarted shows each pass of an iteration, and those after the first of a
// loop.
func (v *View) passStarted(ev *workflow.Event) []*value.Object {
	n := ev.Node
	if n.NodeType == typeLoop && ev.Pass.Index == 0 {
		return nil
	}
	o := containerIdentity(n)
	o.Set("index", int64(ev.Pass.Index))
	o.Set("created_at", ev.At.Unix())
	if n.NodeType == typeLoop {
		o.Set("pre_loop_output", value.NewObject(0))
	}
	o.Set("extras", value.NewObject(0))
	return []*value.Object{v.data(n.NodeType+"_next", o)}
}

func (v *View) containerFinished(ev *workflow.Event) []*value.Object {
	n := ev.Node
	if n.Length == nil {
		return nil
	}
	tokens, _ := n.Metadata.Value("total_tokens").(int64)
	o := containerIdentity(n)
	o.Set("outputs", object(n.Outputs))
	o.Set("outputs_truncated", false)
	o.Set("created_at", n.StartedAt.Unix())
	o.Set("extras", value.NewObject(0))
	o.Set("inputs", object(n.Inputs))
	o.Set("inputs_truncated", false)
	o.Set("status", n.Status)
	o.Set("error", nil)
	o.Set("elapsed_time", n.Elapsed)
	o.Set("total_tokens", tokens)
	o.Set("execution_metadata", object(n.Metadata))
	o.Set("finished_at", ev.At.Unix())
	o.Set("steps", int64(n.Steps))
	return []*value.Object{v.data(n.NodeType+"_completed", o)}
}
