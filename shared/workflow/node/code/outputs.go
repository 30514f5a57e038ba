package code

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// schema is a declared object: its members in order. A nil schema accepts any
// members that the limits allow.
type schema struct {
	fields []field
}

type field struct {
	name, kind string
	children   *schema
}

func parseSchema(o *value.Object) *schema {
	s := &schema{}
	for name, v := range o.All() {
		cfg, _ := v.(*value.Object)
		f := field{name: name, kind: cfg.String("type")}
		if children, ok := cfg.Value("children").(*value.Object); ok && children != nil {
			f.children = parseSchema(children)
		}
		s.fields = append(s.fields, f)
	}
	return s
}

// checker checks a result and brings it into the form of the declared outputs.
// Its messages are the contract's, which show through in error branches.
type checker struct {
	limits Limits
}

func invalid(format string, args ...any) *workflow.Failure {
	return workflow.Fail(typeValidation, fmt.Sprintf(format, args...))
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// object checks the members of o against s, or against the limits alone.
func (c checker) object(o *value.Object, s *schema, prefix string, depth int) (*value.Object, error) {
	if depth > c.limits.Depth {
		return nil, workflow.Fail(typeDepth, fmt.Sprintf("Depth limit %d reached, object too deep.", c.limits.Depth))
	}
	if s == nil {
		return c.anyObject(o, prefix, depth)
	}
	out := value.NewObject(len(s.fields))
	for _, f := range s.fields {
		name := join(prefix, f.name)
		v, ok := o.Get(f.name)
		if !ok {
			return nil, invalid("Output %s is missing.", name)
		}
		checked, err := c.field(v, f, name, depth)
		if err != nil {
			return nil, err
		}
		out.Set(f.name, checked)
	}
	if out.Len() != o.Len() {
		return nil, workflow.Fail(typeNode, "Not all output parameters are validated.")
	}
	return out, nil
}

func (c checker) field(v any, f field, name string, depth int) (any, error) {
	switch f.kind {
	case "string":
		return c.text(v, name)
	case "number":
		return c.number(v, name)
	case "boolean":
		return c.boolean(v, name)
	case "object":
		switch o := v.(type) {
		case nil:
			return nil, nil
		case *value.Object:
			return c.object(o, f.children, name, depth+1)
		}
		return nil, invalid("Output %s is not an object, got %s instead.", name, class(v))
	case "array[string]", "array[number]", "array[object]", "array[boolean]":
		list, ok := v.([]any)
		switch {
		case v == nil:
			return nil, nil
		case !ok:
			return nil, invalid("Output %s is not an array, got %s instead.", name, class(v))
		}
		return c.array(list, f, name, depth)
	}
	return nil, invalid("Output type %s is not supported.", f.kind)
}

func (c checker) array(list []any, f field, name string, depth int) (any, error) {
	kind := strings.TrimSuffix(strings.TrimPrefix(f.kind, "array["), "]")
	limit := map[string]int{"string": c.limits.StringArray, "number": c.limits.NumberArray, "object": c.limits.ObjectArray}[kind]
	if limit > 0 && len(list) > limit {
		return nil, invalid("The length of output variable `%s` must be less than %d elements.", name, limit)
	}
	out := make([]any, len(list))
	for i, v := range list {
		at := name + "[" + strconv.Itoa(i) + "]"
		var err error
		switch kind {
		case "number":
			if !isNumber(v) {
				return nil, invalid("The element at index %d of output variable `%s` must be a number.", i, name)
			}
			out[i], err = c.number(v, at)
		case "string":
			out[i], err = c.text(v, at)
		case "boolean":
			out[i], err = c.boolean(v, at)
		default:
			switch o := v.(type) {
			case nil:
			case *value.Object:
				out[i], err = c.object(o, f.children, at, depth+1)
			default:
				err = invalid("Output %s is not an object, got %s instead at index %d.", at, class(v), i)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// anyObject checks an object that declares no members.
func (c checker) anyObject(o *value.Object, prefix string, depth int) (*value.Object, error) {
	out := value.NewObject(o.Len())
	for key, v := range o.All() {
		name := join(prefix, key)
		var checked any
		var err error
		switch v := v.(type) {
		case *value.Object:
			checked, err = c.object(v, nil, name, depth+1)
		case []any:
			checked, err = c.anyArray(v, name, depth)
		case string:
			checked, err = c.text(v, name)
		case bool, nil:
			checked = v
		default:
			checked, err = c.number(v, name)
		}
		if err != nil {
			return nil, err
		}
		out.Set(key, checked)
	}
	return out, nil
}

// anyArray checks an undeclared array: after the first element, which decides
// the kind, every element must be of that kind or null.
func (c checker) anyArray(list []any, name string, depth int) (any, error) {
	if len(list) == 0 || list[0] == nil {
		return list, nil
	}
	var same func(any) bool
	switch list[0].(type) {
	case string:
		same = func(v any) bool { _, ok := v.(string); return ok }
	case *value.Object:
		same = func(v any) bool { _, ok := v.(*value.Object); return ok }
	case []any:
		same = func(v any) bool { _, ok := v.([]any); return ok }
	default:
		same = isNumber
	}
	for _, v := range list {
		if v != nil && !same(v) {
			return nil, invalid("Output %s is not a valid array. make sure all elements are of the same type.", name)
		}
	}
	out := make([]any, len(list))
	for i, v := range list {
		at := name + "[" + strconv.Itoa(i) + "]"
		var err error
		switch v := v.(type) {
		case nil:
		case bool:
			out[i] = v
		case string:
			out[i], err = c.text(v, at)
		case *value.Object:
			out[i], err = c.object(v, nil, at, depth+1)
		case []any: // nothing of the contract takes lists of lists
			if depth+1 > c.limits.Depth {
				err = workflow.Fail(typeDepth, fmt.Sprintf("Depth limit %d reached, object too deep.", c.limits.Depth))
			} else {
				err = workflow.Fail(typeUnexpected, "'list' object has no attribute 'items'")
			}
		default:
			out[i], err = c.number(v, at)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c checker) text(v any, name string) (any, error) {
	if v == nil {
		return nil, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, invalid("Output %s must be a string, got %s instead.", name, pythonType(v))
	}
	if utf8.RuneCountInString(s) > c.limits.StringLength {
		return nil, invalid("The length of output variable `%s` must be less than %d characters", name, c.limits.StringLength)
	}
	return strings.ReplaceAll(s, "\x00", ""), nil // the database takes no NUL
}

func (c checker) boolean(v any, name string) (any, error) {
	if _, ok := v.(bool); !ok && v != nil {
		return nil, invalid("Output %s is not a boolean, got %s instead.", name, class(v))
	}
	return v, nil
}

func (c checker) number(v any, name string) (any, error) {
	low, high := c.limits.MinNumber, c.limits.MaxNumber
	var inside bool
	switch n := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if n {
			return int64(1), nil
		}
		return int64(0), nil
	case int64:
		inside = n >= low && n <= high
	case *big.Int:
		inside = n.Cmp(big.NewInt(low)) >= 0 && n.Cmp(big.NewInt(high)) <= 0
	case float64:
		f := big.NewFloat(n)
		inside = f.Cmp(new(big.Float).SetInt64(low)) >= 0 && f.Cmp(new(big.Float).SetInt64(high)) <= 0
	default:
		return nil, invalid("Output %s is not a number, got %s instead.", name, class(v))
	}
	if !inside {
		return nil, invalid("Output variable `%s` is out of range, it must be between %d and %d.", name, low, high)
	}
	if f, ok := v.(float64); ok && decimals(f) > c.limits.Precision {
		return nil, invalid("Output variable `%s` has too high precision, it must be less than %d digits.", name, c.limits.Precision)
	}
	return v, nil
}

// decimals counts the decimal places of the shortest text of f.
func decimals(f float64) int {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	_, places, _ := strings.Cut(text, ".")
	return len(places)
}

func isNumber(v any) bool {
	switch v.(type) {
	case bool, int64, float64, *big.Int: // a Python bool is an int
		return true
	}
	return false
}

func class(v any) string { return "<class '" + pythonType(v) + "'>" }

func pythonType(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case string:
		return "str"
	case float64:
		return "float"
	case []any:
		return "list"
	case *value.Object, *value.File:
		return "dict"
	default:
		return "int"
	}
}
