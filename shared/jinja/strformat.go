package jinja

import (
	"strings"
)

// fieldFormatter is str.format as the sandbox runs it: attribute access goes
// through the same rules as in templates.
type fieldFormatter struct {
	it     *interp
	args   []any
	named  *dict
	auto   int // next automatic index; -1 after a manual one
	manual bool
	escape bool
}

func strFormat(it *interp, self any, args []any, kw []kwArg) any {
	d := newDict(len(kw))
	for _, k := range kw {
		d.set(k.name, k.val)
	}
	return formatFields(it, self, args, d)
}

func strFormatMap(it *interp, self any, args []any, kw []kwArg) any {
	if len(kw) > 0 {
		raiseType("format_map() takes no keyword arguments")
	}
	if len(args) != 1 {
		raiseType("format_map() takes exactly one argument (%d given)", len(args))
	}
	d, ok := args[0].(*dict)
	if !ok {
		d = newDict(0)
	}
	return formatFields(it, self, nil, d)
}

func formatFields(it *interp, self any, args []any, named *dict) any {
	s, _ := strOf(self)
	f := &fieldFormatter{it: it, args: args, named: named}
	_, f.escape = self.(markup)
	return like(self, f.format(s, 2))
}

func (f *fieldFormatter) format(s string, depth int) string {
	if depth < 0 {
		raise(KindValue, "Max string recursion exceeded")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '{' && c != '}' {
			b.WriteByte(c)
			continue
		}
		if i+1 < len(s) && s[i+1] == c {
			b.WriteByte(c)
			i++
			continue
		}
		if c == '}' {
			raise(KindValue, "Single '}' encountered in format string")
		}
		end := fieldEnd(s, i+1)
		b.WriteString(f.field(s[i+1:end], depth))
		f.it.reserve(b.Len())
		i = end
	}
	return b.String()
}

// fieldEnd finds the brace that closes the field starting at i.
func fieldEnd(s string, i int) int {
	if i >= len(s) {
		raise(KindValue, "Single '{' encountered in format string")
	}
	depth := 1
	for ; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	raise(KindValue, "expected '}' before end of string")
	return 0
}

func (f *fieldFormatter) field(s string, depth int) string {
	f.it.step()
	name, spec, conv := s, "", byte(0)
	bracket := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			bracket = true
		case ']':
			bracket = false
		}
		if bracket || s[i] != ':' && s[i] != '!' {
			continue
		}
		name = s[:i]
		if s[i] == ':' {
			spec = s[i+1:]
		} else {
			rest := s[i+1:]
			if rest == "" {
				raise(KindValue, "end of string while looking for conversion specifier")
			}
			conv = rest[0]
			if len(rest) > 1 && rest[1] != ':' {
				raise(KindValue, "expected ':' after conversion specifier")
			}
			if len(rest) > 2 {
				spec = rest[2:]
			}
		}
		break
	}
	v := f.lookup(name)
	if strings.ContainsAny(spec, "{}") {
		spec = f.format(spec, depth-1)
	}
	return f.render(v, conv, spec)
}

func (f *fieldFormatter) render(v any, conv byte, spec string) string {
	switch conv {
	case 0:
	case 's':
		v = f.it.str(v)
	case 'r':
		v = f.it.repr(v)
	case 'a':
		v = asciiRepr(f.it.repr(v))
	default:
		raise(KindValue, "Unknown conversion specifier %c", conv)
	}
	if f.escape {
		if m, ok := v.(markup); ok && spec == "" {
			return string(m)
		}
		return f.it.escapeText(f.it.formatValue(v, spec))
	}
	return f.it.formatValue(v, spec)
}

// lookup resolves "name.attr[key]".
func (f *fieldFormatter) lookup(name string) any {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v := f.first(name[:end])
	rest := name[end:]
	for rest != "" {
		if rest[0] == '.' {
			n := strings.IndexAny(rest[1:], ".[") + 1
			if n == 0 {
				n = len(rest)
			}
			if n == 1 {
				raise(KindValue, "Empty attribute in format string")
			}
			v = f.it.getattr(v, rest[1:n])
			rest = rest[n:]
			continue
		}
		n := strings.IndexByte(rest, ']')
		if n < 0 {
			raise(KindValue, "Missing ']' in format string")
		}
		key := rest[1:n]
		if key == "" {
			raise(KindValue, "Empty attribute in format string")
		}
		if i, ok := parsePyInt(key, 10); ok && isDigits(key) {
			v = f.it.getitem(v, i)
		} else {
			v = f.it.getitem(v, key)
		}
		rest = rest[n+1:]
		if rest != "" && rest[0] != '.' && rest[0] != '[' {
			raise(KindValue, "Only '.' or '[' may follow ']' in format field specifier")
		}
	}
	return v
}

func (f *fieldFormatter) first(name string) any {
	index := -1
	if name == "" {
		if f.manual {
			raise(KindValue, "cannot switch from manual field specification to automatic field numbering")
		}
		index = f.auto
		f.auto++
	} else if n, ok := parsePyInt(name, 10); ok && isDigits(name) {
		if f.auto > 0 {
			raise(KindValue, "cannot switch from manual field specification to automatic field numbering")
		}
		f.manual = true
		index, ok = intOf(n)
		if !ok {
			raise(KindValue, "Too many decimal digits in format string")
		}
	} else {
		if v := f.named.getStr(name); v != nil {
			return v
		}
		raise(KindKey, "%s", reprString(name))
	}
	if index >= len(f.args) {
		raise(KindIndex, "tuple index out of range")
	}
	return f.args[index]
}
