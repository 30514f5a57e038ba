package jsonschema

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Error is one way in which a value does not match.
type Error struct {
	// Message says what is wrong.
	Message string
	// Path leads to the value: keys and indexes.
	Path []any

	format  string
	args    []any
	keyword string
	schema  any
	value   any
	// context is why each of several alternatives was refused.
	context []*Error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Validate returns nil or what is wrong: an *Error, or another error when the
// check would not end.
func (s *Schema) Validate(v any) error {
	c := &checker{s: s}
	found := c.check(s.root, v, 0)
	if c.failed != nil {
		return c.failed
	}
	if best := best(found); best != nil {
		best.Message = fmt.Sprintf(best.format, best.args...)
		return best
	}
	return nil
}

type checker struct {
	s      *Schema
	steps  int
	failed error
}

// keyword checks one keyword's argument; schema holds its neighbours.
type keyword func(c *checker, arg any, schema *value.Object, v any, depth int) []*Error

func keywordFor(name string) keyword {
	switch name {
	case "$ref":
		return ref
	case "type":
		return typeOf
	case "enum":
		return enum
	case "const":
		return constant
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		return bound(name)
	case "multipleOf":
		return multipleOf
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties":
		return size(name)
	case "pattern":
		return pattern
	case "uniqueItems":
		return uniqueItems
	case "items":
		return items
	case "additionalItems":
		return additionalItems
	case "contains":
		return contains
	case "required":
		return required
	case "properties":
		return properties
	case "patternProperties":
		return patternProperties
	case "additionalProperties":
		return additionalProperties
	case "propertyNames":
		return propertyNames
	case "dependencies":
		return dependencies
	case "allOf":
		return allOf
	case "anyOf":
		return anyOf
	case "oneOf":
		return oneOf
	case "not":
		return not
	case "if":
		return condition
	}
	return nil
}

// check returns every error, in the order of the schema's keywords.
func (c *checker) check(schema, v any, depth int) []*Error {
	c.steps++
	if c.failed != nil || depth > maxDepth || c.steps > maxSteps {
		c.failed = errTooMuch
		return nil
	}
	o, ok := schema.(*value.Object)
	if !ok {
		if schema == false {
			found := fail("False schema does not allow %s", quoted{v})
			found[0].schema, found[0].value = schema, v
			return found
		}
		return nil
	}
	if arg, ok := o.Get("$ref"); ok {
		return c.apply("$ref", arg, o, v, depth) // neighbours of a reference do not count
	}
	var out []*Error
	for name, arg := range o.All() {
		out = append(out, c.apply(name, arg, o, v, depth)...)
	}
	return out
}

func (c *checker) apply(name string, arg any, schema *value.Object, v any, depth int) []*Error {
	check := keywordFor(name)
	if check == nil {
		return nil
	}
	found := check(c, arg, schema, v, depth+1)
	for _, e := range found {
		if e.keyword == "" && e.schema == nil { // made here, not further down
			e.keyword, e.schema, e.value = name, schema, v
		}
	}
	return found
}

// at applies a schema to a part of the value.
func (c *checker) at(schema, v any, step any, depth int) []*Error {
	found := c.check(schema, v, depth)
	for _, e := range found {
		e.Path = append([]any{step}, e.Path...)
	}
	return found
}

// fail makes an error. Its text is written when it turns out to be the best one:
// values may be large and errors many.
func fail(format string, args ...any) []*Error {
	return []*Error{{format: format, args: args}}
}

// quoted is written as the contract shows values.
type quoted struct{ v any }

func (q quoted) String() string { return value.Repr(q.v) }

func ref(c *checker, arg any, _ *value.Object, v any, depth int) []*Error {
	target, err := c.s.resolve(arg.(string))
	if err != nil {
		c.failed = err
		return nil
	}
	return c.check(target, v, depth)
}

func hasType(v any, name string) bool {
	switch t := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case int64, *big.Int:
		return name == "integer" || name == "number"
	case float64:
		return name == "number" || name == "integer" && t == math.Trunc(t) && !math.IsInf(t, 0)
	case []any:
		return name == "array"
	case *value.Object, *value.File:
		return name == "object"
	}
	return false
}

func typeOf(_ *checker, arg any, _ *value.Object, v any, _ int) []*Error {
	names := list(arg)
	for _, n := range names {
		if hasType(v, n.(string)) {
			return nil
		}
	}
	return fail("%s is not of type %s", quoted{v}, reprs(names))
}

func list(arg any) []any {
	if l, ok := arg.([]any); ok {
		return l
	}
	return []any{arg}
}

// reprs is written as the values with commas between them.
type reprs []any

func (r reprs) String() string {
	out := make([]string, len(r))
	for i, x := range r {
		out[i] = value.Repr(x)
	}
	return strings.Join(out, ", ")
}

func enum(_ *checker, arg any, _ *value.Object, v any, _ int) []*Error {
	if slices.ContainsFunc(arg.([]any), func(x any) bool { return equal(x, v) }) {
		return nil
	}
	return fail("%s is not one of %s", quoted{v}, quoted{arg})
}

func constant(_ *checker, arg any, _ *value.Object, v any, _ int) []*Error {
	if equal(arg, v) {
		return nil
	}
	return fail("%s was expected", quoted{arg})
}

// equal compares JSON values: numbers by value, objects without their order.
func equal(a, b any) bool {
	if x, ok := rational(a); ok {
		y, ok := rational(b)
		return ok && x.Cmp(y) == 0
	}
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	case *value.Object:
		y, ok := b.(*value.Object)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for k, v := range x.All() {
			if w, have := y.Get(k); !have || !equal(v, w) {
				return false
			}
		}
		return true
	case nil, bool, string:
		return a == b
	}
	return false
}

func bound(name string) keyword {
	return func(_ *checker, arg any, _ *value.Object, v any, _ int) []*Error {
		n, ok := rational(v)
		limit, _ := rational(arg)
		if !ok || limit == nil {
			return nil
		}
		cmp := n.Cmp(limit)
		switch {
		case name == "minimum" && cmp < 0:
			return fail("%s is less than the minimum of %s", quoted{v}, quoted{arg})
		case name == "maximum" && cmp > 0:
			return fail("%s is greater than the maximum of %s", quoted{v}, quoted{arg})
		case name == "exclusiveMinimum" && cmp <= 0:
			return fail("%s is less than or equal to the minimum of %s", quoted{v}, quoted{arg})
		case name == "exclusiveMaximum" && cmp >= 0:
			return fail("%s is greater than or equal to the maximum of %s", quoted{v}, quoted{arg})
		}
		return nil
	}
}

func multipleOf(_ *checker, arg any, _ *value.Object, v any, _ int) []*Error {
	n, ok := rational(v)
	by, _ := rational(arg)
	if !ok || by == nil {
		return nil
	}
	_, whole := arg.(int64)
	if f, isFloat := v.(float64); isFloat || !whole {
		// Tenths have no exact binary form: divide the way the contract does, in floats.
		if !isFloat {
			f, _ = n.Float64()
		}
		g, _ := by.Float64()
		if q := f / g; q == math.Trunc(q) {
			return nil
		}
	} else if new(big.Rat).Quo(n, by).IsInt() {
		return nil
	}
	return fail("%s is not a multiple of %s", quoted{v}, quoted{arg})
}

func size(name string) keyword {
	return func(_ *checker, arg any, _ *value.Object, v any, _ int) []*Error {
		var n int
		short, long := "is too short", "is too long"
		switch t := v.(type) {
		case string:
			if !strings.HasSuffix(name, "Length") {
				return nil
			}
			n = utf8.RuneCountInString(t)
		case []any:
			if !strings.HasSuffix(name, "Items") {
				return nil
			}
			n = len(t)
		case *value.Object:
			if !strings.HasSuffix(name, "Properties") {
				return nil
			}
			n, short, long = t.Len(), "does not have enough properties", "has too many properties"
		default:
			return nil
		}
		limit, _ := rational(arg)
		cmp := new(big.Rat).SetInt64(int64(n)).Cmp(limit)
		switch {
		case strings.HasPrefix(name, "min") && cmp < 0:
			if limit.Cmp(big.NewRat(1, 1)) == 0 {
				short = "should be non-empty"
			}
			return fail("%s %s", quoted{v}, short)
		case strings.HasPrefix(name, "max") && cmp > 0:
			if limit.Sign() == 0 {
				long = "is expected to be empty"
			}
			return fail("%s %s", quoted{v}, long)
		}
		return nil
	}
}

func pattern(c *checker, arg any, _ *value.Object, v any, _ int) []*Error {
	text, ok := v.(string)
	if !ok || c.s.patterns[arg.(string)].MatchString(text) {
		return nil
	}
	return fail("%s does not match %s", quoted{v}, quoted{arg})
}

func uniqueItems(c *checker, arg any, _ *value.Object, v any, _ int) []*Error {
	l, ok := v.([]any)
	if !ok || arg != true {
		return nil
	}
	for i, x := range l {
		if c.steps += i; c.steps > maxSteps {
			c.failed = errTooMuch
			return nil
		}
		if slices.ContainsFunc(l[:i], func(y any) bool { return equal(x, y) }) {
			return fail("%s has non-unique elements", quoted{v})
		}
	}
	return nil
}
