package audiotool_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/mockmodel"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/openaicompat"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/builtin/audiotool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/tooltest"
	"github.com/millrace/millrace/shared/workflow/value"
)

// workspace is the workspace "t" with two models, and its files.
type workspace struct {
	def   *provider.Definition
	creds provider.Credentials
}

func setup(t *testing.T) *workspace {
	t.Helper()
	srv := httptest.NewServer(mockmodel.New(nil).Handler())
	t.Cleanup(srv.Close)
	return &workspace{
		def:   openaicompat.Definition(srv.Client()),
		creds: provider.Credentials{"endpoint_url": srv.URL + "/v1", "voices": "alloy, nova"},
	}
}

func names(t llm.ModelType) string {
	if t == llm.TypeTTS {
		return "mock-tts"
	}
	return "mock-asr"
}

func (w *workspace) ModelsOfType(_ context.Context, tenantID, modelType string) ([]provider.ProviderModelsView, error) {
	if tenantID != "t" {
		return nil, nil
	}
	ref := provider.ModelRef{Model: names(llm.ModelType(modelType)), Type: llm.ModelType(modelType)}
	return []provider.ProviderModelsView{{Provider: openaicompat.ID, Models: []provider.ModelView{
		{Model: ref.Model, ModelProperties: w.def.Describe(ref, w.creds).Properties},
	}}}, nil
}

func (w *workspace) Model(_ context.Context, tenantID, providerID string, ref provider.ModelRef) (*llm.Model, error) {
	if tenantID != "t" || providerID != openaicompat.ID || ref.Model != names(ref.Type) {
		return nil, errs.New(errs.ProviderNotInitialize, "no such model")
	}
	d, err := w.def.Open(ref, w.creds)
	if err != nil {
		return nil, err
	}
	return llm.New(providerID, w.def.Describe(ref, w.creds), d, clock.System{}), nil
}

func (w *workspace) ReadAll(context.Context, string, *value.File, int64) ([]byte, error) {
	return []byte("RIFF sound"), nil
}

func call(name string, params ...any) driver.Call {
	return driver.Call{Ref: driver.Ref{TenantID: "t", Type: driver.Builtin, Provider: "audio", Tool: name}, Parameters: value.Obj(params...)}
}

func TestRuntime(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tooltest.Run(t, func(*testing.T) tooltest.Subject {
		bad := call("tts", "text", "hello", "model", openaicompat.ID+"#other")
		return tooltest.Subject{
			Runtime: builtin.New(audiotool.New(w, w)), Type: driver.Builtin, Fails: &bad,
			Works: call("tts", "text", "hello", "model", openaicompat.ID+"#mock-tts"),
		}
	})
}

func TestParametersAreTheWorkspaces(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r := builtin.New(audiotool.New(w, w))
	p, err := r.Provider(t.Context(), "t", "audio")
	require.NoError(t, err)
	speak, _ := p.Tool("tts")
	require.Len(t, speak.Parameters, 3)
	require.Equal(t, openaicompat.ID+"#mock-tts", speak.Parameters[1].Default)
	require.Equal(t, "voice#"+openaicompat.ID+"#mock-tts", speak.Parameters[2].Name)
	require.Equal(t, "nova", speak.Parameters[2].Options[1].Value)
	p, err = r.Provider(t.Context(), "empty", "audio")
	require.NoError(t, err)
	speak, _ = p.Tool("tts")
	require.Len(t, speak.Parameters, 2, "what one workspace has does not show in another")
	require.Empty(t, speak.Parameters[1].Options)
}

// ask calls a tool the way a node does.
func ask(t *testing.T, w *workspace, name string, params ...any) ([]tool.Message, error) {
	t.Helper()
	s := tool.New(tool.Options{Runtimes: map[tool.ProviderType]driver.Runtime{driver.Builtin: builtin.New(audiotool.New(w, w))}, Files: keeper{}})
	c := call(name, params...)
	found, err := s.Find(t.Context(), c.Ref)
	require.NoError(t, err)
	var got []tool.Message
	err = s.Invoke(t.Context(), found, &c, func(m tool.Message) error { got = append(got, m); return nil })
	return got, err
}

type keeper struct{}

func (keeper) SaveToolFile(_ context.Context, _, _, _, mimeType string, data []byte) (*value.File, error) {
	return &value.File{Type: "audio", MimeType: mimeType, Size: int64(len(data))}, nil
}

func TestSpeaksAndListens(t *testing.T) {
	t.Parallel()
	w := setup(t)
	got, err := ask(t, w, "tts", "text", "hello", "voice#"+openaicompat.ID+"#mock-tts", "nova")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "Audio generated successfully", got[0].Text)
	require.Equal(t, "audio/x-wav", got[1].File.MimeType)
	require.Positive(t, got[1].File.Size)

	got, err = ask(t, w, "asr", "audio_file", []any{&value.File{Type: "audio", Filename: "a.wav"}})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.NotEmpty(t, got[0].Text)

	got, err = ask(t, w, "asr", "audio_file", &value.File{Type: "image"})
	require.NoError(t, err)
	require.Equal(t, "not a valid audio file", got[0].Text)

	_, err = ask(t, w, "tts", "text", "hello", "model", "nonsense")
	require.Equal(t, errs.InvalidParam, errs.CodeOf(err))
	w.creds = provider.Credentials{"endpoint_url": "http://127.0.0.1:1/v1"}
	_, err = ask(t, w, "asr", "audio_file", &value.File{Type: "audio", Filename: "a.wav"})
	require.Equal(t, errs.CompletionRequestError, errs.CodeOf(err), "what the model failed of is the user's to know")
}
