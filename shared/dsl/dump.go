package dsl

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// width is the column after which a text is broken at its next single space.
const width = 80

// Dump writes v as a YAML document in the contract's layout: keys sorted,
// lists level with their key, the plainest quotes that keep the meaning, long
// texts folded.
func Dump(v any) (string, error) {
	e := emitter{fresh: true}
	if err := e.block(value.From(v), 0, 0); err != nil {
		return "", err
	}
	e.b.WriteByte('\n')
	return e.b.String(), nil
}

type emitter struct {
	b      strings.Builder
	column int
	fresh  bool // nothing was written on this line yet but indentation
}

func (e *emitter) write(s string) {
	e.b.WriteString(s)
	e.column += utf8.RuneCountInString(s)
	e.fresh = false
}

func (e *emitter) newline() {
	e.b.WriteByte('\n')
	e.column, e.fresh = 0, true
}

// indent goes to the column that starts a line.
func (e *emitter) indent(n int) {
	if !e.fresh || e.column > n {
		e.newline()
	}
	if e.column < n {
		e.b.WriteString(strings.Repeat(" ", n-e.column))
		e.column = n
	}
}

// block writes a value that stands by itself, its lines starting at in.
func (e *emitter) block(v any, in, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the document is nested too deeply")
	}
	switch v := v.(type) {
	case *value.Object:
		if v.Len() > 0 {
			return e.mapping(v, in, depth)
		}
	case []any:
		if len(v) > 0 {
			return e.sequence(v, in, depth)
		}
	}
	return e.scalar(v, in+2, false)
}

func (e *emitter) mapping(o *value.Object, in, depth int) error {
	keys := slices.Clone(o.Keys())
	slices.Sort(keys)
	for i, k := range keys {
		if i > 0 || !e.fresh && e.column != in {
			e.indent(in)
		}
		if !simpleKey(k) {
			e.write("? ")
			if err := e.scalar(k, in+2, false); err != nil {
				return err
			}
			e.indent(in)
			e.write(":")
			if err := e.item(o.Value(k), in, depth); err != nil {
				return err
			}
			continue
		}
		if err := e.scalar(k, in+2, true); err != nil {
			return err
		}
		e.write(":")
		if err := e.child(o.Value(k), in, in, depth); err != nil {
			return err
		}
	}
	return nil
}

func (e *emitter) sequence(list []any, in, depth int) error {
	for i, x := range list {
		if i > 0 || !e.fresh && e.column != in {
			e.indent(in)
		}
		e.write("-")
		if err := e.item(x, in, depth); err != nil {
			return err
		}
	}
	return nil
}

// item writes what follows a dash: collections start on the same line.
func (e *emitter) item(x any, in, depth int) error {
	e.write(" ")
	switch v := x.(type) {
	case *value.Object:
		if v.Len() > 0 {
			return e.mapping(v, in+2, depth+1)
		}
	case []any:
		if len(v) > 0 {
			return e.sequence(v, in+2, depth+1)
		}
	}
	return e.scalar(x, in+2, false)
}

// simpleKey reports whether a key can stand before its colon on one line.
func simpleKey(k string) bool {
	return k != "" && utf8.RuneCountInString(k) < 128 && !strings.ContainsFunc(k, isBreak)
}

// child writes the value of a key: mappings one step in, lists level with it.
func (e *emitter) child(v any, in, listIn, depth int) error {
	switch v := v.(type) {
	case *value.Object:
		if v.Len() > 0 {
			e.indent(in + 2)
			return e.block(v, in+2, depth+1)
		}
	case []any:
		if len(v) > 0 {
			e.newline()
			e.indent(listIn)
			return e.block(v, listIn, depth+1)
		}
	}
	e.write(" ")
	return e.scalar(v, in+2, false)
}

// scalar writes a value on the current line; texts that are folded go on at
// column in.
func (e *emitter) scalar(v any, in int, key bool) error {
	switch v := v.(type) {
	case nil:
		e.write("null")
	case bool:
		e.write(fmt.Sprint(v))
	case int64, *big.Int:
		e.write(fmt.Sprint(v))
	case float64:
		e.write(floatText(v))
	case string:
		e.text(v, in, key)
	case *value.Object:
		e.write("{}")
	case []any:
		e.write("[]")
	default:
		return fmt.Errorf("a %T has no YAML form", v)
	}
	return nil
}

func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	s := value.FloatText(f)
	if !strings.Contains(s, ".") {
		s = strings.Replace(s, "e", ".0e", 1)
	}
	return s
}

func (e *emitter) text(s string, in int, key bool) {
	a := analyse(s)
	switch {
	case a.plain && plainIsText(s):
		e.plain([]rune(s), in, !key)
	case a.single && (!key || !a.multiline):
		e.single([]rune(s), in, !key)
	default:
		e.double([]rune(s), in, !key)
	}
}
