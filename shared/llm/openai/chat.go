package openai

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/millrace/millrace/shared/llm"
)

// Chat sends messages, or the prompt of a completion model.
func (d *Driver) Chat(ctx context.Context, req *llm.DriverRequest) (llm.ChunkReader, error) {
	path, body := "/chat/completions", map[string]any(nil)
	if req.Mode == llm.ModeCompletion {
		path, body = "/completions", d.completionBody(req)
	} else {
		var err error
		if body, err = d.chatBody(req); err != nil {
			return nil, err
		}
	}
	if req.Stream {
		body["stream"] = true
		if !d.cfg.NoStreamUsage {
			body["stream_options"] = map[string]any{"include_usage": true}
		}
	}
	resp, err := d.postJSON(ctx, path, body, req.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	if !req.Stream {
		defer resp.Body.Close()
		var out answer
		if err := readJSON(resp.Body, &out); err != nil {
			return nil, err
		}
		return newWhole(&out)
	}
	return newStream(resp.Body), nil
}

// common fills what chat and completion requests share.
func (d *Driver) common(req *llm.DriverRequest) map[string]any {
	body := map[string]any{"model": d.model(req.Model)}
	for name, v := range req.Parameters {
		switch name {
		case "max_tokens":
			body[d.tokenParam(req.Model)] = v
		case "json_schema", "response_format":
		case "enable_thinking":
			body["chat_template_kwargs"] = map[string]any{"enable_thinking": v}
		default:
			body[name] = v
		}
	}
	if len(req.Stop) > 0 {
		body["stop"] = req.Stop
	}
	if u := d.user(req.User); u != "" {
		body["user"] = u
	}
	return body
}

func (d *Driver) tokenParam(model string) string {
	if d.cfg.TokenParam != "" {
		return d.cfg.TokenParam
	}
	name := strings.ToLower(d.model(model))
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-5"} {
		if strings.HasPrefix(name, prefix) {
			return "max_completion_tokens"
		}
	}
	return "max_tokens"
}

func (d *Driver) completionBody(req *llm.DriverRequest) map[string]any {
	body := d.common(req)
	prompt := make([]string, 0, len(req.Messages))
	for _, m := range req.Messages {
		prompt = append(prompt, m.Content())
	}
	body["prompt"] = strings.Join(prompt, "\n")
	return body
}

func (d *Driver) chatBody(req *llm.DriverRequest) (map[string]any, error) {
	body := d.common(req)
	messages := req.Messages
	format, schema, err := responseFormat(req.Parameters)
	if err != nil {
		return nil, err
	}
	if format != nil {
		body["response_format"] = format
	}
	if schema != "" && d.cfg.SchemaInPrompt {
		messages = withSchema(messages, schema)
	}
	wire := make([]map[string]any, len(messages))
	for i, m := range messages {
		wire[i] = d.message(m)
	}
	body["messages"] = wire
	if len(req.Tools) > 0 {
		d.addTools(body, req.Tools)
	}
	return body, nil
}

// responseFormat makes the wire form of the parameters response_format and
// json_schema, and returns the schema's text.
func responseFormat(params map[string]any) (format map[string]any, schema string, err error) {
	kind, _ := params["response_format"].(string)
	text, _ := params["json_schema"].(string)
	if kind == "json_schema" && text != "" {
		var spec json.RawMessage
		if json.Unmarshal([]byte(text), &spec) != nil {
			return nil, "", &llm.Error{Kind: llm.KindBadRequest, Message: "not correct json_schema format: " + text}
		}
		return map[string]any{"type": kind, "json_schema": spec}, text, nil
	}
	if kind != "" && kind != "json_schema" {
		return map[string]any{"type": kind}, "", nil
	}
	return nil, "", nil
}

// withSchema puts the schema in front of the system message.
func withSchema(messages []llm.Message, schema string) []llm.Message {
	text := "Answer with one JSON document conforming to the schema below. " +
		"Add no comment, no explanation and nothing around it.\n```json\n" + schema + "\n```"
	out := make([]llm.Message, 0, len(messages)+1)
	if len(messages) > 0 && messages[0].Role == llm.RoleSystem {
		first := messages[0]
		first.Text, first.Parts = text+"\n\n"+first.Content(), nil
		return append(append(out, first), messages[1:]...)
	}
	return append(append(out, llm.Message{Role: llm.RoleSystem, Text: text}), messages...)
}

func (d *Driver) addTools(body map[string]any, tools []llm.Tool) {
	functions := make([]any, len(tools))
	wrapped := make([]any, len(tools))
	for i, t := range tools {
		functions[i] = t
		wrapped[i] = map[string]any{"type": "function", "function": t}
	}
	switch d.cfg.Tools {
	case ToolsFunction:
		body["functions"], body["function_call"] = functions, "auto"
	case ToolsTool:
		body["tools"], body["tool_choice"] = wrapped, "auto"
	case ToolsNone:
	}
}

func (d *Driver) message(m llm.Message) map[string]any {
	out := map[string]any{"role": m.Role, "content": content(m)}
	if m.Name != "" && m.Role != llm.RoleTool {
		out["name"] = m.Name
	}
	switch {
	case m.Role == llm.RoleAssistant && len(m.ToolCalls) > 0:
		if d.cfg.Tools == ToolsFunction {
			out["function_call"] = map[string]any{"name": m.ToolCalls[0].Name, "arguments": m.ToolCalls[0].Arguments}
			break
		}
		calls := make([]any, len(m.ToolCalls))
		for i, c := range m.ToolCalls {
			calls[i] = map[string]any{"id": c.ID, "type": "function",
				"function": map[string]any{"name": c.Name, "arguments": c.Arguments}}
		}
		out["tool_calls"] = calls
	case m.Role == llm.RoleTool && d.cfg.Tools == ToolsFunction:
		out["role"], out["name"] = "function", m.Name
	case m.Role == llm.RoleTool:
		out["tool_call_id"] = m.ToolCallID
	}
	return out
}

func content(m llm.Message) any {
	if m.Parts == nil {
		return m.Text
	}
	parts := make([]any, 0, len(m.Parts))
	for _, p := range m.Parts {
		switch p.Type {
		case llm.PartText:
			parts = append(parts, map[string]any{"type": "text", "text": p.Text})
		case llm.PartImage:
			image := map[string]any{"url": p.Data()}
			if p.Detail != "" {
				image["detail"] = p.Detail
			}
			parts = append(parts, map[string]any{"type": "image_url", "image_url": image})
		case llm.PartAudio:
			parts = append(parts, map[string]any{"type": "input_audio", "input_audio": map[string]any{
				"data": firstOf(p.Base64, p.URL), "format": p.Format}})
		case llm.PartVideo:
			parts = append(parts, map[string]any{"type": "video_url", "video_url": map[string]any{"url": p.Data()}})
		case llm.PartDocument:
			parts = append(parts, map[string]any{"type": "file", "file": map[string]any{
				"filename": p.Filename, "file_data": p.Data()}})
		}
	}
	return parts
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
