package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/telemetry"
)

// Process is a running deployable. Make one with [Open].
type Process struct {
	// Config are the settings.
	Config config.Config
	// Clock is the machine's.
	Clock clock.Clock
	// Logger writes to standard error.
	Logger *slog.Logger
	// Telemetry is off unless the settings say otherwise.
	Telemetry *telemetry.Telemetry

	mu     sync.Mutex
	closer []func(context.Context) error
}

// Open prepares a process; nothing is connected yet. Close it.
func Open(ctx context.Context, cfg config.Config, service string) (*Process, error) {
	tel, err := telemetry.Start(ctx, telemetry.Options{
		Enabled: cfg.Observe.OTelEnabled, ServiceName: service, OTLPEndpoint: cfg.Observe.OTLPEndpoint,
		Headers: telemetryHeaders(cfg.Observe),
	})
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return &Process{
		Config: cfg, Clock: clock.System{}, Logger: newLogger(cfg.Observe), Telemetry: tel,
		closer: []func(context.Context) error{tel.Shutdown},
	}, nil
}

func newLogger(o config.Observe) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "json" {
		return slog.New(telemetry.LogHandler(slog.NewJSONHandler(os.Stderr, opts)))
	}
	return slog.New(telemetry.LogHandler(slog.NewTextHandler(os.Stderr, opts)))
}

func telemetryHeaders(o config.Observe) map[string]string {
	if o.OTLPAPIKey == "" {
		return nil
	}
	return map[string]string{"Authorization": "Bearer " + o.OTLPAPIKey}
}

// OnClose has Close call f, before what was opened earlier is closed.
func (p *Process) OnClose(f func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closer = append(p.closer, f)
}

// Close closes what was opened, the newest first.
func (p *Process) Close(ctx context.Context) error {
	p.mu.Lock()
	list := p.closer
	p.closer = nil
	p.mu.Unlock()
	var all error
	for i := len(list) - 1; i >= 0; i-- {
		all = errors.Join(all, list[i](ctx))
	}
	return all
}
