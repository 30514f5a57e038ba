package service

import (
	"context"
	"net/http"
	"regexp"
	"strconv"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow/value"
)

// runWorkflow runs the published version, or the one in the path.
func (a *api) runWorkflow(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needWorkflow(c.app); err != nil {
		return err
	}
	var p edge.Problems
	o := readOptions(c.body, &p)
	if err := p.Err(); err != nil {
		return err
	}
	version, f, err := a.version(r.Context(), c.app, r.PathValue("workflow_id"))
	if err != nil {
		return err
	}
	t := a.newTurn(c, version, f, o)
	t.req.CreatedFrom = c.invokeFrom()
	return a.execute(w, r, t)
}

// stopWorkflow stops a run of the app, whoever started it.
func (a *api) stopWorkflow(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needWorkflow(c.app); err != nil {
		return err
	}
	return a.stop(w, r, c, func(*run.View) bool { return true })
}

// stop stops the run of the path's task if the caller may. The answer never
// tells whether there was one.
func (a *api) stop(w http.ResponseWriter, r *http.Request, c *caller, allowed func(*run.View) bool) error {
	v, err := a.findRun(r.Context(), c, r.PathValue("task_id"))
	switch {
	case errs.Is(err, errs.NotFound):
	case err != nil:
		return err
	case allowed(v) && !v.Finished:
		err := a.Runs.Stop(r.Context(), c.app.TenantID, v.Request.RunID, run.StopReasonUser)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return edge.Success(w, http.StatusOK)
}

// findRun finds a run of the caller's app by its run or task id.
func (a *api) findRun(ctx context.Context, c *caller, id string) (*run.View, error) {
	missing := errs.New(errs.NotFound, "Workflow run not found")
	other := run.TaskID(id)
	if other == "" {
		return nil, missing
	}
	for _, runID := range []string{other, id} {
		v, err := a.Runs.Get(ctx, c.app.TenantID, runID)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return nil, err
		}
		if err == nil && v.Request.AppID == c.app.ID {
			return v, nil
		}
	}
	return nil, missing
}

// events shows a run again: from the last event that the client has, from its
// start (include_state_snapshot), or from now on. Of a finished run the end is
// left.
func (a *api) events(w http.ResponseWriter, r *http.Request, c *caller) error {
	if c.app.Mode != modeWorkflow && c.app.Mode != modeAdvancedChat {
		return errs.New(errs.NotWorkflowApp, "")
	}
	q := edge.NewQuery(r)
	snapshot := q.Bool("include_state_snapshot", false)
	pauses := q.Bool("continue_on_pause", false)
	if err := q.Err(); err != nil {
		return err
	}
	v, err := a.findRun(r.Context(), c, r.PathValue("task_id"))
	if err == nil && v.Request.User.ID != c.user.ID {
		err = errs.New(errs.NotFound, "Workflow run not found")
	}
	if c.visitor && errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "WorkflowRun not found, id="+r.PathValue("task_id"))
	}
	if err != nil {
		return err
	}
	if sse.AsksForTimeline(r) {
		return a.showTimeline(w, r, v, false)
	}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = q.Text("last_event_id")
	}
	t := &turn{caller: c, req: v.Request, started: func() {}, view: viewOf(v)}
	t.view.Simple, t.view.Truncate = c.visitor, c.visitor
	from := run.JoinFrom{LastEventID: last, Pauses: pauses}
	switch {
	case last != "":
		if err := checkEventID(last, v); err != nil {
			return err
		}
	case v.Finished:
		t.view.TaskID = t.view.RunID // as the contract shows runs that are over
	case snapshot:
		s, err := a.Runs.Snapshot(r.Context(), t.req.TenantID, t.req.RunID)
		if err != nil {
			return err
		}
		a.join(w, r, t, from, s)
		return nil
	}
	a.join(w, r, t, from, nil)
	return nil
}

// join streams a run from a position, or from what a snapshot shows on.
func (a *api) join(w http.ResponseWriter, r *http.Request, t *turn, from run.JoinFrom, s *run.Snapshot) {
	out := sse.NewStream(w, a.Clock)
	_ = out.Ping() // a client that left is found out by the first event
	defer out.KeepAlive(a.Ping)()
	if s != nil {
		from.LastEventID = s.LastEventID
		bodies := t.view.RenderSnapshot(s)
		for i, body := range bodies {
			id := ""
			switch i {
			case len(bodies) - 1:
				id = s.LastEventID
			case 0:
				id = "0" // who is cut off within the snapshot gets every event
			}
			if out.Send(id, body) != nil {
				return
			}
		}
	}
	if _, err := a.Runs.Join(r.Context(), t.req.TenantID, t.req.RunID, from, &shower{turn: t, out: out}); err != nil {
		a.logFailure(r.Context(), t, err)
	}
}

// eventID matches the ids of events: the place in the journal, and behind it
// what of the text that is not journalled yet was shown.
var eventID = regexp.MustCompile(`^(\d{1,18})(\.\d{1,18}){0,3}$`)

// checkEventID refuses what is no id of an event that the run has had.
func checkEventID(id string, v *run.View) error {
	if m := eventID.FindStringSubmatch(id); m != nil {
		if seq, err := strconv.ParseInt(m[1], 10, 64); err == nil && seq <= v.LastSeq {
			return nil
		}
	}
	return errs.Newf(errs.InvalidParam, "%q is not an event id of this run", id)
}

// viewOf is how the owner of a run sees it.
func viewOf(v *run.View) *sse.View {
	q := &v.Request
	view := &sse.View{
		TaskID: run.TaskID(q.RunID), RunID: q.RunID, WorkflowID: q.WorkflowID,
		CreatedBy: value.Obj("id", q.User.ID, "user", q.User.SessionID),
	}
	if q.Chat != nil {
		view.Chat, view.ConversationID, view.MessageID, view.MessageAt = true, q.Chat.ConversationID, q.Chat.MessageID, v.StartedAt
	}
	return view
}
