package jinja

import (
	"math/big"
	"strings"
)

func (it *interp) lookup(n *nameExpr) any {
	s, at := it.scope, 0
	for _, r := range n.refs {
		for ; at < r.depth; at++ {
			s = s.parent
		}
		if v := s.vars[r.slot]; v != nil {
			return v
		}
	}
	if n.noContext {
		return undefinedName(n.name)
	}
	return it.context(n.ctx)
}

// eval evaluates an expression.
func (it *interp) eval(e expr) any {
	it.step()
	switch e := e.(type) {
	case *constExpr:
		return e.val
	case *nameExpr:
		return it.lookup(e)
	case *attrExpr:
		return it.getattr(it.eval(e.x), e.name)
	case *itemExpr:
		return it.evalItem(e)
	case *callExpr:
		return it.evalCall(e, nil)
	case *filterExpr:
		return it.applyFilter(e, it.eval(e.x))
	case *testExpr:
		return it.evalTest(e)
	case *compareExpr:
		return it.evalCompare(e)
	case *logicExpr:
		left := it.eval(e.left)
		if truthy(left) == e.and {
			return it.eval(e.right)
		}
		return left
	case *notExpr:
		return !truthy(it.eval(e.x))
	case *binExpr:
		left := it.eval(e.left)
		return it.binary(e.op, left, it.eval(e.right))
	case *unaryExpr:
		return it.unary(e.neg, it.eval(e.x))
	case *concatExpr:
		return it.evalConcat(e)
	case *condExpr:
		if truthy(it.eval(e.test)) {
			return it.eval(e.then)
		}
		if e.els != nil {
			return it.eval(e.els)
		}
		return undefinedHint("the inline if-expression on line " + itoa(e.line) +
			" evaluated to false and no else section was defined.")
	case *listExpr:
		return &list{items: it.evalAll(e.items)}
	case *tupleExpr:
		return &tuple{items: it.evalAll(e.items)}
	case *dictExpr:
		d := newDict(len(e.keys))
		for i, k := range e.keys {
			key := it.eval(k)
			d.set(key, it.eval(e.vals[i]))
		}
		return d
	case *sliceExpr:
		raiseType("a slice is not a value")
	}
	raise(KindInternal, "unknown expression %T", e)
	return nil
}

func (it *interp) evalAll(list []expr) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = it.eval(e)
	}
	return out
}

func (it *interp) evalConcat(e *concatExpr) any {
	vals := it.evalAll(e.parts)
	safe := false
	if it.autoescape {
		for _, v := range vals {
			_, ok := v.(markup)
			safe = safe || ok
		}
	}
	var b strings.Builder
	for _, v := range vals {
		s := ""
		if safe {
			s = string(it.escape(v))
		} else {
			s = it.str(v)
		}
		it.reserve(b.Len() + len(s))
		b.WriteString(s)
	}
	if safe {
		return markup(b.String())
	}
	return b.String()
}

func (it *interp) evalCompare(e *compareExpr) any {
	left := it.eval(e.left)
	for i, op := range e.ops {
		right := it.eval(e.rest[i])
		ok := false
		switch op {
		case "eq":
			ok = it.equal(left, right)
		case "ne":
			ok = !it.equal(left, right)
		case "in":
			ok = it.contains(left, right)
		case "notin":
			ok = !it.contains(left, right)
		default:
			ok = it.order(op, left, right)
		}
		if !ok {
			return false
		}
		left = right
	}
	return true
}

func (it *interp) unary(neg bool, v any) any {
	failUndefined(v)
	switch v := v.(type) {
	case float64:
		if neg {
			return -v
		}
		return v
	case int, bool, *big.Int:
		if !neg {
			return normBig(bigOf(v))
		}
		return normBig(new(big.Int).Neg(bigOf(v)))
	}
	op := "+"
	if neg {
		op = "-"
	}
	raiseType("bad operand type for unary %s: '%s'", op, typeName(v))
	return nil
}

// binary applies an arithmetic operator to any two values.
func (it *interp) binary(op string, a, b any) any {
	if isNumber(a) && isNumber(b) {
		return it.arith(op, a, b)
	}
	if op == "mod" {
		if s, ok := strOf(a); ok {
			return it.percentOf(a, s, b)
		}
	}
	failUndefined(a)
	failUndefined(b)
	switch op {
	case "add":
		if v := it.add(a, b); v != nil {
			return v
		}
	case "mul":
		if isInt(b) {
			if v := it.repeat(a, b); v != nil {
				return v
			}
		} else if isInt(a) {
			if v := it.repeat(b, a); v != nil {
				return v
			}
		} else if v := it.badRepeat(a, b); v != "" {
			raiseType("can't multiply sequence by non-int of type '%s'", v)
		}
	}
	raiseType("unsupported operand type(s) for %s: '%s' and '%s'", opSymbol(op), typeName(a), typeName(b))
	return nil
}

func isSequence(v any) bool {
	switch v.(type) {
	case string, markup, *list, *tuple:
		return true
	}
	return false
}

func (it *interp) badRepeat(a, b any) string {
	if isSequence(a) {
		return typeName(b)
	}
	if isSequence(b) {
		return typeName(a)
	}
	return ""
}

// add concatenates; nil when the types do not go together.
func (it *interp) add(a, b any) any {
	switch x := a.(type) {
	case string:
		switch y := b.(type) {
		case string:
			it.reserve(len(x) + len(y))
			return x + y
		case markup:
			return it.escape(x) + y
		}
		raiseType("can only concatenate str (not \"%s\") to str", typeName(b))
	case markup:
		if y, ok := strOf(b); ok {
			it.reserve(len(x) + len(y))
			return x + it.escape(b)
		}
	case *list:
		y, ok := b.(*list)
		if !ok {
			raiseType("can only concatenate list (not \"%s\") to list", typeName(b))
		}
		it.charge(len(x.items) + len(y.items))
		return &list{items: append(append(make([]any, 0, len(x.items)+len(y.items)), x.items...), y.items...)}
	case *tuple:
		y, ok := b.(*tuple)
		if !ok {
			raiseType("can only concatenate tuple (not \"%s\") to tuple", typeName(b))
		}
		it.charge(len(x.items) + len(y.items))
		return &tuple{items: append(append(make([]any, 0, len(x.items)+len(y.items)), x.items...), y.items...)}
	}
	return nil
}

// repeat is seq * n; nil when seq is no sequence.
func (it *interp) repeat(seq, count any) any {
	n, ok := intOf(count)
	if !ok {
		if isSequence(seq) {
			raise(KindOverflow, "cannot fit 'int' into an index-sized integer")
		}
		return nil
	}
	n = max(n, 0)
	many := func(items []any) []any {
		if len(items) > 0 && n > it.opts.MaxSteps/len(items)+1 {
			raise(KindLimit, "the template takes too many steps")
		}
		it.charge(len(items) * n)
		out := make([]any, 0, len(items)*n)
		for range n {
			if len(items) == 0 {
				break
			}
			out = append(out, items...)
		}
		return out
	}
	switch seq := seq.(type) {
	case string:
		return it.repeatText(seq, n)
	case markup:
		return markup(it.repeatText(string(seq), n))
	case *list:
		return &list{items: many(seq.items)}
	case *tuple:
		return &tuple{items: many(seq.items)}
	}
	return nil
}

// repeatText is s * n within the limits.
func (it *interp) repeatText(s string, n int) string {
	if s == "" || n <= 0 {
		return ""
	}
	if n > it.opts.MaxOutput/len(s)+1 {
		raise(KindLimit, "a text of the template is too large")
	}
	it.reserve(len(s) * n)
	return strings.Repeat(s, n)
}
