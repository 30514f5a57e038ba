package value_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow/value"
)

// TestObjectOfAnySize compares objects, small and indexed, with a plain map and
// a list of keys.
func TestObjectOfAnySize(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	o, want, order := value.NewObject(0), map[string]any{}, []string{}
	for step := range 20000 {
		key := strconv.Itoa(random.IntN(30))
		if random.IntN(2) == 0 {
			o.Set(key, int64(step))
			if _, have := want[key]; !have {
				order = append(order, key)
			}
			want[key] = int64(step)
		} else {
			o.Delete(key)
			delete(want, key)
			order = slices.DeleteFunc(order, func(k string) bool { return k == key })
		}
		got, have := o.Get(key)
		require.Equal(t, want[key], got)
		_, expected := want[key]
		require.Equal(t, expected, have)
		require.Equal(t, len(order), o.Len())
	}
	require.Equal(t, order, o.Keys())
	for k, v := range o.Clone().All() {
		require.Equal(t, want[k], v)
	}
}

func TestObjectKeepsWhatIsIteratedOver(t *testing.T) {
	t.Parallel()
	o := value.Obj("a", int64(1), "b", int64(2), "c", int64(3))
	var seen []string
	for k := range o.All() {
		seen = append(seen, k)
		o.Delete(k)
		o.Set("later "+k, nil)
	}
	require.Equal(t, []string{"a", "b", "c"}, seen)
	require.Equal(t, []string{"later a", "later b", "later c"}, o.Keys())
}
