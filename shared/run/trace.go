package run

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

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
	return ctx, func(err error) {
		if err != nil {
			// The message may quote the user's data; its type does not.
			span.SetStatus(codes.Error, errorType(err))
		}
		span.End()
	}
}

func errorType(err error) string {
	var f *workflow.Failure
	if errors.As(err, &f) {
		return f.Type
	}
	return "error"
}
