package process

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/config"
)

// Build makes the handlers of one function.
type Build func(ctx context.Context, p *Process) (cloudruntime.Handlers, error)

// flushTime bounds what a function spends on telemetry after an answer.
const flushTime = 500 * time.Millisecond

// Main is the whole main function of a deployable: settings, platform, handlers,
// and serving until the platform stops the process.
func Main(name string, build Build) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, name, build)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, name string, build Build) (err error) {
	f, ok := catalogue.Find(name)
	if !ok {
		return fmt.Errorf("not in the catalogue")
	}
	cfg, err := config.FromEnv()
	if err != nil {
		return err
	}
	p, err := Open(ctx, cfg, "millrace-"+name)
	if err != nil {
		return err
	}
	p.Telemetry.InstallGlobal()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		_ = p.Close(ctx) // the process ends
	}()
	h, err := build(ctx, p)
	if err != nil {
		return err
	}
	if h.HTTP != nil {
		h.HTTP = p.Telemetry.HTTPHandler(h.HTTP)
	}
	platform, addr := cloudruntime.Detect(func(name string) (string, bool) {
		v, ok := config.Environ()[name]
		return v, ok
	})
	return cloudruntime.Serve(ctx, h, cloudruntime.Options{
		Function: name, Platform: platform, Addr: addr, Streaming: cfg.Server.StreamResponse, Queues: f.Queues,
		TaskToken: cfg.Server.TaskToken, TasksTrusted: cfg.Server.TasksTrusted, TimeLimit: f.Timeout, Logger: p.Logger, Clock: p.Clock,
		AfterInvoke: func(ctx context.Context) {
			if !p.Telemetry.Enabled() {
				return
			}
			ctx, cancel := context.WithTimeout(ctx, flushTime)
			defer cancel()
			_ = p.Telemetry.Flush(ctx) // a collector that is away costs nothing else
		},
	})
}
