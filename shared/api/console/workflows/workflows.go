// Package workflows is the console's edge of app graphs: drafts, their
// variables, publishing, and versions. It has the routes of the function
// console-workflows.
//
// It decides nothing about workflows, that is package app. Running drafts and
// single nodes has no routes here, so that a router answers 501 for them.
//
// START HERE: Routes.
package workflows

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
)

// Deps are what the routes work with.
type Deps struct {
	// Apps answers. Required.
	Apps *app.Service
	// Auth finds out who calls. Required.
	Auth *console.Auth
}

type api struct{ Deps }

// Routes returns the table of the function console-workflows.
func Routes(d *Deps) []edge.Route {
	a := &api{*d}
	const base = "/console/api/apps/{app_id:uuid}/workflows"
	edit := func(method, path string, h handler) edge.Route {
		return edge.Route{Method: method, Path: base + path, Handler: d.Auth.Session(a.withApp(h), console.CanEdit)}
	}
	return []edge.Route{
		edit("GET", "/draft", a.draft),
		edit("POST", "/draft", a.sync),
		edit("GET", "/draft/environment-variables", a.environment),
		edit("POST", "/draft/environment-variables", a.setEnvironment),
		edit("POST", "/draft/conversation-variables", a.setConversation),
		edit("POST", "/draft/features", a.setFeatures),
		edit("GET", "/draft/system-variables", a.leftBehind("sys")),
		edit("GET", "/draft/conversation-variables", a.leftBehind("conversation")),
		edit("GET", "/draft/variables", a.allLeftBehind),

		edit("GET", "/publish", a.published),
		edit("POST", "/publish", a.publish),
		edit("GET", "", a.versions),
		edit("PATCH", "/{workflow_id:uuid}", a.mark),
		edit("DELETE", "/{workflow_id:uuid}", a.remove),
		edit("POST", "/{workflow_id:uuid}/restore", a.restore),
	}
}

type handler func(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error

// withApp finds the app that the path names; it must be defined by a graph.
func (a *api) withApp(next handler) console.Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		x, err := a.Apps.App(r.Context(), p.Tenant.ID, r.PathValue("app_id"))
		if err != nil {
			return err
		}
		if !x.HasWorkflow() {
			return errs.New(errs.AppNotFound, "App mode is not in the supported list: {'advanced-chat', 'workflow'}")
		}
		return next(w, r, p, x)
	}
}

func actor(p account.Principal) app.Actor {
	return app.Actor{TenantID: p.Tenant.ID, AccountID: p.Account.ID, Language: p.Account.Language}
}

func (a *api) draft(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	draft, err := a.Apps.Draft(r.Context(), p.Tenant.ID, x.ID)
	if err != nil {
		return err
	}
	return a.answer(w, r, draft)
}

// readSync reads the body of a sync: JSON, or JSON declared as text, which is
// all that a page being closed can send.
func readSync(r *http.Request, b *syncBody) error {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "text/plain" {
		return edge.Decode(r, b)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return errs.Wrap(errs.BadRequest, err, "")
	}
	return edge.DecodeBytes(data, b)
}

func (a *api) sync(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b syncBody
	if err := readSync(r, &b); err != nil {
		return err
	}
	draft, err := a.Apps.SyncDraft(r.Context(), actor(p), x, app.DraftChange{
		Graph: b.graph, Features: b.features, Conversation: b.conversation,
		EnvironmentPatch: b.patch, EnvironmentDeleted: b.deleted, Hash: b.hash, Force: b.collaborative,
	})
	if err != nil {
		return err
	}
	return answerSync(w, draft)
}

func answerSync(w http.ResponseWriter, draft app.Workflow) error {
	return edge.OK(w, map[string]any{
		"result": "success", "hash": app.GraphHash(draft.Graph), "updated_at": draft.UpdatedAt.Unix(),
	})
}

func (a *api) environment(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	draft, err := a.Apps.Draft(r.Context(), p.Tenant.ID, x.ID)
	if err != nil {
		return err
	}
	list, err := a.Apps.PlainEnvironment(r.Context(), draft)
	if err != nil {
		return err
	}
	items := make([]map[string]any, len(list))
	for i, v := range list {
		items[i] = map[string]any{
			"id": v.ID, "type": "env", "name": v.Name, "description": v.Description, "selector": []string{"env", v.Name},
			"value_type": v.ShownType(), "value": v.Value, "edited": false, "visible": true, "editable": true,
		}
	}
	return edge.OK(w, map[string]any{"items": items})
}

func (a *api) setEnvironment(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b environmentBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	change := app.DraftChange{Environment: b.list}
	if b.patch {
		change = app.DraftChange{EnvironmentPatch: b.list, EnvironmentDeleted: b.deleted}
	}
	if _, err := a.Apps.EditDraft(r.Context(), actor(p), x, change); err != nil {
		return err
	}
	return edge.Success(w, http.StatusOK)
}

func (a *api) setConversation(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b conversationBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if _, err := a.Apps.EditDraft(r.Context(), actor(p), x, app.DraftChange{Conversation: b.list}); err != nil {
		return err
	}
	return edge.Success(w, http.StatusOK)
}

func (a *api) setFeatures(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b featuresBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if _, err := a.Apps.EditDraft(r.Context(), actor(p), x, app.DraftChange{Features: b.features}); err != nil {
		return err
	}
	return edge.Success(w, http.StatusOK)
}

func viewLeft(v app.DraftVariable) map[string]any {
	kind := "node"
	if v.NodeID == "sys" || v.NodeID == "conversation" {
		kind = v.NodeID
	}
	return map[string]any{
		"id": v.ID, "type": kind, "name": v.Name, "description": v.Description, "selector": v.Selector,
		"value_type": v.ValueType, "edited": v.Edited, "visible": v.Visible, "is_truncated": false,
	}
}

// leftBehind lists what runs of the draft left behind in one namespace.
func (a *api) leftBehind(node string) handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
		list, err := a.Apps.DraftVariables(r.Context(), p.Tenant.ID, x.ID, p.Account.ID, node)
		if err != nil {
			return err
		}
		items := make([]map[string]any, len(list))
		for i, v := range list {
			items[i] = viewLeft(v)
			items[i]["value"], items[i]["full_content"] = v.Value, nil
		}
		return edge.OK(w, map[string]any{"items": items})
	}
}

func (a *api) allLeftBehind(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	q := edge.NewQuery(r)
	page, limit := q.Int("page", 1, 1, 100000), q.Int("limit", 20, 1, 100)
	if err := q.Err(); err != nil {
		return err
	}
	list, err := a.Apps.DraftVariables(r.Context(), p.Tenant.ID, x.ID, p.Account.ID, "")
	if err != nil {
		return err
	}
	from := min((page-1)*limit, len(list))
	items := []map[string]any{}
	for _, v := range list[from:min(from+limit, len(list))] {
		items = append(items, viewLeft(v))
	}
	return edge.OK(w, map[string]any{"items": items, "total": len(list)})
}

func (a *api) published(w http.ResponseWriter, r *http.Request, _ account.Principal, x app.App) error {
	version, err := a.Apps.Published(r.Context(), x)
	if errs.Is(err, errs.NotFound) {
		return edge.OK(w, nil)
	}
	if err != nil {
		return err
	}
	return a.answer(w, r, version)
}

func (a *api) publish(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b markBody
	if err := edge.DecodeOptional(r, &b); err != nil {
		return err
	}
	version, err := a.Apps.Publish(r.Context(), actor(p), x, deref(b.Name), deref(b.Comment))
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"result": "success", "created_at": version.CreatedAt.Unix()})
}

func (a *api) versions(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	q := edge.NewQuery(r)
	f := app.VersionFilter{
		Page: q.Int("page", 1, 1, 99999), Limit: q.Int("limit", 10, 1, 100),
		NamedOnly: q.Bool("named_only", false), CreatedBy: q.Text("user_id"),
	}
	if err := q.Err(); err != nil {
		return err
	}
	if f.CreatedBy != "" && f.CreatedBy != p.Account.ID {
		return console.Forbidden()
	}
	list, more, err := a.Apps.Versions(r.Context(), p.Tenant.ID, x.ID, f)
	if err != nil {
		return err
	}
	items, err := a.views(r, list...)
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"items": items, "page": f.Page, "limit": f.Limit, "has_more": more})
}

func (a *api) mark(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b markBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if b.Name == nil && b.Comment == nil {
		return errs.New(errs.InvalidParam, "No valid fields to update")
	}
	version, err := a.Apps.MarkVersion(r.Context(), actor(p), x.ID, r.PathValue("workflow_id"), b.Name, b.Comment)
	if err != nil {
		return err
	}
	return a.answer(w, r, version)
}

func (a *api) remove(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	if err := a.Apps.DeleteVersion(r.Context(), p.Tenant.ID, x, r.PathValue("workflow_id")); err != nil {
		return err
	}
	return edge.NoContent(w)
}

func (a *api) restore(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	draft, err := a.Apps.RestoreVersion(r.Context(), actor(p), x, r.PathValue("workflow_id"))
	if err != nil {
		return err
	}
	return answerSync(w, draft)
}

func deref(p *string) string {
	if p == nil {
		return ""
	}
	return strings.TrimSpace(*p)
}
