package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

// replayGraph has two effects in a row, one beside them and a container.
func replayGraph() string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"a","type":"http-request"}`, `{"id":"b","type":"http-request"}`, `{"id":"side","type":"http-request"}`,
		`{"id":"it","type":"iteration","entry":"in","count":2,"out":["in","text"]}`, `{"id":"in","type":"http-request","iteration_id":"it"}`,
		`{"id":"t","type":"text","template":"{{#a.text#}} {{#b.text#}} {{#side.text#}} {{#it.output#}} {{#start.q#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"o","value_selector":["t","output"]}]}`,
	}, []string{"start", "it"}, []string{"it", "a"}, []string{"a", "b"}, []string{"start", "side"}, []string{"b", "t"}, []string{"side", "t"}, []string{"t", "end"})
}

// counter counts the calls of each node.
type counter struct {
	mu    sync.Mutex
	calls map[string]int
	tag   string
}

func (c *counter) call(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[x.Node.ID]++
	u := &workflow.Usage{TotalTokens: 7, TotalPrice: "0.5", Currency: "USD", Object: value.NewObject(0)}
	return &workflow.Result{
		Outputs: value.Obj("text", c.tag+x.Node.ID), Usage: u, Metadata: value.Obj("total_tokens", int64(7), "total_price", "0.5", "currency", "USD"),
	}, nil
}

func (b *bench) replay(recorded []workflow.NodeEvent) *engine.Run {
	pool := workflow.NewPool()
	pool.SetAll("start", b.in)
	return engine.New(b.plan, engine.Setup{
		Info: &workflow.RunInfo{ID: "again"}, Pool: pool, Inputs: b.in, Stop: b.stop, Clock: b.clk, Recorded: recorded,
		NewID: func() string { b.n++; return fmt.Sprintf("y%d", b.n) },
	}, b.host, b.opts)
}

func TestRecordedNodesAreNotRun(t *testing.T) {
	t.Parallel()
	first := &counter{calls: map[string]int{}, tag: "old-"}
	origin := setup(t, replayGraph(), first.call, container{"iteration"})
	res := origin.finish(t)
	require.Equal(t, workflow.StatusSucceeded, res.Status)
	require.Equal(t, map[string]int{"a": 1, "b": 1, "side": 1, "in": 2}, first.calls)
	before := value.Text(res.Outputs.Value("o"))

	again := &counter{calls: map[string]int{}, tag: "new-"}
	b := setup(t, replayGraph(), again.call, container{"iteration"})
	b.in = value.Obj("q", "edited")
	recorded, err := b.plan.Recorded("run", origin.events, "b")
	require.NoError(t, err)
	out, err := b.replay(recorded).Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"b": 1}, again.calls, "only the node and what is behind it")
	text := value.Text(out.Result.Outputs.Value("o"))
	require.Contains(t, text, "old-a new-b old-side")
	require.Contains(t, text, "edited", "the start node takes the edited inputs")
	require.NotEqual(t, before, text)
	require.EqualValues(t, 7, out.Result.Tokens, "what was recorded costs nothing again")
	for i := range b.events {
		n := b.events[i].Node
		if n == nil || n.NodeID != "a" || b.events[i].Type != workflow.EventNodeFinished {
			continue
		}
		require.Equal(t, "run", n.Metadata.String(engine.MetaReplayedFrom))
		require.Nil(t, n.Metadata.Value("total_tokens"))
		require.Nil(t, n.Usage)
	}

	// The journal alone brings the run back, whereever it was cut.
	for _, cut := range b.cuts {
		c := &counter{calls: map[string]int{}, tag: "new-"}
		r := setup(t, replayGraph(), c.call, container{"iteration"})
		r.in = b.in
		r.events = append(r.events, b.events[:cut]...)
		run := r.replay(recorded)
		require.NoError(t, run.Restore(b.events[:cut]))
		out, err := run.Execute(t.Context())
		require.NoError(t, err, "cut at %d", cut)
		require.Equal(t, text, value.Text(out.Result.Outputs.Value("o")), "cut at %d", cut)
		require.LessOrEqual(t, c.calls["b"], 1)
		require.Zero(t, c.calls["a"]+c.calls["in"]+c.calls["side"], "cut at %d", cut)
	}
}

func TestWhatCanBeRecorded(t *testing.T) {
	t.Parallel()
	c := &counter{calls: map[string]int{}}
	origin := setup(t, replayGraph(), c.call, container{"iteration"})
	origin.finish(t)
	names := func(list []workflow.NodeEvent) (out []string) {
		for i := range list {
			out = append(out, list[i].NodeID)
		}
		return out
	}

	list, err := origin.plan.Recorded("run", origin.events, "")
	require.NoError(t, err)
	require.Empty(t, list, "without a node everything runs again")
	list, err = origin.plan.Recorded("run", origin.events, "t")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"a", "b", "side", "it"}, names(list), "containers are one result, the beginning is none")

	_, err = origin.plan.Recorded("run", origin.events, "in")
	require.ErrorContains(t, err, "lies inside of it")
	_, err = origin.plan.Recorded("run", origin.events, "nowhere")
	require.Equal(t, errs.InvalidParam, errs.CodeOf(err))
	_, err = origin.plan.Recorded("run", origin.events[:3], "b")
	require.ErrorContains(t, err, "has not finished")

	// In another version a is of another type and side is gone.
	other := setup(t, fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"a","type":"text","template":"x"}`, `{"id":"b","type":"http-request"}`, `{"id":"t","type":"text","template":"y"}`,
	}, []string{"start", "a"}, []string{"a", "b"}, []string{"b", "t"}), c.call)
	list, err = other.plan.Recorded("run", origin.events, "t")
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, names(list))
}
