package jinja

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// escape is markupsafe.escape.
func (it *interp) escape(v any) markup {
	if m, ok := v.(markup); ok {
		return m
	}
	return markup(it.escapeText(it.str(v)))
}

func (it *interp) escapeText(s string) string {
	extra := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '&', '\'', '"':
			extra += 4
		case '<', '>':
			extra += 3
		}
	}
	if extra == 0 {
		return s
	}
	it.reserve(len(s) + extra)
	var b strings.Builder
	b.Grow(len(s) + extra)
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '&':
			b.WriteString("&amp;")
		case '\'':
			b.WriteString("&#39;")
		case '"':
			b.WriteString("&#34;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// htmlFilters are those about markup and addresses.
func htmlFilters(def defineFunc) {
	def("escape(s)", 0, func(it *interp, a []any) any { return it.escape(a[0]) }, "e", "escape")
	def("do_forceescape(value)", 0, func(it *interp, a []any) any { return markup(it.escapeText(it.str(a[0]))) }, "forceescape")
	def("do_mark_safe(value)", 0, func(it *interp, a []any) any { return markup(it.str(a[0])) }, "safe")
	def("do_striptags(value)", 0, func(it *interp, a []any) any { return it.stripTags(it.str(a[0])) }, "striptags")
	def("do_urlencode(value)", 0, filterURLEncode, "urlencode")
	def("do_xmlattr(d, autospace=True)", 1, filterXMLAttr, "xmlattr")
	def("do_urlize(value, trim_url_limit=None, nofollow=False, target=None, rel=None, extra_schemes=None)", 1, filterURLize, "urlize")
}

// cutBetween removes every open...end span, each found after the last cut.
func cutBetween(s, open, end string) string {
	from := 0
	for {
		i := strings.Index(s[from:], open)
		if i < 0 {
			return s
		}
		i += from
		j := strings.Index(s[i:], end)
		if j < 0 {
			return s
		}
		s = s[:i] + s[i+j+len(end):]
		// Removing a span may join an opening mark around it.
		from = max(0, i-len(open)+1)
	}
}

func (it *interp) stripTags(s string) string {
	// Each cut copies the rest, so the work is the number of marks times the size.
	it.charge(strings.Count(s, "<")*len(s)/1024 + 1)
	s = cutBetween(s, "<!--", "-->")
	s = cutBetween(s, "<", ">")
	return html.UnescapeString(strings.Join(strings.FieldsFunc(s, isPySpace), " "))
}

// quote percent-encodes everything but letters, digits, "_.-~" and safe.
func quote(s, safe string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || strings.IndexByte("_.-~", c) >= 0 || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func (it *interp) quoteQuery(v any) string {
	s := it.str(v)
	it.reserve(3 * len(s))
	return strings.ReplaceAll(quote(s, ""), "%20", "+")
}

func filterURLEncode(it *interp, a []any) any {
	if s, ok := strOf(a[0]); ok || iterOf(a[0]) == nil {
		if !ok {
			s = it.str(a[0])
		}
		it.reserve(3 * len(s))
		return quote(s, "/")
	}
	src := a[0]
	if d, ok := src.(*dict); ok {
		src = &dictView{d, "items"}
	}
	var out []string
	size := 0
	for _, pair := range it.collect(src) {
		if iterOf(pair) == nil {
			raiseType("cannot unpack non-iterable %s object", typeName(pair))
		}
		kv := it.collect(pair)
		if len(kv) != 2 {
			unpackError(len(kv))
		}
		s := it.quoteQuery(kv[0]) + "=" + it.quoteQuery(kv[1])
		size += len(s) + 1
		it.reserve(size)
		out = append(out, s)
	}
	return strings.Join(out, "&")
}

func unpackError(n int) {
	if n < 2 {
		raise(KindValue, "not enough values to unpack (expected 2, got %d)", n)
	}
	raise(KindValue, "too many values to unpack (expected 2)")
}

func filterXMLAttr(it *interp, a []any) any {
	d, ok := a[0].(*dict)
	if !ok {
		attributeError(a[0], "items")
	}
	var b strings.Builder
	d.each(func(k, v any) bool {
		if (v == none{}) || isUndefined(v) {
			return true
		}
		name, ok := strOf(k)
		if !ok {
			raiseType("expected string or bytes-like object, got '%s'", typeName(k))
		}
		if strings.ContainsAny(name, " \t\n\r\f\v/>=") {
			raise(KindValue, "Invalid character in attribute name: %s", reprString(name))
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		s := string(it.escape(k)) + `="` + string(it.escape(v)) + `"`
		it.reserve(b.Len() + len(s))
		b.WriteString(s)
		return true
	})
	s := b.String()
	if s != "" && truthy(a[1]) {
		s = " " + s
	}
	return it.markSafe(s)
}

const wordClass = `[\p{L}\p{N}_]`

// The patterns that decide what is an address; compiled at the first use, because
// classes of Unicode are slow to compile and few templates need them.
var (
	urlPattern = lazy(`(?i)^(?:(?:https?://|www\.)(?:(?:[\p{L}\p{N}_%-]+\.)+)?(?:[a-z]{2,63}|xn--[\p{L}\p{N}_%]{2,59})` +
		`|(?:[\p{L}\p{N}_%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)` +
		`|https?://(?:\d{1,3}(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))` +
		`(?::\d{1,5})?(?:[/?#]\S*)?$`)
	emailPattern  = lazy(`^\S+@` + wordClass + `[\p{L}\p{N}_.-]*\.` + wordClass + `+$`)
	headPattern   = lazy(`^(?:[(<]|&lt;)+`)
	tailPattern   = lazy(`(?:[)>.,\n]|&gt;)+$`)
	schemePattern = lazy(`^[\p{L}\p{N}_.+-]{2,}:/{0,2}$`)
)

func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

func filterURLize(it *interp, a []any) any {
	rel := strings.Fields(it.textOr(a[4], ""))
	if truthy(a[2]) {
		rel = append(rel, "nofollow")
	}
	rel = append(rel, "noopener")
	slices.Sort(rel)
	u := urlizer{it: it, limit: a[1]}
	u.attrs = ` rel="` + it.escapeText(strings.Join(slices.Compact(rel), " ")) + `"`
	if t := it.textOr(a[3], ""); t != "" {
		u.attrs += ` target="` + it.escapeText(t) + `"`
	}
	if (a[5] != none{}) {
		for _, s := range it.collect(a[5]) {
			scheme := it.str(s)
			if !schemePattern().MatchString(scheme) {
				raise(KindFilterArgument, "%s is not a valid URI scheme prefix.", reprString(scheme))
			}
			u.schemes = append(u.schemes, scheme)
		}
	}
	text := string(it.escape(a[0]))
	it.reserve(4 * len(text))
	var b strings.Builder
	for text != "" {
		it.step()
		if n := spaces(text); n > 0 {
			b.WriteString(text[:n])
			text = text[n:]
			continue
		}
		n := strings.IndexFunc(text, isPySpace)
		if n < 0 {
			n = len(text)
		}
		b.WriteString(u.word(text[:n]))
		text = text[n:]
	}
	return it.markSafe(b.String())
}

func (it *interp) textOr(v any, def string) string {
	if !truthy(v) {
		return def
	}
	return it.str(v)
}

type urlizer struct {
	it      *interp
	attrs   string
	limit   any // looked at when there is an address to shorten
	schemes []string
}

func (u *urlizer) trim(s string) string {
	if (u.limit == none{}) || !u.it.order("gt", runeLen(s), u.limit) {
		return s
	}
	short := u.it.evalSliceOf(s, none{}, u.limit, none{})
	return u.it.str(short) + "..."
}

// word links one word when it is an address.
func (u *urlizer) word(w string) string {
	head := headPattern().FindString(w)
	mid, tail := w[len(head):], ""
	if loc := tailPattern().FindStringIndex(mid); loc != nil {
		mid, tail = mid[:loc[0]], mid[loc[0]:]
	}
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		n := strings.Count(mid, pair[0])
		if n <= strings.Count(mid, pair[1]) {
			continue
		}
		for range min(n, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			mid += tail[:end]
			tail = tail[end:]
		}
	}
	switch {
	case urlPattern().MatchString(mid):
		href := mid
		if !strings.HasPrefix(mid, "https://") && !strings.HasPrefix(mid, "http://") {
			href = "https://" + mid
		}
		mid = `<a href="` + href + `"` + u.attrs + `>` + u.trim(mid) + `</a>`
	case strings.HasPrefix(mid, "mailto:") && emailPattern().MatchString(mid[7:]):
		mid = `<a href="` + mid + `">` + mid[7:] + `</a>`
	case strings.Contains(mid, "@") && !strings.HasPrefix(mid, "www.") && !strings.HasPrefix(mid, "@") &&
		!strings.Contains(mid, ":") && emailPattern().MatchString(mid):
		mid = `<a href="mailto:` + mid + `">` + mid + `</a>`
	default:
		for _, s := range u.schemes {
			if mid != s && strings.HasPrefix(mid, s) {
				mid = `<a href="` + mid + `"` + u.attrs + `>` + mid + `</a>`
			}
		}
	}
	return head + mid + tail
}
