// Package logs is the console's edge of what apps did: conversations with their
// messages, the log of workflow runs, single runs and the executions of their
// nodes.
//
// It reads; starting and stopping runs from the console, annotations and
// feedback of editors have no routes here, so that a router answers 501 for
// them. Who calls comes from Deps.Auth.
//
// START HERE: Routes.
package logs

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Handler serves a route for a signed-in member of a workspace.
type Handler = func(w http.ResponseWriter, r *http.Request, p account.Principal) error

// Apps finds the apps of a workspace. *app.Service is one.
type Apps interface {
	App(ctx context.Context, tenantID, id string) (app.App, error)
	Published(ctx context.Context, a app.App) (app.Workflow, error)
}

// Files gives files in stored values new URLs. *file.Service is one.
type Files interface{ Refresh(v any) any }

// Deps are what the routes work with; all but Forms are required.
type Deps struct {
	Apps    Apps
	Chats   *chat.Service
	History *history.Service
	Files   Files
	Signer  show.Signer
	Clock   clock.Clock
	// Forms are what runs asked people; nil knows none.
	Forms show.Forms
	// Auth lets members of a workspace in and says who they are.
	Auth func(next Handler) edge.Handler
}

type api struct {
	Deps
	render *show.Renderer
}

// Routes returns the table. Its routes belong to the function console-apps.
func Routes(d Deps) []edge.Route {
	a := &api{Deps: d, render: &show.Renderer{Signer: d.Signer, Refresh: d.Files.Refresh}}
	const one = "/console/api/apps/{app_id:uuid}"
	chats := []string{app.ModeChat, app.ModeAgentChat, app.ModeAdvancedChat, app.ModeAgent}
	flows := []string{app.ModeWorkflow, app.ModeAdvancedChat}
	return []edge.Route{
		{Method: "GET", Path: one + "/chat-conversations", Handler: a.of(chats, editors(a.conversations))},
		{Method: "GET", Path: one + "/chat-conversations/{conversation_id:uuid}", Handler: a.of(chats, editors(a.conversation))},
		{Method: "DELETE", Path: one + "/chat-conversations/{conversation_id:uuid}", Handler: a.of(chats, editors(a.deleteConversation))},
		{Method: "GET", Path: one + "/conversation-variables", Handler: a.of([]string{app.ModeAdvancedChat}, a.variables)},
		{Method: "GET", Path: one + "/chat-messages", Handler: a.of(chats, editors(a.messages))},
		{Method: "GET", Path: one + "/messages/{message_id:uuid}", Handler: a.of(nil, a.message)},
		{Method: "GET", Path: one + "/workflow-app-logs", Handler: a.of([]string{app.ModeWorkflow}, a.logs)},
		{Method: "GET", Path: one + "/workflow-runs", Handler: a.of(flows, a.runs(show.RunOfWorkflow))},
		{Method: "GET", Path: one + "/advanced-chat/workflow-runs", Handler: a.of([]string{app.ModeAdvancedChat}, a.runs(show.Run))},
		{Method: "GET", Path: one + "/workflow-runs/count", Handler: a.of(flows, a.countRuns)},
		{Method: "GET", Path: one + "/advanced-chat/workflow-runs/count", Handler: a.of([]string{app.ModeAdvancedChat}, a.countRuns)},
		{Method: "GET", Path: one + "/workflow-runs/{run_id:uuid}", Handler: a.of(flows, a.run)},
		{Method: "GET", Path: one + "/workflow-runs/{run_id:uuid}/node-executions", Handler: a.of(flows, a.nodeExecutions)},
	}
}

// call is a request of a member about one app.
type call struct {
	account.Principal
	app app.App
}

func (c *call) scope() chat.Scope { return chat.Scope{TenantID: c.Tenant.ID, AppID: c.app.ID} }

type appHandler func(w http.ResponseWriter, r *http.Request, c *call) error

// of serves a route about an app of the caller's workspace; modes nil means
// apps of every mode.
func (a *api) of(modes []string, h appHandler) edge.Handler {
	return a.Auth(func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		x, err := a.Apps.App(r.Context(), p.Tenant.ID, r.PathValue("app_id"))
		if err == nil && modes != nil && !slices.Contains(modes, x.Mode) {
			err = errs.New(errs.NotFound, "")
		}
		if errs.Is(err, errs.NotFound) {
			return errs.New(errs.AppNotFound, "")
		}
		if err != nil {
			return err
		}
		return h(w, r, &call{p, x})
	})
}

func editors(h appHandler) appHandler {
	return func(w http.ResponseWriter, r *http.Request, c *call) error {
		if !c.Role.CanEdit() {
			return errs.New(errs.Forbidden, "")
		}
		return h(w, r, c)
	}
}

// minutes is how the console's lists take times, in the caller's time zone.
const minutes = "2006-01-02 15:04"

func localMoment(q *edge.Query, name, zone string) *time.Time {
	t := show.Moment(q, name, minutes)
	loc, err := time.LoadLocation(zone)
	if t == nil || err != nil {
		return t
	}
	local := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc).UTC()
	return &local
}

func (a *api) conversations(w http.ResponseWriter, r *http.Request, c *call) error {
	q := edge.NewQuery(r)
	query := chat.ConsoleQuery{
		Page: q.Int("page", 1, 1, 99999), Limit: q.Int("limit", 20, 1, 100), Keyword: q.Text("keyword"),
		Start: localMoment(q, "start", c.Account.Timezone), End: localMoment(q, "end", c.Account.Timezone), SortBy: "-updated_at",
	}
	if s := q.Text("sort_by"); s != "" {
		query.SortBy = s
		q.OneOf("sort_by", s, "created_at", "-created_at", "updated_at", "-updated_at")
	}
	switch s := q.Text("annotation_status"); s {
	case "", "all":
	case "annotated", "not_annotated":
		annotated := s == "annotated"
		query.Annotated = &annotated
	default:
		q.Add("annotation_status", "should be one of annotated, not_annotated, all")
	}
	if err := q.Err(); err != nil {
		return err
	}
	list, total, err := a.Chats.ConsoleConversations(r.Context(), c.scope(), query)
	if err != nil {
		return err
	}
	return edge.OK(w, edge.NewPage(query.Page, query.Limit, total, show.Each(list, show.ConsoleConversation)))
}

// conversation shows one and notes that somebody has read it.
func (a *api) conversation(w http.ResponseWriter, r *http.Request, c *call) error {
	ctx := r.Context()
	one, err := a.Chats.ConsoleConversation(ctx, c.scope(), r.PathValue("conversation_id"), c.Account.ID)
	if err != nil {
		return err
	}
	var features *value.Object
	published, err := a.Apps.Published(ctx, c.app)
	switch {
	case err == nil:
		features = published.FeatureSet()
	case !errs.Is(err, errs.NotFound):
		return err
	}
	return edge.OK(w, show.ConversationDetail(one, features))
}

func (a *api) deleteConversation(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := a.Chats.Delete(r.Context(), c.scope(), r.PathValue("conversation_id")); err != nil {
		return err
	}
	return edge.NoContent(w)
}

// maxVariables is how many variables of a conversation the console is shown.
const maxVariables = 100

// variables shows what a conversation keeps, all on one page.
func (a *api) variables(w http.ResponseWriter, r *http.Request, c *call) error {
	q := edge.NewQuery(r)
	conversationID := show.QueryID(q, "conversation_id", true)
	if err := q.Err(); err != nil {
		return err
	}
	list, err := a.Chats.AllVariables(r.Context(), c.scope(), conversationID)
	if err != nil {
		return err
	}
	list = list[:min(len(list), maxVariables)]
	return edge.OK(w, value.Obj("page", int64(1), "limit", int64(maxVariables), "total", int64(len(list)), "has_more", false,
		"data", show.Each(list, show.ConversationVariable)))
}

func (a *api) messages(w http.ResponseWriter, r *http.Request, c *call) error {
	q := edge.NewQuery(r)
	conversationID, first := show.QueryID(q, "conversation_id", true), show.QueryID(q, "first_id", false)
	limit := q.Int("limit", 20, 1, 100)
	if err := q.Err(); err != nil {
		return err
	}
	list, more, err := a.Chats.Messages(r.Context(), c.scope(), conversationID, first, limit)
	if err != nil {
		return err
	}
	if err := a.addForms(r, c, list); err != nil {
		return err
	}
	return edge.OK(w, show.NewScroll(limit, more, list, a.render.ConsoleMessage))
}

func (a *api) message(w http.ResponseWriter, r *http.Request, c *call) error {
	m, err := a.Chats.Message(r.Context(), c.scope(), r.PathValue("message_id"))
	if err != nil {
		return err
	}
	list := []chat.Message{m}
	if err := a.addForms(r, c, list); err != nil {
		return err
	}
	return edge.OK(w, a.render.ConsoleMessage(list[0]))
}

// addForms adds to messages what their runs have asked people.
func (a *api) addForms(r *http.Request, c *call, list []chat.Message) error {
	if a.Forms == nil {
		return nil
	}
	s := c.scope()
	return show.AddForms(r.Context(), a.Forms, s.TenantID, s.AppID, list)
}

func (a *api) logs(w http.ResponseWriter, r *http.Request, c *call) error {
	q := edge.NewQuery(r)
	query := history.LogQuery{
		Page: q.Int("page", 1, 1, 99999), Limit: q.Int("limit", 20, 1, 100), Keyword: q.Text("keyword"), Status: q.Text("status"),
		Before: show.Moment(q, "created_at__before"), After: show.Moment(q, "created_at__after"),
		SessionID: q.Text("created_by_end_user_session_id"), Account: q.Text("created_by_account"),
	}
	if query.Status != "" {
		q.OneOf("status", query.Status, "scheduled", "running", "succeeded", "failed", "stopped", "partial-succeeded", "paused")
	}
	if err := q.Err(); err != nil {
		return err
	}
	list, total, err := a.History.Logs(r.Context(), c.Tenant.ID, c.app.ID, query)
	if err != nil {
		return err
	}
	return edge.OK(w, edge.NewPage(query.Page, query.Limit, total, show.Each(list, show.Log)))
}

// runs lists runs of one origin, those of debugging when none is named.
func (a *api) runs(render func(history.Run) *value.Object) appHandler {
	return func(w http.ResponseWriter, r *http.Request, c *call) error {
		q := edge.NewQuery(r)
		query := history.RunQuery{
			LastID: show.QueryID(q, "last_id", false), Limit: q.Int("limit", 20, 1, 100), Status: q.Text("status"),
			TriggeredFrom: []string{"debugging"},
		}
		if query.Status != "" {
			q.OneOf("status", query.Status, runStatuses()...)
		}
		if from := q.Text("triggered_from"); from != "" {
			q.OneOf("triggered_from", from, "debugging", "app-run")
			query.TriggeredFrom = []string{from}
		}
		if err := q.Err(); err != nil {
			return err
		}
		list, more, err := a.History.Runs(r.Context(), c.Tenant.ID, c.app.ID, query)
		if err != nil {
			return err
		}
		return edge.OK(w, show.NewScroll(query.Limit, more, list, render))
	}
}

// runStatuses are what runs can be filtered by.
func runStatuses() []string {
	return []string{"running", "succeeded", "failed", "stopped", "partial-succeeded"}
}

// countRuns counts runs of one origin by status, those of debugging when none is
// named.
func (a *api) countRuns(w http.ResponseWriter, r *http.Request, c *call) error {
	q := edge.NewQuery(r)
	query := history.CountQuery{TriggeredFrom: "debugging", Status: q.Text("status")}
	if query.Status != "" {
		q.OneOf("status", query.Status, runStatuses()...)
	}
	if from := q.Text("triggered_from"); from != "" {
		q.OneOf("triggered_from", from, "debugging", "app-run")
		query.TriggeredFrom = from
	}
	if span := q.Text("time_range"); span != "" {
		d, ok := timeRange(span)
		if !ok {
			q.Add("time_range", "should be a number followed by d, h, m or s")
		}
		since := a.Clock.Now().UTC().Add(-d)
		query.Since = &since
	}
	if err := q.Err(); err != nil {
		return err
	}
	counts, err := a.History.CountRuns(r.Context(), c.Tenant.ID, c.app.ID, query)
	if err != nil {
		return err
	}
	out, total := map[string]any{}, 0
	for _, n := range counts {
		total += n
	}
	for _, s := range runStatuses() {
		out[strings.ReplaceAll(s, "-", "_")] = counts[s]
	}
	out["total"] = total
	return edge.OK(w, out)
}

// maxRange keeps spans within what a duration can hold.
const maxRange = 36500

// timeRange reads a span like 7d, 4h, 30m or 30s.
func timeRange(s string) (time.Duration, bool) {
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if unit == 0 || err != nil || n < 0 || time.Duration(n) > maxRange*24*time.Hour/unit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

func (a *api) run(w http.ResponseWriter, r *http.Request, c *call) error {
	run, err := a.History.Run(r.Context(), c.Tenant.ID, c.app.ID, r.PathValue("run_id"))
	if err != nil {
		return err
	}
	return edge.OK(w, a.render.RunDetail(run))
}

func (a *api) nodeExecutions(w http.ResponseWriter, r *http.Request, c *call) error {
	list, err := a.History.NodeExecutions(r.Context(), c.Tenant.ID, c.app.ID, r.PathValue("run_id"))
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"data": show.Each(list, a.render.NodeExecution)})
}
