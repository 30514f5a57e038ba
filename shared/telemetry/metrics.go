package telemetry

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Metrics are the product's own instruments. Labels come from closed sets
// (status, node type, queue), never ids: each combination is a time series.
type Metrics struct {
	meter        metric.Meter
	runsStarted  metric.Int64Counter
	runsFinished metric.Int64Counter
	runDuration  metric.Float64Histogram
	nodeDuration metric.Float64Histogram
	queueDelay   metric.Float64Histogram
	poolWait     metric.Float64Histogram
}

// seconds are the histogram bounds for work that takes from a millisecond to
// the longest model call.
var seconds = metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900)

func newMetrics(m metric.Meter) (*Metrics, error) {
	ms := &Metrics{meter: m}
	var firstErr error
	keep := func(err error) {
		if firstErr == nil && err != nil {
			firstErr = fmt.Errorf("telemetry: %w", err)
		}
	}
	var err error
	ms.runsStarted, err = m.Int64Counter("millrace.run.started", metric.WithUnit("{run}"), metric.WithDescription("Runs started."))
	keep(err)
	ms.runsFinished, err = m.Int64Counter("millrace.run.finished", metric.WithUnit("{run}"), metric.WithDescription("Runs finished, by status."))
	keep(err)
	ms.runDuration, err = m.Float64Histogram("millrace.run.duration", metric.WithUnit("s"), metric.WithDescription("Time from the start of a run to its end."), seconds)
	keep(err)
	ms.nodeDuration, err = m.Float64Histogram("millrace.node.duration", metric.WithUnit("s"), metric.WithDescription("Time of one node execution, by type and status."), seconds)
	keep(err)
	ms.queueDelay, err = m.Float64Histogram("millrace.queue.delay", metric.WithUnit("s"), metric.WithDescription("Time a message was due before its handling began."), seconds)
	keep(err)
	ms.poolWait, err = m.Float64Histogram("db.client.connection.wait_time", metric.WithUnit("s"), metric.WithDescription("Time to obtain a connection from the pool."), seconds)
	keep(err)
	return ms, firstErr
}

// RunStarted counts a started run by app mode and what triggered it.
func (m *Metrics) RunStarted(ctx context.Context, mode, trigger string) {
	m.runsStarted.Add(ctx, 1, metric.WithAttributes(attribute.String("millrace.app.mode", mode), attribute.String("millrace.run.trigger", trigger)))
}

// RunFinished counts a finished run and records its duration.
func (m *Metrics) RunFinished(ctx context.Context, mode, status string, took time.Duration) {
	attrs := metric.WithAttributes(attribute.String("millrace.app.mode", mode), attribute.String("millrace.run.status", status))
	m.runsFinished.Add(ctx, 1, attrs)
	m.runDuration.Record(ctx, took.Seconds(), attrs)
}

// NodeFinished records one node execution.
func (m *Metrics) NodeFinished(ctx context.Context, nodeType, status string, took time.Duration) {
	m.nodeDuration.Record(ctx, took.Seconds(), metric.WithAttributes(
		attribute.String("millrace.node.type", nodeType), attribute.String("millrace.node.status", status)))
}

// MessageHandled records how long a message had been due when handling began.
func (m *Metrics) MessageHandled(ctx context.Context, queue string, delay time.Duration) {
	m.queueDelay.Record(ctx, delay.Seconds(), metric.WithAttributes(attribute.String("messaging.destination.name", queue)))
}

// PoolWaited records the wait for a pooled connection; the pgx tracer does so
// for Postgres by itself.
func (m *Metrics) PoolWaited(ctx context.Context, pool string, wait time.Duration) {
	m.poolWait.Record(ctx, wait.Seconds(), metric.WithAttributes(attribute.String("db.client.connection.pool.name", pool)))
}

// WatchQueueAge reports, at every export, the age of the oldest message that is
// due, by queue.
func (m *Metrics) WatchQueueAge(read func(context.Context) (map[string]time.Duration, error)) error {
	_, err := m.meter.Float64ObservableGauge("millrace.queue.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest message that is due."),
		metric.WithFloat64Callback(func(ctx context.Context, o metric.Float64Observer) error {
			ages, err := read(ctx)
			for queue, age := range ages {
				o.Observe(age.Seconds(), metric.WithAttributes(attribute.String("messaging.destination.name", queue)))
			}
			return err
		}))
	if err != nil {
		return fmt.Errorf("telemetry: queue age: %w", err)
	}
	return nil
}
