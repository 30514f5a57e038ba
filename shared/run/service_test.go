package run_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	tenant = "11111111-1111-4111-8111-111111111111"
	appID  = "22222222-2222-4222-8222-222222222222"
	wfID   = "33333333-3333-4333-8333-333333333333"
	userID = "44444444-4444-4444-8444-444444444444"
)

type graphs map[string]string

func (g graphs) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	if g[id] == "" || tenantID != tenant {
		return nil, errs.New(errs.NotFound, "")
	}
	return &run.Definition{ID: id, TenantID: tenantID, AppID: appID, Type: "workflow", Version: "v1", Graph: g[id]}, nil
}

type sender struct {
	mu   sync.Mutex
	sent []run.Message
}

func (s *sender) Send(_ context.Context, _ string, m run.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, m)
	return nil
}

// world is a store, a stream and a queue that any number of services share.
type world struct {
	store  *memrunstore.Driver
	stream *memstream.Driver
	queue  *sender
	graph  string
	call   fakenode.Func
	clock  clock.Clock
}

func newWorld(graph string, call fakenode.Func) *world {
	c := clock.System{}
	return &world{store: memrunstore.New(c), stream: memstream.New(c), queue: &sender{}, graph: graph, call: call, clock: c}
}

func (w *world) service(opts run.Options) *run.Service {
	return run.New(run.Deps{
		Store: runstore.New(w.store, 0), Stream: eventstream.New(w.stream), Types: fakenode.Types(w.call),
		Graphs: graphs{wfID: w.graph}, Clock: w.clock, Sender: w.queue,
	}, opts)
}

func request(kv ...any) run.StartRequest {
	return run.StartRequest{
		TenantID: tenant, AppID: appID, WorkflowID: wfID, Mode: run.ModeWorkflow, InvokeFrom: "service-api", CreatedFrom: "service-api",
		User: run.User{ID: userID, Role: "end_user", SessionID: "user-1"}, Inputs: value.Obj(kv...),
	}
}

func chatRequest(query string) run.StartRequest {
	r := request()
	r.Mode, r.CreatedFrom = run.ModeAdvancedChat, ""
	r.Chat = &run.ChatTurn{ConversationID: "55555555-5555-4555-8555-555555555555", NewConversation: true, MessageID: "66666666-6666-4666-8666-666666666666", Query: query}
	return r
}

// recorder is a client.
type recorder struct {
	mu    sync.Mutex
	items []run.Item
	seen  chan run.Item
}

func newRecorder() *recorder { return &recorder{seen: make(chan run.Item, 1000)} }

func (r *recorder) Item(i run.Item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = append(r.items, i)
	r.seen <- i
	return nil
}

// until waits for an item that match accepts.
func (r *recorder) until(t *testing.T, match func(run.Item) bool) run.Item {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case i := <-r.seen:
			if match(i) {
				return i
			}
		case <-deadline:
			t.Fatalf("the item did not come; there were %v", r.lines())
		}
	}
}

// lines renders items shortly; neighbouring text of one source is joined.
func (r *recorder) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return lines(r.items)
}

func lines(items []run.Item) []string {
	var out []string
	source := ""
	for _, i := range items {
		e := i.Event
		switch e.Type {
		case workflow.EventText:
			if s := "text " + e.Text.Selector.String() + ": "; s == source {
				out[len(out)-1] += e.Text.Text
			} else {
				source = s
				out = append(out, s+e.Text.Text)
			}
			continue
		case workflow.EventTextReplaced:
			out = append(out, "replaced: "+e.Text.Text)
		case workflow.EventReasoning:
			out = append(out, fmt.Sprintf("reasoning %s: %s %v", e.Reasoning.NodeID, e.Reasoning.Text, e.Reasoning.Final))
		case workflow.EventRunStarted:
			out = append(out, "started")
		case workflow.EventRunFinished:
			out = append(out, strings.TrimSpace("finished "+e.Finished.Status+" "+e.Finished.Error))
		case workflow.EventNodeStarted:
			out = append(out, "+"+e.Node.NodeID)
		case workflow.EventNodeRetry:
			out = append(out, "~"+e.Node.NodeID)
		case workflow.EventNodeFinished:
			s := "-" + e.Node.NodeID
			if e.Node.Status != workflow.StatusSucceeded {
				s += " " + e.Node.Status
			}
			out = append(out, s)
		}
		source = ""
	}
	return out
}

func simpleGraph() string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"t","type":"text","template":"hello {{#start.q#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["t","output"]}]}`,
	}, []string{"start", "t"}, []string{"t", "end"})
}

func effectGraph() string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"h","type":"http-request"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["h","text"]}]}`,
	}, []string{"start", "h"}, []string{"h", "end"})
}

func TestStartOfPureRunIsOneCommit(t *testing.T) {
	t.Parallel()
	var points []string
	w := newWorld(simpleGraph(), nil)
	s := w.service(run.Options{Engine: engine.Options{Hook: func(p string) { points = append(points, p) }}})
	rec := newRecorder()
	res, err := s.Start(t.Context(), request("q", "you"), rec)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, res.Finished.Status)
	require.Equal(t, `{"out": "hello you"}`, value.JSON(res.Finished.Outputs))
	require.Equal(t, []string{"before_begin", "after_begin"}, points)
	require.Equal(t, []string{"started", "+start", "-start", "+t", "text t.output: hello you", "-t", "+end", "-end", "finished succeeded"}, rec.lines())
	for i, item := range rec.items {
		require.Equal(t, fmt.Sprint(i+1), item.ID)
	}
	rows := w.store.Rows(res.RunID)
	require.Len(t, rows, 1)
	require.Len(t, rows[0].Nodes, 3)
	require.Contains(t, rows[0].Run.Inputs, `{"q": "you", "sys.files": [], "sys.user_id": "user-1", "sys.app_id"`)
	require.Equal(t, `{"out": "hello you"}`, *rows[0].RunEnd.Outputs)
	require.NotEqual(t, res.RunID, res.TaskID)
	require.Equal(t, res.RunID, run.TaskID(res.TaskID))
}

// gate is an effect that streams its pieces and then waits to be let go.
type gate struct {
	mu      sync.Mutex
	started chan struct{}
	release chan struct{}
	keys    []string
}

func newGate() *gate { return &gate{started: make(chan struct{}, 10), release: make(chan struct{})} }

func (g *gate) call(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	g.mu.Lock()
	g.keys = append(g.keys, x.Key)
	g.mu.Unlock()
	x.Emit(workflow.Chunk{Name: "text", Text: "héllo "})
	g.started <- struct{}{}
	select {
	case <-g.release:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	x.Emit(workflow.Chunk{Name: "text", Text: "world"})
	return &workflow.Result{Outputs: value.Obj("text", "héllo world")}, nil
}

func isText(i run.Item) bool { return i.Event.Type == workflow.EventText }

func TestClientsJoinWhereTheyWere(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := newWorld(effectGraph(), g.call)
	s, other := w.service(run.Options{}), w.service(run.Options{})
	req := request("q", "x")
	req.RunID = "77777777-7777-4777-8777-777777777777"
	first := newRecorder()
	done := make(chan *run.Result, 1)
	go func() {
		res, err := s.Start(context.WithoutCancel(t.Context()), req, first)
		if err == nil {
			done <- res
		}
		close(done)
	}()
	seen := first.until(t, isText)
	require.True(t, seen.Live)
	require.Equal(t, "4.1.6", seen.ID)

	// Another process' client has everything up to the middle of the text.
	joins := map[string]*recorder{"4.1.6": newRecorder(), "4.1.2": newRecorder(), "2": newRecorder(), "start": newRecorder(), "": newRecorder()}
	var wg sync.WaitGroup
	for id, rec := range joins {
		wg.Go(func() {
			from := run.JoinFrom{LastEventID: id}
			if id == "start" {
				from = run.JoinFrom{Start: true}
			}
			_, err := other.Join(context.WithoutCancel(t.Context()), tenant, req.RunID, from, rec)
			if err != nil {
				t.Error(err)
			}
		})
	}
	joins["start"].until(t, isText)
	joins["2"].until(t, isText)
	joins["4.1.2"].until(t, isText)
	close(g.release)
	require.Equal(t, workflow.StatusSucceeded, (<-done).Finished.Status)
	wg.Wait()

	tail := []string{"-h", "+end", "-end", "finished succeeded"}
	require.Equal(t, append([]string{"started", "+start", "-start", "+h", "text h.text: héllo world"}, tail...), first.lines())
	require.Equal(t, first.lines(), joins["start"].lines())
	require.Equal(t, append([]string{"text h.text: world"}, tail...), joins["4.1.6"].lines())
	require.Equal(t, append([]string{"text h.text: llo world"}, tail...), joins["4.1.2"].lines())
	require.Equal(t, append([]string{"-start", "+h", "text h.text: héllo world"}, tail...), joins["2"].lines())
	require.Contains(t, joins[""].lines(), "finished succeeded")

	// Joining a finished run: from any id the client ever got, everything exactly once.
	for k, item := range first.items {
		rec := newRecorder()
		_, err := other.Join(t.Context(), tenant, req.RunID, run.JoinFrom{LastEventID: item.ID}, rec)
		require.NoError(t, err)
		require.Equal(t, first.lines(), lines(append(append([]run.Item(nil), first.items[:k+1]...), rec.items...)), "after %s", item.ID)
	}
	rec := newRecorder()
	_, err := other.Join(t.Context(), tenant, req.RunID, run.JoinFrom{}, rec)
	require.NoError(t, err)
	require.Equal(t, []string{"finished succeeded"}, rec.lines())
	for _, bad := range []string{"x", "1.2", "99", "-1", "1.2.3.4.5"} {
		_, err = other.Join(t.Context(), tenant, req.RunID, run.JoinFrom{LastEventID: bad}, rec)
		require.True(t, errs.Is(err, errs.InvalidParam), bad)
	}
	_, err = other.Join(t.Context(), userID, req.RunID, run.JoinFrom{}, rec)
	require.True(t, errs.Is(err, errs.NotFound))
}

func TestLostWorkerIsReplacedAndTheTextAnnounced(t *testing.T) {
	t.Parallel()
	graph := fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"h","type":"http-request"}`, `{"id":"a","type":"answer","answer":"pre {{#h.text#}} post"}`},
		[]string{"start", "h"}, []string{"h", "a"})
	dead, alive := newGate(), newGate()
	w := newWorld(graph, dead.call)
	one := w.service(run.Options{Owner: "one"})
	w.call = alive.call
	two := w.service(run.Options{Owner: "two"})
	req := chatRequest("hi")
	req.RunID = "88888888-8888-4888-8888-888888888888"
	go func() { _, _ = one.Start(context.WithoutCancel(t.Context()), req, nil) }()
	<-dead.started // and nothing more is heard of it

	watcher := newRecorder()
	joined := make(chan error, 1)
	go func() {
		_, err := two.Join(context.WithoutCancel(t.Context()), tenant, req.RunID, run.JoinFrom{Start: true}, watcher)
		joined <- err
	}()
	last := watcher.until(t, func(i run.Item) bool { return i.Live })

	require.NoError(t, two.Continue(t.Context(), tenant, req.RunID), "a run in good hands needs nothing")
	n, err := two.ExpireOwner(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = two.Tick(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, req.RunID, w.queue.sent[0].RunID)
	continued := make(chan error, 1)
	go func() { continued <- two.Continue(context.WithoutCancel(t.Context()), tenant, req.RunID) }()
	<-alive.started
	watcher.until(t, func(i run.Item) bool { return i.Event.Type == workflow.EventTextReplaced })
	close(alive.release)
	require.NoError(t, <-continued)
	require.NoError(t, <-joined)
	want := []string{"started", "text a.answer: pre ", "+start", "-start", "+h", "text h.text: héllo ", "replaced: pre ", "text h.text: héllo world", "text a.answer:  post", "-h", "+a", "-a", "finished succeeded"}
	require.Equal(t, want, watcher.lines())
	require.Equal(t, dead.keys, alive.keys, "the same try has the same key")

	// A client that left in the middle of the lost text.
	rec := newRecorder()
	_, err = two.Join(t.Context(), tenant, req.RunID, run.JoinFrom{LastEventID: last.ID}, rec)
	require.NoError(t, err)
	require.Equal(t, want[6:], rec.lines())

	// The lost worker wakes up and cannot write.
	close(dead.release)
	one.Wait(t.Context())
	events, err := w.store.Events(t.Context(), tenant, req.RunID, 0)
	require.NoError(t, err)
	require.Equal(t, workflow.EventRunFinished, events[len(events)-1].Type)
	require.Equal(t, int64(2), events[len(events)-1].Token)
	require.NoError(t, two.Continue(t.Context(), tenant, req.RunID), "finished")
}

func TestStopFromAnotherProcess(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := newWorld(effectGraph(), g.call)
	s, other := w.service(run.Options{}), w.service(run.Options{})
	req := request()
	req.RunID = "99999999-9999-4999-8999-999999999999"
	rec := newRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Start(context.WithoutCancel(t.Context()), req, rec)
	}()
	rec.until(t, isText)
	require.True(t, errs.Is(other.Stop(t.Context(), userID, req.RunID, run.StopReasonUser), errs.NotFound))
	at := time.Now()
	require.NoError(t, other.Stop(t.Context(), tenant, req.RunID, run.StopReasonUser))
	<-done
	require.Less(t, time.Since(at), 2*time.Second)
	require.Equal(t, []string{"started", "+start", "-start", "+h", "text h.text: héllo ", "finished stopped Aborted: User requested stop"}, rec.lines())
	rows := w.store.Rows(req.RunID)
	require.NotNil(t, rows[len(rows)-1].StopNodes)
}

func TestHandOverLeavesAWakeUp(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := newWorld(effectGraph(), g.call)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+50*time.Millisecond)
	defer cancel()
	s := w.service(run.Options{Engine: engine.Options{HandoverMargin: 10 * time.Minute, HardMargin: 10*time.Minute - 100*time.Millisecond}})
	res, err := s.Start(ctx, request(), nil)
	require.NoError(t, err)
	require.True(t, res.HandedOver)
	require.Nil(t, res.Finished)
	require.Len(t, w.queue.sent, 1)
	close(g.release)
	require.NoError(t, w.service(run.Options{}).Continue(t.Context(), tenant, w.queue.sent[0].RunID))
	v, err := s.Get(t.Context(), tenant, res.RunID)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, v.Status)
	require.True(t, v.Finished)
}

func TestClientThatLeavesDoesNotEndTheRun(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := newWorld(effectGraph(), g.call)
	ctx, cancel := context.WithCancel(t.Context())
	items := 0
	sink := run.SinkFunc(func(run.Item) error { items++; return context.Canceled })
	go func() {
		<-g.started
		cancel()
		close(g.release)
	}()
	res, err := w.service(run.Options{}).Start(ctx, request(), sink)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, res.Finished.Status)
	require.Equal(t, 1, items)
}

func TestChatTurnMakesItsRows(t *testing.T) {
	t.Parallel()
	graph := fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"a","type":"answer","answer":"re {{#sys.query#}}"}`}, []string{"start", "a"})
	w := newWorld(graph, nil)
	res, err := w.service(run.Options{}).Start(t.Context(), chatRequest("a question that is much longer than fifty characters, really"), nil)
	require.NoError(t, err)
	rows := w.store.Rows(res.RunID)
	require.Len(t, rows, 1)
	r := rows[0]
	require.Nil(t, r.AppLog)
	require.Equal(t, "a question that is m…", r.Conversation.Name)
	require.Equal(t, "api", r.Message.FromSource)
	require.Equal(t, "re a question that is much longer than fifty characters, really", r.MessageEnd.Answer)
	require.Contains(t, *r.MessageEnd.Metadata, `"total_price": "0.0"`)
	require.Equal(t, "normal", r.MessageEnd.Status)
	require.Contains(t, r.Run.Inputs, `"sys.conversation_id"`)
	events, err := w.store.Events(t.Context(), tenant, res.RunID, 0)
	require.NoError(t, err)
	shown := value.JSON(events[0].Started.Inputs)
	require.NotContains(t, shown, "conversation_id")
	require.Contains(t, shown, `"sys.dialogue_count": 1`)
}

func TestFailedChatHasNoAnswer(t *testing.T) {
	t.Parallel()
	graph := fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"a0","type":"answer","answer":"before "}`, `{"id":"h","type":"http-request"}`},
		[]string{"start", "a0"}, []string{"a0", "h"})
	w := newWorld(graph, func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return nil, workflow.Fail("E", "broke")
	})
	res, err := w.service(run.Options{}).Start(t.Context(), chatRequest("q"), nil)
	require.NoError(t, err)
	require.Equal(t, `{"answer": "before ", "files": []}`, value.JSON(res.Finished.Outputs))
	rows := w.store.Rows(res.RunID)
	end := rows[len(rows)-1].MessageEnd
	require.Equal(t, "error", end.Status)
	require.Empty(t, end.Answer)
	require.Equal(t, "Run failed: broke", *end.Error)
}

func TestErrorsBeforeTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(`{"nodes":[],"edges":[]}`, nil)
	_, err := w.service(run.Options{}).Start(t.Context(), request(), nil)
	require.True(t, errs.Is(err, errs.InvalidParam), "%v", err)
	bad := request()
	bad.WorkflowID = userID
	_, err = w.service(run.Options{}).Start(t.Context(), bad, nil)
	require.True(t, errs.Is(err, errs.NotFound), "%v", err)
	require.Empty(t, w.store.RunIDs())
}

func TestTaskIDIsItsOwnOpposite(t *testing.T) {
	t.Parallel()
	require.Empty(t, run.TaskID("junk"))
	require.Empty(t, run.TaskID("88888888-8888-4888-8888-88888888888g"))
	require.Equal(t, tenant, run.TaskID(run.TaskID(tenant)))
}

func BenchmarkPureRun(b *testing.B) {
	w := newWorld(simpleGraph(), nil)
	s := w.service(run.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Start(b.Context(), request("q", "you"), nil); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRunThatCannotGoOnIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		graph string
		opts  run.Options
		text  string
	}{
		"workflow gone":    {"", run.Options{}, "Not found."},
		"node type gone":   {fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"h","type":"gone"}`}), run.Options{}, "unknown node type"},
		"too many workers": {effectGraph(), run.Options{MaxWorkers: 1}, "too many workers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate()
			w := newWorld(effectGraph(), g.call)
			one := w.service(run.Options{Owner: "one"})
			req := chatRequest("q")
			req.RunID = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
			go func() { _, _ = one.Start(context.WithoutCancel(t.Context()), req, nil) }()
			<-g.started
			w.graph = c.graph
			two := w.service(c.opts)
			_, err := two.ExpireOwner(t.Context(), "one")
			require.NoError(t, err)
			require.NoError(t, two.Continue(t.Context(), tenant, req.RunID))
			v, err := two.Get(t.Context(), tenant, req.RunID)
			require.NoError(t, err)
			require.Equal(t, workflow.StatusFailed, v.Status)
			rows := w.store.Rows(req.RunID)
			last := rows[len(rows)-1]
			require.Contains(t, *last.RunEnd.Error, c.text)
			require.Equal(t, "error", last.MessageEnd.Status)
			require.NotNil(t, last.StopNodes)
			close(g.release)
		})
	}
}

func TestSuspendedRunGoesOnForItsClient(t *testing.T) {
	t.Parallel()
	graph := fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"h","type":"http-request","retry_config":{"retry_enabled":true,"max_retries":1,"retry_interval":60}}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["h","text"]}]}`}, []string{"start", "h"}, []string{"h", "end"})
	w := newWorld(graph, func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		if x.Attempt == 0 {
			return nil, workflow.Fail("E", "not yet")
		}
		return &workflow.Result{Outputs: value.Obj("text", "late")}, nil
	})
	rec := newRecorder()
	res, err := w.service(run.Options{Engine: engine.Options{ReleaseWait: time.Millisecond}}).Start(t.Context(), request(), rec)
	require.NoError(t, err)
	require.False(t, res.HandedOver)
	require.Equal(t, `{"out": "late"}`, value.JSON(res.Finished.Outputs))
	require.Equal(t, []string{"started", "+start", "-start", "+h", "~h", "text h.text: late", "-h", "+end", "-end", "finished partial-succeeded"}, rec.lines())
	events, err := w.store.Events(t.Context(), tenant, res.RunID, 0)
	require.NoError(t, err)
	require.Equal(t, int64(2), events[len(events)-1].Token, "the second try was made under a new lease")
}

// flaky is a store whose appends fail while it is told so.
type flaky struct {
	*memrunstore.Driver
	mu   sync.Mutex
	fail int
}

func (f *flaky) Append(ctx context.Context, l *driver.Lease, ttl time.Duration, b *driver.Batch) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail > 0 {
		f.fail--
		return "", fmt.Errorf("connection reset")
	}
	return f.Driver.Append(ctx, l, ttl, b)
}

func TestClientIsServedThoughItsWorkerLosesTheDatabase(t *testing.T) {
	t.Parallel()
	g := newGate()
	close(g.release)
	w := newWorld(effectGraph(), g.call)
	deps := run.Deps{
		Store: runstore.New(&flaky{Driver: w.store, fail: 1}, 0), Stream: eventstream.New(w.stream), Types: fakenode.Types(w.call), Graphs: graphs{wfID: w.graph}, Clock: w.clock,
	}
	other := w.service(run.Options{})
	deps.Sender = sendFunc(func(m run.Message) error {
		go func() { _ = other.Continue(context.Background(), m.TenantID, m.RunID) }()
		return nil
	})
	rec := newRecorder()
	res, err := run.New(deps, run.Options{}).Start(t.Context(), request(), rec)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, res.Finished.Status)
	require.Equal(t, []string{"started", "+start", "-start", "+h", "text h.text: héllo world", "replaced: ", "text h.text: héllo world", "-h", "+end", "-end", "finished succeeded"}, rec.lines())
}

type sendFunc func(run.Message) error

func (f sendFunc) Send(_ context.Context, _ string, m run.Message) error { return f(m) }
