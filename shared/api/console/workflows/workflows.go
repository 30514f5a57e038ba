// Package workflows is the console's edge of app graphs: drafts, their
// variables, publishing, versions, and debugging: runs of drafts, of single
// nodes and containers, and what they leave behind. It has the routes of the
// function console-workflows.
//
// It decides nothing about workflows, that is package app; about debugging,
// that is package debug; or about runs, that is package run.
//
// START HERE: Routes.
package workflows

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/history"
)

// Deps are what the routes work with.
type Deps struct {
	// Apps answers. Required.
	Apps *app.Service
	// Auth finds out who calls. Required.
	Auth *console.Auth
	// What follows is for debugging drafts; all but Ping and RunQueue are required.
	Debug   *debug.Service
	Runs    Runs
	History *history.Service
	Chats   *chat.Service
	Files   Files
	Clock   clock.Clock
	Logger  *slog.Logger
	// Ping is the longest silence of a stream; 0 means 10 s.
	Ping time.Duration
	// RunQueue is where runs of drafts continue; "" means the run service's queue.
	RunQueue string
}

// Runs starts and shows runs. *run.Service is one.
type Runs interface {
	Start(ctx context.Context, req run.StartRequest, sink run.Sink) (*run.Result, error)
	Join(ctx context.Context, tenantID, runID string, from run.JoinFrom, sink run.Sink) (*run.Result, error)
	Stop(ctx context.Context, tenantID, runID, reason string) error
	Get(ctx context.Context, tenantID, runID string) (*run.View, error)
	Snapshot(ctx context.Context, tenantID, runID string) (*run.Snapshot, error)
}

// Files opens files for people. *file.Service is one.
type Files interface {
	For(c file.Caller) *file.Resolver
	Refresh(v any) any
	Signer() *file.Signer
}

type api struct {
	Deps
	render *show.Renderer
}

// defaultPing is the longest silence of a stream.
const defaultPing = 10 * time.Second

func (a *api) ping() time.Duration {
	if a.Ping > 0 {
		return a.Ping
	}
	return defaultPing
}

// Routes returns the table of the function console-workflows.
func Routes(d *Deps) []edge.Route {
	a := &api{Deps: *d}
	if d.Files != nil {
		a.render = &show.Renderer{Signer: d.Files.Signer(), Refresh: d.Files.Refresh}
	}
	const one = "/console/api/apps/{app_id:uuid}"
	const base, chatBase = one + "/workflows", one + "/advanced-chat/workflows"
	edit := func(method, path string, h handler) edge.Route {
		return edge.Route{Method: method, Path: base + path, Handler: d.Auth.Session(a.withApp(h), console.CanEdit)}
	}
	editIn := func(method, path, mode string, h handler) edge.Route {
		return edge.Route{Method: method, Path: path, Handler: d.Auth.Session(a.inMode(mode, h), console.CanEdit)}
	}
	return []edge.Route{
		edit("GET", "/draft", a.draft),
		edit("POST", "/draft", a.sync),
		edit("GET", "/draft/environment-variables", a.environment),
		edit("POST", "/draft/environment-variables", a.setEnvironment),
		edit("POST", "/draft/conversation-variables", a.setConversation),
		edit("POST", "/draft/features", a.setFeatures),
		edit("GET", "/draft/system-variables", a.systemVariables),
		edit("GET", "/draft/conversation-variables", a.conversationVariables),
		edit("GET", "/draft/variables", a.allVariables),
		edit("DELETE", "/draft/variables", a.deleteVariables),
		edit("GET", "/draft/variables/{variable_id:uuid}", a.variable),
		edit("PATCH", "/draft/variables/{variable_id:uuid}", a.editVariable),
		edit("DELETE", "/draft/variables/{variable_id:uuid}", a.deleteVariable),
		edit("PUT", "/draft/variables/{variable_id:uuid}/reset", a.resetVariable),
		edit("GET", "/draft/nodes/{node_id}/variables", a.nodeVariables),
		edit("DELETE", "/draft/nodes/{node_id}/variables", a.deleteNodeVariables),
		edit("POST", "/draft/nodes/{node_id}/run", a.runNode),
		{Method: "GET", Path: base + "/draft/nodes/{node_id}/last-run", Handler: d.Auth.Session(a.withApp(a.lastRun))},

		editIn("POST", base+"/draft/run", app.ModeWorkflow, a.runDraft),
		editIn("POST", chatBase+"/draft/run", app.ModeAdvancedChat, a.runChatDraft),
		editIn("POST", base+"/draft/iteration/nodes/{node_id}/run", app.ModeWorkflow, a.runContainer("iteration")),
		editIn("POST", chatBase+"/draft/iteration/nodes/{node_id}/run", app.ModeAdvancedChat, a.runContainer("iteration")),
		editIn("POST", base+"/draft/loop/nodes/{node_id}/run", app.ModeWorkflow, a.runContainer("loop")),
		editIn("POST", chatBase+"/draft/loop/nodes/{node_id}/run", app.ModeAdvancedChat, a.runContainer("loop")),
		{Method: "GET", Path: "/console/api/workflow/{workflow_run_id}/events", Handler: d.Auth.Session(a.events)},

		edit("GET", "/publish", a.published),
		edit("POST", "/publish", a.publish),
		edit("GET", "", a.versions),
		edit("PATCH", "/{workflow_id:uuid}", a.mark),
		edit("DELETE", "/{workflow_id:uuid}", a.remove),
		edit("POST", "/{workflow_id:uuid}/restore", a.restore),
	}
}

// StopRoute stops runs of an app. It lies beside the lists of runs and belongs to
// the function console-apps; it needs Apps, Auth and Runs only.
func StopRoute(d *Deps) edge.Route {
	a := &api{Deps: *d}
	return edge.Route{
		Method: "POST", Path: "/console/api/apps/{app_id:uuid}/workflow-runs/tasks/{task_id}/stop",
		Handler: d.Auth.Session(a.withApp(a.stop), console.CanEdit),
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
