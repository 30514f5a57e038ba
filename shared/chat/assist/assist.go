// Package assist lets a model of the workspace help around a conversation: it
// names new conversations and suggests what a person may ask next.
//
// It keeps nothing and knows no HTTP. What a model answers is a suggestion:
// anything that cannot be read falls back to something useful, because nobody
// waits for these texts. START HERE: Assistant.
package assist

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/jsonrepair"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Models opens models of a workspace. *provider.Service is one.
type Models interface {
	Default(ctx context.Context, tenantID string, t llm.ModelType) (*llm.Model, error)
	Model(ctx context.Context, tenantID, providerID string, ref provider.ModelRef) (*llm.Model, error)
}

// Assistant asks models. It is safe for concurrent use.
type Assistant struct{ models Models }

// New returns an assistant.
func New(models Models) *Assistant { return &Assistant{models} }

const (
	namingTokens    = 500
	questionsTokens = 2560
	// maxNamed and keptEnds bound what of a long question goes into the prompt.
	maxNamed = 2000
	keptEnds = 300
	maxName  = 75
	// maxPlain is how long a question may be as a name of its own.
	maxPlain = 50
	// maxHistoryTokens bounds the exchanges that questions are made from.
	maxHistoryTokens = 3000
)

const namingPrompt = `Give the conversation that starts with the message below a short title.
Write the title in the language of the message, without quotes and without a full stop, in at most eight words.
Answer with a JSON object that has the title under the key title, and with nothing else.

Message:
`

// Name returns a name for the conversation that begins with query.
func (a *Assistant) Name(ctx context.Context, tenantID, query string) string {
	asked := query
	if runes := []rune(query); len(runes) > maxNamed {
		asked = string(runes[:keptEnds]) + "...[TRUNCATED]..." + string(runes[len(runes)-keptEnds:])
	}
	model, err := a.models.Default(ctx, tenantID, llm.TypeLLM)
	if err != nil {
		return plainName(query)
	}
	answer, err := model.Generate(ctx, llm.Request{
		Messages:   []llm.Message{{Role: llm.RoleUser, Text: namingPrompt + asked}},
		Parameters: fitting(model, map[string]any{"max_tokens": namingTokens, "temperature": 1.0}),
	})
	if err != nil {
		return plainName(query)
	}
	name := titleIn(answer.Text)
	if name == "" {
		name = query
	}
	name = strings.TrimSpace(strings.ReplaceAll(name, "\n", " "))
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName]) + "..."
	}
	if name == "" {
		return plainName(query)
	}
	return name
}

// plainName makes a name of the question itself.
func plainName(query string) string {
	query = strings.TrimSpace(strings.ReplaceAll(query, "\n", " "))
	switch runes := []rune(query); {
	case len(runes) == 0:
		return "New conversation"
	case len(runes) > maxPlain:
		return string(runes[:maxPlain-3]) + "..."
	}
	return query
}

func titleIn(answer string) string {
	v, err := jsonrepair.Parse(answer)
	if err != nil {
		return ""
	}
	o, ok := v.(*value.Object)
	if !ok {
		return ""
	}
	if title := o.String("title"); title != "" {
		return title
	}
	return o.String("Your Output") // models trained on the contract's own prompt
}

// fitting leaves out parameters that the model does not know.
func fitting(m *llm.Model, params map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range params {
		if m.Schema().Rule(name) != nil {
			out[name] = v
		}
	}
	return out
}

// QuestionsConfig is the part of an app's features that asks for suggestions.
type QuestionsConfig struct {
	Enabled bool
	// Prompt replaces the instruction; at most 1000 characters of it are used.
	Prompt string
	// Provider and Model name a model other than the workspace's default.
	Provider, Model string
	Parameters      map[string]any
}

// ParseQuestionsConfig reads features.suggested_questions_after_answer.
func ParseQuestionsConfig(v any) (c QuestionsConfig) {
	o, _ := v.(*value.Object)
	c.Enabled, _ = o.Value("enabled").(bool)
	c.Prompt = strings.TrimSpace(o.String("prompt"))
	if runes := []rune(c.Prompt); len(runes) > 1000 {
		c.Prompt = string(runes[:1000])
	}
	m, _ := o.Value("model").(*value.Object)
	c.Provider, c.Model = m.String("provider"), m.String("name")
	if p, ok := m.Value("completion_params").(*value.Object); ok {
		c.Parameters = map[string]any{}
		for k, x := range p.All() {
			c.Parameters[k] = x
		}
	}
	return c
}

const questionsPrompt = `Below is the latest part of a conversation between a person and an assistant.
Think of the three questions that the person is most likely to ask next. Each has fewer than twenty words and is
written in the language of the conversation, as the person would write it.`

const questionsFormat = "Answer with a JSON array of strings and nothing else.\n\nConversation:\n"

// Questions suggests what a person may ask after the given exchanges, which are
// oldest first. When no model can be asked or none of its answer can be used
// there are no suggestions.
func (a *Assistant) Questions(ctx context.Context, tenantID string, history []chat.Message, c QuestionsConfig) []string {
	model, params := a.questioner(ctx, tenantID, c)
	if model == nil {
		return []string{}
	}
	instruction := c.Prompt
	if instruction == "" {
		instruction = questionsPrompt
	}
	answer, err := model.Generate(ctx, llm.Request{
		Messages:   []llm.Message{{Role: llm.RoleUser, Text: instruction + "\n" + questionsFormat + transcript(history)}},
		Parameters: params,
	})
	if err != nil {
		return []string{}
	}
	return listIn(answer.Text)
}

// questioner returns the configured model if it can be used, else the default.
func (a *Assistant) questioner(ctx context.Context, tenantID string, c QuestionsConfig) (*llm.Model, map[string]any) {
	if c.Provider != "" && c.Model != "" {
		m, err := a.models.Model(ctx, tenantID, c.Provider, provider.ModelRef{Model: c.Model, Type: llm.TypeLLM})
		if err == nil {
			return m, c.Parameters
		}
	}
	m, err := a.models.Default(ctx, tenantID, llm.TypeLLM)
	if err != nil {
		return nil, nil
	}
	return m, fitting(m, map[string]any{"max_tokens": questionsTokens, "temperature": 0.0})
}

// transcript writes exchanges, the newest that fit, oldest first.
func transcript(history []chat.Message) string {
	var parts []string
	tokens := 0
	for i := len(history) - 1; i >= 0; i-- {
		part := "Person: " + history[i].Query + "\nAssistant: " + history[i].Answer + "\n"
		if tokens += llm.EstimateTokens(part); tokens > maxHistoryTokens && len(parts) > 0 {
			break
		}
		parts = append(parts, part)
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
	}
	return b.String()
}

// listIn reads the first JSON array of the answer; only its texts count.
func listIn(answer string) []string {
	out := []string{}
	start := strings.IndexByte(answer, '[')
	if start < 0 || !utf8.ValidString(answer) {
		return out
	}
	var list []any
	if json.NewDecoder(strings.NewReader(answer[start:])).Decode(&list) != nil {
		v, err := jsonrepair.Parse(answer[start:])
		if err != nil {
			return out
		}
		list, _ = v.([]any)
	}
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
