// Package modelcall is what the nodes that call a language model have in
// common: the model's configuration, files and history for a prompt, and the
// forms in which prompts, usage and failures are shown.
//
// It is no node itself; see node/llm, node/questionclassifier and
// node/parameterextractor. The call is in shared/llm. START HERE: Open, and
// prompt.go for what can go into a prompt.
package modelcall

import (
	"context"
	"errors"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Models opens the models of a workspace. *provider.Service is one.
type Models interface {
	Model(ctx context.Context, tenantID, providerID string, ref provider.ModelRef) (*llm.Model, error)
}

// Memory finds what was said before in a conversation.
type Memory interface {
	// History returns the user and assistant messages of at most turns earlier
	// exchanges, oldest first, without the one that is being answered.
	History(ctx context.Context, run *workflow.RunInfo, turns int) ([]llm.Message, error)
}

// Files reads files for prompts.
type Files interface {
	// Part returns a file as a part of a message. Only images, audio, video and
	// documents are asked for.
	Part(ctx context.Context, run *workflow.RunInfo, f *value.File, detail string) (llm.Part, error)
}

// Options are what nodes need besides models. The zero value has no memory and
// no files.
type Options struct {
	// Memory is asked by nodes with memory in chatflows; nil means that no
	// conversation is remembered.
	Memory Memory
	// Files is needed by prompts with files; nil makes those fail.
	Files Files
}

// Config is the model that a node names.
type Config struct {
	Provider, Name, Mode string
	Parameters           map[string]any
}

// ParseConfig reads the DSL's model object.
func ParseConfig(o *value.Object) Config {
	c := Config{Provider: o.String("provider"), Name: o.String("name"), Mode: o.String("mode"), Parameters: map[string]any{}}
	params, _ := o.Value("completion_params").(*value.Object)
	for k, v := range params.All() {
		c.Parameters[k] = v
	}
	return c
}

// Call is one call of a model while its prompt is put together.
type Call struct {
	Config Config
	Model  *llm.Model

	x    *workflow.Execution
	opts Options
}

// Open finds the model of the run's workspace.
func Open(ctx context.Context, models Models, opts Options, x *workflow.Execution, cfg Config) (*Call, error) {
	m, err := models.Model(ctx, x.Run.TenantID, cfg.Provider, provider.ModelRef{Model: cfg.Name, Type: llm.TypeLLM})
	if err != nil {
		return nil, err
	}
	return &Call{Config: cfg, Model: m, x: x, opts: opts}, nil
}

// Request returns a request with the node's parameters.
func (c *Call) Request(messages []llm.Message) llm.Request {
	return llm.Request{Messages: messages, Parameters: c.Config.Parameters, User: c.x.Run.UserID, IdempotencyKey: c.x.Key}
}

// SetUsage stores what a call cost and returns the contract's usage object.
func SetUsage(res *workflow.Result, model Config, u llm.Usage) *value.Object {
	o, _ := value.From(u).(*value.Object)
	price := u.TotalPrice.String()
	res.Usage = &workflow.Usage{
		PromptTokens: int64(u.PromptTokens), CompletionTokens: int64(u.CompletionTokens), TotalTokens: int64(u.TotalTokens),
		TotalPrice: price, Currency: u.Currency, Object: o, Provider: model.Provider, Model: model.Name, Latency: u.Latency,
	}
	res.Metadata = value.Obj("total_tokens", int64(u.TotalTokens), "total_price", price, "currency", u.Currency)
	return o
}

// Failure gives an error the contract's type; one that is no better known has
// the type other.
func Failure(err error, other string) *workflow.Failure {
	var known *workflow.Failure
	if errors.As(err, &known) {
		return known
	}
	var invoke *llm.Error
	if errors.As(err, &invoke) {
		return &workflow.Failure{Type: "PluginInvokeError", Message: invoke.Error(), Cause: err}
	}
	f := &workflow.Failure{Type: other, Message: errs.Public(err).Message, Cause: err}
	switch errs.CodeOf(err) {
	case errs.ProviderNotInitialize:
		f.Type = "ProviderTokenNotInitError"
	case errs.ModelCurrentlyNotSupport:
		f.Type = "ModelCurrentlyNotSupportError"
	case errs.ProviderQuotaExceeded:
		f.Type = "QuotaExceededError"
	}
	return f
}
