package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/millrace/millrace/examples"
	"github.com/millrace/millrace/local/apiclient"
	"github.com/millrace/millrace/local/demo"
	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/mockecho"
	"github.com/millrace/millrace/shared/mockmodel"
	"github.com/millrace/millrace/shared/postgres"
)

// Version is shown by /health.
const Version = "0.1.0"

const (
	defaultTick = time.Second
	// drainTime is how long requests may go on after the stop signal. Runs that
	// are not done by then are continued at the next start.
	drainTime = 5 * time.Second
	// poolSize is the number of connections of the one process that is
	// everything; functions in a cloud have a tiny pool each.
	poolSize = 16
)

type options struct {
	listen string
	data   string
	lambda bool
	demo   bool
	exit   bool
	tick   time.Duration
}

// backend is what serves requests behind the front door: all functions in this
// process, or the emulated Lambda.
type backend interface {
	http.Handler
	// Close stops it; requests have been drained before.
	Close(ctx context.Context)
}

// up starts everything, serves until ctx ends and stops everything.
func up(ctx context.Context, o options, cfg config.Config, out io.Writer) (err error) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	listener, err := listen(ctx, o.listen)
	if err != nil {
		return err
	}
	front := &frontDoor{}
	server := &http.Server{Handler: front, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close() //nolint:errcheck // the process ends
	base := "http://" + listener.Addr().String()

	var stack closers
	defer func() {
		if ctx.Err() != nil && front.handler.Load() == nil {
			err = nil // stopped while starting: what was under way says so in its own way
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*drainTime)
		defer cancel()
		err = errors.Join(err, stack.close(ctx))
	}()
	if err := prepare(ctx, &cfg, o, base, &stack, say); err != nil {
		return err
	}
	if err := migrations.Run(ctx, cfg.Data.DatabaseURL, &migrations.Options{Progress: tellMigration(out)}); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	start := startInProcess
	if o.lambda {
		start = startLambda
	}
	b, err := start(ctx, cfg, o, say)
	if err != nil {
		return err
	}
	stack.add(func(ctx context.Context) error { b.Close(ctx); return nil })
	front.ready(b, o.demo)
	go spendMemory(ctx, clock.System{})
	say("ready      %s", base)

	done := make(chan error, 1)
	if o.demo {
		go func() { done <- runDemo(ctx, cfg, base, out) }()
	} else {
		say("try        curl %s/console/api/setup   (then: go run ./local demo)", base)
	}
	for {
		select {
		case err := <-served:
			return err
		case err := <-done:
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("demo: %w", err)
			}
			if o.exit {
				return drain(server)
			}
			say("\nthe server stays up; Ctrl-C stops it and leaves nothing running")
		case <-ctx.Done():
			return drain(server)
		}
	}
}

func drain(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// listen opens the port. A process that was killed a moment ago may still hold it
// through a child that was just being made, so one that is taken gets a second
// chance.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	const tries, wait = 20, 50 * time.Millisecond
	for i := 1; ; i++ {
		l, err := net.Listen("tcp", addr)
		switch {
		case err == nil:
			return l, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, &embedded.Error{Problem: "cannot listen on " + addr, Hint: "--listen takes HOST:PORT", Err: err}
		case i == tries || clock.Sleep(ctx, clock.System{}, wait) != nil:
			return nil, &embedded.Error{
				Problem: "another program listens on " + addr,
				Hint:    "stop it, or choose another address with --listen 127.0.0.1:8081",
			}
		}
	}
}

// prepare starts the parts that the user's settings do not name and writes
// their addresses into cfg.
func prepare(ctx context.Context, cfg *config.Config, o options, base string, stack *closers, say func(string, ...any)) error {
	data, err := filepath.Abs(o.data)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return &embedded.Error{Problem: "cannot make the data folder " + data, Hint: "choose another with --data", Err: err}
	}
	if cfg.Data.DatabaseURL == "" {
		pg, err := embedded.Start(ctx, embedded.Options{
			DataDir: filepath.Join(data, "postgres"), Progress: func(t string) { say("postgres   %s", t) },
		})
		if err != nil {
			return err
		}
		stack.add(pg.Stop)
		cfg.Data.DatabaseURL = postgres.Direct(pg.URL())
		say("postgres   %s", pg)
	} else {
		say("postgres   DATABASE_URL")
	}
	if cfg.Data.RedisURL == "" {
		r, err := embedded.StartRedis(ctx, clock.System{})
		if err != nil {
			return err
		}
		stack.add(func(context.Context) error { r.Stop(); return nil })
		cfg.Data.RedisURL = r.URL()
		say("redis      in this process")
	}
	if cfg.Data.BlobURL == "" {
		dir := filepath.Join(data, "blobs")
		cfg.Data.BlobURL = "file://" + filepath.ToSlash(dir) + "?create_dir=true&no_tmp_dir=true"
		say("files      %s", dir)
	}
	if cfg.Security.SecretKey == "" {
		if cfg.Security.SecretKey, err = secretKey(filepath.Join(data, "secret_key")); err != nil {
			return err
		}
	}
	if cfg.Run.Owner == "" && !o.lambda {
		// Leases of a process that died here are known to be free at the next start.
		cfg.Run.Owner = "local:" + data
	}
	for _, u := range []*string{&cfg.URLs.ConsoleAPI, &cfg.URLs.ServiceAPI, &cfg.URLs.Files, &cfg.URLs.AppWeb, &cfg.URLs.ConsoleWeb} {
		if *u == "" {
			*u = base
		}
	}
	cfg.Data.PoolSize = max(cfg.Data.PoolSize, poolSize)
	cfg.Egress.AllowPrivate = true // developers call what runs beside them
	if cfg.Mail.Type == "" {
		cfg.Mail.Type = "log" // links in mails are what a developer wants to click
	}
	if cfg.Observe.LogLevel == "" {
		cfg.Observe.LogLevel = "WARN"
	}
	return nil
}

// secretKey reads the folder's signing key and makes it at the first start.
func secretKey(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	key := ids.Token(42)
	return key, os.WriteFile(path, []byte(key+"\n"), 0o600)
}

// frontDoor answers /health from the first moment and everything else once the
// backend is there.
type frontDoor struct{ handler atomic.Pointer[http.Handler] }

func (f *frontDoor) ready(b http.Handler, withDemo bool) {
	mux := http.NewServeMux()
	mux.Handle("/", b)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"pid": os.Getpid(), "status": "ok", "version": Version})
	})
	if withDemo {
		mux.Handle("/_demo/model/", http.StripPrefix("/_demo/model", mockmodel.New(nil).Handler()))
		mux.Handle("/_demo/", http.StripPrefix("/_demo", mockecho.New(nil).Handler()))
	}
	var h http.Handler = mux
	f.handler.Store(&h)
}

// ServeHTTP answers 503 while things are starting.
func (f *frontDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "1")
	writeJSON(w, http.StatusServiceUnavailable, map[string]any{
		"code": "service_unavailable", "message": "Starting; try again in a moment.", "status": http.StatusServiceUnavailable,
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
}

// closers are closed in the opposite order of their opening.
type closers struct{ list []func(context.Context) error }

func (c *closers) add(f func(context.Context) error) { c.list = append(c.list, f) }

func (c *closers) close(ctx context.Context) error {
	var all error
	for i := len(c.list) - 1; i >= 0; i-- {
		all = errors.Join(all, c.list[i](ctx))
	}
	return all
}

func runDemo(ctx context.Context, cfg config.Config, base string, out io.Writer) error {
	o := demo.Options{
		API: apiclient.New(base, nil), Apps: examples.FS, Out: out, Clock: clock.System{},
		Model: apiclient.Model{BaseURL: base + "/_demo/model/v1", APIKey: "demo", Name: "demo-chat"}, Mock: true,
	}
	if cfg.Demo.OpenAIKey != "" || cfg.Demo.OpenAIBaseURL != "" {
		o.Mock = false
		o.Model = apiclient.Model{BaseURL: cfg.Demo.OpenAIBaseURL, APIKey: cfg.Demo.OpenAIKey, Name: cfg.Demo.OpenAIModel}
	}
	return demo.Run(ctx, o)
}
