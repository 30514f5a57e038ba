package jinja

import (
	"math"
	"math/big"
	"slices"
)

func listMethod(name string) methodFunc {
	switch name {
	case "append":
		return func(it *interp, self any, args []any, kw []kwArg) any {
			noKeywords("list."+name, kw)
			arity("list", name, args, 1, 1)
			it.step()
			l := self.(*list)
			l.items = append(l.items, args[0])
			return none{}
		}
	case "extend":
		return func(it *interp, self any, args []any, kw []kwArg) any {
			noKeywords("list."+name, kw)
			arity("list", name, args, 1, 1)
			l := self.(*list)
			l.items = append(l.items, it.collect(args[0])...)
			return none{}
		}
	case "insert":
		return listInsert
	case "pop":
		return listPop
	case "remove":
		return func(it *interp, self any, args []any, kw []kwArg) any {
			arity("list", name, args, 1, 1)
			l := self.(*list)
			i := it.indexOf(l.items, args[0])
			if i < 0 {
				raise(KindValue, "list.remove(x): x not in list")
			}
			l.items = slices.Delete(l.items, i, i+1)
			return none{}
		}
	case "clear":
		return func(_ *interp, self any, args []any, _ []kwArg) any {
			arity("list", name, args, 0, 0)
			self.(*list).items = nil
			return none{}
		}
	case "copy":
		return func(it *interp, self any, args []any, _ []kwArg) any {
			arity("list", name, args, 0, 0)
			return &list{items: it.collect(self)}
		}
	case "reverse":
		return func(it *interp, self any, args []any, _ []kwArg) any {
			arity("list", name, args, 0, 0)
			l := self.(*list)
			it.charge(len(l.items))
			slices.Reverse(l.items)
			return none{}
		}
	case "sort":
		return listSort
	}
	return tupleMethod(name)
}

// items gives the elements of a sequence.
func items(it *interp, v any) []any {
	switch v := v.(type) {
	case *list:
		return v.items
	case *tuple:
		return v.items
	}
	return it.collect(v)
}

func (it *interp) indexOf(list []any, x any) int {
	for i, v := range list {
		it.step()
		if it.same(v, x) || it.equal(v, x) {
			return i
		}
	}
	return -1
}

// tupleMethod are the methods every sequence has.
func tupleMethod(name string) methodFunc {
	switch name {
	case "index":
		return func(it *interp, self any, args []any, kw []kwArg) any {
			noKeywords(typeName(self)+".index", kw)
			if len(args) < 1 || len(args) > 3 {
				arity(typeName(self), name, args, 1, 3)
			}
			seq := items(it, self)
			lo, hi := 0, len(seq)
			if len(args) > 1 {
				lo = clipIndex(wantInt(args[1]), hi)
			}
			if len(args) > 2 {
				hi = clipIndex(wantInt(args[2]), hi)
			}
			i := -1
			if lo < hi {
				i = it.indexOf(seq[lo:hi], args[0])
			}
			if i < 0 {
				if _, ok := self.(*tuple); ok {
					raise(KindValue, "tuple.index(x): x not in tuple")
				}
				raise(KindValue, "%s is not in %s", it.repr(args[0]), typeName(self))
			}
			return lo + i
		}
	case "count":
		return func(it *interp, self any, args []any, kw []kwArg) any {
			noKeywords(typeName(self)+".count", kw)
			arity(typeName(self), name, args, 1, 1)
			n := 0
			for _, v := range items(it, self) {
				if it.same(v, args[0]) || it.equal(v, args[0]) {
					n++
				}
			}
			return n
		}
	}
	return nil
}

func clipIndex(i, n int) int {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

func listInsert(it *interp, self any, args []any, kw []kwArg) any {
	noKeywords("list.insert", kw)
	arity("list", "insert", args, 2, 2)
	l := self.(*list)
	it.charge(len(l.items)/16 + 1)
	l.items = slices.Insert(l.items, clipIndex(wantInt(args[0]), len(l.items)), args[1])
	return none{}
}

func listPop(it *interp, self any, args []any, kw []kwArg) any {
	noKeywords("list.pop", kw)
	arity("list", "pop", args, 0, 1)
	l := self.(*list)
	i := len(l.items) - 1
	if len(args) > 0 {
		i = wantInt(args[0])
	}
	if len(l.items) == 0 {
		raise(KindIndex, "pop from empty list")
	}
	if i < 0 {
		i += len(l.items) * min(len(args), 1)
	}
	if i < 0 || i >= len(l.items) {
		raise(KindIndex, "pop index out of range")
	}
	v := l.items[i]
	it.charge(len(l.items)/16 + 1)
	l.items = slices.Delete(l.items, i, i+1)
	return v
}

func listSort(it *interp, self any, args []any, kw []kwArg) any {
	if len(args) > 0 {
		raiseType("sort() takes no positional arguments")
	}
	reverse := false
	var key any = none{}
	for _, k := range kw {
		switch k.name {
		case "reverse":
			reverse = truthy(k.val)
		case "key":
			key = k.val
		default:
			raiseType("'%s' is an invalid keyword argument for sort()", k.name)
		}
	}
	l := self.(*list)
	l.items = it.sortBy(l.items, func(v any) any {
		if (key == none{}) {
			return v
		}
		return it.call(key, []any{v}, nil)
	}, reverse)
	return none{}
}

func dictMethod(name string) methodFunc {
	switch name {
	case "items", "keys", "values":
		return func(_ *interp, self any, args []any, kw []kwArg) any {
			noKeywords("dict."+name, kw)
			arity("dict", name, args, 0, 0)
			return &dictView{self.(*dict), name}
		}
	case "get":
		return func(_ *interp, self any, args []any, kw []kwArg) any {
			noKeywords("dict."+name, kw)
			arity("dict", name, args, 1, 2)
			if v := self.(*dict).get(args[0]); v != nil {
				return v
			}
			if len(args) > 1 {
				return args[1]
			}
			return none{}
		}
	case "setdefault":
		return func(it *interp, self any, args []any, kw []kwArg) any {
			noKeywords("dict."+name, kw)
			arity("dict", name, args, 1, 2)
			it.step()
			d := self.(*dict)
			if v := d.get(args[0]); v != nil {
				return v
			}
			var v any = none{}
			if len(args) > 1 {
				v = args[1]
			}
			d.set(args[0], v)
			return v
		}
	case "pop":
		return func(it *interp, self any, args []any, kw []kwArg) any {
			noKeywords("dict."+name, kw)
			arity("dict", name, args, 1, 2)
			if v := self.(*dict).remove(args[0]); v != nil {
				return v
			}
			if len(args) < 2 {
				raise(KindKey, "%s", it.repr(args[0]))
			}
			return args[1]
		}
	case "popitem":
		return func(it *interp, self any, args []any, _ []kwArg) any {
			arity("dict", name, args, 0, 0)
			d := self.(*dict)
			if d.len() == 0 {
				raise(KindKey, "'popitem(): dictionary is empty'")
			}
			it.charge(d.len())
			pair := it.collect(&dictView{d, "items"})[d.len()-1].(*tuple)
			d.remove(pair.items[0])
			return pair
		}
	case "update":
		return func(it *interp, self any, args []any, kw []kwArg) any {
			d := self.(*dict)
			src := makeDict("update", args, kw)
			it.charge(src.len())
			updateDict(d, src)
			return none{}
		}
	case "clear":
		return func(_ *interp, self any, args []any, _ []kwArg) any {
			arity("dict", name, args, 0, 0)
			self.(*dict).clear()
			return none{}
		}
	case "copy":
		return func(it *interp, self any, args []any, _ []kwArg) any {
			arity("dict", name, args, 0, 0)
			it.charge(self.(*dict).len())
			return self.(*dict).copy()
		}
	case "fromkeys":
		return func(it *interp, _ any, args []any, _ []kwArg) any {
			arity("dict", name, args, 1, 2)
			var v any = none{}
			if len(args) > 1 {
				v = args[1]
			}
			d := newDict(0)
			for _, k := range it.collect(args[0]) {
				d.set(k, v)
			}
			return d
		}
	}
	return nil
}

// numberMethod are the few methods of numbers that templates use.
func numberMethod(x any, name string) methodFunc {
	f, isFloat := x.(float64)
	bare := func(v any) methodFunc {
		return func(_ *interp, _ any, args []any, _ []kwArg) any {
			arity(typeName(x), name, args, 0, 0)
			return v
		}
	}
	switch {
	case isFloat && name == "is_integer":
		return bare(f == math.Trunc(f) && !math.IsInf(f, 0))
	case !isFloat && name == "bit_length":
		return bare(bigOf(x).BitLen())
	case !isFloat && name == "bit_count":
		n := 0
		for _, w := range bigOf(x).Bits() {
			for ; w != 0; w &= w - 1 {
				n++
			}
		}
		return bare(n)
	case name == "conjugate":
		return bare(x)
	case isFloat && name == "as_integer_ratio":
		r := new(big.Rat)
		if r.SetFloat64(f) == nil {
			return nil
		}
		return bare(newTuple(normBig(r.Num()), normBig(r.Denom())))
	}
	return nil
}
