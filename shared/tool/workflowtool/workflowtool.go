// Package workflowtool makes workflows callable by other workflows: an app is
// published as a tool, and calling the tool runs a version of the app as a
// durable run of its own.
//
// Published tools are described and kept here (publish.go, describe.go, Store);
// Runtime calls them (invoke.go). That a called run survives its caller's
// process, and ends with its caller, is package run's matter: see run.Call.
// START HERE: Service for what the console does, Runtime for what nodes do.
package workflowtool

import (
	"context"
	"time"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/tool/driver"
)

// Published is an app that is published as a tool.
type Published struct {
	ID, TenantID, AppID string
	// UserID is the account that published it.
	UserID      string
	Name, Label string
	Description string
	Icon        Icon
	Parameters  []Parameter
	Privacy     string
	// Version is the app's version that calls run; "" means the newest.
	Version              string
	Labels               []string
	CreatedAt, UpdatedAt time.Time
}

// Icon is a character on a background.
type Icon struct {
	Background string `json:"background"`
	Content    string `json:"content"`
}

// Parameter says how a variable of the start node is filled in.
type Parameter struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Form        driver.Form `json:"form"`
}

// Store keeps published tools. Every method works inside one workspace; what
// belongs to another is NotFound. The suite is workflowtooltest.
type Store interface {
	// Add stores a tool with its labels. Codes: Conflict when the workspace has
	// one of that name or app.
	Add(ctx context.Context, p Published) error
	// Update stores a tool's fields and labels. Codes: NotFound, Conflict.
	Update(ctx context.Context, p Published) error
	// Delete removes a tool and its labels. Codes: NotFound.
	Delete(ctx context.Context, tenantID, id string) error
	// Tool returns a tool. Codes: NotFound.
	Tool(ctx context.Context, tenantID, id string) (Published, error)
	// OfApp returns an app's tool. Codes: NotFound.
	OfApp(ctx context.Context, tenantID, appID string) (Published, error)
	// Named returns the tool of a name. Codes: NotFound.
	Named(ctx context.Context, tenantID, name string) (Published, error)
	// Tools lists a workspace's tools, oldest first.
	Tools(ctx context.Context, tenantID string) ([]Published, error)
	// Version returns the id of an app's version of that name, "" for the app's
	// current one. Codes: NotFound.
	Version(ctx context.Context, tenantID, appID, version string) (string, error)
}

// Apps knows the apps; *app.Service is one.
type Apps interface {
	App(ctx context.Context, tenantID, id string) (app.App, error)
	Published(ctx context.Context, a app.App) (app.Workflow, error)
	Version(ctx context.Context, tenantID, appID, id string) (app.Workflow, error)
	Authors(ctx context.Context, ids ...string) (map[string]app.Author, error)
}

// Deps are what a Service works with. All are required.
type Deps struct {
	Store Store
	Apps  Apps
	Clock clock.Clock
}

// Service publishes apps as tools and describes them.
type Service struct{ Deps }

// New returns a Service.
func New(d Deps) *Service { return &Service{d} }
