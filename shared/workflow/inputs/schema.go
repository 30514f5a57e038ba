package inputs

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/millrace/millrace/shared/workflow/value"
)

// schema is a compiled JSON schema, or why it could not be compiled.
type schema struct {
	compiled *jsonschema.Schema
	broken   error
}

// newSchema compiles the schema of a variable: an object, or its JSON text.
// References to other documents are refused: a form may not read files or
// call anybody.
func newSchema(v any) *schema {
	if s, ok := v.(string); ok {
		if strings.TrimSpace(s) == "" {
			return nil
		}
		decoded, err := value.Decode([]byte(s))
		if err != nil {
			return &schema{broken: fmt.Errorf("the schema is not JSON: %w", err)}
		}
		v = decoded
	}
	if v == nil {
		return nil
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(noLoader{})
	if err := c.AddResource("urn:form", plain(v)); err != nil {
		return &schema{broken: err}
	}
	compiled, err := c.Compile("urn:form")
	return &schema{compiled: compiled, broken: err}
}

type noLoader struct{}

// Load refuses.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a schema may not refer to %s", url)
}

func (s *schema) check(name string, v any) error {
	if s.broken != nil {
		return fmt.Errorf("Invalid JSON schema for '%s': %w", name, s.broken) //nolint:staticcheck // shown to users as it is
	}
	err := s.compiled.Validate(plain(v))
	if err == nil {
		return nil
	}
	ve, ok := err.(*jsonschema.ValidationError) //nolint:errorlint // Validate returns nothing else
	if !ok {
		return fmt.Errorf("JSON object for '%s' does not match schema: %w", name, err)
	}
	leaf := shallowest(ve)
	return fmt.Errorf("JSON object for '%s' does not match schema: %s", name, text(leaf, v)) //nolint:staticcheck // the contract's text
}

// shallowest returns the first of the errors that are nearest to the root.
func shallowest(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return e
	}
	var best *jsonschema.ValidationError
	for _, c := range e.Causes {
		if l := shallowest(c); best == nil || len(l.InstanceLocation) < len(best.InstanceLocation) {
			best = l
		}
	}
	return best
}

// text says what is wrong in the words that the contract's validator uses.
func text(e *jsonschema.ValidationError, root any) string {
	at := value.Repr(dig(root, e.InstanceLocation))
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		quoted := make([]string, len(k.Want))
		for i, w := range k.Want {
			quoted[i] = "'" + w + "'"
		}
		return at + " is not of type " + strings.Join(quoted, ", ")
	case *kind.Required:
		return value.Repr(k.Missing[0]) + " is a required property"
	case *kind.Enum:
		return at + " is not one of " + value.Repr(value.From(k.Want))
	case *kind.Const:
		return value.Repr(value.From(k.Want)) + " was expected"
	case *kind.Minimum:
		want, _ := k.Want.Float64()
		return at + " is less than the minimum of " + number(want)
	case *kind.Maximum:
		want, _ := k.Want.Float64()
		return at + " is greater than the maximum of " + number(want)
	case *kind.MinLength, *kind.MinItems:
		return at + " is too short"
	case *kind.MaxLength, *kind.MaxItems:
		return at + " is too long"
	case *kind.Pattern:
		return at + " does not match " + value.Repr(k.Want)
	case *kind.UniqueItems:
		return at + " has non-unique elements"
	case *kind.AdditionalProperties:
		quoted := make([]string, len(k.Properties))
		for i, p := range k.Properties {
			quoted[i] = value.Repr(p)
		}
		verb := "was"
		if len(quoted) > 1 {
			verb = "were"
		}
		return "Additional properties are not allowed (" + strings.Join(quoted, ", ") + " " + verb + " unexpected)"
	}
	return at + " is not valid under the given schema"
}

func number(f float64) string {
	if f == float64(int64(f)) {
		return strconv.FormatInt(int64(f), 10)
	}
	return value.FloatText(f)
}

func dig(v any, path []string) any {
	for _, key := range path {
		switch t := v.(type) {
		case *value.Object:
			v = t.Value(key)
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(t) {
				return nil
			}
			v = t[i]
		default:
			return nil
		}
	}
	return v
}

// plain is the form that the validator reads.
func plain(v any) any {
	switch v := v.(type) {
	case *value.Object:
		out := make(map[string]any, v.Len())
		for k, x := range v.All() {
			out[k] = plain(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = plain(x)
		}
		return out
	case *big.Int:
		return json.Number(v.String())
	}
	return v
}
