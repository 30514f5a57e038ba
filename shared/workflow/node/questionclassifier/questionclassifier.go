// Package questionclassifier is the node that lets a language model choose the
// branch that a text belongs to.
//
// It says what is asked (prompt.go) and reads the answer (answer.go); what all
// nodes with models share is in node/modelcall. START HERE: node.Run.
package questionclassifier

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/value"
)

// typeFailed is the error type of failures that have no better one.
const typeFailed = "QuestionClassifierNodeError"

type nodeType struct {
	models modelcall.Models
	opts   modelcall.Options
}

// New returns the node type.
func New(models modelcall.Models, opts modelcall.Options) workflow.Type {
	return nodeType{models: models, opts: opts}
}

// Name is the DSL's type string.
func (nodeType) Name() string { return "question-classifier" }

// Kind says that the node selects a handle: the id of a class.
func (nodeType) Kind() workflow.Kind { return workflow.KindBranch }

// Effect is true: a call costs money and may give another answer each time.
func (nodeType) Effect() bool { return true }

// New reads the configuration.
func (t nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	d := cfg.Data
	model, _ := d.Value("model").(*value.Object)
	vision, _ := d.Value("vision").(*value.Object)
	n := &node{
		nodeType: t, model: modelcall.ParseConfig(model), query: workflow.SelectorFrom(d.Value("query_variable_selector")),
		rules: workflow.ParseTemplate(d.String("instruction")), memory: modelcall.ParseMemory(d.Value("memory")),
		vision: modelcall.ParseVision(vision),
	}
	list, _ := d.Value("classes").([]any)
	for _, item := range list {
		o, ok := item.(*value.Object)
		if !ok {
			return nil, fmt.Errorf("node %s: a class must be an object", cfg.ID)
		}
		n.classes = append(n.classes, class{
			id: value.Str(o.Value("id")), name: o.String("name"), label: o.String("label"), text: workflow.ParseTemplate(o.String("name")),
		})
	}
	return n, nil
}

// node is a configured question-classifier.
type node struct {
	nodeType
	model   modelcall.Config
	query   workflow.Selector
	rules   []workflow.Segment
	memory  *modelcall.Remembered
	vision  *modelcall.Vision
	classes []class
}

// class is one of the branches.
type class struct {
	id, name, label string
	text            []workflow.Segment // of the name
}

// Run asks the model and follows the class that it names.
func (n *node) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	query, _ := x.Pool.Get(n.query)
	res := &workflow.Result{Inputs: value.Obj("query", query, "model_provider", n.model.Provider, "model_name", n.model.Name)}
	err := n.run(ctx, x, value.Text(query), res)
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil:
		return res, ctx.Err()
	}
	return res, modelcall.Failure(err, typeFailed)
}

func (n *node) run(ctx context.Context, x *workflow.Execution, query string, res *workflow.Result) error {
	if len(n.classes) == 0 {
		return workflow.Fail(typeFailed, "The node has no classes to choose from.")
	}
	call, err := modelcall.Open(ctx, n.models, n.opts, x, n.model)
	if err != nil {
		return err
	}
	messages, err := n.prompt(ctx, x, call, query)
	if err != nil {
		return err
	}
	stream, err := call.Model.Stream(ctx, call.Request(messages))
	if err != nil {
		return err
	}
	defer stream.Close() //nolint:errcheck // read to the end, or given up
	got, err := stream.Drain()
	if err != nil {
		return err
	}
	usage := modelcall.SetUsage(res, n.model, got.Usage)
	res.ProcessData = value.Obj("model_mode", n.model.Mode, "prompts", modelcall.Saved(n.model.Mode, messages), "usage", usage,
		"finish_reason", orNil(got.FinishReason), "model_provider", n.model.Provider, "model_name", n.model.Name)
	i, err := n.choice(got.Text)
	if err != nil {
		return err
	}
	c := n.classes[i]
	label := c.label
	if label == "" {
		label = fmt.Sprintf("CLASS %d", i+1)
	}
	res.Handle = c.id
	res.Outputs = value.Obj("class_name", workflow.Render(c.text, x.Pool, value.Text), "class_label", label, "class_id", c.id, "usage", usage)
	return nil
}

// prompt is the task, two examples and the question itself.
func (n *node) prompt(ctx context.Context, x *workflow.Execution, call *modelcall.Call, query string) ([]llm.Message, error) {
	categories := make([]any, len(n.classes))
	for i, c := range n.classes {
		categories[i] = category(c.id, c.name)
	}
	question := llm.Message{Role: llm.RoleUser, Text: request(query, categories, workflow.Render(n.rules, x.Pool, value.Text))}
	messages := append([]llm.Message{{Role: llm.RoleSystem, Text: task}}, examples()...)
	messages = append(messages, question)
	history, err := call.HistoryText(ctx, n.memory, messages)
	if err != nil {
		return nil, err
	}
	messages[0].Text = withHistory(task, history)
	if n.model.Mode == string(llm.ModeCompletion) {
		return []llm.Message{{Role: llm.RoleUser, Text: asText(messages)}}, nil
	}
	return call.AddFiles(ctx, messages, n.vision, n.vision.Find(x.Pool))
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
