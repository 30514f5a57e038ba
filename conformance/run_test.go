package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
)

// fake is a server that speaks just enough for a case that uses every part of
// the format. Fields of it change what it answers.
type fake struct {
	t *testing.T

	mu       sync.Mutex
	polls    int
	stopped  chan struct{}
	stop     sync.Once
	requests []string

	// finalEvent is the last event of its stream.
	finalEvent string
	// otherID makes the second answer name another run than the first.
	otherID bool
}

func newFake(t *testing.T) *fake {
	return &fake{t: t, stopped: make(chan struct{}), finalEvent: "finished"}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	call := r.Method + " " + r.URL.RequestURI()
	f.mu.Lock()
	f.requests = append(f.requests, call)
	f.mu.Unlock()
	answer := func(status int, text string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	switch call {
	case "GET /console/api/setup":
		answer(200, `{"step":"not_started"}`)
	case "POST /console/api/login":
		http.SetCookie(w, &http.Cookie{Name: "csrf_token", Value: "c1", Path: "/"})
		answer(200, `{"result":"success"}`)
	case "POST /console/api/apps/imports":
		answer(200, `{"status":"pending","id":"i1"}`)
	case "POST /console/api/apps/imports/i1/confirm":
		answer(200, `{"status":"completed","app_id":"`+one+`","app_mode":"workflow"}`)
	case "POST /console/api/apps/" + one + "/api-keys":
		answer(201, `{"token":"app-ABCDEFGHIJKLMNOPQRSTUVWX"}`)
	case "GET /console/api/apps/" + one:
		answer(200, `{"id":"`+one+`","site":{"code":"AbCdEfGh12345678"},"csrf":"`+r.Header.Get("X-CSRF-Token")+`"}`)
	case "GET /api/passport":
		answer(200, `{"access_token":"pass-of-`+r.Header.Get("X-App-Code")+`"}`)
	case "GET /api/me":
		answer(200, fmt.Sprintf(`{"passport":%q}`, r.Header.Get("X-App-Passport")))
	case "POST /v1/upload?size=5&tag=a+b":
		f.upload(answer, r, body)
	case "POST /v1/run":
		f.stream(w, string(body))
	case "POST /v1/stop/t1":
		f.stop.Do(func() { close(f.stopped) })
		answer(200, `{"result":"success","by":"`+r.Header.Get("Authorization")+`"}`)
	case "GET /v1/run/" + one:
		f.mu.Lock()
		f.polls++
		status := map[bool]string{true: "succeeded", false: "running"}[f.polls > 2]
		f.mu.Unlock()
		id := one
		if f.otherID {
			id = two
		}
		answer(200, `{"id":"`+id+`","status":"`+status+`","created_at":1712345678,"n":3}`)
	case "DELETE /v1/thing/3":
		answer(409, `{}`)
	default:
		answer(200, `{}`)
	}
}

func (f *fake) upload(answer func(int, string), r *http.Request, body []byte) {
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		answer(400, `{"message":"`+err.Error()+`"}`)
		return
	}
	file := r.MultipartForm.File["file"][0]
	text, _ := json.Marshal(map[string]any{"user": r.FormValue("user"), "name": file.Filename, "size": file.Size,
		"type": file.Header.Get("Content-Type")})
	answer(201, string(text))
}

// stream sends half of its events and the rest only when the run was stopped.
func (f *fake) stream(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := func(text string) {
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
	}
	flush("event: ping\n\ndata: {\"event\":\"started\",\"task_id\":\"t1\",\"run\":\"" + one + "\"}\n\n")
	flush("data: {\"event\":\"text_chunk\",\"data\":{\"text\":\"a\",\"node_id\":\"n\"}}\r\n\r\ndata: {\"event\":\"text_chunk\",\"data\":{\"text\":\"b\",\"node_id\":\"n\"}}\n\n")
	<-f.stopped
	text, _ := json.Marshal(map[string]any{"event": f.finalEvent, "asked": json.RawMessage(body)})
	flush("id: 3\ndata: " + string(text) + "\n\n")
}

const fakeCase = `
title: everything
apps:
  app: {site: true}
steps:
- name: upload
  request: POST /v1/upload
  params: {size: 5, tag: a b}
  form: {user: "${nonce}"}
  files: {file: {name: 'a b.txt', type: text/plain, content: hello}}
- name: run
  request: POST /v1/run
  json: {app: "${app_id}", n: [1, 2.5, null]}
  sse: true
  capture: {run: '$.events[0].run'}
  during:
  - after: text_chunk
    node: n
    steps:
    - {name: stop, request: POST /v1/stop/t1, auth: 'bearer:tok'}
- name: wait for it
  request: GET /v1/run/${run}
  poll: {until: {$.status: [succeeded, failed]}, interval: 0.001}
  capture: {n: $.n}
  cleanup: ['DELETE /v1/thing/${n}']
- {name: who, request: GET /api/me, auth: web}
- name: app
  request: GET /console/api/apps/${app_id}
  auth: console
- {request: GET /other, record: false, expect_status: 200}
`

const fakeRecording = `{"steps":[
 {"name":"upload","response":{"status":201,"type":"application/json","body":{"user":"<nonce>","name":"a b.txt","size":5,"type":"text/plain"}}},
 {"name":"stop","response":{"status":200,"type":"application/json","body":{"result":"success","by":"Bearer tok"}}},
 {"name":"run","response":{"status":200,"type":"text/event-stream","events":[
  {"event":"started","task_id":"t1","run":"<uuid:1>"},
  {"event":"text_chunk","data":{"text":"ab","node_id":"n"}},
  {"event":"finished","asked":{"app":"<uuid:1>","n":[1,2.5,null]}}]}},
 {"name":"wait for it","response":{"status":200,"type":"application/json","body":{"id":"<uuid:1>","status":"succeeded","created_at":"<ts>","n":3}}},
 {"name":"who","response":{"status":200,"type":"application/json","body":{"passport":"pass-of-<site-code>"}}},
 {"name":"app","response":{"status":200,"type":"application/json","body":{"id":"<uuid:1>","site":{"code":"<site-code>"},"csrf":"c1"}}}
]}`

// impatient is a clock on which every wait is over at once.
type impatient struct{ clock.System }

func (impatient) After(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- time.Time{}
	return c
}

// run runs the case against the fake.
func (f *fake) run(recording string) Result {
	t := f.t
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	cases, err := Load(fstest.MapFS{
		"001-all/case.yml":      {Data: []byte(fakeCase)},
		"001-all/app.yml":       {Data: []byte("app: {mode: workflow, name: 'at ${echo}'}")},
		"001-all/expected.json": {Data: []byte(recording)},
	})
	require.NoError(t, err)
	target, err := Open(t.Context(), srv.URL, Options{NoModels: true, MockURL: "http://mock.test/v1", EchoURL: "http://echo.test", Clock: impatient{}})
	require.NoError(t, err)
	require.Len(t, cases, 1)
	return target.Run(t.Context(), cases[0])
}

func TestRunUsesEveryPartOfTheFormat(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	r := f.run(fakeRecording)
	require.Empty(t, r.Failures)
	require.Empty(t, r.Notes)
	require.Contains(t, f.requests, "POST /console/api/apps/"+one+"/workflows/publish")
	require.Contains(t, f.requests, "DELETE /console/api/apps/"+one)
	require.Contains(t, f.requests, "DELETE /v1/thing/3")
}

func TestRunFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change    func(*fake)
		recording func(string) string
		want      string
	}{
		"another event":  {change: func(f *fake) { f.finalEvent = "failed" }, want: `step 3 (run) $.events[2].event: expected "finished", got "failed"`},
		"another run":    {change: func(f *fake) { f.otherID = true }, want: "step 4 (wait for it) $.body.id: identity"},
		"fewer events":   {recording: replace(`{"event":"started","task_id":"t1","run":"<uuid:1>"},`, ""), want: "events received: started text_chunk:n finished"},
		"another text":   {recording: replace(`"ab"`, `"abc"`), want: `step 3 (run) $.events[1].data.text: expected "abc", got "ab"`},
		"another status": {recording: replace(`{"status":201`, `{"status":200`), want: "step 1 (upload) $.status: expected 200, got 201"},
		"a missing step": {recording: replace(`{"name":"who"`, `{"name":"nobody"},{"name":"who"`), want: "expected 7 recorded steps, got 6"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, recording := newFake(t), fakeRecording
			if c.change != nil {
				c.change(f)
			}
			if c.recording != nil {
				recording = c.recording(recording)
			}
			r := f.run(recording)
			require.NotEmpty(t, r.Failures)
			all := ""
			for _, x := range r.Failures {
				all += x.String() + "\n"
			}
			require.Contains(t, all, c.want)
		})
	}
}

func replace(old, new string) func(string) string {
	return func(s string) string {
		return strings.Replace(s, old, new, 1)
	}
}

func TestRequote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://x/a b?q=ä&r=%41": "http://x/a%20b?q=%C3%A4&r=%41", "http://x/100%": "http://x/100%25", "http://x/[1]?a={b}": "http://x/[1]?a=%7Bb%7D",
	} {
		require.Equal(t, want, requote(in))
	}
}
