package run

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/value"
)

// How runs of drafts are marked.
const (
	InvokeFromDebugger = "debugger"  // StartRequest.InvokeFrom
	FromDebugging      = "debugging" // StartRequest.TriggeredFrom
	fromSingleStep     = "single-step"
)

// Keeper keeps what the nodes of runs of drafts left behind, for people who
// debug them.
type Keeper interface {
	// Keep is called with events of such a run before they become durable, and
	// again with the same or other events when a crash comes between.
	Keep(ctx context.Context, req *StartRequest, events []workflow.Event) error
}

// Alone makes a run that consists of one container of a draft.
type Alone struct {
	NodeID string `json:"node_id"`
	// RunID is what the nodes inside see as the id of the run.
	RunID string `json:"run_id"`
	// Variables are what the nodes inside read from outside.
	Variables []workflow.Update `json:"variables,omitempty"`
}

// pin is the draft as it was when a run of it started: the draft may change
// while the run is under way, and a run that is recovered must find the graph
// that its journal is about. Secrets are not in it; they are asked for again.
type pin struct {
	Type         string   `json:"type"`
	Version      string   `json:"version"`
	Graph        string   `json:"graph"`
	Environment  []any    `json:"environment,omitempty"` // *value.Object
	Secrets      []string `json:"secrets,omitempty"`
	Conversation []any    `json:"conversation,omitempty"` // *value.Object
}

// MarshalJSON keeps the difference between integers and floats.
func (p *pin) MarshalJSON() ([]byte, error) {
	return value.Encode(value.Obj("type", p.Type, "version", p.Version, "graph", p.Graph, "environment", p.Environment,
		"secrets", value.From(p.Secrets), "conversation", p.Conversation))
}

// UnmarshalJSON is the opposite of MarshalJSON.
func (p *pin) UnmarshalJSON(data []byte) error {
	v, err := value.Decode(data)
	if err != nil {
		return err
	}
	o, _ := value.Revive(v).(*value.Object)
	p.Type, p.Version, p.Graph = o.String("type"), o.String("version"), o.String("graph")
	p.Environment, _ = o.Value("environment").([]any)
	p.Conversation, _ = o.Value("conversation").([]any)
	names, _ := o.Value("secrets").([]any)
	for _, n := range names {
		if name, ok := n.(string); ok {
			p.Secrets = append(p.Secrets, name)
		}
	}
	return nil
}

func pinOf(d *Definition) *pin {
	if !d.Mutable {
		return nil
	}
	p := &pin{Type: d.Type, Version: d.Version, Graph: d.Graph}
	for _, v := range d.Environment {
		if v.Secret {
			p.Secrets = append(p.Secrets, v.Name)
			continue
		}
		p.Environment = append(p.Environment, pinVariable(v))
	}
	for _, v := range d.Conversation {
		p.Conversation = append(p.Conversation, pinVariable(v))
	}
	return p
}

func pinVariable(v Variable) *value.Object {
	return value.Obj("id", v.ID, "type", v.Type, "description", v.Description, "name", v.Name, "value", v.Value)
}

func variables(list []any) []Variable {
	var out []Variable
	for _, x := range list {
		o, _ := x.(*value.Object)
		out = append(out, Variable{
			ID: o.String("id"), Type: o.String("type"), Description: o.String("description"), Name: o.String("name"), Value: o.Value("value"),
		})
	}
	return out
}

// pinned returns what a run of a draft is a run of, as the draft was when it
// started.
func (s *Service) pinned(ctx context.Context, req *StartRequest, p *pin) (*Definition, error) {
	d := &Definition{
		ID: req.WorkflowID, TenantID: req.TenantID, AppID: req.AppID, Type: p.Type, Version: p.Version, Graph: p.Graph, Mutable: true,
		Environment: variables(p.Environment), Conversation: variables(p.Conversation),
	}
	if len(p.Secrets) == 0 {
		return d, nil
	}
	now, err := s.Graphs.Definition(ctx, req.TenantID, req.WorkflowID)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	have := map[string]any{}
	if now != nil {
		for _, v := range now.Environment {
			have[v.Name] = v.Value
		}
	}
	for _, name := range p.Secrets {
		v, ok := have[name]
		if !ok {
			v = ""
		}
		d.Environment = append(d.Environment, Variable{Name: name, Value: v, Secret: true})
	}
	return d, nil
}

// planOf returns what a stored run executes.
func (s *Service) planOf(ctx context.Context, sp *spec) (*compiled, error) {
	if sp.Pin == nil {
		return s.planFor(ctx, &sp.Request)
	}
	def, err := s.pinned(ctx, &sp.Request, sp.Pin)
	if err != nil {
		return nil, err
	}
	return s.compileFor(def, &sp.Request)
}

// planFor returns what a new run executes.
func (s *Service) planFor(ctx context.Context, req *StartRequest) (*compiled, error) {
	if req.Replay != nil && req.Replay.pin != nil {
		def, err := s.pinned(ctx, req, req.Replay.pin)
		if err != nil {
			return nil, err
		}
		return s.compileFor(def, req)
	}
	if req.Alone == nil {
		return s.plan(ctx, req.TenantID, req.WorkflowID)
	}
	def, err := s.Graphs.Definition(ctx, req.TenantID, req.WorkflowID)
	if err != nil {
		return nil, err
	}
	return s.compileFor(def, req)
}

func (s *Service) compileFor(def *Definition, req *StartRequest) (*compiled, error) {
	if req.Alone == nil {
		return s.compile(def)
	}
	g, err := workflow.ParseGraph([]byte(def.Graph))
	if err != nil {
		return nil, &errs.Error{Code: errs.InvalidParam, Message: err.Error(), Cause: err}
	}
	plan, err := engine.CompileAlone(g, s.Types, req.Alone.NodeID)
	if err != nil {
		return nil, err
	}
	return &compiled{def: def, plan: plan, types: declaredTypes(def, g)}, nil
}

// keep brings events of runs of drafts to the keeper.
func (x *execution) keep(ctx context.Context, events []workflow.Event) error {
	req := &x.spec.Request
	if x.s.Keeper == nil || req.InvokeFrom != InvokeFromDebugger || req.CallDepth > 0 {
		return nil
	}
	return x.s.Keeper.Keep(ctx, req, events)
}

// nodesFrom is how the executions of a run's nodes are marked.
func (r *StartRequest) nodesFrom() string {
	if r.Alone != nil {
		return fromSingleStep
	}
	return "workflow-run"
}

// shownRunID is what nodes see as the id of the run.
func (r *StartRequest) shownRunID() string {
	if r.Alone != nil && r.Alone.RunID != "" {
		return r.Alone.RunID
	}
	return r.RunID
}

// SetPath sets a variable, or a member inside of one, whose place a selector
// names.
func SetPath(p *workflow.Pool, s workflow.Selector, v any) {
	if len(s) < 2 {
		return
	}
	if len(s) == 2 {
		p.Set(s[0], s[1], v)
		return
	}
	have, _ := p.Get(s[:2])
	root, ok := have.(*value.Object)
	if ok {
		root = root.Clone()
	} else {
		root = value.NewObject(1)
	}
	at := root
	for _, key := range s[2 : len(s)-1] {
		next, ok := at.Value(key).(*value.Object)
		if ok {
			next = next.Clone()
		} else {
			next = value.NewObject(1)
		}
		at.Set(key, next)
		at = next
	}
	at.Set(s[len(s)-1], v)
	p.Set(s[0], s[1], root)
}
