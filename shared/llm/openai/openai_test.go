package openai_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/llmtest"
	"github.com/millrace/millrace/shared/llm/openai"
	"github.com/millrace/millrace/shared/mockmodel"
)

func open(t *testing.T, h http.Handler, cfg openai.Config) *openai.Driver {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	cfg.BaseURL = srv.URL + "/v1/"
	d, err := openai.New(srv.Client(), cfg)
	require.NoError(t, err)
	return d
}

func TestSuite(t *testing.T) {
	t.Parallel()
	llmtest.Run(t, func(t *testing.T) llm.Driver {
		return open(t, mockmodel.New(nil).Handler(), openai.Config{APIKey: "k", Tools: openai.ToolsTool})
	})
}

func TestSuiteOverAServerWithoutStreamUsage(t *testing.T) {
	t.Parallel()
	d := open(t, mockmodel.New(nil).Handler(), openai.Config{NoStreamUsage: true})
	m := llm.New("p", llmtest.Schema(), d, nil)
	s, err := m.Stream(t.Context(), llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Text: "SAY abcdefgh"}}})
	require.NoError(t, err)
	got, err := s.Drain()
	require.NoError(t, err)
	require.Equal(t, 2, got.Usage.CompletionTokens, "estimated")
}

// script answers every request with a fixed body and keeps what was sent.
type script struct {
	status int
	kind   string
	body   string
	sent   map[string]any
	header http.Header
	path   string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.header, s.path = r.Header, r.URL.Path
	_ = json.NewDecoder(r.Body).Decode(&s.sent)
	w.Header().Set("Content-Type", s.kind)
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	_, _ = io.WriteString(w, s.body)
}

func text(t *testing.T, r llm.ChunkReader) (string, error) {
	t.Helper()
	out := ""
	for {
		c, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out += c.Text
	}
}

func TestStreamForms(t *testing.T) {
	t.Parallel()
	const piece = `data: {"choices":[{"delta":{"content":"hi"}}]}`
	const end = `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}`
	for name, c := range map[string]struct {
		stream, want, err string
	}{
		"plain":              {piece + "\n\n" + end + "\n\ndata: [DONE]\n\n", "hi", ""},
		"no done":            {piece + "\n\n" + end + "\n\n", "hi", ""},
		"one line break":     {piece + "\n" + end + "\ndata: [DONE]\n", "hi", ""},
		"crlf and comments":  {": ping\r\n\r\n" + piece + "\r\n\r\nevent: x\r\n" + end + "\r\n\r\ndata: [DONE]\r\n\r\n", "hi", ""},
		"no blank":           {strings.ReplaceAll(piece+"\n\n"+end+"\n\ndata: [DONE]\n\n", "data: ", "data:"), "hi", ""},
		"two data lines":     {"data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"hi\"}}]}\n\n" + end + "\n\n", "hi", ""},
		"reasoning":          {`data: {"choices":[{"delta":{"reasoning_content":"a"}}]}` + "\n\n" + `data: {"choices":[{"delta":{"reasoning":"b"}}]}` + "\n\n" + piece + "\n\n" + end + "\n\n", "<think>\nab\n</think>hi", ""},
		"only reasoning":     {`data: {"choices":[{"delta":{"reasoning_content":"a"}}]}` + "\n\n" + end + "\n\n", "<think>\na\n</think>", ""},
		"cut off":            {piece + "\n\n", "hi", "Connection Error"},
		"nothing":            {"", "", "Connection Error"},
		"error in stream":    {piece + "\n\n" + `data: {"error":{"message":"overloaded"}}` + "\n\n", "hi", "overloaded"},
		"text for an answer": {"data: nonsense\n\n", "", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, &script{kind: "text/event-stream", body: c.stream}, openai.Config{})
			r, err := d.Chat(t.Context(), &llm.DriverRequest{Model: "m", Stream: true})
			require.NoError(t, err)
			defer r.Close() //nolint:errcheck // read
			got, err := text(t, r)
			require.Equal(t, c.want, got)
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.err)
			}
		})
	}
}

func TestErrorsShowTheServersWordsAndNoKeys(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"error":{"message":"quota gone"}}`: "quota gone",
		`{"error":"plain"}`:                  "plain",
		`{"message":"other form"}`:           "other form",
		`<html>oops</html>`:                  "<html>oops</html>",
		``:                                   "Too Many Requests",
	} {
		d := open(t, &script{status: 429, body: body}, openai.Config{APIKey: "sk-secret"})
		_, err := d.Chat(t.Context(), &llm.DriverRequest{Model: "m"})
		require.Equal(t, llm.KindRateLimit, llm.KindOf(err))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "sk-secret")
	}
	d, err := openai.New(&http.Client{}, openai.Config{BaseURL: "http://127.0.0.1:1/?key=hidden"})
	require.NoError(t, err)
	_, err = d.Chat(t.Context(), &llm.DriverRequest{Model: "m"})
	require.Equal(t, llm.KindConnection, llm.KindOf(err))
	require.NotContains(t, err.Error(), "hidden")
	_, err = openai.New(&http.Client{}, openai.Config{BaseURL: "file:///etc/passwd"})
	require.Equal(t, llm.KindCredentials, llm.KindOf(err))
}

func TestWireFormOfChat(t *testing.T) {
	t.Parallel()
	s := &script{kind: "application/json", body: `{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}`}
	d := open(t, s, openai.Config{APIKey: "k", Model: "real", Tools: openai.ToolsTool, SchemaInPrompt: true})
	_, err := d.Chat(t.Context(), &llm.DriverRequest{Model: "m", Request: llm.Request{
		Messages: []llm.Message{
			{Role: llm.RoleSystem, Text: "sys"},
			{Role: llm.RoleUser, Parts: []llm.Part{{Type: llm.PartImage, Base64: "AA==", MIMEType: "image/png", Detail: "high"},
				{Type: llm.PartDocument, URL: "http://f/x.pdf", Filename: "x.pdf"}, {Type: llm.PartText, Text: "look"}}},
			{Role: llm.RoleAssistant, ToolCalls: []llm.ToolCall{{ID: "c1", Name: "get", Arguments: "{}"}}},
			{Role: llm.RoleTool, Name: "get", Text: "42", ToolCallID: "c1"},
		},
		Parameters: map[string]any{"temperature": 0.5, "max_tokens": int64(9), "response_format": "json_schema",
			"json_schema": `{"schema": {"type": "object"}, "name": "n"}`},
		Stop: []string{"x"}, User: "u1", IdempotencyKey: "run/node/0",
	}})
	require.NoError(t, err)
	require.Equal(t, "/v1/chat/completions", s.path)
	require.Equal(t, "Bearer k", s.header.Get("Authorization"))
	require.Equal(t, "run/node/0", s.header.Get("Idempotency-Key"))
	require.Equal(t, "real", s.sent["model"])
	require.InDelta(t, 9, s.sent["max_tokens"], 0)
	require.Equal(t, "u1", s.sent["user"])
	require.NotContains(t, s.sent, "json_schema")
	require.NotContains(t, s.sent, "stream")
	got, err := json.Marshal(map[string]any{"m": s.sent["messages"], "f": s.sent["response_format"]})
	require.NoError(t, err)
	system := s.sent["messages"].([]any)[0].(map[string]any)["content"].(string)
	require.True(t, strings.HasSuffix(system, "\n\nsys"))
	require.Contains(t, system, `{"schema": {"type": "object"}, "name": "n"}`)
	system2, err := json.Marshal(system)
	require.NoError(t, err)
	require.JSONEq(t, `{"f":{"type":"json_schema","json_schema":{"schema":{"type":"object"},"name":"n"}},"m":[
		{"role":"system","content":`+string(system2)+`},
		{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"high"}},
			{"type":"file","file":{"filename":"x.pdf","file_data":"http://f/x.pdf"}},{"type":"text","text":"look"}]},
		{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"get","arguments":"{}"}}]},
		{"role":"tool","content":"42","tool_call_id":"c1"}]}`, string(got))
}

func TestCompletionMode(t *testing.T) {
	t.Parallel()
	d := open(t, mockmodel.New(nil).Handler(), openai.Config{})
	for _, stream := range []bool{false, true} {
		r, err := d.Chat(t.Context(), &llm.DriverRequest{Model: "mock-completion", Mode: llm.ModeCompletion, Stream: stream,
			Request: llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Text: "Prompt: tell me"}}}})
		require.NoError(t, err)
		got, err := text(t, r)
		require.NoError(t, err)
		require.Equal(t, "echo: Prompt: tell me", got)
	}
}

func TestVectorsRerankSpeech(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m := mockmodel.New(nil)
	for _, format := range []string{"", "float", "base64"} {
		d := open(t, m.Handler(), openai.Config{EmbedBatch: 2, EncodingFormat: format, QueryPrefix: "q "})
		got, err := d.Embed(ctx, &llm.EmbedRequest{Model: "mock-embed", Texts: []string{"a", "b c", "d"}})
		require.NoError(t, err)
		require.Len(t, got.Vectors, 3)
		for i, x := range mockmodel.Vector("b c") {
			require.InDelta(t, x, got.Vectors[1][i], 1e-6)
		}
		require.Equal(t, 4, got.Tokens)
		query, err := d.Embed(ctx, &llm.EmbedRequest{Texts: []string{"a"}, Query: true})
		require.NoError(t, err)
		require.NotEqual(t, got.Vectors[0], query.Vectors[0])
	}
	d := open(t, m.Handler(), openai.Config{})
	limit := 0.3
	ranked, err := d.Rerank(ctx, &llm.RerankRequest{Query: "red fox", Documents: []string{"a cat", "red fox", "fox"}, ScoreThreshold: &limit})
	require.NoError(t, err)
	require.Equal(t, []llm.RankedDocument{{Index: 1, Text: "red fox", Score: 1}, {Index: 2, Text: "fox", Score: 0.5}}, ranked.Documents)
	said, err := d.Transcribe(ctx, &llm.TranscribeRequest{Model: "mock-stt", Audio: bytes.NewReader([]byte("123"))})
	require.NoError(t, err)
	require.Equal(t, "transcript of 3 bytes", said)
	audio, err := d.Speak(ctx, &llm.SpeakRequest{Model: "mock-tts", Text: "one two", Voice: "alloy"})
	require.NoError(t, err)
	defer audio.Close()
	data, err := io.ReadAll(audio)
	require.NoError(t, err)
	require.Len(t, data, 2*417)
	bad, err := d.Moderate(ctx, &llm.ModerateRequest{Text: "violence"})
	require.NoError(t, err)
	require.True(t, bad)
}
