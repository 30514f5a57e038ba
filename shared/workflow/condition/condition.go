// Package condition evaluates the conditions of if-else nodes, loop breaks and
// list filters: a variable, an operator and an expected value, joined by "and"
// or "or". Error texts are the contract's.
//
// It decides nothing about what follows; see node/ifelse. START HERE: Parse
// and Group.Evaluate; Compare is the operator table alone.
package condition

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Condition tests one variable.
type Condition struct {
	Selector workflow.Selector
	Operator string
	// Expected is a template, a list of texts, or a boolean.
	Expected any
	// Sub holds the conditions on the attributes of each file of a list.
	Sub *Sub

	template []workflow.Segment // of Expected, when that is text
}

// Sub are conditions on the attributes of files.
type Sub struct {
	LogicalOperator string
	Conditions      []SubCondition
}

// SubCondition tests one attribute of each file.
type SubCondition struct {
	Key      string
	Operator string
	Expected any
}

// Group is a list of conditions that are joined by LogicalOperator.
type Group struct {
	LogicalOperator string
	Conditions      []Condition
}

// Outcome is what evaluating a group showed.
type Outcome struct {
	// Inputs are the {actual_value, expected_value, comparison_operator} of the
	// conditions that were looked at.
	Inputs []any
	// Results of the conditions that were looked at.
	Results []bool
	Final   bool
}

// Parse reads a list of conditions as the DSL has it.
func Parse(v any) ([]Condition, error) {
	list, _ := v.([]any)
	out := make([]Condition, 0, len(list))
	for _, item := range list {
		o, ok := item.(*value.Object)
		if !ok {
			return nil, fmt.Errorf("a condition must be an object")
		}
		c := Condition{
			Selector: workflow.SelectorFrom(o.Value("variable_selector")),
			Operator: o.String("comparison_operator"), Expected: o.Value("value"),
		}
		if s, ok := c.Expected.(string); ok {
			c.template = workflow.ParseTemplate(s)
		}
		if sub, ok := o.Value("sub_variable_condition").(*value.Object); ok {
			c.Sub = parseSub(sub)
		}
		out = append(out, c)
	}
	return out, nil
}

func parseSub(o *value.Object) *Sub {
	sub := &Sub{LogicalOperator: o.String("logical_operator")}
	list, _ := o.Value("conditions").([]any)
	for _, item := range list {
		if c, ok := item.(*value.Object); ok {
			sub.Conditions = append(sub.Conditions, SubCondition{
				Key: c.String("key"), Operator: c.String("comparison_operator"), Expected: c.Value("value"),
			})
		}
	}
	return sub
}

// Object returns the condition as it is shown in process data.
func (c Condition) Object() *value.Object {
	var sub any
	if c.Sub != nil {
		list := make([]any, len(c.Sub.Conditions))
		for i, s := range c.Sub.Conditions {
			list[i] = value.Obj("key", s.Key, "comparison_operator", s.Operator, "value", s.Expected)
		}
		sub = value.Obj("logical_operator", c.Sub.LogicalOperator, "conditions", list)
	}
	return value.Obj("variable_selector", selectorValue(c.Selector), "comparison_operator", c.Operator,
		"value", c.Expected, "sub_variable_condition", sub)
}

func selectorValue(s workflow.Selector) []any {
	out := make([]any, len(s))
	for i, part := range s {
		out[i] = part
	}
	return out
}

// Evaluate looks at the conditions in order: "and" stops at the first that is
// false, "or" at the first that is true. A group without conditions is true
// for "and" and false for "or".
func (g Group) Evaluate(pool *workflow.Pool) (Outcome, error) {
	and := g.LogicalOperator != "or"
	out := Outcome{Final: and}
	for _, c := range g.Conditions {
		result, input, err := c.evaluate(pool)
		if err != nil {
			return out, err
		}
		if input != nil {
			out.Inputs = append(out.Inputs, input)
		}
		out.Results = append(out.Results, result)
		out.Final = result
		if result != and {
			return out, nil
		}
	}
	return out, nil
}

func (c Condition) evaluate(pool *workflow.Pool) (result bool, input *value.Object, err error) {
	actual, ok := pool.Get(c.Selector)
	if !ok {
		return false, nil, fmt.Errorf("Variable %s not found", value.Repr(selectorValue(c.Selector))) //nolint:staticcheck // the contract's text
	}
	if files, ok := fileList(actual); ok {
		switch c.Operator {
		case Contains, NotContains, AllOf:
			if c.Sub == nil {
				return false, nil, fmt.Errorf("Sub variable is required") //nolint:staticcheck // the contract's text
			}
			result, err = c.Sub.evaluate(files)
			return result, nil, err
		}
	}
	expected := c.Expected
	switch c.Operator {
	case Exists, NotExists:
		expected = nil
	default:
		if _, ok := expected.(string); ok {
			expected = workflow.Render(c.template, pool, value.Text)
		}
		if isBooleans(actual) {
			if expected, err = booleans(expected, c.Operator); err != nil {
				return false, nil, err
			}
		}
		input = value.Obj("actual_value", actual, "expected_value", expected, "comparison_operator", c.Operator)
	}
	result, err = Compare(actual, c.Operator, expected)
	return result, input, err
}

// fileList returns the files of a list that holds nothing else.
func fileList(v any) ([]*value.File, bool) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, false
	}
	files := make([]*value.File, len(list))
	for i, x := range list {
		if files[i], ok = x.(*value.File); !ok {
			return nil, false
		}
	}
	return files, true
}

// evaluate tests the attributes of files: a condition holds when any file has
// it, or for operators with "not" when all do.
func (s *Sub) evaluate(files []*value.File) (bool, error) {
	and := s.LogicalOperator != "or"
	final := and
	for _, c := range s.Conditions {
		expected := c.Expected
		if text, ok := expected.(string); ok && c.Key == "extension" && text != "" && !strings.HasPrefix(text, ".") {
			expected = "." + text
		}
		all := strings.Contains(c.Operator, "not")
		held := all
		for _, f := range files {
			attr, ok := f.Attribute(c.Key)
			if !ok {
				return false, fmt.Errorf("'%s' is not a valid FileAttribute", c.Key)
			}
			r, err := Compare(attr, c.Operator, expected)
			if err != nil {
				return false, err
			}
			if r != all {
				held = r
				break
			}
		}
		if held != and {
			return held, nil
		}
		final = held
	}
	return final, nil
}

func isBooleans(v any) bool {
	switch v := v.(type) {
	case bool:
		return true
	case []any:
		for _, x := range v {
			if _, ok := x.(bool); !ok {
				return false
			}
		}
		return len(v) > 0
	}
	return false
}

// booleans turns what the DSL compares a boolean with into one: true and 1,
// also as text. Operators that compare with nothing take anything.
func booleans(v any, operator string) (any, error) {
	switch operator {
	case Empty, NotEmpty, Null, NotNull:
		return v, nil
	}
	switch v := v.(type) {
	case bool, nil:
		return v, nil
	case int64:
		return v != 0, nil
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			b, err := booleans(x, operator)
			if err != nil {
				return nil, err
			}
			out[i] = b
		}
		return out, nil
	case string:
		switch decoded, _ := value.Decode([]byte(v)); d := decoded.(type) {
		case bool:
			return d, nil
		case int64:
			if d == 0 || d == 1 {
				return d == 1, nil
			}
		}
	}
	return nil, fmt.Errorf("unexpected value for a boolean: %s", value.Repr(v))
}
