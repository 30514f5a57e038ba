package jsonschema_test

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow/jsonschema"
	"github.com/millrace/millrace/shared/workflow/value"
)

func decode(t *testing.T, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	require.NoError(t, err)
	return v
}

func lines(t *testing.T, path string) []*value.Object {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // read only
	var out []*value.Object
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		out = append(out, decode(t, scan.Text()).(*value.Object))
	}
	require.NoError(t, scan.Err())
	return out
}

// The corpus holds what the contract's validator says: cases by hand for every
// keyword, and schemas and values made at random.
func TestSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	for _, c := range lines(t, "testdata/corpus.jsonl") {
		s, err := jsonschema.Compile(c.Value("schema"))
		require.NoError(t, err, value.Repr(c))
		got := ""
		if err := s.Validate(c.Value("value")); err != nil {
			got = err.Error()
		}
		require.Equal(t, c.Value("want"), got, value.Repr(c))
	}
}

func TestRefusesWhatIsNoSchema(t *testing.T) {
	t.Parallel()
	for _, c := range lines(t, "testdata/schemas.jsonl") {
		_, err := jsonschema.Compile(c.Value("schema"))
		require.Equal(t, c.Value("valid"), err == nil, "%s: %v", value.Repr(c), err)
	}
}

func TestReferencesStayInside(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"file:///etc/passwd", "http://example.com/s.json", "other.json#/a", "#/definitions/none", "#none", "#/definitions/a/enum/7"} {
		_, err := jsonschema.Compile(decode(t, `{"definitions":{"a":{"enum":[1]}},"properties":{"x":{"$ref":"`+ref+`"}}}`))
		require.ErrorContains(t, err, "may not refer to "+ref)
	}
	s, err := jsonschema.Compile(decode(t, `{"definitions":{"a":{"$id":"#n","type":"null"}},"properties":{"x":{"$ref":"#n"},"y":{"$ref":"#"},"enum":{"const":{"$ref":"file:///data"}}}}`))
	require.NoError(t, err)
	require.EqualError(t, s.Validate(decode(t, `{"y":{"y":{"x":1}}}`)), "1 is not of type 'null'")
}

func TestSchemasThatGoInCirclesEnd(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"$ref":"#"}`,
		`{"allOf":[{"$ref":"#"}]}`,
		`{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}},"$ref":"#/definitions/a"}`,
		`{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}`,
		// every level doubles the work
		`{"definitions":{` + doubling(40) + `},"$ref":"#/definitions/d0"}`,
	} {
		s, err := jsonschema.Compile(decode(t, text))
		if err == nil {
			err = s.Validate(int64(1))
		}
		require.ErrorContains(t, err, "without end", text)
	}
	_, err := jsonschema.Compile(decode(t, strings.Repeat(`{"not":`, 300)+`{}`+strings.Repeat(`}`, 300)))
	require.ErrorContains(t, err, "nested deeper")
}

func doubling(n int) string {
	var b strings.Builder
	for i := range n {
		next := `{"$ref":"#/definitions/d` + itoa(i+1) + `"}`
		b.WriteString(`"d` + itoa(i) + `":{"allOf":[` + next + `,` + next + `]},`)
	}
	return b.String() + `"d` + itoa(n) + `":{}`
}

func itoa(n int) string { return value.Repr(int64(n)) }
