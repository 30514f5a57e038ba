package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// methodOf finds a public method of a builtin value, nil when there is none.
func methodOf(x any, name string) methodFunc {
	switch x.(type) {
	case string, markup:
		return strMethod(name)
	case *list:
		return listMethod(name)
	case *dict:
		return dictMethod(name)
	case *tuple:
		return tupleMethod(name)
	case *rangeObj:
		return tupleMethod(name)
	case int, bool, float64:
		return numberMethod(x, name)
	}
	return nil
}

// noKeywords refuses keyword arguments.
func noKeywords(name string, kw []kwArg) {
	if len(kw) > 0 {
		raiseType("%s() takes no keyword arguments", name)
	}
}

// arity checks the number of positional arguments.
func arity(owner, name string, args []any, low, high int) {
	n := len(args)
	switch {
	case n >= low && n <= high:
	case high == 0:
		raiseType("%s.%s() takes no arguments (%d given)", owner, name, n)
	case low == 1 && high == 1:
		raiseType("%s.%s() takes exactly one argument (%d given)", owner, name, n)
	case n < low && low == high:
		raiseType("%s expected %d arguments, got %d", name, low, n)
	case n < low:
		raiseType("%s expected at least %d argument%s, got %d", name, low, plural(low), n)
	default:
		raiseType("%s expected at most %d argument%s, got %d", name, high, plural(high), n)
	}
}

// simple makes a method of a function on text without arguments.
func simple(name string, fn func(s string) string) methodFunc {
	return func(it *interp, self any, args []any, kw []kwArg) any {
		noKeywords("str."+name, kw)
		arity("str", name, args, 0, 0)
		s, _ := strOf(self)
		it.chargeBytes(len(s))
		return like(self, fn(s))
	}
}

// predicate makes a method of a question about text.
func predicate(name string, fn func(s string) bool) methodFunc {
	return func(it *interp, self any, args []any, kw []kwArg) any {
		noKeywords("str."+name, kw)
		arity("str", name, args, 0, 0)
		s, _ := strOf(self)
		it.chargeBytes(len(s))
		return fn(s)
	}
}

// textArg is an argument that must be text.
func textArg(it *interp, self, v any, format string) string {
	s, ok := strOf(v)
	if !ok {
		raiseType(format, typeName(v))
	}
	if _, mk := self.(markup); mk {
		return string(it.escape(v))
	}
	return s
}

func strMethod(name string) methodFunc {
	switch name {
	case "upper":
		return simple(name, upper)
	case "lower":
		return simple(name, lower)
	case "title":
		return simple(name, titleText)
	case "capitalize":
		return simple(name, capitalize)
	case "swapcase":
		return simple(name, swapcase)
	case "casefold":
		return simple(name, casefold)
	case "isdigit":
		return predicate(name, isDigits)
	case "isdecimal":
		return predicate(name, func(s string) bool {
			return allRunes(s, func(r rune) bool { return unicode.Is(unicode.Nd, r) })
		})
	case "isnumeric":
		return predicate(name, func(s string) bool { return allRunes(s, unicode.IsNumber) })
	case "isalpha":
		return predicate(name, func(s string) bool { return allRunes(s, unicode.IsLetter) })
	case "isalnum":
		return predicate(name, func(s string) bool {
			return allRunes(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
		})
	case "isspace":
		return predicate(name, func(s string) bool { return allRunes(s, isPySpace) })
	case "isascii":
		return predicate(name, isASCII)
	case "isprintable":
		return predicate(name, func(s string) bool { return s == "" || allRunes(s, isPrintable) })
	case "isidentifier":
		return predicate(name, func(s string) bool { return s != "" && matchName(s) == len(s) && !isDigit(s[0]) })
	case "isupper":
		return predicate(name, func(s string) bool { return caseTest(s, true) })
	case "islower":
		return predicate(name, func(s string) bool { return caseTest(s, false) })
	case "istitle":
		return predicate(name, isTitleText)
	}
	return strArgMethod(name)
}

// strArgMethod are the methods of text that take arguments.
func strArgMethod(name string) methodFunc {
	switch name {
	case "strip":
		return strStrip(name, true, true)
	case "lstrip":
		return strStrip(name, true, false)
	case "rstrip":
		return strStrip(name, false, true)
	case "split":
		return strSplit(name, false)
	case "rsplit":
		return strSplit(name, true)
	case "splitlines":
		return strSplitLines
	case "join":
		return strJoin
	case "replace":
		return strReplace
	case "startswith":
		return strAffix(name, strings.HasPrefix)
	case "endswith":
		return strAffix(name, strings.HasSuffix)
	case "find", "index":
		return strFind(name, strings.Index)
	case "rfind", "rindex":
		return strFind(name, strings.LastIndex)
	case "count":
		return strFind(name, func(s, sub string) int { return strings.Count(s, sub) })
	case "format":
		return strFormat
	case "format_map":
		return strFormatMap
	case "zfill":
		return strZfill
	case "center", "ljust", "rjust":
		return strPad(name)
	case "partition":
		return strPartition(name, strings.Index)
	case "rpartition":
		return strPartition(name, strings.LastIndex)
	case "removeprefix":
		return strRemove(name, strings.TrimPrefix)
	case "removesuffix":
		return strRemove(name, strings.TrimSuffix)
	case "expandtabs":
		return strExpandTabs
	case "translate":
		return strTranslate
	}
	return nil
}

func strStrip(name string, left, right bool) methodFunc {
	return func(_ *interp, self any, args []any, kw []kwArg) any {
		noKeywords("str."+name, kw)
		arity("str", name, args, 0, 1)
		var chars any = none{}
		if len(args) > 0 {
			chars = args[0]
		}
		s, _ := strOf(self)
		return like(self, stripText(s, name, chars, left, right))
	}
}

func texts(self any, list0 []string) *list {
	l := &list{items: make([]any, len(list0))}
	for i, s := range list0 {
		l.items[i] = like(self, s)
	}
	return l
}

func strSplit(name string, fromRight bool) methodFunc {
	return func(it *interp, self any, args []any, kw []kwArg) any {
		sig := signature{name: name, params: []param{{"sep", none{}}, {"maxsplit", -1}}}
		a := sig.bind(args, kw)
		s, _ := strOf(self)
		limit := wantInt(a[1])
		var out []string
		if (a[0] == none{}) {
			out = splitSpace(s, limit, fromRight)
		} else {
			sep, ok := strOf(a[0])
			if !ok {
				raiseType("must be str or None, not %s", typeName(a[0]))
			}
			if sep == "" {
				raise(KindValue, "empty separator")
			}
			out = splitSep(s, sep, limit, fromRight)
		}
		it.charge(len(out))
		it.chargeBytes(len(s))
		return texts(self, out)
	}
}

func splitSep(s, sep string, limit int, fromRight bool) []string {
	if limit < 0 {
		return strings.Split(s, sep)
	}
	if !fromRight {
		return strings.SplitN(s, sep, limit+1)
	}
	var tail []string
	for ; limit > 0; limit-- {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		tail = append(tail, s[i+len(sep):])
		s = s[:i]
	}
	out := []string{s}
	for i := len(tail) - 1; i >= 0; i-- {
		out = append(out, tail[i])
	}
	return out
}

func splitSpace(s string, limit int, fromRight bool) []string {
	if limit < 0 {
		return strings.FieldsFunc(s, isPySpace)
	}
	var out []string
	if !fromRight {
		s = strings.TrimLeftFunc(s, isPySpace)
		for s != "" {
			i := strings.IndexFunc(s, isPySpace)
			if i < 0 || len(out) == limit {
				return append(out, s)
			}
			out = append(out, s[:i])
			s = strings.TrimLeftFunc(s[i:], isPySpace)
		}
		return out
	}
	s = strings.TrimRightFunc(s, isPySpace)
	for s != "" {
		i := strings.LastIndexFunc(s, isPySpace)
		if i < 0 || len(out) == limit {
			out = append(out, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		out = append(out, s[i+n:])
		s = strings.TrimRightFunc(s[:i], isPySpace)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func strSplitLines(it *interp, self any, args []any, kw []kwArg) any {
	sig := signature{name: "splitlines", params: []param{{"keepends", false}}}
	s, _ := strOf(self)
	out := splitLines(s, truthy(sig.bind(args, kw)[0]))
	it.charge(len(out))
	return texts(self, out)
}

func strJoin(it *interp, self any, args []any, kw []kwArg) any {
	noKeywords("str.join", kw)
	arity("str", "join", args, 1, 1)
	src := iterOf(args[0])
	if src == nil {
		raiseType("can only join an iterable")
	}
	sep, _ := strOf(self)
	var b strings.Builder
	for i := 0; ; i++ {
		v, ok := src.next()
		if !ok {
			return like(self, b.String())
		}
		it.step()
		s, isText := strOf(v)
		if _, mk := self.(markup); mk {
			s = string(it.escape(v))
		} else if !isText {
			raiseType("sequence item %d: expected str instance, %s found", i, typeName(v))
		}
		if i > 0 {
			b.WriteString(sep)
		}
		it.reserve(b.Len() + len(s))
		b.WriteString(s)
	}
}

func strReplace(it *interp, self any, args []any, kw []kwArg) any {
	noKeywords("str.replace", kw)
	arity("str", "replace", args, 2, 3)
	count := -1
	if len(args) > 2 {
		count = wantInt(args[2])
	}
	s, _ := strOf(self)
	old, ok := strOf(args[0])
	if !ok {
		raiseType("replace() argument 1 must be str, not %s", typeName(args[0]))
	}
	repl := textArg(it, self, args[1], "replace() argument 2 must be str, not %s")
	return like(self, it.replaceText(s, old, repl, count))
}

// window cuts s to the optional start and end arguments, in characters; base
// is the start. ok is false when start lies behind the end of s.
func (it *interp) window(s string, args []any) (sub string, base int, ok bool) {
	n := runeLen(s)
	lo, hi := 0, n
	clip := func(v any, def int) int {
		i, has := sliceBound(v)
		if !has {
			return def
		}
		if i < 0 {
			i = max(i+n, 0)
		}
		return i
	}
	if len(args) > 0 {
		lo = clip(args[0], lo)
	}
	if len(args) > 1 {
		hi = min(clip(args[1], hi), n)
	}
	if lo > hi {
		return "", lo, lo <= n && false
	}
	return it.pickText(s, lo, 1, hi-lo), lo, true
}

func strAffix(name string, has func(s, affix string) bool) methodFunc {
	return func(it *interp, self any, args []any, kw []kwArg) any {
		noKeywords("str."+name, kw)
		if len(args) == 0 {
			raiseType("%s() takes at least 1 argument (0 given)", name)
		}
		arity("str", name, args, 1, 3)
		s, _ := strOf(self)
		sub, _, ok := it.window(s, args[1:])
		if t, isTuple := args[0].(*tuple); isTuple {
			for _, v := range t.items {
				a, isText := strOf(v)
				if !isText {
					raiseType("tuple for %s must only contain str, not %s", name, typeName(v))
				}
				if ok && has(sub, a) {
					return true
				}
			}
			return false
		}
		a, isText := strOf(args[0])
		if !isText {
			raiseType("%s first arg must be str or a tuple of str, not %s", name, typeName(args[0]))
		}
		return ok && has(sub, a)
	}
}

func strFind(name string, find func(s, sub string) int) methodFunc {
	return func(it *interp, self any, args []any, kw []kwArg) any {
		noKeywords("str."+name, kw)
		if len(args) < 1 || len(args) > 3 {
			raiseType("%s() takes at least 1 argument (%d given)", name, len(args))
		}
		s, _ := strOf(self)
		needle, isText := strOf(args[0])
		if !isText {
			raiseType("must be str, not %s", typeName(args[0]))
		}
		it.chargeBytes(len(s))
		sub, base, ok := it.window(s, args[1:])
		if name == "count" {
			if !ok {
				return 0
			}
			return find(sub, needle)
		}
		i := -1
		if ok {
			i = find(sub, needle)
		}
		if i < 0 {
			if name == "index" || name == "rindex" {
				raise(KindValue, "substring not found")
			}
			return -1
		}
		return base + runeLen(sub[:i])
	}
}
