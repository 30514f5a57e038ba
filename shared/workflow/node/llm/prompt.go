package llm

import (
	"context"
	"strings"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Placeholders that are no selectors.
const (
	contextPlaceholder = "{{#context#}}"
)

// call is one run of the node while it is put together.
type call struct {
	*node
	*modelcall.Call
	x      *workflow.Execution
	inputs *value.Object

	context      *string // nil when none is configured or found
	files        []*value.File
	contextFiles []*value.File
}

// gather reads context and files into the call and shows them as inputs.
func (c *call) gather() error {
	if c.files = c.vision.Find(c.x.Pool); len(c.files) > 0 {
		c.inputs.Set("#files#", modelcall.List(c.files))
	}
	if len(c.node.context) == 0 {
		return nil
	}
	v, ok := c.x.Pool.Get(c.node.context)
	if !ok || v == nil {
		return nil
	}
	text, files, err := contextOf(v)
	if err != nil {
		return err
	}
	c.context = &text
	c.inputs.Set("#context#", text)
	if len(files) > 0 {
		c.contextFiles = files
		c.inputs.Set("#context_files#", modelcall.List(files))
	}
	return nil
}

// contextOf makes the context text of a string, or of a list of strings and
// knowledge results; results may bring files along.
func contextOf(v any) (string, []*value.File, error) {
	switch v := v.(type) {
	case string:
		return v, nil, nil
	case []any:
		var b strings.Builder
		var files []*value.File
		for _, item := range v {
			switch item := item.(type) {
			case string:
				b.WriteString(item + "\n")
			case *value.Object:
				if _, ok := item.Get("content"); !ok {
					return "", nil, workflow.Fail("InvalidContextStructureError", "Invalid context structure: "+value.Repr(item))
				}
				if s := value.Text(item.Value("summary")); s != "" {
					b.WriteString(s + "\n")
				}
				b.WriteString(value.Text(item.Value("content")) + "\n")
				files = append(files, modelcall.FilesOf(item.Value("files"))...)
			}
		}
		return strings.TrimSpace(b.String()), files, nil
	}
	return "", nil, nil
}

// messages makes the whole prompt.
func (c *call) messages(ctx context.Context) ([]llm.Message, error) {
	var out []llm.Message
	var err error
	if c.completion != nil {
		out, err = c.completionPrompt(ctx)
	} else {
		out, err = c.chatPrompt(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, files := range [][]*value.File{c.files, c.contextFiles} {
		if out, err = c.AddFiles(ctx, out, c.vision, files); err != nil {
			return nil, err
		}
	}
	out = fit(out, c.Model.Schema())
	if len(out) == 0 {
		return nil, workflow.Fail("NoPromptFoundError",
			"No prompt found in the LLM configuration. Please ensure a prompt is properly configured before proceeding.")
	}
	return out, nil
}

// chatPrompt is the template's messages, the conversation so far, the query.
func (c *call) chatPrompt(ctx context.Context) ([]llm.Message, error) {
	var out []llm.Message
	for i := range c.prompt {
		rendered, err := c.render(ctx, &c.prompt[i])
		if err != nil {
			return nil, err
		}
		out = append(out, rendered...)
	}
	if c.memory == nil {
		return out, nil
	}
	history, err := c.History(ctx, c.memory, out)
	if err != nil {
		return nil, err
	}
	out = append(out, history...)
	if query := c.query(); query != "" {
		out = append(out, llm.Message{Role: llm.RoleUser, Text: query})
	}
	return out, nil
}

// query is what the user asks now, for nodes with memory.
func (c *call) query() string {
	if len(c.memory.Query) > 0 {
		return workflow.Render(c.memory.Query, c.x.Pool, value.Text)
	}
	v, _ := c.x.Pool.Get(workflow.Selector{workflow.ScopeSystem, "query"})
	return value.Text(v)
}

// completionPrompt is one text with the conversation and query filled in.
func (c *call) completionPrompt(ctx context.Context) ([]llm.Message, error) {
	text, err := c.text(ctx, c.completion)
	if err != nil {
		return nil, err
	}
	histories := ""
	if c.memory != nil {
		if !c.memory.HasPrefixes {
			return nil, workflow.Fail("MemoryRolePrefixRequiredError", "Memory role prefix is required for completion model.")
		}
		history, err := c.History(ctx, c.memory, []llm.Message{{Text: text}})
		if err != nil {
			return nil, err
		}
		histories = llm.HistoryText(history, c.memory.UserPrefix, c.memory.AssistantPrefix)
	}
	switch {
	case strings.Contains(text, "{{#histories#}}"):
		text = strings.ReplaceAll(text, "{{#histories#}}", histories)
	case strings.Contains(text, "#histories#"):
		text = strings.ReplaceAll(text, "#histories#", histories)
	default:
		text = histories + "\n" + text
	}
	if c.memory != nil {
		text = strings.ReplaceAll(text, "#sys.query#", c.query())
	}
	return []llm.Message{{Role: llm.RoleUser, Text: text}}, nil
}

// text renders a message; what variables and the context contain is never
// taken for a template itself.
func (c *call) text(ctx context.Context, m *message) (string, error) {
	if m.jinja {
		return c.jinjaText(ctx, m)
	}
	var b strings.Builder
	for _, seg := range m.segments {
		if seg.Selector != nil {
			b.WriteString(workflow.Render([]workflow.Segment{seg}, c.x.Pool, value.Text))
			continue
		}
		text := seg.Text
		if c.context != nil {
			text = strings.ReplaceAll(text, contextPlaceholder, *c.context)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (c *call) jinjaText(ctx context.Context, m *message) (string, error) {
	if m.broken != nil {
		return "", workflow.Fail("TemplateTransformError", m.broken.Error())
	}
	vars := value.NewObject(len(c.variables))
	for _, v := range c.variables {
		got, _ := c.x.Pool.Get(v.selector)
		vars.Set(v.name, forTemplate(got))
	}
	text, err := m.template.Render(ctx, vars)
	if err != nil && ctx.Err() == nil {
		return "", workflow.Fail("TemplateTransformError", err.Error())
	}
	return text, err
}

// forTemplate shows a list of knowledge results as the text of its contents,
// the way context does; everything else stays as it is.
func forTemplate(v any) any {
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		return v
	}
	for _, item := range items {
		o, ok := item.(*value.Object)
		if !ok || object(o, "metadata").String("_source") != "knowledge" {
			return v
		}
	}
	text, _, err := contextOf(items)
	if err != nil {
		return v
	}
	return text
}

// render makes the messages of one entry of the template: its text, then the
// files that it names.
func (c *call) render(ctx context.Context, m *message) ([]llm.Message, error) {
	text, err := c.text(ctx, m)
	if err != nil {
		return nil, err
	}
	var out []llm.Message
	if text != "" {
		out = append(out, llm.Message{Role: m.role, Text: text})
	}
	var named []*value.File
	for _, seg := range m.segments {
		if seg.Selector != nil {
			v, _ := c.x.Pool.Get(seg.Selector)
			named = append(named, modelcall.FilesOf(v)...)
		}
	}
	var parts []llm.Part
	for _, f := range named {
		if !modelcall.Media(f) {
			continue
		}
		p, err := c.Part(ctx, f, c.vision)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	if len(parts) > 0 {
		out = append(out, llm.Message{Role: m.role, Parts: parts})
	}
	return out, nil
}

// fit drops parts that the model cannot take and messages that say nothing.
func fit(messages []llm.Message, schema *llm.Schema) []llm.Message {
	out := messages[:0]
	for _, m := range messages {
		m = schema.Fit(m)
		if m.Text == "" && len(m.Parts) == 0 && len(m.ToolCalls) == 0 {
			continue
		}
		out = append(out, m)
	}
	return out
}
