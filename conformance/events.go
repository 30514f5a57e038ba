package conformance

import (
	"cmp"
	"maps"
	"slices"

	"github.com/millrace/millrace/shared/workflow/value"
)

// textField returns the field that holds the text of a chunk event, "" for
// other events.
func textField(event string) string {
	switch event {
	case "message", "agent_message":
		return "answer"
	case "text_chunk":
		return "text"
	case "reasoning_chunk", "reasoning":
		return "reasoning"
	}
	return ""
}

// holder returns the object of an event that holds a field: the event itself
// or its data.
func holder(ev *value.Object, field string) *value.Object {
	if _, ok := ev.Get(field); ok {
		return ev
	}
	if data, ok := ev.Value("data").(*value.Object); ok {
		return data
	}
	return value.NewObject(0)
}

// mergeEvents drops pings, joins runs of text chunks and repeated thoughts,
// and drops empty chunks: how a text is cut into chunks is no part of the
// contract.
func mergeEvents(events []*value.Object) []*value.Object {
	var out []*value.Object
	for _, ev := range events {
		name := ev.String("event")
		if name == "ping" {
			continue
		}
		var last *value.Object
		if len(out) > 0 && out[len(out)-1].String("event") == name {
			last = out[len(out)-1]
		}
		if field := textField(name); field != "" && last != nil {
			into, from := holder(last, field), holder(ev, field)
			if rest(last, into, field) == rest(ev, from, field) {
				into.Set(field, into.String(field)+from.String(field))
				continue
			}
		}
		if name == "agent_thought" && last != nil && equal(last.Value("id"), ev.Value("id")) {
			out[len(out)-1] = copied(ev)
			continue
		}
		out = append(out, copied(ev))
	}
	kept := slices.DeleteFunc(slices.Clone(out), func(ev *value.Object) bool {
		field := textField(ev.String("event"))
		return field != "" && holder(ev, field).Value(field) == ""
	})
	if len(kept) != len(out) {
		return mergeEvents(kept) // equal neighbours may have come together
	}
	return kept
}

// rest is what two chunks must have in common to be one text.
func rest(ev, holder *value.Object, field string) string {
	e, h := ev.Clone(), holder.Clone()
	for _, k := range []string{field, "created_at", "data"} {
		e.Delete(k)
	}
	h.Delete(field)
	h.Delete("created_at")
	return canonical([]any{e, h})
}

// copied is a deep copy.
func copied(o *value.Object) *value.Object {
	out := value.NewObject(o.Len())
	for k, v := range o.All() {
		out.Set(k, copyValue(v))
	}
	return out
}

func copyValue(v any) any {
	switch v := v.(type) {
	case *value.Object:
		return copied(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = copyValue(x)
		}
		return out
	}
	return v
}

// canonical is a text that is equal for equal values: keys in order.
func canonical(v any) string { return value.JSON(ordered(v)) }

func ordered(v any) any {
	switch v := v.(type) {
	case *value.Object:
		out := value.NewObject(v.Len())
		for _, k := range slices.Sorted(slices.Values(v.Keys())) {
			out.Set(k, ordered(v.Value(k)))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = ordered(x)
		}
		return out
	}
	return v
}

// equal compares values the way Python does: 1 equals 1.0.
func equal(a, b any) bool {
	x, isX := number(a)
	y, isY := number(b)
	if isX && isY {
		return x == y
	}
	return isX == isY && canonical(a) == canonical(b)
}

// groupEvents is the view of a stream in which parallel branches may
// interleave: events of a node by node, name and index of the iteration, all
// others in their order.
func groupEvents(events []any) *value.Object {
	type numbered struct {
		index int64
		event *value.Object
	}
	rest, nodes := []any{}, map[string]map[string][]numbered{}
	for _, x := range events {
		ev, ok := x.(*value.Object)
		if !ok {
			rest = append(rest, x)
			continue
		}
		data, _ := ev.Value("data").(*value.Object)
		node := data.Value("node_id")
		if node == nil || node == "" {
			rest = append(rest, ev)
			continue
		}
		ev = copied(ev)
		index := roundIndex(data)
		data = ev.Value("data").(*value.Object)
		data.Delete("index")
		data.Delete("predecessor_node_id")
		id := value.Str(node)
		if nodes[id] == nil {
			nodes[id] = map[string][]numbered{}
		}
		name := ev.String("event")
		nodes[id][name] = append(nodes[id][name], numbered{index, ev})
	}
	grouped := value.NewObject(len(nodes))
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		byName := value.NewObject(2)
		for _, name := range slices.Sorted(maps.Keys(nodes[id])) {
			list := nodes[id][name]
			slices.SortStableFunc(list, func(a, b numbered) int { return cmp.Compare(a.index, b.index) })
			out := make([]any, len(list))
			for i, n := range list {
				out[i] = n.event
			}
			byName.Set(name, out)
		}
		grouped.Set(id, byName)
	}
	return value.Obj("sequence", rest, "nodes", grouped)
}

// roundIndex is the number of the iteration or loop round that an event of a
// node belongs to, -1 outside of them.
func roundIndex(data *value.Object) int64 {
	meta, _ := data.Value("execution_metadata").(*value.Object)
	for _, o := range []*value.Object{meta, data} {
		for _, k := range []string{"iteration_index", "loop_index"} {
			if v, ok := o.Get(k); ok {
				if n, ok := v.(int64); ok {
					return n
				}
				return -1
			}
		}
	}
	return -1
}
