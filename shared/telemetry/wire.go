package telemetry

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/redact"
)

// HTTPHandler makes a server span per request, named by method and route, and
// continues the caller's trace.
func (t *Telemetry) HTTPHandler(next http.Handler) http.Handler {
	if !t.enabled {
		return next
	}
	return otelhttp.NewHandler(next, "http", t.httpOptions()...)
}

func (t *Telemetry) httpOptions() []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.tracers), otelhttp.WithMeterProvider(t.meters), otelhttp.WithPropagators(t.propagator),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			// The route is known once the mux has run; the path itself would make
			// a name per id.
			if r.Pattern != "" {
				return r.Pattern
			}
			return r.Method
		}),
	}
}

// HTTPTransport makes a client span per outbound call and hands the trace
// context on. Query strings, where keys travel, stay out of the span.
func (t *Telemetry) HTTPTransport(base http.RoundTripper) http.RoundTripper {
	if !t.enabled {
		return base
	}
	return hideQuery{otelhttp.NewTransport(restoreQuery{base}, t.httpOptions()...)}
}

type urlKey struct{}

// hideQuery shows the instrumentation a request without its query, and without
// the secrets in its path that the context knows.
type hideQuery struct{ next http.RoundTripper }

func (h hideQuery) RoundTrip(r *http.Request) (*http.Response, error) {
	path := redact.For(r.Context(), r.URL.Path)
	if r.URL.RawQuery == "" && r.URL.User == nil && path == r.URL.Path {
		return h.next.RoundTrip(r)
	}
	shown := *r.URL
	shown.RawQuery, shown.User = "", nil
	if path != r.URL.Path {
		shown.Path, shown.RawPath = path, ""
	}
	c := r.Clone(context.WithValue(r.Context(), urlKey{}, r.URL))
	c.URL = &shown
	resp, err := h.next.RoundTrip(c)
	if resp != nil {
		resp.Request = r // redirects and cookies are resolved against it
	}
	return resp, err
}

// restoreQuery sends the request as it was.
type restoreQuery struct{ next http.RoundTripper }

func (h restoreQuery) RoundTrip(r *http.Request) (*http.Response, error) {
	if u, ok := r.Context().Value(urlKey{}).(*url.URL); ok {
		r = r.Clone(r.Context())
		r.URL = u
	}
	return h.next.RoundTrip(r)
}

// InstrumentPostgres adds spans for statements (never their parameters) and the
// pool's waiting times to a pool's configuration.
func (t *Telemetry) InstrumentPostgres(cfg *pgxpool.Config, clk clock.Clock) {
	if !t.enabled {
		return
	}
	cfg.ConnConfig.Tracer = &pgxTracer{
		Tracer: otelpgx.NewTracer(
			otelpgx.WithTracerProvider(t.tracers), otelpgx.WithMeterProvider(t.meters),
			otelpgx.WithDisableAcquireTracer(),
		),
		metrics: t.metrics, clk: clk, name: cfg.ConnConfig.Database,
	}
}

// pgxTracer is the library's tracer plus the wait for a connection, which it
// would make a span of its own per statement.
type pgxTracer struct {
	*otelpgx.Tracer
	metrics *Metrics
	clk     clock.Clock
	name    string
}

var (
	_ pgxpool.AcquireTracer = (*pgxTracer)(nil)
	_ pgx.QueryTracer       = (*pgxTracer)(nil)
)

type acquireKey struct{}

// TraceAcquireStart implements pgxpool.AcquireTracer.
func (t *pgxTracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return context.WithValue(ctx, acquireKey{}, t.clk.Now())
}

// TraceAcquireEnd implements pgxpool.AcquireTracer.
func (t *pgxTracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if begun, ok := ctx.Value(acquireKey{}).(time.Time); ok {
		t.metrics.PoolWaited(ctx, t.name, clock.Since(t.clk, begun))
	}
}

// RedisCommand begins the span of a command, or of the names of a pipeline's, and
// returns what ends it. It is told no arguments.
func (t *Telemetry) RedisCommand(ctx context.Context, command string) (context.Context, func(error)) {
	if !t.enabled {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, command, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "redis"), attribute.String("db.operation.name", command)))
	return ctx, func(err error) {
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}
