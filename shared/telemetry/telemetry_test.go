package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/millrace/millrace/shared/redisdb"
	"github.com/millrace/millrace/shared/telemetry"
)

type bundle struct {
	*telemetry.Telemetry
	spans   *tracetest.InMemoryExporter
	metrics *metric.ManualReader
}

func started(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{spans: tracetest.NewInMemoryExporter(), metrics: metric.NewManualReader()}
	var err error
	b.Telemetry, err = telemetry.Start(t.Context(), telemetry.Options{Enabled: true, SpanExporter: b.spans, MetricReader: b.metrics})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Shutdown(context.Background())) })
	return b
}

func (b *bundle) exported(t *testing.T) map[string]tracetest.SpanStub {
	t.Helper()
	require.NoError(t, b.Flush(t.Context()))
	byName := map[string]tracetest.SpanStub{}
	for _, s := range b.spans.GetSpans() {
		byName[s.Name] = s
	}
	return byName
}

func attrs(s tracetest.SpanStub) map[string]string {
	m := map[string]string{}
	for _, kv := range s.Attributes {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}

func TestOneTraceFromCallThroughQueueToOutboundCall(t *testing.T) {
	t.Parallel()
	tel := started(t)
	var gotQuery, gotParent string
	outside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		gotQuery, gotParent = r.URL.RawQuery, r.Header.Get("traceparent")
	}))
	t.Cleanup(outside.Close)
	client := &http.Client{Transport: tel.HTTPTransport(http.DefaultTransport)}

	metadata := map[string]string{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/workflows/{id}/run", func(_ http.ResponseWriter, r *http.Request) {
		_, span := tel.Send(r.Context(), "runs", metadata)
		span.End()
	})
	req := httptest.NewRequest(http.MethodPost, "/v1/workflows/17/run", nil)
	tel.HTTPHandler(mux).ServeHTTP(httptest.NewRecorder(), req)
	require.Contains(t, metadata, "traceparent")

	ctx, span := tel.Receive(t.Context(), "runs", metadata) // in another process
	out, err := http.NewRequestWithContext(ctx, http.MethodGet, outside.URL+"/x?key=secret", nil)
	require.NoError(t, err)
	resp, err := client.Do(out)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	span.End()

	spans := tel.exported(t)
	root := spans["POST /v1/workflows/{id}/run"]
	require.True(t, root.SpanContext.IsValid(), "server span is named by its route: %v", spans)
	trace := root.SpanContext.TraceID()
	require.Equal(t, trace, spans["send runs"].SpanContext.TraceID())
	require.Equal(t, trace, spans["process runs"].SpanContext.TraceID())
	require.Equal(t, spans["send runs"].SpanContext.SpanID(), spans["process runs"].Parent.SpanID())
	require.Equal(t, trace, spans["GET"].SpanContext.TraceID())
	require.Equal(t, spans["process runs"].SpanContext.SpanID(), spans["GET"].Parent.SpanID())
	require.Equal(t, outside.URL+"/x", attrs(spans["GET"])["url.full"], "the query is not exported")
	require.Equal(t, "key=secret", gotQuery, "but is sent")
	require.Contains(t, gotParent, trace.String())
}

func TestRedisCommandsAreSpansWithoutArguments(t *testing.T) {
	t.Parallel()
	tel := started(t)
	client, err := redisdb.Open("redis://"+miniredis.RunT(t).Addr(), &redisdb.Options{Trace: tel.RedisCommand})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	ctx, span := tel.Span(t.Context(), "parent")
	require.NoError(t, client.Do(ctx, "SET", "k", "secret value").Err())
	require.Error(t, client.Do(ctx, "INCR", "k").Err())
	_, err = client.Do(ctx, "GET", "none").Text()
	require.ErrorIs(t, err, redisdb.ErrNil)
	span.End()
	spans := tel.exported(t)
	require.Equal(t, span.SpanContext().TraceID(), spans["set"].SpanContext.TraceID())
	require.Equal(t, codes.Error, spans["incr"].Status.Code)
	require.Equal(t, codes.Unset, spans["get"].Status.Code, "there is no such key: an answer, not a failure")
	for k, v := range attrs(spans["set"]) {
		require.NotContains(t, v, "secret", k)
	}
}

func TestMetricsCarryNamesAndLabels(t *testing.T) {
	t.Parallel()
	tel := started(t)
	m, ctx := tel.Metrics(), t.Context()
	m.RunStarted(ctx, "workflow", "api")
	m.RunFinished(ctx, "workflow", "succeeded", 1500*time.Millisecond)
	m.NodeFinished(ctx, "llm", "failed", time.Second)
	m.MessageHandled(ctx, "runs", 20*time.Millisecond)
	m.PoolWaited(ctx, "main", time.Millisecond)
	require.NoError(t, m.WatchQueueAge(func(context.Context) (map[string]time.Duration, error) {
		return map[string]time.Duration{"runs": 3 * time.Second}, nil
	}))

	var rm metricdata.ResourceMetrics
	require.NoError(t, tel.metrics.Collect(ctx, &rm))
	got := map[string]metricdata.Aggregation{}
	for _, sm := range rm.ScopeMetrics {
		for _, metric := range sm.Metrics {
			got[metric.Name] = metric.Data
		}
	}
	require.EqualValues(t, 1, got["millrace.run.started"].(metricdata.Sum[int64]).DataPoints[0].Value)
	run := got["millrace.run.duration"].(metricdata.Histogram[float64]).DataPoints[0]
	require.InDelta(t, 1.5, run.Sum, 1e-9)
	status, _ := run.Attributes.Value(attribute.Key("millrace.run.status"))
	require.Equal(t, "succeeded", status.AsString())
	age := got["millrace.queue.age"].(metricdata.Gauge[float64]).DataPoints[0]
	require.InDelta(t, 3.0, age.Value, 1e-9)
	for _, name := range []string{"millrace.node.duration", "millrace.queue.delay", "db.client.connection.wait_time", "millrace.run.finished"} {
		require.Contains(t, got, name)
	}
}

func TestLogLinesCarryTraceAndRun(t *testing.T) {
	t.Parallel()
	tel := started(t)
	var out bytes.Buffer
	log := slog.New(telemetry.LogHandler(slog.NewJSONHandler(&out, nil))).With("component", "engine")
	ctx, span := tel.Span(telemetry.WithRun(t.Context(), "run-1"), "node")
	defer span.End()
	log.InfoContext(ctx, "hello")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, span.SpanContext().TraceID().String(), line["trace_id"])
	require.Equal(t, span.SpanContext().SpanID().String(), line["span_id"])
	require.Equal(t, "run-1", line["run_id"])
	require.Equal(t, "engine", line["component"])

	out.Reset()
	log.Info("outside any run")
	require.NotContains(t, out.String(), "trace_id")
	require.NotContains(t, out.String(), "run_id")
}

func TestSiblingContextsDoNotShareLogAttributes(t *testing.T) {
	t.Parallel()
	parent := telemetry.WithLogAttrs(telemetry.WithLogAttrs(t.Context(), slog.Int("a", 1)), slog.Int("b", 2))
	left := telemetry.WithRun(parent, "left")
	_ = telemetry.WithRun(parent, "right")
	var out bytes.Buffer
	slog.New(telemetry.LogHandler(slog.NewTextHandler(&out, nil))).InfoContext(left, "m")
	require.Contains(t, out.String(), "a=1 b=2 run_id=left")
}

func TestOffReturnsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.Start(t.Context(), telemetry.Options{})
	require.NoError(t, err)
	require.False(t, tel.Enabled())
	handler := http.NewServeMux()
	require.Same(t, handler, tel.HTTPHandler(handler))
	require.Same(t, http.DefaultTransport, tel.HTTPTransport(http.DefaultTransport))
	tel.Metrics().RunStarted(t.Context(), "workflow", "api")
	require.NoError(t, tel.Flush(t.Context()))
	require.NoError(t, tel.Shutdown(t.Context()))

	// A trace that passes through is not cut off.
	in := map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	out := map[string]string{}
	_, span := tel.Send(tel.Extract(t.Context(), in), "runs", out)
	span.End()
	require.Equal(t, in, out)
}

// Not parallel: allocations are counted for the whole process.
func TestOffCostsNoAllocation(t *testing.T) {
	tel, ctx := telemetry.Off(), t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, span := tel.Span(ctx, "node")
		span.End()
	}))
}

func TestExportsOverOTLP(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	paths, auth := map[string]int{}, ""
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		paths[r.URL.Path] += len(body)
		auth = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(collector.Close)
	tel, err := telemetry.Start(t.Context(), telemetry.Options{
		Enabled: true, OTLPEndpoint: collector.URL + "/", ServiceName: "test", Headers: map[string]string{"Authorization": "Bearer k"},
	})
	require.NoError(t, err)
	_, span := tel.Span(t.Context(), "work")
	span.End()
	tel.Metrics().RunStarted(t.Context(), "workflow", "api")
	require.NoError(t, tel.Flush(t.Context()))
	mu.Lock()
	require.Positive(t, paths["/v1/traces"])
	require.Positive(t, paths["/v1/metrics"])
	require.Equal(t, "Bearer k", auth)
	mu.Unlock()
	require.NoError(t, tel.Shutdown(t.Context()))

	_, err = telemetry.Start(t.Context(), telemetry.Options{Enabled: true})
	require.ErrorContains(t, err, "without an OTLP endpoint")
}

func TestFlushEndsWithItsDeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(collector.Close)
	t.Cleanup(func() { close(release) }) // before Close, which waits for its handlers
	tel, err := telemetry.Start(t.Context(), telemetry.Options{Enabled: true, OTLPEndpoint: collector.URL})
	require.NoError(t, err)
	_, span := tel.Span(t.Context(), "work")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, tel.Flush(ctx))
}
