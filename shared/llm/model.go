package llm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/clock"
)

// Model is one model of a workspace, ready to be called: a driver with
// credentials, and the schema of what the model can do. It is safe for
// concurrent use if its driver is.
type Model struct {
	driver   Driver
	provider string
	schema   *Schema
	clock    clock.Clock
}

// New returns the model that schema describes, called through driver. provider
// is the contract's provider id and stands in the texts of errors. A nil clock
// is the machine's.
func New(provider string, schema *Schema, driver Driver, clk clock.Clock) *Model {
	if clk == nil {
		clk = clock.System{}
	}
	return &Model{driver: driver, provider: provider, schema: schema, clock: clk}
}

// Name returns the model's name.
func (m *Model) Name() string { return m.schema.Model }

// Provider returns the id of the model's provider.
func (m *Model) Provider() string { return m.provider }

// Schema returns what the model can do. It must not be changed.
func (m *Model) Schema() *Schema { return m.schema }

// Stream sends a request and returns the answer as it comes. The caller closes
// the stream. Failed calls are *Error, here and from Stream.Next.
func (m *Model) Stream(ctx context.Context, req Request) (*Stream, error) {
	return m.call(ctx, req, true)
}

// Generate sends a request and returns the whole answer, which the provider is
// asked to give in one piece.
func (m *Model) Generate(ctx context.Context, req Request) (*Result, error) {
	s, err := m.call(ctx, req, false)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // the answer is complete
	return s.Drain()
}

func (m *Model) call(ctx context.Context, req Request, stream bool) (*Stream, error) {
	req, err := m.prepare(req)
	if err != nil {
		return nil, err
	}
	started := m.clock.Now()
	reader, err := m.driver.Chat(ctx, &DriverRequest{Model: m.schema.Model, Mode: m.schema.Mode(), Request: req, Stream: stream})
	if err != nil {
		return nil, m.wrap(ctx, err)
	}
	return &Stream{model: m, ctx: ctx, reader: reader, started: started, prompt: req.Messages}, nil
}

// prepare checks the parameters, takes the stop words out of them and drops
// what the model cannot take.
func (m *Model) prepare(req Request) (Request, error) {
	params := maps.Clone(req.Parameters)
	req.Stop = append(stopWords(params["stop"]), req.Stop...)
	checked, err := m.schema.CheckParameters(params)
	if err != nil {
		return req, m.wrap(context.Background(), err)
	}
	req.Parameters = checked
	if !m.schema.Has(FeatureToolCall) && !m.schema.Has(FeatureMultiToolCall) {
		req.Tools = nil
	}
	messages := make([]Message, len(req.Messages))
	for i, msg := range req.Messages {
		messages[i] = m.schema.Fit(msg)
	}
	req.Messages = messages
	return req, nil
}

func stopWords(v any) []string {
	var out []string
	switch stop := v.(type) {
	case string:
		out = append(out, stop)
	case []string:
		out = append(out, stop...)
	case []any:
		for _, s := range stop {
			if text, ok := s.(string); ok {
				out = append(out, text)
			}
		}
	}
	kept := out[:0]
	for _, s := range out {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// wrap makes the one error that callers see. A context that ended is passed on
// as it is: nobody failed.
func (m *Model) wrap(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Kind: KindServer, Provider: m.provider, Cause: err}
	}
	if e.Provider == "" {
		named := *e
		named.Provider = m.provider
		return &named
	}
	return err
}

// Embed turns texts into vectors.
func (m *Model) Embed(ctx context.Context, texts []string, query bool) (*EmbedResult, error) {
	out, err := m.driver.Embed(ctx, &EmbedRequest{Model: m.schema.Model, Texts: texts, Query: query})
	if err != nil {
		return nil, m.wrap(ctx, err)
	}
	if len(out.Vectors) != len(texts) {
		return nil, m.wrap(ctx, &Error{Kind: KindServer, Message: fmt.Sprintf("%d vectors for %d texts", len(out.Vectors), len(texts))})
	}
	return out, nil
}

// Rerank orders documents by relevance to a query.
func (m *Model) Rerank(ctx context.Context, req RerankRequest) (*RerankResult, error) {
	req.Model = m.schema.Model
	out, err := m.driver.Rerank(ctx, &req)
	if err != nil {
		return nil, m.wrap(ctx, err)
	}
	for _, d := range out.Documents {
		if d.Index < 0 || d.Index >= len(req.Documents) {
			return nil, m.wrap(ctx, &Error{Kind: KindServer, Message: "ranked a document that was not asked about"})
		}
	}
	return out, nil
}

// Transcribe turns a recording into text.
func (m *Model) Transcribe(ctx context.Context, filename string, audio io.Reader) (string, error) {
	text, err := m.driver.Transcribe(ctx, &TranscribeRequest{Model: m.schema.Model, Filename: filename, Audio: audio})
	if err != nil {
		return "", m.wrap(ctx, err)
	}
	return text, nil
}

// Speak turns text into an audio stream, which the caller closes.
func (m *Model) Speak(ctx context.Context, text, voice string) (io.ReadCloser, error) {
	out, err := m.driver.Speak(ctx, &SpeakRequest{Model: m.schema.Model, Text: text, Voice: voice})
	if err != nil {
		return nil, m.wrap(ctx, err)
	}
	return out, nil
}

// Moderate tells whether a text is objectionable.
func (m *Model) Moderate(ctx context.Context, text string) (bool, error) {
	bad, err := m.driver.Moderate(ctx, &ModerateRequest{Model: m.schema.Model, Text: text})
	if err != nil {
		return false, m.wrap(ctx, err)
	}
	return bad, nil
}

// Stream is an answer that is still coming. It is for one goroutine.
type Stream struct {
	model   *Model
	ctx     context.Context
	reader  ChunkReader
	started time.Time
	first   time.Time
	prompt  []Message

	text   strings.Builder
	result Result
	usage  *Usage
	done   bool
}

// Next returns the next piece; after the last one the error is io.EOF and
// Result is complete.
func (s *Stream) Next() (Chunk, error) {
	if s.done {
		return Chunk{}, io.EOF
	}
	c, err := s.reader.Next()
	if errors.Is(err, io.EOF) && s.ctx.Err() == nil {
		s.finish()
		return Chunk{}, io.EOF
	}
	if err != nil {
		return Chunk{}, s.model.wrap(s.ctx, err)
	}
	if s.first.IsZero() && (c.Text != "" || len(c.ToolCalls) > 0) {
		s.first = s.model.clock.Now()
	}
	s.text.WriteString(c.Text)
	s.result.ToolCalls = mergeCalls(s.result.ToolCalls, c.ToolCalls)
	if c.FinishReason != "" {
		s.result.FinishReason = c.FinishReason
	}
	if c.Fingerprint != "" {
		s.result.Fingerprint = c.Fingerprint
	}
	if c.Usage != nil {
		s.usage = c.Usage
		c.Usage = nil // not priced yet; Result has it
	}
	return c, nil
}

// finish prices the usage and adds the times.
func (s *Stream) finish() {
	s.done = true
	now := s.model.clock.Now()
	counted := s.usage
	if counted == nil {
		counted = s.estimate()
	}
	u := TokenUsage(s.model.schema.Pricing, counted.PromptTokens, counted.CompletionTokens)
	u.Latency = seconds(now.Sub(s.started))
	if !s.first.IsZero() { // an empty answer has no first token
		first, rest := seconds(s.first.Sub(s.started)), seconds(now.Sub(s.first))
		u.TimeToFirstToken, u.TimeToGenerate = &first, &rest
	}
	s.result.Text, s.result.Usage = s.text.String(), u
}

// estimate counts tokens for providers that do not report them.
func (s *Stream) estimate() *Usage {
	var u Usage
	for _, m := range s.prompt {
		u.PromptTokens += EstimateTokens(m.Content())
	}
	u.CompletionTokens = EstimateTokens(s.text.String())
	return &u
}

// Result returns what has come so far; its usage is set after io.EOF.
func (s *Stream) Result() *Result {
	if !s.done {
		s.result.Text = s.text.String()
	}
	return &s.result
}

// Drain reads to the end and returns the whole answer.
func (s *Stream) Drain() (*Result, error) {
	for {
		if _, err := s.Next(); errors.Is(err, io.EOF) {
			return s.Result(), nil
		} else if err != nil {
			return nil, err
		}
	}
}

// Close ends the call; what has not come yet is given up.
func (s *Stream) Close() error { return s.reader.Close() }

// mergeCalls adds deltas to the calls so far: an id or, without calls so far,
// a name starts a new call; anything else goes on with the last one.
func mergeCalls(calls, deltas []ToolCall) []ToolCall {
	for _, d := range deltas {
		n := len(calls)
		switch {
		case d.ID != "" && (n == 0 || calls[n-1].ID != d.ID):
			calls = append(calls, d)
		case n == 0 || (d.ID == "" && d.Name != "" && calls[n-1].Arguments != ""):
			d.ID = fmt.Sprintf("chatcmpl-tool-%d", n)
			calls = append(calls, d)
		default:
			calls[n-1].Name += d.Name
			calls[n-1].Arguments += d.Arguments
		}
	}
	return calls
}

// EstimateTokens guesses how many tokens a text has where no tokenizer is at
// hand: four letters of Latin script, or one CJK character, make one.
func EstimateTokens(text string) int {
	latin, wide := 0, 0
	for _, r := range text {
		if r >= 0x2E80 {
			wide++
		} else {
			latin++
		}
	}
	return wide + (latin+3)/4
}
