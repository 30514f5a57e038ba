// Package fakenode has small node types for tests of the engine and of runs:
// they do what a function says and nothing else. It is a test helper; the real
// types are the packages below shared/workflow/node.
package fakenode

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Func is what a node does.
type Func func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error)

// Type is a node type made of functions.
type Type struct {
	TypeName string
	NodeKind workflow.Kind
	IsEffect bool
	Do       Func
	// Segments makes the template of a response node from its data.
	Segments func(cfg *workflow.NodeConfig) []workflow.Segment
}

// Name implements workflow.Type.
func (t Type) Name() string { return t.TypeName }

// Kind implements workflow.Type.
func (t Type) Kind() workflow.Kind { return t.NodeKind }

// Effect implements workflow.Type.
func (t Type) Effect() bool { return t.IsEffect }

// New implements workflow.Type.
func (t Type) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	n := fake{t: t}
	if t.Segments != nil {
		return responder{n, t.Segments(cfg)}, nil
	}
	return n, nil
}

type fake struct{ t Type }

// Run implements workflow.Node.
func (n fake) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	return n.t.Do(ctx, x)
}

type responder struct {
	fake
	segments []workflow.Segment
}

// Template implements workflow.Responder.
func (r responder) Template() []workflow.Segment { return r.segments }

// Types returns start, end, answer, "text" (renders data.template purely),
// "branch" (takes the handle that data.from selects) and "http-request", an
// effect that does what call says.
func Types(call Func, more ...workflow.Type) *node.Registry {
	list := []workflow.Type{
		Type{TypeName: "start", NodeKind: workflow.KindRoot, Do: start},
		Type{TypeName: "end", NodeKind: workflow.KindResponse, Do: end, Segments: endSegments},
		Type{TypeName: "answer", NodeKind: workflow.KindResponse, Do: answer, Segments: func(cfg *workflow.NodeConfig) []workflow.Segment {
			return workflow.ParseTemplate(cfg.Data.String("answer"))
		}},
		Type{TypeName: "text", NodeKind: workflow.KindExecutable, Do: text},
		Type{TypeName: "branch", NodeKind: workflow.KindBranch, Do: branch},
		Type{TypeName: "http-request", NodeKind: workflow.KindExecutable, IsEffect: true, Do: call},
	}
	return node.NewRegistry(append(list, more...)...)
}

func start(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	out := value.NewObject(1)
	for k, v := range x.Pool.Scope(x.Node.ID) {
		if len(k) < 4 || k[:4] != "sys." {
			out.Set(k, v)
		}
	}
	return &workflow.Result{Inputs: out, Outputs: out}, nil
}

func outputs(cfg *workflow.NodeConfig, each func(name string, sel workflow.Selector)) {
	list, _ := cfg.Data.Value("outputs").([]any)
	for _, item := range list {
		if o, ok := item.(*value.Object); ok {
			each(o.String("variable"), workflow.SelectorFrom(o.Value("value_selector")))
		}
	}
}

func end(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	out := value.NewObject(1)
	outputs(x.Node, func(name string, sel workflow.Selector) {
		v, _ := x.Pool.Get(sel)
		out.Set(name, v)
	})
	return &workflow.Result{Inputs: out, Outputs: out}, nil
}

func endSegments(cfg *workflow.NodeConfig) []workflow.Segment {
	var out []workflow.Segment
	outputs(cfg, func(_ string, sel workflow.Selector) {
		if len(out) > 0 {
			out = append(out, workflow.Segment{Text: "\n"})
		}
		out = append(out, workflow.Segment{Selector: sel})
	})
	return out
}

func answer(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	segs := workflow.ParseTemplate(x.Node.Data.String("answer"))
	return &workflow.Result{Outputs: value.Obj("answer", workflow.Render(segs, x.Pool, value.Markdown), "files", []any{})}, nil
}

func text(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	return &workflow.Result{Outputs: value.Obj("output", workflow.RenderText(x.Node.Data.String("template"), x.Pool))}, nil
}

func branch(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	v, _ := x.Pool.Get(workflow.SelectorFrom(x.Node.Data.Value("from")))
	return &workflow.Result{Handle: value.Text(v), Outputs: value.Obj("selected_case_id", value.Text(v))}, nil
}

// Graph builds a graph: nodes are JSON data objects with an extra key "id",
// edges are pairs or, with a handle, triples (source, handle, target).
func Graph(nodes []string, edges ...[]string) string {
	type n struct {
		ID   string          `json:"id"`
		Data json.RawMessage `json:"data"`
	}
	type e struct {
		Source       string `json:"source"`
		SourceHandle string `json:"sourceHandle,omitempty"`
		Target       string `json:"target"`
	}
	g := struct {
		Nodes []n `json:"nodes"`
		Edges []e `json:"edges"`
	}{}
	for _, raw := range nodes {
		var id struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(raw), &id); err != nil {
			panic(fmt.Sprintf("fakenode: %v in %s", err, raw))
		}
		g.Nodes = append(g.Nodes, n{id.ID, json.RawMessage(raw)})
	}
	for _, p := range edges {
		if len(p) == 3 {
			g.Edges = append(g.Edges, e{p[0], p[1], p[2]})
		} else {
			g.Edges = append(g.Edges, e{p[0], "", p[1]})
		}
	}
	out, err := json.Marshal(g)
	if err != nil {
		panic(err)
	}
	return string(out)
}
