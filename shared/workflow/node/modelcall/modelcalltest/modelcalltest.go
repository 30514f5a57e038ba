// Package modelcalltest runs nodes that call a model against the mock model.
// Nothing that ships imports it.
package modelcalltest

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/mockmodel"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/openaicompat"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Bench has a mock model server and the variables of a run.
type Bench struct {
	Mock *mockmodel.Server
	Pool *workflow.Pool
	Info workflow.RunInfo

	def   *provider.Definition
	creds map[string]provider.Credentials
}

// New starts a mock model server. Its models are mock-chat with tool calls,
// mock-plain without, mock-vision with images, and mock-completion.
func New(t testing.TB) *Bench {
	t.Helper()
	b := &Bench{Mock: mockmodel.New(nil), Pool: workflow.NewPool(), Info: workflow.RunInfo{TenantID: "tenant", UserID: "user", Mode: "workflow"}}
	srv := httptest.NewServer(b.Mock.Handler())
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	b.def = openaicompat.Definition(srv.Client())
	base := func(extra ...string) provider.Credentials {
		c := provider.Credentials{"endpoint_url": srv.URL + "/v1", "mode": "chat", "context_size": "8192"}
		for i := 0; i+1 < len(extra); i += 2 {
			c[extra[i]] = extra[i+1]
		}
		return c
	}
	b.creds = map[string]provider.Credentials{
		"mock-chat": base("function_calling_type", "tool_call"), "mock-plain": base(),
		"mock-vision": base("vision_support", "support"), "mock-completion": base("mode", "completion"),
	}
	return b
}

// Model opens a model as the provider service does.
func (b *Bench) Model(_ context.Context, tenantID, providerID string, ref provider.ModelRef) (*llm.Model, error) {
	c, ok := b.creds[ref.Model]
	if !ok || tenantID != "tenant" || providerID != openaicompat.ID {
		return nil, errs.Newf(errs.ProviderNotInitialize, "Model %s credentials is not initialized.", ref.Model)
	}
	name := ref
	if ref.Model == "mock-plain" {
		name.Model = "mock-chat"
	}
	d, err := b.def.Open(name, c)
	if err != nil {
		return nil, err
	}
	return llm.New(providerID, b.def.Describe(name, c), d, clock.System{}), nil
}

// Config is the DSL's model object of a model of the bench.
func Config(model, mode string) string {
	return `{"provider":"` + openaicompat.ID + `","name":"` + model + `","mode":"` + mode + `","completion_params":{"temperature":0}}`
}

// Run runs a node of typ with the given data once.
func (b *Bench) Run(ctx context.Context, t testing.TB, typ workflow.Type, data string) (*workflow.Result, error) {
	t.Helper()
	cfg := nodetest.Config(t, "node", data)
	n, err := typ.New(cfg)
	if err != nil {
		return nil, err
	}
	x := nodetest.Execution(cfg, b.Pool)
	x.Run = &b.Info
	return n.Run(ctx, x)
}

// History answers every conversation with the same exchanges.
type History []llm.Message

// History returns the newest turns exchanges.
func (h History) History(_ context.Context, _ *workflow.RunInfo, turns int) ([]llm.Message, error) {
	return h[max(0, len(h)-2*turns):], nil
}

// Pictures is Files whose every file is an image at its URL.
type Pictures struct{}

// Part returns the file as an image.
func (Pictures) Part(_ context.Context, _ *workflow.RunInfo, f *value.File, detail string) (llm.Part, error) {
	return llm.Part{Type: llm.PartImage, URL: f.URL, Filename: f.Filename, Detail: detail}, nil
}
