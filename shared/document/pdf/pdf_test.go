package pdf_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/ascii85"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/document/pdf"
)

const plenty = 1 << 20

// build writes a file of numbered objects, the first being the catalogue.
func build(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, at)
	return b.Bytes()
}

func stream(dict, data string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

const (
	catalogue = "<< /Type /Catalog /Pages 2 0 R >>"
	helvetica = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
)

// onePage writes a file whose page has this content; font is the object of /F1.
func onePage(content, font string, more ...string) []byte {
	return build(append([]string{
		catalogue, "<< /Type /Pages /Kids [3 0 R] /Count 1 /Resources << /Font << /F1 5 0 R >> /XObject << /X 6 0 R >> >> >>",
		"<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>", content, font,
	}, more...)...)
}

func pages(t *testing.T, data []byte) []string {
	t.Helper()
	out, err := pdf.Pages(t.Context(), data, plenty)
	require.NoError(t, err)
	return out
}

func TestLayout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, want string }{
		"lines":       {"BT /F1 12 Tf 72 720 Td 16 TL (one) Tj T* (two) ' 0 -16 Td (three) Tj ET", "one\r\ntwo\r\nthree"},
		"far apart":   {"BT /F1 12 Tf 72 720 Td (left) Tj 200 0 Td (right) Tj ET", "left right"},
		"other order": {"BT /F1 12 Tf 272 720 Td (right) Tj -200 0 Td (left) Tj ET", "left right"},
		"kerning":     {"BT /F1 12 Tf [(W) 80 (ord) -300 (next) -20 (ed)] TJ ET", "Word nexted"},
		"pieces":      {"BT /F1 10 Tf 1 0 0 1 0 0 Tm (ab) Tj 1 0 0 1 11.12 0 Tm (cd) Tj ET", "abcd"},
		"bold twice":  {"BT /F1 12 Tf 10 10 Td (bold) Tj ET BT /F1 12 Tf 10.2 10 Td (bold) Tj ET", "bold"},
		"superscript": {"BT /F1 12 Tf (x) Tj /F1 7 Tf 4 Ts (2) Tj ET", "x2"},
		"escapes": {`BT /F1 12 Tf (a\(b\)\\ \101\
c) Tj <646566> Tj ET`, `a(b)\ Acdef`},
		"windows":     {"BT /F1 12 Tf (caf\xe9 \x93q\x94 \x80) Tj ET", "café “q” €"},
		"scaled":      {"q 0.1 0 0 0.1 0 0 cm BT /F1 120 Tf (a) Tj 500 0 Td (b) Tj ET Q BT /F1 12 Tf 0 -20 Td (c) Tj ET", "a b\r\nc"},
		"image":       {"BI /W 1 /H 1 /BPC 8 /CS /G ID (Tj) EI BT /F1 12 Tf (after) Tj ET", "after"},
		"actual text": {"/Span << /ActualText <FEFF00660066> >> BDC BT /F1 12 Tf (\x01\x02) Tj ET EMC BT /F1 12 Tf 40 0 Td (x) Tj ET", "ff x"},
		"no font":     {"BT /F9 12 Tf (gone) Tj ET BT (gone) Tj ET", "gone"},
		"broken":      {"BT /F1 12 Tf (a) Tj ] >> } Td Tm Tf [ (b", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "no font" { // an unknown font shows its codes as they are
				c.want = "gone"
			}
			require.Equal(t, []string{c.want}, pages(t, onePage(stream("", c.content), helvetica)))
		})
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	const content = "BT /F1 12 Tf (squeezed, squeezed, squeezed) Tj ET"
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, err := w.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	a85 := make([]byte, ascii85.MaxEncodedLen(z.Len()))
	a85 = append(a85[:ascii85.Encode(a85, z.Bytes())], "~>"...)
	var run strings.Builder
	for i := 0; i < len(content); i += 100 {
		part := content[i:min(len(content), i+100)]
		run.WriteByte(byte(len(part) - 1))
		run.WriteString(part)
	}
	up := "\x00" + content[:16] + "\x02" // PNG rows, the second as the difference to the first
	row := []byte(content[16:32])
	for i := range row {
		row[i] -= content[i]
	}
	up += string(row) + "\x00" + content[32:]
	for name, c := range map[string]struct{ dict, data string }{
		"flate":        {"/Filter /FlateDecode", z.String()},
		"damaged":      {"/Filter /FlateDecode", z.String()[:z.Len()-4] + "XXXX"},
		"no header":    {"/Filter [/Fl]", z.String()[2:]},
		"hex":          {"/Filter [/AHx]", hex.EncodeToString([]byte(content)) + ">"},
		"two":          {"/Filter [/ASCII85Decode /FlateDecode]", string(a85)},
		"run length":   {"/Filter /RunLengthDecode", run.String() + "\x80"},
		"png":          {"/Filter /AHx /DecodeParms << >>", hex.EncodeToString([]byte(content)) + ">"},
		"wrong length": {"/Length 3", content},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []string{"squeezed, squeezed, squeezed"}, pages(t, onePage(stream(c.dict, c.data), helvetica)))
		})
	}
	z.Reset()
	w.Reset(&z)
	_, err = w.Write([]byte(up))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	got := pages(t, onePage(stream("/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 16 >>", z.String()), helvetica))
	require.Equal(t, []string{"squeezed, squeezed, squeezed"}, got)
}

func TestLZW(t *testing.T) {
	t.Parallel()
	// The example of the format's specification: 45 45 45 45 45 65 45 45 45 66.
	data, err := hex.DecodeString("800b6050220c0c8501")
	require.NoError(t, err)
	require.Equal(t, "-----A---B", string(pdf.UnLZW(data)))
}

func TestFonts(t *testing.T) {
	t.Parallel()
	unicode := stream("", "1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfchar <0001> <5DE5> endbfchar "+
		"2 beginbfrange <0002> <0003> <4F5C> <0004> <0005> [<D83DDE00> <00660069>] endbfrange")
	composite := func(encoding string) string {
		return "<< /Type /Font /Subtype /Type0 /Encoding " + encoding + " /DescendantFonts [<< /Subtype /CIDFontType0 /DW 1000 >>] >>"
	}
	for name, c := range map[string]struct{ content, font, want string }{
		"to unicode":        {"<000100020003000400050009> Tj", "<< /Subtype /Type0 /Encoding /Identity-H /ToUnicode 6 0 R /DescendantFonts [<< /DW 1000 >>] >>", "工作佝😀fi"},
		"simple to unicode": {"(\x01\x02) Tj", "<< /Subtype /TrueType /ToUnicode 6 0 R /FirstChar 1 /Widths [500 500] >>", "工作"},
		"differences":       {"(abcdefg) Tj", "<< /Subtype /Type1 /Encoding << /BaseEncoding /WinAnsiEncoding /Differences [97 /eacute /uni4E2D /f_i /ssmall.alt 102 /Omega /nosuchname] >> >>", "é中fiseΩ"},
		"standard":          {"(a'\xae\xd0) Tj", "<< /Subtype /Type1 /BaseFont /Times-Roman >>", "a’fi—"},
		"mac":               {"(\x8e) Tj", "<< /Subtype /TrueType /Encoding /MacRomanEncoding >>", "é"},
		"gbk":               {"<b9a4d7f741> Tj", composite("/GBK-EUC-H"), "工作A"},
		"gb18030":           {"<8139ee39> Tj", composite("/GBK2K-H"), "\u3400"},
		"big5":              {"<a440> Tj", composite("/ETen-B5-H"), "一"},
		"shift jis":         {"<835841b1> Tj", composite("/90ms-RKSJ-H"), "スAｱ"},
		"euc-jp":            {"<a5b9> Tj", composite("/EUC-H"), "ス"},
		"jis":               {"<2539> Tj", composite("/H"), "ス"},
		"uhc":               {"<c7d1> Tj", composite("/KSCms-UHC-H"), "한"},
		"ucs2":              {"<5de54f5c> Tj", composite("/UniGB-UCS2-H"), "工作"},
		"utf16":             {"<d83dde005de5> Tj", composite("/UniJIS-UTF16-H"), "😀工"},
		"vertical":          {"1 0 0 1 300 700 Tm <5de54f5c> Tj 1 0 0 1 280 700 Tm <4e00> Tj", composite("/UniGB-UCS2-V"), "工作\r\n一"},
		"type 3":            {"(ab) Tj", "<< /Subtype /Type3 /FontMatrix [0.01 0 0 0.01 0 0] /FirstChar 97 /Widths [50 50] /Encoding << /Differences [97 /x /y] >> >>", "xy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []string{c.want}, pages(t, onePage(stream("", "BT /F1 12 Tf "+c.content+" ET"), c.font, unicode)))
		})
	}
}

// sfnt makes a font that has nothing but a table of characters.
func sfnt(platform, encoding int, table string) string {
	cmap := fmt.Sprintf("\x00\x00\x00\x01\x00%c\x00%c\x00\x00\x00\x0c", platform, encoding) + table
	return "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00cmap\x00\x00\x00\x00\x00\x00\x00\x1c\x00\x00\x00" + string(rune(len(cmap))) + cmap
}

func TestFontsWithoutTables(t *testing.T) {
	t.Parallel()
	// Glyphs 3 and 4 are A and B, 5 is 工 through a list of glyphs.
	segments := sfnt(3, 1, "\x00\x04\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00"+
		"\x00\x42\x5d\xe5\xff\xff"+"\x00\x00"+"\x00\x41\x5d\xe5\xff\xff"+"\xff\xc2\x00\x00\x00\x01"+"\x00\x00\x00\x04\x00\x00"+"\x00\x05")
	groups := sfnt(3, 10, "\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\xf6\x00\x00\x01\xf6\x01\x00\x00\x00\x03")
	font := func(more string) string {
		return "<< /Subtype /Type0 /Encoding /Identity-H /DescendantFonts [<< /Subtype /CIDFontType2 /FontDescriptor << /FontFile2 6 0 R >> " + more + " >>] >>"
	}
	for name, c := range map[string]struct{ font, codes, more, want string }{
		"segments": {segments, "000300040005", "", "AB工"},
		"groups":   {groups, "00030004", "/CIDToGIDMap /Identity", "😀😁"},
		"mapped":   {segments, "00010002", "/CIDToGIDMap 7 0 R", "工A"},
		"cut off":  {segments[:60], "0003", "", ""},
		"no font":  {"\xff\xff\xff\xff\xff\xff", "0003", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := pages(t, onePage(stream("", "BT /F1 12 Tf <"+c.codes+"> Tj ET"), font(c.more),
				stream("", c.font), stream("", "\x00\x00\x00\x05\x00\x03")))
			require.Equal(t, []string{c.want}, got)
		})
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	form := stream("/Type /XObject /Subtype /Form /Matrix [1 0 0 1 0 -50] /Resources << /Font << /F2 5 0 R >> /XObject << /X 6 0 R >> >>",
		"BT /F2 12 Tf (inside) Tj ET /X Do") // draws itself
	got := pages(t, onePage(stream("", "BT /F1 12 Tf (before) Tj ET /X Do BT /F1 12 Tf 100 0 Td (after) Tj ET"), helvetica, form))
	require.Equal(t, []string{"before\r\ninside\r\nafter"}, got)
}

func TestPageTree(t *testing.T) {
	t.Parallel()
	page := func(n int) string {
		return fmt.Sprintf("<< /Type /Page /Contents [%d 0 R 99 0 R] /Resources << /Font << /F 7 0 R >> >> >>", n)
	}
	data := build(catalogue, "<< /Kids [3 0 R 4 0 R 2 0 R null 98 0 R] >>", page(5), "<< /Kids [6 0 R 2 0 R 4 0 R 6 0 R] >>",
		stream("", "BT /F 9 Tf (first) Tj ET"), page(8), helvetica, stream("", "BT /F 9 Tf (second) Tj ET"))
	require.Equal(t, []string{"first", "second"}, pages(t, data))
}

func TestRepair(t *testing.T) {
	t.Parallel()
	whole := onePage(stream("", "BT /F1 12 Tf (found) Tj ET"), helvetica)
	for name, data := range map[string][]byte{
		"no startxref":   bytes.Replace(whole, []byte("startxref"), []byte("startxxxx"), 1),
		"wrong offset":   bytes.Replace(whole, []byte("startxref\n"), []byte("startxref\n1"), 1),
		"wrong table":    bytes.ReplaceAll(whole, []byte("00000 n"), []byte("0000x n")),
		"moved":          bytes.Replace(whole, []byte("%PDF-1.7\n"), []byte("%PDF-1.7\n%shifted\n"), 1),
		"cut off":        whole[:bytes.Index(whole, []byte("xref\n0"))],
		"junk before":    append([]byte("junk\n"), whole...),
		"no trailer":     bytes.Replace(whole, []byte("trailer << /Size 6 /Root 1 0 R >>"), nil, 1),
		"endless prev":   bytes.Replace(whole, []byte("/Size 6"), []byte("/Prev 0 /Size 6"), 1),
		"missing endobj": bytes.ReplaceAll(whole, []byte("endobj"), nil),
	} {
		require.Equal(t, []string{"found"}, pages(t, data), name)
	}
}

func TestHostileFiles(t *testing.T) {
	t.Parallel()
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, err := w.Write(bytes.Repeat([]byte("BT (aaaaaaaaaaaaaaa) Tj ET\n"), plenty/8))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	var forms []string
	for i := range 10 { // each draws the next one ten times
		forms = append(forms, stream(fmt.Sprintf("/Subtype /Form /Resources << /XObject << /X %d 0 R >> >>", 7+i), strings.Repeat("/X Do ", 10)))
	}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"nothing":     {nil, "the file is no PDF"},
		"empty":       {[]byte("%PDF-1.7\n"), "has no pages"},
		"no pages":    {build("<< /Type /Catalog >>"), "has no pages"},
		"own pages":   {build("<< /Type /Catalog /Pages 1 0 R >>", "1 0 R"), "has no pages"},
		"bomb":        {onePage(stream("/Filter /FlateDecode", z.String()), helvetica), "the document is too large"},
		"bomb, often": {onePage(stream("/Filter [/FlateDecode /FlateDecode /Fl /Fl /Fl /Fl /Fl /Fl /Fl]", ""), helvetica, forms...), ""},
		"forms":       {onePage(stream("", "/X Do"), helvetica, forms...), "a page is too complex"},
		"deep":        {onePage(stream("", strings.Repeat("[", 100_000)+strings.Repeat("<<", 100_000)), helvetica), ""},
		"deep object": {onePage(strings.Repeat("[", 500_000), helvetica), ""},
		"many marks":  {onePage(stream("", strings.Repeat("q /a BMC ", 50_000)), helvetica), ""},
		"ranges":      {onePage(stream("", "BT /F1 1 Tf <01> Tj ET"), "<< /Subtype /Type0 /Encoding /Identity-H /ToUnicode 6 0 R >>", stream("", strings.Repeat("1 beginbfrange <00000000> <ffffffff> <0041> endbfrange ", 50))), ""},
		"widths":      {onePage(stream("", "BT /F1 1 Tf <01> Tj ET"), "<< /Subtype /Type0 /Encoding /Identity-H /DescendantFonts [<< /W [0 999999999999 1] >>] >>"), ""},
		"self length": {onePage("<< /Length 4 0 R >>\nstream\nBT ET\nendstream", helvetica), ""},
		"encrypted":   {bytes.Replace(onePage("", helvetica), []byte("/Size 6"), []byte("/Size 6 /Encrypt << /Filter /Standard /V 5 /R 6 >>"), 1), "protected by a password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pdf.Pages(t.Context(), c.data, plenty)
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
			}
			require.False(t, pdf.Panicked(err))
		})
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := pdf.Pages(ctx, onePage(stream("", strings.Repeat("BT ET ", 2000)), helvetica), plenty)
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzPages mutates files: every file has pages or an error, in bounded time
// and space.
func FuzzPages(f *testing.F) {
	names, err := filepath.Glob("../testdata/*.pdf")
	require.NoError(f, err)
	require.NotEmpty(f, names)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add(onePage(stream("", "BT /F1 12 Tf [(a) 1 (b)] TJ ET /X Do"), helvetica, stream("/Subtype /Form", "BT ET")))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := pdf.Pages(t.Context(), data, plenty)
		require.False(t, pdf.Panicked(err), "panicked on a file")
		require.LessOrEqual(t, len(strings.Join(out, "")), plenty)
	})
}
