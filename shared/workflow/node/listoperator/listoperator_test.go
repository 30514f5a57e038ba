package listoperator_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/listoperator"
	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/stretchr/testify/require"
)

func run(t *testing.T, data string, list any) (*workflow.Result, error) {
	t.Helper()
	v, err := value.Decode([]byte(data))
	require.NoError(t, err)
	obj := v.(*value.Object)
	obj.Set("variable", []any{"mk", "l"})
	n, err := listoperator.New().New(&workflow.NodeConfig{ID: "lo", Data: obj, Raw: json.RawMessage(data)})
	require.NoError(t, err)
	pool := workflow.NewPool()
	if list != nil {
		pool.Set("mk", "l", list)
	}
	pool.Set("mk", "n", int64(2))
	return n.Run(context.Background(), &workflow.Execution{Pool: pool})
}

func filter(op, val string) string {
	return `{"filter_by":{"enabled":true,"conditions":[{"key":"","comparison_operator":"` + op + `","value":` + val + `}]}}`
}

func TestStringsAndNumbers(t *testing.T) {
	t.Parallel()
	words := value.From([]string{"fig", "apple", "banana", "date", ""}).([]any)
	nums := []any{int64(5), int64(3), int64(1), 3.5, int64(10)}
	for _, c := range []struct {
		data string
		list []any
		want []any
	}{
		{filter("contains", `"a"`), words, []any{"apple", "banana", "date"}},
		{filter("in", `"apple,fig"`), words, []any{"fig", "apple", ""}},
		{filter("not in", `"fig,date"`), words, []any{"apple", "banana"}},
		{filter("empty", `""`), words, []any{""}},
		{`{"order_by":{"enabled":true,"key":"","value":"desc"}}`, words, []any{"fig", "date", "banana", "apple", ""}},
		{`{"limit":{"enabled":true,"size":2}}`, words, []any{"fig", "apple"}},
		{`{"extract_by":{"enabled":true,"serial":"{{#mk.n#}}"}}`, words, []any{"apple"}},
		{filter("≥", `"3"`), nums, []any{int64(5), int64(3), 3.5, int64(10)}},
		{`{"order_by":{"enabled":true,"key":"","value":"asc"}}`, nums, []any{int64(1), int64(3), 3.5, int64(5), int64(10)}},
		{`{"limit":{"enabled":true,"size":0}}`, nums, []any{}},
		{`{"filter_by":{"enabled":true,"conditions":[{"comparison_operator":"is","value":"kiwi"},{"comparison_operator":"contains","value":"a"}]}}`, words, []any{}},
		{filter("is", `"true"`), []any{true, false, true}, []any{true, true}},
		{filter("is not", `true`), []any{true, false}, []any{false}},
	} {
		res, err := run(t, c.data, c.list)
		require.NoError(t, err, c.data)
		require.Equal(t, c.want, res.Outputs.Value("result"), c.data)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	a := &value.File{Type: "image", Filename: "a.png", Size: 70}
	b := &value.File{Type: "document", Filename: "b.txt", Size: 4}
	res, err := run(t, `{"filter_by":{"enabled":true,"conditions":[{"key":"type","comparison_operator":"in","value":["image"]}]}}`, []any{a, b})
	require.NoError(t, err)
	require.Equal(t, []any{a}, res.Outputs.Value("result"))
	res, err = run(t, `{"order_by":{"enabled":true,"key":"size","value":"asc"}}`, []any{a, b})
	require.NoError(t, err)
	require.Equal(t, b, res.Outputs.Value("first_record"))
}

func TestErrors(t *testing.T) {
	t.Parallel()
	words := []any{"fig"}
	for data, want := range map[string]string{
		filter("in", `["apple","fig"]`):                "Invalid filter value: ['apple', 'fig']",
		`{"extract_by":{"enabled":true,"serial":"0"}}`: "Invalid serial index: must be >= 1, got 0",
		`{"extract_by":{"enabled":true,"serial":"9"}}`: "Invalid serial index: must be <= 1, got 9",
	} {
		_, err := run(t, data, words)
		require.EqualError(t, err, want)
	}
	_, err := run(t, filter("=", `"1"`), []any{1.0, math.NaN()})
	require.EqualError(t, err, "Cannot compare nan with a number")
	_, err = run(t, `{}`, nil)
	require.EqualError(t, err, "Variable not found for selector: ['mk', 'l']")
	res, err := run(t, `{"extract_by":{"enabled":true,"serial":"9"}}`, []any{})
	require.NoError(t, err)
	require.Equal(t, []any{}, res.Outputs.Value("result"))
}
