package tool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/memtool"
	"github.com/millrace/millrace/shared/workflow/value"
)

// files keeps tool files under their type.
type files map[string]string

func (f files) SaveToolFile(_ context.Context, tenantID, userID, conversationID, mimeType string, data []byte) (*value.File, error) {
	f[mimeType] = tenantID + " " + userID + " " + conversationID + " " + string(data)
	return &value.File{Type: "image", URL: "/files/tools/1", MimeType: mimeType}, nil
}

func service(stored files, params []tool.Parameter, f memtool.Func) (*tool.Service, *tool.Call) {
	r := &memtool.Runtime{}
	r.Add("t1", &driver.Provider{Type: driver.API, ID: "p", Name: "p", Tools: []*driver.Tool{{Name: "go", Parameters: params}}}, map[string]memtool.Func{"go": f})
	s := tool.New(tool.Options{
		Runtimes: map[tool.ProviderType]driver.Runtime{driver.API: r}, Files: stored,
		Fetch: func(_ context.Context, url string) ([]byte, string, error) {
			if url == "https://a.example/gone.png" {
				return nil, "", errs.New(errs.NotFound, "not there")
			}
			return []byte("picture"), "image/png", nil
		},
	})
	return s, &tool.Call{Ref: tool.Ref{TenantID: "t1", Type: driver.API, Provider: "p", Tool: "go"}, UserID: "u", ConversationID: "c"}
}

func TestFindsTools(t *testing.T) {
	t.Parallel()
	s, call := service(nil, nil, nil)
	found, err := s.Find(t.Context(), call.Ref)
	require.NoError(t, err)
	require.Equal(t, "go", found.Name)
	all, err := s.Providers(t.Context(), "t1", driver.API)
	require.NoError(t, err)
	require.Len(t, all, 1)
	for _, ref := range []tool.Ref{
		{TenantID: "t2", Type: driver.API, Provider: "p", Tool: "go"}, {TenantID: "t1", Type: driver.API, Provider: "p", Tool: "other"},
		{TenantID: "t1", Type: driver.API, Provider: "other", Tool: "go"},
	} {
		_, err := s.Find(t.Context(), ref)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	}
	_, err = s.Find(t.Context(), tool.Ref{TenantID: "t1", Type: driver.MCP, Provider: "p", Tool: "go"})
	require.Equal(t, errs.NotImplemented, errs.CodeOf(err))
	_, err = s.Providers(t.Context(), "t1", driver.Plugin)
	require.Equal(t, errs.NotImplemented, errs.CodeOf(err))
	require.Equal(t, errs.NotImplemented, errs.CodeOf(tool.New(tool.Options{}).Invoke(t.Context(), found, call, nil)))
}

func TestConvertsParameters(t *testing.T) {
	t.Parallel()
	params := []tool.Parameter{
		{Name: "n", Type: tool.TypeNumber, Required: true}, {Name: "s", Type: tool.TypeString, Default: "fallback", Required: true},
		{Name: "b", Type: tool.TypeBoolean}, {Name: "list", Type: tool.TypeArray},
	}
	var got *value.Object
	s, call := service(nil, params, func(_ context.Context, c *driver.Call, _ func(driver.Message) error) error {
		got = c.Parameters
		return nil
	})
	found, err := s.Find(t.Context(), call.Ref)
	require.NoError(t, err)
	call.Parameters = value.Obj("n", "7", "b", "Yes", "unknown", int64(1), "s", nil)
	require.NoError(t, s.Invoke(t.Context(), found, call, nil))
	require.Equal(t, `{"n": 7, "s": "fallback", "b": true}`, value.JSON(got))
	require.Equal(t, "7", call.Parameters.Value("n"), "the caller's parameters stay as they are")
	for _, bad := range []*value.Object{nil, value.Obj("n", ""), value.Obj("n", nil), value.Obj("n", "many"), value.Obj("n", value.NewObject(0))} {
		call.Parameters = bad
		require.Equal(t, errs.InvalidParam, errs.CodeOf(s.Invoke(t.Context(), found, call, nil)), value.JSON(bad))
	}
}

func TestStoresWhatToolsSend(t *testing.T) {
	t.Parallel()
	sent := []driver.Message{
		{Type: driver.Words, Text: "hello"},
		{Type: driver.Blob, Data: []byte("wave"), MIMEType: "audio/x-wav"},
		{Type: driver.Blob, Data: []byte("?")},
		{Type: driver.Image, Text: "https://a.example/1.png"},
		{Type: driver.Image, Text: "https://a.example/gone.png"},
	}
	stored := files{}
	s, call := service(stored, nil, func(_ context.Context, _ *driver.Call, send func(driver.Message) error) error {
		for _, m := range sent {
			if err := send(m); err != nil {
				return err
			}
		}
		return nil
	})
	found, err := s.Find(t.Context(), call.Ref)
	require.NoError(t, err)
	var got []tool.Message
	require.NoError(t, s.Invoke(t.Context(), found, call, func(m tool.Message) error { got = append(got, m); return nil }))
	types := ""
	for _, m := range got {
		types += string(m.Type) + " "
	}
	require.Equal(t, "text binary_link binary_link image_link text ", types)
	require.Equal(t, "/files/tools/1", got[1].Text)
	require.NotNil(t, got[1].File)
	require.Equal(t, "Failed to download image: https://a.example/gone.png: not there", got[4].Text)
	require.Equal(t, files{"audio/x-wav": "t1 u c wave", "application/octet-stream": "t1 u c ?", "image/png": "t1 u c picture"}, stored)

	bare := tool.New(tool.Options{Runtimes: map[tool.ProviderType]driver.Runtime{driver.API: onlyBlob{}}})
	require.Equal(t, errs.NotImplemented, errs.CodeOf(bare.Invoke(t.Context(), found, call, func(tool.Message) error { return nil })))
}

// onlyBlob sends a blob whatever it is asked.
type onlyBlob struct{}

func (onlyBlob) Providers(context.Context, string) ([]*driver.Provider, error) { return nil, nil }

func (onlyBlob) Provider(context.Context, string, string) (*driver.Provider, error) {
	return nil, errs.New(errs.NotFound, "")
}

func (onlyBlob) Invoke(_ context.Context, _ *driver.Call, send func(driver.Message) error) error {
	return send(driver.Message{Type: driver.Blob})
}

func TestEndsWithTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, call := service(nil, nil, func(context.Context, *driver.Call, func(driver.Message) error) error {
		cancel()
		return errors.New("connection closed")
	})
	found, err := s.Find(t.Context(), call.Ref)
	require.NoError(t, err)
	require.ErrorIs(t, s.Invoke(ctx, found, call, nil), context.Canceled)
}

func TestConvert(t *testing.T) {
	t.Parallel()
	file := &value.File{Type: "image"}
	for _, c := range []struct {
		kind     string
		in, want any // an error when want is errBad
	}{
		{tool.TypeString, nil, ""},
		{tool.TypeString, int64(3), "3"},
		{tool.TypeSelect, true, "True"},
		{tool.TypeSecret, "x", "x"},
		{tool.TypeBoolean, nil, false},
		{tool.TypeBoolean, "no", false},
		{tool.TypeBoolean, "TRUE", true},
		{tool.TypeBoolean, "whatever", true},
		{tool.TypeBoolean, int64(0), false},
		{tool.TypeBoolean, 0.5, true},
		{tool.TypeBoolean, []any{}, false},
		{tool.TypeBoolean, value.NewObject(0), false},
		{tool.TypeNumber, "1.50", 1.5},
		{tool.TypeNumber, " +12 ", int64(12)},
		{tool.TypeNumber, "", nil},
		{tool.TypeNumber, 2.5, 2.5},
		{tool.TypeNumber, "1.2.3", errBad},
		{tool.TypeFiles, file, []any{file}},
		{tool.TypeSystemFiles, []any{file}, []any{file}},
		{tool.TypeFile, []any{file}, file},
		{tool.TypeFile, file, file},
		{tool.TypeFile, []any{file, file}, errBad},
		{tool.TypeAppSelector, "x", errBad},
		{tool.TypeDate, nil, ""},
		{tool.TypeDate, "2024-02-29", "2024-02-29"},
		{tool.TypeDate, "2023-02-29", errBad},
		{tool.TypeDate, int64(1), errBad},
		{tool.TypeDateRange, nil, value.NewObject(0)},
		{tool.TypeDateRange, "2024-02-29", value.Obj("start", "2024-02-29")},
		{tool.TypeDateRange, `{"start": "2024-01-01", "end": "2024-01-02", "x": 1}`, value.Obj("start", "2024-01-01", "end", "2024-01-02")},
		{tool.TypeDateRange, value.Obj("end", "2024-01-02"), value.Obj("end", "2024-01-02")},
		{tool.TypeDateRange, value.Obj("start", "2024-01-03", "end", "2024-01-02"), errBad},
		{tool.TypeDateRange, value.Obj("start", "soon"), errBad},
		{tool.TypeDateRange, "soon", errBad},
		{tool.TypeArray, `[1, "a"]`, []any{int64(1), "a"}},
		{tool.TypeArray, `{"a": 1}`, []any{`{"a": 1}`}},
		{tool.TypeArray, "a", []any{"a"}},
		{tool.TypeObject, `{"a": 1}`, value.Obj("a", int64(1))},
		{tool.TypeObject, "a", value.NewObject(0)},
		{tool.TypeAny, "a", "a"},
	} {
		got, err := tool.Convert(tool.Parameter{Name: "p", Type: c.kind}, c.in)
		if _, bad := c.want.(error); bad {
			require.Error(t, err, "%s %v", c.kind, c.in)
			continue
		}
		require.NoError(t, err, "%s %v", c.kind, c.in)
		require.Equal(t, value.JSON(c.want), value.JSON(got), "%s %v", c.kind, c.in)
		require.IsType(t, c.want, got)
	}
	got, err := tool.Convert(tool.Parameter{Type: tool.TypeSelect, Multiple: true}, []any{"a"})
	require.NoError(t, err)
	require.Equal(t, []any{"a"}, got)
}

var errBad = errors.New("refused")

func TestModelSchema(t *testing.T) {
	t.Parallel()
	option := []driver.Option{{Value: "a"}, {Value: "b"}}
	got := tool.ModelSchema(&tool.Tool{Parameters: []tool.Parameter{
		{Name: "form", Type: tool.TypeString, Form: driver.FormForm},
		{Name: "q", Type: tool.TypeString, Form: driver.FormLLM, Required: true, ModelDescription: "what"},
		{Name: "pick", Type: tool.TypeSelect, Form: driver.FormLLM, Options: option},
		{Name: "many", Type: tool.TypeSelect, Form: driver.FormLLM, Options: option, Multiple: true},
		{Name: "f", Type: tool.TypeFile, Form: driver.FormLLM}, {Name: "fs", Type: tool.TypeFiles, Form: driver.FormLLM},
		{Name: "range", Type: tool.TypeDateRange, Form: driver.FormLLM}, {Name: "box", Type: tool.TypeCheckbox, Form: driver.FormLLM},
		{Name: "own", Type: tool.TypeObject, Form: driver.FormLLM, InputSchema: value.Obj("type", "object", "maxProperties", int64(1))},
	}})
	require.Equal(t, `{"type": "object", "properties": {"q": {"type": "string", "description": "what"}, `+
		`"pick": {"type": "string", "description": "", "enum": ["a", "b"]}, `+
		`"many": {"type": "array", "description": "", "items": {"type": "string", "enum": ["a", "b"]}}, `+
		`"range": {"type": "object", "description": ""}, "box": {"type": "string", "description": ""}, `+
		`"own": {"type": "object", "maxProperties": 1}}, "required": ["q"]}`, value.JSON(got))
}
