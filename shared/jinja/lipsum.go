package jinja

import "strings"

// globalLipsum makes paragraphs of filler text.
func globalLipsum(it *interp, args []any, kw []kwArg) any {
	sig := parseSignature("generate_lorem_ipsum(n=5, html=True, min=20, max=100)", 0)
	a := sig.bind(args, kw)
	n, low, high := wantInt(a[0]), wantInt(a[2]), wantInt(a[3])
	words := strings.Fields("lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod " +
		"tempor incididunt ut labore et dolore magna aliqua enim ad minim veniam quis nostrud")
	if high <= low {
		raise(KindValue, "empty range for randrange() (%d, %d, %d)", low, high, high-low)
	}
	var out []string
	size := 0
	for range max(n, 0) {
		count := low + it.opts.Random(high-low)
		it.charge(max(count, 1))
		var b strings.Builder
		for i := range count {
			w := words[it.opts.Random(len(words))]
			if i%9 == 0 {
				if i > 0 {
					b.WriteString(". ")
				}
				w = upper(w[:1]) + w[1:]
			} else {
				b.WriteByte(' ')
			}
			b.WriteString(w)
		}
		b.WriteByte('.')
		text := b.String()
		if truthy(a[1]) {
			text = "<p>" + text + "</p>"
		}
		size += len(text)
		it.reserve(size)
		out = append(out, text)
	}
	if truthy(a[1]) {
		return markup(strings.Join(out, "\n"))
	}
	return strings.Join(out, "\n\n")
}
