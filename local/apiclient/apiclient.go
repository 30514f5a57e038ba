// Package apiclient talks to a server over its public HTTP API: enough of the
// console to make an account, add a model and import apps, and the service API
// to run them. The demo, the benchmarks and the end-to-end tests use it.
//
// It is no SDK: it knows the few calls that these need.
package apiclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// Provider is the model provider whose models UseModel adds.
const Provider = "langgenius/openai_api_compatible/openai_api_compatible"

// Client is one person's session with a server.
type Client struct {
	// Base is the server's address without a trailing slash.
	Base string
	http *http.Client
	csrf string
}

// New returns a client of the server at base. transport may be nil.
func New(base string, transport http.RoundTripper) *Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // New without options does not fail
	}
	return &Client{Base: strings.TrimRight(base, "/"), http: &http.Client{Jar: jar, Transport: transport}}
}

// Login logs in. When the server has no account yet, it is made first and made
// is true.
func (c *Client) Login(ctx context.Context, email, password string) (made bool, err error) {
	var setup struct{ Step string }
	if err := c.Console(ctx, http.MethodGet, "/setup", nil, &setup); err != nil {
		return false, err
	}
	if setup.Step == "not_started" {
		made = true
		body := map[string]any{"email": email, "name": "Admin", "password": password, "language": "en-US"}
		if err := c.Console(ctx, http.MethodPost, "/setup", body, nil); err != nil {
			return false, err
		}
	}
	body := map[string]any{"email": email, "password": base64.StdEncoding.EncodeToString([]byte(password)), "remember_me": true}
	if err := c.Console(ctx, http.MethodPost, "/login", body, nil); err != nil {
		return made, err
	}
	base, err := url.Parse(c.Base)
	if err != nil {
		return made, err
	}
	for _, cookie := range c.http.Jar.Cookies(base) {
		if strings.HasSuffix(cookie.Name, "csrf_token") {
			c.csrf = cookie.Value
		}
	}
	return made, nil
}

// Model is a chat model behind an OpenAI-compatible endpoint.
type Model struct {
	// BaseURL is the endpoint, ending in /v1.
	BaseURL string
	APIKey  string
	Name    string
}

// UseModel adds a chat model to the workspace, or replaces its credentials, and
// makes it the default.
func (c *Client) UseModel(ctx context.Context, m Model) error {
	models := "/workspaces/current/model-providers/" + Provider + "/models"
	var list struct{ Data []struct{ Model string } }
	if err := c.Console(ctx, http.MethodGet, models, nil, &list); err != nil {
		return err
	}
	for _, have := range list.Data {
		if have.Model != m.Name {
			continue
		}
		// The endpoint may have moved since: another port, another key.
		if err := c.Console(ctx, http.MethodDelete, models, map[string]any{"model": m.Name, "model_type": "llm"}, nil); err != nil {
			return err
		}
	}
	err := c.Console(ctx, http.MethodPost, models+"/credentials", map[string]any{
		"model": m.Name, "model_type": "llm", "credentials": map[string]any{
			"endpoint_url": m.BaseURL, "api_key": m.APIKey, "mode": "chat", "context_size": "8192",
			"max_tokens_to_sample": "4096", "function_calling_type": "tool_call", "stream_function_calling": "supported",
			"vision_support": "no_support", "structured_output_support": "not_supported", "stream_mode_delimiter": "\\n\\n",
		},
	}, nil)
	if err != nil {
		return err
	}
	return c.Console(ctx, http.MethodPost, "/workspaces/current/default-model", map[string]any{
		"model_settings": []map[string]any{{"model_type": "llm", "provider": Provider, "model": m.Name}},
	}, nil)
}

// App is an imported app and a key for it.
type App struct{ ID, Key string }

// Import imports an app's DSL, publishes it and makes an API key.
func (c *Client) Import(ctx context.Context, dsl string) (App, error) {
	var imported struct {
		Status string
		AppID  string `json:"app_id"`
		Error  string
	}
	err := c.Console(ctx, http.MethodPost, "/apps/imports", map[string]any{"mode": "yaml-content", "yaml_content": dsl}, &imported)
	if err != nil {
		return App{}, err
	}
	if !strings.HasPrefix(imported.Status, "completed") {
		return App{}, fmt.Errorf("the import is %s: %s", imported.Status, imported.Error)
	}
	app := "/apps/" + imported.AppID
	if err := c.Console(ctx, http.MethodPost, app+"/workflows/publish", map[string]any{"marked_name": "", "marked_comment": ""}, nil); err != nil {
		return App{}, err
	}
	var key struct{ Token string }
	err = c.Console(ctx, http.MethodPost, app+"/api-keys", nil, &key)
	return App{ID: imported.AppID, Key: key.Token}, err
}

// Console makes a console request below /console/api and decodes the answer
// into out. in and out may be nil.
func (c *Client) Console(ctx context.Context, method, path string, in, out any) error {
	return c.call(ctx, method, "/console/api"+path, "", in, out)
}

// Service makes a service API request with an app's key; path starts with /v1.
func (c *Client) Service(ctx context.Context, key, method, path string, in, out any) error {
	return c.call(ctx, method, path, key, in, out)
}

// StatusError is an answer with an error status.
type StatusError struct {
	Method, Path string
	Status       int
	Body         string
}

// Error tells request and answer.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s answered %d: %s", e.Method, e.Path, e.Status, e.Body)
}

func (c *Client) do(ctx context.Context, method, path, key string, in any, header http.Header) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	} else if c.csrf != "" {
		req.Header.Set("X-CSRF-Token", c.csrf)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= http.StatusBadRequest {
		defer res.Body.Close() //nolint:errcheck // the answer is an error already
		text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		return nil, &StatusError{method, path, res.StatusCode, string(bytes.TrimSpace(text))}
	}
	return res, nil
}

func (c *Client) call(ctx context.Context, method, path, key string, in, out any) error {
	res, err := c.do(ctx, method, path, key, in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // the whole body is read
	text, err := io.ReadAll(res.Body)
	if err != nil || out == nil || len(text) == 0 {
		return err
	}
	return json.Unmarshal(text, out)
}

// Event is one server-sent event.
type Event struct {
	// ID is the value to send as Last-Event-ID; it stays until the next one.
	ID   string
	Name string // of the body's "event" field; "ping" for pings
	Data json.RawMessage
}

// Stream posts a request in streaming mode and hands each event to on until the
// stream ends or on returns an error. Pings are left out.
func (c *Client) Stream(ctx context.Context, key, path string, in any, on func(Event) error) error {
	res, err := c.do(ctx, http.MethodPost, path, key, in, nil)
	if err != nil {
		return err
	}
	return readEvents(res.Body, on)
}

// Rejoin continues the stream of a run after the event with id last ("" for its
// start).
func (c *Client) Rejoin(ctx context.Context, key, runID, user, last string, on func(Event) error) error {
	header := http.Header{}
	if last != "" {
		header.Set("Last-Event-ID", last)
	}
	path := "/v1/workflow/" + runID + "/events?user=" + url.QueryEscape(user)
	res, err := c.do(ctx, http.MethodGet, path, key, nil, header)
	if err != nil {
		return err
	}
	return readEvents(res.Body, on)
}

func readEvents(body io.ReadCloser, on func(Event) error) error {
	defer body.Close() //nolint:errcheck // a stream that failed to close was read all the same
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 16<<20)
	id := ""
	for lines.Scan() {
		line := lines.Text()
		if v, ok := strings.CutPrefix(line, "id: "); ok {
			id = v
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var head struct{ Event string }
		if err := json.Unmarshal([]byte(data), &head); err != nil {
			return fmt.Errorf("event %q: %w", data, err)
		}
		if err := on(Event{ID: id, Name: head.Event, Data: json.RawMessage(data)}); err != nil {
			return err
		}
	}
	return lines.Err()
}
