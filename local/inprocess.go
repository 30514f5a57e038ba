package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/millrace/millrace/shared/assemble"
	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/config"
)

// inProcess is every function of the catalogue in this process.
type inProcess struct {
	http.Handler
	platform *assemble.Platform
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

// startInProcess builds the functions, mounts their routes as the catalogue
// says, consumes their queues and runs their schedules.
func startInProcess(ctx context.Context, cfg config.Config, o options, say func(string, ...any)) (backend, error) {
	p, err := assemble.Open(ctx, cfg, "millrace-local")
	if err != nil {
		return nil, err
	}
	p.Telemetry.InstallGlobal()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &inProcess{platform: p, cancel: cancel}
	if err := b.start(ctx, o, say); err != nil {
		b.Close(ctx)
		return nil, err
	}
	return b, nil
}

func (b *inProcess) start(ctx context.Context, o options, say func(string, ...any)) error {
	// Whoever held leases under this name is dead: its runs are continued now.
	if err := assemble.DeclareQueues(ctx, b.platform); err != nil {
		return err
	}
	freed, err := assemble.ExpireOwnLeases(ctx, b.platform)
	if err != nil {
		return err
	}
	if freed > 0 {
		say("recovered  %d runs that were cut off go on", freed)
	}
	mux := http.NewServeMux()
	builds := assemble.Builds()
	for _, f := range catalogue.Functions() {
		build, ok := builds[f.Name]
		if !ok {
			return fmt.Errorf("function %s has no constructor", f.Name)
		}
		h, err := build(ctx, b.platform)
		if err != nil {
			return fmt.Errorf("function %s: %w", f.Name, err)
		}
		for _, r := range f.Routes {
			mux.Handle(r.Pattern(), b.platform.Telemetry.HTTPHandler(h.HTTP))
		}
		for _, q := range f.Queues {
			if err := b.consume(ctx, q, h.Task); err != nil {
				return err
			}
		}
		if f.Kind == catalogue.Schedule {
			b.schedule(ctx, f.Name, h.Task, o)
		}
	}
	b.Handler = mux
	return nil
}

// consume hands messages of a queue to a task handler.
func (b *inProcess) consume(ctx context.Context, queue string, handle cloudruntime.TaskHandler) error {
	sub, err := assemble.Subscription(ctx, b.platform, queue)
	if err != nil {
		return err
	}
	const workers = 16 // a run mostly waits for others
	for range workers {
		b.work.Go(func() {
			for ctx.Err() == nil {
				m, err := sub.Receive(ctx)
				if err != nil {
					if ctx.Err() == nil {
						b.platform.Logger.ErrorContext(ctx, "queue", "queue", queue, "error", err)
						_ = clock.Sleep(ctx, b.platform.Clock, defaultTick)
					}
					continue
				}
				taskCtx, span := b.platform.Telemetry.Receive(ctx, queue, m.Metadata)
				_, err = handle(taskCtx, cloudruntime.Task{
					Kind: cloudruntime.KindQueue, Source: queue, ID: m.LoggableID, Body: m.Body, Attributes: m.Metadata,
				})
				span.End()
				if err != nil {
					b.platform.Logger.WarnContext(taskCtx, "task failed and is tried again", "queue", queue, "error", err)
					if m.Nackable() {
						m.Nack()
						continue
					}
				}
				m.Ack()
			}
		})
	}
	return nil
}

// schedule runs a scheduled function at the local rate: on a laptop nothing is
// saved by looking rarely.
func (b *inProcess) schedule(ctx context.Context, name string, handle cloudruntime.TaskHandler, o options) {
	b.work.Go(func() {
		for ctx.Err() == nil {
			if _, err := handle(ctx, cloudruntime.Task{Kind: cloudruntime.KindSchedule, Source: name}); err != nil && ctx.Err() == nil {
				b.platform.Logger.ErrorContext(ctx, "schedule", "function", name, "error", err)
			}
			_ = clock.Sleep(ctx, b.platform.Clock, o.tick)
		}
	})
}

// Close stops queues and schedules and closes what was opened.
func (b *inProcess) Close(ctx context.Context) {
	b.cancel()
	done := make(chan struct{})
	go func() {
		b.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	if err := b.platform.Close(ctx); err != nil {
		b.platform.Logger.WarnContext(ctx, "closing", "error", err)
	}
}
