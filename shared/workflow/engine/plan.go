package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
)

// Types finds node types by their DSL name; package node has the registry.
type Types interface {
	Lookup(name string) (workflow.Type, bool)
}

// Plan is a graph that is ready to run: nodes are configured, edges resolved.
// It is immutable and shared by all runs of a workflow version.
type Plan struct {
	nodes    []planNode
	byID     map[string]int
	edges    []planEdge
	root     int
	sessions []session
	// shown are the variables that some response node streams.
	shown map[key]bool
	// reasoning lists the sessions that make a node's reasoning visible.
	reasoning map[string][]int
	// parent is the container whose child graph this is, "" at the top.
	parent  string
	allowed *allowed
}

type planNode struct {
	cfg    *workflow.NodeConfig
	node   workflow.Node
	kind   workflow.Kind
	effect bool
	retry  workflow.Retry
	in     []int // edges
	out    []int
	writes []workflow.Selector
	// child is the graph of a container.
	child *Plan
	// silent nodes are passed through: they only mark where a child graph begins.
	silent bool
	// breaks ends the loop that the node is in after its pass.
	breaks bool
}

type planEdge struct {
	source, target int
	handle         string
}

// session is one response node's stream.
type session struct {
	node     int
	segments []workflow.Segment
	// blocking[e] is true for the edges that must be taken before it may stream.
	blocking []bool
}

// key identifies a variable.
type key struct{ node, name string }

// contractTypes are the node types that the contract knows.
const contractTypes = " start end answer llm knowledge-retrieval if-else question-classifier parameter-extractor code " +
	"template-transform http-request tool agent variable-aggregator variable-assigner assigner document-extractor " +
	"list-operator iteration iteration-start loop loop-start loop-end human-input datasource knowledge-index " +
	"trigger-webhook trigger-schedule trigger-plugin datasource-empty "

// retried are the node types that look at the retry setting.
const retried = " llm tool http-request code "

// Compile checks a graph and configures its nodes. Errors carry a code:
// invalid_param for graphs that cannot run, not_implemented for node types of
// the contract that the registry lacks.
func Compile(g *workflow.Graph, types Types) (*Plan, error) {
	p, err := compileLevel(g, types, "")
	if err != nil {
		return nil, err
	}
	for i := range p.nodes {
		if p.nodes[i].kind == workflow.KindRoot {
			p.root = i
			p.addSessions()
			return p, nil
		}
	}
	return nil, errs.New(errs.InvalidParam, "Unable to determine the root node of the workflow graph")
}

// compileLevel compiles the nodes that belong to one container, or to none.
func compileLevel(g *workflow.Graph, types Types, parent string) (*Plan, error) {
	p := &Plan{byID: map[string]int{}, shown: map[key]bool{}, reasoning: map[string][]int{}, root: -1, parent: parent, allowed: newAllowed()}
	for _, cfg := range g.Nodes {
		if cfg.ParentID != parent {
			continue
		}
		n, err := planned(cfg, types)
		if err != nil {
			return nil, err
		}
		if n.kind == workflow.KindContainer {
			if n.child, err = compileChild(g, types, &n); err != nil {
				return nil, err
			}
		}
		p.byID[cfg.ID] = len(p.nodes)
		p.nodes = append(p.nodes, n)
	}
	return p, p.connect(g)
}

// compileChild compiles the graph that a container runs in each pass.
func compileChild(g *workflow.Graph, types Types, n *planNode) (*Plan, error) {
	c, ok := n.node.(workflow.Container)
	if !ok {
		return nil, errs.Newf(errs.Internal, "node type %s is no container", n.cfg.Type)
	}
	child, err := compileLevel(g, types, n.cfg.ID)
	if err != nil {
		return nil, err
	}
	if child.root, ok = child.byID[c.Entry()]; !ok {
		return nil, errs.Newf(errs.InvalidParam, "Node %s: its start node %q is not in the graph", n.cfg.ID, c.Entry())
	}
	return child, nil
}

func planned(cfg *workflow.NodeConfig, types Types) (planNode, error) {
	if cfg.Type == "iteration-start" || cfg.Type == "loop-start" {
		return planNode{cfg: cfg, node: marker{}, kind: workflow.KindExecutable, silent: true}, nil
	}
	t, ok := types.Lookup(cfg.Type)
	if !ok {
		if strings.Contains(contractTypes, " "+cfg.Type+" ") {
			return planNode{}, errs.Newf(errs.NotImplemented, "Nodes of type %q are not available yet.", cfg.Type)
		}
		return planNode{}, errs.Newf(errs.InvalidParam, "Node %s: unknown node type %q", cfg.ID, cfg.Type)
	}
	node, err := t.New(cfg)
	if err != nil {
		if errs.CodeOf(err) != errs.Internal {
			return planNode{}, err
		}
		return planNode{}, &errs.Error{Code: errs.InvalidParam, Message: fmt.Sprintf("Node %s: %v", cfg.ID, err), Cause: err}
	}
	n := planNode{cfg: cfg, node: node, kind: t.Kind(), effect: t.Effect(), breaks: cfg.Type == "loop-end"}
	if cfg.Retry.Enabled && strings.Contains(retried, " "+cfg.Type+" ") {
		n.retry = cfg.Retry
	}
	if w, ok := node.(workflow.Writer); ok {
		n.writes = w.Writes()
	}
	return n, nil
}

// marker is a node that only marks where the graph of a container begins. Graphs
// that lead to one by an edge of their own run it, to no effect.
type marker struct{}

// Run does nothing.
func (marker) Run(context.Context, *workflow.Execution) (*workflow.Result, error) {
	return &workflow.Result{}, nil
}

// connect resolves the edges between the nodes of this level. At the top, edges
// to nodes that are nowhere are an error.
func (p *Plan) connect(g *workflow.Graph) error {
	var missing []string
	for _, e := range g.Edges {
		source, ok := p.byID[e.Source]
		target, ok2 := p.byID[e.Target]
		if ok && ok2 {
			i := len(p.edges)
			p.edges = append(p.edges, planEdge{source: source, target: target, handle: e.SourceHandle})
			p.nodes[source].out = append(p.nodes[source].out, i)
			p.nodes[target].in = append(p.nodes[target].in, i)
			continue
		}
		if p.parent != "" || inContainer(g, e.Source) || inContainer(g, e.Target) {
			continue
		}
		if !ok {
			missing = append(missing, fmt.Sprintf("[MISSING_NODE] Edge %s references unknown source node '%s'.", e.ID, e.Source))
		}
		if !ok2 {
			missing = append(missing, fmt.Sprintf("[MISSING_NODE] Edge %s references unknown target node '%s'.", e.ID, e.Target))
		}
	}
	if len(missing) > 0 {
		return errs.New(errs.InvalidParam, strings.Join(missing, "; "))
	}
	return nil
}

func inContainer(g *workflow.Graph, id string) bool {
	n, ok := g.Node(id)
	return ok && n.ParentID != ""
}

// addSessions prepares the streams of the response nodes, in order of node id,
// which is the order in which those that open at the same moment queue.
func (p *Plan) addSessions() {
	for i, n := range p.nodes {
		r, ok := n.node.(workflow.Responder)
		if !ok || n.kind != workflow.KindResponse {
			continue
		}
		p.sessions = append(p.sessions, session{node: i, segments: r.Template()})
	}
	slices.SortFunc(p.sessions, func(a, b session) int {
		return strings.Compare(p.nodes[a.node].cfg.ID, p.nodes[b.node].cfg.ID)
	})
	for i := range p.sessions {
		s := &p.sessions[i]
		refs := map[key]bool{}
		for _, seg := range s.segments {
			if node, name, ok := seg.Selector.Key(); ok {
				refs[key{node, name}] = true
				p.shown[key{node, name}] = true
				if name == nameText || name == nameReasoning {
					p.reasoning[node] = append(p.reasoning[node], i)
				}
			}
		}
		s.blocking = make([]bool, len(p.edges))
		for e, edge := range p.edges {
			s.blocking[e] = p.blocks(&p.nodes[edge.source], refs)
		}
	}
}

// blocks reports whether edges that leave n hold back a session with these
// references until they are taken.
func (p *Plan) blocks(n *planNode, refs map[key]bool) bool {
	switch n.kind {
	case workflow.KindBranch, workflow.KindContainer, workflow.KindResponse:
		return true
	}
	if n.cfg.ErrorStrategy == workflow.StrategyFailBranch {
		return true
	}
	for _, w := range n.writes {
		if node, name, ok := w.Key(); ok && refs[key{node, name}] {
			return true
		}
	}
	return false
}

// Outputs of model nodes that the contract treats specially.
const (
	nameText      = "text"
	nameReasoning = "reasoning_content"
)
