package parameterextractor

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The types of parameters; arrays are "array[<type>]".
const (
	typeString  = "string"
	typeNumber  = "number"
	typeBoolean = "boolean"
	typeObject  = "object"
)

// parameter is something to find in the text.
type parameter struct {
	name, kind, description string
	required                bool
	options                 []any // nil: any text
}

// element is the type of an array's elements.
func (p parameter) element() (kind string, array bool) {
	kind, array = strings.CutPrefix(p.kind, "array[")
	return strings.TrimSuffix(kind, "]"), array
}

func parseParameters(v any) ([]parameter, error) {
	list, _ := v.([]any)
	out := make([]parameter, 0, len(list))
	for _, item := range list {
		o, ok := item.(*value.Object)
		if !ok {
			return nil, fmt.Errorf("a parameter must be an object")
		}
		p := parameter{name: o.String("name"), kind: o.String("type"), description: o.String("description")}
		p.required, _ = o.Value("required").(bool)
		p.options, _ = o.Value("options").([]any)
		switch p.kind {
		case "select":
			p.kind = typeString
		case "bool":
			p.kind = typeBoolean
		}
		switch p.name {
		case "":
			return nil, fmt.Errorf("a parameter needs a name")
		case outSuccess, outReason:
			return nil, fmt.Errorf("the parameter name %s is taken", p.name)
		}
		switch kind, array := p.element(); {
		case kind == typeString, kind == typeNumber, kind == typeBoolean, array && kind == typeObject:
		default:
			return nil, fmt.Errorf("parameter %s has the unknown type %q", p.name, p.kind)
		}
		out = append(out, p)
	}
	return out, nil
}

// shown is the parameter in the node's inputs.
func (p parameter) shown() *value.Object {
	o := value.Obj("name", p.name, "type", p.kind, "options", nil, "description", p.description, "required", p.required)
	if p.options != nil {
		o.Set("options", p.options)
	}
	return o
}

// schema is the JSON Schema of all parameters.
func schema(params []parameter) *value.Object {
	props, required := value.NewObject(len(params)), []any{}
	for _, p := range params {
		o := value.Obj("description", p.description, "type", p.kind)
		if kind, array := p.element(); array {
			o.Set("type", "array")
			o.Set("items", value.Obj("type", kind))
		}
		if len(p.options) > 0 {
			o.Set("enum", p.options)
		}
		props.Set(p.name, o)
		if p.required {
			required = append(required, p.name)
		}
	}
	return value.Obj("type", "object", "properties", props, "required", required)
}

// function is the tool that the model is to call.
func function(params []parameter) (tool llm.Tool, shown *value.Object) {
	s := schema(params)
	m, _ := plain(s).(map[string]any)
	tool = llm.Tool{Name: functionName, Description: functionDescription, Parameters: m}
	return tool, value.Obj("name", tool.Name, "description", tool.Description, "parameters", s)
}

// plain turns objects into maps.
func plain(v any) any {
	switch v := v.(type) {
	case *value.Object:
		m := make(map[string]any, v.Len())
		for k, x := range v.All() {
			m[k] = plain(x)
		}
		return m
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = plain(x)
		}
		return out
	}
	return v
}

// nothing is what an answer without parameters counts as: lists are missing.
func nothing(params []parameter) *value.Object {
	out := value.NewObject(len(params))
	for _, p := range params {
		if _, array := p.element(); !array {
			out.Set(p.name, p.empty())
		}
	}
	return out
}

// empty is the value of a parameter that was not found.
func (p parameter) empty() any {
	switch p.kind {
	case typeString:
		return ""
	case typeNumber:
		return int64(0)
	case typeBoolean:
		return false
	}
	return []any{}
}

// check says what is wrong with the answer in the words of the contract, ""
// when nothing is.
func check(params []parameter, got *value.Object) string {
	if got.Len() != len(params) {
		return "Invalid number of parameters"
	}
	for _, p := range params {
		v, ok := got.Get(p.name)
		if p.required && !ok {
			return fmt.Sprintf("Parameter %s is required", p.name)
		}
		if !p.accepts(v) {
			kind, class := kindOf(v)
			return fmt.Sprintf("Invalid value for parameter %s, expected segment type: %s, actual_type: %s, python_type: <class '%s'>, value: %s",
				p.name, p.kind, kind, class, value.Str(v))
		}
		if p.kind == typeString && len(p.options) > 0 && !slices.Contains(p.options, v) {
			return fmt.Sprintf("Invalid `select` value for parameter %s", p.name)
		}
	}
	return ""
}

func (p parameter) accepts(v any) bool {
	kind, array := p.element()
	if !array {
		return accepts(kind, v)
	}
	list, ok := v.([]any)
	for _, item := range list {
		ok = ok && accepts(kind, item)
	}
	return ok
}

func accepts(kind string, v any) bool {
	switch v.(type) {
	case string:
		return kind == typeString
	case bool:
		return kind == typeBoolean || kind == typeNumber // a number in the contract's eyes too
	case int64, float64, *big.Int:
		return kind == typeNumber
	case *value.Object:
		return kind == typeObject
	}
	return false
}

// kindOf names the type of a value, and what it is called in messages.
func kindOf(v any) (kind, class string) {
	switch v := v.(type) {
	case nil:
		return "none", "NoneType"
	case string:
		return typeString, "str"
	case bool:
		return typeBoolean, "bool"
	case int64, *big.Int:
		return "integer", "int"
	case float64:
		return "float", "float"
	case []any:
		return listKind(v), "list"
	}
	return typeObject, "dict"
}

func listKind(list []any) string {
	kind := ""
	for _, item := range list {
		k, _ := kindOf(item)
		if k == "integer" || k == "float" {
			k = typeNumber
		}
		if kind != "" && k != kind {
			return "array[any]"
		}
		kind = k
	}
	switch kind {
	case typeString, typeNumber, typeObject, typeBoolean:
		return "array[" + kind + "]"
	}
	return "array[any]"
}

// take brings what was found into the types of the parameters. What does not
// fit is left out, what is missing is empty.
func take(params []parameter, got *value.Object) *value.Object {
	out := value.NewObject(len(params))
	for _, p := range params {
		v, _ := got.Get(p.name)
		kind, array := p.element()
		if !array {
			if taken, ok := convert(kind, v); ok {
				out.Set(p.name, taken)
			} else {
				out.Set(p.name, p.empty())
			}
			continue
		}
		list, _ := v.([]any)
		kept := make([]any, 0, len(list))
		for _, item := range list {
			if _, isBool := item.(bool); kind == typeBoolean && !isBool {
				continue
			}
			if taken, ok := convert(kind, item); ok {
				kept = append(kept, taken)
			}
		}
		out.Set(p.name, kept)
	}
	return out
}

func convert(kind string, v any) (any, bool) {
	switch kind {
	case typeString:
		s, ok := v.(string)
		return s, ok
	case typeNumber:
		return number(v)
	case typeObject:
		o, ok := v.(*value.Object)
		return o, ok
	case typeBoolean:
		switch b := v.(type) {
		case bool:
			return b, true
		case int64:
			return b != 0, true
		}
	}
	return nil, false
}

func number(v any) (any, bool) {
	switch n := v.(type) {
	case bool:
		if n {
			return int64(1), true
		}
		return int64(0), true
	case int64, float64, *big.Int:
		return n, true
	case string:
		text := strings.TrimSpace(n)
		if strings.Contains(text, ".") {
			f, err := strconv.ParseFloat(text, 64)
			return f, err == nil
		}
		if _, ok := new(big.Int).SetString(text, 10); ok {
			return value.Number(strings.TrimPrefix(text, "+")), true
		}
	}
	return nil, false
}

// results is the whole answer of a node.
func results(found *value.Object, reason any, usage *value.Object) *value.Object {
	out := value.NewObject(found.Len() + 3)
	for k, v := range found.All() {
		out.Set(k, v)
	}
	success := int64(1)
	if reason != nil {
		success = 0
	}
	out.Set(outSuccess, success)
	out.Set(outReason, reason)
	out.Set(outUsage, usage)
	return out
}

// failed are the outputs of a node that could not ask.
func failed(f *workflow.Failure) *value.Object {
	return value.Obj(outSuccess, int64(0), outReason, "Failed to invoke model", outError, f.Message)
}
