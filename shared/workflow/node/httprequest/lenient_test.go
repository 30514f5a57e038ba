package httprequest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow/value"
)

func TestLenientJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a": 1, "b": [1.0, true]}`:              `{"a":1,"b":[1.0,true]}`,
		`{'a': 'it''s'}`:                          `{"a":"it''s"}`,
		`{a: 1, b: two,}`:                         `{"a":1,"b":"two"}`,
		`{"a": [1, 2`:                             `{"a":[1,2]}`,
		"{\"a\": \"line one\nline two\"}":         `{"a":"line one\nline two"}`,
		`{"a": True, "b": None, "c": False}`:      `{"a":true,"b":null,"c":false}`,
		`{"a": "say "hi" now"}`:                   `{"a":"say \"hi\" now"}`,
		"```json\n{\"a\": 1}\n```":                `{"a":1}`,
		"{\"a\": 1, // one\n /* two */ \"b\": 2}": `{"a":1,"b":2}`,
		`{"a": , "b": 2}`:                         `{"a":"","b":2}`,
		`[1 2]`:                                   `["1 2"]`,
		`{"u": "\u00e4\/"}`:                       `{"u":"ä/"}`,
		`{"a":1]`:                                 `{"a":1}`,
	} {
		v, ok := lenientJSON(in)
		require.True(t, ok, in)
		raw, err := value.Encode(v)
		require.NoError(t, err)
		require.Equal(t, want, string(raw), in)
	}
	_, ok := lenientJSON(" \n")
	require.False(t, ok)
}

func FuzzLenientJSON(f *testing.F) {
	for _, s := range []string{`{'a': [1, {b: "c"`, "[[[[", "{{{{", `"\u12`, "/*", "{:,}", "]}", "\xff{\xfe:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, ok := lenientJSON(s); ok {
			_, err := value.Encode(v)
			require.NoError(t, err)
		}
	})
}
