// Command millrace runs Millrace on a laptop: every function of the catalogue
// on one port, with a private PostgreSQL, a Redis-compatible server, file blobs,
// queues and a scheduler. It needs nothing installed but Go.
//
//	go run ./local              start everything (the same as up)
//	go run ./local demo         the same, with an account, a model and example apps
//	go run ./local up --lambda  run the deployable binaries on an emulated Lambda
//	go run ./local migrate      bring DATABASE_URL's schema up to date
//	go run ./local replay RUN   run a run again, see replay.go
//
// START HERE: up.go for what is started in which order, lambda.go for the
// emulated cloud. What the functions do is wired in shared/assemble.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/config"
	"github.com/millrace/millrace/shared/sandbox/jail"
)

const usage = `usage: millrace [command] [flags]

commands:
  up       start everything on one port (default)
  demo     start everything, then import and run the example apps
  migrate  bring the schema of DATABASE_URL up to date and exit
  replay   run a run of a server again, from a node on (replay --help)
  replay-batch
           run the last runs of an app against its draft
  usage    show what the apps of a server used of models (usage --help)

flags of up and demo:
  --listen ADDR   address to serve on (default 127.0.0.1:8080)
  --data DIR      folder that holds everything (default .millrace)
  --lambda        build the function binaries and run them on an emulated Lambda
  --tick D        how often due work is looked for (default 1s)
  --exit          demo only: stop after the example ran

DATABASE_URL, REDIS_URL, BLOB_URL and SECRET_KEY replace the built-in parts.
`

func main() {
	jail.MaybeChild() // the jailed child of a code node is this same program
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		report(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	command := "up"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if command == "replay" || command == "replay-batch" {
		return replayCommand(ctx, command, args, out)
	}
	if command == "usage" {
		return usageCommand(ctx, args, out)
	}
	var o options
	flags := flag.NewFlagSet("millrace", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "")
	flags.StringVar(&o.data, "data", ".millrace", "")
	flags.BoolVar(&o.lambda, "lambda", false, "")
	flags.DurationVar(&o.tick, "tick", defaultTick, "")
	flags.BoolVar(&o.exit, "exit", false, "")
	if err := flags.Parse(args); err != nil {
		_, _ = fmt.Fprint(out, usage)
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	cfg, err := config.FromEnv()
	if err != nil {
		return err
	}
	switch command {
	case "up":
		return up(ctx, o, cfg, out)
	case "demo":
		o.demo = true
		return up(ctx, o, cfg, out)
	case "migrate":
		if err := cfg.Need("DATABASE_URL"); err != nil {
			return err
		}
		return migrations.Run(ctx, cfg.Data.DatabaseURL, &migrations.Options{Progress: tellMigration(out)})
	case "help":
		_, _ = fmt.Fprint(out, usage)
		return nil
	}
	_, _ = fmt.Fprint(out, usage)
	return fmt.Errorf("there is no command %q", command)
}

// report prints an error for a person: what went wrong and what to do.
func report(w io.Writer, err error) {
	var known *embedded.Error
	if errors.As(err, &known) {
		_, _ = fmt.Fprintf(w, "millrace: %s\n", known.Problem)
		if known.Err != nil {
			_, _ = fmt.Fprintf(w, "  cause: %v\n", known.Err)
		}
		if known.Hint != "" {
			_, _ = fmt.Fprintf(w, "  try:   %s\n", known.Hint)
		}
		return
	}
	_, _ = fmt.Fprintf(w, "millrace: %v\n", err)
}

// tellMigration prints each step of bringing a schema up to date.
func tellMigration(out io.Writer) func(migrations.Step) {
	return func(s migrations.Step) {
		if s.Name != "" {
			_, _ = fmt.Fprintf(out, "schema     %s (%d of %d)\n", s.Name, s.Done+1, s.Total)
		}
	}
}
