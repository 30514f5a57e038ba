package runs

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The ways in which a replay is answered.
const (
	modeStreaming = "streaming"
	modeBlocking  = "blocking"
	modeNone      = "none" // the run's id at once
)

// replayBody is what a replay is asked with.
type replayBody struct {
	FromNode     string          `json:"from_node"`
	Inputs       json.RawMessage `json:"inputs"`
	Version      string          `json:"version"`
	ResponseMode string          `json:"response_mode"`

	inputs *value.Object
}

// Validate checks and decodes the parts.
func (b *replayBody) Validate() error {
	var p edge.Problems
	if b.ResponseMode == "" {
		b.ResponseMode = modeStreaming
	}
	p.OneOf("response_mode", b.ResponseMode, modeStreaming, modeBlocking, modeNone)
	checkVersion(&p, b.Version)
	if len(b.Inputs) > 0 && string(b.Inputs) != "null" {
		v, err := value.Decode(b.Inputs)
		o, ok := v.(*value.Object)
		if err != nil || !ok {
			p.Add("inputs", "should be an object")
		}
		b.inputs = o
	}
	return p.Err()
}

func checkVersion(p *edge.Problems, version string) {
	if version != "" && version != "draft" && !ids.Valid(version) {
		p.Add("version", `should be "draft" or the id of a version`)
	}
}

// replay makes a run from another one and shows it.
func (a *api) replay(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b replayBody
	if err := edge.DecodeOptional(r, &b); err != nil {
		return err
	}
	ctx := r.Context()
	from, err := a.Runs.Origin(ctx, p.Tenant.ID, x.ID, r.PathValue("run_id"))
	if err != nil {
		return err
	}
	v, err := a.version(ctx, p, x, b.Version)
	if err != nil {
		return err
	}
	q := run.ReplayRequest{
		TenantID: p.Tenant.ID, AppID: x.ID, OriginID: from.Request.RunID, FromNode: b.FromNode, WorkflowID: v.ID, User: userOf(p),
	}
	if b.inputs != nil {
		if q.Inputs, err = a.edited(ctx, p, x, &v, &from.Request, b.inputs); err != nil {
			return err
		}
	}
	req, err := a.Runs.PrepareReplay(ctx, q)
	if err != nil {
		return err
	}
	switch b.ResponseMode {
	case modeNone:
		if err := a.Runs.Enqueue(ctx, req); err != nil {
			return err
		}
		return edge.JSON(w, http.StatusAccepted, value.Obj("workflow_run_id", req.RunID, "task_id", run.TaskID(req.RunID), "origin_run_id", q.OriginID))
	case modeBlocking:
		return a.block(w, r, &req)
	}
	a.stream(w, r, p, &req)
	return nil
}

// edited lays what was given over the inputs of the origin and checks it against
// the version that will run. Files that are not edited have been checked before.
func (a *api) edited(ctx context.Context, p account.Principal, x app.App, v *app.Workflow, from *run.StartRequest, given *value.Object) (*value.Object, error) {
	if v.ID == "" {
		own, err := a.ownVersion(ctx, p, x, from.WorkflowID)
		if err != nil {
			return nil, err
		}
		v = own
	}
	form, err := inputs.ParseForm(v.StartVariables())
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "The start node is not valid.")
	}
	kept := value.NewObject(4)
	all := value.NewObject(4)
	if from.Inputs != nil {
		for k, old := range from.Inputs.All() {
			if _, ok := given.Get(k); ok {
				continue
			}
			if hasFiles(old) {
				kept.Set(k, old)
				continue
			}
			all.Set(k, old)
		}
	}
	for k, now := range given.All() {
		all.Set(k, now)
	}
	for i := len(form.Variables) - 1; i >= 0; i-- {
		if _, ok := kept.Get(form.Variables[i].Name); ok {
			form.Variables = append(form.Variables[:i:i], form.Variables[i+1:]...)
		}
	}
	checked, err := form.Check(all)
	if err != nil {
		return nil, err
	}
	files := a.Files.For(file.Caller{TenantID: p.Tenant.ID, UserID: p.Account.ID, Role: file.RoleAccount})
	out, err := form.Resolve(ctx, checked, files)
	if err != nil {
		return nil, err
	}
	for k, f := range kept.All() {
		out.Set(k, f)
	}
	return out, nil
}

// ownVersion finds the version that a run was one of, which may be the draft.
func (a *api) ownVersion(ctx context.Context, p account.Principal, x app.App, id string) (*app.Workflow, error) {
	v, err := a.Apps.Version(ctx, p.Tenant.ID, x.ID, id)
	if err == nil {
		return &v, nil
	}
	d, draftErr := a.Apps.Draft(ctx, p.Tenant.ID, x.ID)
	if draftErr == nil && d.ID == id {
		return &d, nil
	}
	return nil, err
}

func hasFiles(v any) bool {
	switch v := v.(type) {
	case *value.File:
		return true
	case []any:
		return len(v) > 0 && hasFiles(v[0])
	}
	return false
}

// shower shows a run to one client.
type shower struct {
	view *sse.View
	out  *sse.Stream // nil for clients that wait for the end
	last string
	end  *workflow.Event
}

// Item implements run.Sink.
func (s *shower) Item(i run.Item) error {
	s.last = i.ID
	if i.Event.Terminal() {
		end := i.Event
		s.end = &end
	}
	if s.out == nil {
		return nil
	}
	bodies := s.view.Render(&i.Event)
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

func viewOf(p account.Principal, req *run.StartRequest) *sse.View {
	v := &sse.View{TaskID: run.TaskID(req.RunID), RunID: req.RunID, WorkflowID: req.WorkflowID, Truncate: true}
	v.CreatedBy = value.Obj("id", p.Account.ID, "name", p.Account.Name, "email", p.Account.Email)
	return v
}

// stream runs and answers with the run's events, the way runs of drafts do.
func (a *api) stream(w http.ResponseWriter, r *http.Request, p account.Principal, req *run.StartRequest) {
	ctx := r.Context()
	out := sse.NewStream(w, a.Clock)
	_ = out.Ping() // a client that left is found out by the first event
	defer out.KeepAlive(a.Ping)()
	s := &shower{view: viewOf(p, req), out: out}
	_, err := a.Runs.Start(ctx, *req, s)
	if err == nil {
		return
	}
	a.note(ctx, req.RunID, err)
	if s.last != "" { // some other process goes on with it
		if _, err := a.Runs.Join(ctx, req.TenantID, req.RunID, run.JoinFrom{LastEventID: s.last}, s); err != nil {
			a.note(ctx, req.RunID, err)
		}
		return
	}
	s.view.TaskID = s.view.RunID
	for _, body := range s.view.Stillborn(req.Inputs, errs.Public(err).Message, a.Clock.Now()) {
		_ = out.Send("", body)
	}
}

// block runs and answers with the new run beside the one that it was made from.
func (a *api) block(w http.ResponseWriter, r *http.Request, req *run.StartRequest) error {
	ctx := r.Context()
	res, err := a.Runs.Start(ctx, *req, nil)
	if err != nil {
		return err
	}
	if res.Finished == nil && res.Paused == nil {
		return errs.Newf(errs.GatewayTimeout, "The run %s goes on, but it takes longer than a request may.", req.RunID)
	}
	c, err := a.Runs.Compare(ctx, req.TenantID, req.RunID)
	if err != nil {
		return err
	}
	body, err := comparisonBody(c)
	if err != nil {
		return err
	}
	return edge.OK(w, value.Obj("workflow_run_id", req.RunID, "task_id", run.TaskID(req.RunID), "origin_run_id", req.Replay.OriginID, "comparison", body))
}

func (a *api) note(ctx context.Context, runID string, err error) {
	if errs.CodeOf(err) == errs.Internal && ctx.Err() == nil {
		a.Logger.ErrorContext(ctx, "replay failed outside its graph", "run_id", runID, "error", err.Error())
	}
}

// batchBody is what a batch is asked with.
type batchBody struct {
	Last     int    `json:"last"`
	Version  string `json:"version"`
	FromNode string `json:"from_node"`
}

// Validate checks the parts.
func (b *batchBody) Validate() error {
	var p edge.Problems
	if b.Version == "" {
		b.Version = "draft"
	}
	if b.Last < 1 || b.Last > run.MaxReplays {
		p.Add("last", "should be between 1 and 100")
	}
	checkVersion(&p, b.Version)
	return p.Err()
}

// startBatch runs the latest finished runs of the app's users again.
func (a *api) startBatch(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b batchBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if x.Mode != app.ModeWorkflow {
		return errs.New(errs.NotImplemented, "Only runs of workflows can be replayed; a turn of a chat depends on its conversation.")
	}
	ctx := r.Context()
	v, err := a.version(ctx, p, x, b.Version)
	if err != nil {
		return err
	}
	origins, err := a.latest(ctx, p.Tenant.ID, x.ID, b.Last)
	if err != nil {
		return err
	}
	if len(origins) == 0 {
		return errs.New(errs.InvalidParam, "The app has no finished runs.")
	}
	id, err := a.Runs.StartReplayBatch(ctx, run.ReplayBatchRequest{
		TenantID: p.Tenant.ID, AppID: x.ID, Origins: origins, WorkflowID: v.ID, FromNode: b.FromNode, User: userOf(p),
	})
	if err != nil {
		return err
	}
	return edge.JSON(w, http.StatusAccepted, value.Obj("id", id, "runs", int64(len(origins)), "version", b.Version))
}

// latest are the last finished runs that were no debugging, newest first.
func (a *api) latest(ctx context.Context, tenantID, appID string, n int) ([]string, error) {
	const pageSize, pages = 100, 5 // those that are not over are passed over
	q := history.RunQuery{TriggeredFrom: []string{"app-run"}, Limit: pageSize}
	var out []string
	for range pages {
		list, more, err := a.History.Runs(ctx, tenantID, appID, q)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if list[i].FinishedAt == nil {
				continue
			}
			if out = append(out, list[i].ID); len(out) == n {
				return out, nil
			}
		}
		if !more || len(list) == 0 {
			break
		}
		q.LastID = list[len(list)-1].ID
	}
	return out, nil
}

// batch reports on a batch.
func (a *api) batch(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	rep, err := a.Runs.ReplayBatch(r.Context(), p.Tenant.ID, x.ID, r.PathValue("batch_id"))
	if err != nil {
		return err
	}
	list := make([]any, len(rep.Runs))
	for i := range rep.Runs {
		if list[i], err = comparisonBody(&rep.Runs[i]); err != nil {
			return err
		}
	}
	b := &rep.Batch
	return edge.OK(w, value.Obj("id", b.ID, "app_id", b.AppID, "workflow_id", b.WorkflowID, "from_node", orNull(b.FromNode),
		"created_at", b.CreatedAt.Unix(), "done", rep.Done, "total", int64(len(rep.Runs)), "same", int64(rep.Same),
		"different", int64(rep.Different), "refused", int64(rep.Refused), "open", int64(rep.Open), "runs", list))
}

// maxBatches is how many batches of an app are listed.
const maxBatches = 50

// batches lists the batches of the app.
func (a *api) batches(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	list, err := a.Replays.Batches(r.Context(), p.Tenant.ID, x.ID, maxBatches)
	if err != nil {
		return err
	}
	out := make([]any, len(list))
	for i := range list {
		b := &list[i]
		out[i] = value.Obj("id", b.ID, "workflow_id", b.WorkflowID, "from_node", orNull(b.FromNode), "created_at", b.CreatedAt.Unix(), "created_by", b.CreatedBy)
	}
	return edge.OK(w, value.Obj("data", out))
}

// comparisonBody keeps the order of outputs and the kinds of numbers.
func comparisonBody(c *run.Comparison) (*value.Object, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	v, err := value.Decode(raw)
	if err != nil {
		return nil, err
	}
	o, _ := v.(*value.Object)
	return o, nil
}
