package jinja

import (
	"math/big"
	"strings"
)

func builtinTests() map[string]*function {
	m := map[string]*function{}
	def := func(sig string, hidden int, fn func(it *interp, a []any) bool, names ...string) {
		f := &function{name: sig[:strings.IndexByte(sig, '(')], sig: parseSignature(sig, hidden),
			fn: func(it *interp, a []any, _ []kwArg) any { return fn(it, a) }}
		for _, n := range names {
			m[n] = f
		}
	}
	parity := func(want int) func(it *interp, a []any) bool {
		return func(it *interp, a []any) bool {
			return it.equal(it.binary("mod", a[0], 2), want)
		}
	}
	def("test_odd(value)", 0, parity(1), "odd")
	def("test_even(value)", 0, parity(0), "even")
	def("test_divisibleby(value, num)", 0, func(it *interp, a []any) bool {
		return it.equal(it.binary("mod", a[0], a[1]), 0)
	}, "divisibleby")
	def("test_defined(value)", 0, func(_ *interp, a []any) bool { return !isUndefined(a[0]) }, "defined")
	def("test_undefined(value)", 0, func(_ *interp, a []any) bool { return isUndefined(a[0]) }, "undefined")
	def("test_filter(value)", 1, func(it *interp, a []any) bool {
		s, _ := hashKey(a[0]).(string)
		return it.t.env.filters[s] != nil
	}, "filter")
	def("test_test(value)", 1, func(it *interp, a []any) bool {
		s, _ := hashKey(a[0]).(string)
		return it.t.env.tests[s] != nil
	}, "test")
	def("test_none(value)", 0, func(_ *interp, a []any) bool { return a[0] == none{} }, "none")
	def("test_boolean(value)", 0, func(_ *interp, a []any) bool { _, ok := a[0].(bool); return ok }, "boolean")
	def("test_false(value)", 0, func(_ *interp, a []any) bool { return a[0] == false }, "false")
	def("test_true(value)", 0, func(_ *interp, a []any) bool { return a[0] == true }, "true")
	def("test_integer(value)", 0, func(_ *interp, a []any) bool {
		switch a[0].(type) {
		case int, *big.Int:
			return true
		}
		return false
	}, "integer")
	def("test_float(value)", 0, func(_ *interp, a []any) bool { _, ok := a[0].(float64); return ok }, "float")
	def("test_lower(value)", 0, func(it *interp, a []any) bool { return caseTest(it.str(a[0]), false) }, "lower")
	def("test_upper(value)", 0, func(it *interp, a []any) bool { return caseTest(it.str(a[0]), true) }, "upper")
	def("test_string(value)", 0, func(_ *interp, a []any) bool { _, ok := strOf(a[0]); return ok }, "string")
	def("test_mapping(value)", 0, func(_ *interp, a []any) bool { _, ok := a[0].(*dict); return ok }, "mapping")
	def("test_number(value)", 0, func(_ *interp, a []any) bool { return isNumber(a[0]) }, "number")
	def("test_sequence(value)", 0, func(_ *interp, a []any) bool {
		_, view := a[0].(*dictView)
		return lenOf(a[0]) >= 0 && !view
	}, "sequence")
	def("test_sameas(value, other)", 0, func(it *interp, a []any) bool { return it.same(a[0], a[1]) }, "sameas")
	def("test_iterable(value)", 0, func(_ *interp, a []any) bool { return iterOf(a[0]) != nil }, "iterable")
	def("test_escaped(value)", 0, func(_ *interp, a []any) bool { _, ok := a[0].(markup); return ok }, "escaped")
	def("test_in(value, seq)", 0, func(it *interp, a []any) bool { return it.contains(a[0], a[1]) }, "in")
	def("callable(obj)", 0, func(_ *interp, a []any) bool { return isCallable(a[0]) }, "callable")
	m["callable"].sig.native = true
	def("eq(a, b)", 0, func(it *interp, a []any) bool { return it.equal(a[0], a[1]) }, "==", "eq", "equalto")
	def("ne(a, b)", 0, func(it *interp, a []any) bool { return !it.equal(a[0], a[1]) }, "!=", "ne")
	def("gt(a, b)", 0, func(it *interp, a []any) bool { return it.order("gt", a[0], a[1]) }, ">", "gt", "greaterthan")
	def("ge(a, b)", 0, func(it *interp, a []any) bool { return it.order("gteq", a[0], a[1]) }, ">=", "ge")
	def("lt(a, b)", 0, func(it *interp, a []any) bool { return it.order("lt", a[0], a[1]) }, "<", "lt", "lessthan")
	def("le(a, b)", 0, func(it *interp, a []any) bool { return it.order("lteq", a[0], a[1]) }, "<=", "le")
	for _, n := range []string{"eq", "ne", "gt", "ge", "lt", "le"} {
		m[n].sig.native = true // shared by their other names
	}
	return m
}

func isUndefined(v any) bool {
	_, ok := v.(*undefined)
	return ok
}
