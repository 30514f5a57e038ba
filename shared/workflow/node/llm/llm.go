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
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/jinjatext"
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

// Template is a compiled jinja2 template.
type Template interface {
	Render(ctx context.Context, vars *value.Object) (string, error)
}

// Options are what the node needs besides models. The zero value has no memory
// and no files.
type Options struct {
	// Memory is asked by nodes with memory in chatflows; nil means that no
	// conversation is remembered.
	Memory Memory
	// Files is needed by prompts with files; nil makes those fail.
	Files Files
	// Compile makes a jinja2 template; nil means jinjatext.Compile.
	Compile func(source string) (Template, error)
}

type nodeType struct {
	models Models
	opts   Options
}

// New returns the node type.
func New(models Models, opts Options) workflow.Type {
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
		models: t.models, opts: t.opts, model: modelOf(object(d, "model")),
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
	if v := object(d, "vision"); truthy(v.Value("enabled")) {
		n.vision = visionOf(object(v, "configs"))
	}
	if m, ok := d.Value("memory").(*value.Object); ok {
		n.memory = memoryOf(m)
	}
	if so, ok := d.Value("structured_output").(*value.Object); ok && so.Len() > 0 && truthy(d.Value("structured_output_enabled")) {
		n.structured = so
	}
	return n, nil
}

// node is a configured llm node.
type node struct {
	models Models
	opts   Options

	model         modelConfig
	modelSelector workflow.Selector
	prompt        []message
	completion    *message // instead of prompt, for completion models
	variables     []variable
	context       workflow.Selector
	vision        *vision
	memory        *memory
	separated     bool
	structured    *value.Object
}

type modelConfig struct {
	provider, name, mode string
	params               map[string]any
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

type vision struct {
	selector workflow.Selector
	detail   string
}

type memory struct {
	turns               int // how many messages the contract looks at, the running one included
	query               []workflow.Segment
	userPrefix, aiNamed string
	hasPrefixes         bool
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

func modelOf(o *value.Object) modelConfig {
	m := modelConfig{provider: o.String("provider"), name: o.String("name"), mode: o.String("mode"), params: map[string]any{}}
	for k, v := range object(o, "completion_params").All() {
		m.params[k] = v
	}
	return m
}

func visionOf(o *value.Object) *vision {
	v := &vision{selector: workflow.SelectorFrom(o.Value("variable_selector")), detail: o.String("detail")}
	if len(v.selector) == 0 {
		v.selector = workflow.Selector{workflow.ScopeSystem, "files"}
	}
	if v.detail == "" {
		v.detail = "high"
	}
	return v
}

// maxTurns is how far the contract's memory looks back without a window.
const maxTurns = 500

func memoryOf(o *value.Object) *memory {
	m := &memory{turns: maxTurns, query: workflow.ParseTemplate(o.String("query_prompt_template"))}
	if w := object(o, "window"); truthy(w.Value("enabled")) {
		if size, ok := w.Value("size").(int64); ok && size > 0 {
			m.turns = int(min(size, maxTurns))
		}
	}
	if p, ok := o.Value("role_prefix").(*value.Object); ok {
		m.userPrefix, m.aiNamed, m.hasPrefixes = p.String("user"), p.String("assistant"), true
	}
	if m.userPrefix == "" {
		m.userPrefix = "Human"
	}
	if m.aiNamed == "" {
		m.aiNamed = "Assistant"
	}
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
