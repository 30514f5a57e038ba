package service

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/assist"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// App is an app as the service API needs it.
type App struct {
	ID, TenantID      string
	Name, Description string
	Mode              string
	// WorkflowID is the published version; "" before.
	WorkflowID string
	// Plan is the workspace's, which decides the queue of its runs.
	Plan string
}

// About is what the info route tells of an app.
type About struct {
	AuthorName string
	Tags       []string
}

// EndUser is a person or system that the app's backend speaks for.
type EndUser struct {
	ID, TenantID, AppID  string
	Type                 string
	ExternalID, Name     string // "" shows as null
	SessionID            string
	Anonymous            bool
	CreatedAt, UpdatedAt time.Time
}

// Workflow is a version of an app's workflow. Published ones never change.
type Workflow struct {
	ID       string
	Graph    json.RawMessage
	Features json.RawMessage
	// Draft is true for what was never published; it does not run here.
	Draft bool
}

// Apps finds apps, their versions and their end users. Every method takes the
// tenant, except AppByKey, which finds it.
type Apps interface {
	// AppByKey returns the app of an API key. Codes: Unauthorized for a key that
	// does not exist or is of another kind, Forbidden for an app that may not be
	// called.
	AppByKey(ctx context.Context, key string) (*App, error)
	// WorkspaceByKey returns the tenant that a knowledge key opens; Unauthorized.
	WorkspaceByKey(ctx context.Context, key string) (tenantID string, err error)
	// About tells who made the app and how it is tagged.
	About(ctx context.Context, tenantID, appID string) (About, error)
	// Site returns errs.NotFound for an app without a page.
	Site(ctx context.Context, tenantID, appID string) (app.Site, error)
	// Published returns the version that runs; errs.NotFound when none was
	// published.
	Published(ctx context.Context, app *App) (*Workflow, error)
	// Version returns a published version by its id; errs.NotFound.
	Version(ctx context.Context, tenantID, appID, workflowID string) (*Workflow, error)
	// EndUser returns the app's end user with that session id and makes it when
	// there is none.
	EndUser(ctx context.Context, tenantID, appID, sessionID string, anonymous bool) (EndUser, error)
	// EndUserByID returns an end user of the app; errs.NotFound.
	EndUserByID(ctx context.Context, tenantID, appID, id string) (EndUser, error)
}

// Runs starts and shows runs. *run.Service is one.
type Runs interface {
	Start(ctx context.Context, req run.StartRequest, sink run.Sink) (*run.Result, error)
	Join(ctx context.Context, tenantID, runID string, from run.JoinFrom, sink run.Sink) (*run.Result, error)
	Stop(ctx context.Context, tenantID, runID, reason string) error
	Get(ctx context.Context, tenantID, runID string) (*run.View, error)
	Snapshot(ctx context.Context, tenantID, runID string) (*run.Snapshot, error)
	Journal(ctx context.Context, tenantID, runID string, after int64) ([]workflow.Event, error)
}

var _ Runs = (*run.Service)(nil)

// Files keeps and opens files. *file.Service is one.
type Files interface {
	For(c file.Caller) *file.Resolver
	Upload(ctx context.Context, r file.UploadRequest) (*file.Upload, error)
	Describe(u *file.Upload) file.Response
	Preview(ctx context.Context, tenantID, appID, id string) (*file.Content, error)
	Refresh(v any) any
	Signer() *file.Signer
	LimitsMB() (file, image, video, audio int64)
	MaxUpload() int64
}

var _ Files = (*file.Service)(nil)

// Models lists models. *provider.Service is one.
type Models interface {
	ModelsOfType(ctx context.Context, tenantID, modelType string) ([]provider.ProviderModelsView, error)
}

var _ Models = (*provider.Service)(nil)

// Deps is what the API is made of. All but Assistant, Logger and the numbers
// are required for Rest; ChatMessages and WorkflowRun need no History.
type Deps struct {
	Apps    Apps
	Runs    Runs
	Chats   *chat.Service
	History *history.Service
	Files   Files
	// Forms are what runs ask people; nil knows none.
	Forms *humaninput.Service
	// Models are those of workspaces; Rest needs them.
	Models Models
	// Assistant names conversations and suggests questions; nil leaves
	// conversations called after their first question and suggests nothing.
	Assistant *assist.Assistant
	Clock     clock.Clock
	Logger    *slog.Logger
	// Ping is the longest silence of a stream; 0 means 10 s.
	Ping time.Duration
	// MaxRunFiles is shown as the limit of files in one run; 0 means 10.
	MaxRunFiles int
	// Hold makes a request wait for work that it left in the background, for
	// platforms that freeze the process after an answer.
	Hold bool
}

const (
	// namingTimeout bounds what a model may take to name a conversation.
	namingTimeout = 30 * time.Second

	defaultPing        = 10 * time.Second
	defaultMaxRunFiles = 10
)

type api struct {
	Deps
	forms  forms
	render *show.Renderer
}

func newAPI(d Deps) *api {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Ping <= 0 {
		d.Ping = defaultPing
	}
	if d.MaxRunFiles <= 0 {
		d.MaxRunFiles = defaultMaxRunFiles
	}
	a := &api{Deps: d}
	if d.Files != nil {
		a.render = &show.Renderer{Signer: d.Files.Signer(), Refresh: d.Files.Refresh}
	}
	return a
}

// caller is who makes a request: an app's backend, for one of its end users.
type caller struct {
	app  *App
	user EndUser
	// body is the JSON body of routes that have one.
	body *value.Object
	// visitor is true for those who use an app on its page.
	visitor bool
}

// invokeFrom is what the contract calls the way in which a caller came.
func (c *caller) invokeFrom() string {
	if c.visitor {
		return "web-app"
	}
	return "service-api"
}

// scope restricts conversations to the caller's.
func (c *caller) scope() chat.Scope {
	return chat.Scope{TenantID: c.app.TenantID, AppID: c.app.ID, EndUserID: c.user.ID}
}
