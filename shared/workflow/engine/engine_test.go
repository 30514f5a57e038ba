package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

// host keeps what a run commits and shows. events has no live text, shown has
// everything in the order in which a client would see it.
type host struct {
	mu      sync.Mutex
	events  []workflow.Event
	commits int
	cuts    []int // journal lengths after each commit
	shown   []string
	live    map[string]int // runes shown live, not journalled, by kind
	onLive  func(engine.Live)
	onShown func(last string)
	fail    error
}

func (h *host) Commit(_ context.Context, events []workflow.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return h.fail
	}
	h.commits++
	for i := range events {
		events[i].Seq = int64(len(h.events) + 1)
		h.events = append(h.events, events[i])
		h.show(&events[i])
	}
	h.cuts = append(h.cuts, len(h.events))
	if h.onShown != nil {
		h.onShown(h.shown[len(h.shown)-1])
	}
	return nil
}

func (h *host) show(e *workflow.Event) {
	switch e.Type {
	case workflow.EventText:
		h.text("text "+e.Text.Selector.String()+": ", e.Text.Text, true)
	case workflow.EventReasoning:
		h.text("reasoning "+e.Reasoning.NodeID+": ", e.Reasoning.Text, true)
	case workflow.EventRunStarted:
		h.shown = append(h.shown, "started")
	case workflow.EventRunFinished:
		h.shown = append(h.shown, "finished "+e.Finished.Status)
	case workflow.EventNodeStarted:
		h.shown = append(h.shown, "+"+e.Node.NodeID)
	case workflow.EventNodeRetry:
		h.shown = append(h.shown, "~"+e.Node.NodeID)
	case workflow.EventNodeFinished:
		s := "-" + e.Node.NodeID
		if e.Node.Status != workflow.StatusSucceeded {
			s += " " + e.Node.Status
		}
		h.shown = append(h.shown, s)
	}
}

// text joins neighbouring text of one source and leaves out what was live.
func (h *host) text(source, text string, journalled bool) {
	kind := source[:4]
	if journalled {
		skip := min(h.live[kind], len(text))
		h.live[kind] -= skip
		text = text[skip:]
	} else {
		h.live[kind] += len(text)
	}
	if text == "" {
		return
	}
	if n := len(h.shown); n > 0 && len(h.shown[n-1]) >= len(source) && h.shown[n-1][:len(source)] == source {
		h.shown[n-1] += text
		return
	}
	h.shown = append(h.shown, source+text)
}

func (h *host) Live(l engine.Live) {
	h.mu.Lock()
	if l.Kind == workflow.EventReasoning {
		h.text("reasoning "+l.NodeID+": ", l.Text, false)
	} else {
		h.text("text "+l.Selector.String()+": ", l.Text, false)
	}
	h.mu.Unlock()
	if h.onLive != nil {
		h.onLive(l)
	}
}

type bench struct {
	*host
	plan *engine.Plan
	opts engine.Options
	clk  clock.Clock
	stop chan string
	at   time.Time // deadline
	n    int
	in   *value.Object
	// parts, if set, runs the parts of containers.
	parts engine.Parts
}

func setup(t testing.TB, graph string, call fakenode.Func, more ...workflow.Type) *bench {
	t.Helper()
	g, err := workflow.ParseGraph([]byte(graph))
	require.NoError(t, err)
	plan, err := engine.Compile(g, fakenode.Types(call, more...))
	require.NoError(t, err)
	return &bench{host: &host{live: map[string]int{}}, plan: plan, clk: clock.System{}, stop: make(chan string, 1), in: value.Obj("q", "hi")}
}

func (b *bench) run() *engine.Run {
	pool := workflow.NewPool()
	pool.SetAll("start", b.in)
	pool.Set("sys", "query", "query")
	return engine.New(b.plan, engine.Setup{
		Info: &workflow.RunInfo{ID: "run"}, Pool: pool, Inputs: b.in, Deadline: b.at, Stop: b.stop, Clock: b.clk, Parts: b.parts,
		NewID: func() string { b.n++; return fmt.Sprintf("x%d", b.n) },
	}, b.host, b.opts)
}

func (b *bench) finish(t testing.TB) *workflow.RunFinished {
	t.Helper()
	out, err := b.run().Execute(context.Background())
	require.NoError(t, err)
	require.Equal(t, engine.Finished, out.Verdict)
	return out.Result
}

func out(kv ...any) *workflow.Result { return &workflow.Result{Outputs: value.Obj(kv...)} }

func stream(x *workflow.Execution, pieces ...string) string {
	all := ""
	for _, p := range pieces {
		x.Emit(workflow.Chunk{Name: "text", Text: p})
		all += p
	}
	x.Emit(workflow.Chunk{Name: "text", Final: true})
	return all
}

func TestParallelTextKeepsTemplateOrder(t *testing.T) {
	t.Parallel()
	fastDone := make(chan struct{})
	b := setup(t, fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"slow","type":"http-request"}`, `{"id":"fast","type":"http-request"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"s","value_selector":["slow","text"]},{"variable":"f","value_selector":["fast","text"]}]}`,
	}, []string{"start", "slow"}, []string{"start", "fast"}, []string{"slow", "end"}, []string{"fast", "end"}),
		func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
			if x.Node.ID == "fast" {
				return out("text", stream(x, "four ", "five")), nil
			}
			<-fastDone
			return out("text", stream(x, "one ", "two")), nil
		})
	b.onShown = func(last string) {
		if last == "-fast" {
			close(fastDone)
		}
	}
	res := b.finish(t)
	require.Equal(t, []string{
		"started", "+start", "-start", "+slow", "+fast", "-fast", "text slow.text: one two", "text end.answer: \n", "text fast.text: four five",
		"-slow", "+end", "-end", "finished succeeded",
	}, b.shown)
	require.Equal(t, "one two\nfour five", res.Answer)
	require.Equal(t, 4, res.Steps)
}

func TestAnswersOpenBehindEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t, fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"a1","type":"answer","answer":"First: {{#sys.query#}}\n"}`, `{"id":"l1","type":"http-request"}`,
		`{"id":"a2","type":"answer","answer":"Mid [{{#l1.text#}}] then "}`, `{"id":"l2","type":"http-request"}`,
		`{"id":"a3","type":"answer","answer":"{{#l2.text#}} and again {{#l1.text#}} end {{#nowhere.x#}}."}`,
	}, []string{"start", "a1"}, []string{"a1", "l1"}, []string{"l1", "a2"}, []string{"a2", "l2"}, []string{"l2", "a3"}),
		func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
			return out("text", stream(x, x.Node.ID, " text")), nil
		})
	b.opts.FlushAfter = time.Hour // however slow the machine is
	res := b.finish(t)
	require.Equal(t, []string{
		"started", "text a1.answer: First: ", "text sys.query: query", "text a1.answer: \n", "+start", "-start", "+a1", "text a2.answer: Mid [", "-a1",
		"+l1", "text l1.text: l1 text", "text a2.answer: ] then ", "-l1", "+a2", "-a2", "+l2", "text l2.text: l2 text", "text a3.answer:  and again  end ",
		"-l2", "+a3", "-a3", "finished succeeded",
	}, b.shown)
	require.Equal(t, "First: query\nMid [l1 text] then l2 text and again  end ", res.Answer)
	require.Equal(t, "First: query\nMid [l1 text] then l2 text and again l1 text end nowhere.x.", res.Outputs.String("answer"))
	require.Equal(t, 3, b.commits, "one before each effect and one at the end")
}

func branchGraph() string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"ie","type":"branch","from":["start","q"]}`,
		`{"id":"ta","type":"text","template":"A"}`, `{"id":"tb","type":"text","template":"B"}`, `{"id":"tc","type":"text","template":"C"}`,
		`{"id":"end_a","type":"end","outputs":[{"variable":"a","value_selector":["ta","output"]},{"variable":"q","value_selector":["start","q"]}]}`,
		`{"id":"end_j","type":"end","outputs":[{"variable":"j","value_selector":["tc","output"]}]}`,
	}, []string{"start", "ie"}, []string{"ie", "a", "ta"}, []string{"ie", "b", "tb"}, []string{"ta", "end_a"}, []string{"tb", "tc"}, []string{"ta", "tc"}, []string{"tc", "end_j"})
}

func TestBranchSkipsAndJoins(t *testing.T) {
	t.Parallel()
	b := setup(t, branchGraph(), nil)
	b.in = value.Obj("q", "b")
	res := b.finish(t)
	require.Equal(t, []string{"started", "+start", "-start", "+ie", "-ie", "+tb", "-tb", "+tc", "text tc.output: C", "-tc", "+end_j", "-end_j", "finished succeeded"}, b.shown)
	require.Equal(t, `{"j": "C"}`, value.JSON(res.Outputs))

	b = setup(t, branchGraph(), nil)
	b.in = value.Obj("q", "none")
	res = b.finish(t)
	require.Equal(t, []string{"started", "+start", "-start", "+ie", "-ie", "finished succeeded"}, b.shown)
	require.Equal(t, `{}`, value.JSON(res.Outputs))

	b = setup(t, branchGraph(), nil)
	b.in = value.Obj("q", "")
	require.Equal(t, workflow.StatusFailed, b.finish(t).Status, "a branch without a handle is an error")
}

func effect(extra string) string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"h","type":"http-request"` + extra + `}`, `{"id":"ok","type":"text","template":"ok {{#h.text#}}"}`,
		`{"id":"er","type":"text","template":"failed {{#h.error_type#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"o","value_selector":["ok","output"]},{"variable":"e","value_selector":["er","output"]}]}`,
	}, []string{"start", "h"}, []string{"h", "ok"}, []string{"h", "fail-branch", "er"}, []string{"ok", "end"}, []string{"er", "end"})
}

func TestErrorStrategies(t *testing.T) {
	t.Parallel()
	boom := func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return &workflow.Result{Inputs: value.Obj("i", int64(1)), Outputs: value.Obj("half", true)}, workflow.Fail("BoomError", "boom")
	}
	for name, c := range map[string]struct {
		graph  string
		call   fakenode.Func
		status string
		err    string
		shown  []string
		out    string
		exc    int
	}{
		"none": {effect(""), boom, "failed", "boom", []string{"started", "+start", "-start", "+h", "-h failed", "finished failed"}, `{}`, 1},
		"fail-branch": {effect(`,"error_strategy":"fail-branch"`), boom, "partial-succeeded", "",
			[]string{"started", "+start", "-start", "+h", "text end.answer: \n", "-h exception", "+er", "text er.output: failed BoomError", "-er", "+end", "-end", "finished partial-succeeded"},
			`{"o": null, "e": "failed BoomError"}`, 1},
		"default-value": {effect(`,"error_strategy":"default-value","default_value":[{"key":"text","type":"string","value":"d"},{"key":"n","type":"number","value":"42"}]`), boom, "partial-succeeded", "",
			[]string{"started", "+start", "-start", "+h", "-h exception", "+ok", "text ok.output: ok d", "text end.answer: \n", "-ok", "+er", "text er.output: failed BoomError", "-er", "+end", "-end", "finished partial-succeeded"},
			`{"o": "ok d", "e": "failed BoomError"}`, 1},
		"panic": {effect(""), func(context.Context, *workflow.Execution) (*workflow.Result, error) { panic("secret") }, "failed", "The node ended unexpectedly.",
			[]string{"started", "+start", "-start", "+h", "-h failed", "finished failed"}, `{}`, 1},
		"unknown error": {effect(""), func(context.Context, *workflow.Execution) (*workflow.Result, error) { return nil, errors.New("secret") }, "failed",
			"Internal Server Error, please contact support.", []string{"started", "+start", "-start", "+h", "-h failed", "finished failed"}, `{}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.graph, c.call)
			res := b.finish(t)
			require.Equal(t, c.status, res.Status)
			require.Equal(t, c.err, res.Error)
			require.Equal(t, c.shown, b.shown)
			require.Equal(t, c.out, value.JSON(res.Outputs))
			require.Equal(t, c.exc, res.Exceptions)
		})
	}
}

func TestRetryKeepsTheExecutionAndCountsTries(t *testing.T) {
	t.Parallel()
	var keys []string
	b := setup(t, effect(`,"retry_config":{"retry_enabled":true,"max_retries":3,"retry_interval":1}`), func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		keys = append(keys, x.Key)
		if x.Attempt < 2 {
			return out("call", int64(x.Attempt)), workflow.Fail("E", "no")
		}
		return out("text", "fine"), nil
	})
	res := b.finish(t)
	require.Equal(t, []string{"run/x2/0", "run/x2/1", "run/x2/2"}, keys)
	require.Equal(t, workflow.StatusPartialSucceeded, res.Status)
	require.Equal(t, 2, res.Exceptions)
	require.Equal(t, 7, res.Steps, "five nodes and two more tries")
	require.Equal(t, []string{"+h", "~h", "~h", "-h"}, b.shown[3:7])
	for _, e := range b.events {
		if e.Type == workflow.EventNodeRetry {
			require.Equal(t, workflow.StatusRetry, e.Node.Status)
			require.NotNil(t, e.Node.Outputs)
		}
	}
}

func TestLongRetryWaitLeavesTheProcess(t *testing.T) {
	t.Parallel()
	fail := true
	call := func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		if fail {
			return nil, workflow.Fail("E", "no")
		}
		return out("text", "fine"), nil
	}
	b := setup(t, effect(`,"retry_config":{"retry_enabled":true,"max_retries":1,"retry_interval":60000}`), call)
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	b.clk = fake
	res, err := b.run().Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.Suspended, res.Verdict)
	require.Equal(t, fake.Now().Add(time.Minute), res.WakeAt)

	fail = false
	fake.Advance(time.Minute)
	again := b.run()
	require.NoError(t, again.Restore(b.events))
	res, err = again.Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, workflow.StatusPartialSucceeded, res.Result.Status)
	require.Equal(t, 6, res.Result.Steps)
	require.InDelta(t, 60, res.Result.Elapsed, 0.001)
}

func TestStopJournalsWhatWasShown(t *testing.T) {
	t.Parallel()
	b := setup(t, effectAnswer(), func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
		x.Emit(workflow.Chunk{Name: "text", Text: "partial"})
		<-ctx.Done()
		return nil, ctx.Err()
	})
	b.onLive = func(engine.Live) { b.stop <- "User requested stop" }
	res := b.finish(t)
	require.Equal(t, workflow.StatusStopped, res.Status)
	require.Equal(t, "Aborted: User requested stop", res.Error)
	require.Equal(t, "pre partial", res.Answer)
	require.Equal(t, []string{"started", "text a.answer: pre ", "+start", "-start", "+h", "text h.text: partial", "finished stopped"}, b.shown)
	require.Equal(t, workflow.EventText, b.events[len(b.events)-2].Type)
	require.Zero(t, res.Exceptions)
}

func effectAnswer() string {
	return fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"h","type":"http-request"}`, `{"id":"a","type":"answer","answer":"pre {{#h.text#}} post"}`},
		[]string{"start", "h"}, []string{"h", "a"})
}

func TestFailureCancelsTheOthers(t *testing.T) {
	t.Parallel()
	cancelled := make(chan struct{})
	b := setup(t, fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"x","type":"http-request"}`, `{"id":"y","type":"http-request"}`},
		[]string{"start", "x"}, []string{"start", "y"}), func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
		if x.Node.ID == "y" {
			return nil, workflow.Fail("E", "first")
		}
		<-ctx.Done()
		close(cancelled)
		return nil, ctx.Err()
	})
	res := b.finish(t)
	require.Equal(t, "first", res.Error)
	<-cancelled
}

func TestLimits(t *testing.T) {
	t.Parallel()
	chain := []string{`{"id":"start","type":"start"}`}
	var edges [][]string
	prev := "start"
	for i := range 10 {
		id := fmt.Sprintf("t%d", i)
		chain = append(chain, fmt.Sprintf(`{"id":%q,"type":"text","template":"x"}`, id))
		edges = append(edges, []string{prev, id})
		prev = id
	}
	b := setup(t, fakenode.Graph(chain, edges...), nil)
	b.opts.MaxSteps = 5
	res := b.finish(t)
	require.Equal(t, workflow.StatusStopped, res.Status)
	require.Equal(t, "Aborted: Maximum execution steps exceeded: 6 > 5", res.Error)

	b = setup(t, effect(""), func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		b.clk.(*clock.Fake).Advance(1500 * time.Second)
		return out("text", "late"), nil
	})
	b.clk = clock.NewFake(time.Unix(0, 0))
	res = b.finish(t)
	require.Contains(t, []string{"Aborted: Maximum execution time exceeded: 1500.00s > 1200s", "Aborted: App execution exceeded 1200 seconds"}, res.Error)
}

func TestHandOverBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	calls := 0
	two := fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"x","type":"http-request"}`, `{"id":"y","type":"http-request"}`, `{"id":"a","type":"answer","answer":"{{#y.text#}}"}`},
		[]string{"start", "x"}, []string{"x", "y"}, []string{"y", "a"})
	b := setup(t, two, func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		calls++
		fake.Advance(15 * time.Second)
		return out("text", "t"), nil
	})
	b.clk, b.at = fake, fake.Now().Add(30*time.Second)
	res, err := b.run().Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.HandedOver, res.Verdict)
	require.Equal(t, 1, calls)
	require.Equal(t, []string{"started", "+start", "-start", "+x", "-x"}, b.shown)

	b.at = time.Time{}
	again := b.run()
	require.NoError(t, again.Restore(b.events))
	res, err = again.Execute(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.Finished, res.Verdict)
	require.Equal(t, 2, calls)
}

func TestReasoningIsItsOwnStream(t *testing.T) {
	t.Parallel()
	b := setup(t, effectAnswer(), func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		x.Emit(workflow.Chunk{Name: "reasoning_content", Text: "think "})
		x.Emit(workflow.Chunk{Name: "reasoning_content", Text: "more"})
		x.Emit(workflow.Chunk{Name: "other", Text: "dropped"})
		return &workflow.Result{Outputs: value.Obj("text", stream(x, "said")), Usage: &workflow.Usage{TotalTokens: 7, TotalPrice: "0.10", Currency: "USD"}}, nil
	})
	res := b.finish(t)
	require.Equal(t, []string{"started", "text a.answer: pre ", "+start", "-start", "+h", "reasoning h: think more", "text h.text: said", "text a.answer:  post", "-h", "+a", "-a", "finished succeeded"}, b.shown)
	require.Equal(t, `{"h": "think more"}`, value.JSON(res.Reasoning))
	require.Equal(t, int64(7), res.Tokens)
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		graph string
		code  errs.Code
		text  string
	}{
		"empty":   {`{"nodes":[],"edges":[]}`, errs.InvalidParam, "root node"},
		"unknown": {fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"x","type":"zzz"}`}), errs.InvalidParam, "unknown node type"},
		"later":   {fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"x","type":"loop"}`}), errs.NotImplemented, "loop"},
		"missing": {fakenode.Graph([]string{`{"id":"start","type":"start"}`}, []string{"start", "x"}), errs.InvalidParam, "[MISSING_NODE] Edge edge_0 references unknown target node 'x'."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := workflow.ParseGraph([]byte(c.graph))
			require.NoError(t, err)
			_, err = engine.Compile(g, fakenode.Types(nil))
			require.True(t, errs.Is(err, c.code), "%v", err)
			require.ErrorContains(t, err, c.text)
		})
	}
}

// TestRestoreAtEveryCommit cuts the journal after every commit, restores, and
// requires the same result, no second run of a finished effect, and the same
// text.
func TestRestoreAtEveryCommit(t *testing.T) {
	t.Parallel()
	graph := fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"x","type":"http-request"}`, `{"id":"y","type":"http-request","retry_config":{"retry_enabled":true,"max_retries":1,"retry_interval":1}}`,
		`{"id":"t","type":"text","template":"{{#x.text#}}+{{#y.text#}}"}`, `{"id":"z","type":"http-request","error_strategy":"fail-branch"}`,
		`{"id":"a1","type":"answer","answer":"A {{#x.text#}} {{#y.text#}};"}`, `{"id":"a2","type":"answer","answer":"B {{#t.output#}} {{#z.error_type#}}"}`,
	}, []string{"start", "x"}, []string{"start", "y"}, []string{"x", "t"}, []string{"y", "t"}, []string{"t", "a1"}, []string{"a1", "z"}, []string{"z", "fail-branch", "a2"})
	runs := map[string]int{}
	var mu sync.Mutex
	call := func(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
		mu.Lock()
		runs[x.Key]++
		mu.Unlock()
		if x.Node.ID == "z" || (x.Node.ID == "y" && x.Attempt == 0) {
			return nil, workflow.Fail("ZError", "z")
		}
		return out("text", stream(x, x.Node.ID, "!")), nil
	}
	whole := setup(t, graph, call)
	want := whole.finish(t)
	require.Equal(t, "A x! y!;B x!+y! ZError", want.Answer)
	require.GreaterOrEqual(t, len(whole.cuts), 4)
	for _, cut := range whole.cuts {
		data, err := workflow.EncodeEvents(whole.events[:cut])
		require.NoError(t, err)
		events, err := workflow.DecodeEvents(data)
		require.NoError(t, err)
		finished := map[string]bool{}
		for _, e := range events {
			if e.Type == workflow.EventNodeFinished || e.Type == workflow.EventNodeRetry {
				finished[fmt.Sprintf("run/%s/%d", e.Node.ExecutionID, e.Node.Attempt)] = true
			}
		}
		clear(runs)
		b := setup(t, graph, call)
		b.events = events
		b.n = 100
		r := b.run()
		require.NoError(t, r.Restore(events))
		res, err := r.Execute(t.Context())
		require.NoError(t, err)
		require.Equal(t, want.Status, res.Result.Status, "cut %d", cut)
		require.Equal(t, want.Outputs, res.Result.Outputs, "cut %d", cut)
		require.Equal(t, want.Exceptions, res.Result.Exceptions, "cut %d", cut)
		require.Equal(t, want.Steps, res.Result.Steps, "cut %d", cut)
		require.Equal(t, want.Answer, res.Result.Answer, "cut %d", cut)
		for k := range finished {
			require.Zero(t, runs[k], "cut %d repeats %s", cut, k)
		}
	}
}

func TestCommitFailureEndsTheRunHere(t *testing.T) {
	t.Parallel()
	b := setup(t, effect(""), nil)
	b.fail = errs.New(errs.LeaseLost, "")
	_, err := b.run().Execute(t.Context())
	require.True(t, errs.Is(err, errs.LeaseLost))
}

func TestTokensOfFailedTriesCount(t *testing.T) {
	t.Parallel()
	b := setup(t, effect(`,"error_strategy":"fail-branch","retry_config":{"retry_enabled":true,"max_retries":1,"retry_interval":1}`),
		func(context.Context, *workflow.Execution) (*workflow.Result, error) {
			return &workflow.Result{Usage: &workflow.Usage{TotalTokens: 5}}, workflow.Fail("E", "the answer was no use")
		})
	require.Equal(t, int64(10), b.finish(t).Tokens, "the model was called twice")
}
