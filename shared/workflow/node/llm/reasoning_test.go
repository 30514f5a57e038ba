package llm

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
)

func TestTagsMayComeInPieces(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"plain text":                           {"plain text", ""},
		"<think>a</think>b":                    {"b", "a"},
		"\n<think>\na\n</think>\n\nb":          {"b", "\na\n"},
		"x<think type=\"deep\">a</think>y<z":   {"xy<z", "a"},
		"<THINK>a</Think>b":                    {"b", "a"},
		"a < b <thin ice":                      {"a < b <thin ice", ""},
		"<think>a<b></think>c<think>d</think>": {"c", "a<b>d"},
		"<think>never closed":                  {"", "never closed"},
		"<think":                               {"<think", ""},
	} {
		for size := 1; size <= len(in); size++ {
			got := map[string]string{}
			e := &emitter{split: true, emit: func(c workflow.Chunk) { got[c.Name] += c.Text }}
			for i := 0; i < len(in); i += size {
				e.text(in[i:min(i+size, len(in))])
			}
			e.end()
			require.Equal(t, want, [2]string{got["text"], got["reasoning_content"]}, "%q in pieces of %d", in, size)
		}
	}
}

func TestSeparate(t *testing.T) {
	t.Parallel()
	text, reasoning := separate("<think>\none\n</think>\n\na\n\n\n\nb <think>two</think>")
	require.Equal(t, "a\n\nb", text)
	require.Equal(t, "one\ntwo", reasoning)
}
