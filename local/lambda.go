package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/local/lambdaemu"
	"github.com/millrace/millrace/shared/assemble"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/ids"
)

// localLeaseTTL is how long a killed function's runs wait at most before others
// go on with them.
const localLeaseTTL = 5 * time.Second

// emulated is the deployable binaries on an emulated Lambda.
type emulated struct {
	http.Handler
	emulator *lambdaemu.Emulator
	platform *assemble.Platform
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

// schedule invokes the scheduled functions as EventBridge would, at the local
// rate: a killed instance's runs should not wait for a minute.
func (e *emulated) schedule(ctx context.Context, t *lambdaemu.Template, every time.Duration) {
	for clock.Sleep(ctx, e.platform.Clock, every) == nil {
		for _, f := range t.Functions {
			if len(f.Schedules) == 0 {
				continue
			}
			event := fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"Scheduled Event","source":"aws.events","account":"000000000000","time":%q,"region":"local","resources":["arn:aws:events:local:000000000000:rule/%s"],"detail":{}}`,
				ids.Random(), e.platform.Clock.Now().UTC().Format(time.RFC3339), f.Folder)
			if _, err := e.emulator.Invoke(ctx, f.Folder, []byte(event)); err != nil && ctx.Err() == nil {
				e.platform.Logger.ErrorContext(ctx, "schedule", "function", f.Folder, "error", err)
			}
		}
	}
}

// startLambda builds the function binaries of infra/template.yaml and runs them
// on demand behind an emulated gateway, queues and scheduler.
func startLambda(ctx context.Context, cfg config.Config, o options, say func(string, ...any)) (backend, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	template, err := lambdaemu.ReadTemplate(filepath.Join(root, "infra", "template.yaml"), nil)
	if err != nil {
		return nil, err
	}
	data, err := filepath.Abs(o.data)
	if err != nil {
		return nil, err
	}
	binaries := filepath.Join(data, "functions")
	say("functions  building %d binaries", len(template.Functions))
	builder := lambdaemu.Builder{Root: root, Dir: binaries, Env: goEnvironment(), Progress: func(line string) { say("functions  %s", line) }}
	if err := builder.Build(ctx, template.Functions); err != nil {
		return nil, err
	}
	p, err := assemble.Open(ctx, cfg, "millrace-local")
	if err != nil {
		return nil, err
	}
	subscriptions := map[string]*pubsub.Subscription{}
	for _, f := range template.Functions {
		for _, q := range f.Queues {
			if subscriptions[q.Queue], err = assemble.Subscription(ctx, p, q.Queue); err != nil {
				return nil, errors.Join(err, p.Close(ctx))
			}
		}
	}
	settings := functionSettings(cfg)
	emu, err := lambdaemu.New(context.WithoutCancel(ctx), lambdaemu.Options{
		Template: template, BinaryDir: binaries, Subscriptions: subscriptions, Freeze: true, Output: os.Stderr,
		Logger: p.Logger, Env: func(f lambdaemu.Function) map[string]string { return functionEnv(f, settings) },
	})
	if err != nil {
		return nil, errors.Join(err, p.Close(ctx))
	}
	say("functions  ready; processes start with their first request")
	e := &emulated{Handler: emu.Handler(), emulator: emu, platform: p}
	ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.work.Go(func() { e.schedule(ctx, template, o.tick) })
	return e, nil
}

// Close stops every function process.
func (e *emulated) Close(ctx context.Context) {
	e.cancel()
	e.emulator.Close()
	e.work.Wait()
	_ = e.platform.Close(ctx) // the process ends
}

// functionSettings are the values that stand in for what a deployment's
// template takes from the cloud.
func functionSettings(cfg config.Config) map[string]string {
	return map[string]string{
		"DATABASE_URL": cfg.Data.DatabaseURL, "REDIS_URL": cfg.Data.RedisURL, "BLOB_URL": cfg.Data.BlobURL,
		"SECRET_KEY": cfg.Security.SecretKey, "MILLRACE_QUEUE_URL": cfg.Data.QueueURL,
		"CONSOLE_API_URL": cfg.URLs.ConsoleAPI, "SERVICE_API_URL": cfg.URLs.ServiceAPI, "FILES_URL": cfg.URLs.Files,
		"LOG_LEVEL":                     cfg.Observe.LogLevel,
		"MILLRACE_LEASE_TTL":            min(cfg.Run.LeaseTTL, localLeaseTTL).String(),
		"MILLRACE_FANOUT_OVER":          strconv.Itoa(cfg.Run.FanOutOver),
		"MILLRACE_FANOUT_SIZE":          strconv.Itoa(cfg.Run.FanOutSize),
		"MILLRACE_FANOUT_PER_RUN":       strconv.Itoa(cfg.Run.FanOutPerRun),
		"MILLRACE_FANOUT_PER_WORKSPACE": strconv.Itoa(cfg.Run.FanOutPerWorkspace),
		"MAIL_TYPE":                     cfg.Mail.Type,
		"MAIL_DEFAULT_SEND_FROM":        cfg.Mail.From,
		"SMTP_SERVER":                   cfg.Mail.SMTPServer,
		"SMTP_PORT":                     strconv.Itoa(cfg.Mail.SMTPPort),
		"SMTP_USERNAME":                 cfg.Mail.SMTPUsername,
		"SMTP_PASSWORD":                 cfg.Mail.SMTPPassword,
		"SMTP_USE_TLS":                  strconv.FormatBool(cfg.Mail.SMTPUseTLS),
	}
}

// localSettings are settings that every function of a laptop gets, whether the
// template names them or not.
func localSettings() []string {
	return []string{"MILLRACE_LEASE_TTL", "MILLRACE_FANOUT_OVER", "MILLRACE_FANOUT_SIZE", "MILLRACE_FANOUT_PER_RUN", "MILLRACE_FANOUT_PER_WORKSPACE", "MAIL_TYPE"}
}

// functionEnv gives a function the settings that its template names, and what
// every function of a laptop may do: call what runs beside it.
func functionEnv(f lambdaemu.Function, settings map[string]string) map[string]string {
	env := map[string]string{"MILLRACE_EGRESS_ALLOW_PRIVATE": "true"}
	for _, name := range localSettings() {
		env[name] = settings[name]
	}
	for name, v := range f.Env {
		env[name] = v
		if own, ok := settings[name]; ok {
			env[name] = own
		}
	}
	return env
}

// moduleRoot finds the source tree: the binaries are built from it.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "infra", "template.yaml")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", &embedded.Error{
				Problem: "--lambda builds the functions from source and there is none here",
				Hint:    "run it inside a checkout of Millrace",
			}
		}
		dir = parent
	}
}

// goEnvironment is what the go command needs to build.
func goEnvironment() []string {
	var env []string
	for name, v := range config.Environ() {
		if name == "PATH" || name == "HOME" || strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "XDG_") || name == "TMPDIR" {
			env = append(env, fmt.Sprintf("%s=%s", name, v))
		}
	}
	return env
}
