package identity

import (
	"context"
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/clock"
)

// Deps are what the routes work with.
type Deps struct {
	// Accounts answers. Required.
	Accounts *account.Service
	// Auth knows who calls and sets cookies. Required.
	Auth *console.Auth
	// SecretKey signs the proof that the setup's password was given. Required
	// when there is one.
	SecretKey string
	// Avatar returns the URL of a picture that a workspace has uploaded, NotFound
	// when it has not. Nil means that there are no such pictures.
	Avatar func(ctx context.Context, tenantID, fileID string) (string, error)
	// Clock is nil for the machine's.
	Clock clock.Clock
}

type api struct{ Deps }

// Routes returns the table of the function console-identity.
func Routes(d *Deps) []edge.Route {
	a := &api{*d}
	if a.Clock == nil {
		a.Clock = clock.System{}
	}
	const root = "/console/api"
	open := func(method, path string, h edge.Handler) edge.Route {
		return edge.Route{Method: method, Path: root + path, Handler: h}
	}
	member := func(method, path string, h console.Handler) edge.Route {
		return open(method, path, d.Auth.Session(h))
	}
	return []edge.Route{
		open(http.MethodGet, "/setup", bootstrap(a.setupStatus)),
		open(http.MethodPost, "/setup", bootstrap(a.setup)),
		open(http.MethodGet, "/init", bootstrap(a.initStatus)),
		open(http.MethodPost, "/init", bootstrap(a.init)),
		open(http.MethodGet, "/ping", bootstrap(ping)),
		open(http.MethodGet, "/version", bootstrap(version)),

		open(http.MethodPost, "/login", d.Auth.Setup(a.login)),
		open(http.MethodPost, "/logout", d.Auth.Setup(a.logout)),
		open(http.MethodPost, "/refresh-token", a.refresh),
		open(http.MethodGet, "/system-features", systemFeatures),
		member(http.MethodGet, "/features", features),

		member(http.MethodGet, "/account/profile", a.profile),
		member(http.MethodGet, "/account/avatar", a.avatarURL),
		member(http.MethodPost, "/account/avatar", a.change(func() change { return &avatarBody{} })),
		member(http.MethodPost, "/account/name", a.change(func() change { return &nameBody{} })),
		member(http.MethodPost, "/account/interface-language", a.change(func() change { return &languageBody{} })),
		member(http.MethodPost, "/account/interface-theme", a.change(func() change { return &themeBody{} })),
		member(http.MethodPost, "/account/timezone", a.change(func() change { return &timezoneBody{} })),
		member(http.MethodPost, "/account/password", a.password),

		member(http.MethodGet, "/workspaces", a.workspaces),
		member(http.MethodPost, "/workspaces/switch", a.switchWorkspace),
		member(http.MethodPost, "/workspaces/info", a.renameWorkspace),
		member(http.MethodGet, "/workspaces/current/summary", summary),
		member(http.MethodGet, "/workspaces/current/members", a.members(nil)),
		member(http.MethodGet, "/workspaces/current/dataset-operators", a.members(isDatasetOperator)),
	}
}
