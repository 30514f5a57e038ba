// Package nodetest helps to test nodes: it makes the execution that a node
// gets. Its own tests replay runs that were recorded from the contract's
// server (testdata/runs.json) over the pure nodes and the http-request node.
//
// It is not the engine: it knows no events, retries or journals. Nothing that
// ships imports it.
package nodetest

import (
	"context"
	"testing"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Config makes the configuration of a node from its data as JSON.
func Config(t testing.TB, id, data string) *workflow.NodeConfig {
	t.Helper()
	graph, err := workflow.ParseGraph([]byte(`{"nodes":[{"id":"` + id + `","data":` + data + `}],"edges":[]}`))
	if err != nil {
		t.Fatalf("nodetest: %v", err)
	}
	cfg, ok := graph.Node(id)
	if !ok {
		t.Fatalf("nodetest: the graph has no node %s", id)
	}
	return cfg
}

// Execution makes the first try of a node.
func Execution(cfg *workflow.NodeConfig, pool *workflow.Pool) *workflow.Execution {
	return &workflow.Execution{
		ID: "execution", Node: cfg, Key: "run/execution/0", Pool: pool, Clock: clock.System{},
		Run: &workflow.RunInfo{ID: "run", TenantID: "tenant", AppID: "app", UserID: "user", Mode: "workflow"},
	}
}

// Run runs a node with the given data once.
func Run(ctx context.Context, t testing.TB, typ workflow.Type, data string, pool *workflow.Pool) (*workflow.Result, error) {
	t.Helper()
	cfg := Config(t, "node", data)
	n, err := typ.New(cfg)
	if err != nil {
		return nil, err
	}
	return n.Run(ctx, Execution(cfg, pool))
}

// Value decodes JSON into a value.
func Value(t testing.TB, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("nodetest: %v", err)
	}
	return value.Revive(v)
}
