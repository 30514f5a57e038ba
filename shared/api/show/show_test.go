package show_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/workflow/value"
)

type signer struct{}

func (signer) Preview(id string) string   { return "new:" + id }
func (signer) Image(id string) string     { return "image:" + id }
func (signer) Tool(id, ext string) string { return "tool:" + id + ext }

func renderer() *show.Renderer {
	return &show.Renderer{Signer: signer{}, Refresh: func(v any) any { return v }}
}

func TestLinksInAnswersGetNewSignatures(t *testing.T) {
	t.Parallel()
	const query = "?timestamp=1&nonce=a&sign=b="
	for in, want := range map[string]string{
		"plain":                                 "plain",
		"see [a](https://example.com/x?sign=1)": "see [a](https://example.com/x?sign=1)",
		"![p](http://h:1/files/u1/file-preview" + query + ")":                                "![p](new:u1)",
		"[p](/files/u1/image-preview" + query + ") end":                                      "[p](image:u1) end",
		"[t](http://h/files/tools/t1.png" + query + ")":                                      "[t](tool:t1.png)",
		"[p](/files/u1/file-preview" + query + "&as_attachment=true)":                        "[p](new:u1&as_attachment=true)",
		"[p](/files/u1/file-preview" + query + ")\n[q](/files/u2/file-preview" + query + ")": "[p](new:u1)\n[q](new:u2)",
		// Text between two links of a line goes with the first one.
		"a [p](/files/u1/file-preview" + query + ") b [p](/files/u1/file-preview" + query + ")": "a [p](new:u1)",
	} {
		require.Equal(t, want, renderer().Message(chat.Message{Answer: in}).Value("answer"), in)
	}
}

func TestFilesOfMessages(t *testing.T) {
	t.Parallel()
	m := renderer().Message(chat.Message{Files: []chat.MessageFile{
		{ID: "1", Type: "image", TransferMethod: "local_file", UploadFileID: "u", Filename: "p.png", MimeType: "image/png", Size: 7, BelongsTo: "user"},
		{ID: "2", Type: "image", TransferMethod: "remote_url", URL: "https://h/a/r.png?x=1", BelongsTo: "user"},
		{ID: "3", Type: "document", TransferMethod: "tool_file", URL: "https://h/files/tools/t.txt?timestamp=1&nonce=a&sign=b", BelongsTo: "assistant"},
	}})
	files := m.Value("message_files").([]any)
	first := files[0].(*value.Object)
	require.Equal(t, "new:u", first.Value("url"))
	require.EqualValues(t, 7, first.Value("size"))
	second := files[1].(*value.Object)
	require.Equal(t, "r.png", second.Value("filename"))
	require.Nil(t, second.Value("size"))
	require.Equal(t, "tool:t.txt", files[2].(*value.Object).Value("url"))
}

func TestPrices(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]any{"": nil, "0.0000000": "0E-7", "0.0000210": "0.0000210", "junk": "junk"} {
		require.Equal(t, want, show.Price(in))
	}
}

func TestStoredNonsenseIsAnEmptyObject(t *testing.T) {
	t.Parallel()
	m := renderer().ConsoleMessage(chat.Message{Inputs: []byte("{"), Metadata: []byte("[")})
	require.Equal(t, value.NewObject(0), m.Value("inputs"))
	require.Equal(t, value.NewObject(0), m.Value("metadata"))
}
