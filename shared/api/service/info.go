package service

import (
	"net/http"

	"github.com/millrace/millrace/shared/api/edge"
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
	file, image, video, audio := a.Files.LimitsMB()
	form := make([]any, 0, len(f.variables))
	for _, v := range f.variables {
		if o, ok := v.(*value.Object); ok {
			form = append(form, value.Obj(o.String("type"), o))
		}
	}
	off := func() *value.Object { return value.Obj("enabled", false) }
	feature := func(name string, fallback any) any {
		if v := f.features.Value(name); v != nil {
			return v
		}
		return fallback
	}
	return edge.OK(w, value.Obj(
		"opening_statement", f.features.Value("opening_statement"),
		"suggested_questions", feature("suggested_questions", []any{}),
		"suggested_questions_after_answer", feature("suggested_questions_after_answer", off()),
		"speech_to_text", feature("speech_to_text", off()),
		"text_to_speech", feature("text_to_speech", off()),
		"retriever_resource", feature("retriever_resource", off()),
		"annotation_reply", feature("annotation_reply", off()),
		"more_like_this", feature("more_like_this", off()),
		"user_input_form", form,
		"sensitive_word_avoidance", feature("sensitive_word_avoidance", off()),
		"file_upload", feature("file_upload", value.Obj("image", value.Obj(
			"enabled", false, "number_limits", int64(3), "detail", "high", "transfer_methods", []any{"remote_url", "local_file"},
		))),
		"system_parameters", value.Obj(
			"image_file_size_limit", image, "video_file_size_limit", video, "audio_file_size_limit", audio,
			"file_size_limit", file, "workflow_file_upload_limit", int64(a.MaxRunFiles),
		),
	))
}

// meta tells the icons of the app's tools.
func (a *api) meta(w http.ResponseWriter, _ *http.Request, _ *App) error {
	// No node calls a tool yet, so there are no icons.
	return edge.OK(w, map[string]any{"tool_icons": map[string]any{}})
}

// site tells how the app's page looks.
func (a *api) site(w http.ResponseWriter, r *http.Request, app *App) error {
	s, err := a.Apps.Site(r.Context(), app.TenantID, app.ID)
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.Forbidden, "")
	}
	if err != nil {
		return err
	}
	return edge.OK(w, value.Obj(
		"title", s.Title, "chat_color_theme", show.OrNull(s.ChatColorTheme), "chat_color_theme_inverted", s.ChatColorThemeInverted,
		"icon_type", show.OrNull(s.IconType), "icon", show.OrNull(s.Icon), "icon_background", show.OrNull(s.IconBackground),
		"icon_url", show.OrNull(s.IconURL), "description", show.OrNull(s.Description), "copyright", show.OrNull(s.Copyright),
		"privacy_policy", show.OrNull(s.PrivacyPolicy), "input_placeholder", show.OrNull(s.InputPlaceholder),
		"custom_disclaimer", s.CustomDisclaimer, "default_language", s.DefaultLanguage,
		"show_workflow_steps", s.ShowWorkflowSteps, "use_icon_as_answer_icon", s.UseIconAsAnswerIcon,
	))
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
