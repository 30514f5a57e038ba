// Package usage is the console's edge of metering: what apps used of models,
// and the budgets of apps and workspaces.
//
// The contract has none of these routes. Sums are for all members of the
// workspace, by user for those who may edit apps; budgets are shown to members
// and changed by owner and admins. START HERE: Routes.
package usage

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/usage"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Apps finds the apps of a workspace. *app.Service is one.
type Apps interface {
	App(ctx context.Context, tenantID, id string) (app.App, error)
}

// Deps are what the routes work with; all are required.
type Deps struct {
	Apps  Apps
	Auth  *console.Auth
	Usage *usage.Service
}

type api struct{ Deps }

// Routes returns the table. Its routes belong to the function console-apps.
func Routes(d Deps) []edge.Route {
	a := &api{d}
	var out []edge.Route
	for _, place := range []string{"/console/api/apps/{app_id:uuid}", "/console/api/workspaces/current"} {
		out = append(out,
			edge.Route{Method: "GET", Path: place + "/usage", Handler: d.Auth.Session(a.at(a.sums))},
			edge.Route{Method: "GET", Path: place + "/budgets", Handler: d.Auth.Session(a.at(a.list))},
			edge.Route{Method: "POST", Path: place + "/budgets", Handler: d.Auth.Session(a.at(a.create), console.CanManage)},
			edge.Route{Method: "PUT", Path: place + "/budgets/{budget_id}", Handler: d.Auth.Session(a.at(a.update), console.CanManage)},
			edge.Route{Method: "DELETE", Path: place + "/budgets/{budget_id}", Handler: d.Auth.Session(a.at(a.remove), console.CanManage)},
		)
	}
	return out
}

type handler func(w http.ResponseWriter, r *http.Request, p account.Principal, appID string) error

// at finds the app that a path names; appID is "" for the workspace.
func (a *api) at(next handler) console.Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		id := r.PathValue("app_id")
		if id != "" {
			x, err := a.Apps.App(r.Context(), p.Tenant.ID, id)
			if errs.Is(err, errs.NotFound) {
				return errs.New(errs.AppNotFound, "")
			}
			if err != nil {
				return err
			}
			id = x.ID
		}
		return next(w, r, p, id)
	}
}

// sums answers how much was used, in total and by group.
func (a *api) sums(w http.ResponseWriter, r *http.Request, p account.Principal, appID string) error {
	q := edge.NewQuery(r)
	f := usage.Filter{TenantID: p.Tenant.ID, AppID: appID, RunID: q.Text("run_id"), GroupBy: q.Text("group_by")}
	f.From, f.To = moment(q, "from"), moment(q, "to")
	if f.GroupBy != "" && !slices.Contains(usage.Groups(), f.GroupBy) {
		q.Add("group_by", "should be one of "+strings.Join(usage.Groups(), ", "))
	}
	if f.RunID != "" && !ids.Valid(f.RunID) {
		q.Add("run_id", "should be a uuid")
	}
	if err := q.Err(); err != nil {
		return err
	}
	if f.GroupBy == usage.ByUser && !p.Role.CanEdit() {
		return console.Forbidden()
	}
	ctx := r.Context()
	list, err := a.Usage.Sums(ctx, f)
	if err != nil {
		return err
	}
	budgets, err := a.Usage.Budgets(ctx, p.Tenant.ID, appID)
	if err != nil {
		return err
	}
	warnings := []any{}
	for i := range budgets {
		if budgets[i].Exceeded() {
			warnings = append(warnings, budgets[i].Text())
		}
	}
	return edge.OK(w, value.Obj("group_by", orNull(f.GroupBy), "from", timeOrNull(f.From), "to", timeOrNull(f.To), "data", Bodies(list, f.GroupBy),
		"totals", Bodies(totals(list), ""), "warnings", warnings))
}

// totals adds the groups up, one sum for each currency.
func totals(list []usage.Sum) []usage.Sum {
	var out []usage.Sum
	for i := range list {
		x := list[i]
		k := slices.IndexFunc(out, func(s usage.Sum) bool { return s.Currency == x.Currency })
		if k < 0 {
			x.Key, x.Provider, x.Role = "", "", ""
			out = append(out, x)
			continue
		}
		out[k].Add(&x)
	}
	return out
}

// moment reads a time: RFC 3339, a date, or seconds since 1970.
func moment(q *edge.Query, name string) time.Time {
	text := q.Text(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	q.Add(name, "should be a date (2026-01-31) or a time (2026-01-31T12:00:00Z)")
	return time.Time{}
}

// Bodies shows sums; groupBy names the member that holds the group.
func Bodies(list []usage.Sum, groupBy string) []any {
	out := make([]any, 0, len(list))
	for i := range list {
		x, o := &list[i], value.NewObject(12)
		switch groupBy {
		case "":
		case usage.ByModel:
			o.Set("provider", x.Provider)
			o.Set("model", x.Key)
		case usage.ByUser:
			o.Set("role", x.Role)
			o.Set("user_id", orNull(x.Key))
		case usage.ByApp:
			o.Set("app_id", x.Key)
		default:
			o.Set(groupBy, x.Key)
		}
		o.Set("calls", x.Calls)
		o.Set("prompt_tokens", x.PromptTokens)
		o.Set("completion_tokens", x.CompletionTokens)
		o.Set("total_tokens", x.TotalTokens)
		o.Set("total_price", x.TotalPrice)
		o.Set("currency", x.Currency)
		o.Set("latency", x.Latency)
		out = append(out, o)
	}
	return out
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format(time.RFC3339)
}

// body is a budget as it is asked for.
type body struct {
	Period   string `json:"period"`
	Tokens   int64  `json:"tokens"`
	Price    string `json:"price"`
	Currency string `json:"currency"`
	Action   string `json:"action"`
}

// Validate leaves the checks to the domain.
func (b *body) Validate() error { return nil }

func (b *body) budget(p account.Principal, appID string) usage.Budget {
	return usage.Budget{TenantID: p.Tenant.ID, AppID: appID, Period: b.Period, Tokens: b.Tokens, Price: b.Price, Currency: b.Currency, Action: b.Action,
		CreatedBy: p.Account.ID}
}

func show(s *usage.State) *value.Object {
	var tokens, resets any
	if s.Tokens > 0 {
		tokens = s.Tokens
	}
	if at := s.ResetsAt(); !at.IsZero() {
		resets = at.Format(time.RFC3339)
	}
	return value.Obj("id", s.ID, "app_id", orNull(s.AppID), "period", s.Period, "tokens", tokens, "price", orNull(s.Price), "currency", s.Currency,
		"action", s.Action, "spent_tokens", s.SpentTokens, "spent_price", s.SpentPrice, "exceeded", s.Exceeded(), "resets_at", resets,
		"created_at", s.CreatedAt.Unix(), "updated_at", s.UpdatedAt.Unix())
}

func (a *api) list(w http.ResponseWriter, r *http.Request, p account.Principal, appID string) error {
	list, err := a.Usage.Budgets(r.Context(), p.Tenant.ID, appID)
	if err != nil {
		return err
	}
	out := make([]any, 0, len(list))
	for i := range list {
		out = append(out, show(&list[i]))
	}
	return edge.OK(w, value.Obj("data", out))
}

func (a *api) create(w http.ResponseWriter, r *http.Request, p account.Principal, appID string) error {
	var b body
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	s, err := a.Usage.Create(r.Context(), b.budget(p, appID))
	if err != nil {
		return err
	}
	return edge.JSON(w, http.StatusCreated, show(&s))
}

func (a *api) update(w http.ResponseWriter, r *http.Request, p account.Principal, appID string) error {
	var b body
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	x := b.budget(p, appID)
	x.ID = r.PathValue("budget_id")
	s, err := a.Usage.Update(r.Context(), x)
	if err != nil {
		return err
	}
	return edge.OK(w, show(&s))
}

func (a *api) remove(w http.ResponseWriter, r *http.Request, p account.Principal, appID string) error {
	if err := a.Usage.Delete(r.Context(), p.Tenant.ID, appID, r.PathValue("budget_id")); err != nil {
		return err
	}
	return edge.NoContent(w)
}
