package run

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	nometrics "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/redact"
	"github.com/millrace/millrace/shared/workflow"
)

// inject returns the trace context of ctx as message attributes.
func inject(ctx context.Context) map[string]string {
	m := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, m)
	if len(m) == 0 {
		return nil
	}
	return m
}

// extract makes ctx part of a stored trace unless it belongs to one already.
func extract(ctx context.Context, stored map[string]string) context.Context {
	if len(stored) == 0 || trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	return otel.GetTextMapPropagator().Extract(ctx, propagation.MapCarrier(stored))
}

// observe makes a span of each try of a node.
func (s *Service) observe(ctx context.Context, x *workflow.Execution) (context.Context, func(error)) {
	ctx, span := s.opts.Tracer.Start(ctx, "node "+x.Node.Type)
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("millrace.node_id", x.Node.ID), attribute.String("millrace.execution_id", x.ID),
			attribute.Int("millrace.attempt", x.Attempt), attribute.Bool("millrace.recovered", x.Recovered),
		)
	}
	ctx = redact.WithSecrets(ctx, x.Pool.Secrets())
	started := s.Clock.Now()
	return ctx, func(err error) {
		status := workflow.StatusSucceeded
		if err != nil {
			status = workflow.StatusFailed
			// The message may quote the user's data; its type does not.
			span.SetStatus(codes.Error, errorType(err))
		}
		if s.meter.nodes.Enabled(ctx) {
			s.meter.nodes.Record(ctx, clock.Since(s.Clock, started).Seconds(), metric.WithAttributeSet(attribute.NewSet(
				attribute.String("type", x.Node.Type), attribute.String("status", status))))
		}
		span.End()
	}
}

// meters are the instruments of runs.
type meters struct {
	runs  metric.Float64Histogram
	nodes metric.Float64Histogram
}

func newMeters(m metric.Meter) meters {
	histogram := func(name, what string) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what))
		if err != nil { // a name that the provider refuses: measure nothing
			h = nometrics.Float64Histogram{}
		}
		return h
	}
	return meters{
		runs:  histogram("millrace.run.duration", "time from the start of a run to its end, by status"),
		nodes: histogram("millrace.node.duration", "time of one try of a node, by type and status"),
	}
}

func (m meters) ended(ctx context.Context, f *workflow.RunFinished) {
	if f != nil && m.runs.Enabled(ctx) {
		m.runs.Record(ctx, f.Elapsed, metric.WithAttributeSet(attribute.NewSet(attribute.String("status", f.Status))))
	}
}

func errorType(err error) string {
	var f *workflow.Failure
	if errors.As(err, &f) {
		return f.Type
	}
	return "error"
}
