package jinja

import (
	"strings"
	"unicode/utf8"
)

func strZfill(it *interp, self any, args []any, kw []kwArg) any {
	noKeywords("str.zfill", kw)
	arity("str", "zfill", args, 1, 1)
	s, _ := strOf(self)
	width := wantInt(args[0])
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	return like(self, sign+it.justify(s, width-len(sign), '0', true))
}

func strPad(name string) methodFunc {
	return func(it *interp, self any, args []any, kw []kwArg) any {
		noKeywords("str."+name, kw)
		arity("str", name, args, 1, 2)
		s, _ := strOf(self)
		fill := ' '
		if len(args) > 1 {
			f, ok := strOf(args[1])
			if !ok {
				raiseType("The fill character must be a unicode character, not %s", typeName(args[1]))
			}
			if runeLen(f) != 1 {
				raiseType("The fill character must be exactly one character long")
			}
			fill, _ = utf8.DecodeRuneInString(f)
		}
		width := wantInt(args[0])
		switch name {
		case "center":
			return like(self, it.center(s, width, fill))
		case "ljust":
			return like(self, it.justify(s, width, fill, false))
		}
		return like(self, it.justify(s, width, fill, true))
	}
}

func strPartition(name string, find func(s, sep string) int) methodFunc {
	return func(_ *interp, self any, args []any, kw []kwArg) any {
		noKeywords("str."+name, kw)
		arity("str", name, args, 1, 1)
		s, _ := strOf(self)
		sep, ok := strOf(args[0])
		if !ok {
			raiseType("must be str, not %s", typeName(args[0]))
		}
		if sep == "" {
			raise(KindValue, "empty separator")
		}
		i := find(s, sep)
		switch {
		case i >= 0:
			return newTuple(like(self, s[:i]), like(self, sep), like(self, s[i+len(sep):]))
		case name == "partition":
			return newTuple(like(self, s), like(self, ""), like(self, ""))
		}
		return newTuple(like(self, ""), like(self, ""), like(self, s))
	}
}

func strRemove(name string, remove func(s, affix string) string) methodFunc {
	return func(_ *interp, self any, args []any, kw []kwArg) any {
		noKeywords("str."+name, kw)
		arity("str", name, args, 1, 1)
		s, _ := strOf(self)
		affix, ok := strOf(args[0])
		if !ok {
			raiseType("%s() argument must be str, not %s", name, typeName(args[0]))
		}
		return like(self, remove(s, affix))
	}
}

func strExpandTabs(it *interp, self any, args []any, kw []kwArg) any {
	sig := signature{name: "expandtabs", params: []param{{"tabsize", 8}}}
	size := wantInt(sig.bind(args, kw)[0])
	s, _ := strOf(self)
	var b strings.Builder
	col := 0
	for _, r := range s {
		switch {
		case r == '\t' && size > 0:
			n := size - col%size
			b.WriteString(it.repeatText(" ", n))
			it.reserve(b.Len())
			col += n
		case r == '\t':
		case r == '\n' || r == '\r':
			b.WriteRune(r)
			col = 0
		default:
			b.WriteRune(r)
			col++
		}
	}
	return like(self, b.String())
}

func strTranslate(it *interp, self any, args []any, kw []kwArg) any {
	noKeywords("str.translate", kw)
	arity("str", "translate", args, 1, 1)
	table, ok := args[0].(*dict)
	if !ok {
		raiseType("'%s' object is not subscriptable", typeName(args[0]))
	}
	s, _ := strOf(self)
	var b strings.Builder
	for _, r := range s {
		it.step()
		switch v := table.get(int(r)).(type) {
		case nil:
			b.WriteRune(r)
		case none:
		case int:
			b.WriteRune(rune(v))
		case string:
			it.reserve(b.Len() + len(v))
			b.WriteString(v)
		default:
			raiseType("character mapping must return integer, None or str")
		}
	}
	return like(self, b.String())
}
