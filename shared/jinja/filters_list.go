package jinja

import (
	"slices"
	"strings"
)

// listFilters are those on sequences and mappings.
func listFilters(def defineFunc) {
	def("len(obj)", 0, func(_ *interp, a []any) any {
		n := lenOf(a[0])
		if n < 0 {
			raiseType("object of type '%s' has no len()", typeName(a[0]))
		}
		return n
	}, "length", "count")
	def("do_batch(value, linecount, fill_with=None)", 0, filterBatch, "batch")
	def("sync_do_slice(value, slices, fill_with=None)", 0, filterSlice, "slice")
	def("do_dictsort(value, case_sensitive=False, by='key', reverse=False)", 0, filterDictSort, "dictsort")
	def("sync_do_first(seq)", 1, func(_ *interp, a []any) any {
		if v, ok := mustIter(a[0]).next(); ok {
			return v
		}
		return undefinedHint("No first item, sequence was empty.")
	}, "first")
	def("do_last(seq)", 1, filterLast, "last")
	def("do_random(seq)", 1, filterRandom, "random")
	def("sync_do_groupby(value, attribute, default=None, case_sensitive=False)", 1, filterGroupBy, "groupby")
	def("do_items(value)", 0, filterItems, "items")
	def("sync_do_join(value, d='', attribute=None)", 1, filterJoin, "join")
	def("sync_do_list(value)", 0, func(it *interp, a []any) any { return &list{items: it.collect(a[0])} }, "list")
	def("do_min(value, case_sensitive=False, attribute=None)", 1, func(it *interp, a []any) any { return it.extreme(a, "lt") }, "min")
	def("do_max(value, case_sensitive=False, attribute=None)", 1, func(it *interp, a []any) any { return it.extreme(a, "gt") }, "max")
	def("do_reverse(value)", 0, filterReverse, "reverse")
	def("do_sort(value, reverse=False, case_sensitive=False, attribute=None)", 1, filterSort, "sort")
	def("sync_do_sum(iterable, attribute=None, start=0)", 1, filterSum, "sum")
	def("sync_do_unique(value, case_sensitive=False, attribute=None)", 1, filterUnique, "unique")
}

func wantInt(v any) int {
	if n, ok := intOf(v); ok {
		return n
	}
	if isInt(v) {
		raise(KindOverflow, "Python int too large to convert to C ssize_t")
	}
	raiseType("'%s' object cannot be interpreted as an integer", typeName(v))
	return 0
}

func filterBatch(it *interp, a []any) any {
	return it.generate("do_batch", func() func() (any, bool) {
		src := mustIter(a[0])
		done := false
		var carry any
		return func() (any, bool) {
			if done {
				return nil, false
			}
			var row []any
			if carry != nil {
				row = append(row, carry)
				carry = nil
			}
			for {
				v, ok := src.next()
				if !ok {
					done = true
					break
				}
				it.step()
				if it.equal(len(row), a[1]) {
					carry = v
					return &list{items: row}, true
				}
				row = append(row, v)
			}
			if len(row) == 0 {
				return nil, false
			}
			if (a[2] != none{}) && it.order("lt", len(row), a[1]) {
				missing := wantInt(a[1]) - len(row)
				it.charge(missing)
				for range missing {
					row = append(row, a[2])
				}
			}
			return &list{items: row}, true
		}
	})
}

func filterSlice(it *interp, a []any) any {
	return it.generate("sync_do_slice", func() func() (any, bool) {
		seq := it.collect(a[0])
		size := it.binary("floordiv", len(seq), a[1])
		extra := wantInt(it.binary("mod", len(seq), a[1]))
		per, n := wantInt(size), wantInt(a[1])
		i, offset := 0, 0
		return func() (any, bool) {
			if i >= n {
				return nil, false
			}
			it.step()
			start := offset + i*per
			if i < extra {
				offset++
			}
			end := offset + (i+1)*per
			row := append([]any(nil), seq[start:end]...)
			if (a[2] != none{}) && i >= extra {
				row = append(row, a[2])
			}
			i++
			return &list{items: row}, true
		}
	})
}

// sortBy sorts items stably by key the way Python's sorted does.
func (it *interp) sortBy(items []any, key func(any) any, reverse bool) []any {
	type keyed struct{ key, val any }
	rows := make([]keyed, len(items))
	for i, v := range items {
		it.step()
		rows[i] = keyed{key(v), v}
	}
	slices.SortStableFunc(rows, func(a, b keyed) int {
		it.step()
		x, y := a.key, b.key
		if reverse {
			x, y = y, x
		}
		if it.less(x, y) {
			return -1
		}
		return 0
	})
	out := make([]any, len(rows))
	for i, r := range rows {
		out[i] = r.val
	}
	return out
}

func filterDictSort(it *interp, a []any) any {
	pos := 0
	switch by, _ := strOf(a[2]); by {
	case "key":
	case "value":
		pos = 1
	default:
		raise(KindFilterArgument, "You can only sort by either \"key\" or \"value\"")
	}
	d, ok := a[0].(*dict)
	if !ok {
		attributeError(a[0], "items")
	}
	items := it.collect(&dictView{d, "items"})
	return &list{items: it.sortBy(items, func(v any) any {
		x := v.(*tuple).items[pos]
		if !truthy(a[1]) {
			return foldCase(x)
		}
		return x
	}, truthy(a[3]))}
}

func filterSort(it *interp, a []any) any {
	var getters []func(any) any
	if s, ok := strOf(a[3]); ok {
		for _, p := range strings.Split(s, ",") {
			getters = append(getters, it.getter(p, !truthy(a[2]), nil))
		}
	} else {
		getters = append(getters, it.getter(a[3], !truthy(a[2]), nil))
	}
	reverse := wantInt(a[1]) != 0
	return &list{items: it.sortBy(it.collect(a[0]), func(v any) any {
		key := &list{items: make([]any, len(getters))}
		for i, g := range getters {
			key.items[i] = g(v)
		}
		return key
	}, reverse)}
}

func filterLast(it *interp, a []any) any {
	switch v := a[0].(type) {
	case *generator:
		raiseType("'%s' object is not reversible", typeName(v))
	case *dict:
		a = []any{&list{items: it.collect(v)}}
	}
	n := lenOf(a[0])
	if n < 0 {
		raiseType("'%s' object is not reversible", typeName(a[0]))
	}
	if n > 0 {
		if _, ok := a[0].(*dictView); ok {
			return it.collect(a[0])[n-1]
		}
		v := it.subscript(a[0], n-1)
		if m, ok := v.(markup); ok {
			return string(m)
		}
		return v
	}
	return undefinedHint("No last item, sequence was empty.")
}

func filterRandom(it *interp, a []any) any {
	n := lenOf(a[0])
	if n < 0 {
		raiseType("object of type '%s' has no len()", typeName(a[0]))
	}
	if n == 0 {
		return undefinedHint("No random item, sequence was empty.")
	}
	i := it.opts.Random(n)
	v := it.subscript(a[0], i)
	if v == nil {
		raise(KindKey, "%d", i)
	}
	return v
}

func filterGroupBy(it *interp, a []any) any {
	key := it.getter(a[1], !truthy(a[3]), a[2])
	out := &list{}
	var group *list
	var last any
	plain := it.getter(a[1], false, a[2])
	for _, v := range it.sortBy(it.collect(a[0]), key, false) {
		k := key(v)
		if group == nil || !it.equal(last, k) {
			group = &list{}
			name := k
			if !truthy(a[3]) {
				name = plain(v)
			}
			out.items = append(out.items, &tuple{items: []any{name, group}, fields: [2]string{"grouper", "list"}})
			last = k
		}
		group.items = append(group.items, v)
	}
	return out
}

func filterItems(it *interp, a []any) any {
	return it.generate("do_items", func() func() (any, bool) {
		if isUndefined(a[0]) {
			return empty
		}
		d, ok := a[0].(*dict)
		if !ok {
			raiseType("Can only get item pairs from a mapping.")
		}
		return iterOf(&dictView{d, "items"}).next
	})
}

func filterJoin(it *interp, a []any) any {
	src := mustIter(a[0])
	get := it.getter(a[2], false, nil)
	var vals []any
	safe := false
	for v, ok := src.next(); ok; v, ok = src.next() {
		it.step()
		v = get(v)
		_, mk := v.(markup)
		safe = safe || mk
		vals = append(vals, v)
	}
	_, sepSafe := a[1].(markup)
	escape := it.autoescape && (safe || sepSafe)
	text := func(v any) string {
		if escape {
			return string(it.escape(v))
		}
		return it.str(v)
	}
	sep := text(a[1])
	var b strings.Builder
	for i, v := range vals {
		if i > 0 {
			b.WriteString(sep)
		}
		s := text(v)
		it.reserve(b.Len() + len(s))
		b.WriteString(s)
	}
	if escape {
		return markup(b.String())
	}
	return b.String()
}

func (it *interp) extreme(a []any, op string) any {
	src := mustIter(a[0])
	best, ok := src.next()
	if !ok {
		return undefinedHint("No aggregated item, sequence was empty.")
	}
	key := it.getter(a[2], !truthy(a[1]), nil)
	bestKey := key(best)
	for v, ok := src.next(); ok; v, ok = src.next() {
		it.step()
		if k := key(v); it.order(op, k, bestKey) {
			best, bestKey = v, k
		}
	}
	return best
}

func filterReverse(it *interp, a []any) any {
	switch v := a[0].(type) {
	case string:
		return it.reverseText(v)
	case markup:
		return markup(it.reverseText(string(v)))
	case *generator:
		items := it.collect(v)
		slices.Reverse(items)
		return &list{items: items}
	}
	if iterOf(a[0]) == nil {
		raise(KindFilterArgument, "argument must be iterable")
	}
	typ := "reversed"
	switch a[0].(type) {
	case *list:
		typ = "list_reverseiterator"
	case *rangeObj:
		typ = "range_iterator"
	case *dict:
		typ = "dict_reversekeyiterator"
	}
	items := it.collect(a[0])
	slices.Reverse(items)
	return &generator{typ: typ, next: (&sliceIter{items: items}).next}
}

func (it *interp) reverseText(s string) string {
	n := runeLen(s)
	return it.pickText(s, n-1, -1, n)
}

func filterSum(it *interp, a []any) any {
	total := a[2]
	if _, ok := strOf(total); ok {
		raiseType("sum() can't sum strings [use ''.join(seq) instead]")
	}
	get := it.getter(a[1], false, nil)
	src := mustIter(a[0])
	for v, ok := src.next(); ok; v, ok = src.next() {
		it.step()
		total = it.binary("add", total, get(v))
	}
	return total
}

func filterUnique(it *interp, a []any) any {
	return it.generate("sync_do_unique", func() func() (any, bool) {
		get := it.getter(a[2], !truthy(a[1]), nil)
		seen := map[any]bool{}
		src := mustIter(a[0])
		return func() (any, bool) {
			for {
				v, ok := src.next()
				if !ok {
					return nil, false
				}
				it.step()
				h := hashKey(get(v))
				if !seen[h] {
					seen[h] = true
					return v, true
				}
			}
		}
	})
}
