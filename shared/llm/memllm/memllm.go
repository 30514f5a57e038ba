// Package memllm is an llm.Driver in memory, for tests and as the second
// implementation behind the suite in llm/llmtest. It understands a few
// directives at the start of the last message:
//
//	FAIL <status> <text>  fails like a server with that HTTP status
//	SAY <text>            answers the text
//	CALL <tool> <json>    asks for a tool, when that tool is offered
//	HANG                  says one word and then nothing until the call ends
//
// Anything else is echoed. Words are tokens. Script replaces all of this.
package memllm

import (
	"context"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/millrace/millrace/shared/llm"
)

// Driver answers from memory. The zero value echoes.
type Driver struct {
	llm.Unsupported
	// Script, when set, makes the answers.
	Script func(req *llm.DriverRequest) ([]llm.Chunk, error)

	mu   sync.Mutex
	seen []llm.DriverRequest
}

var _ llm.Driver = (*Driver)(nil)

// Seen returns the chat requests so far.
func (d *Driver) Seen() []llm.DriverRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]llm.DriverRequest(nil), d.seen...)
}

// Chat answers at once; only HANG makes it wait.
func (d *Driver) Chat(ctx context.Context, req *llm.DriverRequest) (llm.ChunkReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.seen = append(d.seen, *req)
	d.mu.Unlock()
	script := d.Script
	if script == nil {
		script = directives
	}
	chunks, err := script(req)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, chunks: chunks}
	if n := len(chunks); n > 0 && chunks[n-1].FinishReason == "" {
		r.hang = true
	}
	if !req.Stream && !r.hang {
		r.chunks = []llm.Chunk{joined(chunks)}
	}
	return r, nil
}

func joined(chunks []llm.Chunk) llm.Chunk {
	var out llm.Chunk
	for _, c := range chunks {
		out.Text += c.Text
		out.ToolCalls = append(out.ToolCalls, c.ToolCalls...)
		if c.FinishReason != "" {
			out.FinishReason = c.FinishReason
		}
		if c.Usage != nil {
			out.Usage = c.Usage
		}
	}
	return out
}

type reader struct {
	ctx    context.Context
	chunks []llm.Chunk
	hang   bool
}

// Next returns the next chunk.
func (r *reader) Next() (llm.Chunk, error) {
	if err := r.ctx.Err(); err != nil {
		return llm.Chunk{}, err
	}
	if len(r.chunks) == 0 {
		if r.hang {
			<-r.ctx.Done()
			return llm.Chunk{}, r.ctx.Err()
		}
		return llm.Chunk{}, io.EOF
	}
	c := r.chunks[0]
	r.chunks = r.chunks[1:]
	return c, nil
}

// Close does nothing.
func (r *reader) Close() error { return nil }

func directives(req *llm.DriverRequest) ([]llm.Chunk, error) {
	last, prompt := "", 0
	for _, m := range req.Messages {
		last = m.Content()
		prompt += len(strings.Fields(last))
	}
	line, _, _ := strings.Cut(last, "\n")
	word, rest, _ := strings.Cut(line, " ")
	reply := "echo: " + last
	switch word {
	case "FAIL":
		code, text, _ := strings.Cut(rest, " ")
		status, _ := strconv.Atoi(code)
		return nil, &llm.Error{Kind: llm.KindOfStatus(status), Status: status, Message: text}
	case "HANG":
		return []llm.Chunk{{Text: "well "}}, nil
	case "SAY":
		reply = rest
	case "CALL":
		name, args, _ := strings.Cut(rest, " ")
		for _, t := range req.Tools {
			if t.Name == name {
				usage := &llm.Usage{PromptTokens: prompt, CompletionTokens: 1 + len(strings.Fields(args))}
				return []llm.Chunk{{ToolCalls: []llm.ToolCall{{ID: "call_1", Name: name, Arguments: args}}},
					{FinishReason: "tool_calls", Usage: usage}}, nil
			}
		}
	}
	for _, stop := range req.Stop {
		reply, _, _ = strings.Cut(reply, stop)
	}
	var chunks []llm.Chunk
	for _, piece := range strings.SplitAfter(reply, " ") {
		chunks = append(chunks, llm.Chunk{Text: piece})
	}
	usage := &llm.Usage{PromptTokens: prompt, CompletionTokens: len(strings.Fields(reply))}
	return append(chunks, llm.Chunk{FinishReason: "stop", Usage: usage}), nil
}
