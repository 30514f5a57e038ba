package llm

import "strings"

// defaultHistoryTokens is the room for history in models whose context size is
// not known.
const defaultHistoryTokens = 2000

// FitHistory keeps the newest messages of a conversation that fit beside a
// prompt: the model's context, less the longest answer, less the prompt. The
// oldest single message goes first, so an assistant's may come to be the
// first; one message always stays.
func FitHistory(history, prompt []Message, schema *Schema, params map[string]any) []Message {
	limit := defaultHistoryTokens
	if size := schema.ContextSize(); size > 0 {
		limit = max(size-maxTokens(schema, params)-countTokens(prompt), 0)
	}
	total := countTokens(history)
	for total > limit && len(history) > 1 {
		total -= countTokens(history[:1])
		history = history[1:]
	}
	return history
}

func countTokens(messages []Message) int {
	n := 0
	for _, m := range messages {
		n += EstimateTokens(m.Content())
	}
	return n
}

func maxTokens(schema *Schema, params map[string]any) int {
	for _, rule := range schema.ParameterRules {
		if rule.Name != "max_tokens" && (rule.UseTemplate == nil || *rule.UseTemplate != "max_tokens") {
			continue
		}
		if n, ok := number(params[rule.Name]); ok {
			return int(n)
		}
	}
	return 0
}

// HistoryText writes a conversation as one text, for completion models.
func HistoryText(history []Message, userPrefix, assistantPrefix string) string {
	lines := make([]string, 0, len(history))
	for _, m := range history {
		prefix := userPrefix
		if m.Role == RoleAssistant {
			prefix = assistantPrefix
		}
		text := m.Content()
		for _, p := range m.Parts {
			if p.Type == PartImage {
				text += "\n[image]"
			}
		}
		lines = append(lines, prefix+": "+text)
	}
	return strings.Join(lines, "\n")
}
