// Package llmtest is the suite that every llm.Driver with chat passes. A
// harness gives a driver whose other side understands the directives of
// package memllm (mockmodel does too).
package llmtest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/llm"
)

// Harness makes one driver for one test.
type Harness func(t *testing.T) llm.Driver

// Schema describes the model that the suite calls.
func Schema(features ...llm.Feature) *llm.Schema {
	lo, hi := 0.0, 2.0
	return &llm.Schema{
		Model: "mock-chat", Label: llm.Same("mock-chat"), ModelType: llm.TypeLLM, Features: features,
		Properties:     map[string]any{"mode": "chat", "context_size": 8192},
		ParameterRules: []llm.ParameterRule{{Name: "temperature", Type: "float", Min: &lo, Max: &hi}},
		Pricing:        &llm.Pricing{Input: llm.MustDecimal("2.5"), Output: llm.MustDecimal("10"), Unit: llm.MustDecimal("0.001"), Currency: "USD"},
	}
}

func ask(text string) llm.Request {
	return llm.Request{Messages: []llm.Message{{Role: llm.RoleSystem, Text: "be terse"}, {Role: llm.RoleUser, Text: text}}}
}

// Run runs the suite.
func Run(t *testing.T, harness Harness) {
	t.Helper()
	open := func(t *testing.T, features ...llm.Feature) *llm.Model {
		t.Helper()
		return llm.New("acme/acme/acme", Schema(features...), harness(t), clock.System{})
	}
	t.Run("Generate", func(t *testing.T) { t.Parallel(); testGenerate(t, open(t)) })
	t.Run("Stream", func(t *testing.T) { t.Parallel(); testStream(t, open(t)) })
	t.Run("Tools", func(t *testing.T) {
		t.Parallel()
		testTools(t, open(t, llm.FeatureMultiToolCall, llm.FeatureStreamToolCall))
	})
	t.Run("NoTools", func(t *testing.T) { t.Parallel(); testNoTools(t, open(t)) })
	t.Run("Errors", func(t *testing.T) { t.Parallel(); testErrors(t, open(t)) })
	t.Run("Stop", func(t *testing.T) { t.Parallel(); testStop(t, open(t)) })
	t.Run("Cancel", func(t *testing.T) { t.Parallel(); testCancel(t, open(t)) })
}

func testGenerate(t *testing.T, m *llm.Model) {
	t.Helper()
	got, err := m.Generate(t.Context(), ask("hello there"))
	require.NoError(t, err)
	require.Equal(t, "echo: hello there", got.Text)
	require.Equal(t, "stop", got.FinishReason)
	require.Equal(t, 4, got.Usage.PromptTokens)
	require.Equal(t, 3, got.Usage.CompletionTokens)
	require.Equal(t, 7, got.Usage.TotalTokens)
	require.Equal(t, "0.0100000", got.Usage.PromptPrice.String())
	require.Equal(t, "0.0400000", got.Usage.TotalPrice.String())
	require.NotNil(t, got.Usage.TimeToFirstToken)
}

func testStream(t *testing.T, m *llm.Model) {
	t.Helper()
	s, err := m.Stream(t.Context(), ask("SAY one two three"))
	require.NoError(t, err)
	defer s.Close() //nolint:errcheck // read to the end
	text, pieces := "", 0
	for {
		c, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if c.Text != "" {
			pieces++
		}
		text += c.Text
	}
	require.Equal(t, "one two three", text)
	require.Equal(t, 3, pieces, "a stream comes in pieces")
	require.Equal(t, text, s.Result().Text)
	require.Equal(t, "stop", s.Result().FinishReason)
	require.Equal(t, 3, s.Result().Usage.CompletionTokens)
	_, err = s.Next()
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
}

func testTools(t *testing.T, m *llm.Model) {
	t.Helper()
	req := ask(`CALL get {"a": 1}`)
	req.Tools = []llm.Tool{{Name: "get", Description: "gets", Parameters: map[string]any{"type": "object"}}}
	for _, call := range []func() (*llm.Result, error){
		func() (*llm.Result, error) { return m.Generate(t.Context(), req) },
		func() (*llm.Result, error) {
			s, err := m.Stream(t.Context(), req)
			if err != nil {
				return nil, err
			}
			defer s.Close() //nolint:errcheck // read to the end
			return s.Drain()
		},
	} {
		got, err := call()
		require.NoError(t, err)
		require.Len(t, got.ToolCalls, 1)
		require.Equal(t, "get", got.ToolCalls[0].Name)
		require.Equal(t, `{"a": 1}`, got.ToolCalls[0].Arguments)
		require.NotEmpty(t, got.ToolCalls[0].ID)
		require.Equal(t, "tool_calls", got.FinishReason)
	}
}

func testNoTools(t *testing.T, m *llm.Model) {
	t.Helper()
	req := ask("CALL get {}")
	req.Tools = []llm.Tool{{Name: "get"}}
	got, err := m.Generate(t.Context(), req)
	require.NoError(t, err)
	require.Empty(t, got.ToolCalls, "a model without the feature is offered no tools")
}

func testErrors(t *testing.T, m *llm.Model) {
	t.Helper()
	for status, kind := range map[string]llm.Kind{
		"401": llm.KindAuth, "403": llm.KindAuth, "429": llm.KindRateLimit, "400": llm.KindBadRequest,
		"404": llm.KindBadRequest, "500": llm.KindServer, "503": llm.KindServer,
	} {
		_, err := m.Generate(t.Context(), ask("FAIL "+status+" broken"))
		require.Equal(t, kind, llm.KindOf(err), status)
		require.ErrorContains(t, err, "broken")
		require.ErrorContains(t, err, "[acme/acme/acme]")
		_, err = m.Stream(t.Context(), ask("FAIL "+status+" broken"))
		require.Equal(t, kind, llm.KindOf(err), status)
	}
	req := ask("x")
	req.Parameters = map[string]any{"temperature": 7}
	_, err := m.Generate(t.Context(), req)
	require.Equal(t, llm.KindBadRequest, llm.KindOf(err))
	require.ErrorContains(t, err, "Model Parameter temperature should be less than or equal to 2.")
}

func testStop(t *testing.T, m *llm.Model) {
	t.Helper()
	req := ask("SAY one two three")
	req.Parameters = map[string]any{"stop": []any{"two"}, "unknown": 1}
	got, err := m.Generate(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, "one ", got.Text)
}

func testCancel(t *testing.T, m *llm.Model) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := m.Stream(ctx, ask("HANG\nSLOW 60000 SAY a b"))
	require.NoError(t, err)
	defer s.Close() //nolint:errcheck // ended
	reason := errors.New("the user said stop")
	cancel(reason)
	for err == nil {
		_, err = s.Next()
	}
	require.ErrorIs(t, err, reason, "an ended call is no failed call")
	require.Empty(t, llm.KindOf(err))
}
