package apps

import (
	"net/http"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
)

func viewSite(s app.Site) map[string]any {
	return map[string]any{
		"app_id": s.AppID, "access_token": s.Code, "code": s.Code, "title": s.Title, "icon": pointed(s.Icon),
		"icon_background": pointed(s.IconBackground), "description": pointed(s.Description), "default_language": s.DefaultLanguage,
		"customize_domain": pointed(s.CustomizeDomain), "copyright": pointed(s.Copyright), "privacy_policy": pointed(s.PrivacyPolicy),
		"custom_disclaimer": s.CustomDisclaimer, "input_placeholder": pointed(s.InputPlaceholder),
		"customize_token_strategy": s.CustomizeToken, "prompt_public": s.PromptPublic, "show_workflow_steps": s.ShowSteps,
		"use_icon_as_answer_icon": s.IconAsAnswer,
	}
}

const (
	maxDisclaimer  = 512
	maxPlaceholder = 255
)

func put[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func putRef[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

func (b *siteBody) apply(s *app.Site) error {
	if b.CustomDisclaimer != nil && len([]rune(*b.CustomDisclaimer)) > maxDisclaimer {
		return errs.New(errs.InvalidParam, "Custom disclaimer cannot exceed 512 characters.")
	}
	if b.InputPlaceholder != nil && len([]rune(*b.InputPlaceholder)) > maxPlaceholder {
		return errs.New(errs.InvalidParam, "Input placeholder cannot exceed 255 characters.")
	}
	put(&s.Title, b.Title)
	put(&s.DefaultLanguage, b.DefaultLanguage)
	put(&s.ChatColorThemeInverted, b.ColorInverted)
	put(&s.CustomDisclaimer, b.CustomDisclaimer)
	put(&s.CustomizeToken, b.CustomizeToken)
	put(&s.PromptPublic, b.PromptPublic)
	put(&s.ShowSteps, b.ShowSteps)
	put(&s.IconAsAnswer, b.IconAsAnswer)
	putRef(&s.Description, b.Description)
	putRef(&s.IconType, b.IconType)
	putRef(&s.Icon, b.Icon)
	putRef(&s.IconBackground, b.IconBackground)
	putRef(&s.ChatColorTheme, b.ChatColorTheme)
	putRef(&s.CustomizeDomain, b.CustomizeDomain)
	putRef(&s.Copyright, b.Copyright)
	putRef(&s.PrivacyPolicy, b.PrivacyPolicy)
	putRef(&s.InputPlaceholder, b.InputPlaceholder)
	return nil
}

func (a *api) updateSite(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	var b siteBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	s, err := a.Apps.UpdateSite(r.Context(), actor(p), x.ID, b.apply)
	if err != nil {
		return err
	}
	return edge.OK(w, viewSite(s))
}

func (a *api) resetSite(w http.ResponseWriter, r *http.Request, p account.Principal, x app.App) error {
	s, err := a.Apps.ResetSiteCode(r.Context(), actor(p), x.ID)
	if err != nil {
		return err
	}
	return edge.OK(w, viewSite(s))
}
