package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/app"
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
	"github.com/millrace/millrace/shared/workflow/value"
)

// recording is a file of testdata/journals, see the README there.
type recording struct {
	Version, Name string
	Workflow      struct {
		ID           string          `json:"id"`
		TenantID     string          `json:"tenant_id"`
		AppID        string          `json:"app_id"`
		Type         string          `json:"type"`
		Version      string          `json:"version"`
		Graph        json.RawMessage `json:"graph"`
		Conversation json.RawMessage `json:"conversation_variables"`
	}
	Runs []struct {
		ID, Status string
		Spec       json.RawMessage
	}
	Commits []struct {
		Run    string
		Events json.RawMessage
	}

	written  []written          // all events of all runs in the order of their commits
	recorded map[string]*record // by place of a node
}

// written is an event of the run, or of one of its parts.
type written struct {
	run string
	ev  workflow.Event
	// whole is true for the last of a commit: only then a kill can leave the
	// journal there.
	whole bool
}

// record is what became of one node in one frame.
type record struct {
	tries   map[int]*workflow.NodeEvent // that failed and were tried again
	pause   *workflow.PauseInfo
	resumed *workflow.Resumption
	end     *workflow.NodeEvent
}

// recordings reads the corpus.
func recordings(t *testing.T) []*recording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "journals", "*", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var out []*recording
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		r := &recording{recorded: map[string]*record{}}
		require.NoError(t, json.Unmarshal(raw, r), f)
		require.Equal(t, filepath.Base(filepath.Dir(f)), r.Version, f)
		for _, c := range r.Commits {
			events, err := workflow.DecodeEvents(c.Events)
			require.NoError(t, err, f)
			for i := range events {
				r.written = append(r.written, written{c.Run, events[i], i == len(events)-1})
				if c.Run == r.Runs[0].ID {
					r.note(&events[i])
				}
			}
		}
		out = append(out, r)
	}
	return out
}

// place names a node in a frame.
func place(frames []workflow.Frame, nodeID string) string {
	var b strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&b, "%s[%d].", f.NodeID, f.Index)
	}
	return b.String() + nodeID
}

func (r *recording) note(e *workflow.Event) {
	if e.Node == nil {
		return
	}
	at := place(e.Frame, e.Node.NodeID)
	rec := r.recorded[at]
	if rec == nil {
		rec = &record{tries: map[int]*workflow.NodeEvent{}}
		r.recorded[at] = rec
	}
	switch e.Type {
	case workflow.EventNodeRetry:
		rec.tries[e.Node.Attempt] = e.Node
	case workflow.EventNodePaused:
		rec.pause = e.Pause
	case workflow.EventNodeResumed:
		rec.resumed = e.Resumed
	case workflow.EventNodeFinished:
		rec.end = e.Node
	}
}

// Definition implements run.GraphSource.
func (r *recording) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	w := &r.Workflow
	if tenantID != w.TenantID || id != w.ID {
		return nil, errs.New(errs.NotFound, "")
	}
	d := &run.Definition{ID: w.ID, TenantID: w.TenantID, AppID: w.AppID, Type: w.Type, Version: w.Version, Graph: string(w.Graph)}
	list, err := app.DecodeVariables(string(w.Conversation))
	for _, v := range list {
		d.Conversation = append(d.Conversation, run.Variable{ID: v.ID, Type: v.Type, Description: v.Description, Name: v.Name, Value: v.Value})
	}
	return d, err
}

// effects are the node types of the current version, but that those with effects
// do what was recorded.
type effects struct {
	types engine.Types
	rec   *recording
	calls *atomic.Int64
}

func (e effects) Lookup(name string) (workflow.Type, bool) {
	t, ok := e.types.Lookup(name)
	if !ok || !t.Effect() {
		return t, ok
	}
	return effect{t, e}, true
}

type effect struct {
	workflow.Type
	of effects
}

// New lets the real type check its configuration.
func (e effect) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	if _, err := e.Type.New(cfg); err != nil {
		return nil, err
	}
	return e, nil
}

// Run does what was recorded.
func (e effect) Run(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	rec := e.of.rec.recorded[place(x.Frames, x.Node.ID)]
	if rec == nil {
		return nil, errors.New("this node has not run when it was recorded")
	}
	e.of.calls.Add(1)
	if rec.pause != nil && (!x.Resumed || rec.end == nil) {
		return nil, &workflow.Pause{Kind: rec.pause.Kind, Until: rec.pause.Until, Reason: rec.pause.Reason}
	}
	if n := rec.tries[x.Attempt]; n != nil {
		return resultOf(n), &workflow.Failure{Type: n.ErrorType, Message: n.Error}
	}
	if rec.end == nil { // it still ran when the run was stopped
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n := rec.end
	switch n.Status {
	case workflow.StatusFailed:
		return resultOf(n), &workflow.Failure{Type: n.ErrorType, Message: n.Error}
	case workflow.StatusException:
		return resultOf(n), &workflow.Failure{Type: n.ErrorType, Message: n.Outputs.String("error_message")}
	}
	if text, ok := n.Outputs.Value("text").(string); ok && n.NodeType == "llm" && x.Emit != nil {
		x.Emit(workflow.Chunk{Name: "text", Text: text})
		x.Emit(workflow.Chunk{Name: "text", Final: true})
	}
	res := resultOf(n)
	res.Resumption = rec.resumed
	return res, nil
}

func resultOf(n *workflow.NodeEvent) *workflow.Result {
	return &workflow.Result{
		Inputs: n.Inputs, ProcessData: n.ProcessData, Outputs: n.Outputs, Metadata: n.Metadata, Usage: n.Usage, Handle: n.Handle, Updates: n.Updates,
	}
}

// quick is a clock that goes on from a moment of the past, faster than others.
type quick struct {
	from  time.Time
	start time.Time
}

const speed = 50

func newQuick(from time.Time) quick { return quick{from.Add(time.Millisecond), clock.System{}.Now()} }

func (q quick) Now() time.Time { return q.from.Add(speed * clock.Since(clock.System{}, q.start)) }
func (q quick) After(d time.Duration) <-chan time.Time {
	return clock.System{}.After(d / speed)
}

// cut is the stored state after the first events of a recording, in a process
// of the current version.
type cut struct {
	rec     *recording
	store   *memrunstore.Driver
	service *run.Service
	clock   quick
	calls   atomic.Int64
	going   sync.WaitGroup
}

// at returns the state after n events.
func (r *recording) at(t *testing.T, types engine.Types, n int) *cut {
	t.Helper()
	c := &cut{rec: r, clock: newQuick(r.written[n-1].ev.At)}
	c.store = memrunstore.New(c.clock)
	for _, stored := range r.Runs {
		b := &driver.Batch{}
		for _, w := range r.written[:n] {
			if w.run == stored.ID {
				b.Events = append(b.Events, w.ev)
			}
		}
		if len(b.Events) == 0 {
			continue // nobody has begun it
		}
		if last := b.Events[len(b.Events)-1]; last.Terminal() {
			b.Status = last.Finished.Status
		}
		l, err := c.store.Begin(t.Context(), &driver.Run{
			ID: stored.ID, TenantID: r.Workflow.TenantID, AppID: r.Workflow.AppID, WorkflowID: r.Workflow.ID, TaskID: run.TaskID(stored.ID), Spec: stored.Spec,
		}, "gone", time.Second, b)
		require.NoError(t, err)
		if b.Status == "" {
			require.NoError(t, c.store.Release(t.Context(), &l, time.Time{}, nil))
		}
	}
	c.service = run.New(run.Deps{
		Store: runstore.New(c.store, 0), Stream: eventstream.New(memstream.New(c.clock)), Types: effects{types, r, &c.calls}, Graphs: r, Clock: c.clock, Sender: c,
	}, run.Options{Engine: engine.Options{FanOut: engine.FanOut{Over: 8, Size: 4}}})
	return c
}

// Send implements run.Sender: parts are continued at once.
func (c *cut) Send(ctx context.Context, _ string, m run.Message) error {
	c.going.Go(func() { _ = c.service.Continue(context.WithoutCancel(ctx), m.TenantID, m.RunID) })
	return nil
}

// journal is that of the run.
func (c *cut) journal(t *testing.T) []workflow.Event {
	t.Helper()
	events, err := c.store.Events(t.Context(), c.rec.Workflow.TenantID, c.rec.Runs[0].ID, 0)
	require.NoError(t, err)
	return events
}

// finish continues everything until the run is over, and parts that go on alone.
func (c *cut) finish(t *testing.T) []workflow.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		for _, id := range c.store.RunIDs() {
			require.NoError(t, c.service.Continue(ctx, c.rec.Workflow.TenantID, id))
		}
		c.going.Wait()
		events := c.journal(t)
		if events[len(events)-1].Terminal() {
			return events
		}
		require.NoError(t, clock.Sleep(ctx, c.clock, 500*time.Millisecond), "the run ends: %s", tailOf(events))
	}
}

func tailOf(events []workflow.Event) string {
	raw, _ := workflow.EncodeEvents(events[max(0, len(events)-3):])
	return string(raw)
}

// result is what a journal says came out of a run: how it ended, and every node
// in every frame. What depends on the moments at which somebody looked is left
// out.
func result(events []workflow.Event) []string {
	var out []string
	for i := range events {
		e := &events[i]
		switch e.Type {
		case workflow.EventRunFinished:
			f := e.Finished
			out = append(out, fmt.Sprintf("finished %s %s %q %q tokens %d exceptions %d", f.Status, value.JSON(f.Outputs), f.Error, f.Answer, f.Tokens, f.Exceptions))
		case workflow.EventNodeFinished:
			n := e.Node
			out = append(out, fmt.Sprintf("%s %s %s %q %s", place(e.Frame, n.NodeID), n.Status, value.JSON(n.Outputs), n.Error, n.Handle))
		}
	}
	sort.Strings(out)
	return out
}
