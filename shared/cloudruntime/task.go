package cloudruntime

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.opentelemetry.io/otel/propagation"
)

// runTask calls the handler with the sender's trace context and turns a panic
// into an error, so that one bad message does not take its batch along.
func runTask(ctx context.Context, h TaskHandler, t Task, o Options) (out []byte, err error) {
	ctx = o.Propagator.Extract(ctx, propagation.MapCarrier(t.Attributes))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("task panicked: %v", p)
			o.Logger.ErrorContext(ctx, "task panicked", "function", o.Function, "task", t.ID,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	out, err = h(ctx, t)
	if err != nil {
		o.Logger.ErrorContext(ctx, "task failed", "function", o.Function, "kind", string(t.Kind),
			"source", t.Source, "task", t.ID, "attempt", t.Attempt, "error", err.Error())
	}
	return out, err
}

// queueName finds the catalogue name in a deployed queue's name, which carries
// the deployment's prefix ("prod-runs-team" is "runs-team").
func queueName(deployed string, known []string) string {
	best := ""
	for _, q := range known {
		if deployed == q {
			return q
		}
		if n := len(deployed) - len(q); n > 0 && deployed[n:] == q && (deployed[n-1] == '-' || deployed[n-1] == '_') && len(q) > len(best) {
			best = q
		}
	}
	if best == "" {
		return deployed
	}
	return best
}
