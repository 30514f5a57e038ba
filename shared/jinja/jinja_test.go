package jinja_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/jinja"
)

func mustRender(t *testing.T, template string, vars map[string]any) string {
	t.Helper()
	out, err := render(template, vars)
	require.NoError(t, err)
	return out
}

func TestVariablesOfGoTypes(t *testing.T) {
	t.Parallel()
	ordered := &jinja.Dict{}
	ordered.Set("z", 1)
	ordered.Set("a", []any{nil, true})
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"nil", nil, "None"},
		{"int64", int64(7), "7"},
		{"uint64", uint64(1 << 63), "9223372036854775808"},
		{"float32", float32(0.5), "0.5"},
		{"number", json.Number("12345678901234567890"), "12345678901234567890"},
		{"float number", json.Number("1.0"), "1.0"},
		{"exponent", json.Number("1e2"), "100.0"},
		{"map is sorted", map[string]any{"b": 1, "a": []any{"x"}}, "{'a': ['x'], 'b': 1}"},
		{"ordered", ordered, "{'z': 1, 'a': [None, True]}"},
		{"typed slice", []string{"a", "b"}, "['a', 'b']"},
		{"typed map", map[string]int{"k": 1}, "{'k': 1}"},
		{"slice of maps", []map[string]any{{"k": 1}}, "[{'k': 1}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, mustRender(t, "{{ v }}", map[string]any{"v": c.in}))
		})
	}
	_, err := render("{{ v }}", map[string]any{"v": struct{ A int }{1}})
	requireKind(t, err, jinja.KindType)
}

func requireKind(t *testing.T, err error, kind string) {
	t.Helper()
	var e *jinja.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, "%s", e.Message)
}

func TestRenderNeverChangesTheVariables(t *testing.T) {
	t.Parallel()
	vars := map[string]any{"l": []any{1, []any{2}}, "d": map[string]any{"k": 1}}
	mustRender(t, "{{ l.append(9) }}{{ l[1].clear() }}{{ d.update(x=1) }}{{ d.pop('k') }}", vars)
	require.Equal(t, map[string]any{"l": []any{1, []any{2}}, "d": map[string]any{"k": 1}}, vars)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, template := range map[string]string{
		"nested loops":     "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
		"string repeat":    "{{ 'a' * 999999999 }}",
		"huge repeat":      "{{ 'ab' * 9223372036854775807 }}",
		"list repeat":      "{{ [0] * 999999999 }}",
		"doubling":         "{% set ns = namespace(s='abcdefgh') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
		"list doubling":    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"list extend":      "{% set l = [1] %}{% for i in range(60) %}{{ l.extend(l) }}{% endfor %}",
		"center":           "{{ 'a'|center(999999999) }}",
		"ljust":            "{{ 'a'.ljust(999999999) }}",
		"zfill":            "{{ 'a'.zfill(999999999) }}",
		"format width":     "{{ '%999999999d' % 1 }}",
		"format spec":      "{{ '{:999999999}'.format(1) }}",
		"grouped zeros":    "{{ '{:0999999999,}'.format(1) }}",
		"indent":           "{{ 'a\nb'|indent(999999999) }}",
		"replace":          "{{ ('a' * 100000)|replace('a', 'b' * 1000) }}",
		"join":             "{{ (['a' * 100000] * 1000)|join('x' * 1000) }}",
		"power":            "{{ 9 ** 99999999 }}",
		"big product":      "{% set ns = namespace(n=9999999999999999999) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
		"batch fill":       "{{ [1]|batch(999999999, 'x')|list }}",
		"output":           "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
		"expandtabs":       "{{ '\t'.expandtabs(999999999) }}",
		"tojson indent":    "{{ [[1]]|tojson(999999999) }}",
		"many live values": "{% set l = [] %}{% for i in range(99999) %}{{ l.append('a' * 1000000 ~ i) }}{% endfor %}",
		"endless append":   "{% set l = [1] %}{% for i in l %}{{ l.append(i) }}{% endfor %}",
		"slices":           "{{ range(9)|slice(999999999)|list }}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(template, nil)
			requireKind(t, err, jinja.KindLimit)
		})
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	for name, template := range map[string]string{
		"macro":       "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"loop":        "{% set l = [1] %}{{ l.append(l) }}{% for x in l recursive %}{{ loop(l) }}{% endfor %}",
		"source":      "{{ " + nested + " }}",
		"parentheses": "{{ " + strings.Repeat("(", 5000) + " }}",
		"unary":       "{{ " + strings.Repeat("-", 5000) + "1 }}",
		"not":         "{{ " + strings.Repeat("not ", 5000) + "1 }}",
		"if":          strings.Repeat("{% if 1 %}", 5000),
		"else chain":  "{{ " + strings.Repeat("1 if 0 else ", 5000) + "1 }}",
		"repr":        "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
		"json":        "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}",
		"equal":       "{% set ns = namespace(x=[], y=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
		"pprint":      "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|pprint }}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(template, nil)
			requireKind(t, err, jinja.KindRecursion)
		})
	}
	for name, template := range map[string]string{
		"filters":    "{{ 1" + strings.Repeat("|string", 900) + " }}",
		"sum":        "{{ 1" + strings.Repeat("+1", 20000) + " }}",
		"generators": "{% set ns = namespace(x=[1]) %}{% for i in range(5000) %}{% set ns.x = ns.x|map('string') %}{% endfor %}{{ ns.x|list }}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(template, nil)
			if err != nil {
				requireKind(t, err, jinja.KindRecursion)
			}
		})
	}
}

func TestCyclesAreShown(t *testing.T) {
	t.Parallel()
	require.Equal(t, "None[1, [...]]", mustRender(t, "{% set l = [1] %}{{ l.append(l) }}{{ l }}", nil))
	_, err := render("{% set l = [1] %}{% set _ = l.append(l) %}{{ l|tojson }}", nil)
	requireKind(t, err, jinja.KindValue)
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	tmpl, err := jinja.Compile("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", jinja.Options{MaxSteps: 1 << 40})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = tmpl.Render(ctx, nil)
	requireKind(t, err, jinja.KindCanceled)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestErrorLines(t *testing.T) {
	t.Parallel()
	for template, line := range map[string]int{
		"a\nb\n{{ 1 / 0 }}": 3,
		"a\n{% if %}":       2,
		"{% for x in [1] %}\n{{ x.y.z }}\n{% endfor %}": 2,
		"{{ 1 }}\n\n{{ x|nosuch }}":                     3,
		"{{ 1 }}\n{% set x = nope.y %}":                 2,
	} {
		_, err := render(template, nil)
		var e *jinja.Error
		require.True(t, errors.As(err, &e), template)
		require.Equal(t, line, e.Line, template)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	_, err := jinja.Compile(strings.Repeat("x", 100), jinja.Options{MaxSource: 10})
	requireKind(t, err, jinja.KindLimit)
	tmpl, err := jinja.Compile("{{ 'abcdef' }}{{ 'ghi' }}", jinja.Options{MaxOutput: 8})
	require.NoError(t, err)
	_, err = tmpl.Render(context.Background(), nil)
	requireKind(t, err, jinja.KindLimit)
	tmpl, err = jinja.Compile("{{ [1, 2, 3]|random }}", jinja.Options{Random: func(n int) int { return n - 1 }})
	require.NoError(t, err)
	out, err := tmpl.Render(context.Background(), nil)
	require.NoError(t, err)
	require.Equal(t, "3", out)
}

func TestConcurrentRender(t *testing.T) {
	t.Parallel()
	tmpl, err := jinja.Compile("{% macro m(x) %}{{ x }}{% endmacro %}{% for i in l %}{{ m(i) }}{{ l.append(1) if loop.index < 3 }}{% endfor %}", jinja.Options{})
	require.NoError(t, err)
	vars := map[string]any{"l": []any{1, 2}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				out, err := tmpl.Render(context.Background(), vars)
				if err != nil || out != "1None2None11" {
					t.Errorf("got %q, %v", out, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	v, err := jinja.DecodeJSON([]byte(`{"z": [1, 2.50, null], "a": {"b": true}}`))
	require.NoError(t, err)
	require.Equal(t, "{'z': [1, 2.5, None], 'a': {'b': True}}", mustRender(t, "{{ v }}", map[string]any{"v": v}))
	for _, bad := range []string{"", "{", "[1,", "1 2", `{"a"}`} {
		_, err := jinja.DecodeJSON([]byte(bad))
		require.Error(t, err, bad)
	}
}

func FuzzRender(f *testing.F) {
	cases := loadCorpus(f)
	for _, c := range cases {
		f.Add(c.Template)
	}
	vars := corpusVars(f, cases[0].Vars)
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := jinja.Compile(source, jinja.Options{MaxSteps: 20000, MaxOutput: 1 << 16})
		if err == nil {
			_, err = tmpl.Render(context.Background(), vars)
		}
		var e *jinja.Error
		if err != nil && (!errors.As(err, &e) || e.Kind == jinja.KindInternal) {
			t.Fatalf("template %q: %v", source, err)
		}
	})
}

const benchTemplate = `Summary for {{ name|upper }}:
{% for u in users if u.age > 20 -%}
- {{ loop.index }}. {{ u.name|title }} ({{ u.age }}){% if u.city %} from {{ u.city.name }}{% endif %}
{% endfor %}
Total: {{ users|length }}, mean {{ "%.1f"|format(users|sum(attribute="age") / users|length) }}, {{ users|map(attribute="name")|join(", ") }}`

func benchVars() map[string]any {
	users := make([]any, 20)
	for i := range users {
		users[i] = map[string]any{"name": "user name", "age": 20 + i, "city": map[string]any{"name": "Oslo"}}
	}
	return map[string]any{"name": "world", "users": users}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jinja.Compile(benchTemplate, jinja.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRenderReport(b *testing.B) {
	tmpl, err := jinja.Compile(benchTemplate, jinja.Options{})
	require.NoError(b, err)
	vars := benchVars()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Render(context.Background(), vars); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRenderSmall(b *testing.B) {
	tmpl, err := jinja.Compile("Hello {{ name }}, you have {{ n }} new messages.", jinja.Options{})
	require.NoError(b, err)
	vars := map[string]any{"name": "World", "n": 3}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Render(context.Background(), vars); err != nil {
			b.Fatal(err)
		}
	}
}
