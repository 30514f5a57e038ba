package assemble

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/files"
	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/pgqueue"
)

// Files builds files.
func Files(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	svc, err := fileService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	return router(p, files.Routes(svc)), nil
}

// Migrate builds migrate: it brings the schema up to date and answers with what
// was missing.
func Migrate(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	return cloudruntime.Handlers{Task: func(ctx context.Context, _ cloudruntime.Task) ([]byte, error) {
		if err := p.Config.Need("DATABASE_URL"); err != nil {
			return nil, err
		}
		applied := []string{}
		err := migrations.Run(ctx, p.Config.Data.DatabaseURL, &migrations.Options{Progress: func(s migrations.Step) {
			if s.Name != "" {
				applied = append(applied, s.Name)
			}
		}})
		if err != nil {
			return nil, err
		}
		if err := DeclareQueues(ctx, p); err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"applied": applied})
	}}, nil
}

// DeclareQueues makes the catalogue's queues known where they are in Postgres.
func DeclareQueues(ctx context.Context, p *Platform) error {
	if p.Config.Data.QueueURL != "" {
		return nil
	}
	pool, err := p.Pool()
	if err != nil {
		return err
	}
	var names []string
	for _, f := range catalogue.Functions() {
		names = append(names, f.Queues...)
	}
	return pgqueue.Declare(ctx, pool, names...)
}

// router serves a table of routes; what is missing of the contract answers 501.
func router(p *Platform, routes []edge.Route) cloudruntime.Handlers {
	return cloudruntime.Handlers{HTTP: edge.NewRouter(routes, &edge.Options{Logger: p.Logger, Clock: p.Clock})}
}

// Fallback answers requests that no function owns: 501 for routes of the
// contract that are not there yet, 404 for the rest.
func Fallback(p *Platform) http.Handler { return router(p, nil).HTTP }

// Builds lists every function's constructor by its catalogue name. Only the
// local command uses it: a deployable names its own constructor, so that it
// links nothing else.
func Builds() map[string]Build {
	return map[string]Build{
		"chat-messages":     ChatMessages,
		"workflow-run":      WorkflowRun,
		"service-api":       ServiceAPI,
		"console-identity":  ConsoleIdentity,
		"console-apps":      ConsoleApps,
		"console-workflows": ConsoleWorkflows,
		"console-providers": ConsoleProviders,
		"files":             Files,
		"run-workflow":      RunWorkflow,
		"tick":              Tick,
		"code-python":       CodePython,
		"code-javascript":   CodeJavaScript,
		"migrate":           Migrate,
	}
}
