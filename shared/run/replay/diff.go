package replay

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// The kinds of differences.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Difference is one place at which two values are not the same.
type Difference struct {
	// Path leads to it: names with dots, places in lists in brackets.
	Path string `json:"path"`
	Kind string `json:"kind"`
	// Before and After are the values, long ones cut; absent on the side that has
	// none.
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
}

// Limits of a comparison: it is for people.
const (
	maxDifferences = 50
	maxShown       = 300 // runes of a value
)

// Diff compares the outputs of two runs. Objects are compared by name in any
// order, lists by place, numbers by what they are worth. It stops after 50
// differences.
func Diff(before, after *value.Object) []Difference {
	d := differ{}
	d.objects("", before, after)
	return d.list
}

type differ struct{ list []Difference }

func (d *differ) add(path, kind string, before, after any) {
	if len(d.list) < maxDifferences {
		d.list = append(d.list, Difference{Path: path, Kind: kind, Before: before, After: after})
	}
}

func (d *differ) objects(path string, a, b *value.Object) {
	if path != "" {
		path += "."
	}
	for k, x := range a.All() {
		if y, ok := b.Get(k); ok {
			d.values(path+k, x, y)
		} else {
			d.add(path+k, Removed, shown(x), nil)
		}
	}
	for k, y := range b.All() {
		if _, ok := a.Get(k); !ok {
			d.add(path+k, Added, nil, shown(y))
		}
	}
}

func (d *differ) values(path string, a, b any) {
	switch x := a.(type) {
	case *value.Object:
		if y, ok := b.(*value.Object); ok {
			d.objects(path, x, y)
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			d.lists(path, x, y)
			return
		}
	}
	if !same(a, b) {
		d.add(path, Changed, shown(a), shown(b))
	}
}

func (d *differ) lists(path string, a, b []any) {
	for i := range max(len(a), len(b)) {
		at := path + "[" + strconv.Itoa(i) + "]"
		switch {
		case i >= len(a):
			d.add(at, Added, nil, shown(b[i]))
		case i >= len(b):
			d.add(at, Removed, shown(a[i]), nil)
		default:
			d.values(at, a[i], b[i])
		}
	}
}

func same(a, b any) bool {
	x, ok := number(a)
	y, ok2 := number(b)
	if ok && ok2 {
		return x == y
	}
	return ok == ok2 && value.JSON(essence(a)) == value.JSON(essence(b))
}

// essence leaves out of a file what changes though the file does not: the
// signature of its address.
func essence(v any) any {
	f, ok := v.(*value.File)
	if !ok {
		return v
	}
	if f.RelatedID != "" {
		return value.Obj("id", f.RelatedID, "size", f.Size)
	}
	return value.Obj("url", f.RemoteURL, "name", f.Filename, "size", f.Size)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// shown is a value as a report shows it.
func shown(v any) any {
	text, isText := v.(string)
	if !isText {
		text = value.JSON(v)
	}
	n := utf8.RuneCountInString(text)
	if n <= maxShown {
		return v
	}
	return fmt.Sprintf("%s… (%d characters)", string([]rune(text)[:maxShown]), n)
}
