package httprequest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// answer is a response that was read and classified.
type answer struct {
	status  int
	headers *value.Object
	isFile  bool
	mime    string
	data    []byte // of files
	text    string // of everything else
}

// sniffed is how much of a body may decide what it is.
const sniffed = 1024

func (n *node) read(resp *http.Response, order []string) (*answer, error) {
	a := &answer{status: resp.StatusCode, headers: headers(resp.Header, order)}
	body, err := decoded(resp)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(body, 4096)
	head, err := r.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	contentType := strings.TrimSpace(strings.ToLower(resp.Header.Get("Content-Type")))
	disposition, name := contentDisposition(resp.Header.Get("Content-Disposition"))
	a.mime, _, _ = strings.Cut(contentType, ";")
	a.mime = strings.TrimSpace(a.mime)
	a.isFile = disposition == "attachment" || name != "" || isFile(a.mime, head)
	limit, what := n.opts.MaxText, "Text"
	if a.isFile {
		limit, what = n.opts.MaxBinary, "File"
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit || errors.Is(err, egress.ErrTooLarge) {
		size := int64(len(data))
		if resp.ContentLength > size {
			size = resp.ContentLength
		}
		return nil, workflow.Fail(typeResponseSize, fmt.Sprintf("%s size is too large, max size is %s, but current size is %s.",
			what, readable(limit), readable(size)))
	}
	if err != nil {
		return nil, err
	}
	if !a.isFile {
		a.text = text(data, contentType)
		return a, nil
	}
	a.data = data
	if a.mime == "" {
		a.mime = guessMIME(name, resp.Request)
	}
	return a, nil
}

func guessMIME(name string, req *http.Request) string {
	for _, s := range []string{name, path.Base(req.URL.Path)} {
		if m := file.MIMEByName(s); m != "" {
			return m
		}
	}
	return "application/octet-stream"
}

// headers as outputs have them: lower case, values of one name joined. They
// keep the order in which the server sent them; those whose place is unknown
// follow sorted.
func headers(h http.Header, order []string) *value.Object {
	names := make([]string, 0, len(h))
	known := make(map[string]bool, len(order))
	for _, name := range order {
		if _, ok := h[name]; ok && !known[name] {
			known[name] = true
			names = append(names, name)
		}
	}
	sent := len(names)
	for name := range h {
		if !known[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names[sent:])
	out := value.NewObject(len(names))
	for _, name := range names {
		out.Set(strings.ToLower(name), strings.Join(h[name], ", "))
	}
	return out
}

// decoded undoes a content encoding. None is asked for, but some servers use
// one anyway.
func decoded(resp *http.Response) (io.Reader, error) {
	if resp.Request.Method == http.MethodHead || resp.ContentLength == 0 {
		return resp.Body, nil
	}
	switch strings.ToLower(resp.Header.Get("Content-Encoding")) {
	case "gzip", "x-gzip":
		return gzip.NewReader(resp.Body)
	case "deflate":
		return zlib.NewReader(resp.Body)
	}
	return resp.Body, nil
}

func contentDisposition(header string) (kind, name string) {
	if header == "" {
		return "", ""
	}
	kind, params, err := mime.ParseMediaType(header)
	if err != nil {
		kind, _, _ = strings.Cut(header, ";")
		if strings.Contains(strings.ToLower(header), "filename") {
			name = "file"
		}
		return strings.ToLower(strings.TrimSpace(kind)), name
	}
	return kind, params["filename"]
}

// isFile decides by type, and for unclear application types by what the body
// begins with.
func isFile(mimeType string, head []byte) bool {
	main, sub, _ := strings.Cut(mimeType, "/")
	switch main {
	case "text":
		// Even text/csv, which the text rule leaves out: no other rule makes it a file.
		return false
	case "image", "audio", "video":
		return true
	case "application":
		for _, t := range []string{"json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "graphql"} {
			if strings.Contains(sub, t) {
				return false
			}
		}
		return !looksLikeText(head)
	}
	return false
}

func looksLikeText(head []byte) bool {
	if len(head) == sniffed { // the cut may have gone through a character
		for i := 0; i < 3 && !utf8.Valid(head); i++ {
			head = head[:len(head)-1]
		}
	}
	if !utf8.Valid(head) {
		return false
	}
	for _, mark := range []string{"{", "[", "<", "function", "var ", "const ", "let "} {
		if bytes.Contains(head, []byte(mark)) {
			return true
		}
	}
	return false
}

// text decodes a body by the type's charset, by what the body says of itself,
// or as UTF-8.
func text(data []byte, contentType string) string {
	if utf8.Valid(data) && !strings.Contains(contentType, "charset") {
		return string(data)
	}
	enc, _, _ := charset.DetermineEncoding(data, contentType)
	out, err := enc.NewDecoder().Bytes(data)
	if err != nil {
		return strings.ToValidUTF8(string(data), "�")
	}
	return string(out)
}

// readable writes a size as users read it.
func readable(n int64) string {
	switch {
	case n < 1<<10:
		return strconv.FormatInt(n, 10) + " bytes"
	case n < 1<<20:
		return fmt.Sprintf("%.2f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.2f MB", float64(n)/(1<<20))
}
