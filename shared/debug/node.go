package debug

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// NodeRequest asks for a run of one node of a draft.
type NodeRequest struct {
	Scope
	// WorkflowID is the draft.
	WorkflowID string
	// Mode is the app's.
	Mode   string
	NodeID string
	// Inputs are values of what the node reads, by the keys of References, with or
	// without the node's id and a dot before them. What is missing comes from the
	// variables that earlier runs left behind.
	Inputs *value.Object
	Query  string
	Files  []any
	// Resolver turns references to files in inputs into files.
	Resolver inputs.Files
}

// graph finds the draft's graph and the node.
func (s *Service) graph(ctx context.Context, q *NodeRequest) (*run.Definition, *workflow.Graph, *workflow.NodeConfig, error) {
	def, err := s.Graphs.Definition(ctx, q.TenantID, q.WorkflowID)
	if err != nil {
		return nil, nil, nil, err
	}
	g, err := workflow.ParseGraph([]byte(def.Graph))
	if err != nil {
		return nil, nil, nil, errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	cfg, ok := g.Node(q.NodeID)
	if !ok {
		return nil, nil, nil, errs.Newf(errs.NotFound, "The draft has no node %s.", q.NodeID)
	}
	return def, g, cfg, nil
}

// RunNode runs one node with what it is given and stores how it went. That the
// node fails is no error: the execution says so. Codes: NotFound, InvalidParam.
func (s *Service) RunNode(ctx context.Context, q NodeRequest) (*Execution, error) {
	def, _, cfg, err := s.graph(ctx, &q)
	if err != nil {
		return nil, err
	}
	if cfg.Type == "human-input" {
		return nil, errs.New(errs.InvalidParam, "Nodes that wait for a person have routes of their own.")
	}
	t, ok := s.Types.Lookup(cfg.Type)
	if !ok {
		return nil, errs.Newf(errs.NotImplemented, "Nodes of type %q are not available yet.", cfg.Type)
	}
	if t.Kind() == workflow.KindContainer {
		return nil, errs.Newf(errs.InvalidParam, "Nodes of type %s have a route of their own.", cfg.Type)
	}
	node, err := t.New(cfg)
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	x := &workflow.Execution{
		ID: ids.New(), Node: cfg, Clock: s.Clock,
		Run: &workflow.RunInfo{
			ID: ids.New(), TenantID: q.TenantID, AppID: q.AppID, WorkflowID: q.WorkflowID, Mode: q.Mode, InvokeFrom: run.InvokeFromDebugger,
			UserID: q.AccountID, UserFrom: "account", StartedAt: s.now(),
		},
	}
	x.Run.TaskID = run.TaskID(x.Run.ID)
	x.Key = x.Run.ID + "/" + x.ID + "/0"
	if x.Pool, err = s.poolFor(ctx, def, cfg, &q, x.Run); err != nil {
		return nil, err
	}
	start := s.now()
	limited, cancel := context.WithTimeout(ctx, s.opts.MaxTime)
	defer cancel()
	res, runErr := node.Run(limited, x)
	if res == nil {
		res = &workflow.Result{}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // who asked is gone
	}
	n := &workflow.NodeEvent{ExecutionID: x.ID, NodeID: cfg.ID, NodeType: cfg.Type, Title: cfg.Title, StartedAt: start}
	outcome(n, cfg, res, runErr)
	if cfg.Type == "start" && runErr == nil {
		n.Outputs = withSystem(n.Outputs, x.Pool)
	}
	return s.finish(ctx, &q, n, s.now())
}

// outcome brings the result of a node's only try into the form of its event.
func outcome(n *workflow.NodeEvent, cfg *workflow.NodeConfig, res *workflow.Result, err error) {
	n.Status = workflow.StatusSucceeded
	n.Inputs, n.ProcessData, n.Outputs, n.Metadata = res.Inputs, res.ProcessData, res.Outputs, res.Metadata
	n.Updates = res.Updates
	var pause *workflow.Pause
	switch {
	case err == nil:
		return
	case errors.As(err, &pause):
		n.Status = workflow.StatusPaused
		return
	case errors.Is(err, context.DeadlineExceeded):
		err = workflow.Fail("TimeoutError", "The node took too long.")
	}
	n.Updates = nil
	failure := engine.FailureOf(err)
	n.Status, n.Error, n.ErrorType = workflow.StatusFailed, failure.Message, failure.Type
	if cfg.ErrorStrategy == workflow.StrategyNone {
		return
	}
	n.Status = workflow.StatusException
	n.Outputs = value.NewObject(2)
	if cfg.ErrorStrategy == workflow.StrategyDefaultValue {
		n.Outputs = engine.DefaultOutputs(cfg.DefaultValue)
	}
	n.Outputs.Set("error_message", failure.Message)
	n.Outputs.Set("error_type", failure.Type)
	if n.Metadata = n.Metadata.Clone(); n.Metadata == nil {
		n.Metadata = value.NewObject(1)
	}
	n.Metadata.Set("error_strategy", cfg.ErrorStrategy)
}

// withSystem adds the system variables to the outputs of a start node.
func withSystem(outputs *value.Object, p *workflow.Pool) *value.Object {
	out := value.NewObject(12)
	for k, v := range outputs.All() {
		out.Set(k, v)
	}
	for _, name := range []string{"query", "files", "conversation_id", "user_id", "dialogue_count", "app_id", "timestamp", "workflow_id", "workflow_run_id"} {
		if v, ok := p.Get(workflow.Selector{workflow.ScopeSystem, name}); ok {
			out.Set("sys."+name, v)
		}
	}
	return out
}

// finish stores an execution and what it left behind.
func (s *Service) finish(ctx context.Context, q *NodeRequest, n *workflow.NodeEvent, at time.Time) (*Execution, error) {
	e := &Execution{
		ID: n.ExecutionID, WorkflowID: q.WorkflowID, NodeID: n.NodeID, NodeType: n.NodeType, Title: n.Title, Status: n.Status,
		Inputs: column(n.Inputs), Process: column(n.ProcessData), Outputs: column(n.Outputs), Metadata: column(n.Metadata),
		Elapsed: at.Sub(n.StartedAt).Seconds(), CreatedAt: n.StartedAt, FinishedAt: at,
	}
	if n.Error != "" {
		e.Error = &n.Error
	}
	if err := s.Store.AddExecution(ctx, q.Scope, *e); err != nil {
		return nil, err
	}
	if n.Status != workflow.StatusSucceeded && n.Status != workflow.StatusException {
		return e, nil
	}
	list, err := s.leftBehind(ctx, q.Scope, n)
	if err != nil {
		return nil, err
	}
	return e, s.Store.Save(ctx, q.Scope, list)
}

func column(o *value.Object) *string {
	if o == nil || o.Len() == 0 {
		return nil
	}
	text := value.JSONASCII(o)
	return &text
}

// poolFor holds what a node that runs alone may read.
func (s *Service) poolFor(ctx context.Context, def *run.Definition, cfg *workflow.NodeConfig, q *NodeRequest, info *workflow.RunInfo) (*workflow.Pool, error) {
	p := workflow.NewPool()
	for _, v := range def.Environment {
		p.Set(workflow.ScopeEnvironment, v.Name, v.Value)
		if v.Secret {
			p.MarkSecret(v.Name)
		}
	}
	if workflow.IsRootType(cfg.Type) {
		return p, s.fillRoot(ctx, p, cfg, q, info)
	}
	updates, err := s.given(ctx, def, References(cfg), q)
	if err != nil {
		return nil, err
	}
	for _, u := range updates {
		run.SetPath(p, u.Selector, u.Value)
	}
	return p, nil
}

// fillRoot gives a start node its form and the system variables.
func (s *Service) fillRoot(ctx context.Context, p *workflow.Pool, cfg *workflow.NodeConfig, q *NodeRequest, info *workflow.RunInfo) error {
	form, err := inputs.ParseForm(cfg.Data.Value("variables"))
	if err != nil {
		return errs.Wrap(errs.InvalidParam, err, err.Error())
	}
	checked, err := form.Check(q.Inputs)
	if err != nil {
		return err
	}
	if q.Resolver != nil {
		if checked, err = form.Resolve(ctx, checked, q.Resolver); err != nil {
			return err
		}
	}
	p.SetAll(cfg.ID, checked)
	files := q.Files
	if files == nil {
		files = []any{}
	}
	p.SetAll(workflow.ScopeSystem, value.Obj("files", files, "user_id", q.AccountID, "app_id", q.AppID, "workflow_id", q.WorkflowID, "workflow_run_id", info.ID))
	if q.Mode == run.ModeAdvancedChat {
		p.SetAll(workflow.ScopeSystem, value.Obj("query", q.Query, "dialogue_count", int64(1)))
	} else {
		p.Set(workflow.ScopeSystem, "timestamp", info.StartedAt.Unix())
	}
	return nil
}

// Alone makes the request for a run of one container of a draft: what is in it
// runs like the graph of a run. Codes: NotFound, InvalidParam.
func (s *Service) Alone(ctx context.Context, q NodeRequest, nodeType string) (*run.Alone, error) {
	def, g, cfg, err := s.graph(ctx, &q)
	if err != nil {
		return nil, err
	}
	if cfg.Type != nodeType {
		return nil, errs.Newf(errs.InvalidParam, "The node %s is no %s.", cfg.ID, nodeType)
	}
	part := &run.Alone{NodeID: cfg.ID, RunID: ids.Random()}
	part.Variables, err = s.given(ctx, def, ChildReferences(g, cfg), &q)
	return part, err
}

// given finds a value for each reference: what the request has, or else what
// runs of the draft left behind.
func (s *Service) given(ctx context.Context, def *run.Definition, refs []Reference, q *NodeRequest) ([]workflow.Update, error) {
	var out []workflow.Update
	for _, r := range refs {
		if r.Selector[0] == workflow.ScopeEnvironment {
			continue
		}
		v, ok, err := s.lookUp(ctx, def, r, q)
		if err != nil {
			return nil, err
		}
		if !ok {
			if r.Optional {
				continue
			}
			return nil, errs.Newf(errs.InvalidParam, "Variable key %s not found in user inputs", q.NodeID+"."+r.Key)
		}
		out = append(out, v)
	}
	return out, nil
}

func (s *Service) lookUp(ctx context.Context, def *run.Definition, r Reference, q *NodeRequest) (workflow.Update, bool, error) {
	for _, key := range []string{q.NodeID + "." + r.Key, r.Key} {
		if v, ok := q.Inputs.Get(key); ok {
			resolved, err := resolveFiles(ctx, v, q.Resolver)
			return workflow.Update{Selector: r.Selector, Value: resolved}, true, err
		}
	}
	node, name := r.Selector[0], r.Selector[1]
	kept, err := s.Store.Find(ctx, q.Scope, node, name)
	if err == nil {
		v, err := s.whole(ctx, q.Scope, &kept)
		return workflow.Update{Selector: workflow.Selector{node, name}, Value: v}, true, err
	}
	if !errs.Is(err, errs.NotFound) {
		return workflow.Update{}, false, err
	}
	switch {
	case node == workflow.ScopeConversation:
		for _, v := range def.Conversation {
			if v.Name == name {
				return workflow.Update{Selector: workflow.Selector{node, name}, Value: v.Value}, true, nil
			}
		}
	case node == workflow.ScopeSystem && name == "query" && q.Query != "":
		return workflow.Update{Selector: r.Selector, Value: q.Query}, true, nil
	case node == workflow.ScopeSystem && name == "files" && len(q.Files) > 0:
		return workflow.Update{Selector: r.Selector, Value: q.Files}, true, nil
	}
	return workflow.Update{}, false, nil
}

// resolveFiles turns references to files, alone or in a list, into files. Objects
// that say they are files are checked wherever they are: people may only name
// files of their own workspace.
func resolveFiles(ctx context.Context, v any, files inputs.Files) (any, error) {
	return resolve(ctx, v, files, true)
}

func resolve(ctx context.Context, v any, files inputs.Files, top bool) (any, error) {
	switch t := v.(type) {
	case *value.Object:
		_, typed := t.Get("type")
		_, sent := t.Get("transfer_method")
		_, marked := value.FileFrom(t)
		if marked || top && typed && sent {
			if files == nil {
				return nil, errs.New(errs.InvalidParam, "Files cannot be given here.")
			}
			return files.ResolveFile(ctx, t, inputs.FileRules{})
		}
		out := value.NewObject(t.Len())
		for k, x := range t.All() {
			member, err := resolve(ctx, x, files, false)
			if err != nil {
				return nil, err
			}
			out.Set(k, member)
		}
		return out, nil
	case []any:
		out := make([]any, len(t))
		for i, x := range t {
			var err error
			if out[i], err = resolve(ctx, x, files, top); err != nil {
				return nil, err
			}
		}
		return out, nil
	case string:
		return strings.ReplaceAll(t, "\x00", ""), nil
	}
	return v, nil
}
