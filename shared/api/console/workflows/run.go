package workflows

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/page"
	"github.com/millrace/millrace/shared/api/sse"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// runBody is what a run of a draft or of a part of it is given.
type runBody struct {
	Inputs         json.RawMessage `json:"inputs"`
	Files          json.RawMessage `json:"files"`
	Query          string          `json:"query"`
	ConversationID *string         `json:"conversation_id"`
	ParentID       *string         `json:"parent_message_id"`

	// needInputs is set where inputs must be there.
	needInputs bool

	inputs *value.Object
	files  []any
}

// Validate checks and decodes the parts.
func (b *runBody) Validate() error {
	var p edge.Problems
	if len(b.Inputs) == 0 || string(b.Inputs) == "null" {
		p.Require("inputs", !b.needInputs)
	} else {
		b.inputs = member(&p, "inputs", b.Inputs, true)
	}
	b.files = items(&p, "files", b.Files, false)
	for _, f := range b.files {
		if _, ok := f.(*value.Object); !ok {
			p.Add("files", "should be a list of objects")
			break
		}
	}
	b.Query = strings.ReplaceAll(b.Query, "\x00", "")
	for name, id := range map[string]*string{"conversation_id": b.ConversationID, "parent_message_id": b.ParentID} {
		if id == nil {
			continue
		}
		if *id = strings.TrimSpace(*id); *id != "" && !ids.Valid(*id) {
			p.Add(name, "should be a valid uuid")
		}
	}
	return p.Err()
}

// draftRun is one run of a draft that somebody waits for.
type draftRun struct {
	a    *api
	req  run.StartRequest
	view *sse.View
	// given are the inputs as sent.
	given *value.Object
	// prepare completes the request after the stream has begun; what goes wrong in
	// it is shown as a run that failed.
	prepare func(ctx context.Context) error
}

// newDraftRun makes the request of a run of the app's draft.
func (a *api) newDraftRun(p account.Principal, x app.App, draft app.Workflow, b *runBody) *draftRun {
	runID := ids.New()
	d := &draftRun{a: a, given: b.inputs, prepare: func(context.Context) error { return nil }}
	d.req = run.StartRequest{
		TenantID: p.Tenant.ID, AppID: x.ID, WorkflowID: draft.ID, RunID: runID, Mode: x.Mode,
		InvokeFrom: run.InvokeFromDebugger, TriggeredFrom: run.FromDebugging, Queue: a.RunQueue,
		User: run.User{ID: p.Account.ID, Role: "account", SessionID: p.Account.ID},
	}
	d.view = &sse.View{
		TaskID: run.TaskID(runID), RunID: runID, WorkflowID: draft.ID, Truncate: true,
		CreatedBy: value.Obj("id", p.Account.ID, "name", p.Account.Name, "email", p.Account.Email),
	}
	return d
}

// resolver checks and opens files for the account.
func (a *api) resolver(p account.Principal) *file.Resolver {
	return a.Files.For(file.Caller{TenantID: p.Tenant.ID, UserID: p.Account.ID, Role: file.RoleAccount})
}

// fill checks inputs and files against what the draft asks for.
func (d *draftRun) fill(p account.Principal, draft app.Workflow, b *runBody) {
	d.prepare = func(ctx context.Context) error {
		files := d.a.resolver(p)
		features := page.Features([]byte(draft.Features))
		var err error
		if d.req.Files, err = files.ResolveAll(ctx, b.files, file.ParseUploadConfig(features.Value("file_upload"))); err != nil {
			return err
		}
		form, err := inputs.ParseForm(draft.StartVariables())
		if err != nil {
			return errs.Wrap(errs.InvalidParam, err, "The start node is not valid.")
		}
		checked, err := form.Check(b.inputs)
		if err != nil {
			return err
		}
		if d.req.Inputs, err = form.Resolve(ctx, checked, files); err != nil {
			return err
		}
		if c := d.req.Chat; c != nil && c.NewConversation {
			c.Introduction = chat.FillOpening(features.String("opening_statement"), d.req.Inputs)
		}
		return nil
	}
}

// runDraft runs the draft of a workflow.
func (a *api) runDraft(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	b := runBody{needInputs: true}
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	draft, err := a.Apps.Draft(r.Context(), p.Tenant.ID, x.ID)
	if err != nil {
		return err
	}
	d := a.newDraftRun(p, x, draft, &b)
	d.fill(p, draft, &b)
	d.stream(w, r)
	return nil
}

// runChatDraft answers a message with the draft of a chatflow.
func (a *api) runChatDraft(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b runBody
	if err := edge.DecodeOptional(r, &b); err != nil {
		return err
	}
	ctx := r.Context()
	draft, err := a.Apps.Draft(ctx, p.Tenant.ID, x.ID)
	if err != nil {
		return err
	}
	d := a.newDraftRun(p, x, draft, &b)
	if err := d.turn(ctx, p, &b); err != nil {
		return err
	}
	d.fill(p, draft, &b)
	d.stream(w, r)
	return nil
}

// turn makes the run a turn of a conversation of the account.
func (d *draftRun) turn(ctx context.Context, p account.Principal, b *runBody) error {
	t := &run.ChatTurn{ConversationID: deref(b.ConversationID), MessageID: ids.New(), ParentMessageID: deref(b.ParentID), Query: b.Query}
	if t.ConversationID == "" {
		t.ConversationID, t.NewConversation = ids.New(), true
	} else {
		scope := chat.Scope{TenantID: p.Tenant.ID, AppID: d.req.AppID, AccountID: p.Account.ID}
		if _, err := d.a.Chats.Conversation(ctx, scope, t.ConversationID); err != nil {
			return err
		}
		kept, err := d.a.Chats.AllVariables(ctx, scope, t.ConversationID)
		if err != nil {
			return err
		}
		if t.Variables, err = run.StoredVariables(kept); err != nil {
			return err
		}
		if t.DialogueCount, err = d.depth(ctx, scope, t); err != nil {
			return err
		}
	}
	d.req.Chat = t
	d.view.Chat, d.view.ConversationID, d.view.MessageID = true, t.ConversationID, t.MessageID
	return nil
}

// maxDepth is how many messages are looked through for a thread.
const maxDepth = 500

// depth counts the messages that lead to the one that is about to be asked:
// while debugging, a conversation is a tree, and a message without a parent
// begins anew.
func (d *draftRun) depth(ctx context.Context, scope chat.Scope, t *run.ChatTurn) (int, error) {
	if t.ParentMessageID == "" {
		return 0, nil
	}
	list, _, err := d.a.Chats.Messages(ctx, scope, t.ConversationID, "", maxDepth)
	if err != nil {
		return 0, err
	}
	n, next := 0, t.ParentMessageID
	for i := len(list) - 1; i >= 0 && next != ""; i-- {
		if m := &list[i]; next == ids.Nil || m.ID == next {
			n++
			next = m.ParentMessageID
		}
	}
	return n, nil
}

// stream runs and answers with the run's events. What goes wrong before the run
// exists is shown as a run that failed.
func (d *draftRun) stream(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	out := sse.NewStream(w, d.a.Clock)
	_ = out.Ping() // a client that left is found out by the first event
	defer out.KeepAlive(d.a.ping())()
	show := &shower{view: d.view, out: out}
	err := d.prepare(ctx)
	if err == nil {
		_, err = d.a.Runs.Start(ctx, d.req, show)
	}
	if err == nil {
		return
	}
	d.a.note(ctx, d.req.RunID, err)
	if show.last != "" {
		// This process cannot go on with the run; another one does.
		if _, err := d.a.Runs.Join(ctx, d.req.TenantID, d.req.RunID, run.JoinFrom{LastEventID: show.last}, show); err != nil {
			d.a.note(ctx, d.req.RunID, err)
		}
		return
	}
	d.view.TaskID = d.view.RunID
	for _, body := range d.view.Stillborn(d.given, errs.Public(err).Message, d.a.Clock.Now()) {
		_ = out.Send("", body)
	}
}

// note logs what a client is not told in full.
func (a *api) note(ctx context.Context, runID string, err error) {
	if errs.CodeOf(err) == errs.Internal && ctx.Err() == nil {
		a.Logger.ErrorContext(ctx, "draft run failed outside its graph", "run_id", runID, "error", err.Error())
	}
}

// shower shows a run to one client.
type shower struct {
	view *sse.View
	out  *sse.Stream
	last string
}

// Item implements run.Sink.
func (s *shower) Item(i run.Item) error {
	if s.view.MessageAt.IsZero() {
		s.view.MessageAt = i.Event.At
	}
	s.last = i.ID
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

// runContainer runs one iteration or loop of the draft alone.
func (a *api) runContainer(nodeType string) handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
		var b runBody
		if err := edge.DecodeOptional(r, &b); err != nil {
			return err
		}
		ctx := r.Context()
		draft, err := a.Apps.Draft(ctx, p.Tenant.ID, x.ID)
		if err != nil {
			return err
		}
		d := a.newDraftRun(p, x, draft, &b)
		d.req.Inputs = value.NewObject(0)
		if d.req.Alone, err = a.Debug.Alone(ctx, a.nodeRequest(r, p, x, draft, &b), nodeType); err != nil {
			return err
		}
		if x.Mode == app.ModeAdvancedChat {
			if err := d.turn(ctx, p, &runBody{}); err != nil {
				return err
			}
		}
		d.stream(w, r)
		return nil
	}
}

func (a *api) nodeRequest(r *http.Request, p account.Principal, x app.App, draft app.Workflow, b *runBody) debug.NodeRequest {
	return debug.NodeRequest{
		Scope: scopeOf(p, x), WorkflowID: draft.ID, Mode: x.Mode, NodeID: r.PathValue("node_id"), Inputs: b.inputs, Query: b.Query,
		Resolver: a.resolver(p),
	}
}

// runNode runs one node of the draft and answers with its execution.
func (a *api) runNode(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	b := runBody{needInputs: true}
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	ctx := r.Context()
	draft, err := a.Apps.Draft(ctx, p.Tenant.ID, x.ID)
	if err != nil {
		return err
	}
	q := a.nodeRequest(r, p, x, draft, &b)
	features := page.Features([]byte(draft.Features))
	if q.Files, err = a.resolver(p).ResolveAll(ctx, b.files, file.ParseUploadConfig(features.Value("file_upload"))); err != nil {
		return err
	}
	done, err := a.Debug.RunNode(ctx, q)
	if err != nil {
		return err
	}
	stored, err := a.History.NodeExecution(ctx, p.Tenant.ID, x.ID, done.ID)
	if err != nil {
		return err
	}
	return edge.OK(w, a.render.NodeExecution(stored))
}

// lastRun shows the latest execution of a node of the draft.
func (a *api) lastRun(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	ctx := r.Context()
	draft, err := a.Apps.Draft(ctx, p.Tenant.ID, x.ID)
	if err != nil {
		return err
	}
	last, err := a.History.LastNodeExecution(ctx, p.Tenant.ID, x.ID, draft.ID, r.PathValue("node_id"))
	if err != nil {
		return err
	}
	return edge.OK(w, a.render.NodeExecution(last))
}

// inMode serves a route of apps of one mode.
func (a *api) inMode(mode string, next handler) console.Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		x, err := a.Apps.App(r.Context(), p.Tenant.ID, r.PathValue("app_id"))
		if err != nil {
			return err
		}
		if x.Mode != mode {
			return errs.Newf(errs.AppNotFound, "App mode is not in the supported list: {'%s'}", mode)
		}
		return next(w, r, p, x)
	}
}

func scopeOf(p account.Principal, x app.App) debug.Scope {
	return debug.Scope{TenantID: p.Tenant.ID, AppID: x.ID, AccountID: p.Account.ID}
}
