package jinja

import (
	"math"
	"math/big"
	"strings"
)

func compareNumbers(a, b any) int {
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	fa, isFa := a.(float64)
	fb, isFb := b.(float64)
	switch {
	case isFa && isFb:
		return compareFloats(fa, fb)
	case isFa:
		return -compareBigFloat(bigOf(b), fa)
	case isFb:
		return compareBigFloat(bigOf(a), fb)
	}
	return bigOf(a).Cmp(bigOf(b))
}

// unordered is what comparing with NaN gives: neither less, equal nor more.
const unordered = 2

func compareFloats(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	return unordered
}

func compareBigFloat(x *big.Int, f float64) int {
	switch {
	case math.IsNaN(f):
		return unordered
	case math.IsInf(f, 1):
		return -1
	case math.IsInf(f, -1):
		return 1
	}
	y := new(big.Rat)
	y.SetFloat64(f)
	return new(big.Rat).SetInt(x).Cmp(y)
}

// equal is a == b.
func (it *interp) equal(a, b any) bool {
	it.step()
	if s, ok := strOf(a); ok {
		t, ok := strOf(b)
		return ok && s == t
	}
	if isNumber(a) {
		return isNumber(b) && compareNumbers(a, b) == 0
	}
	switch a := a.(type) {
	case none:
		return b == none{}
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case *list:
		b, ok := b.(*list)
		return ok && (a == b || it.equalSeq(a.items, b.items))
	case *tuple:
		b, ok := b.(*tuple)
		return ok && (a == b || it.equalSeq(a.items, b.items))
	case *dict:
		b, ok := b.(*dict)
		return ok && (a == b || it.equalDict(a, b))
	case *rangeObj:
		b, ok := b.(*rangeObj)
		return ok && a.n == b.n && (a.n == 0 || a.start == b.start && (a.n == 1 || a.step == b.step))
	}
	return a == b
}

func (it *interp) equalSeq(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	it.enterValue("maximum recursion depth exceeded in comparison")
	defer it.leaveValue()
	for i := range a {
		if !it.equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (it *interp) equalDict(a, b *dict) bool {
	if a.len() != b.len() {
		return false
	}
	it.enterValue("maximum recursion depth exceeded in comparison")
	defer it.leaveValue()
	same := true
	a.each(func(k, v any) bool {
		w := b.get(k)
		same = w != nil && it.equal(v, w)
		return same
	})
	return same
}

// order compares for an ordering operator given by its token type.
func (it *interp) order(op string, a, b any) bool {
	failUndefined(a)
	failUndefined(b)
	c := 0
	s, sok := strOf(a)
	t, tok := strOf(b)
	la, laok := a.(*list)
	lb, lbok := b.(*list)
	ta, taok := a.(*tuple)
	tb, tbok := b.(*tuple)
	switch {
	case isNumber(a) && isNumber(b):
		c = compareNumbers(a, b)
		if c == unordered {
			return false
		}
	case sok && tok:
		c = strings.Compare(s, t) // UTF-8 keeps the order of code points
	case laok && lbok:
		return it.orderSeq(op, la.items, lb.items)
	case taok && tbok:
		return it.orderSeq(op, ta.items, tb.items)
	default:
		raiseType("'%s' not supported between instances of '%s' and '%s'", cmpSymbol(op), typeName(a), typeName(b))
	}
	return orderHolds(op, c)
}

func orderHolds(op string, c int) bool {
	switch op {
	case "lt":
		return c < 0
	case "lteq":
		return c <= 0
	case "gt":
		return c > 0
	}
	return c >= 0
}

func (it *interp) orderSeq(op string, a, b []any) bool {
	it.enterValue("maximum recursion depth exceeded in comparison")
	defer it.leaveValue()
	for i := 0; i < len(a) && i < len(b); i++ {
		if !it.equal(a[i], b[i]) {
			return it.order(op, a[i], b[i])
		}
	}
	return orderHolds(op, len(a)-len(b))
}

func cmpSymbol(op string) string {
	switch op {
	case "lt":
		return "<"
	case "lteq":
		return "<="
	case "gt":
		return ">"
	}
	return ">="
}

func (it *interp) less(a, b any) bool { return it.order("lt", a, b) }

// contains is x in seq.
func (it *interp) contains(x, seq any) bool {
	if s, ok := strOf(seq); ok {
		t, ok := strOf(x)
		if !ok {
			raiseType("'in <string>' requires string as left operand, not %s", typeName(x))
		}
		it.chargeBytes(len(s))
		return strings.Contains(s, t)
	}
	switch seq := seq.(type) {
	case *dict:
		return seq.get(x) != nil
	case *dictView:
		if seq.kind == "keys" {
			return seq.d.get(x) != nil
		}
	case *rangeObj:
		n, ok := intOf(x)
		if f, isF := x.(float64); isF && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			n, ok = int(f), true
		}
		if !ok || seq.n == 0 {
			return false
		}
		d := n - seq.start
		return d%seq.step == 0 && d/seq.step >= 0 && d/seq.step < seq.n
	}
	src := iterOf(seq)
	if src == nil {
		raiseType("argument of type '%s' is not iterable", typeName(seq))
	}
	for {
		v, ok := src.next()
		if !ok {
			return false
		}
		it.step()
		if it.same(v, x) || it.equal(v, x) {
			return true
		}
	}
}

// same is the identity test of Python, as far as a template can tell.
func (it *interp) same(a, b any) bool {
	switch a.(type) {
	case float64:
		return false
	}
	if typeName(a) != typeName(b) {
		return false
	}
	switch a := a.(type) {
	case none:
		return true
	case *undefined:
		return a == b
	}
	return a == b
}
