//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/apiclient"
	"github.com/millrace/millrace/shared/workflow"
)

// verify checks a ride whose run is over: its result, that the client's pieces
// add up to what a client sees that reads it all at once, and that the journal
// says the same.
func (w *world) verify(t *testing.T, r *ride) {
	t.Helper()
	require.NoError(t, r.err)
	require.True(t, r.finished, "run %s", r.runID)
	name := fmt.Sprintf("%s run %s (n=%d, %d streams)", r.app.name, r.runID, r.in.n, r.segments)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	whole, err := r.replay(ctx)
	require.NoError(t, err, name)

	require.Equal(t, texts(t, r, whole), texts(t, r, r.events), name)
	seen, all := facts(t, r.events), facts(t, whole)
	require.Equal(t, all, seen, "%s: the joined streams and a replay tell the same facts", name)

	var journalled []string // what the client must have seen, as the journal has it
	for _, e := range w.journal(t, r.runID) {
		if e.Type == workflow.EventText || e.Type == workflow.EventReasoning {
			continue
		}
		journalled = append(journalled, fmt.Sprintf("%d %s", e.Seq, contractName(e.Type)))
	}
	var got []string
	for _, f := range seen {
		if f.name != "message_end" {
			got = append(got, fmt.Sprintf("%d %s", f.seq, f.name))
		}
	}
	require.Equal(t, journalled, got, "%s: every journalled event exactly once, in order", name)

	last := r.events[len(r.events)-1]
	var end struct {
		Data struct {
			Status  string
			Error   *string
			Outputs map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(last.Data, &end), name)
	require.Equal(t, workflow.StatusSucceeded, end.Data.Status, "%s: %s", name, last.Data)
	if r.app.chat {
		require.Equal(t, r.app.text(r.in), end.Data.Outputs["answer"], name)
	} else {
		require.Equal(t, counting(r.in.n), end.Data.Outputs["draft"], name)
		require.EqualValues(t, r.in.n, end.Data.Outputs["total"], name)
		if r.in.n >= many {
			require.Equal(t, fmt.Sprintf("héllo wörld, there were %d words and the report got 200", r.in.n), end.Data.Outputs["reply"], name)
		}
	}
}

// texts follows the text through events: it may grow and be taken back, but at
// no moment be anything but a beginning of what it has to become.
func texts(t *testing.T, r *ride, events []apiclient.Event) string {
	t.Helper()
	want, have := r.app.text(r.in), ""
	for i, ev := range events {
		switch {
		case isText(ev):
			have += textOf(ev)
		case isReplacement(ev):
			have = textOf(ev)
		default:
			continue
		}
		require.True(t, strings.HasPrefix(want, have), "%s run %s, event %d (id %s): the client has the text %q on the way to %q",
			r.app.name, r.runID, i, ev.ID, have, want)
	}
	require.Equal(t, want, have, "%s run %s: the whole text", r.app.name, r.runID)
	return have
}

// fact is an event that is not text.
type fact struct {
	seq  int64
	name string
	body string
}

func facts(t *testing.T, events []apiclient.Event) []fact {
	t.Helper()
	var out []fact
	var before int64
	for _, ev := range events {
		var seq int64
		if ev.Name != "message_end" { // which has no id of its own
			head, _, _ := strings.Cut(ev.ID, ".")
			var err error
			seq, err = strconv.ParseInt(head, 10, 64)
			require.NoError(t, err, "the id %q of %s", ev.ID, ev.Data)
			require.GreaterOrEqual(t, seq, before, "ids never go back: %s", ev.Data)
		}
		if isText(ev) || isReplacement(ev) {
			before = seq
			continue
		}
		body := map[string]any{}
		require.NoError(t, json.Unmarshal(ev.Data, &body))
		// The envelope of a run that is over has another task id.
		delete(body, "task_id")
		text, err := json.Marshal(body)
		require.NoError(t, err)
		f := fact{seq, ev.Name, string(text)}
		if ev.Name != "message_end" {
			require.True(t, seq > before || len(out) == 0 || out[len(out)-1].seq < seq, "an event came twice: %s", ev.Data)
			before = seq
		}
		out = append(out, f)
	}
	return out
}

func contractName(t workflow.EventType) string {
	return strings.Replace(string(t), "run_", "workflow_", 1)
}

// journal reads what is stored of a run.
func (w *world) journal(t *testing.T, runID string) []workflow.Event {
	t.Helper()
	rows, err := w.pool.Query(context.Background(), `SELECT events FROM run_events WHERE run_id = $1 ORDER BY seq`, runID)
	require.NoError(t, err)
	defer rows.Close()
	var out []workflow.Event
	for rows.Next() {
		var raw []byte
		require.NoError(t, rows.Scan(&raw))
		list, err := workflow.DecodeEvents(raw)
		require.NoError(t, err)
		out = append(out, list...)
	}
	require.NoError(t, rows.Err())
	return out
}

// outcome is what verifyAll counted.
type outcome struct {
	runs, unheard, effects, again int
}

// verifyAll waits until every run that was ever started is over, those too whose
// client never heard of them, and checks that no finished effect was repeated.
func (w *world) verifyAll(t *testing.T, apps []*app, rides []*ride) outcome {
	t.Helper()
	ctx := context.Background()
	eventually(t, 90*time.Second, "all runs to be over", func() bool {
		var open int
		require.NoError(t, w.pool.QueryRow(ctx, `SELECT count(*) FROM millrace_runs WHERE finished_at IS NULL`).Scan(&open))
		return open == 0
	})
	known := map[string]bool{}
	for _, r := range rides {
		known[r.runID] = true
	}
	byID := map[string]*app{}
	for _, a := range apps {
		byID[a.id] = a
	}
	calls := w.model.Calls().ByKey
	for k, n := range w.echo.Calls().ByKey {
		calls[k] += n
	}
	rows, err := w.pool.Query(ctx, `SELECT id::text, app_id::text, status FROM millrace_runs`)
	require.NoError(t, err)
	type stored struct{ id, app, status string }
	var list []stored
	for rows.Next() {
		var s stored
		require.NoError(t, rows.Scan(&s.id, &s.app, &s.status))
		list = append(list, s)
	}
	require.NoError(t, rows.Err())
	var out outcome
	for _, s := range list {
		require.Equal(t, workflow.StatusSucceeded, s.status, "run %s", s.id)
		out.runs++
		if !known[s.id] {
			out.unheard++
		}
		delete(known, s.id)
		w.verifyEffects(t, byID[s.app], s.id, calls, &out)
	}
	require.Empty(t, known, "runs that a client has seen and that are lost")
	require.Empty(t, calls, "calls that belong to no step of the journal")
	w.verifyRows(t)
	return out
}

// verifyEffects checks one run's journal against the calls that were counted. A
// step that one worker started and finished has called once. One that a later
// worker finished may have called once more for each worker that took over, and
// never with another key. What it used up is taken out of calls.
func (w *world) verifyEffects(t *testing.T, a *app, runID string, calls map[string]int, out *outcome) {
	t.Helper()
	started := map[string]int64{}
	var order []string
	finished := map[string]bool{}
	var seq, token int64
	for _, e := range w.journal(t, runID) {
		require.Equal(t, seq+1, e.Seq, "run %s: the journal has no gap", runID)
		require.GreaterOrEqual(t, e.Token, token, "run %s: nobody writes after having lost the run", runID)
		seq, token = e.Seq, e.Token
		n := e.Node
		switch e.Type {
		case workflow.EventNodeStarted:
			require.NotContains(t, started, n.NodeID, "run %s: a step starts once", runID)
			started[n.NodeID] = e.Token
			order = append(order, n.NodeID)
		case workflow.EventNodeFinished:
			require.False(t, finished[n.NodeID], "run %s: a step finishes once", runID)
			finished[n.NodeID] = true
			require.Equal(t, workflow.StatusSucceeded, n.Status, "run %s, %s: %s", runID, n.NodeID, n.Error)
			if !contains(a.effects, n.NodeID) {
				continue
			}
			key := fmt.Sprintf("%s/%s/%d", runID, n.ExecutionID, n.Attempt)
			workers := int(e.Token-started[n.NodeID]) + 1
			require.GreaterOrEqual(t, calls[key], 1, "run %s: %s has called", runID, n.NodeID)
			require.LessOrEqual(t, calls[key], workers, "run %s: %s called %d times, and %d workers had it", runID, n.NodeID, calls[key], workers)
			out.effects++
			out.again += calls[key] - 1
			delete(calls, key)
		}
	}
	nodes := strings.Join(order, " ")
	require.True(t, nodes == strings.Join(a.nodes(input{n: many}), " ") || nodes == strings.Join(a.nodes(input{n: 1}), " "), "run %s: %s", runID, nodes)
	require.Len(t, finished, len(order), "run %s", runID)
}

// verifyRows checks that the contract's tables tell the same as the journal.
func (w *world) verifyRows(t *testing.T) {
	t.Helper()
	for what, query := range map[string]string{
		"runs without a finished contract row": `SELECT count(*) FROM millrace_runs r LEFT JOIN workflow_runs c ON c.id = r.id
			WHERE c.id IS NULL OR c.status <> 'succeeded' OR c.finished_at IS NULL`,
		"steps that are not finished":                    `SELECT count(*) FROM workflow_node_executions WHERE status <> 'succeeded' OR finished_at IS NULL`,
		"steps that are there twice":                     `SELECT count(*) FROM (SELECT 1 FROM workflow_node_executions GROUP BY workflow_run_id, node_id HAVING count(*) > 1) d`,
		"messages that are not normal or have no answer": `SELECT count(*) FROM messages WHERE status <> 'normal' OR answer = ''`,
	} {
		var n int
		require.NoError(t, w.pool.QueryRow(context.Background(), query).Scan(&n), what)
		require.Zero(t, n, what)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// show prints events for a failure's log.
func show(events []apiclient.Event) string {
	var b bytes.Buffer
	for _, ev := range events {
		fmt.Fprintf(&b, "%-10s %s\n", ev.ID, ev.Data)
	}
	return b.String()
}

// stored tells how a run looks in the database, for a failure's log.
func (w *world) stored(runID string) string {
	var row string
	err := w.pool.QueryRow(context.Background(), `SELECT row_to_json(r)::text FROM (
SELECT id, status, last_seq, lease_owner, lease_token, lease_expires_at, due_at, now() AS now,
 (SELECT json_agg(json_build_array(o.created_at, o.claimed_until)) FROM millrace_outbox o WHERE o.run_id = m.id) AS outbox,
 (SELECT json_agg(json_build_array(q.queue, q.attempts, q.visible_at, q.dead_at)) FROM millrace_queue_messages q
  WHERE convert_from(q.body, 'UTF8') LIKE '%' || m.id::text || '%') AS messages
FROM millrace_runs m WHERE id::text = $1) r`, runID).Scan(&row)
	if err != nil {
		return err.Error()
	}
	return row
}
