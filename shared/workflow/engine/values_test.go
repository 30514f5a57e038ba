package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestAddDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"0", "0", "0"}, {"0.0", "0", "0.0"}, {"0.0000170", "0.00003", "0.0000470"}, {"1.5", "2.75", "4.25"}, {"0.05", "-0.06", "-0.01"},
		{"1E-7", "0", "0.0000001"}, {"1e2", "1", "101"}, {"", "3", "3"}, {"x", "y", "0"}, {"0.999", "0.001", "1.000"},
	} {
		require.Equal(t, c[2], addDecimal(c[0], c[1]), "%s + %s", c[0], c[1])
	}
}

func TestUsageAddsCountsAndPrices(t *testing.T) {
	t.Parallel()
	one := &workflow.Usage{PromptTokens: 1, CompletionTokens: 2, TotalTokens: 3, TotalPrice: "0.1", Currency: "USD",
		Object: value.Obj("prompt_tokens", int64(1), "prompt_price", "0.1", "latency", 1.5, "prompt_unit_price", "9")}
	sum := addUsage(addUsage(nil, one), &workflow.Usage{TotalTokens: 4, TotalPrice: "0.25", Currency: "EUR",
		Object: value.Obj("prompt_tokens", int64(5), "prompt_price", "0.2", "latency", 0.25, "prompt_unit_price", "8")})
	require.Equal(t, int64(7), sum.TotalTokens)
	require.Equal(t, "0.35", sum.TotalPrice)
	require.Equal(t, `{"prompt_tokens": 6, "prompt_price": "0.3", "latency": 1.75, "prompt_unit_price": "8"}`, value.JSON(sum.Object))
	require.Equal(t, int64(3), one.TotalTokens, "the first is not changed")
}

func TestDefaultValuesAreParsed(t *testing.T) {
	t.Parallel()
	out := defaultOutputs([]workflow.DefaultValue{
		{Key: "s", Type: "string", Value: "42"}, {Key: "n", Type: "number", Value: "42"}, {Key: "i", Type: "number", Value: int64(7)},
		{Key: "o", Type: "object", Value: `{"a": 1}`}, {Key: "bad", Type: "array[number]", Value: "["},
	})
	require.Equal(t, `{"s": "42", "n": 42.0, "i": 7, "o": {"a": 1}, "bad": "["}`, value.JSON(out))
}
