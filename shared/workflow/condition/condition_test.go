package condition_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/condition"
	"github.com/millrace/millrace/shared/workflow/value"
)

func list(v ...any) []any { return v }

func TestCompare(t *testing.T) {
	t.Parallel()
	obj := value.Obj("k", "v")
	for _, c := range []struct {
		actual   any
		op       string
		expected any
		want     bool
		err      string
	}{
		{"hello", "contains", "ell", true, ""},
		{"", "contains", "ell", false, ""},
		{nil, "contains", "ell", false, ""},
		{nil, "not contains", "ell", true, ""},
		{list("a", "b"), "contains", "b", true, ""},
		{list(int64(1), int64(2)), "contains", "2", false, ""},
		{int64(5), "contains", "5", false, "Invalid actual value type: string or array"},
		{"hello", "start with", "he", true, ""},
		{"hello", "end with", "lo", true, ""},
		{int64(5), "end with", "5", false, "Invalid actual value type: string"},
		{nil, "start with", "x", false, ""},
		{"a", "is", "a", true, ""},
		{"a", "is not", "a", false, ""},
		{nil, "is", "", false, ""},
		{nil, "is not", "x", false, ""},
		{true, "is", true, true, ""},
		{int64(1), "is", "1", false, "Invalid actual value type: string or boolean"},
		{"", "empty", "", true, ""},
		{int64(0), "empty", "", true, ""},
		{obj, "empty", "", false, ""},
		{value.NewObject(0), "empty", "", true, ""},
		{list(), "not empty", "", false, ""},
		{"a", "in", list("a", "b"), true, ""},
		{"", "in", list(""), false, ""},
		{"", "not in", list(""), true, ""},
		{"c", "not in", list("a", "b"), true, ""},
		{"c", "in", "abc", false, "Invalid expected value type: array"},
		{list("a", "b"), "all of", list("a", "b"), true, ""},
		{list("a"), "all of", list("a", "b"), false, ""},
		{list("a"), "all of", "a", false, "Invalid expected value type: array"},
		{int64(7), "=", "7", true, ""},
		{int64(7), "≠", "8", true, ""},
		{int64(7), "=", "1.5", false, "invalid literal for int() with base 10: '1.5'"},
		{1.5, "=", "1.5", true, ""},
		{1.0, "=", "1", true, ""},
		{nil, "=", "1", false, ""},
		{nil, "≠", "1", false, ""},
		{"7", "=", "7", false, "Invalid actual value type: number"},
		{int64(7), ">", "6.5", true, ""},
		{int64(7), ">", "7.0", false, ""},
		{int64(7), "≥", "7", true, ""},
		{int64(7), "<", "8", true, ""},
		{6.5, "≤", "6.5", true, ""},
		{int64(7), ">", "x", false, "Cannot convert 'x' to number"},
		{nil, ">", "1", false, ""},
		{nil, "null", "", true, ""},
		{"", "null", "", false, ""},
		{"", "not null", "", true, ""},
		{nil, "exists", nil, false, ""},
		{"", "exists", nil, true, ""},
		{nil, "not exists", nil, true, ""},
		{"a", "resembles", "b", false, "Unsupported operator: resembles"},
	} {
		got, err := condition.Compare(c.actual, c.op, c.expected)
		if c.err != "" {
			require.EqualError(t, err, c.err, "%v", c)
			continue
		}
		require.NoError(t, err, "%v", c)
		require.Equal(t, c.want, got, "%v", c)
	}
}

func group(t *testing.T, operator, conditions string) condition.Group {
	t.Helper()
	v, err := value.Decode([]byte(conditions))
	require.NoError(t, err)
	parsed, err := condition.Parse(v)
	require.NoError(t, err)
	return condition.Group{LogicalOperator: operator, Conditions: parsed}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	pool := workflow.NewPool()
	pool.Set("n", "a", "1")
	pool.Set("n", "b", true)
	both := `[{"variable_selector":["n","a"],"comparison_operator":"is","value":"2"},
		{"variable_selector":["n","zzz"],"comparison_operator":"is","value":"2"}]`
	out, err := group(t, "and", both).Evaluate(pool)
	require.NoError(t, err, "and stops at the first that is false")
	require.Equal(t, []bool{false}, out.Results)
	require.False(t, out.Final)
	_, err = group(t, "or", both).Evaluate(pool)
	require.EqualError(t, err, "Variable ['n', 'zzz'] not found")
	for expected, want := range map[string]bool{`true`: true, `"true"`: true, `"1"`: true, `"false"`: false, `false`: false} {
		out, err = group(t, "and", `[{"variable_selector":["n","b"],"comparison_operator":"is","value":`+expected+`}]`).Evaluate(pool)
		require.NoError(t, err)
		require.Equal(t, want, out.Final, expected)
	}
	out, err = group(t, "and", `[{"variable_selector":["n","a"],"comparison_operator":"is","value":"{{#n.a#}}"}]`).Evaluate(pool)
	require.NoError(t, err)
	require.True(t, out.Final)
	require.Equal(t, "1", out.Inputs[0].(*value.Object).Value("expected_value"))
}

func TestFiles(t *testing.T) {
	t.Parallel()
	pool := workflow.NewPool()
	pool.Set("n", "files", list(
		&value.File{Type: "image", Filename: "a.png", Extension: ".png", Size: 5},
		&value.File{Type: "document", Filename: "b.txt", Extension: ".txt", Size: 50}))
	for conditions, want := range map[string]bool{
		`[{"key":"extension","comparison_operator":"is","value":"png"}]`:                                                           true,
		`[{"key":"extension","comparison_operator":"is not","value":"png"}]`:                                                       false,
		`[{"key":"type","comparison_operator":"in","value":["audio","video"]}]`:                                                    false,
		`[{"key":"size","comparison_operator":">","value":"40"},{"key":"name","comparison_operator":"contains","value":"a"}]`:      true,
		`[{"key":"size","comparison_operator":">","value":"400"},{"key":"name","comparison_operator":"contains","value":"a"}]`:     false,
		`[{"key":"name","comparison_operator":"not contains","value":"zip"},{"key":"size","comparison_operator":"<","value":"9"}]`: true,
	} {
		out, err := group(t, "and", `[{"variable_selector":["n","files"],"comparison_operator":"contains","value":"",
			"sub_variable_condition":{"logical_operator":"and","conditions":`+conditions+`}}]`).Evaluate(pool)
		require.NoError(t, err)
		require.Equal(t, want, out.Final, conditions)
	}
	_, err := group(t, "and", `[{"variable_selector":["n","files"],"comparison_operator":"contains","value":""}]`).Evaluate(pool)
	require.EqualError(t, err, "Sub variable is required")
}
