package workflows

import (
	"context"
	"net/http"
	"regexp"
	"strconv"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow/value"
)

// findRun finds a run of the workspace by its run or task id.
func (a *api) findRun(ctx context.Context, tenantID, id string) (*run.View, error) {
	other := run.TaskID(id)
	for _, runID := range []string{other, id} {
		if run.TaskID(runID) == "" {
			continue
		}
		v, err := a.Runs.Get(ctx, tenantID, runID)
		if err == nil || !errs.Is(err, errs.NotFound) {
			return v, err
		}
	}
	return nil, errs.New(errs.NotFound, "Workflow run not found")
}

// stop stops a run of the app. The answer never tells whether there was one.
func (a *api) stop(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	ctx := r.Context()
	v, err := a.findRun(ctx, p.Tenant.ID, r.PathValue("task_id"))
	switch {
	case errs.Is(err, errs.NotFound):
	case err != nil:
		return err
	case v.Request.AppID == x.ID && !v.Finished:
		err := a.Runs.Stop(ctx, p.Tenant.ID, v.Request.RunID, run.StopReasonUser)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return edge.Success(w, http.StatusOK)
}

// eventID matches the ids of events: the place in the journal, and behind it
// what of the text that is not journalled yet was shown.
var eventID = regexp.MustCompile(`^(\d{1,18})(\.\d{1,18}){0,3}$`)

// events shows a run of the caller again: from the last event that the client
// has, after what has become of it so far (include_state_snapshot), or from now on. Of a finished
// run the end is left.
func (a *api) events(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	ctx := r.Context()
	q := edge.NewQuery(r)
	snapshot, stay := q.Bool("include_state_snapshot", false), q.Bool("continue_on_pause", false)
	if err := q.Err(); err != nil {
		return err
	}
	v, err := a.findRun(ctx, p.Tenant.ID, r.PathValue("workflow_run_id"))
	if err != nil {
		return err
	}
	if v.Request.User.ID != p.Account.ID {
		return errs.New(errs.NotFound, "Workflow run not found")
	}
	from := run.JoinFrom{LastEventID: r.Header.Get("Last-Event-ID"), Pauses: stay}
	if from.LastEventID == "" {
		from.LastEventID = q.Text("last_event_id")
	}
	view := a.viewOf(p, v)
	switch {
	case from.LastEventID != "":
		m := eventID.FindStringSubmatch(from.LastEventID)
		if m == nil {
			return errs.Newf(errs.InvalidParam, "%q is not an event id of this run", from.LastEventID)
		}
		if seq, err := strconv.ParseInt(m[1], 10, 64); err != nil || seq > v.LastSeq {
			return errs.Newf(errs.InvalidParam, "%q is not an event id of this run", from.LastEventID)
		}
	case v.Finished:
		view.TaskID = view.RunID // as the contract shows runs that are over
	}
	var past *run.Snapshot
	if snapshot && from.LastEventID == "" && !v.Finished {
		if past, err = a.Runs.Snapshot(ctx, p.Tenant.ID, v.Request.RunID); err != nil {
			return err
		}
	}
	out := sse.NewStream(w, a.Clock)
	_ = out.Ping() // a client that left is found out by the first event
	defer out.KeepAlive(a.ping())()
	if past != nil && !sendSnapshot(out, view, past) {
		return nil
	}
	if past != nil {
		from.LastEventID = past.LastEventID
	}
	if _, err := a.Runs.Join(ctx, p.Tenant.ID, v.Request.RunID, from, &shower{view: view, out: out}); err != nil {
		a.note(ctx, v.Request.RunID, err)
	}
	return nil
}

// sendSnapshot shows what has become of a run so far; false when the client has
// left.
func sendSnapshot(out *sse.Stream, view *sse.View, past *run.Snapshot) bool {
	bodies := view.RenderSnapshot(past)
	for i, body := range bodies {
		id := ""
		switch i {
		case len(bodies) - 1:
			id = past.LastEventID
		case 0:
			id = "0" // who is cut off within the snapshot gets every event
		}
		if out.Send(id, body) != nil {
			return false
		}
	}
	return true
}

func (a *api) viewOf(p account.Principal, v *run.View) *sse.View {
	q := &v.Request
	view := &sse.View{
		TaskID: run.TaskID(q.RunID), RunID: q.RunID, WorkflowID: q.WorkflowID, Truncate: true,
		CreatedBy: value.Obj("id", p.Account.ID, "name", p.Account.Name, "email", p.Account.Email),
	}
	if q.Chat != nil {
		view.Chat, view.ConversationID, view.MessageID, view.MessageAt = true, q.Chat.ConversationID, q.Chat.MessageID, v.StartedAt
	}
	return view
}
