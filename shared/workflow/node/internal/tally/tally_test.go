package tally_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/internal/tally"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestTally(t *testing.T) {
	t.Parallel()
	var tl tally.Tally
	require.Nil(t, tl.Usage())
	require.Equal(t, `{}`, value.JSON(tl.Durations()))
	require.Equal(t, `{"total_tokens": 0, "total_price": "0.0", "currency": "USD"}`, value.JSON(tl.Metadata()))
	usage := func(price string) *workflow.Usage {
		return &workflow.Usage{PromptTokens: 1, CompletionTokens: 2, TotalTokens: 3, TotalPrice: price, Currency: "USD",
			Object: value.Obj("prompt_tokens", int64(1), "completion_tokens", int64(2), "total_tokens", int64(3),
				"prompt_price", "0", "completion_price", price, "total_price", price, "latency", 0.5)}
	}
	tl.Add(workflow.PassEnd{Index: 3, Elapsed: 0.25, Usage: usage("0")})
	require.Equal(t, "0", tl.Metadata().String("total_price"), "as the model gave it")
	tl.Add(workflow.PassEnd{Index: 0, Elapsed: 1, Usage: usage("0.0001")})
	tl.Add(workflow.PassEnd{Index: 1, Elapsed: 2})
	require.Equal(t, `{"0": 1.0, "1": 2.0, "3": 0.25}`, value.JSON(tl.Durations()))
	require.Equal(t, `{"total_tokens": 6, "total_price": "0.0001", "currency": "USD"}`, value.JSON(tl.Metadata()))
	require.Equal(t, `{"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6, "prompt_price": "0", `+
		`"completion_price": "0.0001", "total_price": "0.0001", "latency": 1.0}`, value.JSON(tl.Usage().Object))
}
