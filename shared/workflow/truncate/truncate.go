// Package truncate cuts values down to what the contract shows of them while
// debugging: in event streams of the console and of web apps, and in stored
// draft variables.
//
// It knows nothing of variables or events, and it never changes the value it
// is given: what is cut is copied. START HERE: Limits.Object, Limits.Value.
package truncate

import (
	"sort"
	"strconv"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// Limits bound a value. Zero fields mean the contract's limits in brackets.
type Limits struct {
	// Total is the size of a whole value in characters of JSON [1024000].
	Total int
	// String is the length of one text in characters [100000].
	String int
	// Array is the number of elements of one list [1000].
	Array int
}

func (l Limits) withDefaults() Limits {
	if l.Total <= 0 {
		l.Total = 1024000
	}
	if l.String <= 0 {
		l.String = 100000
	}
	if l.Array <= 0 {
		l.Array = 1000
	}
	return l
}

// ellipsis ends a text that was cut, and stands for a member that had no room.
const ellipsis = "..."

// Object cuts the members of o. The room is shared: each member may take an
// equal part of what the ones before it have left. cut reports whether anything
// is missing; if not, o itself is returned.
func (l Limits) Object(o *value.Object) (out *value.Object, cut bool) {
	l = l.withDefaults()
	if o == nil || l.fits(o) {
		return o, false
	}
	out = value.NewObject(o.Len())
	used := 0
	for k, v := range o.All() {
		used += textSize(k)
		if used > l.Total {
			out.Set(k, ellipsis)
			cut = true
			continue
		}
		part, size, short := l.part(v, (l.Total-used)/(o.Len()-out.Len()))
		out.Set(k, part)
		used += size
		cut = cut || short
	}
	return out, cut
}

// Value cuts one value. cut reports whether anything is missing; if not, v
// itself is returned.
func (l Limits) Value(v any) (out any, cut bool) {
	l = l.withDefaults()
	if l.fits(v) {
		return v, false
	}
	out, _, cut = l.part(v, l.Total)
	return out, cut
}

// fits reports whether nothing of v has to be cut; most values fit, and finding
// that out copies nothing.
func (l Limits) fits(v any) bool {
	return l.room(v, l.Total) >= 0
}

// room returns what v leaves of a budget; negative when v is too large.
func (l Limits) room(v any, budget int) int {
	switch t := v.(type) {
	case string:
		if utf8.RuneCountInString(t) > l.String {
			return -1
		}
	case []any:
		if len(t) > l.Array {
			return -1
		}
		budget -= 2
		for _, x := range t {
			if budget = l.room(x, budget) - 1; budget < 0 {
				return -1
			}
		}
		return budget
	case *value.Object:
		budget -= 2
		for k, x := range t.All() {
			if budget = l.room(x, budget-textSize(k)-2); budget < 0 {
				return -1
			}
		}
		return budget
	}
	return budget - scalarSize(v)
}

// part cuts v to a budget and returns it with its size.
func (l Limits) part(v any, budget int) (out any, size int, cut bool) {
	switch t := v.(type) {
	case string:
		return l.text(t, budget)
	case []any:
		return l.list(t, budget)
	case *value.Object:
		return l.object(t, budget)
	default:
		return v, scalarSize(v), false
	}
}

func (l Limits) text(s string, budget int) (any, int, bool) {
	n := utf8.RuneCountInString(s)
	if n <= l.String && n+2 <= budget {
		return s, n + 2, false
	}
	keep := max(min(l.String, budget-2-len(ellipsis)), 0)
	if keep >= n {
		return s, n + 2, false
	}
	s = firstRunes(s, keep) + ellipsis
	return s, keep + len(ellipsis) + 2, true
}

func (l Limits) list(list []any, budget int) (any, int, bool) {
	cut := len(list) > l.Array
	if cut {
		list = list[:l.Array]
	}
	out := make([]any, 0, len(list))
	used := 2
	for _, x := range list {
		if used > budget {
			return out, used, true
		}
		part, size, short := l.part(x, budget-used)
		out = append(out, part)
		used += size + 1
		cut = cut || short
	}
	return out, used, cut
}

// object cuts an object inside of a value: members that have no room are left
// out, in the order of their keys.
func (l Limits) object(o *value.Object, budget int) (any, int, bool) {
	keys := append([]string(nil), o.Keys()...)
	sort.Strings(keys)
	out := value.NewObject(len(keys))
	used, cut := 2, false
	for i, k := range keys {
		used += textSize(k) + 2
		if used > budget {
			return out, used, true
		}
		part, size, short := l.part(o.Value(k), (budget-used)/(len(keys)-i))
		out.Set(k, part)
		used += size
		cut = cut || short
	}
	return out, used, cut
}

func textSize(s string) int { return utf8.RuneCountInString(s) + 2 }

// fileSize is what a file counts: it is never cut.
const fileSize = 256

func scalarSize(v any) int {
	switch t := v.(type) {
	case string:
		return textSize(t)
	case nil:
		return 4
	case bool:
		if t {
			return 4
		}
		return 5
	case int64:
		return len(strconv.FormatInt(t, 10))
	case float64:
		return len(value.FloatText(t))
	case *value.File:
		return fileSize
	}
	return len(value.JSON(v))
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
