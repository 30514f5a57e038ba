// Package listoperator is the list-operator node: it filters, picks, sorts and
// cuts an array, in that order.
//
// It does not know the conditions of if-else: the contract gives list filters
// rules of their own.
package listoperator

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Name is the DSL's type string.
const Name = "list-operator"

const errorType = "ListOperatorError"

type nodeType struct{}

// New returns the node type.
func New() workflow.Type { return nodeType{} }

func (nodeType) Name() string        { return Name }
func (nodeType) Kind() workflow.Kind { return workflow.KindExecutable }
func (nodeType) Effect() bool        { return false }

type condition struct {
	key      string
	operator string
	value    any
}

type node struct {
	variable   workflow.Selector
	filter     []condition
	extract    []workflow.Segment
	orderKey   string
	descending bool
	doOrder    bool
	limit      int // -1 when there is none
}

// New reads the configuration.
func (nodeType) New(cfg *workflow.NodeConfig) (workflow.Node, error) {
	n := &node{variable: workflow.SelectorFrom(cfg.Data.Value("variable")), limit: -1}
	if o := section(cfg.Data, "filter_by"); o != nil {
		list, _ := o.Value("conditions").([]any)
		for _, item := range list {
			c, ok := item.(*value.Object)
			if !ok {
				return nil, fmt.Errorf("node %s: a filter condition must be an object", cfg.ID)
			}
			op := c.String("comparison_operator")
			if op == "" {
				op = "contains"
			}
			n.filter = append(n.filter, condition{key: c.String("key"), operator: op, value: c.Value("value")})
		}
	}
	if o := section(cfg.Data, "extract_by"); o != nil {
		serial := "1"
		if v := o.Value("serial"); v != nil {
			serial = value.Str(v)
		}
		n.extract = workflow.ParseTemplate(serial)
	}
	if o := section(cfg.Data, "order_by"); o != nil {
		n.doOrder, n.orderKey, n.descending = true, o.String("key"), o.String("value") == "desc"
	}
	if o := section(cfg.Data, "limit"); o != nil {
		if size, ok := o.Value("size").(int64); ok {
			n.limit = int(size)
		}
	}
	return n, nil
}

// section returns a part of the configuration that is switched on.
func section(data *value.Object, key string) *value.Object {
	o, _ := data.Value(key).(*value.Object)
	if on, _ := o.Value("enabled").(bool); !on {
		return nil
	}
	return o
}

// Run applies the four steps.
func (n *node) Run(_ context.Context, x *workflow.Execution) (*workflow.Result, error) {
	v, ok := x.Pool.Get(n.variable)
	if !ok {
		return &workflow.Result{}, fail("Variable not found for selector: %s", selectorText(n.variable))
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return &workflow.Result{}, fail("Variable %s is not an array", selectorText(n.variable))
	}
	if list == nil {
		list = []any{}
	}
	res := &workflow.Result{
		Inputs: value.Obj("variable", list), ProcessData: value.Obj("variable", list),
	}
	out, err := n.apply(list, x.Pool)
	if err != nil {
		return res, err
	}
	var first, last any
	if len(out) > 0 {
		first, last = out[0], out[len(out)-1]
	}
	res.Outputs = value.Obj("result", out, "first_record", first, "last_record", last)
	return res, nil
}

func (n *node) apply(list []any, pool *workflow.Pool) ([]any, error) {
	out := append([]any{}, list...)
	if len(out) == 0 {
		return out, nil
	}
	for _, c := range n.filter {
		test, err := c.compile(list, pool) // not out, in which nothing may be left
		if err != nil {
			return nil, err
		}
		kept := []any{}
		for _, item := range out {
			ok, err := test(item)
			if err != nil {
				return nil, err
			}
			if ok {
				kept = append(kept, item)
			}
		}
		out = kept
	}
	if n.extract != nil {
		text := workflow.Render(n.extract, pool, value.Text)
		serial, err := strconv.Atoi(strings.TrimSpace(text))
		switch {
		case err != nil:
			return nil, fail("Invalid serial index: %s", text)
		case serial < 1:
			return nil, fail("Invalid serial index: must be >= 1, got %d", serial)
		case serial > len(out):
			return nil, fail("Invalid serial index: must be <= %d, got %d", len(out), serial)
		}
		out = []any{out[serial-1]}
	}
	if n.doOrder {
		if err := n.order(out); err != nil {
			return nil, err
		}
	}
	if n.limit >= 0 && n.limit < len(out) {
		out = out[:n.limit]
	}
	return out, nil
}

func (n *node) order(list []any) error {
	keys := make(map[int]any, len(list))
	idx := make([]int, len(list))
	for i, item := range list {
		idx[i] = i
		k := item
		if f, ok := item.(*value.File); ok {
			if k, ok = f.Attribute(n.orderKey); !ok {
				return fail("Invalid order key: %s", n.orderKey)
			}
		}
		keys[i] = k
	}
	var bad error
	sort.SliceStable(idx, func(a, b int) bool {
		x, y := keys[idx[a]], keys[idx[b]]
		if n.descending {
			x, y = y, x
		}
		less, err := lessThan(x, y)
		if err != nil {
			bad = err
		}
		return less
	})
	sorted := make([]any, len(list))
	for i, k := range idx {
		sorted[i] = list[k]
	}
	copy(list, sorted)
	return bad
}

func lessThan(x, y any) (bool, error) {
	if a, ok := x.(string); ok {
		if b, ok := y.(string); ok {
			return a < b, nil
		}
	}
	a, ok1 := number(x)
	b, ok2 := number(y)
	if !ok1 || !ok2 {
		return false, fail("Cannot sort %s with %s", value.Repr(x), value.Repr(y))
	}
	return a.Cmp(b) < 0, nil
}

// compile returns the test of one condition for a list: the kind of its items
// decides which operators there are.
func (c condition) compile(list []any, pool *workflow.Pool) (func(any) (bool, error), error) {
	want := c.value
	if s, ok := want.(string); ok {
		want = workflow.RenderText(s, pool)
	}
	switch list[0].(type) {
	case *value.File:
		return c.fileTest(want)
	case bool:
		w, ok := want.(bool)
		if !ok {
			parsed, err := strconv.ParseBool(value.Str(want))
			if err != nil {
				return nil, fail("Invalid filter value: %s", value.Repr(want))
			}
			w = parsed
		}
		switch c.operator {
		case "is":
			return func(v any) (bool, error) { return v == w, nil }, nil
		case "is not":
			return func(v any) (bool, error) { return v != w, nil }, nil
		}
		return nil, fail("Invalid filter condition: %s", c.operator)
	case string:
		s, ok := want.(string)
		if !ok {
			return nil, fail("Invalid filter value: %s", value.Repr(want))
		}
		test, err := textTest(c.operator, s)
		if err != nil {
			return nil, err
		}
		return func(v any) (bool, error) { return test(value.Str(v)), nil }, nil
	default:
		s, ok := want.(string)
		if !ok {
			return nil, fail("Invalid filter value: %s", value.Repr(want))
		}
		return numberTest(c.operator, s)
	}
}

func textTest(op, want string) (func(string) bool, error) {
	switch op {
	case "contains":
		return func(s string) bool { return strings.Contains(s, want) }, nil
	case "not contains":
		return func(s string) bool { return !strings.Contains(s, want) }, nil
	case "start with":
		return func(s string) bool { return strings.HasPrefix(s, want) }, nil
	case "end with":
		return func(s string) bool { return strings.HasSuffix(s, want) }, nil
	case "is":
		return func(s string) bool { return s == want }, nil
	case "is not":
		return func(s string) bool { return s != want }, nil
	case "in": // the contract looks for the item inside the text
		return func(s string) bool { return strings.Contains(want, s) }, nil
	case "not in":
		return func(s string) bool { return !strings.Contains(want, s) }, nil
	case "empty":
		return func(s string) bool { return s == "" }, nil
	case "not empty":
		return func(s string) bool { return s != "" }, nil
	}
	return nil, fail("Invalid filter condition: %s", op)
}

func numberTest(op, want string) (func(any) (bool, error), error) {
	w, ok := new(big.Float).SetString(strings.TrimSpace(want))
	if !ok {
		return nil, fail("Invalid filter value: %s", value.Repr(want))
	}
	accept, ok := map[string]func(cmp int) bool{
		"=": func(c int) bool { return c == 0 }, "≠": func(c int) bool { return c != 0 },
		"<": func(c int) bool { return c < 0 }, ">": func(c int) bool { return c > 0 },
		"≤": func(c int) bool { return c <= 0 }, "≥": func(c int) bool { return c >= 0 },
	}[op]
	if !ok {
		return nil, fail("Invalid filter condition: %s", op)
	}
	return func(v any) (bool, error) {
		n, ok := number(v)
		if !ok {
			return false, fail("Cannot compare %s with a number", value.Repr(v))
		}
		return accept(n.Cmp(w)), nil
	}, nil
}

func (c condition) fileTest(want any) (func(any) (bool, error), error) {
	attribute := func(v any) any {
		f, ok := v.(*value.File)
		if !ok {
			return nil
		}
		a, _ := f.Attribute(c.key)
		return a
	}
	switch c.key {
	case "type", "transfer_method":
		options, ok := want.([]any)
		if !ok || (c.operator != "in" && c.operator != "not in") {
			return nil, fail("Invalid filter value: %s", value.Repr(want))
		}
		in := c.operator == "in"
		return func(v any) (bool, error) {
			a := attribute(v)
			for _, o := range options {
				if o == a {
					return in, nil
				}
			}
			return !in, nil
		}, nil
	case "size":
		s, ok := want.(string)
		if !ok {
			return nil, fail("Invalid filter value: %s", value.Repr(want))
		}
		test, err := numberTest(c.operator, s)
		if err != nil {
			return nil, err
		}
		return func(v any) (bool, error) { return test(attribute(v)) }, nil
	case "name", "extension", "mime_type", "url", "related_id":
		s, ok := want.(string)
		if !ok {
			return nil, fail("Invalid filter value: %s", value.Repr(want))
		}
		test, err := textTest(c.operator, s)
		if err != nil {
			return nil, err
		}
		return func(v any) (bool, error) { return test(value.Text(attribute(v))), nil }, nil
	}
	return nil, fail("Invalid key: %s", c.key)
}

func number(v any) (*big.Float, bool) {
	switch n := v.(type) {
	case int64:
		return new(big.Float).SetInt64(n), true
	case float64:
		if math.IsNaN(n) { // which big numbers do not have
			return nil, false
		}
		return big.NewFloat(n), true
	case *big.Int:
		return new(big.Float).SetInt(n), true
	case bool:
		if n {
			return big.NewFloat(1), true
		}
		return new(big.Float), true
	}
	return nil, false
}

func selectorText(s workflow.Selector) string {
	list := make([]any, len(s))
	for i, part := range s {
		list[i] = part
	}
	return value.Repr(list)
}

func fail(format string, args ...any) *workflow.Failure {
	return workflow.Fail(errorType, fmt.Sprintf(format, args...))
}
