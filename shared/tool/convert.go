package tool

import (
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The types of parameters.
const (
	TypeString        = "string"
	TypeNumber        = "number"
	TypeBoolean       = "boolean"
	TypeSelect        = "select"
	TypeSecret        = "secret-input"
	TypeFile          = "file"
	TypeFiles         = "files"
	TypeSystemFiles   = "system-files" // old name of files
	TypeCheckbox      = "checkbox"
	TypeAppSelector   = "app-selector"
	TypeModelSelector = "model-selector"
	TypeAny           = "any"
	TypeDynamicSelect = "dynamic-select"
	TypeDate          = "date"
	TypeDateRange     = "date-range"
	TypeArray         = "array"
	TypeObject        = "object"
)

func invalid(p Parameter, want string) error {
	return errs.Newf(errs.InvalidParam, "The value of the tool parameter %s must be %s.", p.Name, want)
}

// Convert brings a value into the type of a parameter.
func Convert(p Parameter, v any) (any, error) {
	switch p.Type {
	case TypeString, TypeSecret, TypeSelect, TypeCheckbox, TypeDynamicSelect:
		if list, ok := v.([]any); ok && p.Multiple {
			return list, nil
		}
		if v == nil {
			return "", nil
		}
		return value.Str(v), nil
	case TypeBoolean:
		return truth(v), nil
	case TypeNumber:
		return number(p, v)
	case TypeFiles, TypeSystemFiles:
		if list, ok := v.([]any); ok || v == nil {
			return list, nil
		}
		return []any{v}, nil
	case TypeFile:
		if list, ok := v.([]any); ok {
			if len(list) != 1 {
				return nil, invalid(p, "exactly one file")
			}
			return list[0], nil
		}
	case TypeAppSelector, TypeModelSelector:
		if _, ok := v.(*value.Object); !ok {
			return nil, invalid(p, "an object")
		}
	case TypeDate:
		return date(p, v)
	case TypeDateRange:
		return dateRange(p, v)
	case TypeArray:
		if list, ok := decoded(v).([]any); ok {
			return list, nil
		}
		return []any{v}, nil
	case TypeObject:
		if o, ok := decoded(v).(*value.Object); ok {
			return o, nil
		}
		return value.NewObject(0), nil
	}
	return v, nil
}

// decoded reads text as JSON; other values and other text stay as they are.
func decoded(v any) any {
	if text, ok := v.(string); ok {
		if parsed, err := value.Decode([]byte(text)); err == nil {
			return parsed
		}
	}
	return v
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		switch strings.ToLower(v) {
		case "false", "no", "n", "0", "":
			return false
		}
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

func number(p Parameter, v any) (any, error) {
	text, ok := v.(string)
	if !ok {
		switch v.(type) {
		case nil, int64, float64, *big.Int, bool:
			return v, nil
		}
		return nil, invalid(p, "a number")
	}
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	if strings.Contains(text, ".") {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f, nil
		}
	} else if _, ok := new(big.Int).SetString(text, 10); ok {
		return value.Number(strings.TrimPrefix(text, "+")), nil
	}
	return nil, invalid(p, "a number")
}

// isDate reports whether text is a day as YYYY-MM-DD.
func isDate(v any) bool {
	text, ok := v.(string)
	if !ok {
		return false
	}
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

func date(p Parameter, v any) (any, error) {
	if v == nil || v == "" {
		return "", nil
	}
	if !isDate(v) {
		return nil, invalid(p, "a date like 2006-01-02")
	}
	return v, nil
}

func dateRange(p Parameter, v any) (any, error) {
	if v == nil || v == "" {
		return value.NewObject(0), nil
	}
	if isDate(v) {
		return value.Obj("start", v), nil
	}
	given, ok := decoded(v).(*value.Object)
	if !ok {
		return nil, invalid(p, "a range of dates")
	}
	out := value.NewObject(2)
	for _, key := range []string{"start", "end"} {
		day := given.Value(key)
		if day == nil || day == "" {
			continue
		}
		if !isDate(day) {
			return nil, invalid(p, "a range of dates like 2006-01-02")
		}
		out.Set(key, day)
	}
	if out.Len() == 2 && out.String("start") > out.String("end") {
		return nil, errs.New(errs.InvalidParam, "The date-range start date must not be after the end date.")
	}
	return out, nil
}
