package openaicompat_test

import (
	_ "embed"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/openaicompat"
)

// formTSV is the contract's form: variable, type, required, default, options,
// show_on.
//
//go:embed testdata/form.tsv
var formTSV string

func TestFormIsTheContracts(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(formTSV), "\n")[1:]
	fields := openaicompat.Definition(&http.Client{}).ModelSchema.Fields
	require.Len(t, fields, len(lines))
	for i, line := range lines {
		want := append(strings.Split(line, "\t"), "", "", "", "", "")
		f := fields[i]
		require.Equal(t, want[0], f.Variable)
		require.Equal(t, want[1], f.Type, f.Variable)
		require.Equal(t, want[2] == "yes", f.Required, f.Variable)
		if want[3] == "" {
			require.Nil(t, f.Default, f.Variable)
		} else {
			require.Equal(t, want[3], *f.Default, f.Variable)
		}
		options := []string{}
		for _, o := range f.Options {
			options = append(options, o.Value)
			require.NotEmpty(t, o.Label["en_US"])
			require.NotEmpty(t, o.Label["zh_Hans"])
		}
		require.Equal(t, want[4], strings.Join(options, "|"), f.Variable)
		on := []string{}
		for _, s := range f.ShowOn {
			on = append(on, s.Variable+"="+s.Value)
		}
		require.Equal(t, want[5], strings.Join(on, "|"), f.Variable)
	}
}

func TestEveryOptionHasItsFeature(t *testing.T) {
	t.Parallel()
	d := openaicompat.Definition(&http.Client{})
	c := provider.Credentials{"mode": "chat", "context_size": "100", "max_tokens_to_sample": "9", "function_calling_type": "function_call",
		"stream_function_calling": "supported", "vision_support": "support", "video_support": "support", "audio_support": "support",
		"document_support": "support", "structured_output_support": "supported", "agent_thought_support": "supported", "display_name": "Shown"}
	s := d.Describe(provider.ModelRef{Model: "m", Type: llm.TypeLLM}, c)
	for _, f := range []llm.Feature{llm.FeatureToolCall, llm.FeatureStreamToolCall, llm.FeatureVision, llm.FeatureVideo, llm.FeatureAudio,
		llm.FeatureDocument, llm.FeatureStructuredOutput, llm.FeatureAgentThought} {
		require.True(t, slices.Contains(s.Features, f), f)
	}
	require.Equal(t, 100, s.ContextSize())
	require.Equal(t, "Shown", s.Label["en_US"])
	require.InDelta(t, 9, *s.Rule("max_tokens").Max, 0)
	for _, rule := range []string{"response_format", "json_schema", "enable_thinking"} {
		require.NotNil(t, s.Rule(rule), rule)
	}
	speech := d.Describe(provider.ModelRef{Model: "m", Type: llm.TypeTTS}, provider.Credentials{"voices": "alloy, echo"})
	require.Equal(t, "alloy", speech.Properties["default_voice"])
	require.Len(t, speech.Properties["voices"], 2)
}
