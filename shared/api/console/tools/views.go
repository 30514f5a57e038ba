package tools

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/workflowtool"
	"github.com/millrace/millrace/shared/workflow/value"
)

type providerView struct {
	ID               string            `json:"id"`
	Author           string            `json:"author"`
	Name             string            `json:"name"`
	PluginID         *string           `json:"plugin_id"`
	PluginIdentifier *string           `json:"plugin_unique_identifier"`
	Description      driver.Text       `json:"description"`
	Icon             any               `json:"icon"`
	IconDark         string            `json:"icon_dark"`
	Label            driver.Text       `json:"label"`
	Type             string            `json:"type"`
	TeamCredentials  map[string]string `json:"team_credentials"`
	Authorized       bool              `json:"is_team_authorization"`
	AllowDelete      bool              `json:"allow_delete"`
	Tools            []toolView        `json:"tools"`
	Labels           []string          `json:"labels"`
	WorkflowAppID    *string           `json:"workflow_app_id"`
}

type toolView struct {
	Author       string          `json:"author"`
	Name         string          `json:"name"`
	Label        driver.Text     `json:"label"`
	Description  driver.Text     `json:"description"`
	Parameters   []parameterView `json:"parameters"`
	Labels       []string        `json:"labels"`
	OutputSchema *value.Object   `json:"output_schema"`
}

type parameterView struct {
	Name             string        `json:"name"`
	Label            driver.Text   `json:"label"`
	Placeholder      driver.Text   `json:"placeholder"`
	Scope            any           `json:"scope"`
	AutoGenerate     any           `json:"auto_generate"`
	Template         any           `json:"template"`
	Required         bool          `json:"required"`
	Default          any           `json:"default"`
	Min              any           `json:"min"`
	Max              any           `json:"max"`
	Precision        any           `json:"precision"`
	Options          []optionView  `json:"options"`
	Multiple         bool          `json:"multiple"`
	Type             string        `json:"type"`
	HumanDescription driver.Text   `json:"human_description"`
	Form             driver.Form   `json:"form"`
	ModelDescription *string       `json:"llm_description"`
	InputSchema      *value.Object `json:"input_schema"`
}

type optionView struct {
	Value string      `json:"value"`
	Label driver.Text `json:"label"`
	Icon  *string     `json:"icon"`
}

// provider shows a provider. What has no credentials needs none, and what came
// with Millrace cannot be deleted.
func (a *api) provider(p *driver.Provider) providerView {
	v := providerView{
		ID: p.ID, Author: p.Author, Name: p.Name, Description: p.Description, Icon: p.Icon.Shown, Label: p.Label, Type: string(p.Type),
		TeamCredentials: map[string]string{}, Authorized: true, AllowDelete: p.Type != driver.Builtin, Tools: toolViews(p), Labels: orNone(p.Labels),
	}
	if v.Icon == nil {
		v.Icon = strings.TrimSuffix(a.ConsoleURL, "/") + current + "/tool-provider/builtin/" + url.PathEscape(p.ID) + "/icon"
	}
	if p.AppID != "" {
		v.WorkflowAppID = &p.AppID
	}
	return v
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func toolViews(p *driver.Provider) []toolView {
	out := make([]toolView, len(p.Tools))
	for i, t := range p.Tools {
		labels := t.Labels
		if labels == nil {
			labels = p.Labels
		}
		v := toolView{
			Author: p.Author, Name: t.Name, Label: t.Label, Description: t.Description, Parameters: make([]parameterView, len(t.Parameters)),
			Labels: orNone(labels), OutputSchema: t.OutputSchema,
		}
		if v.OutputSchema == nil {
			v.OutputSchema = value.NewObject(0)
		}
		for k := range t.Parameters {
			v.Parameters[k] = parameter(&t.Parameters[k])
		}
		out[i] = v
	}
	return out
}

func parameter(p *driver.Parameter) parameterView {
	v := parameterView{
		Name: p.Name, Label: p.Label, Placeholder: p.Placeholder, Scope: p.Scope, Required: p.Required, Default: p.Default, Min: p.Min, Max: p.Max,
		Precision: p.Precision, Options: make([]optionView, len(p.Options)), Multiple: p.Multiple, Type: p.Type, HumanDescription: p.Description,
		Form: p.Form, InputSchema: p.InputSchema,
	}
	if p.Type == tool.TypeSystemFiles {
		v.Type = tool.TypeFiles
	}
	if p.ModelDescription != "" {
		v.ModelDescription = &p.ModelDescription
	}
	for i, o := range p.Options {
		v.Options[i] = optionView{Value: o.Value, Label: o.Label}
	}
	return v
}

// labels lists the labels that tools may have. They have no pictures here.
func labels(w http.ResponseWriter, _ *http.Request, _ account.Principal) error {
	type label struct {
		Name  string      `json:"name"`
		Label driver.Text `json:"label"`
		Icon  string      `json:"icon"`
	}
	out := []label{}
	for _, name := range workflowtool.Labels() {
		shown := strings.ToUpper(name[:1]) + name[1:]
		if name == "rag" {
			shown = "RAG"
		}
		out = append(out, label{Name: name, Label: driver.Text{"en_US": shown, "zh_Hans": shown}})
	}
	return edge.OK(w, out)
}
