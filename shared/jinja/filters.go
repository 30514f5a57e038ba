package jinja

import (
	"strings"
)

// attributeError is what Python says about a missing attribute.
func attributeError(v any, name string) {
	failUndefined(v)
	raise("AttributeError", "'%s' object has no attribute %s", typeName(v), reprString(name))
}

func builtinFilters() map[string]*function {
	m := map[string]*function{}
	def := func(sig string, hidden int, fn func(it *interp, a []any) any, names ...string) {
		f := &function{name: sig[:strings.IndexByte(sig, '(')], sig: parseSignature(sig, hidden),
			fn: func(it *interp, a []any, _ []kwArg) any { return fn(it, a) }}
		for _, n := range names {
			m[n] = f
		}
	}
	textFilters(def)
	htmlFilters(def)
	listFilters(def)
	valueFilters(def)
	free := func(name string, fn func(it *interp, args []any, kw []kwArg) any) {
		m[name] = &function{name: name, fn: fn}
	}
	free("format", filterFormat)
	free("map", filterMap)
	for _, v := range []struct {
		name       string
		attr, keep bool
	}{{"select", false, true}, {"reject", false, false}, {"selectattr", true, true}, {"rejectattr", true, false}} {
		free(v.name, func(it *interp, args []any, kw []kwArg) any {
			return it.selectOrReject(args, kw, v.attr, v.keep)
		})
	}
	for _, n := range []string{"abs", "length", "count"} {
		m[n].sig.native = true
	}
	return m
}

type defineFunc func(sig string, hidden int, fn func(it *interp, a []any) any, names ...string)

// valueFilters are those on numbers and single values.
func valueFilters(def defineFunc) {
	def("abs(x)", 0, filterAbs, "abs")
	def("do_attr(obj, name)", 1, func(it *interp, a []any) any {
		name, ok := strOf(a[1])
		if !ok {
			raiseType("attribute name must be string, not '%s'", typeName(a[1]))
		}
		if v := it.attribute(a[0], name); v != nil {
			return v
		}
		return undefinedAttr(a[0], name)
	}, "attr")
	def("do_default(value, default_value='', boolean=False)", 0, func(_ *interp, a []any) any {
		if isUndefined(a[0]) || truthy(a[2]) && !truthy(a[0]) {
			return a[1]
		}
		return a[0]
	}, "default", "d")
	def("do_float(value, default=0.0)", 0, filterFloat, "float")
	def("do_int(value, default=0, base=10)", 0, filterInt, "int")
	def("do_round(value, precision=0, method='common')", 0, filterRound, "round")
	def("do_filesizeformat(value, binary=False)", 0, filterFileSize, "filesizeformat")
	def("do_pprint(value)", 0, func(it *interp, a []any) any { return it.pformat(a[0]) }, "pprint")
	def("do_tojson(value, indent=None)", 1, filterToJSON, "tojson")
}

// parts is the path of an attribute argument: names and indexes.
func parts(attr any) []any {
	if (attr == none{}) {
		return nil
	}
	s, ok := strOf(attr)
	if !ok {
		return []any{attr}
	}
	var out []any
	for _, p := range strings.Split(s, ".") {
		if n, ok := parsePyInt(p, 10); ok && isDigits(p) {
			out = append(out, n)
		} else {
			out = append(out, p)
		}
	}
	return out
}

// getter reads an attribute path, lower-casing text when fold is set.
func (it *interp) getter(attr any, fold bool, def any) func(any) any {
	path := parts(attr)
	return func(v any) any {
		for _, p := range path {
			v = it.getitem(v, p)
			if def != nil && def != (none{}) && isUndefined(v) {
				v = def
			}
		}
		if fold {
			return foldCase(v)
		}
		return v
	}
}

func foldCase(v any) any {
	switch v := v.(type) {
	case string:
		return lower(v)
	case markup:
		return markup(lower(string(v)))
	}
	return v
}

func (it *interp) generate(name string, start func() func() (any, bool)) *generator {
	var next func() (any, bool)
	return &generator{typ: "generator", name: name, next: func() (any, bool) {
		it.step()
		if next == nil {
			next = start()
		}
		return next()
	}}
}

func empty() (any, bool) { return nil, false }

// filterMap is lazy: nothing runs and nothing fails before it is read.
func filterMap(it *interp, args []any, kw []kwArg) any {
	return it.generate("sync_do_map", func() func() (any, bool) {
		if !truthy(args[0]) {
			return empty
		}
		fn := it.mapFunc(args[1:], kw)
		src := mustIter(args[0])
		return func() (any, bool) {
			v, ok := src.next()
			if !ok {
				return nil, false
			}
			return fn(v), true
		}
	})
}

func (it *interp) mapFunc(args []any, kw []kwArg) func(any) any {
	if len(args) == 0 {
		var attr, def any
		var rest []kwArg
		for _, k := range kw {
			switch k.name {
			case "attribute":
				attr = k.val
			case "default":
				def = k.val
			default:
				rest = append(rest, k)
			}
		}
		if attr == nil {
			raise(KindFilterArgument, "map requires a filter argument")
		}
		if len(rest) > 0 {
			raise(KindFilterArgument, "Unexpected keyword argument %s", reprString(rest[0].name))
		}
		return it.getter(attr, false, def)
	}
	var f *function
	return func(v any) any {
		if f == nil { // an unknown name fails at the first element only
			f = it.named(it.t.env.filters, "filter", args[0])
		}
		return it.callFunction(f, append([]any{v}, args[1:]...), kw)
	}
}

// named finds a filter or test by a value of the template.
func (it *interp) named(table map[string]*function, kind string, name any) *function {
	s, ok := strOf(name)
	if f := table[s]; ok && f != nil {
		return f
	}
	if u, ok := name.(*undefined); ok {
		raise(KindRuntime, "No %s named Undefined. (%s; did you forget to quote the callable name?)", kind, u.message())
	}
	raise(KindRuntime, "No %s named %s.", kind, it.repr(name))
	return nil
}

func (it *interp) selectOrReject(args []any, kw []kwArg, byAttr, keep bool) any {
	return it.generate("select_or_reject", func() func() (any, bool) {
		if !truthy(args[0]) {
			return empty
		}
		rest := args[1:]
		get := func(v any) any { return v }
		if byAttr {
			if len(rest) == 0 {
				raise(KindFilterArgument, "Missing parameter for attribute name")
			}
			get = it.getter(rest[0], false, nil)
			rest = rest[1:]
		}
		var name any
		if len(rest) > 0 {
			name, rest = rest[0], rest[1:]
		}
		var test *function
		src := mustIter(args[0])
		return func() (any, bool) {
			for {
				v, ok := src.next()
				if !ok {
					return nil, false
				}
				it.step()
				x := get(v)
				if name != nil {
					if test == nil { // an unknown name fails at the first element only
						test = it.named(it.t.env.tests, "test", name)
					}
					x = it.callFunction(test, append([]any{x}, rest...), kw)
				}
				if truthy(x) == keep {
					return v, true
				}
			}
		}
	})
}
