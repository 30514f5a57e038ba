// Package tool is the node that calls a tool and turns the messages that it
// answers with into outputs.
//
// Which tools there are, and how they are called, is in shared/tool. This
// package reads the node's parameters (parameters.go) and sorts the messages
// (messages.go). START HERE: node.Run.
package tool

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/millrace/millrace/shared/errs"
	tools "github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The contract's error types of this node.
const (
	typeFind      = "ToolNodeError"
	typeParameter = "ToolParameterError"
	typeInvoke    = "ToolInvokeError"
)

// Tools finds and calls tools; *tools.Service is one.
type Tools interface {
	Find(ctx context.Context, ref tools.Ref) (*tools.Tool, error)
	Invoke(ctx context.Context, t *tools.Tool, call *tools.Call, send func(tools.Message) error) error
}

// Options tune the node type. With the zero value nodes show no icon.
type Options struct {
	// ConsoleURL is where the console API is reached, without /console/api.
	ConsoleURL string
}

type nodeType struct {
	tools Tools
	opts  Options
}

// New returns the node type. Its nodes call the tools of t.
func New(t Tools, opts Options) workflow.Type { return nodeType{tools: t, opts: opts} }

// Name is the DSL's type string.
func (nodeType) Name() string { return "tool" }

// Kind says that the node just runs.
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is true: nobody knows what a tool does.
func (nodeType) Effect() bool { return true }

// New reads the configuration.
func (t nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	d := cfg.Data
	n := &node{
		nodeType: t,
		ref: tools.Ref{
			Type: tools.ProviderType(d.String("provider_type")), Provider: d.String("provider_id"), Tool: d.String("tool_name"),
			Credential: d.String("credential_id"),
		},
		identifier: d.Value("plugin_unique_identifier"),
		given:      inputs(d.Value("tool_parameters")), configured: inputs(d.Value("tool_configurations")),
	}
	return n, nil
}

// node is a configured tool node.
type node struct {
	nodeType
	ref               tools.Ref
	identifier        any
	given, configured []input
}

// Extras is what the start of the node shows besides its identity: the address
// of the provider's icon. Providers that are not built in keep theirs with them.
func (n *node) Extras() *value.Object {
	if n.ref.Type != driver.Builtin || n.opts.ConsoleURL == "" {
		return nil
	}
	return value.Obj("icon", strings.TrimSuffix(n.opts.ConsoleURL, "/")+
		"/console/api/workspaces/current/tool-provider/builtin/"+url.PathEscape(n.ref.Provider)+"/icon")
}

// Run calls the tool.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	res := &workflow.Result{Metadata: value.Obj("tool_info", value.Obj("provider_type", string(n.ref.Type), "provider_id", n.ref.Provider,
		"plugin_unique_identifier", n.identifier))}
	call := &tools.Call{
		Ref: n.ref, From: driver.FromWorkflow, UserID: x.Run.UserID, AppID: x.Run.AppID,
		ConversationID: x.Run.ConversationID, MessageID: x.Run.MessageID, Key: x.Key,
	}
	call.TenantID = x.Run.TenantID
	t, err := n.tools.Find(ctx, call.Ref)
	if err != nil {
		return res, failure(ctx, err, typeFind, "Failed to get tool runtime: ")
	}
	params, shown, err := n.parameters(t, x.Pool)
	res.Inputs = shown
	if err != nil {
		return res, err
	}
	call.Parameters = params
	out := newOutputs(x.Emit)
	err = n.tools.Invoke(ctx, t, call, out.take)
	out.account(res) // also of a failed call
	if err != nil {
		return res, failure(ctx, err, typeInvoke, "Failed to invoke tool: ")
	}
	res.Outputs = out.all()
	return res, nil
}

func failure(ctx context.Context, err error, kind, prefix string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var known *workflow.Failure
	if errors.As(err, &known) {
		return known
	}
	return &workflow.Failure{Type: kind, Message: prefix + errs.Public(err).Message, Cause: err}
}
