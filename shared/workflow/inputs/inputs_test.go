package inputs_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/value"
)

func decode(t *testing.T, s string) any {
	t.Helper()
	v, err := value.Decode([]byte(s))
	require.NoError(t, err)
	return v
}

func form(t *testing.T, variables string) *inputs.Form {
	t.Helper()
	f, err := inputs.ParseForm(decode(t, variables))
	require.NoError(t, err)
	return f
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ variable, given, want, err string }{
		{`"type":"text-input","max_length":3`, `"abc"`, `"abc"`, ""},
		{`"type":"text-input","max_length":3`, `"äöü"`, `"äöü"`, ""},
		{`"type":"text-input","max_length":3`, `"abcd"`, ``, "v in input form must be less than 3 characters"},
		{`"type":"text-input"`, `5`, ``, "(type 'text-input') v in input form must be a string"},
		{`"type":"paragraph"`, `"a\u0000b"`, `"ab"`, ""},
		{`"type":"select","options":["red","it's"]`, `"red"`, `"red"`, ""},
		{`"type":"select","options":["red","it's"]`, `"blue"`, ``, `v in input form must be one of the following: ['red', "it's"]`},
		{`"type":"number"`, `" 12 "`, `12`, ""},
		{`"type":"number"`, `"-1.50"`, `-1.5`, ""},
		{`"type":"number"`, `"  "`, `null`, ""},
		{`"type":"number"`, `"twelve"`, ``, "v in input form must be a valid number"},
		{`"type":"number"`, `"--1"`, ``, "v in input form must be a valid number"},
		{`"type":"number"`, `[1]`, ``, "v in input form must be a valid number"},
		{`"type":"number","default":"5"`, `null`, `5`, ""},
		{`"type":"checkbox"`, `"YES"`, `true`, ""},
		{`"type":"checkbox"`, `0`, `false`, ""},
		{`"type":"checkbox"`, `"maybe"`, `"maybe"`, ""},
		{`"type":"json_object"`, `{"b":1,"a":[]}`, `{"b":1,"a":[]}`, ""},
		{`"type":"json_object"`, `"x"`, ``, "v in input form must be a dict"},
		{`"type":"file"`, `"x"`, ``, "v in input form must be a file"},
		{`"type":"file-list"`, `{}`, ``, "v in input form must be a list of files"},
		{`"type":"file-list","max_length":1`, `[{},{}]`, ``, "v in input form must be less than 1 files"},
		{`"type":"text-input","required":true`, `null`, ``, "v is required in input form"},
		{`"type":"text-input","required":true`, `""`, `""`, ""},
	} {
		f := form(t, `[{"variable":"v","label":"v",`+c.variable+`}]`)
		got, err := f.Check(value.Obj("v", decode(t, c.given), "unknown", "dropped"))
		if c.err != "" {
			require.Error(t, err, "%v", c)
			require.True(t, errs.Is(err, errs.InvalidParam))
			require.Equal(t, c.err, errs.Public(err).Message)
			continue
		}
		require.NoError(t, err, "%v", c)
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		require.Equal(t, `{"v":`+c.want+`}`, string(raw), "%v", c)
	}
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	schema := `{"type":"object","required":["name"],"additionalProperties":false,"properties":{"name":{"type":"string","maxLength":3,"enum":["x","toolong"]},"age":{"type":["number","null"],"minimum":1},"in":{"type":"object","properties":{"s":{"type":"string"}}}}}`
	for given, want := range map[string]string{
		`{"name":"x"}`:                         "",
		`{"name":"x","age":null}`:              "",
		`{}`:                                   "'name' is a required property",
		`{"name":"x","age":"old"}`:             "'old' is not of type 'number', 'null'",
		`{"name":"x","age":0.5}`:               "0.5 is less than the minimum of 1",
		`{"name":"y"}`:                         "'y' is not one of ['x', 'toolong']",
		`{"name":"toolong"}`:                   "'toolong' is too long",
		`{"name":"x","more":1}`:                "Additional properties are not allowed ('more' was unexpected)",
		`{"name":"x","in":{"s":123456789012}}`: "123456789012 is not of type 'string'",
	} {
		for _, s := range []string{schema, string(must(json.Marshal(schema)))} {
			f := form(t, `[{"variable":"o","label":"o","type":"json_object","json_schema":`+s+`}]`)
			err := f.CheckSchemas(value.Obj("o", decode(t, given)))
			if want == "" {
				require.NoError(t, err, given)
				continue
			}
			require.EqualError(t, err, "JSON object for 'o' does not match schema: "+want)
		}
	}
	f := form(t, `[{"variable":"o","label":"o","type":"json_object","json_schema":{"$ref":"file:///etc/passwd"}}]`)
	require.ErrorContains(t, f.CheckSchemas(value.Obj("o", value.NewObject(0))), "Invalid JSON schema")
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

type files struct{ err error }

func (f files) ResolveFile(_ context.Context, ref *value.Object, rules inputs.FileRules) (*value.File, error) {
	return &value.File{Filename: ref.String("name"), Type: rules.Types[0]}, f.err
}

func TestResolve(t *testing.T) {
	t.Parallel()
	f := form(t, `[{"variable":"one","label":"","type":"file","allowed_file_types":["image"]},
		{"variable":"many","label":"","type":"file-list","allowed_file_types":["document"]},
		{"variable":"none","label":"","type":"file"},{"variable":"o","label":"","type":"json_object"}]`)
	given := decode(t, `{"one":{"name":"a"},"many":[{"name":"b"},{"name":"c"}],"o":{"name":"d"}}`).(*value.Object)
	checked, err := f.Check(given)
	require.NoError(t, err)
	out, err := f.Resolve(t.Context(), checked, files{})
	require.NoError(t, err)
	require.Equal(t, &value.File{Filename: "a", Type: "image"}, out.Value("one"))
	require.Equal(t, &value.File{Filename: "c", Type: "document"}, out.Value("many").([]any)[1])
	require.Nil(t, out.Value("none"))
	require.IsType(t, &value.Object{}, out.Value("o"))
	checked, err = f.Check(given)
	require.NoError(t, err)
	_, err = f.Resolve(t.Context(), checked, files{errors.New("no")})
	require.EqualError(t, err, "no")
}
