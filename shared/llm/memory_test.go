package llm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/llm"
)

func TestFitHistory(t *testing.T) {
	t.Parallel()
	msg := func(role llm.Role, tokens int) llm.Message {
		return llm.Message{Role: role, Text: strings.Repeat("abcd", tokens)}
	}
	history := []llm.Message{msg(llm.RoleUser, 10), msg(llm.RoleAssistant, 10), msg(llm.RoleUser, 10), msg(llm.RoleAssistant, 10)}
	prompt := []llm.Message{msg(llm.RoleSystem, 5)}
	schema := func(size int) *llm.Schema {
		return &llm.Schema{Properties: map[string]any{"context_size": size}, ParameterRules: []llm.ParameterRule{{Name: "max_tokens", Type: "int"}}}
	}
	params := map[string]any{"max_tokens": 5}
	for size, want := range map[int]int{50: 4, 49: 3, 40: 3, 30: 2, 20: 1, 1: 1} {
		got := llm.FitHistory(history, prompt, schema(size), params)
		require.Len(t, got, want, size)
		require.Equal(t, history[4-want:], got)
	}
	require.Len(t, llm.FitHistory(history, prompt, &llm.Schema{}, nil), 4)
	require.Empty(t, llm.FitHistory(nil, prompt, schema(1), nil))
	long := append([]llm.Message{msg(llm.RoleUser, 1995)}, history...)
	require.Len(t, llm.FitHistory(long, prompt, &llm.Schema{}, nil), 4, "2000 tokens when the context size is not known")
}

func TestHistoryText(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Human: look\n[image]\nAI: ok", llm.HistoryText([]llm.Message{
		{Role: llm.RoleUser, Parts: []llm.Part{{Type: llm.PartImage, URL: "http://x"}, {Type: llm.PartText, Text: "look"}}},
		{Role: llm.RoleAssistant, Text: "ok"},
	}, "Human", "AI"))
}
