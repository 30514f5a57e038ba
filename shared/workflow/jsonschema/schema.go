package jsonschema

import (
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	// maxDepth bounds how deep schemas apply each other, which may be in circles.
	maxDepth = 256
	// maxSteps bounds one validation: alternatives of alternatives multiply.
	maxSteps = 300_000
)

// errTooMuch is the answer to schemas that go round in circles.
var errTooMuch = errors.New("the schema refers to itself without end or takes too long to check")

// Schema is a compiled schema. It does not change.
type Schema struct {
	root     any
	patterns map[string]*regexp.Regexp
	anchors  map[string]any
}

// Compile reads a schema, which is an object or a bool in the form of package
// value, and refuses one that is no valid draft 7 schema.
func Compile(v any) (*Schema, error) {
	s := &Schema{root: v, patterns: map[string]*regexp.Regexp{}, anchors: map[string]any{}}
	if err := s.inspect(v, 0); err != nil {
		return nil, err
	}
	if err := s.references(v, 0); err != nil {
		return nil, err
	}
	return s, nil
}

// inspect checks the shape of a schema and of those in it.
func (s *Schema) inspect(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the schema is nested deeper than %d levels", maxDepth)
	}
	if _, ok := v.(bool); ok {
		return nil
	}
	o, ok := v.(*value.Object)
	if !ok {
		return fmt.Errorf("%s is not of type 'object', 'boolean'", value.Repr(v))
	}
	if id, ok := o.Value("$id").(string); ok && strings.HasPrefix(id, "#") {
		s.anchors[id] = o
	}
	for key, arg := range o.All() {
		check := shapeOf(key)
		if check == nil {
			continue
		}
		if err := check(s, arg, depth+1); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

type shape func(s *Schema, arg any, depth int) error

// shapeOf returns the check of what may stand behind a keyword.
func shapeOf(keyword string) shape {
	switch keyword {
	case "$ref", "$id":
		return isText
	case "type":
		return isType
	case "enum":
		return isList
	case "multipleOf":
		return isPositive
	case "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum":
		return isNumber
	case "maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties":
		return isCount
	case "pattern":
		return isPattern
	case "uniqueItems":
		return isBool
	case "required":
		return isTexts
	case "items":
		return isSchemaOrList
	case "additionalItems", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else":
		return isSchema
	case "allOf", "anyOf", "oneOf":
		return isSchemas
	case "properties", "definitions":
		return isSchemaMap
	case "patternProperties":
		return isPatternMap
	case "dependencies":
		return isDependencies
	}
	return nil
}

func wrong(v any, want string) error {
	return fmt.Errorf("%s is not of type '%s'", value.Repr(v), want)
}

func isText(_ *Schema, v any, _ int) error {
	if _, ok := v.(string); !ok {
		return wrong(v, "string")
	}
	return nil
}

func isBool(_ *Schema, v any, _ int) error {
	if _, ok := v.(bool); !ok {
		return wrong(v, "boolean")
	}
	return nil
}

func isList(_ *Schema, v any, _ int) error {
	if _, ok := v.([]any); !ok {
		return wrong(v, "array")
	}
	return nil
}

func isNumber(_ *Schema, v any, _ int) error {
	if !hasType(v, "number") {
		return wrong(v, "number")
	}
	return nil
}

func isPositive(_ *Schema, v any, _ int) error {
	if n, ok := rational(v); !ok {
		return wrong(v, "number")
	} else if n.Sign() <= 0 {
		return fmt.Errorf("%s is less than or equal to the minimum of 0", value.Repr(v))
	}
	return nil
}

func isCount(_ *Schema, v any, _ int) error {
	n, ok := rational(v)
	if !ok || !n.IsInt() {
		return wrong(v, "integer")
	}
	if n.Sign() < 0 {
		return fmt.Errorf("%s is less than the minimum of 0", value.Repr(v))
	}
	return nil
}

func isTexts(_ *Schema, v any, _ int) error {
	list, ok := v.([]any)
	if !ok {
		return wrong(v, "array")
	}
	for i, x := range list {
		if _, ok := x.(string); !ok {
			return wrong(x, "string")
		}
		for _, y := range list[:i] {
			if x == y {
				return fmt.Errorf("%s has non-unique elements", value.Repr(v))
			}
		}
	}
	return nil
}

func isType(_ *Schema, v any, _ int) error {
	list := list(v)
	if len(list) == 0 {
		return errors.New("[] should be non-empty")
	}
	for i, x := range list {
		if slices.ContainsFunc(list[:i], func(y any) bool { return equal(x, y) }) {
			return fmt.Errorf("%s has non-unique elements", value.Repr(v))
		}
		name, _ := x.(string)
		switch name {
		case "array", "boolean", "integer", "null", "number", "object", "string":
		default:
			return fmt.Errorf("%s is not valid under any of the given schemas", value.Repr(v))
		}
	}
	return nil
}

func isPattern(s *Schema, v any, _ int) error {
	text, ok := v.(string)
	if !ok {
		return wrong(v, "string")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return fmt.Errorf("%s is not a 'regex'", value.Repr(v))
	}
	s.patterns[text] = re
	return nil
}

func isSchema(s *Schema, v any, depth int) error { return s.inspect(v, depth) }

func isSchemas(s *Schema, v any, depth int) error {
	list, ok := v.([]any)
	if !ok {
		return wrong(v, "array")
	}
	if len(list) == 0 {
		return errors.New("[] should be non-empty")
	}
	for _, x := range list {
		if err := s.inspect(x, depth); err != nil {
			return err
		}
	}
	return nil
}

func isSchemaOrList(s *Schema, v any, depth int) error {
	if _, ok := v.([]any); ok {
		return isSchemas(s, v, depth)
	}
	return s.inspect(v, depth)
}

func isSchemaMap(s *Schema, v any, depth int) error {
	o, ok := v.(*value.Object)
	if !ok {
		return wrong(v, "object")
	}
	for _, x := range o.All() {
		if err := s.inspect(x, depth); err != nil {
			return err
		}
	}
	return nil
}

func isPatternMap(s *Schema, v any, depth int) error {
	if err := isSchemaMap(s, v, depth); err != nil {
		return err
	}
	for key := range v.(*value.Object).All() {
		if err := isPattern(s, key, depth); err != nil {
			return err
		}
	}
	return nil
}

func isDependencies(s *Schema, v any, depth int) error {
	o, ok := v.(*value.Object)
	if !ok {
		return wrong(v, "object")
	}
	for _, x := range o.All() {
		var err error
		if _, list := x.([]any); list {
			err = isTexts(s, x, depth)
		} else {
			err = s.inspect(x, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// references checks that every reference leads to a schema; they may lead
// forward, so this comes after everything is known.
func (s *Schema) references(v any, depth int) error {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if err := s.references(x, depth+1); err != nil {
				return err
			}
		}
	case *value.Object:
		if ref, ok := v.Value("$ref").(string); ok {
			target, err := s.resolve(ref)
			if err != nil {
				return err
			}
			return s.inspect(target, depth)
		}
		for key, x := range v.All() {
			if key == "enum" || key == "const" || key == "default" || key == "examples" {
				continue // data, whatever it looks like
			}
			if err := s.references(x, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolve returns what a reference within the document stands for.
func (s *Schema) resolve(ref string) (any, error) {
	if target, ok := s.anchors[ref]; ok {
		return target, nil
	}
	refused := fmt.Errorf("a schema may not refer to %s", ref)
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, refused
	}
	if pointer == "" {
		return s.root, nil
	}
	pointer, err := url.PathUnescape(pointer)
	if err != nil || !strings.HasPrefix(pointer, "/") {
		return nil, refused
	}
	at := s.root
	for _, token := range strings.Split(pointer[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch t := at.(type) {
		case *value.Object:
			next, ok := t.Get(token)
			if !ok {
				return nil, refused
			}
			at = next
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(t) {
				return nil, refused
			}
			at = t[i]
		default:
			return nil, refused
		}
	}
	return at, nil
}

// rational returns a number exactly.
func rational(v any) (*big.Rat, bool) {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v), true
	case *big.Int:
		return new(big.Rat).SetInt(v), true
	case float64:
		r := new(big.Rat).SetFloat64(v)
		return r, r != nil
	}
	return nil, false
}
