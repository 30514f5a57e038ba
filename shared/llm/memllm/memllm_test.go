package memllm_test

import (
	"testing"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/llmtest"
	"github.com/millrace/millrace/shared/llm/memllm"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	llmtest.Run(t, func(*testing.T) llm.Driver { return &memllm.Driver{} })
}
