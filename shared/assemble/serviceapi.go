package assemble

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/millrace/millrace/shared/api/service"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat/assist"
	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/admission"
)

// ChatMessages builds chat-messages.
func ChatMessages(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	d, err := runDeps(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	return cloudruntime.Handlers{HTTP: service.ChatMessages(d)}, nil
}

// WorkflowRun builds workflow-run.
func WorkflowRun(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	d, err := runDeps(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	pages, err := webRuns(p, d)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", service.WorkflowRun(d))
	mux.Handle("/api/", pages)
	return cloudruntime.Handlers{HTTP: mux}, nil
}

// ServiceAPI builds service-api.
func ServiceAPI(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	runs, err := watcher(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	d, err := serviceDeps(p, runs)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	return cloudruntime.Handlers{HTTP: service.Rest(d)}, nil
}

func runDeps(p *Platform) (service.Deps, error) {
	runs, err := runner(p)
	if err != nil {
		return service.Deps{}, err
	}
	d, err := serviceDeps(p, runs)
	if err != nil {
		return d, err
	}
	d.Runs, err = once(p, "admission", func() (*admission.Runs, error) { return admission.New(runs, p.Config.Run.AtOnce), nil })
	return d, err
}

func serviceDeps(p *Platform, runs *run.Service) (d service.Deps, err error) {
	appSvc, err := appService(p)
	if err != nil {
		return d, err
	}
	models, err := providerService(p)
	if err != nil {
		return d, err
	}
	d = service.Deps{
		Apps: &serviceApps{apps: appSvc, versions: map[string]*service.Workflow{}}, Runs: runs, Assistant: assist.New(models), Models: models,
		Clock: p.Clock, Logger: p.Logger, Ping: p.Config.Run.PingInterval, MaxRunFiles: p.Config.Files.WorkflowFileLimit,
		Hold: p.Config.Server.Lambda,
	}
	if d.Chats, err = chatService(p); err != nil {
		return d, err
	}
	if d.History, err = historyService(p); err != nil {
		return d, err
	}
	if d.Forms, err = formService(p); err != nil {
		return d, err
	}
	d.Files, err = fileService(p)
	return d, err
}

// serviceApps shows the domain of apps the way the service API looks at it.
type serviceApps struct {
	apps *app.Service

	mu       sync.Mutex
	versions map[string]*service.Workflow // by tenant and id: versions never change
}

// maxVersions bounds the versions that are kept.
const maxVersions = 256

// AppByKey returns the app that a key opens.
func (a *serviceApps) AppByKey(ctx context.Context, key string) (*service.App, error) {
	access, err := a.apps.ByKey(ctx, key)
	if err != nil {
		return nil, err
	}
	x := access.App
	return &service.App{
		ID: x.ID, TenantID: x.TenantID, Name: x.Name, Description: x.Description, Mode: x.Mode, WorkflowID: x.WorkflowID,
		Plan: access.TenantPlan,
	}, nil
}

// WorkspaceByKey returns the workspace that a knowledge key opens.
func (a *serviceApps) WorkspaceByKey(ctx context.Context, key string) (string, error) {
	access, err := a.apps.ByDatasetKey(ctx, key)
	return access.TenantID, err
}

// About tells who made the app and how it is tagged.
func (a *serviceApps) About(ctx context.Context, tenantID, appID string) (service.About, error) {
	x, err := a.apps.App(ctx, tenantID, appID)
	if err != nil {
		return service.About{}, err
	}
	authors, err := a.apps.Authors(ctx, x.CreatedBy)
	if err != nil {
		return service.About{}, err
	}
	tags, err := a.apps.Tags(ctx, tenantID, appID)
	if err != nil {
		return service.About{}, err
	}
	out := service.About{AuthorName: authors[x.CreatedBy].Name, Tags: []string{}}
	for _, t := range tags[appID] {
		out.Tags = append(out.Tags, t.Name)
	}
	return out, nil
}

// Site returns the app's page.
func (a *serviceApps) Site(ctx context.Context, tenantID, appID string) (app.Site, error) {
	return a.apps.Site(ctx, tenantID, appID)
}

// Published returns the version that the app runs.
func (a *serviceApps) Published(ctx context.Context, x *service.App) (*service.Workflow, error) {
	return a.version(ctx, x.TenantID, x.WorkflowID, func() (app.Workflow, error) {
		return a.apps.Published(ctx, app.App{ID: x.ID, TenantID: x.TenantID, WorkflowID: x.WorkflowID})
	})
}

// Version returns a published version by its id.
func (a *serviceApps) Version(ctx context.Context, tenantID, appID, workflowID string) (*service.Workflow, error) {
	return a.version(ctx, tenantID, appID+"/"+workflowID, func() (app.Workflow, error) {
		return a.apps.Version(ctx, tenantID, appID, workflowID)
	})
}

func (a *serviceApps) version(_ context.Context, tenantID, id string, load func() (app.Workflow, error)) (*service.Workflow, error) {
	key := tenantID + "/" + id
	a.mu.Lock()
	have := a.versions[key]
	a.mu.Unlock()
	if have != nil && id != "" {
		return have, nil
	}
	w, err := load()
	if err != nil {
		return nil, err
	}
	out := &service.Workflow{
		ID: w.ID, Graph: json.RawMessage(w.Graph), Features: json.RawMessage(w.Features), Draft: w.Version == app.VersionDraft,
	}
	if w.Version == app.VersionDraft {
		return out, nil // drafts change
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.versions) >= maxVersions {
		clear(a.versions)
	}
	a.versions[key] = out
	return out, nil
}

// EndUser returns the app's end user with that session.
func (a *serviceApps) EndUser(ctx context.Context, tenantID, appID, sessionID string, _ bool) (service.EndUser, error) {
	return endUser(a.apps.EndUser(ctx, tenantID, appID, app.EndUserService, sessionID))
}

// EndUserByID returns an end user of the app.
func (a *serviceApps) EndUserByID(ctx context.Context, tenantID, appID, id string) (service.EndUser, error) {
	return endUser(a.apps.EndUserByID(ctx, tenantID, appID, id))
}

func endUser(u app.EndUser, err error) (service.EndUser, error) {
	return service.EndUser{
		ID: u.ID, TenantID: u.TenantID, AppID: u.AppID, Type: u.Type, ExternalID: u.ExternalUserID, Name: u.Name,
		SessionID: u.SessionID, Anonymous: u.IsAnonymous, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}, err
}
