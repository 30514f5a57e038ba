package jinja

import "strings"

const pprintWidth = 80

// pformat is pprint.pformat: dicts are sorted by key and containers that do
// not fit a line are spread over several. Long texts are kept in one piece.
func (it *interp) pformat(v any) string {
	w := &pprinter{it: it}
	w.format(v, 0, 0)
	return w.b.String()
}

type pprinter struct {
	it *interp
	b  strings.Builder
}

func (w *pprinter) write(s string) {
	if w.b.Len()+len(s) > w.it.opts.MaxOutput {
		raise(KindLimit, "a text of the template is too large")
	}
	w.b.WriteString(s)
}

// sorted returns v with its dicts in key order, for the one-line form.
func (w *pprinter) sorted(v any) any {
	w.it.step()
	w.it.enterValue("maximum recursion depth exceeded")
	defer w.it.leaveValue()
	switch v := v.(type) {
	case *dict:
		d := newDict(v.len())
		for _, p := range w.pairs(v) {
			d.set(p.(*tuple).items[0], w.sorted(p.(*tuple).items[1]))
		}
		return d
	case *list:
		return &list{items: w.sortedAll(v.items)}
	case *tuple:
		return &tuple{items: w.sortedAll(v.items)}
	}
	return v
}

func (w *pprinter) sortedAll(in []any) []any {
	out := make([]any, len(in))
	for i, x := range in {
		out[i] = w.sorted(x)
	}
	return out
}

// pairs are the items of a dict in key order; keys that cannot be compared
// are ordered by the name of their type.
func (w *pprinter) pairs(d *dict) []any {
	return w.it.sortBy(w.it.collect(&dictView{d, "items"}), func(v any) any {
		k := v.(*tuple).items[0]
		group := typeName(k)
		if isNumber(k) {
			group = "int"
		}
		switch k.(type) {
		case string, int, bool, float64:
			return newTuple(group, k)
		}
		return newTuple(group, safeRepr(k))
	}, false)
}

// format writes v at column indent, leaving room for allowance characters.
func (w *pprinter) format(v any, indent, allowance int) {
	rep := w.it.repr(w.sorted(v))
	if runeLen(rep) <= pprintWidth-indent-allowance {
		w.write(rep)
		return
	}
	w.it.enterValue("maximum recursion depth exceeded")
	defer w.it.leaveValue()
	pad := strings.Repeat(" ", indent+1)
	seq := func(open string, items []any, end string) {
		w.write(open)
		for i, x := range items {
			room := 1
			if i == len(items)-1 {
				room = allowance + len(end)
			}
			if i > 0 {
				w.write(",\n" + pad)
			}
			w.format(x, indent+1, room)
		}
		w.write(end)
	}
	switch v := v.(type) {
	case *list:
		seq("[", v.items, "]")
	case *tuple:
		end := ")"
		if len(v.items) == 1 {
			end = ",)"
		}
		seq("(", v.items, end)
	case *dict:
		w.write("{")
		pairs := w.pairs(v)
		for i, p := range pairs {
			kv := p.(*tuple).items
			key := w.it.repr(kv[0])
			room := 1
			if i == len(pairs)-1 {
				room = allowance + 1
			}
			if i > 0 {
				w.write(",\n" + pad)
			}
			w.write(key + ": ")
			w.format(kv[1], indent+1+runeLen(key)+2, room)
		}
		w.write("}")
	default:
		w.write(rep)
	}
}
