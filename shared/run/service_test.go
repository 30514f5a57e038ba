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
