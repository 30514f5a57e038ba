package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Inject writes the trace context (W3C) into message metadata, so that whoever
// receives the message continues the trace. A context without a trace adds
// nothing; a nil map is left alone.
func (t *Telemetry) Inject(ctx context.Context, metadata map[string]string) {
	if metadata != nil {
		t.propagator.Inject(ctx, propagation.MapCarrier(metadata))
	}
}

// Extract returns a context that continues the trace found in message metadata.
func (t *Telemetry) Extract(ctx context.Context, metadata map[string]string) context.Context {
	return t.propagator.Extract(ctx, propagation.MapCarrier(metadata))
}

// Receive starts the span for handling a queue message, as a child of the span
// that sent it. End it when the message is handled.
func (t *Telemetry) Receive(ctx context.Context, queue string, metadata map[string]string) (context.Context, trace.Span) {
	ctx = t.Extract(ctx, metadata)
	if !t.enabled {
		return ctx, trace.SpanFromContext(context.Background())
	}
	return t.tracer.Start(ctx, "process "+queue, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.destination.name", queue),
	))
}

// Send starts the span for sending to a queue and writes its context into the
// metadata. End it when the message is sent.
func (t *Telemetry) Send(ctx context.Context, queue string, metadata map[string]string) (context.Context, trace.Span) {
	if !t.enabled {
		t.Inject(ctx, metadata)
		return ctx, trace.SpanFromContext(context.Background())
	}
	ctx, span := t.tracer.Start(ctx, "send "+queue, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("messaging.operation.type", "send"),
		attribute.String("messaging.destination.name", queue),
	))
	t.Inject(ctx, metadata)
	return ctx, span
}
