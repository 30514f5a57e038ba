// Package document turns documents into text: plain text in any encoding, JSON,
// YAML, properties, CSV, PDF, the Office formats of before and after 2007, ODT,
// EPUB and e-mail.
//
// It works on bytes that somebody else has read and never more than a given
// amount of what they unpack to. It neither fetches nor stores anything, and
// does not cut text into pieces. The reader of PDF is the package below it.
//
// START HERE: FormatOf and Text.
package document

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/shared/document/pdf"
)

// Format is how a file is to be read.
type Format string

// The formats.
const (
	Plain      Format = "text"
	JSON       Format = "JSON"
	YAML       Format = "YAML"
	Properties Format = "properties"
	CSV        Format = "CSV"
	PDF        Format = "PDF"
	DOC        Format = "DOC"
	DOCX       Format = "DOCX"
	ODT        Format = "ODT"
	PPT        Format = "PPT"
	PPTX       Format = "PPTX"
	XLS        Format = "XLS"
	XLSX       Format = "XLSX"
	EPUB       Format = "EPUB"
	Mail       Format = "e-mail"
	MSG        Format = "MSG"
)

// Error says why a document could not be read, in words for users.
type Error struct {
	Format Format
	Cause  error
}

// Error returns the message.
func (e *Error) Error() string {
	return fmt.Sprintf("Failed to extract text from %s: %v", e.Format, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// plain lists the extensions of files that are text as they are.
const plain = ` txt markdown md mdx html htm xml c h cc cpp cxx hpp hh cs java kt kts scala groovy go rs swift m mm py pyi rb php
	pl pm lua r jl dart ex exs erl hs clj ml fs vb js mjs cjs jsx ts tsx vue svelte css scss sass less sql graphql proto thrift
	sh bash zsh fish bat cmd ps1 awk sed tcl vim el lisp scm asm s f90 pas d nim zig sol tf hcl gradle cmake make mk dockerfile
	ini cfg conf config env toml lock editorconfig gitignore gitattributes dockerignore htaccess rst tex bib srt vtt log diff
	patch svg xsd xsl xslt rss atom plist tsv `

func isPlain(ext string) bool {
	for word := range strings.FieldsSeq(plain) {
		if word == ext {
			return true
		}
	}
	return false
}

// FormatOf tells a file's format by its extension, and by its media type alone
// when it has none. The texts of its errors are the contract's.
func FormatOf(extension, mimeType string) (Format, error) {
	ext := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(extension), "."))
	if ext != "" {
		if f, ok := byExtension(ext); ok {
			return f, nil
		}
		return "", fmt.Errorf("Unsupported Extension Type: .%s", ext) //nolint:staticcheck // the contract's text
	}
	media, _, _ := strings.Cut(strings.ToLower(mimeType), ";")
	media = strings.TrimSpace(media)
	if media == "" {
		return "", fmt.Errorf("Unable to determine file type: MIME type or file extension is missing") //nolint:staticcheck // the contract's text
	}
	if f, ok := byMedia(media); ok {
		return f, nil
	}
	return "", fmt.Errorf("Unsupported MIME type: %s", media) //nolint:staticcheck // the contract's text
}

func byExtension(ext string) (Format, bool) {
	switch ext {
	case "json":
		return JSON, true
	case "yaml", "yml":
		return YAML, true
	case "properties":
		return Properties, true
	case "csv":
		return CSV, true
	case "pdf":
		return PDF, true
	case "doc":
		return DOC, true
	case "docx":
		return DOCX, true
	case "odt":
		return ODT, true
	case "ppt":
		return PPT, true
	case "pptx":
		return PPTX, true
	case "xls":
		return XLS, true
	case "xlsx":
		return XLSX, true
	case "epub":
		return EPUB, true
	case "eml":
		return Mail, true
	case "msg":
		return MSG, true
	}
	return Plain, isPlain(ext)
}

func byMedia(media string) (Format, bool) {
	switch media {
	case "application/json":
		return JSON, true
	case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml":
		return YAML, true
	case "text/properties", "text/x-java-properties":
		return Properties, true
	case "text/csv":
		return CSV, true
	case "application/pdf":
		return PDF, true
	case "application/msword":
		return DOC, true
	case "application/vnd.ms-powerpoint":
		return PPT, true
	case "application/vnd.ms-excel":
		return XLS, true
	case "application/vnd.ms-outlook":
		return MSG, true
	case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return DOCX, true
	case "application/vnd.oasis.opendocument.text":
		return ODT, true
	case "application/vnd.openxmlformats-officedocument.presentationml.presentation":
		return PPTX, true
	case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return XLSX, true
	case "application/epub+zip":
		return EPUB, true
	case "message/rfc822":
		return Mail, true
	case "application/xml", "application/xhtml+xml", "application/javascript", "application/toml":
		return Plain, true
	}
	return Plain, strings.HasPrefix(media, "text/")
}

// Text returns the text of a document. At most most bytes are unpacked from it
// and returned. Its errors are of type *Error, except the context's.
func Text(ctx context.Context, f Format, data []byte, most int64) (text string, err error) {
	defer func() {
		// Documents come from anybody: a mistake in reading one must not end
		// the process that serves everybody.
		if r := recover(); r != nil {
			text, err = "", &Error{f, fmt.Errorf("%w%w", errDamaged, panicked{r})}
		}
	}()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	text, err = f.read(ctx, data, most)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err == nil && int64(len(text)) > most {
		err = errTooLarge
	}
	if err != nil {
		return "", &Error{f, err}
	}
	// A NUL is no character of any text, and the database takes none.
	return strings.ReplaceAll(text, "\x00", ""), nil
}

// panicked is a mistake in a reader; users see nothing of it.
type panicked struct{ value any }

func (panicked) Error() string { return "" }

func (f Format) read(ctx context.Context, data []byte, most int64) (string, error) {
	switch f {
	case PDF:
		pages, err := pdf.Pages(ctx, data, most)
		return strings.Join(pages, "\r\n"), err
	case DOC:
		return readDOC(ctx, data, most)
	case PPT:
		return readPPT(ctx, data, most)
	case XLS:
		return readXLS(ctx, data, most)
	case MSG:
		return readMSG(data, most)
	case JSON:
		return readJSON(data)
	case YAML:
		return readYAML(data, most)
	case Properties:
		return readProperties(data), nil
	case CSV:
		return readCSV(data)
	case DOCX:
		return readDOCX(ctx, data, most)
	case ODT:
		return readODT(ctx, data, most)
	case PPTX:
		return readPPTX(ctx, data, most)
	case XLSX:
		return readXLSX(ctx, data, most)
	case EPUB:
		return readEPUB(ctx, data, most)
	case Mail:
		return readMail(data, most)
	}
	return decode(data), nil
}
