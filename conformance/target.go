package conformance

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow/value"
)

// provider is the model provider that the cases use.
const provider = "langgenius/openai_api_compatible/openai_api_compatible"

// Options says how to reach and enter a server. MockURL and EchoURL are needed,
// everything else has a usable zero value.
type Options struct {
	// Email and Password are the administrator's; Open makes the account when
	// the server has none yet.
	Email, Password string
	// SecondEmail and SecondPassword are those of the owner of another
	// workspace. Cases that need one are skipped without them.
	SecondEmail, SecondPassword string
	// MockURL and EchoURL are where the server reaches the model (up to /v1)
	// and the web server.
	MockURL, EchoURL string
	// PublicURLs are further addresses by which the server names itself.
	PublicURLs []string
	// Timeout bounds one request with all that is read of it; 0 is a minute.
	Timeout time.Duration
	// Keep leaves the apps that cases make.
	Keep bool
	// NoModels leaves the model settings alone.
	NoModels bool
	// ResetModels makes the models anew, also when the server has them: they
	// remember where the model was.
	ResetModels bool
	// Clock makes waits; nil means the machine's.
	Clock clock.Clock
	// Transport carries the requests; nil means one of its own.
	Transport http.RoundTripper
}

// Target is a server under test, logged in. Its cases may run at the same
// time, except those that say they are Exclusive.
type Target struct {
	base    string
	opts    Options
	clock   clock.Clock
	console *session

	mu           sync.Mutex
	datasetKey   string
	datasetKeyID string
}

// Open does the first-time setup when the server lacks it, logs in and makes
// sure of the models that the cases use.
func Open(ctx context.Context, base string, opts Options) (*Target, error) {
	t := &Target{base: strings.TrimRight(base, "/"), opts: opts, clock: opts.Clock}
	defaults := []struct {
		to *string
		as string
	}{{&t.opts.Email, "conformance@example.com"}, {&t.opts.Password, "Conform-2026"}, {&t.opts.SecondPassword, "Conform-2026"}}
	for _, d := range defaults {
		if *d.to == "" {
			*d.to = d.as
		}
	}
	if t.clock == nil {
		t.clock = clock.System{}
	}
	if t.opts.Timeout == 0 {
		t.opts.Timeout = time.Minute
	}
	if t.opts.Transport == nil {
		t.opts.Transport = &http.Transport{MaxIdleConnsPerHost: 32}
	}
	t.console = newSession(t.opts.Transport)
	if err := t.login(ctx); err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	if !opts.NoModels {
		if err := t.ensureModels(ctx); err != nil {
			return nil, fmt.Errorf("conformance: %w", err)
		}
	}
	return t, nil
}

// statusError is an answer that a call of the set-up did not expect.
type statusError struct {
	call   string
	status int
	body   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("setup call %s answered %d: %s", e.call, e.status, shorten(e.body, 500))
}

// call makes a console request of the set-up and returns its JSON body.
func (t *Target) call(ctx context.Context, method, path string, body any) (*value.Object, error) {
	r := request{method: method, url: t.base + "/console/api" + path, header: http.Header{}}
	if body != nil {
		r.body = []byte(value.JSONASCII(body))
		r.header.Set("Content-Type", "application/json")
	}
	return t.exchange(ctx, t.console, r)
}

// exchange sends a request that must succeed and returns its JSON body.
func (t *Target) exchange(ctx context.Context, s *session, r request) (*value.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	res, err := s.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]int{200, 201, 202, 204}, res.StatusCode) {
		return nil, &statusError{r.method + " " + strings.TrimPrefix(r.url, t.base), res.StatusCode, string(raw)}
	}
	v, err := value.Decode(raw)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // not every answer has a body
	}
	o, _ := v.(*value.Object)
	return o, nil
}

func (t *Target) login(ctx context.Context) error {
	state, err := t.call(ctx, http.MethodGet, "/setup", nil)
	if err != nil {
		return err
	}
	if state.String("step") == "not_started" {
		if _, err := t.call(ctx, http.MethodPost, "/setup", value.Obj(
			"email", t.opts.Email, "name", "Conformance", "password", t.opts.Password, "language", "en-US")); err != nil {
			return err
		}
	}
	got, err := t.call(ctx, http.MethodPost, "/login", value.Obj("email", t.opts.Email,
		"password", base64.StdEncoding.EncodeToString([]byte(t.opts.Password)), "remember_me", true))
	if err != nil {
		return err
	}
	if got.String("result") != "success" {
		return errors.New("login failed: " + shorten(value.JSON(got), 300))
	}
	t.console.useCSRF(t.base)
	return nil
}

// model is one model of the provider that the mock serves.
type model struct {
	name, kind  string
	credentials *value.Object
}

func (t *Target) models() []model {
	with := func(base *value.Object, kv ...any) *value.Object {
		out := base.Clone()
		for k, v := range value.Obj(kv...).All() {
			out.Set(k, v)
		}
		return out
	}
	base := value.Obj("endpoint_url", t.opts.MockURL, "api_key", "mock-key")
	llm := with(base, "mode", "chat", "context_size", "8192", "max_tokens_to_sample", "4096", "function_calling_type", "tool_call",
		"stream_function_calling", "supported", "vision_support", "no_support", "structured_output_support", "not_supported",
		"stream_mode_delimiter", `\n\n`)
	return []model{
		{"mock-chat", "llm", llm},
		{"mock-chat-2", "llm", with(llm, "function_calling_type", "no_call", "structured_output_support", "supported")},
		{"mock-think", "llm", with(llm, "agent_thought_support", "only_thinking_supported")},
		{"mock-completion", "llm", with(llm, "mode", "completion", "function_calling_type", "no_call")},
		{"mock-embed", "text-embedding", with(base, "context_size", "8192", "max_chunks", "8")},
		{"mock-rerank", "rerank", with(base, "context_size", "8192")},
		{"mock-stt", "speech2text", with(base, "language", "en")},
		{"mock-tts", "tts", with(base, "voices", "alloy,echo", "audio_type", "mp3", "max_workers", "1", "word_limit", "120")},
	}
}

// ensureModels adds the models that the workspace lacks and makes them its
// defaults.
func (t *Target) ensureModels(ctx context.Context) error {
	path := "/workspaces/current/model-providers/" + provider + "/models"
	got, err := t.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	list, _ := got.Value("data").([]any)
	for _, x := range list {
		if m, ok := x.(*value.Object); ok && m.String("status") == "active" {
			have[m.String("model")+" "+m.String("model_type")] = true
		}
	}
	for _, m := range t.models() {
		if have[m.name+" "+m.kind] {
			if !t.opts.ResetModels {
				continue
			}
			if _, err := t.call(ctx, http.MethodDelete, path, value.Obj("model", m.name, "model_type", m.kind)); err != nil {
				return err
			}
		}
		body := value.Obj("model", m.name, "model_type", m.kind, "credentials", m.credentials)
		if _, err := t.call(ctx, http.MethodPost, path+"/credentials", body); err != nil {
			return err
		}
	}
	settings := []any{}
	for _, d := range [][2]string{{"llm", "mock-chat"}, {"text-embedding", "mock-embed"}, {"rerank", "mock-rerank"},
		{"speech2text", "mock-stt"}, {"tts", "mock-tts"}} {
		settings = append(settings, value.Obj("model_type", d[0], "provider", provider, "model", d[1]))
	}
	_, err = t.call(ctx, http.MethodPost, "/workspaces/current/default-model", value.Obj("model_settings", settings))
	return err
}

// keyLimit is how many knowledge base keys a workspace may have.
const keyLimit = 10

// knowledgeKey returns the key for knowledge bases, made at its first use.
func (t *Target) knowledgeKey(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.datasetKey != "" {
		return t.datasetKey, nil
	}
	got, err := t.call(ctx, http.MethodGet, "/datasets/api-keys", nil)
	if err != nil {
		return "", err
	}
	if keys, _ := got.Value("data").([]any); len(keys) >= keyLimit {
		// The oldest is most likely left over from a run that was cut off.
		oldest := slices.MinFunc(keys, func(a, b any) int { return int(createdAt(a) - createdAt(b)) })
		id, _ := dig(oldest, "id")
		_, _ = t.call(ctx, http.MethodDelete, "/datasets/api-keys/"+value.Str(id), nil) // the next call tells
	}
	made, err := t.call(ctx, http.MethodPost, "/datasets/api-keys", nil)
	if err != nil {
		return "", err
	}
	t.datasetKey, t.datasetKeyID = made.String("token"), made.String("id")
	return t.datasetKey, nil
}

func createdAt(v any) float64 {
	at, _ := dig(v, "created_at")
	n, _ := number(at)
	return n
}

// Close removes what the target itself made.
func (t *Target) Close(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.datasetKeyID == "" {
		return nil
	}
	_, err := t.call(ctx, http.MethodDelete, "/datasets/api-keys/"+t.datasetKeyID, nil)
	t.datasetKey, t.datasetKeyID = "", ""
	return err
}
