//go:build unix

package telemetry_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/shared/clock"
)

func TestStatementsAreSpansWithoutParameters(t *testing.T) {
	t.Parallel()
	tel := started(t)
	cfg, err := pgxpool.ParseConfig(pgtest.URL(t))
	require.NoError(t, err)
	tel.InstrumentPostgres(cfg, clock.System{})
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	ctx, span := tel.Span(t.Context(), "parent")
	var got string
	require.NoError(t, pool.QueryRow(ctx, `SELECT $1::text`, "secret value").Scan(&got))
	span.End()

	found := false
	for name, s := range tel.exported(t) {
		for k, v := range attrs(s) {
			require.NotContains(t, v, "secret", k)
		}
		if attrs(s)["db.query.text"] == "SELECT $1::text" {
			found = true
			require.Equal(t, span.SpanContext().TraceID(), s.SpanContext.TraceID(), name)
		}
	}
	require.True(t, found)

	var rm metricdata.ResourceMetrics
	require.NoError(t, tel.metrics.Collect(t.Context(), &rm))
	waits := uint64(0)
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			if m.Name == "db.client.connection.wait_time" {
				waits = m.Data.(metricdata.Histogram[float64]).DataPoints[0].Count
			}
		}
	}
	require.EqualValues(t, 1, waits)
}
