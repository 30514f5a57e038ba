package documentextractor_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node/documentextractor"
	"github.com/millrace/millrace/shared/workflow/node/nodetest"
	"github.com/millrace/millrace/shared/workflow/value"
)

// contents are files by name.
type contents map[string]string

func (c contents) ReadAll(_ context.Context, tenantID string, f *value.File, most int64) ([]byte, error) {
	text, ok := c[tenantID+"/"+f.Filename]
	switch {
	case !ok:
		return nil, errs.New(errs.FileNotFound, "")
	case int64(len(text)) > most:
		return nil, errs.New(errs.FileTooLarge, "")
	}
	return []byte(text), nil
}

func file(name, ext string) *value.File { return &value.File{Filename: name, Extension: ext} }

func run(t *testing.T, v any) (*workflow.Result, error) {
	t.Helper()
	pool := workflow.NewPool()
	pool.Set("start", "f", v)
	typ := documentextractor.New(contents{"tenant/a.txt": "one", "tenant/b.json": "[1]", "tenant/c.json": "[", "tenant/big.txt": "01234567890",
		"tenant/x.pdf": "%PDF-1.7", "tenant/x.doc": "no doc"}, &documentextractor.Options{MaxFile: 10})
	return nodetest.Run(t.Context(), t, typ, `{"type":"document-extractor","variable_selector":["start","f"]}`, pool)
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   any
		want string
	}{
		"file":    {file("a.txt", ".txt"), `{"text": "one"}`},
		"list":    {[]any{file("a.txt", ".txt"), file("b.json", ".json")}, `{"text": ["one", "[\n  1\n]"]}`},
		"empty":   {[]any{}, `{"text": []}`},
		"nothing": {nil, `{"text": []}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := run(t, c.in)
			require.NoError(t, err)
			require.Equal(t, c.want, value.JSON(res.Outputs))
			require.Equal(t, `{"variable_selector": ["start", "f"]}`, value.JSON(res.Inputs))
			files, ok := res.ProcessData.Value("documents").([]any)
			require.True(t, ok)
			if f, ok := c.in.(*value.File); ok {
				require.Equal(t, []any{f}, files)
			}
		})
	}
}

// TestOfficeFiles reads files by their extension, or by their media type alone.
func TestOfficeFiles(t *testing.T) {
	t.Parallel()
	all := contents{}
	for _, name := range []string{"cjk.pdf", "sample.doc", "book.xls", "plain.msg"} {
		data, err := os.ReadFile("../../../document/testdata/" + name)
		require.NoError(t, err)
		all["tenant/"+name] = string(data)
	}
	pool := workflow.NewPool()
	pool.Set("start", "f", []any{
		file("cjk.pdf", ".pdf"), &value.File{Filename: "sample.doc", MimeType: "application/msword"}, file("book.xls", ".XLS"), file("plain.msg", "msg"),
	})
	res, err := nodetest.Run(t.Context(), t, documentextractor.New(all, nil), `{"variable_selector":["start","f"]}`, pool)
	require.NoError(t, err)
	texts, ok := res.Outputs.Value("text").([]any)
	require.True(t, ok)
	require.Len(t, texts, 4)
	for i, want := range []string{"工作流引擎把每一步都写入日志。ABC\r\n", "| c3 日本語 | c4 |", "| pear 梨 | 2 |", "中文 second line"} {
		require.Contains(t, texts[i], want)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   any
		says string
	}{
		"type":      {[]any{file("a.txt", ".txt"), file("x.png", ".png")}, "Unsupported Extension Type: .png"},
		"no file":   {"text", "Variable ['start', 'f'] is not an ArrayFileSegment"},
		"not there": {file("none.txt", ".txt"), "The file none.txt could not be read"},
		"broken":    {file("c.json", ".json"), "Failed to extract text from JSON: the file is no valid JSON"},
		"bad pdf":   {file("x.pdf", ".pdf"), "Failed to extract text from PDF: the file is damaged: it has no pages"},
		"bad doc":   {[]any{file("a.txt", ".txt"), file("x.doc", ".doc")}, "Failed to extract text from DOC: the file is damaged or of another type than its name says"},
		"too large": {file("big.txt", ".txt"), "The file big.txt is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := run(t, c.in)
			var f *workflow.Failure
			require.ErrorAs(t, err, &f)
			require.Contains(t, f.Message, c.says)
			require.Empty(t, f.Type)
			if name != "no file" {
				require.NotNil(t, res.ProcessData.Value("documents"), "a failed try shows its documents")
			}
		})
	}
	pool := workflow.NewPool()
	_, err := nodetest.Run(t.Context(), t, documentextractor.New(contents{}, nil), `{"variable_selector":["start","f"]}`, pool)
	require.EqualError(t, err, "File variable not found for selector: ['start', 'f']")
	_, err = nodetest.Run(t.Context(), t, documentextractor.New(contents{}, nil), `{}`, pool)
	require.ErrorContains(t, err, "variable_selector is missing")
}
