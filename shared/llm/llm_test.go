package llm_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/llmtest"
	"github.com/millrace/millrace/shared/llm/memllm"
)

func TestDecimalPrintsLikeTheContract(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "0.0": "0.0", "0.000001": "0.000001", "1E-7": "1E-7", "0.0000000": "0E-7", "12.50": "12.50",
		"1E+3": "1E+3", "-0.5": "-0.5", "123E-2": "1.23", "0.00000012": "1.2E-7",
	} {
		d, err := llm.ParseDecimal(in)
		require.NoError(t, err)
		require.Equal(t, want, d.String(), in)
	}
	for _, in := range []string{"", "x", "1.2.3", "1_000", "1e", "1e99999"} {
		_, err := llm.ParseDecimal(in)
		require.Error(t, err, in)
	}
	require.Equal(t, "0", llm.Decimal{}.String())
	for in, want := range map[string]string{"1.00000005": "1.0000001", "1.00000004": "1.0000000", "-1.00000005": "-1.0000001", "2": "2.0000000"} {
		require.Equal(t, want, llm.MustDecimal(in).Round(7).String(), in)
	}
}

func TestUsageJSONKeepsTheContractsOrder(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(llm.TokenUsage(nil, 7, 4))
	require.NoError(t, err)
	require.Equal(t, `{"prompt_tokens":7,"prompt_unit_price":"0","prompt_price_unit":"0","prompt_price":"0",`+
		`"completion_tokens":4,"completion_unit_price":"0","completion_price_unit":"0","completion_price":"0",`+
		`"total_tokens":11,"total_price":"0","currency":"USD","latency":0,"time_to_first_token":null,"time_to_generate":null}`, string(got))
	var back llm.Usage
	require.NoError(t, json.Unmarshal(got, &back))
	require.Equal(t, 11, back.TotalTokens)
}

func TestUsageAddsUp(t *testing.T) {
	t.Parallel()
	p := &llm.Pricing{Input: llm.MustDecimal("1"), Output: llm.MustDecimal("2"), Unit: llm.MustDecimal("0.001"), Currency: "EUR"}
	sum := llm.EmptyUsage().Add(llm.TokenUsage(p, 10, 20)).Add(llm.TokenUsage(p, 1, 2))
	require.Equal(t, 33, sum.TotalTokens)
	require.Equal(t, "0.0550000", sum.TotalPrice.String())
	require.Equal(t, "EUR", sum.Currency)
}

func TestPartsNeedFeatures(t *testing.T) {
	t.Parallel()
	parts := []llm.Part{{Type: llm.PartImage, URL: "http://x/a.png"}, {Type: llm.PartText, Text: "look"}}
	req := llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Parts: parts}}}
	for _, c := range []struct {
		features []llm.Feature
		want     llm.Message
	}{
		{nil, llm.Message{Role: llm.RoleUser, Text: "look"}},
		{[]llm.Feature{llm.FeatureVision}, llm.Message{Role: llm.RoleUser, Parts: parts}},
	} {
		d := &memllm.Driver{}
		_, err := llm.New("p", llmtest.Schema(c.features...), d, nil).Generate(t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, c.want, d.Seen()[0].Messages[0])
	}
	require.Equal(t, parts, req.Messages[0].Parts, "the caller's request is not changed")
}

func TestToolCallDeltasAreJoined(t *testing.T) {
	t.Parallel()
	d := &memllm.Driver{Script: func(*llm.DriverRequest) ([]llm.Chunk, error) {
		return []llm.Chunk{
			{ToolCalls: []llm.ToolCall{{ID: "1", Name: "a", Arguments: `{"x"`}}},
			{ToolCalls: []llm.ToolCall{{Arguments: `:1}`}}},
			{ToolCalls: []llm.ToolCall{{Name: "b"}}},
			{ToolCalls: []llm.ToolCall{{Arguments: `{}`}}},
			{FinishReason: "tool_calls"},
		}, nil
	}}
	s, err := llm.New("p", llmtest.Schema(), d, nil).Stream(t.Context(), llm.Request{})
	require.NoError(t, err)
	got, err := s.Drain()
	require.NoError(t, err)
	require.Equal(t, []llm.ToolCall{{ID: "1", Name: "a", Arguments: `{"x":1}`}, {ID: "chatcmpl-tool-1", Name: "b", Arguments: `{}`}}, got.ToolCalls)
}

func TestParameterRules(t *testing.T) {
	t.Parallel()
	lo, hi := 1.0, 10.0
	s := &llm.Schema{ParameterRules: []llm.ParameterRule{
		{Name: "n", Type: "int", Min: &lo, Max: &hi}, {Name: "s", Type: "string", Options: []string{"a", "b"}},
		{Name: "b", Type: "boolean"}, {Name: "r", Type: "int", Required: true, Default: 3},
	}}
	got, err := s.CheckParameters(map[string]any{"n": "5", "s": "a", "b": true, "other": 1})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"n": int64(5), "s": "a", "b": true, "r": int64(3)}, got)
	for _, bad := range []map[string]any{{"n": 0}, {"n": 11}, {"n": 1.5}, {"n": "x"}, {"s": "c"}, {"s": 1}, {"b": "true"}} {
		_, err := s.CheckParameters(bad)
		require.Equal(t, llm.KindBadRequest, llm.KindOf(err), bad)
	}
}

func TestParseModelType(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]llm.ModelType{"llm": "llm", "text-generation": "llm", "embeddings": "text-embedding", "reranking": "rerank", "tts": "tts"} {
		got, ok := llm.ParseModelType(in)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	_, ok := llm.ParseModelType("nonsense")
	require.False(t, ok)
}
