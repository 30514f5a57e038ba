package truncate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow/truncate"
	"github.com/millrace/millrace/shared/workflow/value"
)

func list(n int, v any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestSmallValuesStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	o := value.Obj("a", "b", "c", list(3, int64(1)), "f", &value.File{Filename: "x"}, "n", nil, "t", true, "d", 1.5)
	got, cut := truncate.Limits{}.Object(o)
	require.False(t, cut)
	require.Same(t, o, got)
	none, cut := truncate.Limits{}.Object(nil)
	require.False(t, cut)
	require.Nil(t, none)
}

func TestStringsAndLists(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 100001)
	got, cut := truncate.Limits{}.Value(long)
	require.True(t, cut)
	require.Equal(t, strings.Repeat("ü", 100000)+"...", got)
	exact, cut := truncate.Limits{}.Value(long[2:])
	require.False(t, cut)
	require.Equal(t, long[2:], exact)

	many, cut := truncate.Limits{}.Value(list(1001, "x"))
	require.True(t, cut)
	require.Len(t, many, 1000)
	nested, cut := truncate.Limits{}.Value(value.Obj("l", list(1001, "x")))
	require.True(t, cut)
	require.Len(t, nested.(*value.Object).Value("l"), 1000)
}

func TestRoomIsShared(t *testing.T) {
	t.Parallel()
	l := truncate.Limits{Total: 100}
	o := value.Obj("a", strings.Repeat("x", 200), "b", "short", "c", strings.Repeat("y", 200))
	got, cut := l.Object(o)
	require.True(t, cut)
	require.Equal(t, []string{"a", "b", "c"}, got.Keys())
	require.Equal(t, "short", got.Value("b"))
	require.LessOrEqual(t, len(value.JSON(got)), 130)
	require.True(t, strings.HasSuffix(got.String("a"), "..."))
	require.True(t, strings.HasSuffix(got.String("c"), "..."))
	require.Greater(t, len(got.String("c")), len(got.String("a")), "what b leaves goes to c")

	keys := value.NewObject(0)
	for _, k := range []string{"a", "b", "c", "d"} {
		keys.Set(strings.Repeat(k, 40), "v")
	}
	got, cut = l.Object(keys)
	require.True(t, cut)
	require.Equal(t, 4, got.Len())
	require.Equal(t, "...", got.String(strings.Repeat("d", 40)), "a key beyond the room stays")
}

func TestObjectsInsideLoseMembersInOrder(t *testing.T) {
	t.Parallel()
	in := value.Obj("z", strings.Repeat("z", 60), "a", "first", "m", strings.Repeat("m", 60))
	got, cut := truncate.Limits{Total: 60}.Value(in)
	require.True(t, cut)
	keys := got.(*value.Object).Keys()
	require.Equal(t, "a", keys[0])
	require.Equal(t, "first", got.(*value.Object).Value("a"))
	require.Equal(t, 3, in.Len(), "the value itself is not changed")
	require.Len(t, in.String("z"), 60)
}

func TestTheWholeIsBounded(t *testing.T) {
	t.Parallel()
	row := value.Obj("k", list(900, strings.Repeat("w", 300)))
	got, cut := truncate.Limits{}.Object(value.Obj("rows", list(900, row)))
	require.True(t, cut)
	require.Less(t, len(value.JSON(got)), 1300000)
}
