package modelcall

import (
	"context"
	"fmt"
	"regexp"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Vision says which files a prompt takes along.
type Vision struct {
	Selector workflow.Selector
	Detail   string
}

// defaultDetail is how closely a model looks at images.
const defaultDetail = "high"

// ParseVision reads the DSL's vision object; nil when it is switched off.
func ParseVision(o *value.Object) *Vision {
	if on, _ := o.Value("enabled").(bool); !on {
		return nil
	}
	configs, _ := o.Value("configs").(*value.Object)
	v := &Vision{Selector: workflow.SelectorFrom(configs.Value("variable_selector")), Detail: configs.String("detail")}
	if len(v.Selector) == 0 {
		v.Selector = workflow.Selector{workflow.ScopeSystem, "files"}
	}
	if v.Detail == "" {
		v.Detail = defaultDetail
	}
	return v
}

// Find returns the files, none when vision is switched off.
func (v *Vision) Find(pool *workflow.Pool) []*value.File {
	if v == nil {
		return nil
	}
	got, _ := pool.Get(v.Selector)
	return FilesOf(got)
}

// FilesOf returns the files of a variable.
func FilesOf(v any) []*value.File {
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

// List returns files as a list of values.
func List(files []*value.File) []any {
	out := make([]any, len(files))
	for i, f := range files {
		out[i] = f
	}
	return out
}

// Remembered is how much of a conversation a node looks at.
type Remembered struct {
	// Turns is how many exchanges the contract looks at, the running one included.
	Turns int
	// UserPrefix and AssistantPrefix name who speaks where history is one text.
	UserPrefix, AssistantPrefix string
	// HasPrefixes is true when the node names them itself.
	HasPrefixes bool
	// Query is the template of what the user asks now.
	Query []workflow.Segment
}

// maxTurns is how far the contract's memory looks back without a window.
const maxTurns = 500

// ParseMemory reads the DSL's memory; nil when there is none.
func ParseMemory(v any) *Remembered {
	o, ok := v.(*value.Object)
	if !ok || o == nil {
		return nil
	}
	m := &Remembered{Turns: maxTurns, Query: workflow.ParseTemplate(o.String("query_prompt_template"))}
	window, _ := o.Value("window").(*value.Object)
	if on, _ := window.Value("enabled").(bool); on {
		if size, ok := window.Value("size").(int64); ok && size > 0 {
			m.Turns = int(min(size, maxTurns))
		}
	}
	if p, ok := o.Value("role_prefix").(*value.Object); ok && p != nil {
		m.UserPrefix, m.AssistantPrefix, m.HasPrefixes = p.String("user"), p.String("assistant"), true
	}
	if m.UserPrefix == "" {
		m.UserPrefix = "Human"
	}
	if m.AssistantPrefix == "" {
		m.AssistantPrefix = "Assistant"
	}
	return m
}

// History returns the messages that the model remembers beside a prompt.
func (c *Call) History(ctx context.Context, m *Remembered, prompt []llm.Message) ([]llm.Message, error) {
	if m == nil || c.opts.Memory == nil || c.x.Run.ConversationID == "" {
		return nil, nil
	}
	turns := m.Turns - 1 // the window counts the exchange that is being answered
	if turns < 1 {
		return nil, nil
	}
	history, err := c.opts.Memory.History(ctx, c.x.Run, turns)
	if err != nil {
		return nil, err
	}
	return llm.FitHistory(history, prompt, c.Model.Schema(), c.Config.Parameters), nil
}

// HistoryText is History as one text.
func (c *Call) HistoryText(ctx context.Context, m *Remembered, prompt []llm.Message) (string, error) {
	history, err := c.History(ctx, m, prompt)
	if err != nil || len(history) == 0 {
		return "", err
	}
	return llm.HistoryText(history, m.UserPrefix, m.AssistantPrefix), nil
}

// Media reports whether a file is of a type that some model takes.
func Media(f *value.File) bool {
	switch f.Type {
	case "image", "audio", "video", "document":
		return true
	}
	return false
}

// Part makes a file a part of a message; types that no model takes become a
// note.
func (c *Call) Part(ctx context.Context, f *value.File, v *Vision) (llm.Part, error) {
	if !Media(f) {
		return llm.Part{Type: llm.PartText, Text: fmt.Sprintf("[Unsupported file type: %s (%s)]", f.Filename, f.Type)}, nil
	}
	if c.opts.Files == nil {
		return llm.Part{}, workflow.Fail("NotImplementedError", "Files in prompts are not available here.")
	}
	detail := defaultDetail
	if v != nil {
		detail = v.Detail
	}
	return c.opts.Files.Part(ctx, c.x.Run, f, detail)
}

// AddFiles puts files in front of the text of the last message when the user
// says it, else into a message of their own.
func (c *Call) AddFiles(ctx context.Context, messages []llm.Message, v *Vision, files []*value.File) ([]llm.Message, error) {
	if v == nil || len(files) == 0 {
		return messages, nil
	}
	parts := make([]llm.Part, 0, len(files)+1)
	for _, f := range files {
		p, err := c.Part(ctx, f, v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	n := len(messages)
	if n == 0 || messages[n-1].Role != llm.RoleUser {
		return append(messages, llm.Message{Role: llm.RoleUser, Parts: parts}), nil
	}
	last := &messages[n-1]
	if last.Parts != nil {
		parts = append(parts, last.Parts...)
	} else {
		parts = append(parts, llm.Part{Type: llm.PartText, Text: last.Text})
	}
	last.Parts, last.Text = parts, ""
	return messages, nil
}

// Saved is a prompt as it is shown in process data and stored.
func Saved(mode string, messages []llm.Message) []any {
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
		if len(m.ToolCalls) > 0 {
			calls := make([]any, len(m.ToolCalls))
			for i, call := range m.ToolCalls {
				calls[i] = SavedCall(call)
			}
			o.Set("tool_calls", calls)
		}
		out = append(out, o)
	}
	return out
}

// SavedCall is a tool call as it is shown.
func SavedCall(c llm.ToolCall) *value.Object {
	return value.Obj("id", c.ID, "type", "function", "function", value.Obj("name", c.Name, "arguments", c.Arguments))
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

// thinking is reasoning inside an answer. Compiled once, never changed.
var thinking = regexp.MustCompile(`(?is)<think[^>]*>.*?</think>`)

// WithoutReasoning returns an answer without its tagged reasoning.
func WithoutReasoning(text string) string { return thinking.ReplaceAllString(text, "") }
