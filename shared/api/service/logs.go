package service

import (
	"net/http"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/workflow/value"
)

// runDetail shows a stored run. Its inputs are a text, as the contract has it.
func (a *api) runDetail(w http.ResponseWriter, r *http.Request, app *App) error {
	if app.Mode != modeWorkflow && app.Mode != modeAdvancedChat {
		return errs.New(errs.NotWorkflowApp, "")
	}
	id := r.PathValue("workflow_run_id")
	if !ids.Valid(id) {
		return errs.New(errs.NotFound, "Workflow run not found")
	}
	run, err := a.History.Run(r.Context(), app.TenantID, app.ID, id)
	if err != nil {
		return err
	}
	var outputs any = value.NewObject(0)
	if v, err := value.Decode(run.Outputs); err == nil && v != nil {
		outputs = v
	}
	return edge.OK(w, value.Obj(
		"id", run.ID, "workflow_id", run.WorkflowID, "status", run.Status, "inputs", string(run.Inputs), "outputs", outputs,
		"error", show.OrNull(run.Error), "total_steps", int64(run.TotalSteps), "total_tokens", run.TotalTokens,
		"created_at", run.CreatedAt.Unix(), "finished_at", show.UnixOrNull(run.FinishedAt), "elapsed_time", run.ElapsedTime,
	))
}

// logs lists what the app was called for.
func (a *api) logs(w http.ResponseWriter, r *http.Request, app *App) error {
	q := edge.NewQuery(r)
	query := history.LogQuery{
		Page: q.Int("page", 1, 1, 99999), Limit: q.Int("limit", 20, 1, 100), Keyword: q.Text("keyword"), Status: q.Text("status"),
		Before: show.Moment(q, "created_at__before"), After: show.Moment(q, "created_at__after"),
		SessionID: q.Text("created_by_end_user_session_id"), Account: q.Text("created_by_account"),
	}
	if query.Status != "" {
		q.OneOf("status", query.Status, "succeeded", "failed", "stopped")
	}
	if err := q.Err(); err != nil {
		return err
	}
	list, total, err := a.History.Logs(r.Context(), app.TenantID, app.ID, query)
	if err != nil {
		return err
	}
	return edge.OK(w, edge.NewPage(query.Page, query.Limit, total, show.Each(list, show.Log)))
}
