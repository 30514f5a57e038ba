// Package tools is the console's edge of tools: the lists of providers, the
// tools and icons of built-in providers, and workflows that are published as
// tools.
//
// It decides nothing about tools, that is shared/tool and
// shared/tool/workflowtool. Credentials, API and MCP providers have no routes
// here, so that a router answers 501 for them. START HERE: Routes.
package tools

import (
	"context"
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/workflowtool"
)

// Handler serves a route for a signed-in member of a workspace.
type Handler = console.Handler

// Deps are what the routes work with. Tools, Workflows and Auth are required.
type Deps struct {
	Tools     *tool.Service
	Workflows *workflowtool.Service
	// Auth lets members of a workspace in and says who they are.
	Auth func(next Handler) edge.Handler
	// ConsoleURL is where the console API is reached, without /console/api.
	ConsoleURL string
}

type api struct{ Deps }

const current = "/console/api/workspaces/current"

// Routes returns the table.
func Routes(d *Deps) []edge.Route {
	a := &api{*d}
	const workflow = current + "/tool-provider/workflow"
	const builtin = current + "/tool-provider/builtin/{provider:path}"
	member := func(method, path string, h Handler) edge.Route {
		return edge.Route{Method: method, Path: path, Handler: d.Auth(h)}
	}
	admin := func(method, path string, h Handler) edge.Route {
		return member(method, path, func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
			if err := console.CanManage(p); err != nil {
				return err
			}
			return h(w, r, p)
		})
	}
	return []edge.Route{
		member(http.MethodGet, current+"/tool-labels", labels),
		member(http.MethodGet, current+"/tool-providers", a.providers),
		member(http.MethodGet, current+"/tools/builtin", a.list(driver.Builtin)),
		member(http.MethodGet, current+"/tools/workflow", a.list(driver.Workflow)),
		member(http.MethodGet, current+"/tools/api", a.list(driver.API)),
		member(http.MethodGet, current+"/tools/mcp", a.list(driver.MCP)),

		member(http.MethodGet, builtin+"/tools", a.builtinTools),
		member(http.MethodGet, builtin+"/info", a.builtinInfo),
		{Method: http.MethodGet, Path: builtin + "/icon", Handler: a.builtinIcon},

		admin(http.MethodPost, workflow+"/create", a.create),
		admin(http.MethodPost, workflow+"/update", a.update),
		admin(http.MethodPost, workflow+"/delete", a.remove),
		member(http.MethodGet, workflow+"/get", a.get),
		member(http.MethodGet, workflow+"/tools", a.workflowTools),
	}
}

// list shows the providers of one type.
func (a *api) list(t driver.ProviderType) Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		out, err := a.ofType(r.Context(), p.Tenant.ID, t)
		if err != nil {
			return err
		}
		return edge.OK(w, out)
	}
}

func (a *api) ofType(ctx context.Context, tenantID string, t driver.ProviderType) ([]providerView, error) {
	list, err := a.Tools.Providers(ctx, tenantID, t)
	if err != nil {
		return nil, err
	}
	out := make([]providerView, len(list))
	for i, p := range list {
		out[i] = a.provider(p)
	}
	return out, nil
}

// providers shows the providers of every type that there is here.
func (a *api) providers(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	only := q.Text("type")
	if only != "" {
		q.OneOf("type", only, "api", "builtin", "mcp", "model", "workflow")
	}
	if err := q.Err(); err != nil {
		return err
	}
	out := []providerView{}
	for _, t := range []driver.ProviderType{driver.Builtin, driver.API, driver.Workflow, driver.MCP} {
		if only != "" && only != string(t) {
			continue
		}
		list, err := a.ofType(r.Context(), p.Tenant.ID, t)
		if errs.Is(err, errs.NotImplemented) && only == "" {
			continue
		}
		if err != nil {
			return err
		}
		out = append(out, list...)
	}
	return edge.OK(w, out)
}

func (a *api) builtinTools(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	found, err := a.Tools.Provider(r.Context(), p.Tenant.ID, driver.Builtin, r.PathValue("provider"))
	if err != nil {
		return err
	}
	return edge.OK(w, toolViews(found))
}

// builtinInfo is about credentials that somebody has added to a provider; none
// of the built-in ones takes any.
func (a *api) builtinInfo(_ http.ResponseWriter, r *http.Request, _ account.Principal) error {
	return errs.Newf(errs.InvalidParam, "you have not added provider %s", r.PathValue("provider"))
}

// iconAge is how long browsers keep an icon, in seconds.
const iconAge = "max-age=86400"

func (a *api) builtinIcon(w http.ResponseWriter, r *http.Request) error {
	p, err := a.Tools.Provider(r.Context(), "", driver.Builtin, r.PathValue("provider"))
	if err != nil {
		return err
	}
	if len(p.Icon.Data) == 0 {
		return errs.New(errs.NotFound, "The provider has no icon.")
	}
	w.Header().Set("Content-Type", p.Icon.MIMEType)
	w.Header().Set("Cache-Control", iconAge)
	_, err = w.Write(p.Icon.Data)
	return err
}
