package runs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres/runs"
)

// BenchmarkAdmit writes the runs of BenchmarkBegin with and without a look at
// the budgets, of which there are none, in turns: the difference is what
// budgets cost those who have none.
func BenchmarkAdmit(b *testing.B) {
	p := pool(b)
	d := runs.New(p)
	var pid int
	require.NoError(b, p.QueryRow(b.Context(), `SELECT pg_backend_pid()`).Scan(&pid))
	tenant, app, version := ids.New(), ids.New(), ids.New()
	graph := `{"nodes":[` + strings.Repeat(`{"id":"node","data":{"type":"template-transform","title":"T"}},`, 25) + `]}`
	var spent [2]time.Duration
	var count [2]int
	n := 0
	for ; b.Loop(); n++ {
		batch := pureRun(version, graph)
		batch.CheckBudgets = n/50%2 == 1
		before := backendTime(pid)
		_, err := d.Begin(b.Context(), newRun(tenant, app, version), "owner", time.Minute, batch)
		require.NoError(b, err)
		spent[n/50%2] += backendTime(pid) - before
		count[n/50%2]++
	}
	for i, name := range []string{"db-us/without", "db-us/with"} {
		b.ReportMetric(float64(spent[i].Microseconds())/float64(max(count[i], 1)), name)
	}
}
