package runs_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
)

// BenchmarkBegin writes runs of three pure nodes, which are over with their
// first commit.
func BenchmarkBegin(b *testing.B) {
	p := pool(b)
	d := runs.New(p)
	var pid int
	require.NoError(b, p.QueryRow(b.Context(), `SELECT pg_backend_pid()`).Scan(&pid))
	tenant, app, version := ids.New(), ids.New(), ids.New()
	graph := `{"nodes":[` + strings.Repeat(`{"id":"node","data":{"type":"template-transform","title":"T"}},`, 25) + `]}`
	before := backendTime(pid)
	for b.Loop() {
		_, err := d.Begin(b.Context(), newRun(tenant, app, version), "owner", time.Minute, pureRun(version, graph))
		require.NoError(b, err)
	}
	b.ReportMetric(float64((backendTime(pid)-before).Microseconds())/float64(b.N), "db-us/op")
}

// BenchmarkAppend writes steps of a run: one node ends and the next one starts.
func BenchmarkAppend(b *testing.B) {
	p := pool(b)
	d := runs.New(p)
	var pid int
	require.NoError(b, p.QueryRow(b.Context(), `SELECT pg_backend_pid()`).Scan(&pid))
	version := ids.New()
	begin := pureRun(version, "{}")
	begin.Status, begin.Rows.RunEnd = "", nil
	l, err := d.Begin(b.Context(), newRun(ids.New(), ids.New(), version), "owner", time.Minute, begin)
	require.NoError(b, err)
	row := begin.Rows.Nodes[0]
	row.Status, row.FinishedAt = workflow.StatusRunning, nil
	row.ID = ids.New()
	first := &driver.Batch{Events: []workflow.Event{{Seq: 2, Token: 1, Type: workflow.EventNodeStarted}}, Rows: driver.Rows{Nodes: []driver.NodeRow{row}}}
	_, err = d.Append(b.Context(), &l, time.Minute, first)
	require.NoError(b, err)
	l.LastSeq = 2
	before := backendTime(pid)
	for b.Loop() {
		done := row
		done.Update, done.Status, done.FinishedAt = true, workflow.StatusSucceeded, &begin.Rows.Run.CreatedAt
		row.ID = ids.New()
		step := &driver.Batch{
			Events: []workflow.Event{{Seq: l.LastSeq + 1, Token: 1, Type: workflow.EventNodeFinished}, {Seq: l.LastSeq + 2, Token: 1, Type: workflow.EventNodeStarted}},
			Rows:   driver.Rows{Nodes: []driver.NodeRow{done, row}},
		}
		_, err := d.Append(b.Context(), &l, time.Minute, step)
		require.NoError(b, err)
		l.LastSeq += 2
	}
	b.ReportMetric(float64((backendTime(pid)-before).Microseconds())/float64(b.N), "db-us/op")
}

func newRun(tenant, app, version string) *driver.Run {
	return &driver.Run{
		ID: ids.Random(), TenantID: tenant, AppID: app, WorkflowID: version, TaskID: ids.Random(), Queue: "runs",
		Spec: []byte(`{"request":{"tenant_id":"` + tenant + `","inputs":{"q":"x"}}}`),
	}
}

// pureRun is the only batch of a run of three nodes.
func pureRun(version, graph string) *driver.Batch {
	at, by := time.Now().UTC(), driver.Creator{Role: "end_user", ID: ids.New()}
	text := `{"output": "Hello x"}`
	batch := &driver.Batch{
		Status: workflow.StatusSucceeded, Events: []workflow.Event{{Seq: 1, Token: 1, Type: workflow.EventRunStarted}},
		Rows: driver.Rows{
			Run:    &driver.RunRow{WorkflowID: version, Type: "workflow", TriggeredFrom: "app-run", Version: "1", Graph: graph, Inputs: text, Status: "running", CreatedBy: by, CreatedAt: at},
			RunEnd: &driver.RunEndRow{Status: workflow.StatusSucceeded, Outputs: &text, Steps: 3, FinishedAt: at},
			AppLog: &driver.AppLogRow{ID: ids.New(), WorkflowID: version, CreatedFrom: "service-api", CreatedBy: by, CreatedAt: at},
		},
	}
	for i := range 3 {
		batch.Rows.Nodes = append(batch.Rows.Nodes, driver.NodeRow{
			ID: ids.New(), WorkflowID: version, TriggeredFrom: "workflow-run", Index: i + 1, NodeID: "n" + strconv.Itoa(i), NodeType: "end", Title: "End",
			Inputs: &text, ProcessData: &text, Outputs: &text, Status: workflow.StatusSucceeded, CreatedBy: by, CreatedAt: at, FinishedAt: &at,
		})
	}
	return batch
}

// backendTime is the processor time of a database process on this machine; 0
// where it cannot be seen.
func backendTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0
	}
	ns, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseInt(ns, 10, 64)
	return time.Duration(n)
}
