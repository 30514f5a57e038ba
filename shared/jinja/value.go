package jinja

import (
	"math/big"
	"unicode/utf8"
)

// Values are Go interfaces holding one of: none, bool, int, *big.Int, float64,
// string, markup, *list, *tuple, *dict, *undefined, *rangeObj, *dictView,
// *generator or one of the callables and helpers below. A nil interface is
// never a value: it marks "not set".
type (
	none   struct{}
	markup string // text marked safe for HTML

	list struct{ items []any }

	// tuple; name is set for groupby results, whose fields have names.
	tuple struct {
		items  []any
		fields [2]string
	}

	undefined struct {
		hint string
		obj  any // nil when a plain name was missing
		name any // string or the element asked for
		kind string
	}

	rangeObj struct{ start, stop, step, n int }

	dictView struct {
		d    *dict
		kind string // keys, values or items
	}

	// generator is a lazy sequence; typ is its Python type name.
	generator struct {
		typ  string
		name string
		next func() (any, bool)
	}

	kwArg struct {
		name string
		val  any
	}

	// function is a builtin: a filter, test, global or method.
	function struct {
		name string
		sig  *signature // nil: fn checks its own arguments
		fn   func(it *interp, args []any, kw []kwArg) any
	}

	// method is a builtin bound to its object.
	method struct {
		self any
		name string
		fn   methodFunc
	}

	methodFunc func(it *interp, self any, args []any, kw []kwArg) any

	namespace struct{ attrs *dict }

	cycler struct {
		items []any
		pos   int
	}

	joiner struct {
		sep  any
		used bool
	}

	macro struct {
		def        *macroDef
		scope      *scope
		autoescape bool
	}

	loopCtx struct {
		iter    iterator
		src     any
		recurse func(src any, depth int) any
		depth0  int
		index0  int
		length  int // -1: not known yet
		after   any
		before  any
		current any
		changed []any
		fresh   bool // changed has never been called
	}

	blockRef struct{ stmt *blockStmt }

	templateRef struct{}
)

func typeName(v any) string {
	switch v := v.(type) {
	case none:
		return "NoneType"
	case bool:
		return "bool"
	case int, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case *list:
		return "list"
	case *tuple:
		if v.fields[0] != "" {
			return "_GroupTuple"
		}
		return "tuple"
	case *dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case *rangeObj:
		return "range"
	case *dictView:
		return "dict_" + v.kind
	case *generator:
		return v.typ
	case *function:
		if v.name == "dict" || v.name == "cycler" || v.name == "joiner" || v.name == "namespace" {
			return "type"
		}
		return "function"
	case *method:
		return "builtin_function_or_method"
	case *namespace:
		return "Namespace"
	case *cycler:
		return "Cycler"
	case *joiner:
		return "Joiner"
	case *macro:
		return "Macro"
	case *loopCtx:
		return "LoopContext"
	case *blockRef:
		return "BlockReference"
	case *templateRef:
		return "TemplateReference"
	}
	return "object"
}

// objectTypeRepr names a value in messages about missing attributes.
func objectTypeRepr(v any) string {
	switch v := v.(type) {
	case none:
		return "None"
	case markup:
		return "markupsafe.Markup object"
	case *tuple:
		if v.fields[0] != "" {
			return "jinja2.filters._GroupTuple object"
		}
	case *namespace, *cycler, *joiner:
		return "jinja2.utils." + typeName(v) + " object"
	case *macro, *loopCtx, *blockRef, *templateRef:
		return "jinja2.runtime." + typeName(v) + " object"
	}
	return typeName(v) + " object"
}

func undefinedName(name string) *undefined { return &undefined{name: name} }

func undefinedHint(hint string) *undefined { return &undefined{hint: hint} }

func undefinedAttr(obj, name any) *undefined { return &undefined{obj: obj, name: name} }

func (u *undefined) message() string {
	if u.hint != "" {
		return u.hint
	}
	name, isStr := u.name.(string)
	if u.obj == nil {
		return reprString(name) + " is undefined"
	}
	if !isStr {
		return objectTypeRepr(u.obj) + " has no element " + safeRepr(u.name)
	}
	return reprString(objectTypeRepr(u.obj)) + " has no attribute " + reprString(name)
}

func (u *undefined) fail() {
	kind := u.kind
	if kind == "" {
		kind = KindUndefined
	}
	raise(kind, "%s", u.message())
}

// failUndefined raises when v is undefined: most operations do.
func failUndefined(v any) {
	if u, ok := v.(*undefined); ok {
		u.fail()
	}
}

func truthy(v any) bool {
	switch v := v.(type) {
	case none, *undefined:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case *list:
		return len(v.items) > 0
	case *tuple:
		return len(v.items) > 0
	case *dict:
		return v.len() > 0
	case *dictView:
		return v.d.len() > 0
	case *rangeObj:
		return v.n > 0
	}
	return true
}

// strOf gives the text of a str or Markup.
func strOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// intOf gives the value of an int or bool that fits a Go int.
func intOf(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// isInt tells whether v is an integer of any size (bool included).
func isInt(v any) bool {
	switch v.(type) {
	case int, bool, *big.Int:
		return true
	}
	return false
}

// lenOf is len(v), -1 when v has none.
func lenOf(v any) int {
	switch v := v.(type) {
	case string:
		return runeLen(v)
	case markup:
		return runeLen(string(v))
	case *list:
		return len(v.items)
	case *tuple:
		return len(v.items)
	case *dict:
		return v.len()
	case *dictView:
		return v.d.len()
	case *rangeObj:
		return v.n
	case *undefined:
		return 0
	}
	return -1
}

func runeLen(s string) int { return utf8.RuneCountInString(s) }

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// iterator walks a value; ok is false at the end.
type iterator interface{ next() (v any, ok bool) }

type listIter struct {
	l *list
	i int
}

func (s *listIter) next() (any, bool) {
	// The list is read live, so that appending while looping behaves as it does
	// in Python.
	if s.i >= len(s.l.items) {
		return nil, false
	}
	s.i++
	return s.l.items[s.i-1], true
}

type sliceIter struct {
	items []any
	i     int
}

func (s *sliceIter) next() (any, bool) {
	if s.i >= len(s.items) {
		return nil, false
	}
	s.i++
	return s.items[s.i-1], true
}

type rangeIter struct {
	r *rangeObj
	i int
}

func (s *rangeIter) next() (any, bool) {
	if s.i >= s.r.n {
		return nil, false
	}
	s.i++
	return s.r.start + (s.i-1)*s.r.step, true
}

type stringIter struct {
	s string
}

func (s *stringIter) next() (any, bool) {
	if s.s == "" {
		return nil, false
	}
	_, n := utf8.DecodeRuneInString(s.s)
	c := s.s[:n]
	s.s = s.s[n:]
	return c, true
}

type dictIter struct {
	d    *dict
	kind string
	i    int
	n    int
}

func (s *dictIter) next() (any, bool) {
	if s.d.len() != s.n {
		raise(KindRuntimePy, "dictionary changed size during iteration")
	}
	for s.i < len(s.d.entries) {
		e := &s.d.entries[s.i]
		s.i++
		if e.key == nil {
			continue
		}
		switch s.kind {
		case "values":
			return e.val, true
		case "items":
			return newTuple(e.key, e.val), true
		}
		return e.key, true
	}
	return nil, false
}

type genIter struct{ g *generator }

func (s genIter) next() (any, bool) { return s.g.next() }

func newTuple(items ...any) *tuple { return &tuple{items: items} }

// iterOf returns an iterator over v, nil when v cannot be iterated.
func iterOf(v any) iterator {
	switch v := v.(type) {
	case *list:
		return &listIter{l: v}
	case *tuple:
		return &sliceIter{items: v.items}
	case *dict:
		return &dictIter{d: v, kind: "keys", n: v.len()}
	case *dictView:
		return &dictIter{d: v.d, kind: v.kind, n: v.d.len()}
	case string:
		return &stringIter{s: v}
	case markup:
		return &stringIter{s: string(v)}
	case *rangeObj:
		return &rangeIter{r: v}
	case *generator:
		return genIter{v}
	case *undefined:
		return &sliceIter{}
	case *loopCtx:
		return loopIter{v}
	}
	return nil
}

func mustIter(v any) iterator {
	it := iterOf(v)
	if it == nil {
		raiseType("'%s' object is not iterable", typeName(v))
	}
	return it
}

// collect is list(v), charging one step for each element.
func (it *interp) collect(v any) []any {
	switch v := v.(type) {
	case *list:
		it.charge(len(v.items))
		return append([]any(nil), v.items...)
	case *tuple:
		it.charge(len(v.items))
		return append([]any(nil), v.items...)
	}
	src := mustIter(v)
	var out []any
	for {
		x, ok := src.next()
		if !ok {
			return out
		}
		it.step()
		out = append(out, x)
	}
}
