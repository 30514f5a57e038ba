package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

func filterAbs(_ *interp, a []any) any {
	switch v := a[0].(type) {
	case float64:
		return math.Abs(v)
	case int, bool, *big.Int:
		return normBig(new(big.Int).Abs(bigOf(v)))
	}
	raiseType("bad operand type for abs(): '%s'", typeName(a[0]))
	return nil
}

func filterFloat(_ *interp, a []any) any {
	failUndefined(a[0])
	if f, ok := floatOf(a[0]); ok {
		return f
	}
	if s, ok := strOf(a[0]); ok {
		if f, ok := parseFloatText(s); ok {
			return f
		}
	}
	return a[1]
}

// truncFloat is int(float) with ok false for what has no integer.
func truncFloat(f float64) (any, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, false
	}
	b, _ := big.NewFloat(math.Trunc(f)).Int(nil)
	return normBig(b), true
}

func filterInt(_ *interp, a []any) any {
	failUndefined(a[0])
	switch v := a[0].(type) {
	case int, bool, *big.Int:
		return normBig(bigOf(v))
	case float64:
		if math.IsInf(v, 0) {
			raise(KindOverflow, "cannot convert float infinity to integer")
		}
		if n, ok := truncFloat(v); ok {
			return n
		}
		return a[1]
	}
	s, ok := strOf(a[0])
	if !ok {
		return a[1]
	}
	base, isBase := intOf(a[2])
	if !isBase {
		raiseType("'%s' object cannot be interpreted as an integer", typeName(a[2]))
	}
	if base == 0 || base >= 2 && base <= 36 {
		if n, ok := parsePyInt(s, base); ok {
			return n
		}
	}
	if f, ok := parseFloatText(s); ok {
		if n, ok := truncFloat(f); ok {
			return n
		}
	}
	return a[1]
}

func filterRound(it *interp, a []any) any {
	method, _ := strOf(a[2])
	switch method {
	case "common":
		n := 0
		if (a[1] != none{}) {
			n = wantInt(a[1])
		}
		switch v := a[0].(type) {
		case float64:
			if (a[1] == none{}) {
				if n, ok := truncFloat(math.RoundToEven(v)); ok {
					return n
				}
			}
			return roundFloat(v, n)
		case int, bool, *big.Int:
			return it.roundInt(bigOf(v), n)
		}
		raiseType("type %s doesn't define __round__ method", typeName(a[0]))
	case "ceil", "floor":
		p := it.binary("pow", 10, a[1])
		scaled := it.binary("mul", a[0], p)
		f, ok := floatOf(scaled)
		if !ok {
			raiseType("must be real number, not %s", typeName(scaled))
		}
		if method == "ceil" {
			f = math.Ceil(f)
		} else {
			f = math.Floor(f)
		}
		n, ok := truncFloat(f)
		if isInt(scaled) {
			n, ok = scaled, true
		}
		if !ok {
			raise(KindOverflow, "cannot convert float infinity to integer")
		}
		return it.binary("div", n, p)
	}
	raise(KindFilterArgument, "method must be common, ceil or floor")
	return nil
}

func filterFileSize(_ *interp, a []any) any {
	failUndefined(a[0])
	n, ok := floatOf(a[0])
	if s, isStr := strOf(a[0]); isStr {
		if n, ok = parseFloatText(s); !ok {
			raise(KindValue, "could not convert string to float: %s", reprString(s))
		}
	}
	if !ok {
		raiseType("float() argument must be a string or a real number, not '%s'", typeName(a[0]))
	}
	base, suffix := 1000.0, "B"
	if truthy(a[1]) {
		base, suffix = 1024.0, "iB"
	}
	if n == 1 {
		return "1 Byte"
	}
	if n < base {
		return strconv.FormatFloat(math.Trunc(n), 'f', 0, 64) + " Bytes"
	}
	units := "kMGTPEZY"
	if truthy(a[1]) {
		units = "KMGTPEZY"
	}
	unit := base
	for i := range units {
		unit *= base
		if n < unit || i == len(units)-1 {
			return strconv.FormatFloat(base*n/unit, 'f', 1, 64) + " " + units[i:i+1] + suffix
		}
	}
	return ""
}

func filterToJSON(it *interp, a []any) any {
	w := &jsonWriter{it: it}
	switch v := a[1].(type) {
	case none:
	case string:
		w.indent, w.pretty = v, true
	default:
		w.indent, w.pretty = it.repeatText(" ", wantInt(v)), true
	}
	w.value(a[0], 0)
	s := strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(w.b.String())
	return markup(s)
}

// jsonWriter is json.dumps with sorted keys and ASCII output.
type jsonWriter struct {
	it     *interp
	b      strings.Builder
	indent string
	pretty bool
	open   []any
}

func (w *jsonWriter) write(s string) {
	w.it.reserve(w.b.Len() + len(s) - w.b.Len()&^255)
	if w.b.Len()+len(s) > w.it.opts.MaxOutput {
		raise(KindLimit, "a text of the template is too large")
	}
	w.b.WriteString(s)
}

func (w *jsonWriter) value(v any, depth int) {
	w.it.step()
	switch v := v.(type) {
	case none:
		w.write("null")
	case bool:
		if v {
			w.write("true")
		} else {
			w.write("false")
		}
	case int, *big.Int:
		w.write(w.it.repr(v))
	case float64:
		w.write(jsonFloat(v))
	case string:
		w.write(jsonString(v))
	case markup:
		w.write(jsonString(string(v)))
	case *list:
		w.seq(v, v.items, depth)
	case *tuple:
		w.seq(v, v.items, depth)
	case *dict:
		w.dict(v, depth)
	default:
		raiseType("Object of type %s is not JSON serializable", typeName(v))
	}
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return reprFloat(f)
}

func jsonString(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	unit := func(u rune) {
		b.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			b.WriteByte(hex[u>>shift&15])
		}
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r >= 0x20 && r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			unit(0xd800 + (r-0x10000)>>10)
			unit(0xdc00 + (r-0x10000)&0x3ff)
		case r == 0x7f:
			b.WriteRune(r)
		default:
			unit(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (w *jsonWriter) enter(v any) {
	for _, o := range w.open {
		if o == v {
			raise(KindValue, "Circular reference detected")
		}
	}
	if len(w.open) >= maxNesting {
		raise(KindRecursion, "maximum recursion depth exceeded while encoding a JSON object")
	}
	w.open = append(w.open, v)
}

func (w *jsonWriter) leave() { w.open = w.open[:len(w.open)-1] }

func (w *jsonWriter) newline(depth int) {
	if w.pretty {
		w.write("\n")
		for range depth {
			w.write(w.indent)
		}
	}
}

func (w *jsonWriter) comma(i int) {
	switch {
	case i == 0:
	case w.pretty:
		w.write(",")
	default:
		w.write(", ")
	}
}

func (w *jsonWriter) seq(self any, items []any, depth int) {
	if len(items) == 0 {
		w.write("[]")
		return
	}
	w.enter(self)
	w.write("[")
	for i, x := range items {
		w.comma(i)
		w.newline(depth + 1)
		w.value(x, depth+1)
	}
	w.newline(depth)
	w.write("]")
	w.leave()
}

func (w *jsonWriter) dict(d *dict, depth int) {
	if d.len() == 0 {
		w.write("{}")
		return
	}
	w.enter(d)
	w.write("{")
	items := w.it.sortBy(w.it.collect(&dictView{d, "items"}), func(v any) any { return v.(*tuple).items[0] }, false)
	for i, x := range items {
		pair := x.(*tuple).items
		w.comma(i)
		w.newline(depth + 1)
		w.write(w.key(pair[0]))
		w.write(": ")
		w.value(pair[1], depth+1)
	}
	w.newline(depth)
	w.write("}")
	w.leave()
}

func (w *jsonWriter) key(k any) string {
	switch k := k.(type) {
	case string:
		return jsonString(k)
	case markup:
		return jsonString(string(k))
	case none:
		return `"null"`
	case bool:
		if k {
			return `"true"`
		}
		return `"false"`
	case float64:
		return `"` + jsonFloat(k) + `"`
	case int, *big.Int:
		return `"` + w.it.repr(k) + `"`
	}
	raiseType("keys must be str, int, float, bool or None, not %s", typeName(k))
	return ""
}
