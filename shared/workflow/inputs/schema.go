package inputs

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/shared/workflow/jsonschema"
	"github.com/millrace/millrace/shared/workflow/value"
)

// schema is a compiled JSON schema, or why it could not be compiled.
type schema struct {
	compiled *jsonschema.Schema
	broken   error
}

// newSchema compiles the schema of a variable: an object, or its JSON text.
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
	compiled, err := jsonschema.Compile(v)
	return &schema{compiled: compiled, broken: err}
}

func (s *schema) check(name string, v any) error {
	if s.broken != nil {
		return fmt.Errorf("Invalid JSON schema for '%s': %w", name, s.broken) //nolint:staticcheck // shown to users as it is
	}
	if err := s.compiled.Validate(v); err != nil {
		return fmt.Errorf("JSON object for '%s' does not match schema: %w", name, err) //nolint:staticcheck // the contract's text
	}
	return nil
}
