package jinja

import (
	"math/big"
	"strings"
)

func (it *interp) evalItem(e *itemExpr) any {
	x := it.eval(e.x)
	if s, ok := e.arg.(*sliceExpr); ok {
		return it.evalSlice(x, s)
	}
	return it.getitem(x, it.eval(e.arg))
}

func sliceBound(v any) (int, bool) {
	if b, ok := v.(*big.Int); ok {
		return b.Sign() * (1 << 62), true
	}
	if n, ok := intOf(v); ok {
		return n, true
	}
	if (v != none{}) {
		failUndefined(v)
		raiseType("slice indices must be integers or None or have an __index__ method")
	}
	return 0, false
}

// evalSlice is x[start:stop:step]. Unlike other subscripts it is Python's own:
// what cannot be sliced is an error.
func (it *interp) evalSlice(x any, s *sliceExpr) any {
	bound := func(e expr) any {
		if e == nil {
			return none{}
		}
		return it.eval(e)
	}
	return it.evalSliceOf(x, bound(s.start), bound(s.stop), bound(s.step))
}

// evalSliceOf slices x by evaluated bounds.
func (it *interp) evalSliceOf(x, start, stop, step any) any {
	failUndefined(x)
	n := lenOf(x)
	switch x.(type) {
	case string, markup, *list, *tuple, *rangeObj:
	case *dict:
		raiseType("unhashable type: 'slice'")
	default:
		raiseType("'%s' object is not subscriptable", typeName(x))
	}
	st, hasStep := sliceBound(step)
	if !hasStep {
		st = 1
	}
	if st == 0 {
		raise(KindValue, "slice step cannot be zero")
	}
	lo, hi := 0, n
	if st < 0 {
		lo, hi = n-1, -1
	}
	clip := func(v any, def int) int {
		i, ok := sliceBound(v)
		if !ok {
			return def
		}
		if i < 0 {
			i += n
		}
		if st > 0 {
			return min(max(i, 0), n)
		}
		return min(max(i, -1), n-1)
	}
	lo, hi = clip(start, lo), clip(stop, hi)
	count := 0
	if st > 0 && hi > lo {
		count = (hi - lo - 1) / st
		count++
	} else if st < 0 && lo > hi {
		count = (lo-hi-1)/-st + 1
	}
	return it.pick(x, lo, st, count)
}

// pick takes count elements of a sequence from lo in strides.
func (it *interp) pick(x any, lo, stride, count int) any {
	choose := func(items []any) []any {
		it.charge(count)
		out := make([]any, count)
		for i := range out {
			out[i] = items[lo+i*stride]
		}
		return out
	}
	switch x := x.(type) {
	case string:
		return it.pickText(x, lo, stride, count)
	case markup:
		return markup(it.pickText(string(x), lo, stride, count))
	case *list:
		return &list{items: choose(x.items)}
	case *tuple:
		return &tuple{items: choose(x.items)}
	case *rangeObj:
		start := x.start + lo*x.step
		return newRange(start, start+count*stride*x.step, x.step*stride)
	}
	return none{}
}

func (it *interp) pickText(s string, lo, stride, count int) string {
	it.chargeBytes(len(s))
	if count == 0 {
		return ""
	}
	if isASCII(s) {
		if stride == 1 {
			return s[lo : lo+count]
		}
		b := make([]byte, count)
		for i := range b {
			b[i] = s[lo+i*stride]
		}
		return string(b)
	}
	runes := []rune(s)
	if stride == 1 {
		return string(runes[lo : lo+count])
	}
	out := make([]rune, count)
	for i := range out {
		out[i] = runes[lo+i*stride]
	}
	return string(out)
}

// getitem is x[key], falling back to an attribute for names.
func (it *interp) getitem(x, key any) any {
	failUndefined(x)
	if v := it.subscript(x, key); v != nil {
		return v
	}
	if name, ok := strOf(key); ok {
		if v := it.attribute(x, name); v != nil {
			return v
		}
	}
	return undefinedAttr(x, key)
}

// subscript is obj[key] in Python, nil where that raises.
func (it *interp) subscript(x, key any) any {
	if d, ok := x.(*dict); ok {
		switch key.(type) {
		case *list, *dict:
			return nil
		}
		return d.get(key)
	}
	i, ok := intOf(key)
	if !ok {
		return nil
	}
	at := func(n int) int {
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return -1
		}
		return i
	}
	switch x := x.(type) {
	case *list:
		if j := at(len(x.items)); j >= 0 {
			return x.items[j]
		}
	case *tuple:
		if j := at(len(x.items)); j >= 0 {
			return x.items[j]
		}
	case *rangeObj:
		if j := at(x.n); j >= 0 {
			return x.start + j*x.step
		}
	case string:
		if j := at(runeLen(x)); j >= 0 {
			return it.pickText(x, j, 1, 1)
		}
	case markup:
		if j := at(runeLen(string(x))); j >= 0 {
			return markup(it.pickText(string(x), j, 1, 1))
		}
	}
	return nil
}

// getattr is x.name, falling back to x["name"].
func (it *interp) getattr(x any, name string) any {
	failUndefined(x)
	if v := it.attribute(x, name); v != nil {
		return v
	}
	if d, ok := x.(*dict); ok {
		if v := d.getStr(name); v != nil {
			return v
		}
	}
	if t, ok := x.(*templateRef); ok {
		return it.selfBlock(t, name)
	}
	return undefinedAttr(x, name)
}

func (it *interp) selfBlock(t *templateRef, name string) any {
	if b, ok := it.t.blocks[name]; ok {
		return &blockRef{b}
	}
	return undefinedAttr(t, name)
}

// attribute is a public attribute of a value, nil when it has none. Private
// names that Python objects do have are refused, as its sandbox does.
func (it *interp) attribute(x any, name string) any {
	if strings.HasPrefix(name, "_") {
		if d, ok := x.(*dict); ok && d.getStr(name) != nil {
			return nil
		}
		if isObjectAttribute(x, name) {
			u := undefinedHint("access to attribute " + reprString(name) + " of '" + typeName(x) + "' object is unsafe.")
			u.kind = KindSecurity
			return u
		}
		return nil
	}
	switch x := x.(type) {
	case *loopCtx:
		return x.attr(name)
	case *namespace:
		return x.attrs.getStr(name)
	case *tuple:
		if x.fields[0] != "" {
			for i, f := range x.fields {
				if f == name {
					return x.items[i]
				}
			}
		}
	case *macro:
		return x.attr(name)
	case *cycler:
		return x.attr(name)
	case *joiner:
		switch name {
		case "sep":
			return x.sep
		case "used":
			return x.used
		}
		return nil
	case *rangeObj:
		switch name {
		case "start":
			return x.start
		case "stop":
			return x.stop
		case "step":
			return x.step
		}
	}
	if fn := methodOf(x, name); fn != nil {
		return &method{self: x, name: name, fn: fn}
	}
	return numberAttribute(x, name)
}

// isObjectAttribute tells whether a Python object has an underscore name: the
// difference between an access that is refused and one that finds nothing.
func isObjectAttribute(x any, name string) bool {
	switch name {
	case "__call__", "__name__", "__qualname__", "__module__", "__self__", "__dict__":
		return isCallable(x)
	case "__globals__", "__code__", "__closure__", "__defaults__", "__kwdefaults__", "__builtins__",
		"__annotations__", "__get__":
		_, ok := x.(*function)
		return ok
	case "__len__", "__iter__", "__contains__", "__getitem__":
		return lenOf(x) >= 0
	case "__add__", "__mul__", "__rmul__":
		return isNumber(x) || isSequence(x)
	case "__class__", "__doc__", "__dir__", "__delattr__", "__eq__", "__format__", "__ge__",
		"__getattribute__", "__gt__", "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__",
		"__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__",
		"__str__", "__subclasshook__", "__getstate__":
		return true
	}
	return false
}

func numberAttribute(x any, name string) any {
	switch name {
	case "real":
		switch x := x.(type) {
		case int, *big.Int, float64:
			return x
		case bool:
			n, _ := intOf(x)
			return n
		}
	case "imag":
		if isInt(x) {
			return 0
		}
		if _, ok := x.(float64); ok {
			return 0.0
		}
	case "numerator":
		if isInt(x) {
			return normBig(bigOf(x))
		}
	case "denominator":
		if isInt(x) {
			return 1
		}
	}
	return nil
}
