package sse

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// TimelineRuns reads and follows journals. *run.Service is one.
type TimelineRuns interface {
	Journal(ctx context.Context, tenantID, runID string, after int64) ([]workflow.Event, error)
	Join(ctx context.Context, tenantID, runID string, from run.JoinFrom, sink run.Sink) (*run.Result, error)
}

// Timeline shows the journal of a run as it is: one entry for each event, as a
// stream that goes on until the run is over, or as pages of JSON. It is the way
// to watch a run; what clients of the contract are shown is View's.
type Timeline struct {
	Runs  TimelineRuns
	Clock clock.Clock
	// Ping is the longest silence of a stream.
	Ping time.Duration
	// Run is what is shown; the caller has checked who asks.
	Run *run.View
	// Stream is the form for clients that say nothing of it; false: JSON.
	Stream bool
}

// Limits of a page.
const (
	timelinePage    = 100
	timelineMaxPage = 1000
	mimeJSON        = "application/json"
	mimeStream      = "text/event-stream"
)

// TimelineTypes are the types of events that journals have.
func TimelineTypes() []workflow.EventType {
	return []workflow.EventType{
		workflow.EventRunStarted, workflow.EventRunFinished, workflow.EventRunPaused,
		workflow.EventNodeStarted, workflow.EventNodeRetry, workflow.EventNodeFinished, workflow.EventNodePaused, workflow.EventNodeResumed,
		workflow.EventPassStarted, workflow.EventPassFinished, workflow.EventFanOut, workflow.EventPartJoined,
		workflow.EventText, workflow.EventReasoning,
	}
}

// AsksForTimeline reports whether a request to a route of the contract wants the
// timeline instead.
func AsksForTimeline(r *http.Request) bool {
	return r.URL.Query().Get("format") == "json" || strings.HasPrefix(r.Header.Get("Accept"), mimeJSON)
}

// filter says which entries a client wants.
type filter struct {
	types  []workflow.EventType
	nodeID string
	after  int64
	limit  int
	data   bool
	stream bool
}

func (t *Timeline) filter(r *http.Request) (f filter, err error) {
	q := edge.NewQuery(r)
	f = filter{nodeID: q.Text("node_id"), limit: q.Int("limit", timelinePage, 1, timelineMaxPage), data: q.Bool("data", false), stream: t.Stream}
	for name := range strings.SplitSeq(q.Text("types"), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !slices.Contains(TimelineTypes(), workflow.EventType(name)) {
			q.Add("types", "unknown type "+name)
		}
		f.types = append(f.types, workflow.EventType(name))
	}
	switch format := q.Text("format"); {
	case format != "":
		q.OneOf("format", format, "json", "sse")
		f.stream = format == "sse"
	case strings.HasPrefix(r.Header.Get("Accept"), mimeJSON):
		f.stream = false
	case strings.HasPrefix(r.Header.Get("Accept"), mimeStream):
		f.stream = true
	}
	after := q.Text("after")
	if last := r.Header.Get("Last-Event-ID"); after == "" && f.stream {
		after = last
	}
	if after != "" {
		if f.after, err = strconv.ParseInt(after, 10, 64); err != nil || f.after < 0 || f.after > t.Run.LastSeq {
			return f, errs.Newf(errs.InvalidParam, "%q is not the number of an event of this run", after)
		}
	}
	return f, q.Err()
}

func (f *filter) wants(e *workflow.Event) bool {
	if len(f.types) > 0 && !slices.Contains(f.types, e.Type) {
		return false
	}
	if f.nodeID == "" {
		return true
	}
	for _, p := range e.Frame {
		if p.NodeID == f.nodeID {
			return true
		}
	}
	switch {
	case e.Node != nil:
		return e.Node.NodeID == f.nodeID
	case e.Text != nil:
		return len(e.Text.Selector) > 0 && e.Text.Selector[0] == f.nodeID
	case e.Reasoning != nil:
		return e.Reasoning.NodeID == f.nodeID
	case e.Paused != nil:
		return slices.Contains(e.Paused.Nodes, f.nodeID)
	}
	return false
}

// Serve answers with the timeline.
func (t *Timeline) Serve(w http.ResponseWriter, r *http.Request) error {
	f, err := t.filter(r)
	if err != nil {
		return err
	}
	if f.stream {
		return t.serveStream(w, r, &f)
	}
	q := &t.Run.Request
	events, err := t.Runs.Journal(r.Context(), q.TenantID, q.RunID, f.after)
	if err != nil {
		return err
	}
	list, next, more := []any{}, f.after, false
	for i := range events {
		if e := &events[i]; f.wants(e) {
			if more = len(list) == f.limit; more {
				break
			}
			list = append(list, Entry(e, f.data))
		}
		next = events[i].Seq
	}
	return edge.OK(w, value.Obj("run_id", q.RunID, "task_id", run.TaskID(q.RunID), "status", t.Run.Status, "finished", t.Run.Finished,
		"limit", int64(f.limit), "has_more", more, "next_after", next, "data", list))
}

// serveStream shows what is there and then what comes, until the run is over.
func (t *Timeline) serveStream(w http.ResponseWriter, r *http.Request, f *filter) error {
	ctx, q := r.Context(), &t.Run.Request
	events, err := t.Runs.Journal(ctx, q.TenantID, q.RunID, f.after)
	if err != nil {
		return err
	}
	out := NewStream(w, t.Clock)
	_ = out.Ping() // a client that left is found out by the first event
	defer out.KeepAlive(t.Ping)()
	s := &timelineSink{t: t, f: f, out: out, last: f.after, ctx: ctx}
	if err := s.show(events); err != nil || s.over {
		return nil //nolint:nilerr // the client is gone
	}
	from := run.JoinFrom{LastEventID: strconv.FormatInt(s.last, 10), Pauses: true, Start: s.last == 0}
	_, err = t.Runs.Join(ctx, q.TenantID, q.RunID, from, s)
	if err != nil && ctx.Err() == nil && s.out.err == nil {
		return err
	}
	return nil
}

// timelineSink follows a run. A relay leaves out journalled text that was shown
// live, so what does not simply follow is read from the journal.
type timelineSink struct {
	t    *Timeline
	f    *filter
	out  *Stream
	last int64
	over bool
	ctx  context.Context //nolint:containedctx // of the request that it serves
}

// Item implements run.Sink.
func (s *timelineSink) Item(i run.Item) error {
	e := &i.Event
	if i.Live || e.Seq <= s.last {
		return nil
	}
	if e.Seq == s.last+1 && e.Text == nil && e.Reasoning == nil {
		return s.show([]workflow.Event{*e})
	}
	q := &s.t.Run.Request
	events, err := s.t.Runs.Journal(s.ctx, q.TenantID, q.RunID, s.last)
	if err != nil {
		return err
	}
	return s.show(events)
}

func (s *timelineSink) show(events []workflow.Event) error {
	for i := range events {
		e := &events[i]
		s.last, s.over = e.Seq, e.Terminal()
		if !s.f.wants(e) {
			continue
		}
		body, err := Entry(e, s.f.data).MarshalJSON()
		if err != nil {
			return err
		}
		if err := s.out.sendNamed(string(e.Type), strconv.FormatInt(e.Seq, 10), body); err != nil {
			return err
		}
	}
	return nil
}

// sendNamed writes an event with a name.
func (s *Stream) sendNamed(name, id string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = append(append(append(s.buf[:0], "event: "...), name...), "\nid: "...)
	s.buf = append(append(append(append(s.buf, id...), "\ndata: "...), body...), "\n\n"...)
	return s.write()
}

// moment is how a timeline tells times: to the microsecond, as journalled.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }

// Entry is one event as a timeline shows it. With data it has what went into a
// node and came out of it.
func Entry(e *workflow.Event, data bool) *value.Object {
	o := value.Obj("seq", e.Seq, "at", moment(e.At), "type", string(e.Type), "worker", e.Token)
	if len(e.Frame) > 0 {
		frames := make([]any, len(e.Frame))
		for i, p := range e.Frame {
			frames[i] = value.Obj("node_id", p.NodeID, "type", p.Type, "index", int64(p.Index))
		}
		o.Set("frame", frames)
	}
	if n := e.Node; n != nil {
		entryNode(o, e, n, data)
	}
	switch {
	case e.Started != nil:
		o.Set("reason", e.Started.Reason)
		if data {
			o.Set("inputs", object(e.Started.Inputs))
		}
	case e.Finished != nil:
		entryEnd(o, e.Finished, data)
	case e.Text != nil:
		o.Set("selector", value.From([]string(e.Text.Selector)))
		o.Set("text", e.Text.Text)
	case e.Reasoning != nil:
		o.Set("node_id", e.Reasoning.NodeID)
		o.Set("text", e.Reasoning.Text)
	case e.Pass != nil:
		o.Set("pass", int64(e.Pass.Index))
		o.Set("elapsed", e.Pass.Elapsed)
		setText(o, "error", e.Pass.Error)
	case e.Pause != nil:
		o.Set("waits_for", e.Pause.Kind)
		setMoment(o, "until", e.Pause.Until)
	case e.Paused != nil:
		o.Set("nodes", value.From(e.Paused.Nodes))
		o.Set("elapsed", e.Paused.Elapsed)
		setMoment(o, "until", e.Paused.Until)
	}
	if len(e.Parts) > 0 {
		parts := make([]any, len(e.Parts))
		for i, p := range e.Parts {
			parts[i] = value.Obj("run_id", p.RunID, "from", int64(p.From), "to", int64(p.To))
		}
		o.Set("parts", parts)
	}
	return o
}

func entryNode(o *value.Object, e *workflow.Event, n *workflow.NodeEvent, data bool) {
	o.Set("node", value.Obj("id", n.NodeID, "type", n.NodeType, "title", n.Title, "execution_id", n.ExecutionID, "index", int64(n.Index)))
	setText(o, "status", n.Status)
	setText(o, "error", n.Error)
	setText(o, "error_type", n.ErrorType)
	switch e.Type {
	case workflow.EventNodeRetry:
		o.Set("attempt", int64(n.Attempt+1))
		setMoment(o, "not_before", n.NotBefore)
	case workflow.EventNodeFinished:
		o.Set("attempt", int64(n.Attempt))
	}
	if e.Type == workflow.EventNodeFinished || e.Type == workflow.EventNodeRetry {
		o.Set("elapsed", n.Elapsed)
	}
	if u := n.Usage; u != nil {
		o.Set("tokens", u.TotalTokens)
		setText(o, "price", u.TotalPrice)
		setText(o, "currency", u.Currency)
	}
	if from := n.Metadata; from != nil && from.String("replayed_from") != "" {
		o.Set("replayed_from", from.String("replayed_from"))
	}
	if data && n.Inputs != nil {
		o.Set("inputs", n.Inputs)
	}
	if data && e.Type != workflow.EventNodeStarted {
		o.Set("process_data", object(n.ProcessData))
		o.Set("outputs", object(n.Outputs))
	}
}

func entryEnd(o *value.Object, f *workflow.RunFinished, data bool) {
	o.Set("status", f.Status)
	setText(o, "error", f.Error)
	setText(o, "error_type", f.ErrorType)
	o.Set("elapsed", f.Elapsed)
	o.Set("tokens", f.Tokens)
	o.Set("steps", int64(f.Steps))
	if f.Usage != nil {
		setText(o, "price", f.Usage.TotalPrice)
		setText(o, "currency", f.Usage.Currency)
	}
	if data {
		o.Set("outputs", object(f.Outputs))
	}
}

func setText(o *value.Object, name, text string) {
	if text != "" {
		o.Set(name, text)
	}
}

func setMoment(o *value.Object, name string, at time.Time) {
	if !at.IsZero() {
		o.Set(name, moment(at))
	}
}
