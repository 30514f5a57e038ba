// Package apps is the console's edge of apps: making, listing, changing,
// copying and deleting them, their documents (import, export), their site and
// their keys. It has the routes of the function console-apps.
//
// It decides nothing about apps, that is package app; drafts and versions have
// their own package, console/workflows.
//
// START HERE: Routes.
package apps

import (
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
)

// Deps are what the routes work with.
type Deps struct {
	// Apps answers. Required.
	Apps *app.Service
	// Auth finds out who calls. Required.
	Auth *console.Auth
	// ServiceURL and WebURL are the public addresses of the service API and of
	// sites; "" means the address that was asked.
	ServiceURL, WebURL string
}

type api struct{ Deps }

// Routes returns the table of the function console-apps.
func Routes(d *Deps) []edge.Route {
	a := &api{*d}
	const base = "/console/api"
	const one = base + "/apps/{app_id:uuid}"
	member := func(method, path string, h console.Handler, checks ...console.Check) edge.Route {
		return edge.Route{Method: method, Path: path, Handler: d.Auth.Session(h, checks...)}
	}
	edit := func(method, path string, h console.Handler) edge.Route {
		return member(method, path, h, console.CanEdit)
	}
	manage := func(method, path string, h console.Handler) edge.Route {
		return member(method, path, h, console.CanManage)
	}
	return []edge.Route{
		member("GET", base+"/apps", a.list),
		edit("POST", base+"/apps", a.create),
		member("GET", one, a.withApp(a.get)),
		edit("PUT", one, a.withApp(a.update)),
		edit("DELETE", one, a.withApp(a.remove)),
		edit("POST", one+"/name", a.withApp(a.rename)),
		edit("POST", one+"/icon", a.withApp(a.changeIcon)),
		edit("POST", one+"/site-enable", a.withApp(a.enableSite)),
		manage("POST", one+"/api-enable", a.withApp(a.enableAPI)),
		member("GET", one+"/trace", a.withApp(a.trace)),
		edit("POST", one+"/trace", a.withApp(a.changeTrace)),

		edit("POST", one+"/copy", a.withApp(a.copyApp)),
		edit("GET", one+"/export", a.withApp(a.export)),
		edit("POST", base+"/apps/imports", a.importApp),
		edit("POST", base+"/apps/imports/{import_id}/confirm", a.confirmImport),
		edit("GET", base+"/apps/imports/{app_id:uuid}/check-dependencies", a.withApp(a.checkDependencies)),

		edit("POST", one+"/site", a.withApp(a.updateSite)),
		manage("POST", one+"/site/access-token-reset", a.withApp(a.resetSite)),

		member("GET", one+"/api-keys", a.withApp(a.listKeys)),
		edit("POST", one+"/api-keys", a.withApp(a.createKey)),
		manage("DELETE", one+"/api-keys/{api_key_id:uuid}", a.withApp(a.deleteKey)),
		manage("GET", base+"/datasets/api-keys", a.listDatasetKeys),
		manage("POST", base+"/datasets/api-keys", a.createDatasetKey),
		manage("DELETE", base+"/datasets/api-keys/{api_key_id:uuid}", a.deleteDatasetKey),
	}
}

// appHandler serves a route of one app.
type appHandler func(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error

// withApp finds the app that the path names.
func (a *api) withApp(next appHandler) console.Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		x, err := a.Apps.App(r.Context(), p.Tenant.ID, r.PathValue("app_id"))
		if err != nil {
			return err
		}
		return next(w, r, p, x)
	}
}

func actor(p account.Principal) app.Actor {
	return app.Actor{TenantID: p.Tenant.ID, AccountID: p.Account.ID, Language: p.Account.Language}
}

func (a *api) list(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	f := app.Filter{
		Page: q.Int("page", 1, 1, 99999), Limit: q.Int("limit", 20, 1, 100),
		Mode: q.Text("mode"), Name: q.Text("name"), Sort: q.Text("sort_by"),
		Creators: values(r, "creator_ids"), Tags: values(r, "tag_ids"),
	}
	if f.Mode != "" {
		q.OneOf("mode", f.Mode, "all", app.ModeAdvancedChat, app.ModeAgent, app.ModeAgentChat, app.ModeChannel, app.ModeChat,
			app.ModeCompletion, app.ModeWorkflow)
	}
	if q.Bool("is_created_by_me", false) {
		f.Creators = []string{p.Account.ID}
	}
	if err := q.Err(); err != nil {
		return err
	}
	list, total, err := a.Apps.Apps(r.Context(), p.Tenant.ID, f)
	if err != nil {
		return err
	}
	out, err := a.partials(r, p, list)
	if err != nil {
		return err
	}
	return edge.OK(w, edge.NewPage(f.Page, f.Limit, total, out))
}

// values reads a list parameter: repeated, with an index, or comma-separated.
func values(r *http.Request, name string) (out []string) {
	for key, list := range r.URL.Query() {
		if key != name && !strings.HasPrefix(key, name+"[") {
			continue
		}
		for _, v := range list {
			for part := range strings.SplitSeq(v, ",") {
				if part = strings.TrimSpace(part); part != "" {
					out = append(out, part)
				}
			}
		}
	}
	return out
}

func (a *api) create(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b createBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	x, err := a.Apps.Create(r.Context(), actor(p), app.NewApp{
		Name: *b.Name, Description: deref(b.Description), Mode: *b.Mode,
		IconType: deref(b.IconType), Icon: deref(b.Icon), IconBackground: deref(b.IconBackground),
	})
	if err != nil {
		return err
	}
	return a.answerFull(w, r, http.StatusCreated, x, allKeys())
}

func (a *api) get(w http.ResponseWriter, r *http.Request, _ account.Principal, x app.App) error {
	return a.answerFull(w, r, http.StatusOK, x, allKeys())
}

func (a *api) update(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b updateBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	x, err := a.Apps.Update(r.Context(), actor(p), x.ID, func(x *app.App) {
		x.Name, x.Description = *b.Name, deref(b.Description)
		if b.IconType != nil {
			x.IconType = *b.IconType
		}
		x.Icon, x.IconBackground = deref(b.Icon), deref(b.IconBackground)
		if b.UseIconAsAnswerIcon != nil {
			x.UseIconAsAnswerIcon = *b.UseIconAsAnswerIcon
		}
		limit := 0
		if b.MaxActiveRequests != nil {
			limit = *b.MaxActiveRequests
		}
		x.MaxActiveRequests = &limit
	})
	if err != nil {
		return err
	}
	return a.answerFull(w, r, http.StatusOK, x, []string{})
}

func (a *api) remove(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	if err := a.Apps.Delete(r.Context(), p.Tenant.ID, x.ID); err != nil {
		return err
	}
	return edge.NoContent(w)
}

func (a *api) change(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App, change func(*app.App)) error {
	x, err := a.Apps.Update(r.Context(), actor(p), x.ID, change)
	if err != nil {
		return err
	}
	v, err := a.detail(r, x, []string{})
	if err != nil {
		return err
	}
	return edge.OK(w, v)
}

func (a *api) rename(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b nameBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	return a.change(w, r, p, x, func(x *app.App) { x.Name = *b.Name })
}

func (a *api) changeIcon(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b iconBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	return a.change(w, r, p, x, func(x *app.App) {
		x.Icon, x.IconBackground = deref(b.Icon), deref(b.IconBackground)
		if b.IconType != nil {
			x.IconType = *b.IconType
		}
	})
}

// flag decodes a body with one required boolean.
func flag(r *http.Request, field string) (bool, error) {
	var b map[string]any
	if err := edge.Decode(r, &b); err != nil {
		return false, err
	}
	on, ok := b[field].(bool)
	var p edge.Problems
	p.Require(field, ok)
	return on, p.Err()
}

func (a *api) enableSite(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	on, err := flag(r, "enable_site")
	if err != nil {
		return err
	}
	return a.change(w, r, p, x, func(x *app.App) { x.EnableSite = on })
}

func (a *api) enableAPI(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	on, err := flag(r, "enable_api")
	if err != nil {
		return err
	}
	return a.change(w, r, p, x, func(x *app.App) { x.EnableAPI = on })
}

func (a *api) export(w http.ResponseWriter, r *http.Request, _ account.Principal, x app.App) error {
	q := edge.NewQuery(r)
	o := app.ExportOptions{Secrets: q.Bool("include_secret", false), WorkflowID: q.Text("workflow_id")}
	if err := q.Err(); err != nil {
		return err
	}
	text, err := a.Apps.Export(r.Context(), x, o)
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]string{"data": text})
}

func (a *api) copyApp(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b copyBody
	if err := edge.DecodeOptional(r, &b); err != nil {
		return err
	}
	res, err := a.Apps.Copy(r.Context(), actor(p), x, app.ImportRequest{
		Name: b.Name, Description: b.Description, IconType: b.IconType, Icon: b.Icon, IconBackground: b.IconBackground,
	})
	if err != nil {
		return err
	}
	if res.AppID == nil {
		return answerImport(w, res)
	}
	made, err := a.Apps.App(r.Context(), p.Tenant.ID, *res.AppID)
	if err != nil {
		return err
	}
	return a.answerFull(w, r, http.StatusCreated, made, allKeys())
}

func (a *api) importApp(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b importBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	res, err := a.Apps.Import(r.Context(), actor(p), app.ImportRequest{
		Mode: *b.Mode, Content: deref(b.Content), URL: deref(b.URL), Name: b.Name, Description: b.Description,
		IconType: b.IconType, Icon: b.Icon, IconBackground: b.IconBackground, AppID: deref(b.AppID),
	})
	if err != nil {
		return err
	}
	return answerImport(w, res)
}

func (a *api) confirmImport(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	res, err := a.Apps.ConfirmImport(r.Context(), actor(p), r.PathValue("import_id"))
	if err != nil {
		return err
	}
	return answerImport(w, res)
}

func (a *api) checkDependencies(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	missing, err := a.Apps.MissingDependencies(r.Context(), p.Tenant.ID, x.ID)
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"leaked_dependencies": missing})
}
