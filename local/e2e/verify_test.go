//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
	var whole []apiclient.Event
	eventually(t, 20*time.Second, name+" to be shown again", func() bool {
		var err error
		whole, err = r.replay(ctx)
		var status *apiclient.StatusError
		if errors.As(err, &status) && status.Status >= http.StatusInternalServerError {
			return false // the process that should answer was killed just now
		}
		require.NoError(t, err, name)
		return true
	})

	require.Equal(t, texts(t, r, whole), texts(t, r, r.events), name)
	seen, all := facts(t, r.events), facts(t, whole)
	require.Equal(t, all, seen, "%s: the joined streams and a replay tell the same facts", name)

	var journalled []string // what the client must have seen, as the journal has it
	journal := w.journal(t, r.runID)
	for _, e := range journal {
		if shown := contractName(&e); shown != "" {
			journalled = append(journalled, fmt.Sprintf("%d %s", e.Seq, shown))
		}
	}
	var got []string
	for _, f := range seen {
		if !prefixes(f.name) {
			got = append(got, fmt.Sprintf("%d %s", f.seq, f.name))
		}
	}
	require.Equal(t, journalled, got, "%s: every journalled event exactly once, in order", name)

	end := r.end(t)
	require.Equal(t, statusOf(journal), end.Status, "%s: %+v", name, end)
	if r.app.chat {
		require.Equal(t, r.app.text(r), end.Outputs["answer"], name)
	} else {
		require.Equal(t, r.app.outputs(r), end.Outputs, name)
	}
	r.verifyForms(t)
}

// statusOf is how a run ends whose steps all succeed: the contract has a status
// of its own for those in which a try has failed.
func statusOf(journal []workflow.Event) string {
	for i := range journal {
		if journal[i].Type == workflow.EventNodeRetry {
			return workflow.StatusPartialSucceeded
		}
	}
	return workflow.StatusSucceeded
}

// ending is the data of a run's last event.
type ending struct {
	Status  string
	Error   *string
	Outputs map[string]any
}

func (r *ride) end(t *testing.T) ending {
	t.Helper()
	var end struct{ Data ending }
	require.NoError(t, json.Unmarshal(r.events[len(r.events)-1].Data, &end))
	return end.Data
}

// texts follows the text through events: it may grow and be taken back, but at
// no moment be anything but a beginning of what it has to become.
func texts(t *testing.T, r *ride, events []apiclient.Event) string {
	t.Helper()
	want, have := r.app.text(r), ""
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
		if !prefixes(ev.Name) {
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
		if !prefixes(ev.Name) {
			require.True(t, seq > before || len(out) == 0 || out[len(out)-1].seq < seq, "an event came twice: %s", ev.Data)
			before = seq
		}
		out = append(out, f)
	}
	return out
}

// contractName is the name under which clients see an event; "" when they do
// not.
func contractName(e *workflow.Event) string {
	container := e.Node != nil && (e.Node.NodeType == "iteration" || e.Node.NodeType == "loop")
	switch {
	case e.Type == workflow.EventPassStarted && (e.Node.NodeType == "iteration" || e.Pass.Index > 0):
		return e.Node.NodeType + "_next"
	case container && e.Type == workflow.EventNodeStarted:
		return e.Node.NodeType + "_started"
	case container && e.Type == workflow.EventNodeFinished:
		return e.Node.NodeType + "_completed"
	case e.Type == workflow.EventRunStarted, e.Type == workflow.EventRunPaused, e.Type == workflow.EventRunFinished:
		return strings.Replace(string(e.Type), "run_", "workflow_", 1)
	case e.Type == workflow.EventNodeStarted, e.Type == workflow.EventNodeFinished, e.Type == workflow.EventNodeRetry:
		return string(e.Type)
	}
	return ""
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
