package jinja_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/jinja"
)

type corpusCase struct {
	Group    string          `json:"group"`
	Template string          `json:"template"`
	Vars     json.RawMessage `json:"vars"`
	Output   string          `json:"output"`
	Error    string          `json:"error"`
	Message  string          `json:"message"`
}

// differences are the templates that deliberately behave otherwise than in the
// Python engine, with the reason.
var differences = map[string]string{
	`{{ "inf"|float|int }}`: "the engine folds the infinity into source it cannot compile (NameError); here it is the error int() gives",
	`{{ dict(**5) }}`:       "the engine's text names one of its own functions",
}

func loadCorpus(t testing.TB) []corpusCase {
	t.Helper()
	data, err := os.ReadFile("testdata/corpus.json")
	require.NoError(t, err)
	var cases []corpusCase
	require.NoError(t, json.Unmarshal(data, &cases))
	return cases
}

func corpusVars(t testing.TB, raw json.RawMessage) map[string]any {
	t.Helper()
	v, err := jinja.DecodeJSON(raw)
	require.NoError(t, err)
	vars := map[string]any{}
	v.(*jinja.Dict).Range(func(k string, x any) bool {
		vars[k] = x
		return true
	})
	return vars
}

func render(template string, vars map[string]any) (string, error) {
	tmpl, err := jinja.Compile(template, jinja.Options{})
	if err != nil {
		return "", err
	}
	return tmpl.Render(context.Background(), vars)
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	cases := loadCorpus(t)
	require.GreaterOrEqual(t, len(cases), 350)
	seen := map[string]bool{}
	for i, c := range cases {
		t.Run(fmt.Sprintf("%03d-%s", i, c.Group), func(t *testing.T) {
			if reason, ok := differences[c.Template]; ok {
				t.Skip("deliberate difference: " + reason)
			}
			out, err := render(c.Template, corpusVars(t, c.Vars))
			if c.Error == "" {
				require.NoError(t, err, "template %q", c.Template)
				require.Equal(t, c.Output, out, "template %q", c.Template)
				return
			}
			var e *jinja.Error
			require.ErrorAs(t, err, &e, "template %q gave %q", c.Template, out)
			require.True(t, errors.As(err, &e))
			require.Equal(t, c.Error+": "+c.Message, e.Kind+": "+e.Error(), "template %q", c.Template)
		})
		seen[c.Template] = true
	}
	for template := range differences {
		require.True(t, seen[template], "a listed difference is not in the corpus: %q", template)
	}
}
