package condition

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

// The operators.
const (
	Contains       = "contains"
	NotContains    = "not contains"
	StartWith      = "start with"
	EndWith        = "end with"
	Is             = "is"
	IsNot          = "is not"
	Empty          = "empty"
	NotEmpty       = "not empty"
	In             = "in"
	NotIn          = "not in"
	AllOf          = "all of"
	Equal          = "="
	NotEqual       = "≠"
	Greater        = ">"
	Less           = "<"
	GreaterOrEqual = "≥"
	LessOrEqual    = "≤"
	Null           = "null"
	NotNull        = "not null"
	Exists         = "exists"
	NotExists      = "not exists"
)

// The contract's texts for values that an operator cannot work on.
var (
	errStringOrArray = errors.New("Invalid actual value type: string or array")   //nolint:staticcheck
	errString        = errors.New("Invalid actual value type: string")            //nolint:staticcheck
	errStringOrBool  = errors.New("Invalid actual value type: string or boolean") //nolint:staticcheck
	errNumber        = errors.New("Invalid actual value type: number")            //nolint:staticcheck
	errWantString    = errors.New("Invalid expected value type: string")          //nolint:staticcheck
	errWantArray     = errors.New("Invalid expected value type: array")           //nolint:staticcheck
)

// Compare applies an operator. Expected is nil, text, a boolean or a list.
func Compare(actual any, operator string, expected any) (bool, error) {
	switch operator {
	case Contains:
		return contains(actual, expected)
	case NotContains:
		r, err := contains(actual, expected)
		return !r, err
	case StartWith, EndWith:
		return affix(actual, operator, expected)
	case Is, IsNot:
		return is(actual, operator, expected)
	case Empty:
		return !truthy(actual), nil
	case NotEmpty:
		return truthy(actual), nil
	case In, NotIn:
		list, ok := expected.([]any)
		if !truthy(actual) {
			return operator == NotIn, nil
		}
		if !ok {
			return false, errWantArray
		}
		return holds(list, actual) == (operator == In), nil
	case AllOf:
		return allOf(actual, expected)
	case Equal, NotEqual:
		if actual == nil {
			return false, nil
		}
		eq, err := numberEqual(actual, expected)
		return err == nil && eq == (operator == Equal), err
	case Greater, Less, GreaterOrEqual, LessOrEqual:
		return order(actual, operator, expected)
	case Null, NotExists:
		return actual == nil, nil
	case NotNull, Exists:
		return actual != nil, nil
	}
	return false, fmt.Errorf("Unsupported operator: %s", operator) //nolint:staticcheck // shown to users as it is
}

// truthy is Python's idea of it.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int64:
		return v != 0
	case float64:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case []any:
		return len(v) > 0
	case *value.Object:
		return v.Len() > 0
	}
	return true
}

func contains(actual, expected any) (bool, error) {
	if !truthy(actual) {
		return false, nil
	}
	switch a := actual.(type) {
	case string:
		e, ok := expected.(string)
		if !ok {
			return false, errWantString
		}
		return strings.Contains(a, e), nil
	case []any:
		return holds(a, expected), nil
	}
	return false, errStringOrArray
}

func affix(actual any, operator string, expected any) (bool, error) {
	if !truthy(actual) {
		return false, nil
	}
	a, ok := actual.(string)
	if !ok {
		return false, errString
	}
	e, ok := expected.(string)
	if !ok {
		return false, errWantString
	}
	if operator == StartWith {
		return strings.HasPrefix(a, e), nil
	}
	return strings.HasSuffix(a, e), nil
}

func is(actual any, operator string, expected any) (bool, error) {
	switch actual.(type) {
	case nil:
		return false, nil
	case string, bool:
		return same(actual, expected) == (operator == Is), nil
	}
	return false, errStringOrBool
}

func allOf(actual, expected any) (bool, error) {
	if !truthy(actual) {
		return false, nil
	}
	list, ok := expected.([]any)
	if !ok {
		return false, errWantArray
	}
	for _, e := range list {
		switch a := actual.(type) {
		case []any:
			if !holds(a, e) {
				return false, nil
			}
		case string:
			s, ok := e.(string)
			if !ok {
				return false, errWantString
			}
			if !strings.Contains(a, s) {
				return false, nil
			}
		default:
			return false, errStringOrArray
		}
	}
	return true, nil
}

func holds(list []any, v any) bool {
	for _, x := range list {
		if same(x, v) {
			return true
		}
	}
	return false
}

// same compares as Python's == does, numbers across their types.
func same(a, b any) bool {
	x, ok1 := float(a)
	y, ok2 := float(b)
	if ok1 || ok2 {
		return ok1 && ok2 && x == y
	}
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case *value.Object:
		b, ok := b.(*value.Object)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for k, v := range a.All() {
			if w, ok := b.Get(k); !ok || !same(v, w) {
				return false
			}
		}
		return true
	case *value.File:
		b, ok := b.(*value.File)
		return ok && *a == *b
	}
	return a == b
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	}
	return 0, false
}

// numberEqual reads the expected value as the type that the actual one has: an
// integer is not compared with "1.5", which is an error.
func numberEqual(actual, expected any) (bool, error) {
	switch a := actual.(type) {
	case int64, *big.Int, bool:
		e, err := toInt(expected)
		if err != nil {
			return false, err
		}
		return integer(a).Cmp(e) == 0, nil
	case float64:
		e, err := toFloat(expected)
		if err != nil {
			return false, err
		}
		return a == e, nil
	}
	return false, errNumber
}

func integer(v any) *big.Int {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v)
	case *big.Int:
		return v
	case bool:
		if v {
			return big.NewInt(1)
		}
	}
	return new(big.Int)
}

// toInt is Python's int().
func toInt(v any) (*big.Int, error) {
	switch v := v.(type) {
	case bool, int64, *big.Int:
		return integer(v), nil
	case float64:
		n, _ := big.NewFloat(math.Trunc(v)).Int(nil)
		return n, nil
	case string:
		s := strings.ReplaceAll(strings.TrimSpace(v), "_", "")
		if n, ok := new(big.Int).SetString(strings.TrimPrefix(s, "+"), 10); ok {
			return n, nil
		}
		return nil, fmt.Errorf("invalid literal for int() with base 10: %s", value.Repr(v))
	}
	return nil, errWantNumber(v)
}

// toFloat is Python's float().
func toFloat(v any) (float64, error) {
	if f, ok := float(v); ok {
		return f, nil
	}
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f, nil
		}
		return 0, fmt.Errorf("could not convert string to float: %s", value.Repr(s))
	}
	return 0, errWantNumber(v)
}

func errWantNumber(v any) error {
	return fmt.Errorf("Cannot convert %s to number", value.Repr(v)) //nolint:staticcheck // the contract's text
}

func order(actual any, operator string, expected any) (bool, error) {
	if actual == nil {
		return false, nil
	}
	var cmp int
	e, err := toFloat(expected)
	if err != nil {
		if _, ok := float(actual); !ok {
			return false, errNumber
		}
		return false, errWantNumber(expected)
	}
	switch a := actual.(type) {
	case int64, *big.Int, bool:
		if n, err := toInt(expected); err == nil && e == math.Trunc(e) {
			cmp = integer(a).Cmp(n)
			break
		}
		f, _ := float(a)
		cmp = compareFloats(f, e)
	case float64:
		cmp = compareFloats(a, e)
	default:
		return false, errNumber
	}
	if math.IsNaN(e) {
		return false, nil
	}
	switch operator {
	case Greater:
		return cmp > 0, nil
	case Less:
		return cmp < 0, nil
	case GreaterOrEqual:
		return cmp >= 0, nil
	}
	return cmp <= 0, nil
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
