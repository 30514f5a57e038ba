package loop

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The types of loop variables; arrays are "array[<type>]".
const (
	typeString  = "string"
	typeNumber  = "number"
	typeObject  = "object"
	typeBoolean = "boolean"
)

// variable is a loop variable: its constant, or the selector of its start value.
type variable struct {
	label, kind string
	constant    bool
	value       any
	selector    workflow.Selector
}

func parseVariables(v any) ([]variable, error) {
	list, _ := v.([]any)
	out := make([]variable, 0, len(list))
	for _, item := range list {
		o, ok := item.(*value.Object)
		if !ok {
			return nil, fmt.Errorf("a loop variable must be an object")
		}
		lv := variable{label: o.String("label"), kind: o.String("var_type"), value: o.Value("value")}
		if lv.label == "" {
			return nil, fmt.Errorf("a loop variable needs a label")
		}
		switch strings.TrimSuffix(strings.TrimPrefix(lv.kind, "array["), "]") {
		case typeString, typeNumber, typeObject, typeBoolean:
		default:
			return nil, fmt.Errorf("loop variable %s has the unknown type %q", lv.label, lv.kind)
		}
		switch kind := o.String("value_type"); kind {
		case "constant":
			lv.constant = true
		case "variable":
			lv.selector = workflow.SelectorFrom(lv.value)
		default:
			return nil, fmt.Errorf("invalid value type '%s' for loop variable %s", kind, lv.label)
		}
		out = append(out, lv)
	}
	return out, nil
}

// start returns the value that the variable has before the first pass.
func (v variable) start(pool *workflow.Pool) (any, error) {
	if !v.constant {
		got, ok := pool.Get(v.selector)
		if !ok {
			return nil, fmt.Errorf("Invalid value for loop variable %s", v.label) //nolint:staticcheck // the contract's text
		}
		return got, nil
	}
	return v.parse()
}

// parse reads a constant. Editors store all but strings as JSON text, and an
// array that nothing was typed into as anything.
func (v variable) parse() (any, error) {
	constant := v.value
	switch v.kind {
	case "array[string]", "array[number]", "array[object]":
		text, ok := constant.(string)
		if !ok || text == "" {
			return []any{}, nil
		}
		list, err := value.Decode([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("The value of loop variable %s is no JSON: %w", v.label, err) //nolint:staticcheck // shown to users
		}
		constant = list
	default:
		if v.fits(constant) {
			return constant, nil
		}
		if text, ok := constant.(string); ok {
			if parsed, err := value.Decode([]byte(text)); err == nil {
				constant = parsed
			}
		}
	}
	if !v.fits(constant) {
		return nil, fmt.Errorf("The value of loop variable %s must be of type %s, not %s", v.label, v.kind, value.Repr(constant)) //nolint:staticcheck // shown to users
	}
	return constant, nil
}

func (v variable) fits(x any) bool {
	kind, array := strings.CutPrefix(v.kind, "array[")
	if !array {
		return fits(kind, x)
	}
	list, ok := x.([]any)
	for _, item := range list {
		ok = ok && fits(strings.TrimSuffix(kind, "]"), item)
	}
	return ok
}

func fits(kind string, x any) bool {
	ok := false
	switch kind {
	case typeString:
		_, ok = x.(string)
	case typeBoolean:
		_, ok = x.(bool)
	case typeObject:
		_, ok = x.(*value.Object)
	case typeNumber:
		switch x.(type) {
		case int64, float64, *big.Int:
			ok = true
		}
	}
	return ok
}
