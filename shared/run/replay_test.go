package run_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/replay/memreplay"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

const draftID = "77777777-7777-4777-8777-777777777777"

// drafted has a published version and a draft, which may change.
type drafted struct {
	mu        sync.Mutex
	published string
	draft     string
}

func (d *drafted) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	def := &run.Definition{ID: id, TenantID: tenantID, AppID: appID, Type: "workflow", Version: "v1", Graph: d.published}
	switch {
	case tenantID == tenant && id == wfID:
		return def, nil
	case tenantID == tenant && id == draftID:
		def.Version, def.Graph, def.Mutable = "draft", d.draft, true
		return def, nil
	}
	return nil, errs.New(errs.NotFound, "")
}

// twoCalls has two effects in a row and text around them.
func twoCalls(before string) string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"a","type":"http-request"}`, `{"id":"b","type":"http-request"}`,
		`{"id":"t","type":"text","template":"` + before + `{{#a.text#}} {{#b.text#}} {{#start.q#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["t","output"]}]}`,
	}, []string{"start", "a"}, []string{"a", "b"}, []string{"b", "t"}, []string{"t", "end"})
}

type replayWorld struct {
	*world
	graphs *drafted
	links  *memreplay.Store

	mu    sync.Mutex
	calls map[string]int
	fail  string // node
}

func newReplayWorld() *replayWorld {
	w := &replayWorld{calls: map[string]int{}, links: memreplay.New(), graphs: &drafted{published: twoCalls(""), draft: twoCalls("draft ")}}
	w.world = newWorld("", w.do)
	return w
}

// do counts its calls and tells them apart.
func (w *replayWorld) do(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[x.Node.ID]++
	if w.fail == x.Node.ID {
		return nil, workflow.Fail("E", "broke")
	}
	return &workflow.Result{
		Outputs: value.Obj("text", fmt.Sprintf("%s%d", x.Node.ID, w.calls[x.Node.ID])),
		Usage:   &workflow.Usage{TotalTokens: 10, TotalPrice: "0.25", Currency: "USD", Object: value.NewObject(0)},
	}, nil
}

func (w *replayWorld) count() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]int{}
	for k, v := range w.calls {
		out[k] = v
	}
	return out
}

func (w *replayWorld) start(opts run.Options) *run.Service {
	return run.New(run.Deps{
		Store: runstore.New(w.store, 0), Stream: eventstream.New(w.stream), Types: fakenode.Types(w.do), Graphs: w.graphs, Clock: w.clock,
		Sender: w.queue, Replays: w.links,
	}, opts)
}

func account() run.User { return run.User{ID: userID, Role: "account", SessionID: userID} }

func (w *replayWorld) again(t *testing.T, s *run.Service, q run.ReplayRequest) *run.Result {
	t.Helper()
	q.TenantID, q.AppID, q.User = tenant, appID, account()
	req, err := s.PrepareReplay(t.Context(), q)
	require.NoError(t, err)
	res, err := s.Start(t.Context(), req, nil)
	require.NoError(t, err)
	return res
}

func TestReplayKeepsWhatLiesBefore(t *testing.T) {
	t.Parallel()
	w := newReplayWorld()
	s := w.start(run.Options{})
	first, err := s.Start(t.Context(), request("q", "one"), nil)
	require.NoError(t, err)
	require.Equal(t, "a1 b1 one", first.Finished.Outputs.String("out"))

	res := w.again(t, s, run.ReplayRequest{OriginID: first.RunID, FromNode: "b"})
	require.Equal(t, "a1 b2 one", res.Finished.Outputs.String("out"))
	require.EqualValues(t, 10, res.Finished.Tokens, "what was taken over is not counted again")
	require.Equal(t, "0.25", res.Finished.Usage.TotalPrice)
	require.Equal(t, map[string]int{"a": 1, "b": 2}, w.count())
	rows := w.store.Rows(res.RunID)[0]
	require.Equal(t, "debugging", rows.Run.TriggeredFrom)
	require.Nil(t, rows.AppLog, "the app's log shows what its users did")

	res = w.again(t, s, run.ReplayRequest{OriginID: first.RunID, FromNode: "t", Inputs: value.Obj("q", "two"), WorkflowID: draftID})
	require.Equal(t, "draft a1 b1 two", res.Finished.Outputs.String("out"))
	require.Zero(t, res.Finished.Tokens)
	require.Equal(t, map[string]int{"a": 1, "b": 2}, w.count(), "nothing was called")

	// A replay is a run: it can be replayed, also when the draft has changed.
	w.graphs.draft = twoCalls("changed ")
	res = w.again(t, s, run.ReplayRequest{OriginID: res.RunID})
	require.Equal(t, "draft a2 b3 two", res.Finished.Outputs.String("out"), "the version of the origin is the draft as it was")

	o, err := w.links.Origin(t.Context(), tenant, res.RunID)
	require.NoError(t, err)
	require.Empty(t, o.FromNode)
	list, err := w.links.Replays(t.Context(), tenant, first.RunID, 10)
	require.NoError(t, err)
	require.Len(t, list, 2)

	c, err := s.Compare(t.Context(), tenant, list[0].RunID)
	require.NoError(t, err)
	require.Equal(t, run.ReplayDone, c.State)
	require.Len(t, c.Differences, 1)
	require.Equal(t, "out", c.Differences[0].Path)
}

func TestReplayOfAFailedNode(t *testing.T) {
	t.Parallel()
	w := newReplayWorld()
	w.fail = "b"
	s := w.start(run.Options{})
	first, err := s.Start(t.Context(), request("q", "x"), nil)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusFailed, first.Finished.Status)
	w.fail = ""
	res := w.again(t, s, run.ReplayRequest{OriginID: first.RunID, FromNode: "b"})
	require.Equal(t, workflow.StatusSucceeded, res.Finished.Status)
	require.Equal(t, "a1 b2 x", res.Finished.Outputs.String("out"))
}

func TestReplayRefusals(t *testing.T) {
	t.Parallel()
	w := newReplayWorld()
	s := w.start(run.Options{})
	w.fail = "a"
	failed, err := s.Start(t.Context(), request("q", "x"), nil)
	require.NoError(t, err)
	w.fail = ""
	good, err := s.Start(t.Context(), request("q", "x"), nil)
	require.NoError(t, err)
	chat := chatRequest("hello")
	talk, err := s.Start(t.Context(), chat, nil)
	require.NoError(t, err)
	waiting := request("q", "x")
	waiting.RunID = ids.New()
	require.NoError(t, s.Enqueue(t.Context(), waiting))

	for name, c := range map[string]struct {
		q    run.ReplayRequest
		code errs.Code
	}{
		"of another tenant":       {run.ReplayRequest{TenantID: ids.New(), OriginID: good.RunID}, errs.NotFound},
		"of another app":          {run.ReplayRequest{AppID: ids.New(), OriginID: good.RunID}, errs.NotFound},
		"no run":                  {run.ReplayRequest{OriginID: ids.New()}, errs.NotFound},
		"no version":              {run.ReplayRequest{OriginID: good.RunID, WorkflowID: ids.New()}, errs.NotFound},
		"no node":                 {run.ReplayRequest{OriginID: good.RunID, FromNode: "nowhere"}, errs.InvalidParam},
		"a node that did not run": {run.ReplayRequest{OriginID: failed.RunID, FromNode: "b"}, errs.InvalidParam},
		"a turn of a chat":        {run.ReplayRequest{OriginID: talk.RunID}, errs.NotImplemented},
		"not over":                {run.ReplayRequest{OriginID: waiting.RunID}, errs.Conflict},
	} {
		if c.q.TenantID == "" {
			c.q.TenantID = tenant
		}
		if c.q.AppID == "" {
			c.q.AppID = appID
		}
		_, err := s.PrepareReplay(t.Context(), c.q)
		require.Equal(t, c.code, errs.CodeOf(err), "%s: %v", name, err)
	}
}

type died struct{}

// TestReplayIsRecoveredByItsOwnJournal: the process dies between two effects;
// the other run is not needed any more.
func TestReplayIsRecoveredByItsOwnJournal(t *testing.T) {
	t.Parallel()
	w := newReplayWorld()
	first, err := w.start(run.Options{}).Start(t.Context(), request("q", "x"), nil)
	require.NoError(t, err)

	appends := 0
	s := w.start(run.Options{Engine: engine.Options{Hook: func(point string) {
		if point == "before_append" {
			if appends++; appends == 2 {
				panic(died{})
			}
		}
	}}})
	req, err := s.PrepareReplay(t.Context(), run.ReplayRequest{TenantID: tenant, AppID: appID, OriginID: first.RunID, FromNode: "b", User: account()})
	require.NoError(t, err)
	require.NoError(t, s.Enqueue(t.Context(), req))
	require.NoError(t, s.Enqueue(t.Context(), req), "twice is once")
	require.Error(t, s.Continue(t.Context(), tenant, req.RunID), "it is as if the process had ended")

	other := w.start(run.Options{Owner: "other"})
	_, err = other.ExpireOwner(t.Context(), s.Owner())
	require.NoError(t, err)
	require.NoError(t, other.Continue(t.Context(), tenant, req.RunID))
	v, err := other.Get(t.Context(), tenant, req.RunID)
	require.NoError(t, err)
	require.True(t, v.Finished)
	require.Equal(t, workflow.StatusSucceeded, v.Status)
	require.Equal(t, 1, w.count()["a"], "an effect that was taken over never repeats")
}

// work does what the queue asks for until it is empty.
func (w *replayWorld) work(t *testing.T, s *run.Service, most int) {
	t.Helper()
	for range most {
		w.queue.mu.Lock()
		if len(w.queue.sent) == 0 {
			w.queue.mu.Unlock()
			return
		}
		m := w.queue.sent[0]
		w.queue.sent = w.queue.sent[1:]
		w.queue.mu.Unlock()
		require.NoError(t, s.Continue(t.Context(), m.TenantID, m.RunID))
	}
}

func TestBatchOfReplays(t *testing.T) {
	t.Parallel()
	w := newReplayWorld()
	s := w.start(run.Options{})
	var origins []string
	for i := range 9 {
		res, err := s.Start(t.Context(), request("q", fmt.Sprint(i)), nil)
		require.NoError(t, err)
		origins = append(origins, res.RunID)
	}
	origins = append(origins, ids.New()) // gone meanwhile
	before := w.count()["a"]
	id, err := s.StartReplayBatch(t.Context(), run.ReplayBatchRequest{
		TenantID: tenant, AppID: appID, Origins: origins, WorkflowID: draftID, FromNode: "b", User: account(),
	})
	require.NoError(t, err)
	r, err := s.ReplayBatch(t.Context(), tenant, appID, id)
	require.NoError(t, err)
	require.False(t, r.Done)
	require.Len(t, w.queue.sent, 4, "not all at once")

	// One runs; then the process ends, and so do the messages. The report finds out.
	w.work(t, s, 1)
	w.queue.mu.Lock()
	w.queue.sent = nil
	w.queue.mu.Unlock()
	other := w.start(run.Options{Owner: "other"})
	for range 20 {
		_, err = other.Tick(t.Context())
		require.NoError(t, err)
		w.work(t, other, 100)
		list, err := other.ReplayBatch(t.Context(), tenant, appID, id)
		require.NoError(t, err)
		for _, c := range list.Runs {
			if c.State == run.ReplayRunning {
				require.NoError(t, other.Continue(t.Context(), tenant, c.After.RunID))
			}
		}
		w.work(t, other, 100)
	}
	r, err = other.ReplayBatch(t.Context(), tenant, appID, id)
	require.NoError(t, err)
	require.True(t, r.Done, "%+v", r)
	require.Equal(t, []int{0, 9, 1, 0}, []int{r.Same, r.Different, r.Refused, r.Open})
	require.Equal(t, before, w.count()["a"], "what lies before the node was taken over")
	for i, c := range r.Runs[:9] {
		require.Equal(t, origins[i], c.Before.RunID)
		require.EqualValues(t, 20, c.Before.Tokens)
		require.EqualValues(t, 10, c.After.Tokens)
		require.Equal(t, "0.25", c.After.Price)
		require.Equal(t, "out", c.Differences[0].Path)
	}
	require.Contains(t, r.Runs[9].Refused, "Not found")

	_, err = other.ReplayBatch(t.Context(), tenant, ids.New(), id)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
	_, err = other.StartReplayBatch(t.Context(), run.ReplayBatchRequest{TenantID: tenant, AppID: appID, WorkflowID: draftID})
	require.Equal(t, errs.InvalidParam, errs.CodeOf(err))
}
