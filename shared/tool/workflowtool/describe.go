package workflowtool

import (
	"context"
	"slices"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// reserved are the outputs that every tool has.
func reserved() []string { return []string{"json", "text", "files"} }

// errNoVersion is the answer when there is nothing to run.
func errNoVersion() error { return errs.New(errs.NotFound, "workflow not found or not published") }

// version finds what calls of a tool run.
func (s *Service) version(ctx context.Context, p *Published) (app.Workflow, error) {
	id, err := s.Store.Version(ctx, p.TenantID, p.AppID, p.Version)
	if err == nil {
		var w app.Workflow
		if w, err = s.Apps.Version(ctx, p.TenantID, p.AppID, id); err == nil {
			return w, nil
		}
	}
	if errs.Is(err, errs.NotFound) {
		err = errNoVersion()
	}
	return app.Workflow{}, err
}

// Describe describes a tool as a provider of one tool, and reports whether what
// it runs is the app's current version.
func (s *Service) Describe(ctx context.Context, p *Published) (d *driver.Provider, current bool, err error) {
	w, err := s.version(ctx, p)
	if err != nil {
		return nil, false, err
	}
	params, err := parameters(p, w)
	if err != nil {
		return nil, false, err
	}
	schema, err := outputSchema(w)
	if err != nil {
		return nil, false, err
	}
	newest, err := s.Store.Version(ctx, p.TenantID, p.AppID, "")
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, false, err
	}
	authors, err := s.Apps.Authors(ctx, p.UserID)
	if err != nil {
		return nil, false, err
	}
	label, description := text(p.Label), text(p.Description)
	return &driver.Provider{
		Type: driver.Workflow, ID: p.ID, Name: p.Label, Author: authors[p.UserID].Name, Label: label, Description: description,
		Labels: p.Labels, Icon: driver.Icon{Shown: p.Icon}, AppID: p.AppID,
		Tools: []*driver.Tool{{
			Name: p.Name, Label: label, Description: description, ModelDescription: p.Description, Parameters: params, OutputSchema: schema,
			Labels: p.Labels,
		}},
	}, newest == w.ID, nil
}

func text(s string) driver.Text {
	return driver.Text{"en_US": s, "zh_Hans": s, "pt_BR": s, "ja_JP": s}
}

// parameters describes the start variables with what was said about them: the
// two must be about the same names.
func parameters(p *Published, w app.Workflow) ([]driver.Parameter, error) {
	raw := w.StartVariables()
	form, err := inputs.ParseForm(raw)
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "The start node is not valid.")
	}
	mismatch := errs.New(errs.InvalidParam, "parameter configuration mismatch, please republish the tool to update")
	if len(form.Variables) != len(p.Parameters) {
		return nil, mismatch
	}
	out := make([]driver.Parameter, len(p.Parameters))
	for i, said := range p.Parameters {
		at := slices.IndexFunc(form.Variables, func(v *inputs.Variable) bool { return v.Name == said.Name })
		if at < 0 || slices.ContainsFunc(p.Parameters[:i], func(x Parameter) bool { return x.Name == said.Name }) {
			return nil, mismatch
		}
		v := form.Variables[at]
		out[i] = driver.Parameter{
			Name: v.Name, Type: parameterType(v.Type), Form: said.Form, Label: text(v.Label), Description: text(said.Description),
			Placeholder: text(said.Description), ModelDescription: said.Description, Required: v.Required, Default: v.Default,
		}
		if v.Type == inputs.TypeSelect {
			for _, o := range v.Options {
				out[i].Options = append(out[i].Options, driver.Option{Value: o, Label: text(o)})
			}
		}
	}
	return out, nil
}

func parameterType(variable string) string {
	switch variable {
	case inputs.TypeSelect:
		return tool.TypeSelect
	case inputs.TypeNumber:
		return tool.TypeNumber
	case inputs.TypeCheckbox:
		return tool.TypeBoolean
	case inputs.TypeFile:
		return tool.TypeFile
	case inputs.TypeFileList:
		return tool.TypeFiles
	case inputs.TypeJSONObject:
		return tool.TypeObject
	}
	return tool.TypeString
}

// outputSchema describes what the ends of a graph return besides the outputs
// that every tool has.
func outputSchema(w app.Workflow) (*value.Object, error) {
	g, err := w.Parse()
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "The workflow is not valid.")
	}
	properties := value.NewObject(4)
	for i := range g.Nodes {
		if g.Nodes[i].Type != "end" {
			continue
		}
		list, _ := g.Nodes[i].Data.Value("outputs").([]any)
		for _, item := range list {
			o, _ := item.(*value.Object)
			name := o.String("variable")
			if name == "" || slices.Contains(reserved(), name) {
				continue
			}
			kind := o.String("value_type")
			if kind == "" {
				kind = "any"
			}
			properties.Set(name, value.Obj("type", kind, "description", ""))
		}
	}
	return value.Obj("type", "object", "properties", properties), nil
}
