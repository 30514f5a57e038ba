package assemble

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/console/apps"
	"github.com/millrace/millrace/shared/api/console/identity"
	"github.com/millrace/millrace/shared/api/console/logs"
	"github.com/millrace/millrace/shared/api/console/providers"
	"github.com/millrace/millrace/shared/api/console/workflows"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/files"
	"github.com/millrace/millrace/shared/assemble/codefn"
	"github.com/millrace/millrace/shared/assemble/process"
	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/pgqueue"
)

// consoleAuth knows who makes a console request.
func consoleAuth(p *Platform) (*console.Auth, error) {
	return once(p, "console-auth", func() (*console.Auth, error) {
		accounts, err := accountService(p)
		if err != nil {
			return nil, err
		}
		o := &console.Options{
			WebURL: p.Config.URLs.ConsoleWeb, APIURL: p.Config.URLs.ConsoleAPI, CookieDomain: p.Config.Security.CookieDomain,
		}
		if p.Config.Security.AdminAPIKeyEnable {
			o.AdminAPIKey = p.Config.Security.AdminAPIKey
		}
		return console.New(accounts, o), nil
	})
}

// ConsoleIdentity builds console-identity. Icons of model providers lie below
// its paths.
func ConsoleIdentity(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	accounts, err := accountService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	auth, err := consoleAuth(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	models, err := providerService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	routes := identity.Routes(&identity.Deps{Accounts: accounts, Auth: auth, SecretKey: p.Config.Security.SecretKey, Clock: p.Clock})
	return router(p, append(routes, providers.IconRoutes(models)...)), nil
}

// ConsoleProviders builds console-providers.
func ConsoleProviders(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	models, err := providerService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	auth, err := consoleAuth(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	return router(p, providers.Routes(&providers.Deps{Providers: models, Auth: auth.Member})), nil
}

// ConsoleApps builds console-apps: apps, and what they did.
func ConsoleApps(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	appSvc, err := appService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	auth, err := consoleAuth(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	chats, err := chatService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	past, err := historyService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	stored, err := fileService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	asked, err := formService(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	routes := apps.Routes(&apps.Deps{Apps: appSvc, Auth: auth, ServiceURL: p.Config.URLs.ServiceAPI, WebURL: p.Config.URLs.AppWeb})
	routes = append(routes, logs.Routes(logs.Deps{
		Apps: appSvc, Chats: chats, History: past, Files: stored, Signer: stored.Signer(), Auth: auth.Member,
		Clock: p.Clock, Forms: asked,
	})...)
	metered, err := usageRoutes(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	routes = append(routes, metered...)
	runs, err := watcher(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	return router(p, append(routes, workflows.StopRoute(&workflows.Deps{Apps: appSvc, Auth: auth, Runs: runs}))), nil
}

// ConsoleWorkflows builds console-workflows: editing and debugging drafts,
// versions, answers to forms, and tools.
func ConsoleWorkflows(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	drafts, err := draftRoutes(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	asked, err := consoleForms(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	again, err := replayRoutes(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	called, err := toolRoutes(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	return router(p, slices.Concat(drafts, asked, again, called)), nil
}

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

// Builds lists every function's constructor by its catalogue name. Only the
// local command uses it: a deployable names its own constructor, so that it
// links nothing else.
func Builds() map[string]Build {
	return map[string]Build{
		"chat-messages":     ChatMessages,
		"workflow-run":      WorkflowRun,
		"service-api":       ServiceAPI,
		"web-app":           WebApp,
		"console-identity":  ConsoleIdentity,
		"console-providers": ConsoleProviders,
		"console-apps":      ConsoleApps,
		"console-workflows": ConsoleWorkflows,
		"files":             Files,
		"run-workflow":      RunWorkflow,
		"tick":              Tick,
		"code-python":       alone(codefn.Python),
		"code-javascript":   alone(codefn.JavaScript),
		"migrate":           Migrate,
	}
}

// alone fits a function that needs no platform into the table.
func alone(build func(context.Context, *process.Process) (cloudruntime.Handlers, error)) Build {
	return func(ctx context.Context, p *Platform) (cloudruntime.Handlers, error) { return build(ctx, p.Process) }
}
