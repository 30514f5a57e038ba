// Package demo drives a running server the way a person with curl would: it
// does the first-time setup, configures a model, imports the example apps,
// runs one and prints the stream as it comes.
//
// It uses the public HTTP API only; nothing in it reaches into the server. The
// command around it is local's.
package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path"
	"strings"

	"github.com/millrace/millrace/shared/clock"
)

// The demo account. The server listens on loopback and the data is a demo's, so
// that the password may be printed.
const (
	Email    = "demo@example.com"
	Password = "millrace-demo-1"
)

const provider = "langgenius/openai_api_compatible/openai_api_compatible"

// Model is the model that the example apps use.
type Model struct {
	// BaseURL is an OpenAI-compatible endpoint ending in /v1.
	BaseURL string
	APIKey  string
	// Name is the model's name at that endpoint.
	Name string
	// Mock says that the answers are made up.
	Mock bool
}

// Options says what to run against which server.
type Options struct {
	// Base is the server's address, for example http://127.0.0.1:8080.
	Base string
	// Apps holds the example apps, *.yml.
	Apps fs.FS
	// Model is configured for the apps.
	Model Model
	// Out gets the story of what happens.
	Out io.Writer
	// Client makes the requests; it must not time out streams.
	Client *http.Client
	// Clock times the printed events.
	Clock clock.Clock
}

// modelInExamples is the model name that the example files carry.
const modelInExamples = "demo-chat"

// addressInExamples is the server address that the example files carry.
const addressInExamples = "http://127.0.0.1:8080"

type session struct {
	Options
	csrf string
}

// Run plays the demo once. It may be run again on the same data: apps that are
// there already are used as they are.
func Run(ctx context.Context, o Options) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := *o.Client
	client.Jar = jar
	o.Client = &client
	s := &session{Options: o}
	if err := s.login(ctx); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if err := s.configureModel(ctx); err != nil {
		return fmt.Errorf("configure the model: %w", err)
	}
	keys, err := s.importApps(ctx)
	if err != nil {
		return fmt.Errorf("import the examples: %w", err)
	}
	return s.runTriage(ctx, keys)
}

func (s *session) login(ctx context.Context) error {
	var setup struct{ Step string }
	if err := s.call(ctx, "GET", "/console/api/setup", nil, &setup); err != nil {
		return err
	}
	if setup.Step == "not_started" {
		err := s.call(ctx, "POST", "/console/api/setup", map[string]any{
			"email": Email, "name": "Demo", "password": Password, "language": "en-US",
		}, nil)
		if err != nil {
			return err
		}
		s.say("account    %s / %s", Email, Password)
	}
	err := s.call(ctx, "POST", "/console/api/login", map[string]any{
		"email": Email, "password": base64.StdEncoding.EncodeToString([]byte(Password)), "remember_me": true,
	}, nil)
	if err != nil {
		return fmt.Errorf("%w (this data folder belongs to another account: choose a new one with --data)", err)
	}
	base, err := url.Parse(s.Base)
	if err != nil {
		return err
	}
	for _, c := range s.Client.Jar.Cookies(base) {
		if strings.HasSuffix(c.Name, "csrf_token") {
			s.csrf = c.Value
		}
	}
	return nil
}

func (s *session) configureModel(ctx context.Context) error {
	var list struct {
		Data []struct {
			Model     string
			ModelType string `json:"model_type"`
		}
	}
	models := "/console/api/workspaces/current/model-providers/" + provider + "/models"
	if err := s.call(ctx, "GET", models, nil, &list); err != nil {
		return err
	}
	credentials := map[string]any{
		"endpoint_url": s.Model.BaseURL, "api_key": s.Model.APIKey, "mode": "chat", "context_size": "8192",
		"max_tokens_to_sample": "4096", "function_calling_type": "tool_call", "stream_function_calling": "supported",
		"vision_support": "no_support", "structured_output_support": "not_supported", "stream_mode_delimiter": "\\n\\n",
	}
	for _, m := range list.Data {
		if m.Model != s.Model.Name {
			continue
		}
		// The endpoint may have moved since the last demo (another port, another key).
		err := s.call(ctx, "DELETE", models, map[string]any{"model": m.Model, "model_type": "llm"}, nil)
		if err != nil {
			return err
		}
	}
	err := s.call(ctx, "POST", models+"/credentials", map[string]any{
		"model": s.Model.Name, "model_type": "llm", "credentials": credentials,
	}, nil)
	if err != nil {
		return err
	}
	err = s.call(ctx, "POST", "/console/api/workspaces/current/default-model", map[string]any{
		"model_settings": []map[string]any{{"model_type": "llm", "provider": provider, "model": s.Model.Name}},
	}, nil)
	if err != nil {
		return err
	}
	if s.Model.Mock {
		s.say("model      %s, a built-in mock that makes its answers up (set OPENAI_API_KEY for a real one)", s.Model.Name)
	} else {
		s.say("model      %s at %s", s.Model.Name, s.Model.BaseURL)
	}
	return nil
}

// importApps imports each example that is not there yet, publishes it and
// returns an API key for each by file name.
func (s *session) importApps(ctx context.Context) (map[string]string, error) {
	files, err := fs.Glob(s.Apps, "*.yml")
	if err != nil {
		return nil, err
	}
	keys := map[string]string{}
	for _, file := range files {
		text, err := fs.ReadFile(s.Apps, file)
		if err != nil {
			return nil, err
		}
		dsl := strings.NewReplacer(
			"name: "+modelInExamples, "name: "+s.Model.Name, addressInExamples, s.Base,
		).Replace(string(text))
		var imported struct {
			Status string
			AppID  string `json:"app_id"`
			Error  string
		}
		err = s.call(ctx, "POST", "/console/api/apps/imports", map[string]any{"mode": "yaml-content", "yaml_content": dsl}, &imported)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(imported.Status, "completed") {
			return nil, fmt.Errorf("%s: %s %s", file, imported.Status, imported.Error)
		}
		app := "/console/api/apps/" + imported.AppID
		if err := s.call(ctx, "POST", app+"/workflows/publish", map[string]any{"marked_name": "", "marked_comment": ""}, nil); err != nil {
			return nil, err
		}
		var key struct{ Token string }
		if err := s.call(ctx, "POST", app+"/api-keys", nil, &key); err != nil {
			return nil, err
		}
		keys[strings.TrimSuffix(path.Base(file), ".yml")] = key.Token
		s.say("imported   examples/%s   key %s", file, key.Token)
	}
	return keys, nil
}

func (s *session) runTriage(ctx context.Context, keys map[string]string) error {
	body := map[string]any{
		"inputs": map[string]any{
			"subject": "The site is down", "message": "Since nine o'clock our customers cannot order. Please help!",
		},
		"response_mode": "streaming", "user": "demo",
	}
	key := keys["support-triage"]
	s.say("\nrunning    support-triage, streamed:\n")
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Base+"/v1/workflows/run", bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end below
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		return fmt.Errorf("the run answered %d: %s", res.StatusCode, text)
	}
	if err := s.printStream(res.Body); err != nil {
		return err
	}
	s.say("\nrepeat it  curl -N %s/v1/workflows/run \\\n             -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n             -d '%s'",
		s.Base, key, strings.ReplaceAll(string(raw), "'", `'\''`))
	s.say("chat       curl -N %s/v1/chat-messages -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n             -d '{\"inputs\":{},\"query\":\"How do I return a lamp?\",\"response_mode\":\"streaming\",\"user\":\"demo\"}'",
		s.Base, keys["shop-assistant"])
	s.say("look       curl %s/v1/workflows/logs -H 'Authorization: Bearer %s'", s.Base, key)
	return nil
}

// printStream shows events as they arrive and ends at the terminal one.
func (s *session) printStream(r io.Reader) error {
	start := s.Clock.Now()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 8<<20)
	inText := false
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var ev struct {
			Event string
			Data  struct {
				Title, Status string
				NodeType              string `json:"node_type"`
				Text                  string
				Error                 *string
				Outputs               json.RawMessage
				Elapsed               float64 `json:"elapsed_time"`
			}
		}
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			return fmt.Errorf("the stream holds something that is not JSON: %w", err)
		}
		if inText && ev.Event != "text_chunk" {
			fmt.Fprintln(s.Out)
			inText = false
		}
		at := fmt.Sprintf("  %5d ms  ", clock.Since(s.Clock, start).Milliseconds())
		switch ev.Event {
		case "text_chunk":
			if !inText && strings.TrimSpace(ev.Data.Text) != "" {
				fmt.Fprint(s.Out, at, "text      ")
				inText = true
			}
			if inText {
				fmt.Fprint(s.Out, ev.Data.Text)
			}
		case "node_finished":
			fmt.Fprintf(s.Out, "%snode      %-28s %s (%.1f ms)\n", at, ev.Data.Title+" ["+ev.Data.NodeType+"]", ev.Data.Status, ev.Data.Elapsed*1000)
		case "workflow_finished":
			fmt.Fprintf(s.Out, "%sfinished  %s\n%s\n", at, ev.Data.Status, indent(ev.Data.Outputs))
			if ev.Data.Status != "succeeded" {
				reason := ev.Data.Status
				if ev.Data.Error != nil {
					reason = *ev.Data.Error
				}
				return fmt.Errorf("the run did not succeed: %s", reason)
			}
			return nil
		case "error":
			return errors.New("the run ended with an error: " + data)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("the stream ended before the run did")
}

func indent(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "             ", "  ") != nil {
		return string(raw)
	}
	return "             " + b.String()
}

func (s *session) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// call makes a console request and decodes the answer into out.
func (s *session) call(ctx context.Context, method, path string, body, out any) error {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Base+path, reader)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.csrf != "" {
		req.Header.Set("X-CSRF-Token", s.csrf)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // the whole body is read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s answered %d: %s", method, path, res.StatusCode, bytes.TrimSpace(text))
	}
	if out == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, out)
}
