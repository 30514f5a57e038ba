package app

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// masked is how the console sees a secret, and what it sends back to keep it.
var masked = strings.Repeat("*", 20)

// Masked reports whether a value sent for a secret means the stored one.
func isMasked(v any) bool { return v == masked || v == "[__HIDDEN__]" }

// EncodeVariables writes variables in the form of the contract's columns: an
// object by name.
func EncodeVariables(list []Variable) (string, error) {
	o := value.NewObject(len(list))
	for _, v := range list {
		o.Set(v.Name, v.object())
	}
	raw, err := value.Encode(o)
	return string(raw), err
}

// ShownType is the type that the console shows: numbers of either kind are
// numbers.
func (v Variable) ShownType() string {
	if v.Type == "integer" || v.Type == "float" {
		return "number"
	}
	return v.Type
}

func (v Variable) object() *value.Object {
	return value.Obj("value_type", v.Type, "value", v.Value, "id", v.ID, "name", v.Name,
		"description", v.Description, "selector", value.From(v.Selector))
}

// DecodeVariables reads a column of variables. A list instead of an object is
// read too: older rows have it.
func DecodeVariables(text string) ([]Variable, error) {
	if text == "" {
		return nil, nil
	}
	v, err := value.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("variables: %w", err)
	}
	var out []Variable
	switch v := v.(type) {
	case *value.Object:
		for _, x := range v.All() {
			if o, ok := x.(*value.Object); ok {
				out = append(out, variableOf(o))
			}
		}
	case []any:
		for _, x := range v {
			if o, ok := x.(*value.Object); ok {
				out = append(out, variableOf(o))
			}
		}
	}
	return out, nil
}

func variableOf(o *value.Object) Variable {
	v := Variable{
		ID: o.String("id"), Name: o.String("name"), Description: o.String("description"),
		Type: o.String("value_type"), Value: o.Value("value"),
	}
	if list, ok := o.Value("selector").([]any); ok {
		for _, x := range list {
			if s, ok := x.(string); ok {
				v.Selector = append(v.Selector, s)
			}
		}
	}
	return v
}

// The namespaces of variables: the first part of their selector.
const (
	nsEnvironment  = "env"
	nsConversation = "conversation"
)

// checkVariables completes and checks variables that a client or a document
// brings. Codes: InvalidParam.
func checkVariables(list []any, namespace string) ([]Variable, error) {
	out := make([]Variable, 0, len(list))
	names := map[string]bool{}
	for _, x := range list {
		o, ok := x.(*value.Object)
		if !ok {
			return nil, errs.New(errs.InvalidParam, "a variable must be an object")
		}
		v := variableOf(o)
		if _, given := o.Get("value"); !given && namespace == nsEnvironment {
			return nil, errs.New(errs.InvalidParam, "missing value")
		}
		if err := v.check(namespace); err != nil {
			return nil, err
		}
		if names[v.Name] {
			return nil, errs.Newf(errs.InvalidParam, "the variable %s is there twice", v.Name)
		}
		names[v.Name] = true
		if !ids.Valid(v.ID) {
			v.ID = ids.Random()
		}
		v.Selector = []string{namespace, v.Name}
		out = append(out, v)
	}
	return out, nil
}

// maxVariable is the largest value in characters of JSON, as in the contract.
const maxVariable = 204800

func (v *Variable) check(namespace string) error {
	bad := func(format string, args ...any) error { return errs.Newf(errs.InvalidParam, format, args...) }
	if v.Name == "" {
		return bad("missing name")
	}
	if v.Type == "" {
		return bad("missing value type")
	}
	if utf8.RuneCountInString(v.Description) > 255 {
		return bad("the description of variable %s is longer than 255 characters", v.Name)
	}
	if size := len(value.JSON(v.Value)); size > maxVariable {
		return bad("variable size %d exceeds limit %d", size, maxVariable)
	}
	allowed := []string{"string", "number", "integer", "float", TypeSecret, "llm"}
	if namespace == nsConversation {
		allowed = []string{"string", "number", "integer", "float", "object", "boolean",
			"array[string]", "array[number]", "array[object]", "array[boolean]"}
	}
	for _, t := range allowed {
		if v.Type == t {
			return v.checkValue()
		}
	}
	return bad("not supported value type %s", v.Type)
}

func (v *Variable) checkValue() error {
	ok := true
	switch v.Type {
	case "string", TypeSecret:
		if v.Value == nil {
			v.Value = ""
		}
		_, ok = v.Value.(string)
	case "number", "integer", "float":
		switch x := v.Value.(type) {
		case int64, float64, *big.Int:
		case nil:
			v.Value = int64(0)
		case string:
			n, valid := number(x)
			v.Value, ok = n, valid
		default:
			ok = false
		}
		// Stored numbers say which kind they are.
		v.Type = "integer"
		if _, fraction := v.Value.(float64); fraction {
			v.Type = "float"
		}
	case "boolean":
		if v.Value == nil {
			v.Value = false
		}
		_, ok = v.Value.(bool)
	case "object":
		if v.Value == nil {
			v.Value = value.NewObject(0)
		}
		_, ok = v.Value.(*value.Object)
	default:
		if strings.HasPrefix(v.Type, "array[") {
			if v.Value == nil {
				v.Value = []any{}
			}
			_, ok = v.Value.([]any)
		}
	}
	if !ok {
		return errs.Newf(errs.InvalidParam, "the value of variable %s is no %s", v.Name, v.Type)
	}
	return nil
}

func number(s string) (any, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return int64(0), true
	}
	v, err := value.Decode([]byte(s))
	if err != nil {
		return nil, false
	}
	switch v.(type) {
	case int64, float64, *big.Int:
		return v, true
	}
	return nil, false
}

// seal makes plain variables ready to be stored: secrets are sealed, and masked
// ones keep what is stored under their id.
func (s *Service) seal(ctx context.Context, tenantID string, list, stored []Variable) ([]Variable, error) {
	old := map[string]Variable{}
	for _, v := range stored {
		old[v.ID] = v
	}
	out := make([]Variable, len(list))
	for i, v := range list {
		if v.Type == TypeSecret {
			if have, known := old[v.ID]; isMasked(v.Value) && known && have.Type == TypeSecret {
				v.Value = have.Value
			} else if plain, _ := v.Value.(string); plain != "" {
				sealed, err := s.secrets.Seal(ctx, tenantID, plain)
				if err != nil {
					return nil, err
				}
				v.Value = sealed
			}
		}
		out[i] = v
	}
	return out, nil
}

// unseal returns stored variables with their secrets in plain text.
func (s *Service) unseal(ctx context.Context, tenantID string, list []Variable) ([]Variable, error) {
	out := make([]Variable, len(list))
	for i, v := range list {
		if sealed, _ := v.Value.(string); v.Type == TypeSecret && sealed != "" {
			plain, err := s.secrets.Unseal(ctx, tenantID, sealed)
			if err != nil {
				return nil, err
			}
			v.Value = plain
		}
		out[i] = v
	}
	return out, nil
}

// Mask returns variables as the console may see them.
func Mask(list []Variable) []Variable {
	out := make([]Variable, len(list))
	for i, v := range list {
		if v.Type == TypeSecret {
			v.Value = masked
		}
		out[i] = v
	}
	return out
}
