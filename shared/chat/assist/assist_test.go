package assist_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/assist"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/memllm"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/workflow/value"
)

// models is a workspace whose default model says text, or that has none.
type models struct {
	text string
	none bool
	seen *memllm.Driver
}

func (m *models) Default(context.Context, string, llm.ModelType) (*llm.Model, error) {
	if m.none {
		return nil, errors.New("no model")
	}
	m.seen = &memllm.Driver{Script: func(*llm.DriverRequest) ([]llm.Chunk, error) {
		return []llm.Chunk{{Text: m.text, FinishReason: "stop"}}, nil
	}}
	return llm.New("p", &llm.Schema{Model: "m"}, m.seen, nil), nil
}

func (m *models) Model(ctx context.Context, tenantID, _ string, ref provider.ModelRef) (*llm.Model, error) {
	if ref.Model != "own" {
		return nil, errors.New("no such model")
	}
	return m.Default(ctx, tenantID, ref.Type)
}

func TestName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 60)
	for name, c := range map[string]struct {
		models models
		query  string
		want   string
	}{
		"json":             {models{text: `{"title": "Greeting"}`}, "hello", "Greeting"},
		"fenced, repaired": {models{text: "```json\n{'title': 'Greeting',}\n```"}, "hello", "Greeting"},
		"other key":        {models{text: `{"Your Output": "Greeting"}`}, "hello", "Greeting"},
		"prose":            {models{text: "I cannot"}, "hello\nyou", "hello you"},
		"too long":         {models{text: `{"title": "` + strings.Repeat("x", 80) + `"}`}, "q", strings.Repeat("x", 75) + "..."},
		"no model":         {models{none: true}, "hello", "hello"},
		"no model, long":   {models{none: true}, long, strings.Repeat("é", 47) + "..."},
		"nothing at all":   {models{none: true}, " ", "New conversation"},
	} {
		require.Equal(t, c.want, assist.New(&c.models).Name(t.Context(), "t", c.query), name)
	}
}

func TestLongQuestionsAreCut(t *testing.T) {
	t.Parallel()
	m := &models{text: "{}"}
	assist.New(m).Name(t.Context(), "t", strings.Repeat("a", 1500)+strings.Repeat("b", 1500))
	prompt := m.seen.Seen()[0].Messages[0].Text
	require.Contains(t, prompt, strings.Repeat("a", 300)+"...[TRUNCATED]..."+strings.Repeat("b", 300))
	require.NotContains(t, prompt, strings.Repeat("a", 301))
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	history := []chat.Message{{Query: "old " + strings.Repeat("word ", 4000), Answer: "a"}, {Query: "new", Answer: "b"}}
	m := &models{text: `Sure: ["One?", null, "Two?",] ok`}
	got := assist.New(m).Questions(t.Context(), "t", history, assist.QuestionsConfig{Prompt: "As a pirate"})
	require.Equal(t, []string{"One?", "Two?"}, got)
	prompt := m.seen.Seen()[0].Messages[0].Text
	require.True(t, strings.HasPrefix(prompt, "As a pirate\n"))
	require.Contains(t, prompt, "Person: new")
	require.NotContains(t, prompt, "old word", "what does not fit is left out")

	for _, text := range []string{"nothing", "[1, 2]", `{"a": 1}`} {
		require.Equal(t, []string{}, assist.New(&models{text: text}).Questions(t.Context(), "t", history, assist.QuestionsConfig{}))
	}
	require.Equal(t, []string{}, assist.New(&models{none: true}).Questions(t.Context(), "t", history, assist.QuestionsConfig{}))
}

func TestConfiguredModel(t *testing.T) {
	t.Parallel()
	c := assist.ParseQuestionsConfig(value.Obj("enabled", true, "model", value.Obj("provider", "p", "name", "own", "completion_params", value.Obj("top_p", 0.5))))
	require.True(t, c.Enabled)
	m := &models{text: `["x"]`}
	require.Equal(t, []string{"x"}, assist.New(m).Questions(t.Context(), "t", nil, c))
	require.False(t, assist.ParseQuestionsConfig(nil).Enabled)
}
