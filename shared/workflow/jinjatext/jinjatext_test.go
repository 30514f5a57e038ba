package jinjatext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/jinja"
	"github.com/millrace/millrace/shared/workflow/jinjatext"
	"github.com/millrace/millrace/shared/workflow/value"
)

func TestRender(t *testing.T) {
	t.Parallel()
	decoded, err := value.Decode([]byte(`{"o":{"z":1,"a":[1.0,{"y":null,"b":true}]},"big":123456789012345678901234567890,"s":"ä"}`))
	require.NoError(t, err)
	vars := decoded.(*value.Object)
	vars.Set("f", &value.File{Type: "image", Filename: "p.png", Size: 3})
	for source, want := range map[string]string{
		`{{ o }}`:                             `{'z': 1, 'a': [1.0, {'y': None, 'b': True}]}`,
		`{% for k in o %}{{ k }}{% endfor %}`: `za`,
		`{{ big + 1 }} {{ s }}`:               `123456789012345678901234567891 ä`,
		`{{ f.filename }} {{ f.size }}`:       `p.png 3`,
		`{{ nothing }}`:                       ``,
	} {
		tmpl, err := jinjatext.Compile(source)
		require.NoError(t, err, source)
		got, err := tmpl.Render(t.Context(), vars)
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
	tmpl, err := jinjatext.Compile(`{{ o.a.append(5) }}{{ o.a|length }}`)
	require.NoError(t, err)
	for range 2 {
		got, err := tmpl.Render(t.Context(), vars)
		require.NoError(t, err)
		require.Equal(t, "None3", got, "a template changes its own copy only")
	}
	_, err = jinjatext.Compile(`{% if %}`)
	var broken *jinja.Error
	require.ErrorAs(t, err, &broken)
}
