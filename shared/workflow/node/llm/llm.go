// Package llm is the node that calls a language model: chat and completion
// models, memory of a chatflow's conversation, context, files, jinja2 prompts,
// reasoning tags and structured output.
//
// The call itself is in shared/llm, the models of a workspace in
// shared/provider. This package makes the prompt (prompt.go), streams and
// stores what comes back (run.go), takes reasoning out of it (reasoning.go)
// and asks for JSON (structured.go).
package llm

import (
	"context"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/jinjatext"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Template is a compiled jinja2 template.
type Template interface {
	Render(ctx context.Context, vars *value.Object) (string, error)
}

// Options are what the node needs besides models. The zero value has no memory
// and no files.
type Options struct {
	modelcall.Options
	// Compile makes a jinja2 template; nil means jinjatext.Compile.
	Compile func(source string) (Template, error)
}

type nodeType struct {
	models modelcall.Models
	opts   Options
}

// New returns the node type.
func New(models modelcall.Models, opts Options) workflow.Type {
	if opts.Compile == nil {
		opts.Compile = func(source string) (Template, error) { return jinjatext.Compile(source) }
	}
	return &nodeType{models: models, opts: opts}
}

// Name is the DSL's type string.
func (*nodeType) Name() string { return "llm" }

// Kind says that the node just runs.
func (*nodeType) Kind() workflow.Kind { return workflow.KindExecutable }

// Effect is true: a call costs money and gives another answer each time.
func (*nodeType) Effect() bool { return true }

// New reads the configuration. It refuses nothing: what is wrong fails the node
// when it runs, where the contract shows it.
func (t *nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	d := cfg.Data
	n := &node{
		models: t.models, opts: t.opts, model: modelcall.ParseConfig(object(d, "model")),
		modelSelector: workflow.SelectorFrom(d.Value("model_selector")),
		separated:     d.String("reasoning_format") == "separated",
	}
	switch prompt := d.Value("prompt_template").(type) {
	case []any:
		for _, item := range prompt {
			if o, ok := item.(*value.Object); ok {
				n.prompt = append(n.prompt, t.message(o))
			}
		}
	case *value.Object:
		m := t.message(prompt)
		m.role = llm.RoleUser
		n.completion = &m
	}
	variables, _ := object(d, "prompt_config").Value("jinja2_variables").([]any)
	for _, item := range variables {
		if o, ok := item.(*value.Object); ok {
			n.variables = append(n.variables, variable{o.String("variable"), workflow.SelectorFrom(o.Value("value_selector"))})
		}
	}
	if c := object(d, "context"); truthy(c.Value("enabled")) {
		n.context = workflow.SelectorFrom(c.Value("variable_selector"))
	}
	n.vision = modelcall.ParseVision(object(d, "vision"))
	n.memory = modelcall.ParseMemory(d.Value("memory"))
	if so, ok := d.Value("structured_output").(*value.Object); ok && so.Len() > 0 && truthy(d.Value("structured_output_enabled")) {
		n.structured = so
	}
	return n, nil
}

// node is a configured llm node.
type node struct {
	models modelcall.Models
	opts   Options

	model         modelcall.Config
	modelSelector workflow.Selector
	prompt        []message
	completion    *message // instead of prompt, for completion models
	variables     []variable
	context       workflow.Selector
	vision        *modelcall.Vision
	memory        *modelcall.Remembered
	separated     bool
	structured    *value.Object
}

// message is one message of the prompt.
type message struct {
	role     llm.Role
	text     string
	segments []workflow.Segment
	jinja    bool
	template Template
	broken   error
}

type variable struct {
	name     string
	selector workflow.Selector
}

func (t *nodeType) message(o *value.Object) message {
	m := message{role: llm.Role(o.String("role"))}
	if o.String("edition_type") == "jinja2" {
		m.jinja = true
		m.template, m.broken = t.opts.Compile(o.String("jinja2_text"))
		return m
	}
	m.text = o.String("text")
	m.segments = workflow.ParseTemplate(m.text)
	return m
}

// object returns a member that is an object, an empty one when it is not.
func object(o *value.Object, key string) *value.Object {
	if member, ok := o.Value(key).(*value.Object); ok && member != nil {
		return member
	}
	return value.NewObject(0)
}

func truthy(v any) bool {
	b, ok := v.(bool)
	return ok && b
}
