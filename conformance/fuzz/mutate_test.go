package fuzz

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

// mutator changes documents. The same seed makes the same changes.
type mutator struct {
	*rand.Rand
	// donors are documents that parts are taken from.
	donors []*value.Object
}

func newMutator(seed uint64, donors []*value.Object) *mutator {
	return &mutator{rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), donors}
}

// mutate changes doc in a few places. doc is the caller's.
func (m *mutator) mutate(doc *value.Object) {
	for range 1 + m.IntN(3) + m.IntN(2)*m.IntN(6) {
		g := graphOf(doc)
		if g == nil || m.IntN(3) == 0 {
			m.anywhere(doc)
			continue
		}
		changes := []func(*value.Object){
			m.addEdge, m.addEdge, m.addEdge, m.dropEdge, m.bendEdge, m.bendEdge, m.rename, m.retype, m.move, m.move, m.clone, m.dropNode,
			m.selectors, m.selectors, m.limits, m.limits, m.graft, m.entry, m.bury, m.strategy, m.many,
		}
		changes[m.IntN(len(changes))](g)
	}
}

func graphOf(doc *value.Object) *value.Object {
	w, _ := doc.Value("workflow").(*value.Object)
	g, _ := w.Value("graph").(*value.Object)
	return g
}

func objects(o *value.Object, key string) (out []*value.Object) {
	list, _ := o.Value(key).([]any)
	for _, x := range list {
		if o, ok := x.(*value.Object); ok {
			out = append(out, o)
		}
	}
	return out
}

func push(o *value.Object, key string, x ...any) {
	list, _ := o.Value(key).([]any)
	o.Set(key, append(list[:len(list):len(list)], x...))
}

func (m *mutator) node(g *value.Object) *value.Object {
	list := objects(g, "nodes")
	if len(list) == 0 {
		return value.NewObject(0)
	}
	return list[m.IntN(len(list))]
}

// data is the data of some node, never nil.
func (m *mutator) data(n *value.Object) *value.Object {
	if d, ok := n.Value("data").(*value.Object); ok {
		return d
	}
	return value.NewObject(0)
}

func (m *mutator) id(g *value.Object) any {
	if m.IntN(12) == 0 {
		return m.odd()
	}
	return m.node(g).Value("id")
}

// odd is a value that nobody asked for.
func (m *mutator) odd() any {
	switch m.IntN(26) {
	case 0:
		return nil
	case 1:
		return ""
	case 2:
		return int64(0)
	case 3:
		return int64(-1)
	case 4:
		return int64(math.MaxInt64)
	case 5:
		return math.MaxFloat64
	case 6:
		return true
	case 7:
		return []any{}
	case 8:
		return value.NewObject(0)
	case 9:
		return deep(10 + m.IntN(300))
	case 10:
		return strings.Repeat("long ", 1<<(4+m.IntN(11)))
	case 11:
		return "nul\x00and \u202e\U0001f600 e\u0301 \ufeff\u2028"
	case 12:
		list := make([]any, m.IntN(600))
		for i := range list {
			list[i] = int64(i)
		}
		return list
	case 13:
		return int64(math.MinInt64)
	case 14:
		return 1e-320
	case 15:
		return "{{#sys.query#}}{{#start.x#}}{{#a.b.c.d.e#}}{{#"
	case 16:
		return "{% for a in range(100000) %}{{ a }}{% endfor %}"
	case 17:
		return "{{ " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300) + " }}"
	case 18:
		return []any{nil, int64(1), "a", []any{}, value.Obj("a", nil)}
	case 19:
		return []any{"start", "q"}
	case 20:
		return []any{"sys", "files", "0", "name"}
	case 21:
		return value.Obj("type", "object", "properties", value.Obj("a", value.Obj("$ref", "#")))
	case 22:
		return "1e999"
	case 23:
		return 1.5
	case 24:
		return int64(1 + m.IntN(1000))
	default:
		return "\xff\xfe not text"
	}
}

func deep(n int) any {
	var v any = "bottom"
	for i := range n {
		if i%2 == 0 {
			v = []any{v}
		} else {
			v = value.Obj("a", v)
		}
	}
	return v
}

// place is somewhere in a document.
type place struct {
	object *value.Object
	key    string
	list   []any
	index  int
}

func (p place) get() any {
	if p.object != nil {
		return p.object.Value(p.key)
	}
	return p.list[p.index]
}

func (p place) set(v any) {
	if p.object != nil {
		p.object.Set(p.key, v)
	} else {
		p.list[p.index] = v
	}
}

func places(v any, depth int) (out []place) {
	if depth > 40 {
		return nil
	}
	switch v := v.(type) {
	case *value.Object:
		for _, k := range v.Keys() {
			out = append(append(out, place{object: v, key: k}), places(v.Value(k), depth+1)...)
		}
	case []any:
		for i := range v {
			out = append(append(out, place{list: v, index: i}), places(v[i], depth+1)...)
		}
	}
	return out
}

// anywhere changes one value of the document, whatever it is.
func (m *mutator) anywhere(doc *value.Object) {
	all := places(doc, 0)
	if len(all) == 0 {
		return
	}
	p := all[m.IntN(len(all))]
	switch m.IntN(9) {
	case 0, 1, 2:
		p.set(m.odd())
	case 3:
		if p.object != nil {
			p.object.Delete(p.key)
		} else {
			p.set(nil)
		}
	case 4: // something else of this document
		p.set(clone(all[m.IntN(len(all))].get()))
	case 5:
		p.set([]any{p.get()})
	case 6:
		p.set(value.Obj(p.key, p.get()))
	case 7:
		if list, ok := p.get().([]any); ok && len(list) > 0 {
			p.set(append(list[:len(list):len(list)], clone(list[m.IntN(len(list))])))
			return
		}
		p.set(value.Str(p.get()))
	case 8:
		switch v := p.get().(type) {
		case string:
			p.set(v + fmt.Sprint(m.odd()))
		case int64:
			p.set(v * int64(m.IntN(1e6)-1000))
		default:
			p.set(m.odd())
		}
	}
}

func clone(v any) any {
	switch v := v.(type) {
	case *value.Object:
		o := value.NewObject(v.Len())
		for k, x := range v.All() {
			o.Set(k, clone(x))
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = clone(v[i])
		}
		return list
	}
	return v
}

// addEdge leads from anywhere to anywhere: back, across containers, into
// nothing, to itself.
func (m *mutator) addEdge(g *value.Object) {
	handles := []any{"source", "true", "false", "success-branch", "fail-branch", "1", "loop", "", m.odd()}
	push(g, "edges", value.Obj("id", "new", "source", m.id(g), "target", m.id(g), "sourceHandle", handles[m.IntN(len(handles))], "targetHandle", "target",
		"type", "custom", "data", value.Obj()))
}

func (m *mutator) dropEdge(g *value.Object) {
	if list, _ := g.Value("edges").([]any); len(list) > 0 {
		i := m.IntN(len(list))
		g.Set("edges", append(list[:i:i], list[i+1:]...))
	}
}

func (m *mutator) bendEdge(g *value.Object) {
	if list := objects(g, "edges"); len(list) > 0 {
		e := list[m.IntN(len(list))]
		switch m.IntN(4) {
		case 0:
			e.Set("source", m.id(g))
		case 1:
			e.Set("target", m.id(g))
		case 2:
			s, t := e.Value("source"), e.Value("target")
			e.Set("source", t)
			e.Set("target", s)
		case 3:
			e.Set("sourceHandle", m.odd())
		}
	}
}

func (m *mutator) rename(g *value.Object) {
	names := []any{m.node(g).Value("id"), m.odd(), "sys", "env", "conversation", strings.Repeat("x", 70_000), "a.b", "{{#x#}}"}
	m.node(g).Set("id", names[m.IntN(len(names))])
}

// retype makes a node another one that keeps its settings.
func (m *mutator) retype(g *value.Object) {
	types := []any{
		"start", "end", "answer", "llm", "template-transform", "code", "if-else", "variable-aggregator", "variable-assigner", "assigner", "http-request",
		"question-classifier", "parameter-extractor", "iteration", "iteration-start", "loop", "loop-start", "loop-end", "human-input", "tool",
		"list-operator", "document-extractor", "knowledge-retrieval", "agent", "trigger-webhook", "nothing-like-it", "datasource", m.odd(),
	}
	m.data(m.node(g)).Set("type", types[m.IntN(len(types))])
}

// move puts a node into a container, which may be itself, inside of it, or none.
func (m *mutator) move(g *value.Object) {
	n := m.node(g)
	to := m.id(g)
	keys := []string{"iteration_id", "loop_id", "parentId"}
	switch key := keys[m.IntN(len(keys))]; {
	case m.IntN(6) == 0:
		n.Delete("parentId")
		m.data(n).Delete("iteration_id")
		m.data(n).Delete("loop_id")
	case key == "parentId":
		n.Set(key, to)
	default:
		m.data(n).Set(key, to)
	}
}

func (m *mutator) clone(g *value.Object) {
	n, ok := clone(m.node(g)).(*value.Object)
	if !ok {
		return
	}
	old := n.Value("id")
	if m.IntN(4) > 0 {
		n.Set("id", fmt.Sprint("clone", m.IntN(100)))
		push(g, "edges", value.Obj("id", "c", "source", old, "target", n.Value("id"), "sourceHandle", "source"))
	}
	push(g, "nodes", n)
}

func (m *mutator) dropNode(g *value.Object) {
	if list, _ := g.Value("nodes").([]any); len(list) > 0 {
		i := m.IntN(len(list))
		g.Set("nodes", append(list[:i:i], list[i+1:]...))
	}
}

// selectors lets nodes read what they should not.
func (m *mutator) selectors(g *value.Object) {
	var found []place
	for _, p := range places(g.Value("nodes"), 0) {
		if list, ok := p.get().([]any); ok && len(list) >= 2 && strings.Contains(p.key, "selector") {
			found = append(found, p)
		}
		if s, ok := p.get().(string); ok && strings.Contains(s, "{{#") {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return
	}
	p := found[m.IntN(len(found))]
	names := []string{"output", "text", "body", "item", "index", "q", "files", "query", "result", "usage", "items", "x"}
	id, _ := m.node(g).Value("id").(string)
	if _, ok := p.get().(string); ok {
		p.set("{{#" + id + "." + names[m.IntN(len(names))] + "#}}")
		return
	}
	s := []any{id, names[m.IntN(len(names))]}
	if m.IntN(3) == 0 {
		s = append(s, m.odd())
	}
	p.set(s)
}

// limits sets numbers that bound work to what is no bound.
func (m *mutator) limits(g *value.Object) {
	keys := []string{
		"loop_count", "parallel_nums", "is_parallel", "error_handle_mode", "flatten_output", "limit", "break_conditions", "loop_variables", "timeout",
		"retry_config", "outputs", "output_selector", "iterator_selector", "logical_operator", "cases", "groups", "advanced_settings", "context", "memory",
	}
	var known []place
	for _, p := range places(g.Value("nodes"), 0) {
		for _, k := range keys {
			if p.object != nil && p.key == k {
				known = append(known, p)
			}
		}
	}
	if len(known) == 0 {
		m.data(m.node(g)).Set(keys[m.IntN(len(keys))], m.odd())
		return
	}
	known[m.IntN(len(known))].set(m.odd())
}

// graft takes nodes over from another document.
func (m *mutator) graft(g *value.Object) {
	other := graphOf(m.donors[m.IntN(len(m.donors))])
	n, ok := clone(m.node(other)).(*value.Object)
	if !ok || n.Len() == 0 {
		return
	}
	push(g, "nodes", n)
	push(g, "edges", value.Obj("id", "g", "source", m.id(g), "target", n.Value("id"), "sourceHandle", "source"))
	push(g, "edges", value.Obj("id", "h", "source", n.Value("id"), "target", m.id(g), "sourceHandle", "source"))
}

// entry changes where a container begins.
func (m *mutator) entry(g *value.Object) {
	var in []*value.Object
	for _, n := range objects(g, "nodes") {
		if d := m.data(n); d.Value("start_node_id") != nil {
			in = append(in, d)
		}
	}
	if len(in) > 0 {
		in[m.IntN(len(in))].Set("start_node_id", m.id(g))
	}
}

// bury adds containers in containers.
func (m *mutator) bury(g *value.Object) {
	depth, parent := 1+m.IntN(60), m.id(g)
	kinds := []string{"loop", "iteration"}
	kind := kinds[m.IntN(2)]
	count := int64(1 + m.IntN(3))
	for i := range depth {
		id := fmt.Sprintf("deep%d", i)
		data := value.Obj("type", kind, "title", id, "start_node_id", id+"start", "loop_count", count, "break_conditions", []any{}, "logical_operator", "and",
			"loop_variables", []any{}, "iterator_selector", []any{"sys", "files"}, "output_selector", []any{id, "output"})
		n := value.Obj("id", id, "type", "custom", "data", data)
		if i == 0 {
			push(g, "edges", value.Obj("id", id, "source", parent, "target", id, "sourceHandle", "source"))
		} else {
			outer := fmt.Sprintf("deep%d", i-1)
			data.Set(kind+"_id", outer)
			n.Set("parentId", outer)
			push(g, "edges", value.Obj("id", id, "source", outer+"start", "target", id, "sourceHandle", "source"))
		}
		push(g, "nodes", n, value.Obj("id", id+"start", "type", "custom-"+kind+"-start", "parentId", id, "data", value.Obj("type", kind+"-start", kind+"_id", id)))
	}
}

func (m *mutator) strategy(g *value.Object) {
	d := m.data(m.node(g))
	strategies := []any{"fail-branch", "default-value", "none", m.odd()}
	d.Set("error_strategy", strategies[m.IntN(len(strategies))])
	d.Set("default_value", []any{value.Obj("key", "output", "type", "string", "value", m.odd())})
	if m.IntN(2) == 0 {
		d.Set("retry_config", value.Obj("retry_enabled", true, "max_retries", m.odd(), "retry_interval", m.odd()))
	}
}

// many makes the graph wide or long.
func (m *mutator) many(g *value.Object) {
	from := m.id(g)
	long := m.IntN(2) == 0
	for i := range m.IntN(700) {
		id := fmt.Sprintf("many%d", i)
		push2(g, "nodes", value.Obj("id", id, "type", "custom", "data", value.Obj("type", "template-transform", "title", id, "template", "x", "variables", []any{})))
		push2(g, "edges", value.Obj("id", id, "source", from, "target", id, "sourceHandle", "source"))
		if long {
			from = id
		}
	}
}

// push2 appends in place: for lists that this mutation made longer already.
func push2(o *value.Object, key string, x any) {
	list, _ := o.Value(key).([]any)
	o.Set(key, append(list, x))
}

// inputs answers what a start node asks for, mostly in the right type.
func (m *mutator) inputs(variables []any) map[string]any {
	out := map[string]any{}
	for _, x := range variables {
		o, _ := x.(*value.Object)
		name, ok := o.Value("variable").(string)
		if !ok {
			continue
		}
		var v any
		switch o.String("type") {
		case "number":
			v = m.IntN(100)
		case "checkbox":
			v = m.IntN(2) == 0
		case "select":
			options, _ := o.Value("options").([]any)
			if len(options) > 0 {
				v = options[m.IntN(len(options))]
			}
		case "json_object":
			v = map[string]any{"a": 1, "items": []any{"x"}}
		case "file":
			v = map[string]any{"type": "document", "transfer_method": "remote_url", "url": "https://files.example/a.txt"}
		case "file-list":
			v = []any{map[string]any{"type": "document", "transfer_method": "remote_url", "url": "https://files.example/a.txt"}}
		default:
			texts := []string{`["a","b","c"]`, "hello", `{"a":[1,2]}`, "7", "", "[" + strings.Repeat("1,", 250) + "1]"}
			v = texts[m.IntN(len(texts))]
		}
		if m.IntN(15) == 0 {
			v = m.odd()
		}
		out[name] = v
	}
	return out
}
