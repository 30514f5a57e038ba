package llm

import (
	"context"
	"errors"
	"io"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
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
	return res, modelcall.Failure(err, "LLMNodeError")
}

func (n *node) run(ctx context.Context, x *workflow.Execution, res *workflow.Result) error {
	cfg, err := n.config(x)
	if err != nil {
		return err
	}
	c := &call{node: n, x: x, inputs: res.Inputs}
	if err := c.gather(); err != nil {
		return err
	}
	res.Inputs.Set("model_provider", cfg.Provider)
	res.Inputs.Set("model_name", cfg.Name)
	if c.Call, err = modelcall.Open(ctx, n.models, n.opts.Options, x, cfg); err != nil {
		return err
	}
	messages, err := c.messages(ctx)
	if err != nil {
		return err
	}
	req := c.Request(messages)
	if n.structured != nil {
		if err := askForJSON(&req, n.structured, c.Model.Schema()); err != nil {
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
func (n *node) config(x *workflow.Execution) (modelcall.Config, error) {
	if len(n.modelSelector) == 0 {
		return n.model, nil
	}
	v, _ := x.Pool.Get(n.modelSelector)
	o, ok := v.(*value.Object)
	if !ok {
		return n.model, workflow.Fail("ModelNotExistError", "The variable "+n.modelSelector.String()+" names no model.")
	}
	cfg := modelcall.ParseConfig(o)
	if cfg.Mode != n.model.Mode {
		return n.model, workflow.Fail("InvalidModelModeError", "The model of the variable "+n.modelSelector.String()+" has another mode than the node's prompt.")
	}
	return cfg, nil
}

// stream sends the request and passes on the answer as it comes.
func (c *call) stream(ctx context.Context, req llm.Request) (*llm.Result, error) {
	s, err := c.Model.Stream(ctx, req)
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
	usage := modelcall.SetUsage(res, c.Config, got.Usage)
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
	res.ProcessData = value.Obj("model_mode", c.Config.Mode, "prompts", modelcall.Saved(c.Config.Mode, messages), "usage", usage,
		"finish_reason", reason, "model_provider", c.Config.Provider, "model_name", c.Config.Name)
	res.Outputs = outputs
	return nil
}
