package jinja

import (
	"strings"
	"unicode"
)

// softStr keeps str and Markup and turns everything else into str.
func (it *interp) softStr(v any) any {
	switch v.(type) {
	case string, markup:
		return v
	}
	return it.str(v)
}

// like gives s the text type of v.
func like(v any, s string) any {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

// onText makes a filter of a function on text, keeping Markup.
func onText(fn func(it *interp, s string) string) func(it *interp, a []any) any {
	return func(it *interp, a []any) any {
		v := it.softStr(a[0])
		s, _ := strOf(v)
		it.chargeBytes(len(s))
		return like(v, fn(it, s))
	}
}

// textFilters are those on text.
func textFilters(def defineFunc) {
	def("do_upper(s)", 0, onText(func(_ *interp, s string) string { return upper(s) }), "upper")
	def("do_lower(s)", 0, onText(func(_ *interp, s string) string { return lower(s) }), "lower")
	def("do_capitalize(s)", 0, onText(func(_ *interp, s string) string { return capitalize(s) }), "capitalize")
	def("do_title(s)", 0, onText(func(_ *interp, s string) string { return titleWords(s) }), "title")
	def("do_center(value, width=80)", 0, func(it *interp, a []any) any {
		v := it.softStr(a[0])
		s, _ := strOf(v)
		return like(v, it.center(s, wantInt(a[1]), ' '))
	}, "center")
	def("do_trim(value, chars=None)", 0, func(it *interp, a []any) any {
		v := it.softStr(a[0])
		s, _ := strOf(v)
		return like(v, stripText(s, "strip", a[1], true, true))
	}, "trim")
	def("soft_str(s)", 0, func(it *interp, a []any) any { return it.softStr(a[0]) }, "string")
	def("do_replace(s, old, new, count=None)", 1, filterReplace, "replace")
	def("do_indent(s, width=4, first=False, blank=False)", 0, filterIndent, "indent")
	def("do_truncate(s, length=255, killwords=False, end='...', leeway=None)", 1, filterTruncate, "truncate")
	def("do_wordwrap(s, width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True)", 1, filterWordwrap, "wordwrap")
	def("do_wordcount(s)", 0, func(it *interp, a []any) any {
		s := it.str(a[0])
		it.chargeBytes(len(s))
		n, in := 0, false
		for _, r := range s {
			w := isWord(r)
			if w && !in {
				n++
			}
			in = w
		}
		return n
	}, "wordcount")
}

// isWord is \w.
func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

func titleWords(s string) string {
	var b strings.Builder
	start := true
	for _, r := range s {
		switch {
		case strings.ContainsRune("-({[<", r) || isPySpace(r):
			// A run of separators is a word of its own.
			b.WriteRune(r)
			start = true
		case start:
			b.WriteString(upper(string(r)))
			start = false
		default:
			b.WriteString(lower(string(r)))
		}
	}
	return b.String()
}

func filterReplace(it *interp, a []any) any {
	count := -1
	if (a[3] != none{}) {
		count = wantInt(a[3])
	}
	if !it.autoescape {
		return it.replaceText(it.str(a[0]), it.str(a[1]), it.str(a[2]), count)
	}
	_, oldSafe := a[1].(markup)
	_, newSafe := a[2].(markup)
	_, safe := a[0].(markup)
	if oldSafe || newSafe && !safe {
		safe = true
		a[0] = it.escape(a[0])
	}
	s := it.str(a[0])
	if !safe {
		return it.replaceText(s, it.str(a[1]), it.str(a[2]), count)
	}
	return markup(it.replaceText(s, it.str(a[1]), string(it.escape(a[2])), count))
}

// replaceText is str.replace within the limits.
func (it *interp) replaceText(s, old, repl string, count int) string {
	n := strings.Count(s, old)
	if count >= 0 {
		n = min(n, count)
	}
	if n > 0 && len(repl) > len(old) && n > it.opts.MaxOutput/(len(repl)-len(old))+1 {
		raise(KindLimit, "a text of the template is too large")
	}
	it.reserve(len(s) + n*(len(repl)-len(old)))
	return strings.Replace(s, old, repl, count)
}

func filterIndent(it *interp, a []any) any {
	s, ok := strOf(a[0])
	if !ok {
		failUndefined(a[0])
		if _, isList := a[0].(*list); isList {
			attributeError(a[0], "splitlines") // a list takes the newline as an element
		}
		raiseType("unsupported operand type(s) for +=: '%s' and 'str'", typeName(a[0]))
	}
	ind, ok := strOf(a[1])
	if !ok {
		ind = it.repeatText(" ", wantIndex(a[1]))
	}
	lines := splitLines(s+"\n", false)
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
			if l != "" || truthy(a[3]) {
				b.WriteString(ind)
			}
		} else if truthy(a[2]) {
			b.WriteString(ind)
		}
		it.reserve(b.Len() + len(l))
		b.WriteString(l)
	}
	return like(a[0], b.String())
}

// wantIndex is the integer of a repetition.
func wantIndex(v any) int {
	if n, ok := intOf(v); ok {
		return n
	}
	failUndefined(v)
	raiseType("can't multiply sequence by non-int of type '%s'", typeName(v))
	return 0
}

func filterTruncate(it *interp, a []any) any {
	end, _ := strOf(a[3])
	if !it.order("gteq", a[1], runeLen(end)) {
		raise(KindAssert, "expected length >= %d, got %s", runeLen(end), it.str(a[1]))
	}
	length := wantInt(a[1])
	leeway := 5
	if (a[4] != none{}) {
		leeway = wantInt(a[4])
	}
	if leeway < 0 {
		raise(KindAssert, "expected leeway >= 0, got %d", leeway)
	}
	n := lenOf(a[0])
	if n < 0 {
		raiseType("object of type '%s' has no len()", typeName(a[0]))
	}
	if n <= length+leeway {
		return a[0]
	}
	s, ok := strOf(a[0])
	if !ok {
		raiseType("can only concatenate %s (not \"str\") to %s", typeName(a[0]), typeName(a[0]))
	}
	cut := it.pickText(s, 0, 1, length-runeLen(end))
	if !truthy(a[2]) {
		if i := strings.LastIndexByte(cut, ' '); i >= 0 {
			cut = cut[:i]
		}
	}
	return like(a[0], cut+end)
}

func filterWordwrap(it *interp, a []any) any {
	s, ok := strOf(a[0])
	if !ok {
		attributeError(a[0], "splitlines")
	}
	width := wantInt(a[1])
	sep := "\n"
	if t, ok := strOf(a[3]); ok {
		sep = t
	}
	var out []string
	size := 0
	for _, line := range splitLines(s, false) {
		wrapped := it.wrapLine(line, width, truthy(a[2]), truthy(a[4]))
		text := strings.Join(wrapped, sep)
		size += len(text) + len(sep)
		it.reserve(size)
		out = append(out, text)
	}
	return strings.Join(out, sep)
}

func isWrapSpace(r rune) bool { return strings.ContainsRune("\t\n\x0b\x0c\r ", r) }

// wrapChunks cuts a line into the pieces lines are built of.
func wrapChunks(r []rune, hyphens bool) [][]rune {
	var out [][]rune
	letter := func(i int) bool {
		return i >= 0 && i < len(r) && (unicode.IsLetter(r[i]) || r[i] == '_' && false)
	}
	word := func(i int) bool {
		return i >= 0 && i < len(r) && (isWord(r[i]) || strings.ContainsRune("!\"'&.,?", r[i]))
	}
	// dash measures an em-dash (two or more hyphens before a word) at i.
	dash := func(i int) int {
		n := i
		for n < len(r) && r[n] == '-' {
			n++
		}
		if n-i >= 2 && n < len(r) && isWord(r[n]) {
			return n - i
		}
		return 0
	}
	for i := 0; i < len(r); {
		j := i
		if isWrapSpace(r[i]) {
			for j < len(r) && isWrapSpace(r[j]) {
				j++
			}
		} else if n := dash(i); hyphens && n > 0 && word(i-1) {
			j = i + n
		} else {
			for j = i + 1; j < len(r) && !isWrapSpace(r[j]); j++ {
				if !hyphens {
					continue
				}
				if r[j] == '-' && (letter(j-1) && letter(j-2) || letter(j-3) && j >= 2 && r[j-2] == '-' && word(j-1)) {
					k := j + 1
					if letter(k) && (letter(k+1) || k+1 < len(r) && r[k+1] == '-' && letter(k+2)) {
						j++
						break
					}
				}
				if word(j-1) && dash(j) > 0 {
					break
				}
			}
		}
		out = append(out, r[i:j])
		i = j
	}
	return out
}

// wrapLine is textwrap.wrap without tab expansion and whitespace replacement.
func (it *interp) wrapLine(line string, width int, breakLong, hyphens bool) []string {
	chunks := wrapChunks([]rune(line), hyphens)
	if width <= 0 {
		raise(KindValue, "invalid width %d (must be > 0)", width)
	}
	blank := func(c []rune) bool { return strings.TrimFunc(string(c), isPySpace) == "" }
	var lines []string
	for len(chunks) > 0 {
		it.step()
		if len(lines) > 0 && blank(chunks[0]) {
			chunks = chunks[1:]
		}
		var cur [][]rune
		n := 0
		for len(chunks) > 0 && n+len(chunks[0]) <= width {
			cur = append(cur, chunks[0])
			n += len(chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && len(chunks[0]) > width {
			if breakLong {
				cut := width - n
				if c := chunks[0]; hyphens && cut > 0 && len(c) > cut {
					if h := lastHyphen(c[:cut]); h > 0 {
						cut = h + 1
					}
				}
				cur = append(cur, chunks[0][:cut])
				chunks[0] = chunks[0][cut:]
			} else if len(cur) == 0 {
				cur = append(cur, chunks[0])
				chunks = chunks[1:]
			}
		}
		if len(cur) > 0 && blank(cur[len(cur)-1]) {
			cur = cur[:len(cur)-1]
		}
		if len(cur) > 0 {
			var b strings.Builder
			for _, c := range cur {
				b.WriteString(string(c))
			}
			lines = append(lines, b.String())
		}
	}
	return lines
}

// lastHyphen finds the last hyphen that has something else before it.
func lastHyphen(r []rune) int {
	for i := len(r) - 1; i > 0; i-- {
		if r[i] == '-' && strings.Trim(string(r[:i]), "-") != "" {
			return i
		}
	}
	return -1
}
