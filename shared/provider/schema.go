package provider

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
)

// Help points to where a provider's keys are made.
type Help struct {
	Title llm.Text `json:"title"`
	URL   llm.Text `json:"url"`
}

// ShowOn shows a field or option only when another field has a value.
type ShowOn struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`
}

// FormOption is one choice of a select or radio field.
type FormOption struct {
	Label  llm.Text `json:"label"`
	Value  string   `json:"value"`
	ShowOn []ShowOn `json:"show_on"`
}

// The types of form fields.
const (
	FieldText   = "text-input"
	FieldSecret = "secret-input"
	FieldSelect = "select"
	FieldRadio  = "radio"
	FieldSwitch = "switch"
)

// FormField is one field of a credential form.
type FormField struct {
	Variable    string       `json:"variable"`
	Label       llm.Text     `json:"label"`
	Type        string       `json:"type"`
	Required    bool         `json:"required"`
	Default     *string      `json:"default"`
	Options     []FormOption `json:"options"`
	Placeholder llm.Text     `json:"placeholder"`
	MaxLength   int          `json:"max_length"`
	ShowOn      []ShowOn     `json:"show_on"`
}

// ModelField labels the field for the model's name.
type ModelField struct {
	Label       llm.Text `json:"label"`
	Placeholder llm.Text `json:"placeholder"`
}

// ProviderCredentialSchema is the form for credentials of a whole provider.
type ProviderCredentialSchema struct {
	Fields []FormField `json:"credential_form_schemas"`
}

// ModelCredentialSchema is the form for credentials of one custom model.
type ModelCredentialSchema struct {
	Model  ModelField  `json:"model"`
	Fields []FormField `json:"credential_form_schemas"`
}

// Check returns the credentials that the form accepts: fields that are not
// shown or unknown are left out, missing ones get their default. The texts of
// its errors (InvalidParam) are the contract's.
func (s *ModelCredentialSchema) Check(ref ModelRef, in Credentials) (Credentials, error) {
	out := Credentials{}
	for _, f := range s.Fields {
		if !f.shown(ref, in) {
			continue
		}
		value, keep, err := f.check(in[f.Variable])
		if err != nil {
			return nil, err
		}
		if keep {
			out[f.Variable] = value
		}
	}
	return out, nil
}

// Secret reports whether a field is one to seal and mask.
func (s *ModelCredentialSchema) Secret(variable string) bool {
	return slices.ContainsFunc(s.Fields, func(f FormField) bool {
		return f.Variable == variable && f.Type == FieldSecret
	})
}

// shown reports whether the form shows the field; the pseudo field
// __model_type stands for the type of the model.
func (f *FormField) shown(ref ModelRef, in Credentials) bool {
	for _, on := range f.ShowOn {
		have := in.Text(on.Variable)
		if on.Variable == "__model_type" {
			have = string(ref.Type)
		}
		if have != on.Value {
			return false
		}
	}
	return true
}

func (f *FormField) check(value any) (out any, keep bool, err error) {
	bad := func(format string, args ...any) (any, bool, error) {
		return nil, false, errs.Newf(errs.InvalidParam, "Variable %s %s", f.Variable, fmt.Sprintf(format, args...))
	}
	if value == nil || value == "" {
		switch {
		case f.Required:
			return bad("is required")
		case f.Default != nil:
			return *f.Default, true, nil
		}
		return nil, false, nil
	}
	if b, ok := value.(bool); ok && f.Type == FieldSwitch {
		return b, true, nil
	}
	text, ok := value.(string)
	if !ok {
		return bad("should be string")
	}
	if f.MaxLength > 0 && utf8.RuneCountInString(text) > f.MaxLength {
		return bad("length should not be greater than %d", f.MaxLength)
	}
	switch f.Type {
	case FieldSelect, FieldRadio:
		if !slices.ContainsFunc(f.Options, func(o FormOption) bool { return o.Value == text }) {
			return bad("is not in options")
		}
	case FieldSwitch:
		switch text {
		case "true", "True", "TRUE":
			return true, true, nil
		case "false", "False", "FALSE":
			return false, true, nil
		}
		return bad("should be true or false")
	}
	return text, true, nil
}
