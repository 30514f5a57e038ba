// Package runs is the console's edge of what Millrace adds to runs: running one
// again from a node on, or many against another version, and the journal of a
// run as a timeline.
//
// The contract has none of these routes; its own lists and details of runs are
// in package logs. Everything is for members of the run's workspace; starting
// runs is for those who may edit apps. START HERE: Routes.
package runs

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	usageroutes "github.com/millrace/millrace/shared/api/console/usage"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/run/replay"
	"github.com/millrace/millrace/shared/usage"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Apps finds apps and their versions. *app.Service is one.
type Apps interface {
	App(ctx context.Context, tenantID, id string) (app.App, error)
	Draft(ctx context.Context, tenantID, appID string) (app.Workflow, error)
	Version(ctx context.Context, tenantID, appID, id string) (app.Workflow, error)
}

// Runs replays and shows runs. *run.Service is one.
type Runs interface {
	sse.TimelineRuns
	Get(ctx context.Context, tenantID, runID string) (*run.View, error)
	Origin(ctx context.Context, tenantID, appID, runID string) (*run.View, error)
	PrepareReplay(ctx context.Context, q run.ReplayRequest) (run.StartRequest, error)
	Start(ctx context.Context, req run.StartRequest, sink run.Sink) (*run.Result, error)
	Enqueue(ctx context.Context, req run.StartRequest) error
	Compare(ctx context.Context, tenantID, runID string) (*run.Comparison, error)
	StartReplayBatch(ctx context.Context, q run.ReplayBatchRequest) (string, error)
	ReplayBatch(ctx context.Context, tenantID, appID, id string) (*run.BatchReport, error)
}

var _ Runs = (*run.Service)(nil)

// Files opens files for people. *file.Service is one.
type Files interface {
	For(c file.Caller) *file.Resolver
}

// Deps are what the routes work with; all but Logger and Ping are required.
type Deps struct {
	Apps    Apps
	Auth    *console.Auth
	Runs    Runs
	Replays replay.Store
	History *history.Service
	Files   Files
	// Usage tells what runs used of models; nil leaves it out.
	Usage  *usage.Service
	Clock  clock.Clock
	Logger *slog.Logger
	// Ping is the longest silence of a stream; 0 means 10 s.
	Ping time.Duration
}

const defaultPing = 10 * time.Second

type api struct{ Deps }

// Routes returns the table. Its routes belong to the function console-workflows.
func Routes(d Deps) []edge.Route {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Ping <= 0 {
		d.Ping = defaultPing
	}
	a := &api{d}
	const one = "/console/api/apps/{app_id:uuid}"
	editor := func(h handler) edge.Handler { return d.Auth.Session(a.withApp(h), console.CanEdit) }
	return []edge.Route{
		{Method: "POST", Path: one + "/workflow-runs/{run_id:uuid}/replay", Handler: editor(a.replay)},
		{Method: "POST", Path: one + "/workflow-runs/replay-batch", Handler: editor(a.startBatch)},
		{Method: "GET", Path: one + "/replay-batches", Handler: editor(a.batches)},
		{Method: "GET", Path: one + "/replay-batches/{batch_id:uuid}", Handler: editor(a.batch)},
		{Method: "GET", Path: "/console/api/runs/{run_id:uuid}", Handler: d.Auth.Session(a.detail)},
		{Method: "GET", Path: "/console/api/runs/{run_id:uuid}/events", Handler: d.Auth.Session(a.events)},
	}
}

type handler func(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error

func (a *api) withApp(next handler) console.Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		x, err := a.Apps.App(r.Context(), p.Tenant.ID, r.PathValue("app_id"))
		if err != nil {
			return err
		}
		return next(w, r, p, x)
	}
}

// find returns a run of one of the workspace's apps.
func (a *api) find(r *http.Request, p account.Principal) (*run.View, error) {
	v, err := a.Runs.Get(r.Context(), p.Tenant.ID, r.PathValue("run_id"))
	if err == nil {
		_, err = a.Apps.App(r.Context(), p.Tenant.ID, v.Request.AppID)
	}
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.AppNotFound) {
		return nil, errs.New(errs.NotFound, "Workflow run not found")
	}
	return v, err
}

// events shows the journal of a run to a member of its workspace.
func (a *api) events(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	v, err := a.find(r, p)
	if err != nil {
		return err
	}
	t := sse.Timeline{Runs: a.Runs, Clock: a.Clock, Ping: a.Ping, Run: v, Stream: true}
	return t.Serve(w, r)
}

// maxReplays is how many runs that were made from one its detail lists.
const maxReplays = 100

// detail shows where a run comes from and what was made from it.
func (a *api) detail(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	v, err := a.find(r, p)
	if err != nil {
		return err
	}
	ctx, q := r.Context(), &v.Request
	out := value.Obj("id", q.RunID, "task_id", run.TaskID(q.RunID), "app_id", q.AppID, "workflow_id", q.WorkflowID, "mode", q.Mode,
		"status", v.Status, "finished", v.Finished, "events", v.LastSeq, "started_at", v.StartedAt.Unix(), "origin", nil)
	o, err := a.Replays.Origin(ctx, p.Tenant.ID, q.RunID)
	switch {
	case err == nil:
		out.Set("origin", originBody(&o))
		c, err := a.Runs.Compare(ctx, p.Tenant.ID, q.RunID)
		if err != nil {
			return err
		}
		body, err := comparisonBody(c)
		if err != nil {
			return err
		}
		out.Set("comparison", body)
	case !errs.Is(err, errs.NotFound):
		return err
	}
	made, err := a.Replays.Replays(ctx, p.Tenant.ID, q.RunID, maxReplays)
	if err != nil {
		return err
	}
	list := make([]any, 0, len(made))
	for i := range made {
		list = append(list, value.Obj("run_id", made[i].RunID, "from_node", orNull(made[i].FromNode), "workflow_id", made[i].WorkflowID,
			"batch_id", orNull(made[i].BatchID), "created_at", made[i].CreatedAt.Unix()))
	}
	out.Set("replays", list)
	if a.Usage != nil {
		sums, err := a.Usage.Sums(ctx, usage.Filter{TenantID: p.Tenant.ID, AppID: q.AppID, RunID: q.RunID, GroupBy: usage.ByModel})
		if err != nil {
			return err
		}
		out.Set("usage", usageroutes.Bodies(sums, usage.ByModel))
	}
	return edge.OK(w, out)
}

func originBody(o *replay.Origin) *value.Object {
	return value.Obj("run_id", o.OriginID, "from_node", orNull(o.FromNode), "batch_id", orNull(o.BatchID), "created_at", o.CreatedAt.Unix())
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// version finds the version that a body names: a draft, one by its id, or none
// for the run's own.
func (a *api) version(ctx context.Context, p account.Principal, x app.App, name string) (app.Workflow, error) {
	switch name = strings.TrimSpace(name); name {
	case "":
		return app.Workflow{}, nil
	case "draft":
		return a.Apps.Draft(ctx, p.Tenant.ID, x.ID)
	}
	return a.Apps.Version(ctx, p.Tenant.ID, x.ID, name)
}

func userOf(p account.Principal) run.User {
	return run.User{ID: p.Account.ID, Role: "account", SessionID: p.Account.ID}
}
