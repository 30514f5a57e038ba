package assemble_test

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/millrace/millrace/local/apiclient"
	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/assemble"
	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/mockecho"
)

// spans is a collector that remembers span names by trace.
type spans struct {
	mu      sync.Mutex
	byTrace map[string][]string
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	raw, err := io.ReadAll(body)
	var req collector.ExportTraceServiceRequest
	if err == nil && strings.HasSuffix(r.URL.Path, "/traces") && proto.Unmarshal(raw, &req) == nil {
		s.mu.Lock()
		for _, rs := range req.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, span := range ss.Spans {
					id := hex.EncodeToString(span.TraceId)
					s.byTrace[id] = append(s.byTrace[id], span.Name)
				}
			}
		}
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// trace returns the span names of a trace.
func (s *spans) trace(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.byTrace[id], "\n")
}

const tracedApp = `version: 0.7.0
kind: app
app: {name: traced, mode: workflow, icon: t, icon_type: emoji, icon_background: "#FFFFFF", description: "", use_icon_as_answer_icon: false}
dependencies: []
workflow:
  environment_variables: []
  conversation_variables: []
  features: {}
  graph:
    viewport: {x: 0, y: 0, zoom: 1}
    nodes:
    - {id: start, type: custom, position: {x: 0, y: 0}, data: {type: start, title: Start, desc: "", variables: []}}
    - {id: call, type: custom, position: {x: 0, y: 0}, data: {type: http-request, title: call, desc: "", method: get, url: "ECHO/text", headers: "", params: "", body: {type: none, data: []}, authorization: {type: no-auth, config: null}, timeout: {}, ssl_verify: true, retry_config: {retry_enabled: false, max_retries: 1, retry_interval: 100}, variables: []}}
    - {id: end, type: custom, position: {x: 0, y: 0}, data: {type: end, title: End, desc: "", outputs: [{variable: out, value_selector: [call, status_code], value_type: number}]}}
    edges:
    - {id: a, source: start, sourceHandle: source, target: call, targetHandle: target, type: custom, data: {}}
    - {id: b, source: call, sourceHandle: source, target: end, targetHandle: target, type: custom, data: {}}
`

// TestOneTraceFromTheCallThroughTheQueueToEveryNode starts a run in a function
// that is about to be ended, so that the run crosses a queue, and looks for
// everything in the caller's trace.
func TestOneTraceFromTheCallThroughTheQueueToEveryNode(t *testing.T) {
	got := &spans{byTrace: map[string][]string{}}
	otlp := httptest.NewServer(got)
	defer otlp.Close()
	echo := httptest.NewServer(mockecho.New(nil).Handler())
	defer echo.Close()
	rdb, err := embedded.StartRedis(t.Context(), clock.System{})
	require.NoError(t, err)
	defer rdb.Stop()
	dsn := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	cfg, err := config.FromMap(map[string]string{
		"DATABASE_URL": dsn, "REDIS_URL": rdb.URL(), "BLOB_URL": "mem://", "SECRET_KEY": "trace-test", "ENABLE_OTEL": "true",
		"OTLP_BASE_ENDPOINT": otlp.URL, "MILLRACE_EGRESS_ALLOW_PRIVATE": "true", "LOG_LEVEL": "ERROR",
	})
	require.NoError(t, err)
	p, err := assemble.Open(t.Context(), cfg, "trace-test")
	require.NoError(t, err)
	p.Telemetry.InstallGlobal()
	defer func() { require.NoError(t, p.Close(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, assemble.DeclareQueues(t.Context(), p))

	mux := http.NewServeMux()
	builds := assemble.Builds()
	handlers := map[string]cloudruntime.Handlers{}
	for _, f := range catalogue.Functions() {
		h, err := builds[f.Name](t.Context(), p)
		require.NoError(t, err, f.Name)
		handlers[f.Name] = h
		for _, r := range f.Routes {
			next := p.Telemetry.HTTPHandler(h.HTTP)
			mux.HandleFunc(r.Pattern(), func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Ending") != "" { // the platform ends this function in a moment
					ctx, cancel := context.WithTimeout(r.Context(), 15*time.Second)
					defer cancel()
					r = r.WithContext(ctx)
				}
				next.ServeHTTP(w, r)
			})
		}
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	api := apiclient.New(server.URL, nil)
	_, err = api.Login(t.Context(), "t@example.com", "trace-password-1")
	require.NoError(t, err)
	app, err := api.Import(t.Context(), strings.ReplaceAll(tracedApp, "ECHO", echo.URL))
	require.NoError(t, err)

	const traceID = "0af7651916cd43dd8448eb211c80319c"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/workflows/run",
		strings.NewReader(`{"inputs":{},"response_mode":"streaming","user":"u"}`))
	require.NoError(t, err)
	for k, v := range map[string]string{
		"Authorization": "Bearer " + app.Key, "Content-Type": "application/json", "X-Ending": "1",
		"traceparent": "00-" + traceID + "-b7ad6b7169203331-01",
	} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // the client leaves on purpose

	// The wake-up of the hand-over is in the queue: work on it as the emulator does.
	sub, err := assemble.Subscription(t.Context(), p, catalogue.QueueRunsSandbox)
	require.NoError(t, err)
	m, err := sub.Receive(t.Context())
	require.NoError(t, err)
	taskCtx, span := p.Telemetry.Receive(t.Context(), catalogue.QueueRunsSandbox, m.Metadata)
	_, err = handlers["run-workflow"].Task(taskCtx, cloudruntime.Task{Kind: cloudruntime.KindQueue, Body: m.Body, Attributes: m.Metadata})
	span.End()
	require.NoError(t, err)
	m.Ack()
	cancel()
	require.NoError(t, p.Telemetry.Flush(t.Context()))

	names := got.trace(traceID)
	for _, want := range []string{
		"POST /v1/workflows/run",       // the call
		"start", "http-request", "end", // every node
		"INSERT",       // SQL
		"xadd",         // Redis
		"GET",          // the outbound request
		"runs-sandbox", // the queue hop
	} {
		require.Contains(t, strings.ToLower(names), strings.ToLower(want), "spans of the trace:\n%s", names)
	}
}
