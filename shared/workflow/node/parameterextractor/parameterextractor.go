// Package parameterextractor is the node that lets a language model read
// parameters out of a text, by a function call or in a JSON object.
//
// It says what is asked (prompt.go) and checks and converts what was found
// (parameters.go); what all nodes with models share is in node/modelcall.
// START HERE: node.Run.
package parameterextractor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/value"
)

// typeFailed is the error type of failures that have no better one.
const typeFailed = "ParameterExtractorNodeError"

// The outputs besides the parameters.
const (
	outSuccess = "__is_success"
	outReason  = "__reason"
	outUsage   = "__usage"
	outError   = "__error"
)

// notFound is the contract's reason when an answer has no parameters at all.
const notFound = "Failed to extract result from function call or text response, using empty result."

type nodeType struct {
	models modelcall.Models
	opts   modelcall.Options
}

// New returns the node type.
func New(models modelcall.Models, opts modelcall.Options) workflow.Type {
	return nodeType{models: models, opts: opts}
}

// Name is the DSL's type string.
func (nodeType) Name() string { return "parameter-extractor" }

// Kind says that the node just runs.
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is true: a call costs money and may give another answer each time.
func (nodeType) Effect() bool { return true }

// New reads the configuration.
func (t nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	d := cfg.Data
	model, _ := d.Value("model").(*value.Object)
	vision, _ := d.Value("vision").(*value.Object)
	params, err := parseParameters(d.Value("parameters"))
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", cfg.ID, err)
	}
	return &node{
		nodeType: t, model: modelcall.ParseConfig(model), query: workflow.SelectorFrom(d.Value("query")), params: params,
		rules: d.String("instruction"), rulesTemplate: workflow.ParseTemplate(d.String("instruction")),
		memory: modelcall.ParseMemory(d.Value("memory")), vision: modelcall.ParseVision(vision),
		byText: d.String("reasoning_mode") == "prompt",
	}, nil
}

// node is a configured parameter-extractor.
type node struct {
	nodeType
	model         modelcall.Config
	query         workflow.Selector
	params        []parameter
	rules         string
	rulesTemplate []workflow.Segment
	memory        *modelcall.Remembered
	vision        *modelcall.Vision
	byText        bool
}

// Run asks the model. An answer that does not have what was asked for is no
// failure: the outputs say so.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	got, _ := x.Pool.Get(n.query)
	query := value.Text(got)
	files := n.vision.Find(x.Pool)
	shown := make([]any, len(n.params))
	for i, p := range n.params {
		shown[i] = p.shown()
	}
	rules := any(nil)
	if n.rules != "" {
		rules = n.rules
	}
	res := &workflow.Result{Inputs: value.Obj("query", query, "files", modelcall.List(files), "parameters", shown,
		"instruction", rules, "model_provider", n.model.Provider, "model_name", n.model.Name)}
	err := n.run(ctx, x, query, files, res)
	if err == nil {
		return res, nil
	}
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	f := modelcall.Failure(err, typeFailed)
	res.Outputs = failed(f)
	return res, f
}

func (n *node) run(ctx context.Context, x *workflow.Execution, query string, files []*value.File, res *workflow.Result) error {
	call, err := modelcall.Open(ctx, n.models, n.opts, x, n.model)
	if err != nil {
		return err
	}
	schemaOf := call.Model.Schema()
	useCall := !n.byText && (schemaOf.Has(llm.FeatureToolCall) || schemaOf.Has(llm.FeatureMultiToolCall))
	messages, err := n.prompt(ctx, x, call, query, files, useCall)
	if err != nil {
		return err
	}
	req := call.Request(messages)
	described := value.NewObject(0)
	if useCall {
		var tool llm.Tool
		tool, described = function(n.params)
		req.Tools = []llm.Tool{tool}
	}
	res.ProcessData = value.Obj("model_mode", n.model.Mode, "prompts", modelcall.Saved(n.model.Mode, messages), "usage", nil,
		"function", described, "tool_call", nil, "model_provider", n.model.Provider, "model_name", n.model.Name)
	got, err := call.Model.Generate(ctx, req)
	if err != nil {
		return err
	}
	// An answer in one piece has no first token.
	got.Usage.TimeToFirstToken, got.Usage.TimeToGenerate = nil, nil
	usage := modelcall.SetUsage(res, n.model, got.Usage)
	res.ProcessData.Set("usage", usage)
	res.ProcessData.Set("llm_text", got.Text)
	if len(got.ToolCalls) > 0 {
		res.ProcessData.Set("tool_call", modelcall.SavedCall(got.ToolCalls[0]))
	}
	found, reason := n.read(got)
	res.Outputs = results(found, reason, usage)
	return nil
}

// prompt is the task, two examples and the question itself.
func (n *node) prompt(ctx context.Context, x *workflow.Execution, call *modelcall.Call, query string, files []*value.File, useCall bool) ([]llm.Message, error) {
	question := request(query, schema(n.params), workflow.Render(n.rulesTemplate, x.Pool, value.Text))
	build := textPrompt
	completion := n.model.Mode == string(llm.ModeCompletion)
	if useCall && !completion {
		build = callPrompt
	}
	messages := build("", question)
	history, err := call.HistoryText(ctx, n.memory, messages)
	if err != nil {
		return nil, err
	}
	if history != "" {
		messages = build(history, question)
	}
	if completion {
		return []llm.Message{{Role: llm.RoleUser, Text: asText(messages)}}, nil
	}
	return call.AddFiles(ctx, messages, n.vision, files)
}

// read takes the parameters out of an answer, and says what is wrong with them.
func (n *node) read(got *llm.Result) (found *value.Object, reason any) {
	var raw *value.Object
	if len(got.ToolCalls) > 0 {
		raw = firstObject(got.ToolCalls[0].Arguments)
	} else if raw = firstObject(modelcall.WithoutReasoning(got.Text)); raw.Len() == 0 {
		raw, reason = nothing(n.params), notFound
	}
	if wrong := check(n.params, raw); wrong != "" {
		reason = wrong
	}
	return take(n.params, raw), reason
}

// maxTries bounds the search for an object in a text full of open braces.
const maxTries = 100

// firstObject finds the first JSON object in a text, nil when there is none.
func firstObject(text string) *value.Object {
	for i, tries := 0, 0; i < len(text) && tries < maxTries; i++ {
		if text[i] != '{' {
			continue
		}
		tries++
		var raw json.RawMessage
		if err := json.NewDecoder(strings.NewReader(text[i:])).Decode(&raw); err != nil {
			continue
		}
		if v, err := value.Decode(raw); err == nil {
			if o, ok := v.(*value.Object); ok {
				return o
			}
		}
	}
	return nil
}
