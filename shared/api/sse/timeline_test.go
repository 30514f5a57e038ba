package sse_test

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// journal has the events of a run; a join shows those behind the first seen.
type journal struct {
	events []workflow.Event
	seen   int // are there when somebody looks; the rest comes by a join
}

func (j *journal) Journal(_ context.Context, _, _ string, after int64) ([]workflow.Event, error) {
	return j.events[min(int(after), j.seen):j.seen], nil
}

func (j *journal) Join(_ context.Context, _, _ string, from run.JoinFrom, sink run.Sink) (*run.Result, error) {
	at, _ := strconv.Atoi(from.LastEventID)
	for ; at < len(j.events); at++ {
		j.seen = at + 1
		// Of text a client of a join has seen most before it is journalled.
		if e := j.events[at]; e.Text == nil {
			if err := sink.Item(run.Item{Event: e}); err != nil {
				return nil, err
			}
		} else if err := sink.Item(run.Item{Live: true, Event: e}); err != nil {
			return nil, err
		}
	}
	return &run.Result{}, nil
}

func sample() []workflow.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	node := func(id, status string) *workflow.NodeEvent {
		return &workflow.NodeEvent{
			ExecutionID: "x-" + id, NodeID: id, NodeType: "llm", Title: id, Index: 1, Status: status, Outputs: value.Obj("o", int64(1)),
			Elapsed: 0.5, Usage: &workflow.Usage{TotalTokens: 3, TotalPrice: "0.1", Currency: "USD"},
		}
	}
	events := []workflow.Event{
		{Type: workflow.EventRunStarted, Started: &workflow.RunStarted{Reason: "initial", Inputs: value.Obj("q", "x")}},
		{Type: workflow.EventNodeStarted, Node: &workflow.NodeEvent{NodeID: "a", NodeType: "llm", Title: "a"}},
		{Type: workflow.EventText, Text: &workflow.TextPiece{Selector: workflow.Selector{"a", "text"}, Text: "hello"}},
		{Type: workflow.EventNodeFinished, Node: node("a", "succeeded")},
		{Type: workflow.EventNodeFinished, Node: node("b", "failed"), Frame: []workflow.Frame{{NodeID: "it", Type: "iteration", Index: 2}}},
		{Type: workflow.EventRunFinished, Finished: &workflow.RunFinished{Status: "succeeded", Tokens: 3}},
	}
	for i := range events {
		events[i].Seq, events[i].At, events[i].Token = int64(i+1), at, 2
	}
	return events
}

func serve(t *testing.T, j *journal, target string, header http.Header) (*httptest.ResponseRecorder, error) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	tl := sse.Timeline{Runs: j, Clock: clock.System{}, Ping: time.Minute, Stream: true, Run: &run.View{LastSeq: int64(j.seen), Status: "running"}}
	err := tl.Serve(w, r)
	return w, err
}

func seqs(t *testing.T, body []byte) (out []int, more bool, next int) {
	t.Helper()
	var page struct {
		Data      []struct{ Seq int }
		HasMore   bool `json:"has_more"`
		NextAfter int  `json:"next_after"`
	}
	require.NoError(t, json.Unmarshal(body, &page))
	for _, e := range page.Data {
		out = append(out, e.Seq)
	}
	return out, page.HasMore, page.NextAfter
}

func TestTimelineAsPages(t *testing.T) {
	t.Parallel()
	j := &journal{events: sample(), seen: 6}
	for target, want := range map[string][]int{
		"/?format=json":                                       {1, 2, 3, 4, 5, 6},
		"/?format=json&after=4":                               {5, 6},
		"/?format=json&types=node_finished,%20text":           {3, 4, 5},
		"/?format=json&node_id=a":                             {2, 3, 4},
		"/?format=json&node_id=it":                            {5},
		"/?format=json&node_id=a&types=node_finished&after=4": nil,
	} {
		w, err := serve(t, j, target, nil)
		require.NoError(t, err)
		got, more, _ := seqs(t, w.Body.Bytes())
		require.Equal(t, want, got, target)
		require.False(t, more)
	}
	w, err := serve(t, j, "/?limit=1&types=node_finished", http.Header{"Accept": {"application/json"}})
	require.NoError(t, err)
	got, more, next := seqs(t, w.Body.Bytes())
	require.Equal(t, []int{4}, got)
	require.True(t, more)
	w, err = serve(t, j, "/?format=json&limit=1&types=node_finished&after="+strconv.Itoa(next), nil)
	require.NoError(t, err)
	got, _, _ = seqs(t, w.Body.Bytes())
	require.Equal(t, []int{5}, got, "the next page goes on there")
	require.Contains(t, w.Body.String(), `"frame": [{"node_id": "it", "type": "iteration", "index": 2}]`)
	require.Contains(t, w.Body.String(), `"at": "2026-01-02T03:04:05.000006Z"`)
	require.NotContains(t, w.Body.String(), "outputs")
	w, err = serve(t, j, "/?format=json&data=true", nil)
	require.NoError(t, err)
	require.Contains(t, w.Body.String(), `"outputs": {"o": 1}`)
	_, err = serve(t, j, "/?format=xml", nil)
	require.Equal(t, errs.InvalidParam, errs.CodeOf(err))
	for _, bad := range []string{"types=nothing", "after=7", "after=x", "limit=0"} {
		_, err := serve(t, j, "/?format=json&"+bad, nil)
		require.Equal(t, errs.InvalidParam, errs.CodeOf(err), bad)
	}
}

func TestTimelineAsStream(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`(?m)^event: (\w+)\nid: (\d+)$`)
	for _, seen := range []int{0, 2, 6} {
		w, err := serve(t, &journal{events: sample(), seen: seen}, "/", nil)
		require.NoError(t, err)
		var got []string
		for _, m := range names.FindAllStringSubmatch(w.Body.String(), -1) {
			got = append(got, m[2]+m[1])
		}
		require.Equal(t, []string{"1run_started", "2node_started", "3text", "4node_finished", "5node_finished", "6run_finished"}, got, "%d were there", seen)
	}
	w, err := serve(t, &journal{events: sample(), seen: 4}, "/?types=run_finished", http.Header{"Last-Event-Id": {"2"}})
	require.NoError(t, err)
	require.Len(t, names.FindAllString(w.Body.String(), -1), 1)
}

// TestEventTypesAreDocumented compares the types of the journal, the timeline and
// the table of the documentation.
func TestEventTypesAreDocumented(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "../../workflow/event.go", nil, 0)
	require.NoError(t, err)
	declared := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := v.Type.(*ast.Ident); ok && id.Name == "EventType" {
			name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			declared[name] = true
		}
		return true
	})
	delete(declared, string(workflow.EventTextReplaced)) // is never journalled
	raw, err := os.ReadFile("../../../docs/events.md")
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(raw), "## Types")
	documented, shown := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)`").FindAllStringSubmatch(table, -1) {
		documented[m[1]] = true
	}
	for _, x := range sse.TimelineTypes() {
		shown[string(x)] = true
	}
	require.NotEmpty(t, declared)
	require.Equal(t, declared, documented)
	require.Equal(t, declared, shown)
}
