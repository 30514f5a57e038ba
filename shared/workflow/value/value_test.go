package value_test

import (
	"testing"

	"github.com/millrace/millrace/shared/workflow/value"
	"github.com/stretchr/testify/require"
)

func TestDecodeKeepsOrderAndNumbers(t *testing.T) {
	t.Parallel()
	v, err := value.Decode([]byte(`{"b":1,"a":1.0,"c":[12345678901234567890,"é<"],"d":null}`))
	require.NoError(t, err)
	out, err := value.Encode(v)
	require.NoError(t, err)
	require.Equal(t, `{"b":1,"a":1.0,"c":[12345678901234567890,"é<"],"d":null}`, string(out))
	_, err = value.Decode([]byte(`{} x`))
	require.Error(t, err)
}

func TestRenderings(t *testing.T) {
	t.Parallel()
	obj := value.Obj("k", "v", "n", int64(2), "l", []any{int64(1), "x"})
	img := &value.File{Type: "image", Filename: "a.png", URL: "http://f/a"}
	for _, c := range []struct {
		v                   any
		text, markdown, log string
	}{
		{nil, "", "", ""},
		{"s", "s", "s", "s"},
		{true, "True", "True", "True"},
		{int64(3), "3", "3", "3"},
		{1.5, "1.5", "1.5", "1.5"},
		{2.0, "2.0", "2.0", "2.0"},
		{1e16, "1e+16", "1e+16", "1e+16"},
		{obj, `{"k": "v", "n": 2, "l": [1, "x"]}`, "{\n  \"k\": \"v\",\n  \"n\": 2,\n  \"l\": [\n    1,\n    \"x\"\n  ]\n}", "{\n  \"k\": \"v\",\n  \"n\": 2,\n  \"l\": [\n    1,\n    \"x\"\n  ]\n}"},
		{[]any{"a", "b"}, `["a", "b"]`, "- a\n- b", `["a", "b"]`},
		{[]any{int64(1), int64(2)}, "[1, 2]", "- 1\n- 2", "[1, 2]"},
		{[]any{value.Obj("a", "it's")}, `[{'a': "it's"}]`, `- {'a': "it's"}`, `[{'a': "it's"}]`},
		{[]any{}, "", "", ""},
		{img, "", "![a.png](http://f/a)", ""},
		{[]any{img}, "", "![a.png](http://f/a)", ""},
	} {
		require.Equal(t, c.text, value.Text(c.v))
		require.Equal(t, c.markdown, value.Markdown(c.v))
		require.Equal(t, c.log, value.Log(c.v))
	}
	require.Equal(t, `{"k": "\u00e9\ud83d\ude00"}`, value.JSONASCII(value.Obj("k", "é😀")))
}

func TestReviveFiles(t *testing.T) {
	t.Parallel()
	f := &value.File{ID: "1", Type: "document", TransferMethod: "local_file", Filename: "a.txt", Extension: ".txt", MimeType: "text/plain", Size: 3, RelatedID: "r"}
	raw, err := value.Encode([]any{f})
	require.NoError(t, err)
	v, err := value.Decode(raw)
	require.NoError(t, err)
	require.Equal(t, []any{f}, value.Revive(v))
}

func TestObjectDeleteKeepsOrder(t *testing.T) {
	t.Parallel()
	o := value.Obj("a", 1, "b", 2, "c", 3)
	o.Delete("b")
	require.Equal(t, []string{"a", "c"}, o.Keys())
	require.Equal(t, 2, o.Len())
}
