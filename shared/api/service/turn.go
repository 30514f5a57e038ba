package service

import (
	"context"
	"net/http"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// turn is one run that a caller asked for and waits for.
type turn struct {
	caller    *caller
	form      *form
	given     *value.Object // inputs as sent
	files     []any         // references as sent
	streaming bool
	req       run.StartRequest
	view      *sse.View
	// started is called once, when the run is durable.
	started func()
	// opening is the opening statement of a new conversation.
	opening string
}

// newTurn makes the request of a run, inputs and files left open.
func (a *api) newTurn(c *caller, w *Workflow, f *form, o *options) *turn {
	runID := ids.New() // ordered by time: what is keyed by run stays together in indexes
	t := &turn{
		caller: c, form: f, given: o.inputs, files: o.files, streaming: o.streaming, started: func() {},
		req: run.StartRequest{
			TenantID: c.app.TenantID, AppID: c.app.ID, WorkflowID: w.ID, RunID: runID, Mode: c.app.Mode,
			InvokeFrom: c.invokeFrom(), Queue: catalogue.RunQueue(c.app.Plan), User: run.User{ID: c.user.ID, Role: "end_user", SessionID: c.user.SessionID},
		},
	}
	t.view = &sse.View{
		Simple: c.visitor, Truncate: c.visitor, TaskID: run.TaskID(runID), RunID: runID, WorkflowID: w.ID,
		CreatedBy: value.Obj("id", c.user.ID, "user", c.user.SessionID),
	}
	return t
}

// prepare checks what the caller gave against what the app asks for.
func (a *api) prepare(ctx context.Context, t *turn) error {
	files := a.Files.For(file.Caller{TenantID: t.caller.app.TenantID, UserID: t.caller.user.ID, Role: file.RoleEndUser})
	var err error
	if t.req.Files, err = files.ResolveAll(ctx, t.files, t.form.upload); err != nil {
		return err
	}
	checked, err := t.form.inputs.Check(t.given)
	if err != nil {
		return err
	}
	if t.req.Inputs, err = t.form.inputs.Resolve(ctx, checked, files); err != nil {
		return err
	}
	if t.opening != "" {
		t.req.Chat.Introduction = chat.FillOpening(t.opening, t.req.Inputs)
	}
	return nil
}

// execute prepares a turn, runs it and answers.
func (a *api) execute(w http.ResponseWriter, r *http.Request, t *turn) error {
	if t.streaming {
		a.stream(w, r, t)
		return nil
	}
	return a.block(w, r, t)
}

// stream answers with the run's events. A client that asked for a stream gets
// one: what goes wrong before the run exists is told as a run that failed.
func (a *api) stream(w http.ResponseWriter, r *http.Request, t *turn) {
	ctx := r.Context()
	out := sse.NewStream(w, a.Clock)
	_ = out.Ping() // a client that left is found out by the first event
	defer out.KeepAlive(a.Ping)()
	show := &shower{turn: t, out: out}
	err := a.prepare(ctx, t)
	var res *run.Result
	if err == nil {
		res, err = a.Runs.Start(ctx, t.req, show)
	}
	switch {
	case err != nil && !show.begun:
		a.logFailure(ctx, t, err)
		t.view.TaskID = t.view.RunID
		for _, body := range t.view.Stillborn(t.given, errs.Public(err).Message, a.Clock.Now()) {
			_ = out.Send("", body)
		}
	case err != nil:
		// This process cannot go on with the run; another one does.
		a.logFailure(ctx, t, err)
		a.follow(ctx, t, show)
	case res.HandedOver:
		// The platform is about to end this process. The client joins the run
		// again with the last id it has.
		a.Logger.InfoContext(ctx, "run handed over while its client listened", "run_id", t.view.RunID)
	}
}

// follow shows the rest of a run that goes on elsewhere.
func (a *api) follow(ctx context.Context, t *turn, s *shower) {
	from := run.JoinFrom{LastEventID: s.last}
	if s.last == "" {
		from.Start = true
	}
	if _, err := a.Runs.Join(ctx, t.req.TenantID, t.view.RunID, from, s); err != nil {
		a.logFailure(ctx, t, err)
	}
}

// shower shows a run to one client.
type shower struct {
	turn  *turn
	out   *sse.Stream // nil for clients that wait for the end
	begun bool
	last  string // id of the last item
	end   *workflow.Event
	// paused is set while the run waits for something outside.
	paused *workflow.RunPaused
}

// Item implements run.Sink.
func (s *shower) Item(i run.Item) error {
	t := s.turn
	if !s.begun {
		s.begun = true
		if t.view.MessageAt.IsZero() {
			t.view.MessageAt = i.Event.At
		}
		t.started()
	}
	switch i.Event.Type {
	case workflow.EventRunFinished:
		end := i.Event
		s.end, s.paused = &end, nil
	case workflow.EventRunPaused:
		s.paused = i.Event.Paused
	case workflow.EventRunStarted:
		s.paused = nil
	}
	s.last = i.ID
	if s.out == nil {
		return nil
	}
	bodies := t.view.Render(&i.Event)
	for k, body := range bodies {
		id := ""
		if k == len(bodies)-1 {
			id = i.ID // a client that misses the last one gets all of them again
		}
		if err := s.out.Send(id, body); err != nil {
			return err
		}
	}
	return nil
}

// block answers when the run is over.
func (a *api) block(w http.ResponseWriter, r *http.Request, t *turn) error {
	ctx := r.Context()
	if err := a.prepare(ctx, t); err != nil {
		return err
	}
	wait := &shower{turn: t}
	if _, err := a.Runs.Start(ctx, t.req, wait); err != nil {
		if !wait.begun {
			return err
		}
		a.logFailure(ctx, t, err)
	}
	if wait.end == nil && wait.paused == nil && ctx.Err() == nil {
		a.follow(ctx, t, wait)
	}
	if wait.paused != nil {
		if t.view.Chat {
			return edge.OK(w, t.view.BlockingChatPaused(wait.paused, t.req.Mode))
		}
		return edge.OK(w, t.view.BlockingWorkflowPaused(wait.paused))
	}
	if wait.end == nil {
		return errs.Newf(errs.GatewayTimeout, "The run %s goes on, but it takes longer than a request may.", t.view.RunID)
	}
	f := wait.end.Finished
	if !t.view.Chat {
		return edge.OK(w, t.view.BlockingWorkflow(wait.end))
	}
	if f.Status == workflow.StatusFailed {
		return errs.New(errs.InvalidParam, "Run failed: "+f.Error)
	}
	return edge.OK(w, t.view.BlockingChat(wait.end, t.req.Mode))
}

// logFailure notes errors that a client is not told about in full.
func (a *api) logFailure(ctx context.Context, t *turn, err error) {
	if errs.CodeOf(err) == errs.Internal && ctx.Err() == nil {
		a.Logger.ErrorContext(ctx, "run failed outside its graph", "run_id", t.view.RunID, "app_id", t.req.AppID, "error", err.Error())
	}
}
