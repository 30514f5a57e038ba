package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// dict is a Python dict: insertion-ordered, with keys equal across the number
// types. Small ones are searched linearly; an index is built past smallDict.
type dict struct {
	entries []dictEntry
	index   map[any]int
	live    int
}

type dictEntry struct {
	key  any // nil: deleted
	hash any
	val  any
}

const smallDict = 8

func newDict(capacity int) *dict {
	return &dict{entries: make([]dictEntry, 0, capacity)}
}

func (d *dict) len() int { return d.live }

type (
	bigKey       string
	tupleKey     string
	undefinedKey struct{}
)

// hashKey gives a comparable Go value equal for equal Python keys.
func hashKey(k any) any {
	switch k := k.(type) {
	case string, int, none:
		return k
	case markup:
		return string(k)
	case bool:
		n, _ := intOf(k)
		return n
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<62 {
			return int(k)
		}
		return k
	case *big.Int:
		return bigKey(k.String())
	case *tuple:
		var b strings.Builder
		writeTupleKey(&b, k, 0)
		return tupleKey(b.String())
	case *list, *dict, *dictView:
		raiseType("unhashable type: '%s'", typeName(k))
	case *undefined:
		return undefinedKey{} // all undefined values are equal
	}
	return k // identity of pointers
}

func writeTupleKey(b *strings.Builder, t *tuple, depth int) {
	if depth > 100 {
		raise(KindRecursion, "maximum recursion depth exceeded")
	}
	b.WriteByte('(')
	for _, it := range t.items {
		if inner, ok := it.(*tuple); ok {
			writeTupleKey(b, inner, depth+1)
			continue
		}
		switch h := hashKey(it).(type) {
		case string:
			b.WriteString(strconv.Quote(h))
		case int:
			b.WriteString(strconv.Itoa(h))
		case float64:
			b.WriteString("f" + strconv.FormatFloat(h, 'g', -1, 64))
		case bigKey:
			b.WriteString(string(h))
		default:
			b.WriteString("?" + safeRepr(it))
		}
		b.WriteByte(',')
	}
	b.WriteByte(')')
}

func (d *dict) find(h any) int {
	if d.index != nil {
		if i, ok := d.index[h]; ok {
			return i
		}
		return -1
	}
	for i := range d.entries {
		if d.entries[i].key != nil && d.entries[i].hash == h {
			return i
		}
	}
	return -1
}

// get returns nil when the key is absent.
func (d *dict) get(key any) any {
	if i := d.find(hashKey(key)); i >= 0 {
		return d.entries[i].val
	}
	return nil
}

func (d *dict) getStr(key string) any {
	if d.index == nil {
		for i := range d.entries {
			if s, ok := d.entries[i].hash.(string); ok && s == key && d.entries[i].key != nil {
				return d.entries[i].val
			}
		}
		return nil
	}
	if i, ok := d.index[key]; ok {
		return d.entries[i].val
	}
	return nil
}

func (d *dict) set(key, val any) {
	h := hashKey(key)
	if i := d.find(h); i >= 0 {
		d.entries[i].val = val
		return
	}
	d.entries = append(d.entries, dictEntry{key, h, val})
	d.live++
	if d.index != nil {
		d.index[h] = len(d.entries) - 1
	} else if len(d.entries) > smallDict {
		d.reindex()
	}
}

func (d *dict) reindex() {
	kept := d.entries[:0]
	for _, e := range d.entries {
		if e.key != nil {
			kept = append(kept, e)
		}
	}
	clear(d.entries[len(kept):])
	d.entries = kept
	d.index = nil
	if len(kept) <= smallDict {
		return
	}
	d.index = make(map[any]int, len(kept)*2)
	for i := range kept {
		d.index[kept[i].hash] = i
	}
}

// remove deletes a key and returns its value, nil when absent.
func (d *dict) remove(key any) any {
	h := hashKey(key)
	i := d.find(h)
	if i < 0 {
		return nil
	}
	val := d.entries[i].val
	d.entries[i] = dictEntry{}
	d.live--
	if d.index != nil {
		delete(d.index, h)
	}
	if len(d.entries) > 2*d.live+smallDict {
		d.reindex()
	}
	return val
}

func (d *dict) clear() { *d = dict{} }

func (d *dict) copy() *dict {
	c := newDict(d.live)
	for _, e := range d.entries {
		if e.key != nil {
			c.entries = append(c.entries, e)
		}
	}
	c.live = d.live
	if c.live > smallDict {
		c.reindex()
	}
	return c
}

// each calls f in order until it returns false.
func (d *dict) each(f func(k, v any) bool) {
	for i := 0; i < len(d.entries); i++ {
		if e := d.entries[i]; e.key != nil && !f(e.key, e.val) {
			return
		}
	}
}
