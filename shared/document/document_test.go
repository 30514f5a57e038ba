package document_test

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/millrace/millrace/shared/document"
)

const plenty = 1 << 20

// pack makes a zip of name, content, name, content...
func pack(t *testing.T, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		require.NoError(t, err)
		_, err = w.Write([]byte(parts[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func text(t *testing.T, f document.Format, data []byte) string {
	t.Helper()
	out, err := document.Text(t.Context(), f, data, plenty)
	require.NoError(t, err)
	return out
}

func TestFormatOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ext, mime string
		want      document.Format
		err       string
	}{
		{".txt", "application/pdf", document.Plain, ""},
		{"MD", "", document.Plain, ""},
		{".go", "", document.Plain, ""},
		{".html", "", document.Plain, ""},
		{".docx", "", document.DOCX, ""},
		{".yml", "", document.YAML, ""},
		{".png", "text/plain", "", "Unsupported Extension Type: .png"},
		{".pdf", "", document.PDF, ""},
		{".doc", "", document.DOC, ""},
		{"", "text/plain; charset=utf-8", document.Plain, ""},
		{"", "text/csv", document.CSV, ""},
		{"", "message/rfc822", document.Mail, ""},
		{"", "image/png", "", "Unsupported MIME type: image/png"},
		{"", "", "", "Unable to determine file type: MIME type or file extension is missing"},
	} {
		got, err := document.FormatOf(c.ext, c.mime)
		if c.err != "" {
			require.EqualError(t, err, c.err)
			continue
		}
		require.NoError(t, err, c)
		require.Equal(t, c.want, got, c)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format   document.Format
		in, want string
	}{
		"plain":      {document.Plain, "plain text\nline two\n", "plain text\nline two\n"},
		"bom":        {document.Plain, "\xef\xbb\xbfx", "x"},
		"nul":        {document.Plain, "a\x00b", "ab"},
		"nul, even":  {document.Plain, "some text\x00 here", "some text here"},
		"csv":        {document.CSV, "name,qty\npear,2\n\"a\nb\",5\n", "| name | qty |\n| ---- | --- |\n| pear | 2 |\n| a b | 5 |\n"},
		"csv ragged": {document.CSV, "a,b\n1\n", "| a | b |\n| - | - |\n| 1 |\n"},
		"csv empty":  {document.CSV, "", ""},
		"json":       {document.JSON, `{"b": [1, 2], "a": "ü"}`, "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": \"ü\"\n}"},
		"yaml":       {document.YAML, "k: v\nl:\n- 1\n", "k: v\nl:\n- 1\n"},
		"yaml order": {document.YAML, "# note\nz: {b: 1, a: [x, {y: 'no'}]}\na: ''\ne: []\n", "z:\n  b: 1\n  a:\n  - x\n  - y: 'no'\na: ''\ne: []\n"},
		"yaml list":  {document.YAML, "- a\n-\n  - b\n  - c\n- k: 1\n  l: 2\n", "- a\n- - b\n  - c\n- k: 1\n  l: 2\n"},
		"yaml docs":  {document.YAML, "a: 1\n---\nb: 2\n", "a: 1\n---\nb: 2\n"},
		"yaml alias": {document.YAML, "a: &x [1]\nb: *x\n", "a:\n- 1\nb:\n- 1\n"},
		"properties": {document.Properties, "# note\na = 1\nb:2\n\nflag\n", "# note\na: 1\nb: 2\n\nflag: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, text(t, c.format, []byte(c.in)))
		})
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		enc  encoding.Encoding
		text string
	}{
		"gb18030":              {simplifiedchinese.GB18030, "工作流引擎把每一步都写入日志，因此任何进程都可以随时终止，而不会丢失任何运行结果。"},
		"big5":                 {traditionalchinese.Big5, "工作流程引擎會把每一個步驟寫入日誌，因此任何程序都可以隨時終止，而不會遺失執行結果。"},
		"shift_jis":            {japanese.ShiftJIS, "ワークフローエンジンは各ステップをログに記録するため、いつ停止しても結果は失われません。"},
		"euc-jp":               {japanese.EUCJP, "ワークフローエンジンは各ステップをログに記録するため、いつ停止しても結果は失われません。"},
		"euc-kr":               {korean.EUCKR, "워크플로 엔진은 모든 단계를 로그에 기록하므로 언제 중단되어도 결과를 잃지 않습니다."},
		"latin 1":              {charmap.Windows1252, "Der Müller prüft täglich die Größe der Räder, bevor er die Mühle öffnet. Das Getreide fällt später."},
		"utf-16le":             {unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "plain text, ümlaut"},
		"utf-16le no mark":     {unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "plain text, ümlaut"},
		"utf-16be no mark":     {unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "plain text, ümlaut\nand more"},
		"utf-16le no mark, zh": {unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "工作流引擎把每一步都写入日志。任何进程都可以随时终止。"},
		"utf-16be no mark, ja": {unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "ワークフローエンジンは各ステップをログに記録する。"},
		"windows-1251":         {charmap.Windows1251, "Система записывает каждый шаг в журнал, поэтому любой процесс можно остановить в любое время."},
		"windows-1253":         {charmap.Windows1253, "Το σύστημα καταγράφει κάθε βήμα στο ημερολόγιο, ώστε κάθε διεργασία να μπορεί να σταματήσει."},
		"koi8-r":               {charmap.KOI8R, "Система записывает каждый шаг в журнал, поэтому любой процесс можно остановить в любое время."},
		"utf-16be":             {unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "plain text, ümlaut"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := c.enc.NewEncoder().Bytes([]byte(c.text))
			require.NoError(t, err)
			require.Equal(t, c.text, text(t, document.Plain, data))
		})
	}
	require.Equal(t, "caf\u00e9", text(t, document.Plain, []byte("caf\xe9")))
}

const word = `<w:document xmlns:w="w"><w:body>%s</w:body></w:document>`

func TestDOCX(t *testing.T) {
	t.Parallel()
	body := `<w:p><w:pPr><w:rPr><w:t>no</w:t></w:rPr></w:pPr><w:r><w:t>First</w:t><w:tab/><w:t>par</w:t></w:r><w:ins><w:r><w:t>!</w:t></w:r></w:ins>
		<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p><w:p/>
		<w:sdt><w:sdtContent><w:p><w:hyperlink><w:r><w:t>Second</w:t><w:br/><w:t>line</w:t></w:r></w:hyperlink></w:p></w:sdtContent></w:sdt>
		<w:tbl><w:tblPr/><w:tr><w:tc><w:p><w:r><w:t>H1</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>H2</w:t></w:r></w:p></w:tc></w:tr>
		<w:tr><w:tc><w:tcPr><w:vMerge w:val="restart"/></w:tcPr><w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr>
		<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc><w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc></w:tr>
		<w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr><w:p><w:r><w:t>wide</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
		<w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>`
	doc := pack(t, "word/document.xml", strings.Replace(word, "%s", body, 1))
	require.Equal(t, "First\tpar!\n\nSecond\nline\n| H1 | H2 |\n| --- | --- |\n| a<br>b |  |\n| a<br>b | x |\n| wide | wide |\n",
		text(t, document.DOCX, doc))
}

func TestODT(t *testing.T) {
	t.Parallel()
	doc := pack(t, "content.xml", `<office:document-content xmlns:office="o" xmlns:text="t" xmlns:table="b"><office:automatic-styles><text:p>no</text:p>
		</office:automatic-styles><office:body><office:text><text:h>Title</text:h><text:p>two<text:s text:c="2"/>spaces<text:tab/><text:span>end</text:span></text:p>
		<table:table><table:table-row><table:table-cell><text:p>H</text:p></table:table-cell></table:table-row>
		<table:table-row><table:table-cell><text:p>c</text:p></table:table-cell></table:table-row></table:table></office:text></office:body></office:document-content>`)
	require.Equal(t, "Title\ntwo  spaces\tend\n| H |\n| --- |\n| c |\n", text(t, document.ODT, doc))
}

func TestPPTX(t *testing.T) {
	t.Parallel()
	slide := func(s string) string {
		return `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree><p:sp><p:txBody><a:bodyPr/><a:p><a:r><a:t>` + s + `</a:t></a:r></a:p><a:p/></p:txBody></p:sp>
			<a:tbl><a:tr><a:tc gridSpan="2"><a:txBody><a:p><a:r><a:t>cell</a:t></a:r></a:p></a:txBody></a:tc><a:tc hMerge="1"><a:txBody><a:p/></a:txBody></a:tc></a:tr></a:tbl>
			</p:spTree></p:cSld></p:sld>`
	}
	deck := pack(t,
		"ppt/presentation.xml", `<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="256" r:id="rId2"/><p:sldId id="257" r:id="rId1"/></p:sldIdLst></p:presentation>`,
		"ppt/_rels/presentation.xml.rels", `<Relationships><Relationship Id="rId1" Target="slides/slide1.xml"/><Relationship Id="rId2" Target="/ppt/slides/slide2.xml"/></Relationships>`,
		"ppt/slides/slide1.xml", slide("later"), "ppt/slides/slide2.xml", slide("sooner"))
	table := "| cell | cell |\n| --- | --- |\n"
	require.Equal(t, "sooner\n"+table+"\nlater\n"+table, text(t, document.PPTX, deck))
}

func TestXLSX(t *testing.T) {
	t.Parallel()
	book := pack(t,
		"xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="One" sheetId="1" r:id="rId1"/><sheet name="Two" sheetId="2" r:id="rId2"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Target="worksheets/sheet2.xml"/></Relationships>`,
		"xl/sharedStrings.xml", `<sst><si><t>Name</t></si><si><r><t>Qu</t></r><r><t>an</t></r><rPh><t>x</t></rPh></si></sst>`,
		"xl/styles.xml", `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="0.00&quot;days&quot;"/></numFmts>
			<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="14"/></cellXfs></styleSheet>`,
		"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"/><row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" t="s"><v>1</v></c><c r="D2" t="s"><v>0</v></c></row>
			<row r="3"><c r="A3" t="inlineStr"><is><t>two
lines</t></is></c><c r="B3"><f>1+1</f><v>2</v></c><c t="b"><v>1</v></c></row>
			<row r="4"><c r="A4" s="1"><v>45293.5</v></c><c r="B4" s="2"><v>0.10000000000000001</v></c><c r="D4" s="3"><v>45293</v></c></row></sheetData></worksheet>`,
		"xl/worksheets/sheet2.xml", `<worksheet><sheetData/></worksheet>`)
	require.Equal(t, "| Name | Quan | Unnamed: 2 | Name.1 |\n| ---- | ---- | ---------- | ------ |\n| two lines | 2 | True |  |\n"+
		"| 2024-01-02 12:00:00 | 0.1 |  | 2024-01-02 00:00:00 |\n\n", text(t, document.XLSX, book))
}

func TestEPUB(t *testing.T) {
	t.Parallel()
	book := pack(t,
		"META-INF/container.xml", `<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>`,
		"OPS/book.opf", `<package><manifest><item id="a" href="one%20x.xhtml"/><item id="b" href="two.xhtml"/></manifest><spine><itemref idref="b"/><itemref idref="a"/></spine></package>`,
		"OPS/one x.xhtml", `<html><head><title>no</title></head><body><p>last &amp; <b>least</b></p></body></html>`,
		"OPS/two.xhtml", `<html><body><h1>First</h1><script>no()</script><p>a<br/>b</p></body></html>`)
	require.Equal(t, "First\na\nb\nlast & least", text(t, document.EPUB, book))
}

func TestMail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain":  {"Subject: x\r\n\r\nhello\r\nthere\r\n", "hello\nthere"},
		"quoted": {"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 =\r\nau lait", "café au lait"},
		"html":   {"Content-Type: text/html\r\n\r\n<p>a</p><p>b</p>", "a\nb"},
		"alternative": {"Content-Type: multipart/alternative; boundary=B\r\n\r\n--B\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n" +
			"--B\r\nContent-Type: text/html\r\n\r\n<p>other</p>\r\n--B--\r\n", "hello"},
		"attachment": {"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nContent-Type: text/html\r\n\r\n<p>body</p>\r\n" +
			"--B\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nsecret\r\n--B--\r\n", "body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, text(t, document.Mail, []byte(c.in)))
		})
	}
}

func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	bomb := pack(t, "word/document.xml", strings.Replace(word, "%s", "<w:p><w:r><w:t>"+strings.Repeat("a", 2*plenty)+"</w:t></w:r></w:p>", 1))
	require.Less(t, len(bomb), plenty/10)
	deep := pack(t, "word/document.xml", strings.Repeat("<a>", 100_000))
	wide := pack(t, "xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet r:id="1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="1" Target="s.xml"/></Relationships>`,
		"xl/s.xml", `<worksheet>`+strings.Repeat(`<row><c r="XFD1"><v>1</v></c></row>`, 400)+`</worksheet>`)
	for name, c := range map[string]struct {
		format document.Format
		data   []byte
		says   string
	}{
		"bomb":       {document.DOCX, bomb, "too large"},
		"deep":       {document.DOCX, deep, "too deeply"},
		"wide":       {document.XLSX, wide, "too large"},
		"no zip":     {document.DOCX, []byte("text"), "damaged"},
		"no part":    {document.DOCX, pack(t, "x", "y"), "no part word/document.xml"},
		"no json":    {document.JSON, []byte("{"), "no valid JSON"},
		"no yaml":    {document.YAML, []byte("a: [b"), "no valid YAML"},
		"yaml bomb":  {document.YAML, []byte("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"), "too large"},
		"large text": {document.Plain, bytes.Repeat([]byte("a"), plenty+1), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := document.Text(t.Context(), c.format, c.data, plenty)
			var broken *document.Error
			require.ErrorAs(t, err, &broken)
			require.ErrorContains(t, err, c.says)
		})
	}
}
