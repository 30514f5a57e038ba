// Package openai is the llm.Driver for servers that speak the OpenAI wire
// protocol: chat and text completions, embeddings, rerank, speech. It is an own
// small client over net/http: the official SDK makes a function's binary four
// times as large.
//
// It knows nothing of workspaces or forms; provider/openaicompat turns a
// credential form into its Config. The HTTP client is injected, because the
// address comes from users and has to go through the egress rules.
package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace/shared/llm"
)

// Limits on what is read from the other side.
const (
	maxBody      = 64 << 20
	maxErrorBody = 64 << 10
	maxErrorText = 2000
	maxLine      = 16 << 20
)

// ToolStyle is how a server wants tools to be described.
type ToolStyle string

// The styles of tool calls.
const (
	ToolsNone     ToolStyle = "no_call"
	ToolsFunction ToolStyle = "function_call" // the older single-function form
	ToolsTool     ToolStyle = "tool_call"
)

// Config is one endpoint with its key and habits. Only BaseURL is required.
type Config struct {
	// BaseURL is the address up to and without /chat/completions.
	BaseURL string
	APIKey  string
	// Model replaces the model's name in requests.
	Model string
	Tools ToolStyle
	// TokenParam is the name of the token limit: max_tokens,
	// max_completion_tokens, or "" to choose by the model's name.
	TokenParam string
	// NoStreamUsage leaves out the wish for usage in streams, which some servers
	// refuse.
	NoStreamUsage bool
	// HideUser keeps the end user's id from the server.
	HideUser bool
	// SchemaInPrompt repeats a JSON schema in the system message, for servers
	// that accept but do not follow response_format.
	SchemaInPrompt bool

	// EmbedBatch is the most texts in one request; 0 means 1.
	EmbedBatch     int
	EncodingFormat string
	QueryPrefix    string
	DocumentPrefix string

	// Language and Prompt help speech recognition.
	Language string
	Prompt   string
	// AudioFormat of speech; "" means mp3.
	AudioFormat string
}

// Driver calls one endpoint. It is safe for concurrent use.
type Driver struct {
	llm.Unsupported
	client *http.Client
	cfg    Config
}

var _ llm.Driver = (*Driver)(nil)

// New returns a driver that reaches the endpoint through client.
func New(client *http.Client, cfg Config) (*Driver, error) {
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, &llm.Error{Kind: llm.KindCredentials, Message: "the endpoint URL must start with http:// or https://"}
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	return &Driver{client: client, cfg: cfg}, nil
}

func (d *Driver) model(name string) string {
	if d.cfg.Model != "" {
		return d.cfg.Model
	}
	return name
}

func (d *Driver) user(u string) string {
	if d.cfg.HideUser {
		return ""
	}
	return u
}

// post sends a request and returns an answer with a success status; the caller
// closes its body.
func (d *Driver) post(ctx context.Context, path, contentType string, body io.Reader, key string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.cfg.BaseURL+path, body)
	if err != nil {
		return nil, &llm.Error{Kind: llm.KindBadRequest, Cause: err}
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept-Charset", "utf-8")
	if d.cfg.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+d.cfg.APIKey)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, connectionError(err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, statusError(resp)
	}
	return resp, nil
}

func (d *Driver) postJSON(ctx context.Context, path string, body any, key string) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, &llm.Error{Kind: llm.KindBadRequest, Message: "the request cannot be written as JSON", Cause: err}
	}
	return d.post(ctx, path, "application/json", bytes.NewReader(data), key)
}

// call sends a request and reads the JSON answer into out.
func (d *Driver) call(ctx context.Context, path string, body, out any, key string) error {
	resp, err := d.postJSON(ctx, path, body, key)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readJSON(resp.Body, out)
}

func readJSON(r io.Reader, out any) error {
	data, err := io.ReadAll(io.LimitReader(r, maxBody))
	if err != nil {
		return connectionError(err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &llm.Error{Kind: llm.KindServer, Message: "the answer is not the JSON that was expected", Cause: err}
	}
	return nil
}

// connectionError leaves the URL out of the text: it may carry a key.
func connectionError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &llm.Error{Kind: llm.KindConnection, Message: err.Error(), Cause: err}
}

// statusError reads what the server says about a refused request.
func statusError(resp *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	text := errorText(data)
	if text == "" {
		text = http.StatusText(resp.StatusCode)
	}
	return &llm.Error{Kind: llm.KindOfStatus(resp.StatusCode), Status: resp.StatusCode,
		Message: "API request failed with status code " + resp.Status[:3] + ": " + text}
}

// errorText finds the message in the usual forms of an error body.
func errorText(data []byte) string {
	var body struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(data), "\uFFFD"))
	if json.Unmarshal(data, &body) == nil {
		var inner struct {
			Message string `json:"message"`
		}
		var plain string
		switch {
		case json.Unmarshal(body.Error, &inner) == nil && inner.Message != "":
			text = inner.Message
		case json.Unmarshal(body.Error, &plain) == nil && plain != "":
			text = plain
		case body.Message != "":
			text = body.Message
		}
	}
	if r := []rune(text); len(r) > maxErrorText {
		text = string(r[:maxErrorText]) + "..."
	}
	return text
}

// Transcribe sends a recording.
func (d *Driver) Transcribe(ctx context.Context, req *llm.TranscribeRequest) (string, error) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	fields := [][2]string{{"model", d.model(req.Model)}, {"language", d.cfg.Language}, {"prompt", d.cfg.Prompt}}
	for _, f := range fields {
		if f[1] == "" {
			continue
		}
		if err := w.WriteField(f[0], f[1]); err != nil {
			return "", err
		}
	}
	name := req.Filename
	if name == "" {
		name = "audio.mp3"
	}
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(part, io.LimitReader(req.Audio, maxBody)); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	resp, err := d.post(ctx, "/audio/transcriptions", w.FormDataContentType(), &form, "")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var out struct {
		Text string `json:"text"`
	}
	if err := readJSON(resp.Body, &out); err != nil {
		return "", err
	}
	return out.Text, nil
}

// Speak asks for spoken text.
func (d *Driver) Speak(ctx context.Context, req *llm.SpeakRequest) (io.ReadCloser, error) {
	format := d.cfg.AudioFormat
	if format == "" {
		format = "mp3"
	}
	resp, err := d.postJSON(ctx, "/audio/speech", map[string]any{
		"model": d.model(req.Model), "input": req.Text, "voice": req.Voice, "response_format": format,
	}, "")
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Moderate asks whether a text is objectionable.
func (d *Driver) Moderate(ctx context.Context, req *llm.ModerateRequest) (bool, error) {
	var out struct {
		Results []struct {
			Flagged bool `json:"flagged"`
		} `json:"results"`
	}
	if err := d.call(ctx, "/moderations", map[string]any{"model": d.model(req.Model), "input": req.Text}, &out, ""); err != nil {
		return false, err
	}
	for _, r := range out.Results {
		if r.Flagged {
			return true, nil
		}
	}
	return false, nil
}
