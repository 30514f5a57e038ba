package openai

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/millrace/millrace/shared/llm"
)

// answer is a chunk or a whole answer, of chat or completion models.
type answer struct {
	Fingerprint string          `json:"system_fingerprint"`
	Choices     []choice        `json:"choices"`
	Usage       *usage          `json:"usage"`
	Error       json.RawMessage `json:"error"`
}

type choice struct {
	Delta        *message `json:"delta"`
	Message      *message `json:"message"`
	Text         string   `json:"text"`
	FinishReason string   `json:"finish_reason"`
}

type message struct {
	Content          *string    `json:"content"`
	ReasoningContent string     `json:"reasoning_content"`
	Reasoning        string     `json:"reasoning"`
	ToolCalls        []toolCall `json:"tool_calls"`
	FunctionCall     *function  `json:"function_call"`
}

type toolCall struct {
	Index    int      `json:"index"`
	ID       string   `json:"id"`
	Function function `json:"function"`
}

type function struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// think puts reasoning that comes in a field of its own between tags.
type think struct{ open bool }

// chunk turns one wire chunk into the portable form.
func (t *think) chunk(a *answer) llm.Chunk {
	out := llm.Chunk{Fingerprint: a.Fingerprint}
	if a.Usage != nil {
		out.Usage = &llm.Usage{PromptTokens: a.Usage.PromptTokens, CompletionTokens: a.Usage.CompletionTokens}
	}
	if len(a.Choices) == 0 {
		return out
	}
	c := a.Choices[0]
	out.FinishReason = c.FinishReason
	m := c.Delta
	if m == nil {
		m = c.Message
	}
	if m == nil {
		out.Text = c.Text
		return out
	}
	out.Text = t.text(m, c.FinishReason != "")
	for _, call := range m.ToolCalls {
		out.ToolCalls = append(out.ToolCalls, llm.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
	}
	if m.FunctionCall != nil {
		out.ToolCalls = append(out.ToolCalls, llm.ToolCall{Name: m.FunctionCall.Name, Arguments: m.FunctionCall.Arguments})
	}
	return out
}

func (t *think) text(m *message, last bool) string {
	text, reasoning := "", firstOf(m.ReasoningContent, m.Reasoning)
	if reasoning != "" {
		if !t.open {
			text, t.open = "<think>\n", true
		}
		text += reasoning
	}
	said := ""
	if m.Content != nil {
		said = *m.Content
	}
	if t.open && (said != "" || len(m.ToolCalls) > 0 || last) {
		text, t.open = text+"\n</think>", false
	}
	return text + said
}

// whole gives an answer that came in one piece.
type whole struct {
	chunk llm.Chunk
	done  bool
}

func newWhole(a *answer) (*whole, error) {
	if len(a.Choices) == 0 {
		if text := errorText(wrapError(a.Error)); len(a.Error) > 0 && text != "" {
			return nil, &llm.Error{Kind: llm.KindServer, Message: text}
		}
		return nil, &llm.Error{Kind: llm.KindServer, Message: "the answer has no choices"}
	}
	var t think
	return &whole{chunk: t.chunk(a)}, nil
}

// Next returns the answer once.
func (w *whole) Next() (llm.Chunk, error) {
	if w.done {
		return llm.Chunk{}, io.EOF
	}
	w.done = true
	return w.chunk, nil
}

// Close does nothing: the answer is read already.
func (w *whole) Close() error { return nil }

// stream reads server-sent events.
type stream struct {
	body     io.ReadCloser
	lines    *bufio.Scanner
	think    think
	finished bool // a finish reason was seen
	ended    bool
}

func newStream(body io.ReadCloser) *stream {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 8<<10), maxLine)
	return &stream{body: body, lines: lines}
}

// Next returns the next chunk that says something.
func (s *stream) Next() (llm.Chunk, error) {
	for !s.ended {
		data, err := s.event()
		if err != nil {
			return llm.Chunk{}, err
		}
		if data == nil {
			break
		}
		var a answer
		if err := json.Unmarshal(data, &a); err != nil {
			return llm.Chunk{}, &llm.Error{Kind: llm.KindServer, Message: "a piece of the stream is not JSON", Cause: err}
		}
		if len(a.Error) > 0 && !bytes.Equal(a.Error, []byte("null")) {
			return llm.Chunk{}, &llm.Error{Kind: llm.KindServer, Message: errorText(wrapError(a.Error))}
		}
		c := s.think.chunk(&a)
		s.finished = s.finished || c.FinishReason != ""
		if c.Text != "" || c.FinishReason != "" || c.Usage != nil || len(c.ToolCalls) > 0 {
			return c, nil
		}
	}
	return llm.Chunk{}, io.EOF
}

func wrapError(inner json.RawMessage) []byte {
	return append(append([]byte(`{"error":`), inner...), '}')
}

// event returns the data of the next event, nil at the end of the stream. A
// stream that ends before the model finished is an error: half an answer must
// not be taken for a whole one.
func (s *stream) event() ([]byte, error) {
	var data []byte
	for s.lines.Scan() {
		line := s.lines.Bytes()
		if len(line) == 0 {
			if data != nil {
				return s.checked(data), nil
			}
			continue
		}
		rest, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue // comments, and fields that carry nothing here
		}
		rest = bytes.TrimPrefix(rest, []byte(" "))
		if data != nil {
			data = append(data, '\n')
		}
		data = append(data, rest...)
		// Complete as soon as it is a document: some servers put only one line
		// break between events.
		if bytes.Equal(data, []byte("[DONE]")) || json.Valid(data) {
			return s.checked(data), nil
		}
	}
	if err := s.lines.Err(); err != nil {
		return nil, connectionError(err)
	}
	s.ended = true
	if !s.finished {
		return nil, &llm.Error{Kind: llm.KindConnection, Message: "the stream ended before the answer was complete"}
	}
	return nil, nil
}

func (s *stream) checked(data []byte) []byte {
	if bytes.Equal(data, []byte("[DONE]")) {
		s.ended = true
		return nil
	}
	return data
}

// Close ends the call.
func (s *stream) Close() error { return s.body.Close() }
