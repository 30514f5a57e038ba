package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Handles that the contract gives a meaning.
const (
	HandleSource     = "source"      // the handle of edges that name none
	HandleFailBranch = "fail-branch" // followed when a node with that error strategy fails
)

// Error strategies of a node.
const (
	StrategyNone         = ""
	StrategyFailBranch   = "fail-branch"
	StrategyDefaultValue = "default-value"
)

// Graph is a parsed graph. It is immutable once ParseGraph returns and may be
// shared by any number of runs.
type Graph struct {
	Nodes []*NodeConfig
	Edges []*Edge

	byID map[string]*NodeConfig
	out  map[string][]*Edge
	in   map[string][]*Edge
}

// NodeConfig is one node of a graph as the DSL has it.
type NodeConfig struct {
	ID       string
	Type     string
	Title    string
	Version  string
	ParentID string // id of the iteration or loop it belongs to, "" at the top

	ErrorStrategy string
	DefaultValue  []DefaultValue
	Retry         Retry

	// Data is the whole data object, for the node type to parse.
	Data *value.Object
	// Raw is Data as JSON text.
	Raw json.RawMessage
}

// DefaultValue is one output of a failed node with the default-value strategy.
type DefaultValue struct {
	Key   string
	Type  string
	Value any
}

// Retry is a node's retry setting. Interval is milliseconds.
type Retry struct {
	Enabled    bool
	MaxRetries int
	Interval   int
}

// Edge leads from a node's handle to another node.
type Edge struct {
	ID           string // edge_<n> in list order, as the contract names them
	Source       string
	Target       string
	SourceHandle string
}

type rawGraph struct {
	Nodes []struct {
		ID       any             `json:"id"`
		Type     string          `json:"type"`
		ParentID string          `json:"parentId"`
		Data     json.RawMessage `json:"data"`
	} `json:"nodes"`
	Edges []struct {
		Source       any `json:"source"`
		Target       any `json:"target"`
		SourceHandle any `json:"sourceHandle"`
	} `json:"edges"`
}

// ParseGraph reads the JSON form of a graph. It accepts any graph whose nodes
// are objects with an id; whether it can run is Check's to say. Nodes of type
// custom-note and edges whose ends are not strings are dropped.
func ParseGraph(data []byte) (*Graph, error) {
	var raw rawGraph
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("graph is not valid: %w", err)
	}
	g := &Graph{byID: map[string]*NodeConfig{}, out: map[string][]*Edge{}, in: map[string][]*Edge{}}
	for _, n := range raw.Nodes {
		if n.Type == "custom-note" {
			continue
		}
		id, ok := n.ID.(string)
		if !ok || id == "" {
			return nil, fmt.Errorf("graph is not valid: a node has no id")
		}
		cfg, err := parseNode(id, n.ParentID, n.Data)
		if err != nil {
			return nil, err
		}
		if _, dup := g.byID[id]; dup {
			continue
		}
		g.Nodes = append(g.Nodes, cfg)
		g.byID[id] = cfg
	}
	g.nest()
	for _, e := range raw.Edges {
		source, ok1 := e.Source.(string)
		target, ok2 := e.Target.(string)
		if !ok1 || !ok2 {
			continue
		}
		handle, _ := e.SourceHandle.(string)
		if handle == "" {
			handle = HandleSource
		}
		edge := &Edge{ID: fmt.Sprintf("edge_%d", len(g.Edges)), Source: source, Target: target, SourceHandle: handle}
		g.Edges = append(g.Edges, edge)
		g.out[source] = append(g.out[source], edge)
		g.in[target] = append(g.in[target], edge)
	}
	return g, nil
}

func parseNode(id, parent string, data json.RawMessage) (*NodeConfig, error) {
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	v, err := value.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("node %s: data is not valid: %w", id, err)
	}
	obj, ok := v.(*value.Object)
	if !ok {
		return nil, fmt.Errorf("node %s: data must be an object", id)
	}
	cfg := &NodeConfig{
		ID: id, Type: obj.String("type"), Title: obj.String("title"), Version: "1",
		ErrorStrategy: obj.String("error_strategy"), Data: obj, Raw: data, ParentID: parent,
	}
	if ver := obj.Value("version"); ver != nil {
		cfg.Version = value.Str(ver)
	}
	if r, ok := obj.Value("retry_config").(*value.Object); ok {
		cfg.Retry.Enabled, _ = r.Value("retry_enabled").(bool)
		cfg.Retry.MaxRetries = intOf(r.Value("max_retries"))
		cfg.Retry.Interval = intOf(r.Value("retry_interval"))
	}
	if list, ok := obj.Value("default_value").([]any); ok {
		for _, item := range list {
			o, ok := item.(*value.Object)
			if !ok {
				continue
			}
			cfg.DefaultValue = append(cfg.DefaultValue, DefaultValue{Key: o.String("key"), Type: o.String("type"), Value: o.Value("value")})
		}
	}
	return cfg, nil
}

// nest decides which container each node belongs to. Nodes in nested containers
// may name both an iteration and a loop: the inner one counts.
func (g *Graph) nest() {
	named := func(n *NodeConfig) []string {
		var ids []string
		for _, id := range []string{n.Data.String("iteration_id"), n.Data.String("loop_id"), n.ParentID} {
			if id != "" && id != n.ID {
				ids = append(ids, id)
			}
		}
		return ids
	}
	parents := make([]string, len(g.Nodes))
	for i, n := range g.Nodes {
		ids := named(n)
		for _, id := range ids {
			inner := parents[i] == ""
			if c, ok := g.byID[id]; ok && !inner {
				for _, outer := range named(c) {
					inner = inner || outer == parents[i]
				}
			}
			if inner {
				parents[i] = id
			}
		}
	}
	for i, n := range g.Nodes {
		n.ParentID = parents[i]
	}
}

func intOf(v any) int {
	switch n := v.(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return 0
}

// Node returns the node with that id.
func (g *Graph) Node(id string) (*NodeConfig, bool) {
	n, ok := g.byID[id]
	return n, ok
}

// Out returns the edges that leave a node, in list order.
func (g *Graph) Out(id string) []*Edge { return g.out[id] }

// In returns the edges that enter a node, in list order.
func (g *Graph) In(id string) []*Edge { return g.in[id] }

// Root returns the first node that may start a run.
func (g *Graph) Root() (*NodeConfig, bool) {
	for _, n := range g.Nodes {
		if IsRootType(n.Type) {
			return n, true
		}
	}
	return nil, false
}

// IsRootType reports whether nodes of that type may start a run.
func IsRootType(t string) bool {
	return t == "start" || t == "datasource" || strings.HasPrefix(t, "trigger-")
}
