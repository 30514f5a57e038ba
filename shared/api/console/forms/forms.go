// Package forms is the console's edge of what runs ask people: members answer
// forms, see what a run waits for, and try forms of drafts. It has routes of the
// function console-workflows.
//
// It decides nothing about forms, that is package humaninput; nor does it run
// drafts, that is beside it in package workflows.
//
// START HERE: Routes.
package forms

import (
	"context"
	"net/http"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Runs shows runs. *run.Service is one.
type Runs interface {
	Snapshot(ctx context.Context, tenantID, runID string) (*run.Snapshot, error)
}

// Files resolves references to files. *file.Service is one.
type Files interface {
	For(c file.Caller) *file.Resolver
}

// Deps are what the routes work with. All are required.
type Deps struct {
	Forms *humaninput.Service
	Apps  *app.Service
	Runs  Runs
	Files Files
	// Auth lets members in that pass the checks.
	Auth func(next console.Handler, checks ...console.Check) edge.Handler
}

type api struct{ Deps }

// Routes returns the table.
func Routes(d Deps) []edge.Route {
	a := &api{d}
	const draft, chat = "/console/api/apps/{app_id:uuid}/workflows/draft", "/console/api/apps/{app_id:uuid}/advanced-chat/workflows/draft"
	node := func(base, path string, next handler) edge.Route {
		return edge.Route{Method: "POST", Path: base + "/human-input/nodes/{node_id}" + path, Handler: d.Auth(a.withApp(next), console.CanEdit)}
	}
	return []edge.Route{
		{Method: "GET", Path: "/console/api/form/human_input/{form_token}", Handler: d.Auth(a.form)},
		{Method: "POST", Path: "/console/api/form/human_input/{form_token}", Handler: d.Auth(a.submit)},
		{Method: "GET", Path: "/console/api/workflow/{workflow_run_id}/pause-details", Handler: d.Auth(a.pauseDetails)},
		node(draft, "/form/preview", a.preview), node(draft, "/form/run", a.try), node(draft, "/delivery-test", a.deliver),
		node(chat, "/form/preview", a.preview), node(chat, "/form/run", a.try),
	}
}

// open finds a form that members of the workspace may answer.
func (a *api) open(r *http.Request, p account.Principal) (humaninput.Access, error) {
	x, err := a.Forms.ByToken(r.Context(), r.PathValue("form_token"))
	if err != nil {
		return x, err
	}
	if t := x.Recipient.Type; x.Form.TenantID != p.Tenant.ID || t != humaninput.RecipientConsole && t != humaninput.RecipientBackstage {
		return x, errs.New(errs.NotFound, "Form not found")
	}
	return x, nil
}

// form shows a form that waits for an answer.
func (a *api) form(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	x, err := a.open(r, p)
	if err == nil {
		err = a.Forms.Active(x.Form)
	}
	if err != nil {
		return err
	}
	return edge.OK(w, x.Form.Whole())
}

// answerBody is what is sent to a form, and to the form of a draft.
type answerBody struct {
	FormInputs *value.Object `json:"form_inputs"`
	Inputs     *value.Object `json:"inputs"`
	Action     *string       `json:"action"`
}

func (b *answerBody) read(r *http.Request, draft bool) error {
	if err := edge.Decode(r, b); err != nil {
		return err
	}
	var p edge.Problems
	if draft {
		p.Require("form_inputs", b.FormInputs != nil)
	}
	p.Require("inputs", b.Inputs != nil)
	p.Require("action", b.Action != nil)
	return p.Err()
}

// submit takes the answer of a member.
func (a *api) submit(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b answerBody
	if err := b.read(r, false); err != nil {
		return err
	}
	x, err := a.open(r, p)
	if err != nil {
		return err
	}
	err = a.Forms.Submit(r.Context(), x, humaninput.Answer{
		Action: *b.Action, Inputs: b.Inputs, AccountID: p.Account.ID, Files: []inputs.Files{a.files(p)},
	})
	if err != nil {
		return err
	}
	return edge.OK(w, value.NewObject(0))
}

func (a *api) files(p account.Principal) inputs.Files {
	return a.Files.For(file.Caller{TenantID: p.Tenant.ID, UserID: p.Account.ID, Role: file.RoleAccount})
}

// pauseDetails tells what a run waits for.
func (a *api) pauseDetails(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	ctx, runID := r.Context(), r.PathValue("workflow_run_id")
	s, err := a.Runs.Snapshot(ctx, p.Tenant.ID, runID)
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.NotFound, "Workflow run not found")
	}
	if err != nil {
		return err
	}
	var pausedAt any
	nodes := []any{}
	if s.Paused != nil {
		pausedAt = s.Paused.At.UTC().Format(time.RFC3339Nano)
		forms, err := a.Forms.OfRun(ctx, p.Tenant.ID, runID)
		if err != nil {
			return err
		}
		for i := range forms {
			f := &forms[i]
			if f.Status != humaninput.StatusWaiting {
				continue
			}
			var url any
			if token := f.Token(humaninput.RecipientBackstage); token != "" {
				url = a.Forms.PageURL(token)
			}
			nodes = append(nodes, value.Obj("node_id", f.NodeID, "node_title", f.Definition.NodeTitle,
				"pause_type", value.Obj("type", "human_input", "form_id", f.ID, "backstage_input_url", url)))
		}
	}
	return edge.OK(w, value.Obj("paused_at", pausedAt, "paused_nodes", nodes))
}
