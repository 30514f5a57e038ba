// Package telemetry sets up OpenTelemetry: one trace from an API call through
// queue hops to every node, statement and outbound call, metrics for runs and
// what they wait for, and trace and run ids in every log line.
//
// It is not the product's own tracing of apps for its users (runs, messages and
// token counts sent to the tracing systems they configure): that is domain code
// over the journal.
//
// Start with [Start]; wire.go has the wrappers for HTTP, Postgres and Redis,
// carry.go what travels in message metadata, metrics.go the instruments and
// log.go the log handler. When it is off, wrappers return what they are given.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// scope names this instrumentation in what is exported.
const scope = "github.com/millrace/millrace"

// Options says what to export and where. The zero value is off.
type Options struct {
	// Enabled turns telemetry on.
	Enabled bool
	// ServiceName and ServiceVersion name the process; an empty name is "millrace".
	ServiceName, ServiceVersion string
	// OTLPEndpoint is the collector's base URL, such as http://localhost:4318.
	OTLPEndpoint string
	// Headers go with every export, for the collector's authorization.
	Headers map[string]string
	// SampleRatio is the share of new traces that is kept; 0 means all. A trace
	// that comes in is kept exactly if its caller keeps it.
	SampleRatio float64
	// MetricInterval is how often metrics are exported; 0 means a minute.
	MetricInterval time.Duration
	// Attributes describe the process further (region, function, ...).
	Attributes map[string]string
	// HTTPClient sends the exports; nil is the exporter's own.
	HTTPClient *http.Client
	// SpanExporter and MetricReader replace OTLP, in tests and elsewhere.
	SpanExporter sdktrace.SpanExporter
	// MetricReader: see SpanExporter.
	MetricReader sdkmetric.Reader
}

// Telemetry holds the providers of a process. Make one with [Start] or [Off].
type Telemetry struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	tracer     trace.Tracer
	meter      metric.Meter
	propagator propagation.TextMapPropagator
	enabled    bool
	flush      []func(context.Context) error
	shutdown   []func(context.Context) error
	metrics    *Metrics
}

// Off returns telemetry that does nothing.
func Off() *Telemetry {
	t := &Telemetry{
		tracers: tracenoop.NewTracerProvider(), meters: metricnoop.NewMeterProvider(), propagator: w3c(),
	}
	// The no-op provider makes instruments without fail.
	_ = t.finish()
	return t
}

func w3c() propagation.TextMapPropagator {
	return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
}

// Start sets telemetry up. It does not wait for the collector: one that cannot
// be reached costs exports, never requests.
func Start(ctx context.Context, opts Options) (*Telemetry, error) {
	if !opts.Enabled {
		return Off(), nil
	}
	spans, reader, err := exporters(ctx, opts)
	if err != nil {
		return nil, err
	}
	res := describe(opts)
	sampler := sdktrace.AlwaysSample()
	if opts.SampleRatio > 0 && opts.SampleRatio < 1 {
		sampler = sdktrace.TraceIDRatioBased(opts.SampleRatio)
	}
	tracers := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(spans), sdktrace.WithResource(res), sdktrace.WithSampler(sdktrace.ParentBased(sampler)),
	)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(res))
	t := &Telemetry{
		tracers: tracers, meters: meters, propagator: w3c(), enabled: true,
		flush:    []func(context.Context) error{tracers.ForceFlush, meters.ForceFlush},
		shutdown: []func(context.Context) error{tracers.Shutdown, meters.Shutdown},
	}
	return t, t.finish()
}

func exporters(ctx context.Context, opts Options) (sdktrace.SpanExporter, sdkmetric.Reader, error) {
	spans, reader := opts.SpanExporter, opts.MetricReader
	base := strings.TrimRight(opts.OTLPEndpoint, "/")
	if base == "" && (spans == nil || reader == nil) {
		return nil, nil, errors.New("telemetry: enabled without an OTLP endpoint")
	}
	var err error
	if spans == nil {
		o := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(base + "/v1/traces"), otlptracehttp.WithHeaders(opts.Headers)}
		if opts.HTTPClient != nil {
			o = append(o, otlptracehttp.WithHTTPClient(opts.HTTPClient))
		}
		if spans, err = otlptracehttp.New(ctx, o...); err != nil {
			return nil, nil, fmt.Errorf("telemetry: trace exporter: %w", err)
		}
	}
	if reader == nil {
		o := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpointURL(base + "/v1/metrics"), otlpmetrichttp.WithHeaders(opts.Headers)}
		if opts.HTTPClient != nil {
			o = append(o, otlpmetrichttp.WithHTTPClient(opts.HTTPClient))
		}
		exporter, err := otlpmetrichttp.New(ctx, o...)
		if err != nil {
			return nil, nil, fmt.Errorf("telemetry: metric exporter: %w", err)
		}
		interval := opts.MetricInterval
		if interval <= 0 {
			interval = time.Minute
		}
		reader = sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithInterval(interval))
	}
	return spans, reader, nil
}

func describe(opts Options) *resource.Resource {
	name := opts.ServiceName
	if name == "" {
		name = "millrace"
	}
	attrs := []attribute.KeyValue{attribute.String("service.name", name)}
	if opts.ServiceVersion != "" {
		attrs = append(attrs, attribute.String("service.version", opts.ServiceVersion))
	}
	for k, v := range opts.Attributes {
		attrs = append(attrs, attribute.String(k, v))
	}
	return resource.NewSchemaless(attrs...)
}

func (t *Telemetry) finish() error {
	t.tracer = t.tracers.Tracer(scope)
	t.meter = t.meters.Meter(scope)
	var err error
	t.metrics, err = newMetrics(t.meter)
	return err
}

// Enabled reports whether anything is exported.
func (t *Telemetry) Enabled() bool { return t.enabled }

// Tracer makes spans.
func (t *Telemetry) Tracer() trace.Tracer { return t.tracer }

// TracerProvider is for libraries that make their own spans.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// MeterProvider is for libraries that make their own instruments.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.meters }

// Metrics are the product's instruments.
func (t *Telemetry) Metrics() *Metrics { return t.metrics }

// InstallGlobal makes these the providers of libraries that can be given none
// (the CDK's). Call it from main only: it is process-wide state.
func (t *Telemetry) InstallGlobal() {
	if !t.enabled {
		return
	}
	otel.SetTracerProvider(t.tracers)
	otel.SetMeterProvider(t.meters)
	otel.SetTextMapPropagator(t.propagator)
}

// Span starts a span of the product's own.
func (t *Telemetry) Span(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	if !t.enabled {
		return ctx, tracenoop.Span{}
	}
	return t.tracer.Start(ctx, name, trace.WithAttributes(attrs...))
}

// Flush sends what is waiting. Functions call it after the answer, with a
// deadline: the platform may freeze the process right after.
func (t *Telemetry) Flush(ctx context.Context) error { return all(ctx, t.flush) }

// Shutdown sends what is waiting and ends the exporters.
func (t *Telemetry) Shutdown(ctx context.Context) error { return all(ctx, t.shutdown) }

func all(ctx context.Context, fns []func(context.Context) error) error {
	var errs []error
	for _, fn := range fns {
		errs = append(errs, fn(ctx))
	}
	return errors.Join(errs...)
}
