package sse

import (
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/truncate"
	"github.com/millrace/millrace/shared/workflow/value"
)

// cutParts are the parts of a node's event that were cut.
type cutParts []string

// cut returns the event with its values cut to what clients are shown who are
// not the app's own backend, and which parts of it are not whole.
func (v *View) cut(ev *workflow.Event) (*workflow.Event, cutParts) {
	if !v.Truncate || ev.Node == nil {
		return ev, nil
	}
	node, cuts := *ev.Node, cutParts(nil)
	for _, part := range []struct {
		name string
		o    **value.Object
	}{{"inputs", &node.Inputs}, {"process_data", &node.ProcessData}, {"outputs", &node.Outputs}} {
		short, cut := truncate.Limits{}.Object(*part.o)
		if cut {
			*part.o = short
			cuts = append(cuts, part.name)
		}
	}
	if cuts == nil {
		return ev, nil
	}
	out := *ev
	out.Node = &node
	return &out, cuts
}

// mark sets the flags of parts that were cut, where an event has them.
func (c cutParts) mark(events []*value.Object) {
	for _, e := range events {
		data, ok := e.Value("data").(*value.Object)
		if !ok {
			continue
		}
		for _, name := range c {
			if _, has := data.Get(name + "_truncated"); has {
				data.Set(name+"_truncated", true)
			}
		}
	}
}
