package llm

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Placeholders that are no selectors.
const (
	contextPlaceholder = "{{#context#}}"
)

// call is one run of the node while it is put together.
type call struct {
	*node
	x      *workflow.Execution
	model  *llm.Model
	cfg    modelConfig
	inputs *value.Object

	context      *string // nil when none is configured or found
	files        []*value.File
	contextFiles []*value.File
}

// gather reads context and files into the call and shows them as inputs.
func (c *call) gather() error {
	if c.vision != nil {
		v, _ := c.x.Pool.Get(c.vision.selector)
		c.files = filesOf(v)
		if len(c.files) > 0 {
			c.inputs.Set("#files#", list(c.files))
		}
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
		c.inputs.Set("#context_files#", list(files))
	}
	return nil
}

func list(files []*value.File) []any {
	out := make([]any, len(files))
	for i, f := range files {
		out[i] = f
	}
	return out
}

func filesOf(v any) []*value.File {
	switch v := v.(type) {
	case *value.File:
		return []*value.File{v}
	case []any:
		var out []*value.File
		for _, x := range v {
			if f, ok := x.(*value.File); ok {
				out = append(out, f)
			}
		}
		return out
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
				files = append(files, filesOf(item.Value("files"))...)
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
		if out, err = c.addFiles(ctx, out, files); err != nil {
			return nil, err
		}
	}
	out = fit(out, c.model.Schema())
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
	history, err := c.history(ctx, out)
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
	if len(c.memory.query) > 0 {
		return workflow.Render(c.memory.query, c.x.Pool, value.Text)
	}
	v, _ := c.x.Pool.Get(workflow.Selector{workflow.ScopeSystem, "query"})
	return value.Text(v)
}

// history returns the messages that the model remembers.
func (c *call) history(ctx context.Context, prompt []llm.Message) ([]llm.Message, error) {
	// The window counts the exchange that is being answered.
	turns := c.memory.turns - 1
	if c.opts.Memory == nil || c.x.Run.ConversationID == "" || turns < 1 {
		return nil, nil
	}
	history, err := c.opts.Memory.History(ctx, c.x.Run, turns)
	if err != nil {
		return nil, err
	}
	return llm.FitHistory(history, prompt, c.model.Schema(), c.cfg.params), nil
}

// completionPrompt is one text with the conversation and query filled in.
func (c *call) completionPrompt(ctx context.Context) ([]llm.Message, error) {
	text, err := c.text(ctx, c.completion)
	if err != nil {
		return nil, err
	}
	histories := ""
	if c.memory != nil {
		if !c.memory.hasPrefixes {
			return nil, workflow.Fail("MemoryRolePrefixRequiredError", "Memory role prefix is required for completion model.")
		}
		history, err := c.history(ctx, []llm.Message{{Text: text}})
		if err != nil {
			return nil, err
		}
		histories = llm.HistoryText(history, c.memory.userPrefix, c.memory.aiNamed)
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
			named = append(named, filesOf(v)...)
		}
	}
	var parts []llm.Part
	for _, f := range named {
		if !media(f) {
			continue
		}
		p, err := c.part(ctx, f)
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

func media(f *value.File) bool {
	switch f.Type {
	case "image", "audio", "video", "document":
		return true
	}
	return false
}

// part makes a file a part of a message; types that no model takes become a
// note.
func (c *call) part(ctx context.Context, f *value.File) (llm.Part, error) {
	if !media(f) {
		return llm.Part{Type: llm.PartText, Text: fmt.Sprintf("[Unsupported file type: %s (%s)]", f.Filename, f.Type)}, nil
	}
	if c.opts.Files == nil {
		return llm.Part{}, workflow.Fail("NotImplementedError", "Files in prompts are not available here.")
	}
	detail := "high"
	if c.vision != nil {
		detail = c.vision.detail
	}
	return c.opts.Files.Part(ctx, c.x.Run, f, detail)
}

// addFiles puts files in front of the text of the last message when the user
// says it, else into a message of their own.
func (c *call) addFiles(ctx context.Context, messages []llm.Message, files []*value.File) ([]llm.Message, error) {
	if c.vision == nil || len(files) == 0 {
		return messages, nil
	}
	parts := make([]llm.Part, 0, len(files)+1)
	for _, f := range files {
		p, err := c.part(ctx, f)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	if n := len(messages); n > 0 && messages[n-1].Role == llm.RoleUser {
		last := &messages[n-1]
		if last.Parts != nil {
			parts = append(parts, last.Parts...)
		} else {
			parts = append(parts, llm.Part{Type: llm.PartText, Text: last.Text})
		}
		last.Parts, last.Text = parts, ""
		return messages, nil
	}
	return append(messages, llm.Message{Role: llm.RoleUser, Parts: parts}), nil
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

// saved is the prompt as it is shown in process data and stored.
func saved(mode string, messages []llm.Message) []any {
	out := make([]any, 0, len(messages))
	for _, m := range messages {
		text, files := m.Text, []any{}
		for _, p := range m.Parts {
			switch p.Type {
			case llm.PartText:
				text += p.Text
			case llm.PartImage:
				files = append(files, value.Obj("type", "image", "data", shortened(p.Data()), "detail", p.Detail))
			case llm.PartAudio, llm.PartVideo, llm.PartDocument:
				files = append(files, value.Obj("type", string(p.Type), "data", shortened(p.Data()), "format", p.Format))
			}
		}
		o := value.Obj("role", string(m.Role), "text", text)
		if mode != string(llm.ModeCompletion) || len(files) > 0 {
			o.Set("files", files)
		}
		if mode == string(llm.ModeCompletion) {
			o.Set("role", string(llm.RoleUser))
			return []any{o}
		}
		out = append(out, o)
	}
	return out
}

// shortened keeps the ends of a file's data.
func shortened(data string) string {
	const keep = 10
	r := []rune(data)
	if len(r) <= 2*keep {
		return string(r) + "...[TRUNCATED]..." + string(r)
	}
	return string(r[:keep]) + "...[TRUNCATED]..." + string(r[len(r)-keep:])
}
