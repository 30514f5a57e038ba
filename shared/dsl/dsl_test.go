package dsl_test

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// corpus was made by testdata/corpus.py with another implementation.
//
//go:embed testdata/corpus.json
var corpus []byte

type pair struct {
	Value json.RawMessage
	YAML  string
}

func cases(t *testing.T) (dump, parse []pair) {
	t.Helper()
	var c struct{ Dump, Parse []pair }
	require.NoError(t, json.Unmarshal(corpus, &c))
	require.Greater(t, len(c.Dump), 300)
	require.Greater(t, len(c.Parse), 40)
	return c.Dump, c.Parse
}

func TestDumpWritesTheContractsLayout(t *testing.T) {
	t.Parallel()
	dump, _ := cases(t)
	for _, c := range dump {
		v, err := value.Decode(c.Value)
		require.NoError(t, err)
		got, err := dsl.Dump(v)
		require.NoError(t, err)
		require.Equal(t, c.YAML, got, string(c.Value))
	}
}

func TestParseReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	dump, parse := cases(t)
	for _, c := range append(dump, parse...) {
		got, err := dsl.Parse(c.YAML)
		require.NoError(t, err, c.YAML)
		raw, err := value.Encode(got)
		require.NoError(t, err)
		require.JSONEq(t, string(c.Value), string(raw), c.YAML)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		p, n := string(rune('a'+i)), string(rune('b'+i))
		bomb += n + ": &" + n + " [" + strings.TrimSuffix(strings.Repeat("*"+p+",", 10), ",") + "]\n"
	}
	for name, text := range map[string]string{
		"text": "just text", "list": "- 1", "empty": "", "syntax": "a: [1", "tag": "a: !!python/object:x {}", "bomb": bomb,
		"deep": "a: " + strings.Repeat("[", 500) + strings.Repeat("]", 500), "size": "a: " + strings.Repeat("x", dsl.MaxSize),
	} {
		_, err := dsl.Parse(text)
		require.True(t, errs.Is(err, errs.InvalidParam), name)
	}
}

func TestParseKeepsKeyOrder(t *testing.T) {
	t.Parallel()
	o, err := dsl.Parse("z: 1\na: 2\nm: 3\n")
	require.NoError(t, err)
	require.Equal(t, []string{"z", "a", "m"}, o.Keys())
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]dsl.Status{
		"0.7.0": dsl.Completed, "0.7": dsl.Completed, "0.6.9": dsl.WithWarnings, "0.1.0": dsl.WithWarnings,
		"0.7.1": dsl.Pending, "0.8.0": dsl.Pending, "99.0.0": dsl.Pending, "1": dsl.Pending,
		"x": dsl.Failed, "": dsl.Failed, "0.7.0.1": dsl.Failed,
	} {
		require.Equal(t, want, dsl.Compare(version), version)
	}
}
