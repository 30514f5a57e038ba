//go:build linux

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// outcome is what verifyAll counted.
type outcome struct {
	runs, parts, called, unheard, effects, again int
}

// storedRun is a row about a run, or about a part of one.
type storedRun struct {
	id, app, status string
	part, called    bool
}

// runs reads all runs.
func (w *world) runs(t *testing.T) []storedRun {
	t.Helper()
	rows, err := w.pool.Query(context.Background(), `SELECT id::text, app_id::text, status, (spec -> 'part') IS NOT NULL,
 (spec -> 'request' -> 'called_by') IS NOT NULL FROM millrace_runs`)
	require.NoError(t, err)
	var list []storedRun
	for rows.Next() {
		var s storedRun
		require.NoError(t, rows.Scan(&s.id, &s.app, &s.status, &s.part, &s.called))
		list = append(list, s)
	}
	require.NoError(t, rows.Err())
	return list
}

// verifyAll waits until every run that was ever started is over, those too whose
// client never heard of them, and checks that no finished effect was repeated.
func (w *world) verifyAll(t *testing.T, base string, apps []*app, rides []*ride) outcome {
	t.Helper()
	ctx := context.Background()
	eventually(t, 90*time.Second, "all runs to be over", func() bool {
		w.answerStray(t, base, apps)
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
	var out outcome
	for _, s := range w.runs(t) {
		if s.part {
			require.Equal(t, workflow.StatusSucceeded, s.status, "part %s", s.id)
			out.parts++
			continue
		}
		out.runs++
		switch {
		case s.called:
			out.called++
		case !known[s.id]:
			out.unheard++
		}
		delete(known, s.id)
		w.verifyEffects(t, byID[s.app], s, calls, &out)
	}
	require.Empty(t, known, "runs that a client has seen and that are lost")
	require.Empty(t, calls, "calls that belong to no step of the journal")
	w.verifyRows(t)
	for _, a := range apps {
		if a.settled != nil {
			a.settled(t, w, a)
		}
	}
	return out
}

// moment names an event of an execution.
type moment struct {
	execution string
	what      workflow.EventType
	attempt   int
}

// written returns who wrote the events of a run's parts first: in the run's own
// journal they have the token of the worker that took them over.
func (w *world) written(t *testing.T, journal []workflow.Event) map[moment]int64 {
	t.Helper()
	out := map[moment]int64{}
	for _, e := range journal {
		if e.Type != workflow.EventFanOut {
			continue
		}
		for _, p := range e.Parts {
			var seq, token int64
			for _, x := range w.journal(t, p.RunID) {
				require.Equal(t, seq+1, x.Seq, "part %s: the journal has no gap", p.RunID)
				require.GreaterOrEqual(t, x.Token, token, "part %s: nobody writes after having lost the run", p.RunID)
				seq, token = x.Seq, x.Token
				if x.Node != nil {
					out[moment{x.Node.ExecutionID, x.Type, x.Node.Attempt}] = x.Token
				}
			}
		}
	}
	return out
}

// verifyEffects checks one run's journal against the calls that were counted. A
// try that one worker began and ended has called once. One that a later worker
// ended may have called once more for each worker that took over, and never with
// another key. What it used up is taken out of calls.
func (w *world) verifyEffects(t *testing.T, a *app, s storedRun, calls map[string]int, out *outcome) {
	t.Helper()
	runID := s.id
	journal := w.journal(t, runID)
	require.Equal(t, statusOf(journal), s.status, "run %s", runID)
	first := w.written(t, journal)
	began := map[string]int64{} // by execution: the token under which its current try began
	paused, finished, ended := map[string]bool{}, map[string]bool{}, map[string]int{}
	var order []string
	var seq, token int64
	var in input
	for i := range journal {
		e := &journal[i]
		require.Equal(t, seq+1, e.Seq, "run %s: the journal has no gap", runID)
		require.GreaterOrEqual(t, e.Token, token, "run %s: nobody writes after having lost the run", runID)
		seq, token = e.Seq, e.Token
		n := e.Node
		if e.Type == workflow.EventRunStarted {
			in = inputOf(e.Started.Inputs)
		}
		if n == nil {
			continue
		}
		by, ok := first[moment{n.ExecutionID, e.Type, n.Attempt}]
		if !ok {
			by = e.Token
		}
		switch e.Type {
		case workflow.EventNodeStarted:
			if !paused[n.ExecutionID] {
				require.NotContains(t, began, n.ExecutionID, "run %s: %s starts once", runID, n.NodeID)
				order = append(order, n.NodeID)
			}
			began[n.ExecutionID] = by
		case workflow.EventNodePaused:
			paused[n.ExecutionID] = true
		case workflow.EventNodeRetry, workflow.EventNodeFinished:
			require.False(t, finished[n.ExecutionID], "run %s: %s finishes once", runID, n.NodeID)
			if e.Type == workflow.EventNodeFinished {
				finished[n.ExecutionID] = true
				ended[n.NodeID]++
				require.Equal(t, workflow.StatusSucceeded, n.Status, "run %s, %s: %s", runID, n.NodeID, n.Error)
			}
			if !contains(a.effects, n.NodeID) {
				continue
			}
			key := fmt.Sprintf("%s/%s/%d", runID, n.ExecutionID, n.Attempt)
			workers := int(by-began[n.ExecutionID]) + 1
			require.GreaterOrEqual(t, calls[key], 1, "run %s: %s has called", runID, n.NodeID)
			require.LessOrEqual(t, calls[key], workers, "run %s: %s called %d times, and %d workers had it", runID, n.NodeID, calls[key], workers)
			out.effects++
			out.again += calls[key] - 1
			delete(calls, key)
			began[n.ExecutionID] = by
		}
	}
	if a.nodes != nil {
		require.Equal(t, strings.Join(a.nodes(in), " "), strings.Join(order, " "), "run %s", runID)
	}
	require.Equal(t, a.counts(in), ended, "run %s (%s): each step as often as it should", runID, a.name)
	require.Len(t, finished, len(began), "run %s", runID)
	var rows, different int
	require.NoError(t, w.pool.QueryRow(context.Background(),
		`SELECT count(*), count(DISTINCT node_execution_id) FROM workflow_node_executions WHERE workflow_run_id = $1`, runID).Scan(&rows, &different))
	require.Equal(t, []int{len(began), len(began)}, []int{rows, different}, "run %s: the rows of its steps", runID)
}

// inputOf reads the input of a run from its journal.
func inputOf(inputs *value.Object) input {
	n, _ := inputs.Value("n").(int64)
	ms, _ := inputs.Value("pause").(int64)
	return input{n: int(n), pause: int(ms)}
}

// verifyRows checks that the contract's tables tell the same as the journal.
func (w *world) verifyRows(t *testing.T) {
	t.Helper()
	for what, query := range map[string]string{
		"runs without a finished contract row": `SELECT count(*) FROM millrace_runs r LEFT JOIN workflow_runs c ON c.id = r.id
			WHERE (r.spec -> 'part') IS NULL AND (c.id IS NULL OR c.status NOT IN ('succeeded', 'partial-succeeded') OR c.finished_at IS NULL)`,
		"rows of parts":                                  `SELECT count(*) FROM millrace_runs r JOIN workflow_runs c ON c.id = r.id WHERE (r.spec -> 'part') IS NOT NULL`,
		"steps that are not finished":                    `SELECT count(*) FROM workflow_node_executions WHERE status <> 'succeeded' OR finished_at IS NULL`,
		"messages that are not normal or have no answer": `SELECT count(*) FROM messages WHERE status <> 'normal' OR answer = ''`,
		"answers that nobody was woken up for":           `SELECT count(*) FROM millrace_form_wakes`,
	} {
		var n int
		require.NoError(t, w.pool.QueryRow(context.Background(), query).Scan(&n), what)
		require.Zero(t, n, what)
	}
}
