package document_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/document"
)

// sample reads a file of testdata. Those were written by office programs and
// other libraries than the ones under test.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(data))
		require.NoError(t, err)
		data, err = io.ReadAll(z)
		require.NoError(t, err)
	}
	return data
}

func TestSamples(t *testing.T) {
	t.Parallel()
	const letter = "Sample Title\nFirst paragraph with ümläut and 中文文字。\n| H1 | H2 |\n| --- | --- |\n| c1 |  |\n| c3 日本語 | c4 |\n\nAfter the table\nsecond line — a link."
	const book = "| Name | Qty | When |\n| ---- | --- | ---- |\n| pear 梨 | 2 | 2024-01-02 00:00:00 |\n| sum | #VALUE! | #VALUE! |\n| 1 | -12.75 |  |\n\n| Other |\n| ----- |\n| 1234567890 |\n\n"
	const slides = "Slide one title\npoint a\npoint 中文\nSecond slide — café"
	const cjk = "工作流引擎把每一步都写入日志。ABC\r\nワークフローエンジンは各ステップ\r\n워크플로 엔진은 모든 단계를\r\n工作流程引擎會把每一個步驟\r\n" +
		"Café – “quotes” €5\r\nline a\r\nline b\r\nleft right\r\nH2O\r\nrotated text here\r\npage two"
	for name, want := range map[string]string{
		"sample.doc": letter, "sample.docx": letter, "sample.odt": letter,
		"sample.rtf.doc":  "Sample Title\nFirst paragraph with ümläut and 中文文字。\nH1\tH2\t\nc1\t\t\nc3 日本語\tc4\t\nAfter the table\nsecond line — a link.",
		"sample.docx.doc": letter,
		"sample.epub":     "Sample Title\nFirst paragraph with ümläut and 中文文字。\nH1\nH2\nc1\nc3 日本語\nc4\nAfter the table\nsecond line — a link.",
		"sample.pdf":      "Sample Title\r\nFirst paragraph with ümläut and 中文文字。\r\nH1 H2\r\nc1\r\nc3 日本語 c4\r\nAfter the table\r\nsecond line — a link.",
		"book.xls":        book, "book.xlsx": book, "book.xlsx.xls": book,
		"slides.ppt.gz.ppt": slides, "slides.pptx": slides, "slides.pptx.ppt": slides,
		"plain.msg": "First line ümläut\n中文 second line", "html.msg": "Only HTML ümläut\n中文",
		"cjk.pdf": cjk, "packed.pdf": cjk, "rc4-40.pdf": cjk, "rc4-128.pdf": cjk, "aes-128.pdf": cjk, "aes-256.pdf": cjk,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := document.FormatOf(filepath.Ext(name), "")
			require.NoError(t, err)
			// A second extension is the one it is read by.
			if _, err := os.Stat(filepath.Join("testdata", name)); err != nil {
				name = strings.TrimSuffix(name, filepath.Ext(name))
			}
			require.Equal(t, want, text(t, f, sample(t, name)))
		})
	}
}

func TestLongBook(t *testing.T) {
	t.Parallel()
	// Its table of texts goes over many records, and texts are cut in two.
	lines := strings.Split(text(t, document.XLS, sample(t, "long.xls.gz")), "\n")
	require.Equal(t, "| 梨 two lines | 5.5 | 2024-03-04 00:00:00 |", lines[3])
	for i := range 3000 {
		require.Equal(t, "| row"+strconv.Itoa(i)+" long text "+strings.Repeat("文字", i%50)+" | "+strconv.Itoa(i)+" |  |", lines[5+i])
	}
}

func TestLockedSamples(t *testing.T) {
	t.Parallel()
	_, err := document.Text(t.Context(), document.PDF, sample(t, "locked.pdf"), plenty)
	require.EqualError(t, err, "Failed to extract text from PDF: the file is protected by a password")
}

func TestOtherFiles(t *testing.T) {
	t.Parallel()
	for _, f := range []document.Format{document.PDF, document.DOC, document.PPT, document.XLS, document.MSG} {
		for name, data := range map[string][]byte{
			"nothing": nil, "text": []byte("just text"), "word": sample(t, "sample.doc")[:2048], "half": sample(t, "book.xls")[:3000],
		} {
			_, err := document.Text(t.Context(), f, data, plenty)
			var broken *document.Error
			require.ErrorAs(t, err, &broken, "%s %s", f, name)
		}
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := document.Text(ctx, document.PDF, sample(t, "cjk.pdf"), plenty)
	require.ErrorIs(t, err, context.Canceled)
}

func TestSmallLimit(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]document.Format{
		"sample.doc": document.DOC, "book.xls": document.XLS, "slides.ppt.gz": document.PPT, "plain.msg": document.MSG, "cjk.pdf": document.PDF,
		"sample.docx": document.DOCX, "book.xlsx": document.XLSX, "slides.pptx": document.PPTX, "sample.odt": document.ODT, "sample.epub": document.EPUB,
	} {
		_, err := document.Text(t.Context(), f, sample(t, name), 10)
		require.ErrorContains(t, err, "the document is too large", name)
	}
}

// FuzzText mutates the samples: every document has a text or an error for
// users, and the text is within the limit.
func FuzzText(f *testing.F) {
	formats := []document.Format{
		document.DOC, document.XLS, document.PPT, document.MSG, document.DOCX, document.XLSX, document.PPTX, document.ODT, document.EPUB,
		document.Mail, document.CSV, document.YAML, document.JSON, document.Properties, document.Plain,
	}
	names := []string{"sample.doc", "book.xls", "slides.ppt.gz", "plain.msg", "sample.docx", "book.xlsx", "slides.pptx", "sample.odt", "sample.epub"}
	for i, name := range names {
		f.Add(uint8(i), sample(f, name))
	}
	f.Add(uint8(0), sample(f, "sample.rtf"))
	f.Add(uint8(3), sample(f, "html.msg"))
	f.Add(uint8(9), []byte("Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nContent-Type: text/html\r\n\r\n<p>a\r\n--B--\r\n"))
	f.Add(uint8(10), []byte("a,b\n\"1\n2\",3\n"))
	f.Add(uint8(11), []byte("a: &x [1, {b: c}]\nd: *x\n"))
	f.Add(uint8(12), []byte(`{"a":[1,2.0,"x"]}`))
	f.Add(uint8(13), []byte("a=b\n# c\nd:e"))
	f.Add(uint8(14), []byte("\xff\xfea\x00b\x00"))
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		out, err := document.Text(t.Context(), formats[int(kind)%len(formats)], data, plenty)
		if err != nil {
			var broken *document.Error
			require.ErrorAs(t, err, &broken)
			require.False(t, document.Panicked(err), "a reader panicked")
			return
		}
		require.LessOrEqual(t, len(out), plenty)
		require.NotContains(t, out, "\x00")
	})
}

func TestCompressedRTF(t *testing.T) {
	t.Parallel()
	require.Equal(t, string(sample(t, "sample.rtf")), document.UnpackRTF(t, sample(t, "body.lzfu")))
}
