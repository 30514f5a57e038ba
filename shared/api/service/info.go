package service

import (
	"net/http"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/page"
	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// info tells what the app is.
func (a *api) info(w http.ResponseWriter, r *http.Request, app *App) error {
	about, err := a.Apps.About(r.Context(), app.TenantID, app.ID)
	if err != nil {
		return err
	}
	tags := about.Tags
	if tags == nil {
		tags = []string{}
	}
	return edge.OK(w, map[string]any{
		"name": app.Name, "description": app.Description, "mode": app.Mode, "tags": tags, "author_name": show.OrNull(about.AuthorName),
	})
}

// parameters tells what a page for the app needs: its form and its features.
func (a *api) parameters(w http.ResponseWriter, r *http.Request, app *App) error {
	if app.Mode != modeWorkflow && app.Mode != modeAdvancedChat {
		return errs.New(errs.NotImplemented, "")
	}
	_, f, err := a.version(r.Context(), app, "")
	if err != nil {
		if errs.Is(err, errs.InvalidParam) {
			return errs.New(errs.AppUnavailable, "")
		}
		return err
	}
	l := page.Limits{RunFiles: int64(a.MaxRunFiles)}
	l.File, l.Image, l.Video, l.Audio = a.Files.LimitsMB()
	return edge.OK(w, page.Parameters(page.Definition{Form: page.Form(f.variables), Features: f.features}, l))
}

// meta tells the icons of the app's tools.
func (a *api) meta(w http.ResponseWriter, _ *http.Request, _ *App) error {
	return edge.OK(w, page.Meta())
}

// site tells how the app's page looks.
func (a *api) site(w http.ResponseWriter, r *http.Request, x *App) error {
	s, err := a.Apps.Site(r.Context(), x.TenantID, x.ID)
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.Forbidden, "")
	}
	if err != nil {
		return err
	}
	return edge.OK(w, page.Site(s, a.Files.Signer()))
}

// endUser shows one of the app's end users.
func (a *api) endUser(w http.ResponseWriter, r *http.Request, app *App) error {
	u, err := a.Apps.EndUserByID(r.Context(), app.TenantID, app.ID, r.PathValue("end_user_id"))
	if errs.Is(err, errs.NotFound) {
		return &errs.Error{Code: "end_user_not_found", Message: "End user not found.", Status: http.StatusNotFound}
	}
	if err != nil {
		return err
	}
	return edge.OK(w, value.Obj(
		"id", u.ID, "tenant_id", u.TenantID, "app_id", show.OrNull(u.AppID), "type", u.Type, "external_user_id", show.OrNull(u.ExternalID),
		"name", show.OrNull(u.Name), "is_anonymous", u.Anonymous, "session_id", u.SessionID,
		"created_at", show.ISO(u.CreatedAt), "updated_at", show.ISO(u.UpdatedAt),
	))
}

// speak would read a text aloud; apps that do not offer it say so.
func (a *api) speak(_ http.ResponseWriter, r *http.Request, c *caller) error {
	if c.app.Mode != modeWorkflow && c.app.Mode != modeAdvancedChat {
		return errs.New(errs.NotImplemented, "")
	}
	_, f, err := a.version(r.Context(), c.app, "")
	if err != nil && !errs.Is(err, errs.InvalidParam) {
		return err
	}
	if f != nil {
		speech, _ := f.features.Value("text_to_speech").(*value.Object)
		if on, _ := speech.Value("enabled").(bool); on {
			return errs.New(errs.NotImplemented, "")
		}
	}
	return errs.New(errs.InvalidParam, "TTS is not enabled")
}
