package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/api/service"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/assist"
	"github.com/millrace/millrace/shared/chat/memchat"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/humaninput/memforms"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/llm/memllm"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/run/history/memhistory"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	asks "github.com/millrace/millrace/shared/workflow/node/humaninput"
	"github.com/millrace/millrace/shared/workflow/value"
)

// apps are apps by their key; it also is the source of graphs.
type apps struct {
	mu    sync.Mutex
	byKey map[string]*service.App
	flows map[string]*service.Workflow // by app and by workflow id
	users map[string]service.EndUser
}

func (a *apps) WorkspaceByKey(_ context.Context, key string) (string, error) {
	if key != "dataset-key" {
		return "", errs.New(errs.Unauthorized, "Access token is invalid")
	}
	return tenantID, nil
}

// typed lists one model of each type that there is.
type typed struct{}

func (typed) ModelsOfType(_ context.Context, tenant, modelType string) ([]provider.ProviderModelsView, error) {
	if modelType != "llm" {
		return nil, errs.Newf(errs.InvalidParam, "'%s' is not a valid ModelType", modelType)
	}
	return []provider.ProviderModelsView{{TenantID: tenant, Provider: "p"}}, nil
}

func (a *apps) AppByKey(_ context.Context, key string) (*service.App, error) {
	if app, ok := a.byKey[key]; ok {
		return app, nil
	}
	return nil, errs.New(errs.Unauthorized, "Access token is invalid")
}

func (a *apps) About(context.Context, string, string) (service.About, error) {
	return service.About{AuthorName: "Ann"}, nil
}

func (a *apps) Site(context.Context, string, string) (app.Site, error) {
	icon := "🤖"
	return app.Site{Title: "site", DefaultLanguage: "en-US", Icon: &icon}, nil
}

func (a *apps) find(id string) (*service.Workflow, error) {
	if w, ok := a.flows[id]; ok {
		return w, nil
	}
	return nil, errs.New(errs.NotFound, "")
}

func (a *apps) Published(_ context.Context, app *service.App) (*service.Workflow, error) {
	return a.find(app.ID)
}

func (a *apps) Version(_ context.Context, _, _, id string) (*service.Workflow, error) {
	return a.find(id)
}

func (a *apps) EndUser(_ context.Context, tenantID, appID, session string, anonymous bool) (service.EndUser, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.users[session]; !ok {
		a.users[session] = service.EndUser{ID: ids.Random(), TenantID: tenantID, AppID: appID, Type: "service-api", SessionID: session, Anonymous: anonymous}
	}
	return a.users[session], nil
}

func (a *apps) EndUserByID(_ context.Context, _, _, id string) (service.EndUser, error) {
	for _, u := range a.users {
		if u.ID == id {
			return u, nil
		}
	}
	return service.EndUser{}, errs.New(errs.NotFound, "")
}

// Definition implements run.GraphSource.
func (a *apps) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	w, err := a.find(id)
	if err != nil {
		return nil, err
	}
	return &run.Definition{ID: w.ID, TenantID: tenantID, Type: "workflow", Version: "v1", Graph: string(w.Graph)}, nil
}

// models is a workspace with one model.
type models struct{ driver llm.Driver }

func (m models) Default(context.Context, string, llm.ModelType) (*llm.Model, error) {
	return llm.New("p", &llm.Schema{Model: "m"}, m.driver, nil), nil
}

func (m models) Model(context.Context, string, string, provider.ModelRef) (*llm.Model, error) {
	return nil, errs.New(errs.ProviderNotInitialize, "")
}

// world is the API over parts in memory. Apps: app-flow is a workflow, app-chat
// a chatflow, app-bare a workflow that was never published, app-basic a chat
// app. An "http-request" node waits for release and then says what it was told.
type world struct {
	t       *testing.T
	apps    *apps
	runs    *run.Service
	chats   *memchat.Store
	logs    *memhistory.Store
	model   *memllm.Driver
	files   *file.Memory
	clock   *clock.Fake
	server  *httptest.Server
	forms   *humaninput.Service
	release chan string
	over    chan struct{} // closed when the test ends: nothing waits any more
}

const (
	flowID, chatID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	tenantID       = "99999999-9999-4999-8999-999999999999"
)

const variables = `[{"variable":"q","label":"q","type":"text-input","required":true,"max_length":5},{"variable":"f","label":"f","type":"file","allowed_file_types":["document"],"allowed_file_upload_methods":["local_file"]}]`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, chats: memchat.New(), logs: memhistory.New(), model: &memllm.Driver{}, files: file.NewMemory(), release: make(chan string), over: make(chan struct{}),
		clock: clock.NewFake(time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)),
	}
	flow := &service.Workflow{ID: flowID, Features: json.RawMessage(`{"file_upload":{"image":{"enabled":true,"number_limits":2}}}`), Graph: json.RawMessage(fakenode.Graph([]string{
		`{"id":"start","type":"start","title":"Start","variables":` + variables + `}`, `{"id":"h","type":"http-request"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["h","text"]}]}`,
	}, []string{"start", "h"}, []string{"h", "end"}))}
	talk := &service.Workflow{ID: chatID, Features: json.RawMessage(`{"opening_statement":"Hi {{name}}!","suggested_questions_after_answer":{"enabled":true}}`), Graph: json.RawMessage(fakenode.Graph([]string{
		`{"id":"start","type":"start","variables":[{"variable":"name","type":"text-input","default":"you"}]}`, `{"id":"answer","type":"answer","answer":"re {{#sys.query#}}"}`,
	}, []string{"start", "answer"}))}
	w.apps = &apps{
		byKey: map[string]*service.App{
			"app-flow":  {ID: "f", TenantID: tenantID, Name: "Flow", Mode: "workflow"},
			"app-chat":  {ID: "c", TenantID: tenantID, Name: "Chat", Mode: "advanced-chat"},
			"app-bare":  {ID: "b", TenantID: tenantID, Name: "Bare", Mode: "workflow"},
			"app-basic": {ID: "x", TenantID: tenantID, Name: "Basic", Mode: "chat"},
			"app-ask":   {ID: "a", TenantID: tenantID, Name: "Ask", Mode: "workflow"},
			"app-talk":  {ID: "t", TenantID: tenantID, Name: "Talk", Mode: "advanced-chat"},
			"app-other": {ID: "o", TenantID: tenantID, Name: "Other", Mode: "workflow"},
		},
		flows: map[string]*service.Workflow{"f": flow, flowID: flow, "c": talk, chatID: talk, "a": asking(askID, "end"), askID: asking(askID, "end"), "t": asking(talkID, "answer"), talkID: asking(talkID, "answer")},
		users: map[string]service.EndUser{},
	}
	w.runs = run.New(run.Deps{
		Store: runstore.New(memrunstore.New(clock.System{}), 0), Stream: eventstream.New(memstream.New(clock.System{})),
		Types: fakenode.Types(w.call, asks.New(w.asker(), func(ctx context.Context, tenant, id, reason string) error {
			return w.runs.Stop(ctx, tenant, id, reason)
		})),
		Graphs: w.apps, Clock: clock.System{},
	}, run.Options{})
	w.forms = humaninput.New(memforms.New(), humaninput.Options{Waker: w.runs})
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	signer := file.NewSigner("secret", "https://files.example", 0, w.clock)
	d := service.Deps{
		Apps: w.apps, Runs: w.runs, Chats: chat.NewService(w.chats, w.clock.Now), History: history.NewService(w.logs),
		Files: file.NewService(file.Options{Store: w.files, Bucket: bucket, Signer: signer, Client: &http.Client{}, Clock: w.clock}),
		Forms: w.forms, Assistant: assist.New(models{w.model}), Models: typed{}, Clock: w.clock, Hold: true,
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/chat-messages", service.ChatMessages(d))
	mux.Handle("/v1/chat-messages/", service.ChatMessages(d))
	mux.Handle("/v1/completion-messages", service.ChatMessages(d))
	mux.Handle("POST /v1/workflows/", service.WorkflowRun(d))
	mux.Handle("GET /v1/workflows/run/{workflow_run_id}/events", service.WorkflowRun(d))
	mux.Handle("/v1/workflow/", service.WorkflowRun(d))
	mux.Handle("/v1/form/", service.WorkflowRun(d))
	mux.Handle("/v1/", service.Rest(d))
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	t.Cleanup(func() { close(w.over) })
	return w
}

// asker is the world's forms, which are made after the runs that they wake.
func (w *world) asker() asks.Forms { return asker{w} }

type asker struct{ w *world }

func (a asker) Open(ctx context.Context, q humaninput.Ask) (*humaninput.Form, error) {
	return a.w.forms.Open(ctx, q)
}

func (a asker) Form(ctx context.Context, tenant, id string) (*humaninput.Form, error) {
	return a.w.forms.Form(ctx, tenant, id)
}

func (a asker) Settle(ctx context.Context, f *humaninput.Form) (*humaninput.Form, error) {
	return a.w.forms.Settle(ctx, f)
}

func (a asker) Deadline(f *humaninput.Form) (time.Time, string) { return a.w.forms.Deadline(f) }

// call is the effect node: it says one word at once, the rest when released.
func (w *world) call(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	if x.Emit != nil {
		x.Emit(workflow.Chunk{Name: "text", Text: "one "})
	}
	select {
	case rest := <-w.release:
		if rest == "FAIL" {
			return &workflow.Result{}, workflow.Fail("SomeError", "it failed")
		}
		if x.Emit != nil {
			x.Emit(workflow.Chunk{Name: "text", Text: rest, Final: true})
		}
		return &workflow.Result{Outputs: value.Obj("text", "one "+rest)}, nil
	case <-w.over:
		return nil, workflow.Fail("TestOver", "the test is over")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type reply struct {
	status int
	body   string
	header http.Header
}

func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &o), r.body)
	return o
}

// do makes a request with a key; body "" sends none.
func (w *world) do(key, method, path, body string, headers ...string) reply {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	require.NoError(w.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.server.Client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close() //nolint:errcheck // it was read
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return reply{res.StatusCode, string(raw), res.Header}
}

// refused checks an answer's code and, when it is not empty, its message.
func (w *world) refused(r reply, status int, code, message string) {
	w.t.Helper()
	o := r.object(w.t)
	require.Equal(w.t, status, r.status, r.body)
	require.Equal(w.t, code, o["code"], r.body)
	if message != "" {
		require.Equal(w.t, message, strings.TrimSuffix(o["message"].(string), "."))
	}
}

// upload sends a form with files by field name.
func (w *world) upload(user string, files map[string]string) reply {
	w.t.Helper()
	var b strings.Builder
	form := multipart.NewWriter(&b)
	if user != "" {
		require.NoError(w.t, form.WriteField("user", user))
	}
	for field, name := range files {
		part, err := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="` + field + `"; filename="` + name + `"`}, "Content-Type": {"text/plain"},
		})
		require.NoError(w.t, err)
		_, _ = io.WriteString(part, "content of "+name)
	}
	require.NoError(w.t, form.Close())
	return w.do("app-flow", "POST", "/v1/files/upload", b.String(), "Content-Type", form.FormDataContentType())
}

// frame is one event of a stream.
type frame struct {
	id, event, data string
}

func (f frame) object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(f.data), &o), f.data)
	return o
}

// stream is an open event stream.
type stream struct {
	t      *testing.T
	body   io.Closer
	cancel context.CancelFunc
	read   *bufio.Scanner
	header http.Header
}

func (w *world) open(key, method, path, body string, headers ...string) *stream {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, w.server.URL+path, strings.NewReader(body))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.server.Client().Do(r)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(w.t, http.StatusOK, res.StatusCode)
	require.Contains(w.t, res.Header.Get("Content-Type"), "text/event-stream")
	return &stream{t: w.t, body: res.Body, cancel: cancel, read: bufio.NewScanner(res.Body), header: res.Header}
}

// next returns the next frame, pings included; ok is false at the end.
func (s *stream) next() (f frame, ok bool) {
	for s.read.Scan() {
		line := s.read.Text()
		if line == "" {
			return f, true
		}
		switch name, v, _ := strings.Cut(line, ": "); name {
		case "id":
			f.id = v
		case "event":
			f.event = v
		case "data":
			f.data = v
		}
	}
	return f, false
}

// until returns the frames up to the first event with that name.
func (s *stream) until(event string) (list []frame) {
	s.t.Helper()
	for {
		f, ok := s.next()
		require.True(s.t, ok, "the stream ended before %s", event)
		if f.data == "" {
			continue
		}
		list = append(list, f)
		if f.object(s.t)["event"] == event {
			return list
		}
	}
}

// rest returns the remaining frames without pings.
func (s *stream) rest() (list []frame) {
	for {
		f, ok := s.next()
		if !ok {
			return list
		}
		if f.data != "" {
			list = append(list, f)
		}
	}
}

func events(t *testing.T, list []frame) []string {
	t.Helper()
	var out []string
	for _, f := range list {
		out = append(out, f.object(t)["event"].(string))
	}
	return out
}
