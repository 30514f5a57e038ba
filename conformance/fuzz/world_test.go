package fuzz

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/service"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/memapp"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/memchat"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/humaninput/memforms"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/memllm"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/sandbox"
	sandboxdriver "github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/builtin/codetool"
	"github.com/millrace/millrace/shared/tool/builtin/timetool"
	tooldriver "github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/node"
	"github.com/millrace/millrace/shared/workflow/node/answer"
	"github.com/millrace/millrace/shared/workflow/node/assigner"
	"github.com/millrace/millrace/shared/workflow/node/code"
	"github.com/millrace/millrace/shared/workflow/node/documentextractor"
	"github.com/millrace/millrace/shared/workflow/node/end"
	"github.com/millrace/millrace/shared/workflow/node/httprequest"
	asks "github.com/millrace/millrace/shared/workflow/node/humaninput"
	"github.com/millrace/millrace/shared/workflow/node/ifelse"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/node/listoperator"
	llmnode "github.com/millrace/millrace/shared/workflow/node/llm"
	"github.com/millrace/millrace/shared/workflow/node/loop"
	"github.com/millrace/millrace/shared/workflow/node/loopend"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/node/parameterextractor"
	"github.com/millrace/millrace/shared/workflow/node/questionclassifier"
	"github.com/millrace/millrace/shared/workflow/node/start"
	"github.com/millrace/millrace/shared/workflow/node/templatetransform"
	toolnode "github.com/millrace/millrace/shared/workflow/node/tool"
	"github.com/millrace/millrace/shared/workflow/node/variableaggregator"
)

const (
	tenantID  = "99999999-9999-4999-8999-999999999999"
	accountID = "88888888-8888-4888-8888-888888888888"
	// pace is how much faster than on the wall time passes here: retries, waits
	// and limits of runs are as long as everywhere and still no test waits.
	pace = 1200
)

// hurried is a clock that runs pace times as fast.
type hurried struct{ began time.Time }

func (h hurried) Now() time.Time { return h.began.Add(time.Since(h.began) * pace) }

func (h hurried) After(d time.Duration) <-chan time.Time {
	return clock.System{}.After(max(d/pace, 0))
}

// echo answers requests with what they were, in the form that the URL asks for.
type echo struct{}

func (echo) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, 1<<20)); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	res := &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: r}
	raw, err := json.Marshal(map[string]any{"method": r.Method, "url": r.URL.String(), "body": string(body)})
	if err != nil {
		return nil, err
	}
	res.Header.Set("Content-Type", "application/json")
	switch h := hash(r.URL.Path) % 8; {
	case strings.Contains(r.URL.Path, "status"), h == 0:
		res.StatusCode, res.Status = 503, "503 Service Unavailable"
	case h == 1:
		return nil, errors.New("connection refused")
	case h == 2:
		res.Header.Set("Content-Type", "image/png")
		raw = []byte("\x89PNG\r\n\x1a\n\x00\x00")
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return res, nil
}

// pretend is a sandbox that runs nothing: what it answers follows from the code.
type pretend struct{}

func (pretend) Run(_ context.Context, req *sandboxdriver.Request) (*sandboxdriver.Response, error) {
	answers := []string{
		`{"result":"text","items":["a","b","c"],"n":1,"ok":true}`, `{"result":3,"items":[1,2.5,-1e300],"o":{"a":{"b":[]}}}`,
		`{"result":["x",1,null,{"k":"v"}]}`, `{"result":{"a":1}}`, `{}`, `{"result":null}`, `{"result":1e400}`, `[1]`, `{"result":"` + strings.Repeat("ü", 3000) + `"}`,
	}
	h := hash(req.Code)
	if h%11 == 10 {
		return nil, sandboxdriver.Errorf(sandboxdriver.User, "ZeroDivisionError: division by zero")
	}
	return &sandboxdriver.Response{Output: json.RawMessage(answers[h%uint64(len(answers))])}, nil
}

func (pretend) Close() error { return nil }

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, s)
	return h.Sum64()
}

// models is a workspace in which every model is there.
type models struct{ driver llm.Driver }

func (m models) Model(_ context.Context, _, providerID string, ref provider.ModelRef) (*llm.Model, error) {
	return llm.New(providerID, &llm.Schema{Model: ref.Model, Features: []llm.Feature{"tool-call", "vision", "structured-output"}}, m.driver, nil), nil
}

// say is the model: what it answers follows from what it is asked, and is
// sometimes JSON, sometimes a call of a tool.
func say(req *llm.DriverRequest) ([]llm.Chunk, error) {
	var all strings.Builder
	for _, m := range req.Messages {
		all.WriteString(m.Content())
	}
	h := hash(all.String())
	usage := &llm.Usage{PromptTokens: 1, CompletionTokens: 1}
	if h%13 == 0 {
		return nil, &llm.Error{Kind: llm.KindOfStatus(429), Status: 429, Message: "slow down"}
	}
	if len(req.Tools) > 0 && h%2 == 0 {
		return []llm.Chunk{
			{ToolCalls: []llm.ToolCall{{ID: "c", Name: req.Tools[0].Name, Arguments: `{"name":"Ann","age":"x","tags":[1]}`}}}, {FinishReason: "tool_calls", Usage: usage},
		}, nil
	}
	texts := []string{"plain words of a model", `{"category_id":"1","category_name":"a"}`, "```json\n{\"name\": [1, {}]}\n```", "<think>hm", "", "<think>a</think>b", `{"a":`}
	return []llm.Chunk{{Text: texts[h%uint64(len(texts))]}, {FinishReason: "stop", Usage: usage}}, nil
}

// sealed is plain text with a mark: what matters here is that secrets come back.
type sealed struct{}

func (sealed) Seal(_ context.Context, tenant, text string) (string, error) {
	return "sealed:" + tenant + ":" + text, nil
}

func (sealed) Unseal(_ context.Context, tenant, text string) (string, error) {
	out, ok := strings.CutPrefix(text, "sealed:"+tenant+":")
	if !ok {
		return "", fmt.Errorf("%q was not sealed for %s", text, tenant)
	}
	return out, nil
}

// complaints is a log handler that keeps what must not be said: that something
// failed unexpectedly.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (c *complaints) WithAttrs([]slog.Attr) slog.Handler           { return c }
func (c *complaints) WithGroup(string) slog.Handler                { return c }

func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, text)
	return nil
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// world is Millrace on stores in memory.
type world struct {
	apps   *app.Service
	runs   *run.Service
	store  *memrunstore.Driver
	api    http.Handler
	log    *complaints
	bucket *blob.Bucket
}

func newWorld() *world {
	c := hurried{time.Now()}
	w := &world{store: memrunstore.New(c), log: &complaints{}, bucket: memblob.OpenBucket(nil)}
	log := slog.New(w.log)
	w.apps = app.New(memapp.New(), sealed{}, ephemeral.NewMemory(c), &app.Options{Clock: c, KeyTTL: -1})
	client := &http.Client{Transport: echo{}}
	files := file.NewService(file.Options{
		Store: file.NewMemory(), Bucket: w.bucket, Client: client, Signer: file.NewSigner("secret", "https://files.example", 0, c), Clock: c,
	})
	chats := chat.NewService(memchat.New(), c.Now)
	forms := humaninput.New(memforms.New(), humaninput.Options{Clock: c, WebURL: "https://web.example"})
	w.runs = run.New(run.Deps{
		Store: runstore.New(w.store, 100*time.Hour), Stream: eventstream.New(memstream.New(c)), Types: w.types(client, files, forms, c),
		Graphs: w.apps, Clock: c,
	}, run.Options{Log: log, Engine: engine.Options{MaxTime: limit * pace, MaxEvents: 30_000}})
	d := service.Deps{
		Apps: &view{w.apps}, Runs: w.runs, Chats: chats, Files: files, Forms: forms, Clock: c, Logger: log, Hold: true, Ping: time.Hour,
	}
	mux := http.NewServeMux()
	mux.Handle("POST /v1/chat-messages", service.ChatMessages(d))
	mux.Handle("POST /v1/workflows/", service.WorkflowRun(d))
	w.api = mux
	return w
}

func (w *world) close(t testing.TB) {
	if err := w.bucket.Close(); err != nil {
		t.Error(err)
	}
}

func (w *world) types(client *http.Client, files *file.Service, forms *humaninput.Service, c clock.Clock) *node.Registry {
	all := models{&memllm.Driver{Script: say}}
	box := sandbox.New(pretend{}, sandbox.Options{})
	tools := tool.New(tool.Options{
		Runtimes: map[tool.ProviderType]tooldriver.Runtime{tooldriver.Builtin: builtin.New(codetool.New(box), timetool.New(c))}, Files: files,
	})
	return node.NewRegistry(
		start.New(), end.New(), answer.New(), templatetransform.New(templatetransform.Options{MaxLength: 400_000}), ifelse.New(),
		variableaggregator.New(), variableaggregator.NewLegacy(), listoperator.New(), iteration.New(), loop.New(), loopend.New(), assigner.New(),
		asks.New(forms, func(ctx context.Context, tenant, id, reason string) error {
			return w.runs.Stop(ctx, tenant, id, reason)
		}),
		documentextractor.New(files, nil), httprequest.New(httprequest.Options{Client: client, Insecure: client, Files: files}),
		llmnode.New(all, llmnode.Options{}), questionclassifier.New(all, modelcall.Options{}), parameterextractor.New(all, modelcall.Options{}),
		toolnode.New(tools, toolnode.Options{}), code.New(box, code.Options{}),
	)
}

// view shows apps to the service API.
type view struct{ *app.Service }

func (v *view) AppByKey(ctx context.Context, key string) (*service.App, error) {
	x, err := v.ByKey(ctx, key)
	if err != nil {
		return nil, err
	}
	return &service.App{ID: x.App.ID, TenantID: x.App.TenantID, Name: x.App.Name, Mode: x.App.Mode, WorkflowID: x.App.WorkflowID}, nil
}

func (v *view) WorkspaceByKey(context.Context, string) (string, error) { return tenantID, nil }

func (v *view) About(context.Context, string, string) (service.About, error) {
	return service.About{}, nil
}

func (v *view) Published(ctx context.Context, x *service.App) (*service.Workflow, error) {
	return shown(v.Service.Published(ctx, app.App{ID: x.ID, TenantID: x.TenantID, WorkflowID: x.WorkflowID}))
}

func (v *view) Version(ctx context.Context, tenant, appID, id string) (*service.Workflow, error) {
	return shown(v.Service.Version(ctx, tenant, appID, id))
}

func shown(w app.Workflow, err error) (*service.Workflow, error) {
	return &service.Workflow{ID: w.ID, Graph: json.RawMessage(w.Graph), Features: json.RawMessage(w.Features)}, err
}

func (v *view) EndUser(ctx context.Context, tenant, appID, session string, _ bool) (service.EndUser, error) {
	u, err := v.Service.EndUser(ctx, tenant, appID, app.EndUserService, session)
	return service.EndUser{ID: u.ID, TenantID: u.TenantID, AppID: u.AppID, Type: u.Type, SessionID: u.SessionID}, err
}

func (v *view) EndUserByID(ctx context.Context, tenant, appID, id string) (service.EndUser, error) {
	u, err := v.Service.EndUserByID(ctx, tenant, appID, id)
	return service.EndUser{ID: u.ID, TenantID: u.TenantID, AppID: u.AppID, Type: u.Type, SessionID: u.SessionID}, err
}

// post makes a request to the service API.
func (w *world) post(ctx context.Context, key, path string, body any) (*httptest.ResponseRecorder, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(raw))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+key)
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec, nil
}

var _ workflow.Type = start.New()
