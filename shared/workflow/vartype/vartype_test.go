package vartype_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/millrace/millrace/shared/workflow/vartype"
)

func TestTypesOfValues(t *testing.T) {
	t.Parallel()
	o, f := value.NewObject(0), &value.File{}
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "none"}, {"x", "string"}, {true, "boolean"}, {int64(1), "integer"}, {big.NewInt(1), "integer"}, {1.5, "float"},
		{o, "object"}, {f, "file"}, {[]any{}, "array[any]"}, {[]any{"a", "b"}, "array[string]"}, {[]any{int64(1), 2.5}, "array[number]"},
		{[]any{o}, "array[object]"}, {[]any{f}, "array[file]"}, {[]any{true}, "array[boolean]"}, {[]any{"a", true}, "array[any]"},
		{[]any{[]any{}}, "array[any]"}, {[]any{nil, nil}, "array[any]"},
	} {
		require.Equal(t, c.want, vartype.Of(c.v), "%v", c.v)
		require.True(t, vartype.Fits(c.want, c.v), "%v", c.v)
	}
}

func TestWhatFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ  string
		v    any
		want bool
	}{
		{"number", int64(1), true}, {"number", 1.5, true}, {"integer", 1.5, true}, {"number", true, false}, {"number", "1", false},
		{"secret", "s", true}, {"string", nil, false}, {"object", []any{}, false},
		{"array[string]", []any{}, true}, {"array[string]", []any{"a", int64(1)}, false}, {"array[number]", []any{1.5, int64(1)}, true},
		{"array[any]", []any{nil, "a"}, true}, {"array[string]", "a", false}, {"unknown", "a", false},
	} {
		require.Equal(t, c.want, vartype.Fits(c.typ, c.v), "%s %v", c.typ, c.v)
	}
}

func TestZeroValuesFit(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"string", "secret", "number", "integer", "float", "boolean", "object", "none", "array[file]", "array[any]"} {
		v, ok := vartype.Zero(typ)
		require.True(t, ok)
		require.True(t, vartype.Fits(typ, v), typ)
	}
	_, ok := vartype.Zero("file")
	require.False(t, ok)
}

func TestSizeLimit(t *testing.T) {
	t.Parallel()
	require.NoError(t, vartype.CheckSize(strings.Repeat("x", 204000)))
	require.EqualError(t, vartype.CheckSize(strings.Repeat("x", 204800)), "variable size 204841 exceeds limit 204800")
	require.NoError(t, vartype.CheckSize(strings.Repeat("é", 204000)))
	require.NoError(t, vartype.CheckSize(strings.Repeat("中", 102000)))
	require.Error(t, vartype.CheckSize(strings.Repeat("中", 103000)))
	require.Error(t, vartype.CheckSize(strings.Repeat("😀", 52000)))
	require.Error(t, vartype.CheckSize([]any{strings.Repeat("x", 204800)}))
}
