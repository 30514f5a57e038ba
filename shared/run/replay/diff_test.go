package replay_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/run/replay"
	"github.com/millrace/millrace/shared/workflow/value"
)

func object(t *testing.T, text string) *value.Object {
	t.Helper()
	v, err := value.Decode([]byte(text))
	require.NoError(t, err)
	return v.(*value.Object)
}

func TestDiff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after string
		want          []replay.Difference
	}{
		"the same":       {`{"a": 1, "b": [1, {"c": null}]}`, `{"b": [1, {"c": null}], "a": 1.0}`, nil},
		"text":           {`{"a": "x"}`, `{"a": "y"}`, []replay.Difference{{Path: "a", Kind: replay.Changed, Before: "x", After: "y"}}},
		"another type":   {`{"a": "1"}`, `{"a": 1}`, []replay.Difference{{Path: "a", Kind: replay.Changed, Before: "1", After: int64(1)}}},
		"added, removed": {`{"a": 1}`, `{"b": 2}`, []replay.Difference{{Path: "a", Kind: replay.Removed, Before: int64(1)}, {Path: "b", Kind: replay.Added, After: int64(2)}}},
		"deep": {`{"a": {"b": [1, {"c": true}]}}`, `{"a": {"b": [1, {"c": false}, 3]}}`, []replay.Difference{
			{Path: "a.b[1].c", Kind: replay.Changed, Before: true, After: false}, {Path: "a.b[2]", Kind: replay.Added, After: int64(3)},
		}},
		"shorter list": {`{"a": [1, 2]}`, `{"a": [1]}`, []replay.Difference{{Path: "a[1]", Kind: replay.Removed, Before: int64(2)}}},
		"true is no 1": {`{"a": true}`, `{"a": 1}`, []replay.Difference{{Path: "a", Kind: replay.Changed, Before: true, After: int64(1)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, replay.Diff(object(t, c.before), object(t, c.after)))
		})
	}
}

func TestDiffIsBounded(t *testing.T) {
	t.Parallel()
	a, b := value.NewObject(0), value.NewObject(0)
	for i := range 200 {
		a.Set(strings.Repeat("k", i+1), int64(i))
	}
	require.Len(t, replay.Diff(a, b), 50)
	require.Len(t, replay.Diff(nil, a), 50, "a run without outputs has none")
	d := replay.Diff(value.Obj("t", strings.Repeat("é", 1000)), value.Obj("t", "x"))
	require.Contains(t, d[0].Before, "… (1000 characters)")
	require.Less(t, len([]rune(d[0].Before.(string))), 400)
}

func TestDiffOfFilesIgnoresAddresses(t *testing.T) {
	t.Parallel()
	a := &value.File{RelatedID: "1", Size: 2, URL: "http://x?sign=1"}
	b := &value.File{RelatedID: "1", Size: 2, URL: "http://x?sign=2"}
	require.Empty(t, replay.Diff(value.Obj("f", a), value.Obj("f", b)))
	b.RelatedID = "2"
	require.Len(t, replay.Diff(value.Obj("f", a), value.Obj("f", b)), 1)
}
