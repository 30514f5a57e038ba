package jsonschema

import (
	"slices"
	"sort"
	"strings"

	"github.com/millrace/millrace/shared/workflow/value"
)

func items(c *checker, arg any, _ *value.Object, v any, depth int) (out []*Error) {
	l, ok := v.([]any)
	if !ok {
		return nil
	}
	schemas, tuple := arg.([]any)
	for i, x := range l {
		schema := arg
		if tuple {
			if i >= len(schemas) {
				break
			}
			schema = schemas[i]
		}
		out = append(out, c.at(schema, x, i, depth)...)
	}
	return out
}

func additionalItems(c *checker, arg any, schema *value.Object, v any, depth int) (out []*Error) {
	l, ok := v.([]any)
	tuple, isTuple := schema.Value("items").([]any)
	if !ok || !isTuple || len(l) <= len(tuple) {
		return nil
	}
	if arg == false {
		return fail("Additional items are not allowed (%s unexpected)", were(l[len(tuple):]))
	}
	for i := len(tuple); i < len(l); i++ {
		out = append(out, c.at(arg, l[i], i, depth)...)
	}
	return out
}

// were is written as the values and a verb that agrees with their number.
type were []any

func (w were) String() string {
	verb := " was"
	if len(w) != 1 {
		verb = " were"
	}
	return reprs(w).String() + verb
}

func contains(c *checker, arg any, _ *value.Object, v any, depth int) []*Error {
	l, ok := v.([]any)
	if !ok || slices.ContainsFunc(l, func(x any) bool { return len(c.check(arg, x, depth)) == 0 }) {
		return nil
	}
	return fail("None of %s are valid under the given schema", quoted{v})
}

func required(_ *checker, arg any, _ *value.Object, v any, _ int) (out []*Error) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil
	}
	for _, name := range arg.([]any) {
		if _, have := o.Get(name.(string)); !have {
			out = append(out, fail("%s is a required property", quoted{name})...)
		}
	}
	return out
}

func properties(c *checker, arg any, _ *value.Object, v any, depth int) (out []*Error) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil
	}
	for name, schema := range arg.(*value.Object).All() {
		if x, have := o.Get(name); have {
			out = append(out, c.at(schema, x, name, depth)...)
		}
	}
	return out
}

func patternProperties(c *checker, arg any, _ *value.Object, v any, depth int) (out []*Error) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil
	}
	for p, schema := range arg.(*value.Object).All() {
		for name, x := range o.All() {
			if c.s.patterns[p].MatchString(name) {
				out = append(out, c.at(schema, x, name, depth)...)
			}
		}
	}
	return out
}

func additionalProperties(c *checker, arg any, schema *value.Object, v any, depth int) (out []*Error) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil
	}
	known, _ := schema.Value("properties").(*value.Object)
	patterns, _ := schema.Value("patternProperties").(*value.Object)
	var extra []any
	for name := range o.All() {
		if _, have := known.Get(name); have {
			continue
		}
		if slices.ContainsFunc(patterns.Keys(), func(p string) bool { return c.s.patterns[p].MatchString(name) }) {
			continue
		}
		extra = append(extra, name)
	}
	if len(extra) == 0 {
		return nil
	}
	if arg != false {
		for _, name := range extra {
			out = append(out, c.at(arg, o.Value(name.(string)), name, depth)...)
		}
		return out
	}
	extra = sorted(extra)
	if patterns.Len() == 0 {
		return fail("Additional properties are not allowed (%s unexpected)", were(extra))
	}
	verb := "does"
	if len(extra) != 1 {
		verb = "do"
	}
	var named []any
	for _, p := range patterns.Keys() {
		named = append(named, p)
	}
	return fail("%s %s not match any of the regexes: %s", reprs(extra), verb, reprs(sorted(named)))
}

func sorted(names []any) []any {
	sort.Slice(names, func(i, j int) bool { return names[i].(string) < names[j].(string) })
	return names
}

func propertyNames(c *checker, arg any, _ *value.Object, v any, depth int) (out []*Error) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil
	}
	for name := range o.All() {
		out = append(out, c.check(arg, name, depth)...)
	}
	return out
}

func dependencies(c *checker, arg any, _ *value.Object, v any, depth int) (out []*Error) {
	o, ok := v.(*value.Object)
	if !ok {
		return nil
	}
	for name, dependency := range arg.(*value.Object).All() {
		if _, have := o.Get(name); !have {
			continue
		}
		needed, isList := dependency.([]any)
		if !isList {
			out = append(out, c.check(dependency, v, depth)...)
			continue
		}
		for _, n := range needed {
			if _, have := o.Get(n.(string)); !have {
				out = append(out, fail("%s is a dependency of %s", quoted{n}, quoted{name})...)
			}
		}
	}
	return out
}

func allOf(c *checker, arg any, _ *value.Object, v any, depth int) (out []*Error) {
	for _, schema := range arg.([]any) {
		out = append(out, c.check(schema, v, depth)...)
	}
	return out
}

func anyOf(c *checker, arg any, _ *value.Object, v any, depth int) []*Error {
	var context []*Error
	for _, schema := range arg.([]any) {
		found := c.check(schema, v, depth)
		if len(found) == 0 {
			return nil
		}
		context = append(context, found...)
	}
	return noneOf(v, context)
}

func noneOf(v any, context []*Error) []*Error {
	out := fail("%s is not valid under any of the given schemas", quoted{v})
	out[0].context = context
	return out
}

func oneOf(c *checker, arg any, _ *value.Object, v any, depth int) []*Error {
	var context []*Error
	var valid []any
	for _, schema := range arg.([]any) {
		found := c.check(schema, v, depth)
		if len(found) == 0 {
			valid = append(valid, schema)
		}
		if len(valid) == 0 {
			context = append(context, found...)
		}
	}
	switch len(valid) {
	case 0:
		return noneOf(v, context)
	case 1:
		return nil
	}
	// The contract's validator names the first one last.
	return fail("%s is valid under each of %s", quoted{v}, reprs(append(valid[1:len(valid):len(valid)], valid[0])))
}

func not(c *checker, arg any, _ *value.Object, v any, depth int) []*Error {
	if len(c.check(arg, v, depth)) > 0 {
		return nil
	}
	return fail("%s should not be valid under %s", quoted{v}, quoted{arg})
}

func condition(c *checker, arg any, schema *value.Object, v any, depth int) []*Error {
	branch := "then"
	if len(c.check(arg, v, depth)) > 0 {
		branch = "else"
	}
	if s, have := schema.Get(branch); have {
		return c.check(s, v, depth)
	}
	return nil
}

// best returns the error that the contract's validator reports: the one nearest
// to the root, and of alternatives that all failed the one that came furthest,
// if one came further than the rest.
func best(found []*Error) *Error {
	if len(found) == 0 {
		return nil
	}
	top := found[0]
	for _, e := range found[1:] {
		if compare(e, top) > 0 {
			top = e
		}
	}
	for len(top.context) > 0 {
		ctx := slices.Clone(top.context)
		slices.SortStableFunc(ctx, compare)
		if len(ctx) > 1 && compare(ctx[0], ctx[1]) == 0 {
			return top
		}
		top = ctx[0]
	}
	return top
}

// compare orders errors by how well they explain.
func compare(a, b *Error) int {
	if len(a.Path) != len(b.Path) {
		return len(b.Path) - len(a.Path)
	}
	if d := slices.CompareFunc(a.Path, b.Path, compareStep); d != 0 {
		return d
	}
	if d := rank(a.keyword != "anyOf" && a.keyword != "oneOf") - rank(b.keyword != "anyOf" && b.keyword != "oneOf"); d != 0 {
		return d
	}
	return rank(!a.fits()) - rank(!b.fits())
}

func compareStep(a, b any) int {
	x, isIndex := a.(int)
	y, alsoIndex := b.(int)
	switch {
	case isIndex && alsoIndex:
		return x - y
	case isIndex != alsoIndex:
		return rank(alsoIndex) - rank(isIndex)
	}
	return strings.Compare(a.(string), b.(string))
}

func rank(better bool) int {
	if better {
		return 1
	}
	return 0
}

// fits reports whether the value has a type that the schema asks for.
func (e *Error) fits() bool {
	o, ok := e.schema.(*value.Object)
	if !ok {
		return false
	}
	want, have := o.Get("type")
	return have && slices.ContainsFunc(list(want), func(n any) bool { return hasType(e.value, n.(string)) })
}
