package page_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/api/page"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := value.Encode(v)
	require.NoError(t, err)
	return string(raw)
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"none":            {``, `{}`},
		"no object":       {`[1]`, `{}`},
		"image off":       {`{"file_upload":{"image":{"enabled":false}}}`, `{"file_upload":{"image":{"enabled":false}}}`},
		"image on, plain": {`{"file_upload":{"image":{"enabled":true}}}`, `{"file_upload":{"enabled":true,"number_limits":3,"allowed_file_upload_methods":["remote_url","local_file"],"allowed_file_types":["image"],"allowed_file_extensions":[]}}`},
		"image on, limits": {`{"file_upload":{"image":{"enabled":true,"number_limits":5,"transfer_methods":["local_file"]},"allowed_file_types":["document"]}}`,
			`{"file_upload":{"enabled":true,"number_limits":5,"allowed_file_upload_methods":["local_file"],"allowed_file_types":["document"],"allowed_file_extensions":[]}}`},
	} {
		require.JSONEq(t, c.want, text(t, page.Features([]byte(c.in))), name)
	}
}

func TestOfWorkflow(t *testing.T) {
	t.Parallel()
	d, err := page.OfWorkflow([]byte(`{"nodes":[{"id":"e","data":{"type":"end","title":"End"}}],"edges":[]}`), nil)
	require.NoError(t, err)
	require.Empty(t, d.Form)
	require.NotNil(t, d.Form)
	_, err = page.OfWorkflow([]byte(`{"nodes":1}`), nil)
	require.True(t, errs.Is(err, errs.InvalidParam), "%v", err)
}

func TestParametersOfAConfig(t *testing.T) {
	t.Parallel()
	got := page.Parameters(page.OfConfig(app.ModelConfig{Parts: map[string]json.RawMessage{
		"user_input_form": json.RawMessage(`[{"text-input":{"variable":"q"}}]`), "speech_to_text": json.RawMessage(`{"enabled":true}`),
	}}), page.Limits{RunFiles: 10})
	require.Nil(t, got.Value("opening_statement"))
	require.JSONEq(t, `[{"text-input":{"variable":"q"}}]`, text(t, got.Value("user_input_form")))
	require.JSONEq(t, `{"enabled":true}`, text(t, got.Value("speech_to_text")))
	require.JSONEq(t, `{"enabled":true}`, text(t, got.Value("retriever_resource")))
	require.JSONEq(t, `{"enabled":false}`, text(t, got.Value("annotation_reply")))
}
