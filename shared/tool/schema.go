package tool

import (
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow/value"
)

// ModelSchema is the JSON Schema of the parameters that a model fills in.
func ModelSchema(t *Tool) *value.Object {
	props, required := value.NewObject(len(t.Parameters)), []any{}
	for _, p := range t.Parameters {
		if p.Form != driver.FormLLM || p.Type == TypeFile || p.Type == TypeFiles || p.Type == TypeSystemFiles {
			continue
		}
		props.Set(p.Name, parameterSchema(p))
		if p.Required {
			required = append(required, p.Name)
		}
	}
	return value.Obj("type", "object", "properties", props, "required", required)
}

func parameterSchema(p Parameter) *value.Object {
	if p.InputSchema != nil {
		return p.InputSchema
	}
	o := value.Obj("type", modelType(p.Type), "description", p.ModelDescription)
	if p.Type != TypeSelect {
		return o
	}
	options := make([]any, len(p.Options))
	for i, option := range p.Options {
		options[i] = option.Value
	}
	if p.Multiple {
		o.Set("type", "array")
		o.Set("items", value.Obj("type", "string", "enum", options))
		return o
	}
	o.Set("enum", options)
	return o
}

func modelType(t string) string {
	switch t {
	case TypeSecret, TypeSelect, TypeCheckbox, TypeDate:
		return TypeString
	case TypeDateRange:
		return TypeObject
	}
	return t
}
