package llm

import (
	"context"
	"errors"
	"io"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The outputs that are streamed.
const (
	outputText      = "text"
	outputReasoning = "reasoning_content"
)

// Run makes the prompt, calls the model and streams its answer.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	res := &workflow.Result{Inputs: value.NewObject(4)}
	err := n.run(ctx, x, res)
	if err == nil {
		return res, nil
	}
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	return res, failure(err)
}

func (n *node) run(ctx context.Context, x *workflow.Execution, res *workflow.Result) error {
	cfg, err := n.config(x)
	if err != nil {
		return err
	}
	c := &call{node: n, x: x, cfg: cfg, inputs: res.Inputs}
	if err := c.gather(); err != nil {
		return err
	}
	res.Inputs.Set("model_provider", cfg.provider)
	res.Inputs.Set("model_name", cfg.name)
	if c.model, err = n.models.Model(ctx, x.Run.TenantID, cfg.provider, provider.ModelRef{Model: cfg.name, Type: llm.TypeLLM}); err != nil {
		return err
	}
	messages, err := c.messages(ctx)
	if err != nil {
		return err
	}
	req := llm.Request{Messages: messages, Parameters: cfg.params, User: x.Run.UserID, IdempotencyKey: x.Key}
	if n.structured != nil {
		if err := askForJSON(&req, n.structured, c.model.Schema()); err != nil {
			return err
		}
	}
	got, err := c.stream(ctx, req)
	if err != nil {
		return err
	}
	return c.finish(res, messages, got)
}

// config is the node's model, or the one in the environment variable that it
// names.
func (n *node) config(x *workflow.Execution) (modelConfig, error) {
	if len(n.modelSelector) == 0 {
		return n.model, nil
	}
	v, _ := x.Pool.Get(n.modelSelector)
	o, ok := v.(*value.Object)
	if !ok {
		return n.model, workflow.Fail("ModelNotExistError", "The variable "+n.modelSelector.String()+" names no model.")
	}
	cfg := modelOf(o)
	if cfg.mode != n.model.mode {
		return n.model, workflow.Fail("InvalidModelModeError", "The model of the variable "+n.modelSelector.String()+" has another mode than the node's prompt.")
	}
	return cfg, nil
}

// stream sends the request and passes on the answer as it comes.
func (c *call) stream(ctx context.Context, req llm.Request) (*llm.Result, error) {
	s, err := c.model.Stream(ctx, req)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // read to the end, or given up
	out := &emitter{emit: c.x.Emit, split: c.separated}
	for {
		chunk, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		out.text(chunk.Text)
	}
	out.end()
	return s.Result(), nil
}

// finish fills the result of a successful call.
func (c *call) finish(res *workflow.Result, messages []llm.Message, got *llm.Result) error {
	text, reasoning := got.Text, ""
	if c.separated {
		text, reasoning = separate(got.Text)
	}
	usage, ok := value.From(got.Usage).(*value.Object)
	if !ok {
		return errors.New("usage cannot be written")
	}
	u := got.Usage
	res.Usage = &workflow.Usage{PromptTokens: int64(u.PromptTokens), CompletionTokens: int64(u.CompletionTokens),
		TotalTokens: int64(u.TotalTokens), TotalPrice: u.TotalPrice.String(), Currency: u.Currency, Object: usage}
	res.Metadata = value.Obj("total_tokens", int64(u.TotalTokens), "total_price", u.TotalPrice.String(), "currency", u.Currency)
	reason := any(nil)
	if got.FinishReason != "" {
		reason = got.FinishReason
	}
	outputs := value.Obj(outputText, text, outputReasoning, reasoning, "usage", usage, "finish_reason", reason)
	if c.structured != nil {
		parsed, err := parseJSON(text)
		if err != nil {
			// The contract counts no tokens of a node that failed.
			res.Usage, res.Metadata = nil, nil
			return err
		}
		outputs.Set("structured_output", parsed)
	}
	res.ProcessData = value.Obj("model_mode", c.cfg.mode, "prompts", saved(c.cfg.mode, messages), "usage", usage,
		"finish_reason", reason, "model_provider", c.cfg.provider, "model_name", c.cfg.name)
	res.Outputs = outputs
	return nil
}

// failure gives an error the contract's type.
func failure(err error) error {
	var known *workflow.Failure
	if errors.As(err, &known) {
		return known
	}
	var invoke *llm.Error
	if errors.As(err, &invoke) {
		return &workflow.Failure{Type: "PluginInvokeError", Message: invoke.Error(), Cause: err}
	}
	public := errs.Public(err)
	switch errs.CodeOf(err) {
	case errs.ProviderNotInitialize:
		return &workflow.Failure{Type: "ProviderTokenNotInitError", Message: public.Message, Cause: err}
	case errs.ModelCurrentlyNotSupport:
		return &workflow.Failure{Type: "ModelCurrentlyNotSupportError", Message: public.Message, Cause: err}
	case errs.ProviderQuotaExceeded:
		return &workflow.Failure{Type: "QuotaExceededError", Message: public.Message, Cause: err}
	}
	return &workflow.Failure{Type: "LLMNodeError", Message: public.Message, Cause: err}
}
