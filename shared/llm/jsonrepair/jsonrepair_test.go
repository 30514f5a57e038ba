package jsonrepair_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/llm/jsonrepair"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a": 1, "b": [true, null, 1.5]}`:                      `{"a": 1, "b": [true, null, 1.5]}`,
		"```json\n{\"name\": \"Al\", \"age\": 3}\n```":          `{"name": "Al", "age": 3}`,
		"Sure! {\"a\": 1} Hope this helps":                      `{"a": 1}`,
		"<think>\nhm\n</think>{\"a\": \"x\"}":                   `{"a": "x"}`,
		`{'a': 'it\'s', "b": True, c: None,}`:                   `{"a": "it's", "b": true, "c": null}`,
		`{"a": "he said "hi" twice"}`:                           `{"a": "he said \"hi\" twice"}`,
		`{"a": [1, 2`:                                           `{"a": [1, 2]}`,
		`{"a": "cut off`:                                        `{"a": "cut off"}`,
		`{"a": {"b": 1`:                                         `{"a": {"b": 1}}`,
		`{"a": 1 /* one */, // two` + "\n" + `"b": 2}`:          `{"a": 1, "b": 2}`,
		`[1, 2,, 3,]`:                                           `[1, 2, 3]`,
		`{"a": , "b": 2}`:                                       `{"a": null, "b": 2}`,
		`{"a": "\u00e4\ud83d\ude00\n"}`:                         `{"a": "ä😀\n"}`,
		`{'u': '\u00e4'}`:                                       `{"u": "ä"}`,
		`{"a": hello world, "b": 1}`:                            `{"a": "hello world", "b": 1}`,
		"{\"a\": \"line\nbreak\", \"b\": 12345678901234567890}": `{"a": "line\nbreak", "b": 12345678901234567890}`,
		`{"a": [{"b": 1}, {"b": 2}}`:                            `{"a": [{"b": 1}, {"b": 2}]}`,
		`{}`:                                                    `{}`,
		`"text"`:                                                `"text"`,
	} {
		got, err := jsonrepair.Parse(in)
		require.NoError(t, err, in)
		require.Equal(t, want, value.JSON(got), in)
	}
	for _, in := range []string{"", "not json at all", "```\n```"} {
		_, err := jsonrepair.Parse(in)
		require.ErrorIs(t, err, jsonrepair.ErrNoJSON, in)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{'a':[1,`, "[[[[", `{a:"`, `{"a":"\`, "{:}", "{,]}", "[}"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) { _, _ = jsonrepair.Parse(s) })
}
