package apps

import (
	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
)

// maxDescription bounds descriptions in characters.
const maxDescription = 400

func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

type iconFields struct {
	IconType       *string `json:"icon_type"`
	Icon           *string `json:"icon"`
	IconBackground *string `json:"icon_background"`
}

func (b *iconFields) check(p *edge.Problems) {
	if b.IconType != nil {
		p.OneOf("icon_type", *b.IconType, "image", "emoji", "link")
	}
}

func checkName(p *edge.Problems, name *string) {
	p.Require("name", name != nil)
	if name != nil {
		p.Length("name", *name, 1, 0)
	}
}

func checkDescription(p *edge.Problems, text *string) {
	if text != nil {
		p.Length("description", *text, 0, maxDescription)
	}
}

// problems answers with the contract's code for bodies of apps.
func problems() *edge.Problems { return &edge.Problems{Code: errs.UnprocessableEntity} }

type createBody struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Mode        *string `json:"mode"`
	iconFields
}

func (b *createBody) Validate() error {
	p := problems()
	checkName(p, b.Name)
	checkDescription(p, b.Description)
	p.Require("mode", b.Mode != nil)
	if b.Mode != nil {
		p.OneOf("mode", *b.Mode, app.ModeChat, app.ModeAgentChat, app.ModeAdvancedChat, app.ModeWorkflow, app.ModeCompletion)
	}
	b.check(p)
	return p.Err()
}

type updateBody struct {
	Name                *string `json:"name"`
	Description         *string `json:"description"`
	UseIconAsAnswerIcon *bool   `json:"use_icon_as_answer_icon"`
	MaxActiveRequests   *int    `json:"max_active_requests"`
	iconFields
}

func (b *updateBody) Validate() error {
	p := problems()
	checkName(p, b.Name)
	checkDescription(p, b.Description)
	b.check(p)
	return p.Err()
}

type nameBody struct {
	Name *string `json:"name"`
}

func (b *nameBody) Validate() error {
	p := problems()
	checkName(p, b.Name)
	return p.Err()
}

type iconBody struct{ iconFields }

func (b *iconBody) Validate() error {
	p := problems()
	b.check(p)
	return p.Err()
}

type copyBody struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	iconFields
}

func (b *copyBody) Validate() error {
	p := problems()
	checkDescription(p, b.Description)
	b.check(p)
	return p.Err()
}

type importBody struct {
	Mode        *string `json:"mode"`
	Content     *string `json:"yaml_content"`
	URL         *string `json:"yaml_url"`
	Name        *string `json:"name"`
	Description *string `json:"description"`
	AppID       *string `json:"app_id"`
	iconFields
}

func (b *importBody) Validate() error {
	var p edge.Problems
	p.Require("mode", b.Mode != nil)
	return p.Err()
}

type siteBody struct {
	Title            *string `json:"title"`
	Description      *string `json:"description"`
	DefaultLanguage  *string `json:"default_language"`
	ChatColorTheme   *string `json:"chat_color_theme"`
	ColorInverted    *bool   `json:"chat_color_theme_inverted"`
	CustomizeDomain  *string `json:"customize_domain"`
	Copyright        *string `json:"copyright"`
	PrivacyPolicy    *string `json:"privacy_policy"`
	InputPlaceholder *string `json:"input_placeholder"`
	CustomDisclaimer *string `json:"custom_disclaimer"`
	CustomizeToken   *string `json:"customize_token_strategy"`
	PromptPublic     *bool   `json:"prompt_public"`
	ShowSteps        *bool   `json:"show_workflow_steps"`
	IconAsAnswer     *bool   `json:"use_icon_as_answer_icon"`
	iconFields
}

func (b *siteBody) Validate() error {
	p := problems()
	if b.DefaultLanguage != nil {
		if _, ok := account.Languages()[*b.DefaultLanguage]; !ok {
			p.Add("default_language", *b.DefaultLanguage+" is not a valid language")
		}
	}
	if b.CustomizeToken != nil {
		p.OneOf("customize_token_strategy", *b.CustomizeToken, "must", "allow", "not_allow")
	}
	return p.Err()
}
