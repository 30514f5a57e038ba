package jinja

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// maxNesting bounds recursion over nested values.
const maxNesting = 400

// reprString is repr(str).
func reprString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x7f:
			b.WriteRune(r)
		case !isPrintable(r):
			switch {
			case r <= 0xff:
				fmt.Fprintf(&b, `\x%02x`, r)
			case r <= 0xffff:
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				fmt.Fprintf(&b, `\U%08x`, r)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// isPrintable is str.isprintable for one character.
func isPrintable(r rune) bool { return r == ' ' || unicode.IsPrint(r) }

// printer writes the text of values, bounded in size and depth.
type printer struct {
	strings.Builder
	limit int
	open  []any // containers being written, to notice cycles
}

func (p *printer) add(s string) {
	p.WriteString(s)
	if p.Len() > p.limit {
		raise(KindLimit, "a text of the template is too large")
	}
}

// str is str(v).
func (it *interp) str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case int:
		return strconv.Itoa(v)
	case *undefined:
		return ""
	}
	return it.repr(v)
}

// repr is repr(v).
func (it *interp) repr(v any) string {
	switch v := v.(type) {
	case string:
		return reprString(v)
	case int:
		return strconv.Itoa(v)
	case none:
		return "None"
	case float64:
		return reprFloat(v)
	case bool:
		if v {
			return "True"
		}
		return "False"
	}
	p := printer{limit: it.opts.MaxOutput}
	p.repr(v)
	it.chargeBytes(p.Len())
	return p.String()
}

// safeRepr is repr for messages, outside of a run.
func safeRepr(v any) string {
	p := printer{limit: 1 << 20}
	p.repr(v)
	return p.String()
}

func (p *printer) enter(v any) bool {
	for _, o := range p.open {
		if o == v {
			return false
		}
	}
	if len(p.open) >= maxNesting {
		raise(KindRecursion, "maximum recursion depth exceeded while getting the repr of an object")
	}
	p.open = append(p.open, v)
	return true
}

func (p *printer) leave() { p.open = p.open[:len(p.open)-1] }

func (p *printer) seq(items []any) {
	for i, x := range items {
		if i > 0 {
			p.add(", ")
		}
		p.repr(x)
	}
}

func (p *printer) repr(v any) {
	switch v := v.(type) {
	case none:
		p.add("None")
	case bool:
		if v {
			p.add("True")
		} else {
			p.add("False")
		}
	case int:
		p.add(strconv.Itoa(v))
	case *big.Int:
		p.add(reprBig(v))
	case float64:
		p.add(reprFloat(v))
	case string:
		p.add(reprString(v))
	case markup:
		p.add("Markup(" + reprString(string(v)) + ")")
	case *undefined:
		p.add("Undefined")
	case *list:
		if !p.enter(v) {
			p.add("[...]")
			return
		}
		p.add("[")
		p.seq(v.items)
		p.add("]")
		p.leave()
	case *tuple:
		if !p.enter(v) {
			p.add("(...)")
			return
		}
		p.add("(")
		p.seq(v.items)
		if len(v.items) == 1 {
			p.add(",")
		}
		p.add(")")
		p.leave()
	case *dict:
		p.dict(v)
	default:
		p.object(v)
	}
}

func (p *printer) dict(d *dict) {
	if !p.enter(d) {
		p.add("{...}")
		return
	}
	p.add("{")
	first := true
	d.each(func(k, v any) bool {
		if !first {
			p.add(", ")
		}
		first = false
		p.repr(k)
		p.add(": ")
		p.repr(v)
		return true
	})
	p.add("}")
	p.leave()
}

// address stands where Python prints the address of an object, which no
// template can rely on.
const address = "0x7f0000000000"

func (p *printer) object(v any) {
	switch v := v.(type) {
	case *rangeObj:
		p.add("range(" + strconv.Itoa(v.start) + ", " + strconv.Itoa(v.stop))
		if v.step != 1 {
			p.add(", " + strconv.Itoa(v.step))
		}
		p.add(")")
	case *dictView:
		p.add("dict_" + v.kind + "(")
		var items []any
		it := iterOf(v)
		for x, ok := it.next(); ok; x, ok = it.next() {
			items = append(items, x)
		}
		p.repr(&list{items: items})
		p.add(")")
	case *generator:
		if v.typ == "generator" {
			p.add("<generator object " + v.name + " at " + address + ">")
		} else {
			p.add("<" + v.typ + " object at " + address + ">")
		}
	case *namespace:
		p.add("<Namespace ")
		p.dict(v.attrs)
		p.add(">")
	case *macro:
		if v.def.name == "" {
			p.add("<Macro anonymous>")
		} else {
			p.add("<Macro " + reprString(v.def.name) + ">")
		}
	case *loopCtx:
		p.add("<LoopContext " + strconv.Itoa(v.index0+1) + "/" + strconv.Itoa(v.len()) + ">")
	case *method:
		p.add("<built-in method " + v.name + " of " + typeName(v.self) + " object at " + address + ">")
	case *function:
		switch v.name {
		case "dict":
			p.add("<class 'dict'>")
		case "cycler", "joiner", "namespace":
			p.add("<class 'jinja2.utils." + strings.ToUpper(v.name[:1]) + v.name[1:] + "'>")
		default:
			p.add("<function " + v.name + " at " + address + ">")
		}
	case *cycler, *joiner:
		p.add("<jinja2.utils." + typeName(v) + " object at " + address + ">")
	case *templateRef:
		p.add("<TemplateReference None>")
	default:
		p.add("<" + typeName(v) + " object at " + address + ">")
	}
}
