// Package mockmodel is a deterministic OpenAI-compatible server. What it
// answers is a pure function of the request, so that a transcript recorded
// once can be compared with one made much later. Tokens are counted as words.
//
// It is used by the demo when no real provider is configured, and by tests. It
// is no emulation of any model. What it understands in the last user message
// is listed at decide in decide.go; the endpoints are below /v1, plus
//
//	GET    /health    200 when it listens
//	GET    /__calls   what was called how often, by Idempotency-Key too
//	DELETE /__calls   forgets that
package mockmodel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	created = 1700000000
	// headerPatience bounds the wait for the head of a request.
	headerPatience = time.Minute
)

// Models are the names that the list of models shows; any name is answered.
func Models() []string {
	return []string{"mock-chat", "mock-chat-2", "mock-think", "mock-completion", "mock-embed", "mock-rerank",
		"mock-tts", "mock-stt", "mock-moderation"}
}

// Options tunes a Server. The zero value works.
type Options struct {
	// Clock makes the waits of SLOW; nil means the machine's.
	Clock clock.Clock
}

// Server answers like a model API and counts its calls. It is safe for
// concurrent use.
type Server struct {
	clock clock.Clock
	calls callLog
	mux   *http.ServeMux
}

// New returns a server; mount it with Handler.
func New(opts *Options) *Server {
	s := &Server{clock: clock.System{}, mux: http.NewServeMux()}
	if opts != nil && opts.Clock != nil {
		s.clock = opts.Clock
	}
	for path, h := range map[string]func(*call) error{
		"/chat/completions": s.chat, "/completions": s.completion, "/embeddings": s.embeddings, "/rerank": s.rerank,
		"/audio/speech": s.speech, "/moderations": s.moderations, "/audio/transcriptions": s.transcribe,
	} {
		for _, prefix := range []string{"", "/v1"} {
			s.mux.HandleFunc("POST "+prefix+path, s.serve(path, h))
		}
	}
	for _, path := range []string{"/models", "/v1/models"} {
		s.mux.HandleFunc("GET "+path, listModels)
	}
	s.mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, value.Obj("status", "ok"))
	})
	s.mux.HandleFunc("GET /__calls", s.showCalls)
	s.mux.HandleFunc("DELETE /__calls", func(w http.ResponseWriter, _ *http.Request) {
		s.calls.reset()
		w.WriteHeader(http.StatusNoContent)
	})
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { writeError(w, http.StatusNotFound, "no such route") })
	return s
}

// Handler returns the server's routes.
func (s *Server) Handler() http.Handler { return s.mux }

// Serve answers the connections of l until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s.mux, ReadHeaderTimeout: headerPatience}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("mockmodel: %w", err)
	}
	return nil
}

// failure is an answer that the request asked for.
type failure struct {
	status  int
	message string
}

func (f *failure) Error() string { return f.message }

// call is one request while it is answered.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	body *value.Object
	raw  []byte
	log  *logged
}

func (s *Server) serve(path string, h func(*call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		c := &call{w: w, r: r, raw: raw, body: value.NewObject(0)}
		if path != "/audio/transcriptions" && len(raw) > 0 {
			v, err := value.Decode(raw)
			body, ok := v.(*value.Object)
			if err != nil || !ok {
				writeError(w, http.StatusBadRequest, "bad request: the body is not a JSON object")
				return
			}
			c.body = body
		}
		c.log = s.calls.start(path, c.body, r.Header.Get("Idempotency-Key"))
		err = h(c)
		var asked *failure
		switch {
		case errors.As(err, &asked):
			writeError(w, asked.status, asked.message)
		case err != nil:
			return // the client went away
		}
		s.calls.finish(c.log)
	}
}

func listModels(w http.ResponseWriter, _ *http.Request) {
	var data []any
	for _, m := range Models() {
		data = append(data, value.Obj("id", m, "object", "model", "created", created, "owned_by", "mock"))
	}
	writeJSON(w, http.StatusOK, value.Obj("object", "list", "data", data))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := value.Encode(v)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func writeError(w http.ResponseWriter, status int, message string) {
	kind := "server_error"
	switch status {
	case http.StatusBadRequest:
		kind = "invalid_request_error"
	case http.StatusUnauthorized:
		kind = "authentication_error"
	case http.StatusTooManyRequests:
		kind = "rate_limit_error"
	}
	writeJSON(w, status, value.Obj("error",
		value.Obj("message", message, "type", kind, "code", fmt.Sprint(status), "param", nil)))
}

// sleep waits as SLOW asks and ends early when the client is gone.
func (s *Server) sleep(c *call, ms int) error {
	return clock.Sleep(c.r.Context(), s.clock, time.Duration(ms)*time.Millisecond)
}

// stream writes server-sent events.
type stream struct {
	w http.ResponseWriter
}

func startStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	return &stream{w: w}
}

func (s *stream) send(v any) error {
	data, err := value.Encode(v)
	if err != nil {
		return err
	}
	return s.raw(string(data))
}

func (s *stream) raw(data string) error {
	if _, err := io.WriteString(s.w, "data: "+data+"\n\n"); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

func (s *Server) chat(c *call) error {
	messages := objects(c.body.Value("messages"))
	answer, err := decide(messages, c.body)
	if err != nil {
		return err
	}
	limit := intOf(c.body.Value("max_tokens"))
	if limit == 0 {
		limit = intOf(c.body.Value("max_completion_tokens"))
	}
	text, reason := cut(answer.text, c.body.Value("stop"), limit)
	prompt := 0
	for _, m := range messages {
		prompt += count(contentText(m.Value("content")))
	}
	done := count(text)
	if answer.call != nil {
		reason = "tool_calls"
		done += count(answer.call.name) + count(answer.call.arguments)
	}
	usage := value.Obj("prompt_tokens", prompt, "completion_tokens", done, "total_tokens", prompt+done)
	base := func(object string, choices []any, extra ...any) *value.Object {
		o := value.Obj("id", "chatcmpl-"+shortHash(c.body.Value("messages")), "created", created,
			"model", c.body.Value("model"), "system_fingerprint", "fp_mock", "object", object, "choices", choices)
		for i := 0; i+1 < len(extra); i += 2 {
			o.Set(extra[i].(string), extra[i+1])
		}
		return o
	}
	if !truthy(c.body.Value("stream")) {
		if err := s.sleep(c, answer.wait); err != nil {
			return err
		}
		msg := value.Obj("role", "assistant", "content", text)
		if answer.call != nil {
			msg = value.Obj("role", "assistant", "content", nil, "tool_calls", []any{answer.call.object(-1)})
		}
		writeJSON(c.w, http.StatusOK, base("chat.completion", []any{value.Obj(
			"index", 0, "message", msg, "logprobs", nil, "finish_reason", reason)}, "usage", usage))
		return nil
	}
	out := startStream(c.w)
	send := func(delta *value.Object, finish any) error {
		return out.send(base("chat.completion.chunk", []any{value.Obj(
			"index", 0, "delta", delta, "logprobs", nil, "finish_reason", finish)}))
	}
	if err := send(value.Obj("role", "assistant", "content", ""), nil); err != nil {
		return err
	}
	if answer.call != nil {
		if err := send(value.Obj("tool_calls", []any{answer.call.object(0)}), nil); err != nil {
			return err
		}
	}
	for _, piece := range pieces(text) {
		if err := s.sleep(c, answer.wait); err != nil {
			return err
		}
		if err := send(value.Obj("content", piece), nil); err != nil {
			return err
		}
	}
	if err := send(value.NewObject(0), reason); err != nil {
		return err
	}
	return s.endStream(c, out, base("chat.completion.chunk", []any{}, "usage", usage))
}

// endStream sends the usage, when it is wanted, and the mark of the end.
func (s *Server) endStream(c *call, out *stream, last *value.Object) error {
	if opts, ok := c.body.Value("stream_options").(*value.Object); ok && truthy(opts.Value("include_usage")) {
		if err := out.send(last); err != nil {
			return err
		}
	}
	return out.raw("[DONE]")
}

func (s *Server) completion(c *call) error {
	prompt := promptText(c.body.Value("prompt"))
	answer, err := decide([]*value.Object{value.Obj("role", "user", "content", prompt)}, completionBody(c.body))
	if err != nil {
		return err
	}
	text, reason := cut(answer.text, c.body.Value("stop"), intOf(c.body.Value("max_tokens")))
	in, done := count(prompt), count(text)
	usage := value.Obj("prompt_tokens", in, "completion_tokens", done, "total_tokens", in+done)
	named := any(prompt)
	if c.body.Value("prompt") == nil {
		named = nil // no prompt is not the empty one
	}
	base := func(choices []any, extra ...any) *value.Object {
		o := value.Obj("id", "cmpl-"+shortHash(named), "object", "text_completion", "created", created,
			"model", c.body.Value("model"), "choices", choices)
		for i := 0; i+1 < len(extra); i += 2 {
			o.Set(extra[i].(string), extra[i+1])
		}
		return o
	}
	choice := func(text string, finish any) []any {
		return []any{value.Obj("index", 0, "text", text, "logprobs", nil, "finish_reason", finish)}
	}
	if !truthy(c.body.Value("stream")) {
		if err := s.sleep(c, answer.wait); err != nil {
			return err
		}
		writeJSON(c.w, http.StatusOK, base(choice(text, reason), "usage", usage))
		return nil
	}
	out := startStream(c.w)
	for _, piece := range pieces(text) {
		if err := s.sleep(c, answer.wait); err != nil {
			return err
		}
		if err := out.send(base(choice(piece, nil))); err != nil {
			return err
		}
	}
	if err := out.send(base(choice("", reason))); err != nil {
		return err
	}
	return s.endStream(c, out, base([]any{}, "usage", usage))
}

// completionBody leaves out what only chat requests have.
func completionBody(body *value.Object) *value.Object {
	o := body.Clone()
	o.Delete("tools")
	o.Delete("response_format")
	return o
}

func promptText(v any) string {
	switch p := v.(type) {
	case string:
		return p
	case []any:
		parts := make([]string, len(p))
		for i, x := range p {
			parts[i] = value.Str(x)
		}
		return strings.Join(parts, "\n")
	}
	return ""
}

func (s *Server) transcribe(c *call) error {
	writeJSON(c.w, http.StatusOK, value.Obj("text", fmt.Sprintf("transcript of %d bytes", fileSize(c))))
	return nil
}

// fileSize returns the size of the part named file, or of the whole body when
// that is no form.
func fileSize(c *call) int {
	_, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return len(c.raw)
	}
	form := multipart.NewReader(strings.NewReader(string(c.raw)), params["boundary"])
	for {
		part, err := form.NextPart()
		if err != nil {
			return 0
		}
		if part.FormName() == "file" {
			n, _ := io.Copy(io.Discard, part)
			return int(n)
		}
	}
}

func (s *Server) showCalls(w http.ResponseWriter, _ *http.Request) {
	data, err := json.Marshal(s.Calls())
	if err != nil {
		writeError(w, http.StatusInternalServerError, "calls cannot be shown")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}
