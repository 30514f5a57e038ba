package workflowtool

import (
	"context"
	"slices"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Runs runs workflows for nodes of others; *run.Service is one.
type Runs interface {
	Call(ctx context.Context, req run.StartRequest) (*workflow.RunFinished, error)
}

// Runtime calls published tools.
type Runtime struct {
	*Service
	runs func() (Runs, error)
}

var _ driver.Runtime = (*Runtime)(nil)

// NewRuntime returns a Runtime. Runs is asked for what runs workflows when a
// tool is called: that knows all nodes, and this is part of one. With nil the
// tools can be described, but not called.
func NewRuntime(s *Service, runs func() (Runs, error)) *Runtime { return &Runtime{s, runs} }

// Providers implements driver.Runtime. Tools that cannot be described, because
// what they run is gone, are left out.
func (r *Runtime) Providers(ctx context.Context, tenantID string) ([]*driver.Provider, error) {
	list, err := r.Store.Tools(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	out := make([]*driver.Provider, 0, len(list))
	for i := range list {
		p, _, err := r.Describe(ctx, &list[i])
		switch errs.CodeOf(err) {
		case errs.NotFound, errs.InvalidParam:
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Provider implements driver.Runtime.
func (r *Runtime) Provider(ctx context.Context, tenantID, id string) (*driver.Provider, error) {
	p, err := r.tool(ctx, tenantID, id)
	if err != nil {
		return nil, err
	}
	d, _, err := r.Describe(ctx, &p)
	return d, err
}

func (r *Runtime) tool(ctx context.Context, tenantID, id string) (Published, error) {
	p, err := r.Store.Tool(ctx, tenantID, id)
	if errs.Is(err, errs.NotFound) {
		err = errs.Newf(errs.NotFound, "workflow provider %s not found", id)
	}
	return p, err
}

// Invoke implements driver.Runtime: it runs the tool's workflow, or waits for
// the run that an earlier worker has started for the same try.
func (r *Runtime) Invoke(ctx context.Context, call *driver.Call, send func(driver.Message) error) error {
	if r.runs == nil {
		return errs.New(errs.NotImplemented, "Workflows cannot be called here.")
	}
	p, err := r.tool(ctx, call.TenantID, call.Provider)
	if err != nil {
		return err
	}
	w, err := r.version(ctx, &p)
	if err != nil {
		return err
	}
	given, err := arguments(ctx, w, call.Parameters)
	if err != nil {
		return err
	}
	req := request(ctx, call)
	req.AppID, req.WorkflowID, req.Inputs = p.AppID, w.ID, given
	runs, err := r.runs()
	if err != nil {
		return err
	}
	f, err := runs.Call(ctx, req)
	if err != nil {
		return err
	}
	return answer(f, send)
}

// arguments checks parameters as any caller's inputs are.
func arguments(ctx context.Context, w app.Workflow, params *value.Object) (*value.Object, error) {
	form, err := inputs.ParseForm(w.StartVariables())
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "The start node is not valid.")
	}
	checked, err := form.Check(params)
	if err != nil {
		return nil, err
	}
	return form.Resolve(ctx, checked, noReferences{})
}

// noReferences refuses references to files: nodes pass files themselves.
type noReferences struct{}

// ResolveFile implements inputs.Files.
func (noReferences) ResolveFile(context.Context, *value.Object, inputs.FileRules) (*value.File, error) {
	return nil, errs.New(errs.InvalidParam, "The value is no file.")
}

// request is made on behalf of whoever the calling run is made for.
func request(ctx context.Context, call *driver.Call) run.StartRequest {
	req := run.StartRequest{
		TenantID: call.TenantID, RunID: run.CalledID(call.Key), Mode: run.ModeWorkflow,
		InvokeFrom: run.InvokeFromDebugger, TriggeredFrom: run.FromDebugging,
		User: run.User{ID: call.UserID, Role: "account", SessionID: call.UserID},
	}
	if by, ok := run.Caller(ctx); ok {
		req.InvokeFrom, req.TriggeredFrom, req.User, req.Queue = by.InvokeFrom, by.TriggeredFrom, by.User, by.Queue
		req.CreatedFrom = createdFrom(by.InvokeFrom)
	}
	return req
}

// createdFrom is how the app's log marks runs; those of drafts are not in it.
func createdFrom(invokeFrom string) string {
	switch invokeFrom {
	case "service-api", "web-app":
		return invokeFrom
	case "explore":
		return "installed-app"
	}
	return ""
}

// answer sends what has become of the run.
func answer(f *workflow.RunFinished, send func(driver.Message) error) error {
	if err := send(driver.Message{Type: driver.Spent, Usage: spent(f)}); err != nil {
		return err
	}
	if f.Status == workflow.StatusFailed || f.Status == workflow.StatusStopped {
		return errs.New(errs.InvalidParam, f.Error)
	}
	outputs := f.Outputs
	if outputs == nil {
		outputs = value.NewObject(0)
	}
	var messages []driver.Message
	for _, v := range outputs.All() {
		for _, file := range files(v) {
			messages = append(messages, driver.Message{Type: driver.Attached, File: file})
		}
	}
	for name, v := range outputs.All() {
		if !slices.Contains(reserved(), name) {
			messages = append(messages, driver.Message{Type: driver.Variable, Name: name, Value: v})
		}
	}
	messages = append(messages,
		driver.Message{Type: driver.Words, Text: value.JSON(outputs)},
		driver.Message{Type: driver.JSON, Value: outputs, Suppress: true})
	for _, m := range messages {
		if err := send(m); err != nil {
			return err
		}
	}
	return nil
}

// files are the files that an output is or lists.
func files(v any) []*value.File {
	switch v := v.(type) {
	case *value.File:
		return []*value.File{v}
	case []any:
		var out []*value.File
		for _, item := range v {
			if f, ok := item.(*value.File); ok {
				out = append(out, f)
			}
		}
		return out
	}
	return nil
}

// spent is what the run's models have cost. It names no model: their calls were
// metered in the run itself.
func spent(f *workflow.RunFinished) *workflow.Usage {
	u := &workflow.Usage{TotalTokens: f.Tokens, TotalPrice: "0", Currency: "USD"}
	if f.Usage == nil {
		return u
	}
	u.PromptTokens, u.CompletionTokens, u.Object = f.Usage.PromptTokens, f.Usage.CompletionTokens, f.Usage.Object
	if f.Usage.TotalPrice != "" {
		u.TotalPrice = f.Usage.TotalPrice
	}
	if f.Usage.Currency != "" {
		u.Currency = f.Usage.Currency
	}
	return u
}
