package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

// container is a node type with passes. data: entry, count or items (a
// selector), parallel, out (a selector), go_on (failures leave a gap), shared.
type container struct{ name string }

func (c container) Name() string        { return c.name }
func (c container) Kind() workflow.Kind { return workflow.KindContainer }
func (c container) Effect() bool        { return false }
func (c container) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	return &containerNode{cfg}, nil
}

type containerNode struct{ cfg *workflow.NodeConfig }

func (n *containerNode) Run(context.Context, *workflow.Execution) (*workflow.Result, error) {
	panic("never called")
}
func (n *containerNode) Entry() string { return n.cfg.Data.String("entry") }
func (n *containerNode) Open(x *workflow.Execution) (workflow.Passes, error) {
	p := &passes{cfg: n.cfg}
	if sel := workflow.SelectorFrom(n.cfg.Data.Value("items")); sel != nil {
		v, ok := x.Pool.Get(sel)
		list, isList := v.([]any)
		if !ok || !isList {
			return nil, workflow.Fail("IteratorError", "no items")
		}
		p.items, p.count = list, len(list)
	} else {
		p.count = int(n.cfg.Data.Value("count").(int64))
	}
	p.out = make([]any, p.count)
	return p, nil
}

type passes struct {
	cfg    *workflow.NodeConfig
	items  []any
	count  int
	out    []any
	failed *workflow.Failure
	broke  bool
	usage  int64
}

func (p *passes) Opening() workflow.Opening {
	parallel, _ := p.cfg.Data.Value("parallel").(int64)
	shared, _ := p.cfg.Data.Value("shared").(bool)
	o := workflow.Opening{Inputs: value.Obj("n", int64(p.count)), Length: p.count, Parallel: int(parallel), Shared: shared, LastAnswer: !shared}
	if shared {
		o.Variables = value.Obj("acc", "")
	}
	return o
}

func (p *passes) Begin(i int, _ *workflow.Pool) (*value.Object, bool) {
	if i >= p.count || p.failed != nil || p.broke {
		return nil, false
	}
	vars := value.Obj("index", int64(i))
	if p.items != nil {
		vars.Set("item", p.items[i])
	}
	return vars, true
}

func (p *passes) End(e workflow.PassEnd) {
	if e.Usage != nil {
		p.usage += e.Usage.TotalTokens
	}
	p.broke = p.broke || e.Broke
	if e.Failure != nil {
		if goOn, _ := p.cfg.Data.Value("go_on").(bool); !goOn {
			p.failed = e.Failure
		}
		return
	}
	p.out[e.Index], _ = e.Pool.Get(workflow.SelectorFrom(p.cfg.Data.Value("out")))
}

func (p *passes) Close() (*workflow.Result, error) {
	res := &workflow.Result{Outputs: value.Obj("output", p.out)}
	if p.usage > 0 {
		res.Usage = &workflow.Usage{TotalTokens: p.usage}
	}
	if p.failed != nil {
		return res, p.failed
	}
	return res, nil
}

func containers() []workflow.Type {
	return []workflow.Type{
		container{"iteration"}, container{"loop"},
		fakenode.Type{TypeName: "loop-end", NodeKind: workflow.KindExecutable, Do: func(context.Context, *workflow.Execution) (*workflow.Result, error) {
			return &workflow.Result{}, nil
		}},
		// append assigns the loop's variable acc + the text of data.from.
		fakenode.Type{TypeName: "append", NodeKind: workflow.KindExecutable, Do: func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
			sel := workflow.Selector{x.Node.ParentID, "acc"}
			acc, _ := x.Pool.Get(sel)
			v, _ := x.Pool.Get(workflow.SelectorFrom(x.Node.Data.Value("from")))
			return &workflow.Result{Updates: []workflow.Update{{Selector: sel, Value: value.Text(acc) + value.Text(v)}}}, nil
		}},
	}
}

// describe shows the journal in short: frames as it[1], then what happened.
func describe(events []workflow.Event) []string {
	var out []string
	for _, e := range events {
		at := ""
		for _, f := range e.Frame {
			at += fmt.Sprintf("%s[%d].", f.NodeID, f.Index)
		}
		switch e.Type {
		case workflow.EventRunStarted:
			out = append(out, "started "+e.Started.Reason)
		case workflow.EventRunPaused:
			out = append(out, fmt.Sprint("paused ", e.Paused.Nodes))
		case workflow.EventRunFinished:
			out = append(out, "finished "+e.Finished.Status)
		case workflow.EventNodeStarted:
			out = append(out, "+"+at+e.Node.NodeID)
		case workflow.EventNodeFinished:
			out = append(out, "-"+at+e.Node.NodeID+" "+e.Node.Status)
		case workflow.EventNodePaused:
			out = append(out, "="+at+e.Node.NodeID)
		case workflow.EventNodeResumed:
			out = append(out, "!"+at+e.Node.NodeID+" "+e.Resumed.Kind)
		case workflow.EventPassStarted:
			out = append(out, fmt.Sprintf("(%s%s %d", at, e.Node.NodeID, e.Pass.Index))
		case workflow.EventPassFinished:
			out = append(out, fmt.Sprintf(")%s%s %d%s", at, e.Node.NodeID, e.Pass.Index, e.Pass.Error))
		case workflow.EventText:
			out = append(out, "text "+e.Text.Text)
		}
	}
	return out
}

func iterate(extra, child string) string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"it","type":"iteration","entry":"its","items":["start","list"],"out":["h","text"]` + extra + `}`,
		`{"id":"its","type":"iteration-start","iteration_id":"it"}`, `{"id":"h","type":"` + child + `","iteration_id":"it","template":"{{#it.index#}}:{{#it.item#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"o","value_selector":["it","output"]}]}`,
	}, []string{"start", "it"}, []string{"its", "h"}, []string{"it", "end"})
}

func upper(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	v, _ := x.Pool.Get(workflow.Selector{"it", "item"})
	if v == "bad" {
		return nil, workflow.Fail("BadError", "bad item")
	}
	return &workflow.Result{Outputs: value.Obj("text", value.Text(v)+"!"), Usage: &workflow.Usage{TotalTokens: 2}}, nil
}

func TestIterationInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, iterate("", "http-request"), upper, containers()...)
	b.in = value.Obj("list", []any{"a", "b"})
	res := b.finish(t)
	require.Equal(t, []string{
		"started initial", "+start", "-start succeeded", "+it", "(it 0", "+it[0].h", "-it[0].h succeeded", ")it 0", "(it 1", "+it[1].h", "-it[1].h succeeded", ")it 1",
		"-it succeeded", "text - a!\n- b!", "+end", "-end succeeded", "finished succeeded",
	}, describe(b.events))
	require.Equal(t, `{"o": ["a!", "b!"]}`, value.JSON(res.Outputs))
	require.Equal(t, 3, res.Steps, "passes count their own")
	require.Equal(t, int64(4), res.Tokens)
	for _, e := range b.events {
		if e.Type == workflow.EventNodeFinished && e.Node.NodeID == "h" {
			require.Equal(t, "it", e.Node.Metadata.String("iteration_id"))
		}
	}
}

func TestIterationOfNothingAndOfNoList(t *testing.T) {
	t.Parallel()
	b := setup(t, iterate("", "http-request"), upper, containers()...)
	b.in = value.Obj("list", []any{})
	res := b.finish(t)
	require.Equal(t, `{"o": []}`, value.JSON(res.Outputs))

	b = setup(t, iterate("", "http-request"), upper, containers()...)
	b.in = value.Obj("list", "text")
	res = b.finish(t)
	require.Equal(t, "no items", res.Error)
	for _, e := range b.events {
		if e.Node != nil && e.Node.NodeID == "it" {
			require.Nil(t, e.Node.Length, "it never opened")
		}
	}
}

func TestFailuresInPasses(t *testing.T) {
	t.Parallel()
	b := setup(t, iterate("", "http-request"), upper, containers()...)
	b.in = value.Obj("list", []any{"a", "bad", "c"})
	res := b.finish(t)
	require.Equal(t, workflow.StatusFailed, res.Status)
	require.Equal(t, "bad item", res.Error)
	require.Equal(t, 2, res.Exceptions, "the node and its container")

	b = setup(t, iterate(`,"go_on":true,"parallel":2`, "http-request"), upper, containers()...)
	b.in = value.Obj("list", []any{"a", "bad", "c"})
	res = b.finish(t)
	require.Equal(t, workflow.StatusPartialSucceeded, res.Status)
	require.Equal(t, `{"o": ["a!", null, "c!"]}`, value.JSON(res.Outputs))
}

func TestParallelPassesRunAtOnce(t *testing.T) {
	t.Parallel()
	var together sync.WaitGroup
	together.Add(3)
	b := setup(t, iterate(`,"parallel":3`, "http-request"), func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
		if i := x.Frames[0].Index; i < 3 {
			together.Done()
			together.Wait()
		}
		return upper(ctx, x)
	}, containers()...)
	b.in = value.Obj("list", []any{"a", "b", "c", "d"})
	res := b.finish(t)
	require.Equal(t, `{"o": ["a!", "b!", "c!", "d!"]}`, value.JSON(res.Outputs))
	require.Equal(t, []string{"+it", "(it 0", "(it 1", "(it 2"}, describe(b.events)[3:7])
}

func TestPassesOfPureNodesDoNotNestCalls(t *testing.T) {
	t.Parallel()
	list := make([]any, 3000)
	b := setup(t, iterate("", "text"), upper, containers()...)
	b.in = value.Obj("list", list)
	b.opts.MaxSteps = 10
	res := b.finish(t)
	require.Equal(t, workflow.StatusSucceeded, res.Status)
	require.Equal(t, 4*3000+9, len(b.events)) //nolint:testifylint // Len would print all of them
}

// nested is an iteration (in parallel) over lists, in it a loop with shared
// variables, in that an iteration.
func nested() string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`,
		`{"id":"it","type":"iteration","entry":"its","items":["start","list"],"out":["lp","acc"],"parallel":2}`,
		`{"id":"its","type":"iteration-start","iteration_id":"it"}`,
		`{"id":"lp","type":"loop","entry":"lps","count":3,"out":["lp","acc"],"shared":true,"iteration_id":"it"}`,
		`{"id":"lps","type":"loop-start","loop_id":"lp","iteration_id":"it"}`,
		`{"id":"in","type":"iteration","entry":"ins","items":["it","item"],"out":["h","text"],"parallel":2,"loop_id":"lp"}`,
		`{"id":"ins","type":"iteration-start","iteration_id":"in","loop_id":"lp"}`,
		`{"id":"h","type":"http-request","iteration_id":"in","loop_id":"lp","retry_config":{"retry_enabled":true,"max_retries":1,"retry_interval":1}}`,
		`{"id":"ap","type":"append","from":["in","output"],"loop_id":"lp"}`,
		`{"id":"br","type":"branch","from":["lp","index"],"loop_id":"lp"}`,
		`{"id":"le","type":"loop-end","loop_id":"lp"}`,
		`{"id":"after","type":"http-request"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"o","value_selector":["it","output"]}]}`,
	}, []string{"start", "it"}, []string{"its", "lp"}, []string{"lps", "in"}, []string{"in", "ap"}, []string{"ap", "br"}, []string{"br", "1", "le"},
		[]string{"ins", "h"}, []string{"it", "after"}, []string{"after", "end"})
}

func TestNestedContainersRestoreAtEveryCommit(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	runs := map[string]int{}
	call := func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		mu.Lock()
		runs[x.Key]++
		mu.Unlock()
		if x.Node.ID == "after" {
			return out("text", "ok"), nil
		}
		v, _ := x.Pool.Get(workflow.Selector{"in", "item"})
		i, _ := x.Pool.Get(workflow.Selector{"lp", "index"})
		if v == "c" && x.Attempt == 0 {
			return nil, workflow.Fail("E", "again")
		}
		return &workflow.Result{Outputs: value.Obj("text", value.Text(v)+value.Text(i)), Usage: &workflow.Usage{TotalTokens: 1}}, nil
	}
	in := value.Obj("list", []any{[]any{"a", "b"}, []any{"c"}, []any{}})
	whole := setup(t, nested(), call, containers()...)
	whole.in = in
	want := whole.finish(t)
	require.Equal(t, `{"o": ["[\"a0\", \"b0\"][\"a1\", \"b1\"]", "[\"c0\"][\"c1\"]", ""]}`, value.JSON(want.Outputs))
	for _, cut := range whole.cuts {
		data, err := workflow.EncodeEvents(whole.events[:cut])
		require.NoError(t, err)
		events, err := workflow.DecodeEvents(data)
		require.NoError(t, err)
		clear(runs)
		b := setup(t, nested(), call, containers()...)
		b.in, b.events, b.n = in, events, 1000
		r := b.run()
		require.NoError(t, r.Restore(events), "cut %d", cut)
		res, err := r.Execute(t.Context())
		require.NoError(t, err)
		require.Equal(t, value.JSON(want.Outputs), value.JSON(res.Result.Outputs), "cut %d", cut)
		require.Equal(t, want.Steps, res.Result.Steps, "cut %d", cut)
		require.Equal(t, want.Exceptions, res.Result.Exceptions, "cut %d", cut)
		require.Equal(t, want.Tokens, res.Result.Tokens, "cut %d", cut)
		for _, e := range events {
			if e.Type == workflow.EventNodeFinished || e.Type == workflow.EventNodeRetry {
				require.Zero(t, runs[fmt.Sprintf("run/%s/%d", e.Node.ExecutionID, e.Node.Attempt)], "cut %d", cut)
			}
		}
	}
}

// forms answers paused nodes by node id.
type forms struct {
	mu   sync.Mutex
	done map[string]string
}

func (f *forms) submit(id, v string) { f.mu.Lock(); f.done[id] = v; f.mu.Unlock() }

func (f *forms) node(until time.Time) fakenode.Type {
	return fakenode.Type{TypeName: "human-input", NodeKind: workflow.KindBranch, IsEffect: true, Do: func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		id := x.Node.ID
		for _, fr := range x.Frames {
			id = fmt.Sprintf("%s%d", id, fr.Index)
		}
		v, ok := f.done[id]
		if !ok && x.Resumed && !until.IsZero() && !x.Clock.Now().Before(until) {
			return &workflow.Result{Handle: "late", Resumption: &workflow.Resumption{Kind: "timeout"}}, nil
		}
		if !ok {
			return nil, &workflow.Pause{Kind: "human_input_required", Until: until, Reason: value.Obj("node_id", x.Node.ID)}
		}
		return &workflow.Result{Handle: "ok", Outputs: value.Obj("v", v), Resumption: &workflow.Resumption{Kind: "filled", Data: value.Obj("v", v)}}, nil
	}}
}

func twoForms() string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"f1","type":"human-input"}`, `{"id":"f2","type":"human-input"}`, `{"id":"h","type":"http-request"}`,
		`{"id":"x1","type":"text","template":"1{{#f1.v#}}"}`, `{"id":"x2","type":"text","template":"2{{#f2.v#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"a","value_selector":["x1","output"]},{"variable":"b","value_selector":["x2","output"]}]}`,
	}, []string{"start", "f1"}, []string{"start", "f2"}, []string{"start", "h"}, []string{"f1", "ok", "x1"}, []string{"f2", "ok", "x2"}, []string{"x1", "end"}, []string{"x2", "end"})
}

func (b *bench) resume(t *testing.T) engine.Outcome {
	t.Helper()
	data, err := workflow.EncodeEvents(b.events)
	require.NoError(t, err)
	b.events, err = workflow.DecodeEvents(data)
	require.NoError(t, err)
	r := b.run()
	require.NoError(t, r.Restore(b.events))
	o, err := r.Execute(t.Context())
	require.NoError(t, err)
	return o
}

func TestPausesWaitForAllOthersAndCostNothing(t *testing.T) {
	t.Parallel()
	f := &forms{done: map[string]string{}}
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	b := setup(t, twoForms(), func(context.Context, *workflow.Execution) (*workflow.Result, error) { return out("text", "h"), nil }, f.node(time.Time{}))
	b.clk = fake
	o, err := b.run().Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.Paused, o.Verdict)
	require.Equal(t, []string{"f1", "f2"}, o.Paused.Nodes)
	require.Equal(t, 4, o.Paused.Steps)
	require.Zero(t, o.WakeAt)
	n := len(b.events)
	require.Equal(t, "paused [f1 f2]", describe(b.events)[n-1])

	// Woken for nothing, it leaves no trace.
	require.Equal(t, engine.Paused, b.resume(t).Verdict)
	require.Len(t, b.events, n)

	// A year later one form is there.
	fake.Advance(365 * 24 * time.Hour)
	f.submit("f2", "two")
	o = b.resume(t)
	require.Equal(t, engine.Paused, o.Verdict)
	require.Equal(t, []string{"f1"}, o.Paused.Nodes)
	require.Equal(t, []string{"started resumption", "!f2 filled", "+f2", "-f2 succeeded", "+x2", "-x2 succeeded", "paused [f1]"}, describe(b.events[n:]))

	fake.Advance(365 * 24 * time.Hour)
	f.submit("f1", "one")
	o = b.resume(t)
	require.Equal(t, engine.Finished, o.Verdict)
	require.Equal(t, workflow.StatusSucceeded, o.Result.Status)
	require.Equal(t, `{"a": "1one", "b": "2two"}`, value.JSON(o.Result.Outputs))
	require.Less(t, o.Result.Elapsed, 1.0, "the wait does not count")
}

func TestPauseEndsByItsTime(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	until := fake.Now().Add(time.Hour)
	f := &forms{done: map[string]string{"f2": "2"}}
	b := setup(t, twoForms(), func(context.Context, *workflow.Execution) (*workflow.Result, error) { return out("text", "h"), nil }, f.node(until))
	b.clk = fake
	o, err := b.run().Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, until, o.WakeAt)
	fake.Advance(time.Hour)
	o = b.resume(t)
	require.Equal(t, engine.Finished, o.Verdict)
	require.Contains(t, describe(b.events), "!f1 timeout")
}

func TestStopOfAPausedRun(t *testing.T) {
	t.Parallel()
	f := &forms{done: map[string]string{}}
	b := setup(t, twoForms(), func(context.Context, *workflow.Execution) (*workflow.Result, error) { return out("text", "h"), nil }, f.node(time.Time{}))
	_, err := b.run().Execute(t.Context())
	require.NoError(t, err)
	b.stop <- "User requested stop"
	o := b.resume(t)
	require.Equal(t, engine.Finished, o.Verdict)
	require.Equal(t, workflow.StatusStopped, o.Result.Status)
}

func TestPausesInsideOfPasses(t *testing.T) {
	t.Parallel()
	graph := fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"it","type":"iteration","entry":"its","items":["start","list"],"out":["f","v"],"parallel":2}`,
		`{"id":"its","type":"iteration-start","iteration_id":"it"}`, `{"id":"f","type":"human-input","iteration_id":"it"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"o","value_selector":["it","output"]}]}`,
	}, []string{"start", "it"}, []string{"its", "f"}, []string{"it", "end"})
	f := &forms{done: map[string]string{"f1": "b"}}
	b := setup(t, graph, nil, append(containers(), f.node(time.Time{}))...)
	b.in = value.Obj("list", []any{"x", "y", "z"})
	o, err := b.run().Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.Paused, o.Verdict)
	f.submit("f0", "a")
	f.submit("f2", "c")
	o = b.resume(t)
	require.Equal(t, engine.Finished, o.Verdict)
	require.Equal(t, `{"o": ["a", "b", "c"]}`, value.JSON(o.Result.Outputs))
}

// partHost runs parts in place, one after the other, when they are asked for.
type partHost struct {
	t      *testing.T
	make   func() *bench
	origin func() []workflow.Event
	mu     sync.Mutex
	parts  map[string]*bench
	order  []string
	hold   bool // only note that they were started
}

func (p *partHost) Start(_ context.Context, part workflow.Part) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parts[part.RunID] == nil {
		b := p.make()
		b.n = 1000 * (len(p.parts) + 1)
		p.parts[part.RunID] = b
		p.order = append(p.order, part.RunID)
	}
	return nil
}

func (p *partHost) Events(_ context.Context, part workflow.Part) ([]workflow.Event, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.parts[part.RunID]
	if b == nil || p.hold {
		return nil, false, nil
	}
	if n := len(b.events); n == 0 || !b.events[n-1].Terminal() {
		p.work(b, part.RunID)
	}
	return append([]workflow.Event(nil), b.events...), true, nil
}

// work runs a part, restoring it at each of its commits on the way.
func (p *partHost) work(b *bench, id string) {
	r := b.run()
	require.NoError(p.t, r.RestorePart(id, p.origin(), b.events))
	o, err := r.Execute(p.t.Context())
	require.NoError(p.t, err)
	require.Equal(p.t, engine.Finished, o.Verdict)
	for _, cut := range b.cuts {
		again := p.make()
		again.events, again.n = append([]workflow.Event(nil), b.events[:cut]...), 500000
		r := again.run()
		require.NoError(p.t, r.RestorePart(id, p.origin(), again.events))
		_, err := r.Execute(p.t.Context())
		require.NoError(p.t, err)
		got := describe(again.events)
		require.Equal(p.t, "finished succeeded", got[len(got)-1], "cut %d", cut)
	}
}

func (p *partHost) Stop(_ context.Context, part workflow.Part, _ string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.parts[part.RunID]
	if b == nil {
		return fmt.Errorf("no such part")
	}
	if n := len(b.events); n == 0 || !b.events[n-1].Terminal() {
		b.events = append(b.events, workflow.Event{Type: workflow.EventRunFinished, Finished: &workflow.RunFinished{Status: workflow.StatusStopped}})
	}
	return nil
}

func fanned(t *testing.T, extra string, items []any) (*bench, *partHost) {
	make := func() *bench {
		b := setup(t, iterate(`,"parallel":4`+extra, "http-request"), upper, containers()...)
		b.in = value.Obj("list", items)
		b.opts.FanOut = engine.FanOut{Over: 5, Size: 3, AtOnce: 2}
		return b
	}
	b := make()
	p := &partHost{t: t, make: make, parts: map[string]*bench{}, origin: func() []workflow.Event { return append([]workflow.Event(nil), b.events...) }}
	b.parts = p
	return b, p
}

func letters(n int) []any {
	var out []any
	for i := range n {
		out = append(out, string(rune('a'+i)))
	}
	return out
}

// through runs and resumes until the run is over.
func (b *bench) through(t *testing.T) *workflow.RunFinished {
	t.Helper()
	for range 50 {
		if o := b.resume(t); o.Verdict == engine.Finished {
			return o.Result
		}
	}
	t.Fatalf("the run does not end: %v", describe(b.events))
	return nil
}

func TestLargeIterationsFanOutAndJoin(t *testing.T) {
	t.Parallel()
	b, p := fanned(t, "", letters(10))
	res := b.through(t)
	require.Len(t, p.order, 4, "parts of three")
	require.Equal(t, `{"o": ["a!", "b!", "c!", "d!", "e!", "f!", "g!", "h!", "i!", "j!"]}`, value.JSON(res.Outputs))
	require.Equal(t, int64(20), res.Tokens)
	require.Equal(t, 3, res.Steps)
	ids := map[string]bool{}
	for _, e := range b.events {
		if e.Type == workflow.EventNodeFinished {
			require.False(t, ids[e.Node.ExecutionID], "an execution is taken over once")
			ids[e.Node.ExecutionID] = true
		}
	}
	require.Len(t, ids, 13)

	// Cut anywhere, the run takes over what is missing and nothing twice.
	for _, cut := range b.cuts {
		again, q := fanned(t, "", letters(10))
		again.events, again.n = append([]workflow.Event(nil), b.events[:cut]...), 100
		q.parts, q.order = p.parts, p.order
		got := again.through(t)
		require.Equal(t, value.JSON(res.Outputs), value.JSON(got.Outputs), "cut %d", cut)
		require.Equal(t, res.Tokens, got.Tokens)
	}
}

func TestRunLeavesWhileItsPartsWork(t *testing.T) {
	t.Parallel()
	b, p := fanned(t, "", letters(10))
	p.hold = true
	o, err := b.run().Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.Suspended, o.Verdict)
	require.False(t, o.WakeAt.IsZero())
	require.Len(t, p.order, 2, "as many as may run at once")
	p.hold = false
	b.through(t)
	require.Len(t, p.order, 4)
}

func TestFailureInAPartEndsTheOthers(t *testing.T) {
	t.Parallel()
	items := letters(12)
	items[4] = "bad"
	b, p := fanned(t, "", items)
	res := b.through(t)
	require.Equal(t, workflow.StatusFailed, res.Status)
	require.Equal(t, "bad item", res.Error)
	require.LessOrEqual(t, len(p.order), 3)

	b, _ = fanned(t, `,"go_on":true`, items)
	res = b.through(t)
	require.Equal(t, workflow.StatusPartialSucceeded, res.Status)
	require.Equal(t, 1, res.Exceptions)
}

func TestPauseWaitsForParts(t *testing.T) {
	t.Parallel()
	graph := fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"it","type":"iteration","entry":"its","items":["start","list"],"out":["h","text"],"parallel":4}`,
		`{"id":"its","type":"iteration-start","iteration_id":"it"}`, `{"id":"h","type":"http-request","iteration_id":"it"}`, `{"id":"f","type":"human-input"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"o","value_selector":["it","output"]}]}`,
	}, []string{"start", "it"}, []string{"its", "h"}, []string{"it", "end"}, []string{"start", "f"})
	f := &forms{done: map[string]string{}}
	build := func() *bench {
		b := setup(t, graph, upper, append(containers(), f.node(time.Time{}))...)
		b.in = value.Obj("list", letters(7))
		b.opts.FanOut = engine.FanOut{Over: 5, Size: 3, AtOnce: 2}
		return b
	}
	b := build()
	p := &partHost{t: t, make: build, parts: map[string]*bench{}, origin: func() []workflow.Event { return append([]workflow.Event(nil), b.events...) }, hold: true}
	b.parts = p
	require.Equal(t, engine.Suspended, b.resume(t).Verdict)
	require.NotContains(t, describe(b.events), "paused [f]", "the parts still work")
	p.hold = false
	for b.resume(t).Verdict == engine.Suspended {
		require.Less(t, len(b.events), 1000)
	}
	require.Contains(t, describe(b.events), "paused [f]")
	f.submit("f", "yes")
	require.Len(t, b.through(t).Outputs.Value("o"), 7)
}
