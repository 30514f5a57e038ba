package service

import (
	"net/http"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// humanFormOf finds the form of the path for an app's backend. It acts for the
// app's users, so forms that only members of the workspace may answer, and those
// of other apps, are not there.
func (a *api) humanFormOf(r *http.Request, app *App) (humaninput.Access, error) {
	missing := errs.New(errs.NotFound, "Form not found")
	if a.Forms == nil {
		return humaninput.Access{}, missing
	}
	x, err := a.Forms.ByToken(r.Context(), r.PathValue("form_token"))
	if err != nil {
		return x, err
	}
	if x.Form.TenantID != app.TenantID || x.Form.AppID != app.ID || x.Recipient.Type != humaninput.RecipientWebApp {
		return x, missing
	}
	return x, nil
}

// humanForm shows a form that waits for an answer.
func (a *api) humanForm(w http.ResponseWriter, r *http.Request, app *App) error {
	x, err := a.humanFormOf(r, app)
	if err == nil {
		err = a.Forms.Active(x.Form)
	}
	if err != nil {
		return err
	}
	return edge.OK(w, x.Form.View())
}

// submitHumanForm takes the answer of one of the app's users.
func (a *api) submitHumanForm(w http.ResponseWriter, r *http.Request, c *caller) error {
	var p edge.Problems
	data, ok := c.body.Value("inputs").(*value.Object)
	if !ok {
		p.Add("inputs", "should be an object")
	}
	action, ok := c.body.Value("action").(string)
	if !ok {
		p.Add("action", "should be text")
	}
	if err := p.Err(); err != nil {
		return err
	}
	x, err := a.humanFormOf(r, c.app)
	if err != nil {
		return err
	}
	answer := humaninput.Answer{Action: action, Inputs: data, EndUserID: c.user.ID}
	if a.Files != nil {
		user := file.Caller{TenantID: c.app.TenantID, UserID: c.user.ID, Role: file.RoleEndUser}
		workspace := user
		workspace.Role = file.RoleAccount
		// Their own files, and those that were uploaded for this form.
		answer.Files = []inputs.Files{a.Files.For(user), a.Forms.Uploaded(x.Form, a.Files.For(workspace))}
	}
	if err := a.Forms.Submit(r.Context(), x, answer); err != nil {
		return err
	}
	return edge.OK(w, value.NewObject(0))
}

// runForVisitor runs the published version for a visitor, who always gets a
// stream.
func (a *api) runForVisitor(w http.ResponseWriter, r *http.Request, c *caller) error {
	c.body.Set("response_mode", "streaming")
	return a.runWorkflow(w, r, c)
}
