package value_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
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

// TestDecodeReadsWhatJSONIs compares Decode with encoding/json.
func TestDecodeReadsWhatJSONIs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `[]`, ` [ ] `, `{"a":{"b":[1,2.5,-3e2,true,false,null,"x"]},"c":""}`, " {\n\t\"a\" : [ 1 , { } ] , \"b\":\r\n2 } ",
		`"a\"b\\\u00e9\ud83d\ude00\n"`, `"\ud800"`, `"é😀"`, "\"\xff\"", `"\\"`, `{"":1}`, `{"a\"":"\\"}`, `0`, `-0`, `-0.0`, `1E5`, `[[[]]]`,
	} {
		var want any
		require.NoError(t, json.Unmarshal([]byte(text), &want), text)
		got, err := value.Decode([]byte(text))
		require.NoError(t, err, text)
		raw, err := value.Encode(got)
		require.NoError(t, err)
		var back any
		require.NoError(t, json.Unmarshal(raw, &back), text)
		require.Equal(t, want, back, text)
	}
	for _, text := range []string{``, ` `, `{`, `{"a"}`, `[1,]`, `{"a":1,}`, `tru`, `01`, `+1`, `"a`, "\"\n\"", `1 2`, `{} x`, `'a'`} {
		_, err := value.Decode([]byte(text))
		require.Error(t, err, text)
	}
	_, err := value.Decode([]byte(strings.Repeat("[", 600) + strings.Repeat("]", 600)))
	require.ErrorContains(t, err, "nested deeper")
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":[1,"b\n",null,-2.5e3],"c":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := value.Decode(data); err == nil {
			require.True(t, json.Valid(data))
			_, err = value.Encode(got)
			require.NoError(t, err)
		}
	})
}
