package httprequest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// request is a request with everything filled in.
type request struct {
	method  string
	url     *url.URL
	query   string   // as sent
	headers []field  // the node's, in order, without authorization
	auth    *field   // authorization
	mime    string   // content type that goes with the body, "" for none
	body    []byte   // nil for none
	shown   string   // body as it is logged
	names   []string // of attached files
}

// placeholderField makes a form that has no file a multipart body all the same.
const placeholderField = "__multipart_placeholder__"

func (n *node) build(ctx context.Context, x *workflow.Execution) (*request, error) {
	r := &request{method: n.cfg.method}
	raw := strings.TrimSpace(n.cfg.url.render(x.Pool))
	if raw == "" {
		return nil, workflow.Fail(typeURL, "url is required")
	}
	if !strings.HasPrefix(raw, "http://") && !strings.HasPrefix(raw, "https://") {
		return nil, workflow.Fail(typeURL, "url should start with http:// or https://")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, workflow.Fail(typeURL, "url is not valid: "+raw)
	}
	u.Fragment, u.RawFragment = "", ""
	r.url = u
	r.query = safeQuery(u.RawQuery)
	if params := renderPairs(n.cfg.params, x.Pool); len(params) > 0 {
		r.query = encodeForm(params)
	}
	u.RawQuery = r.query
	r.headers = renderPairs(n.cfg.headers, x.Pool)
	for i := range r.headers {
		r.headers[i].value = oneLine(r.headers[i].value)
	}
	if r.auth, err = n.authorization(x.Pool); err != nil {
		return nil, err
	}
	return r, n.fillBody(ctx, x, r)
}

func (n *node) authorization(pool *workflow.Pool) (*field, error) {
	a := n.cfg.auth
	if a == nil {
		return nil, nil
	}
	if a.kind == "" {
		return nil, workflow.Fail(typeAuth, "authorization config is required")
	}
	key := oneLine(a.apiKey.render(pool))
	if key == "" {
		return nil, workflow.Fail(typeAuth, "API key is required for authorization but was empty. Please provide a valid API key.")
	}
	f := &field{a.header, key}
	if f.key == "" {
		f.key = "Authorization"
	}
	switch a.kind {
	case "bearer":
		f.value = "Bearer " + key
	case "basic":
		if strings.Contains(key, ":") {
			key = base64.StdEncoding.EncodeToString([]byte(key))
		}
		f.value = "Basic " + key
	}
	return f, nil
}

func (n *node) fillBody(ctx context.Context, x *workflow.Execution, r *request) error {
	switch n.cfg.body {
	case bodyText:
		text, err := n.onlyText(x.Pool)
		if err != nil {
			return err
		}
		r.mime, r.body, r.shown = "text/plain", []byte(text), text
	case bodyJSON:
		text, err := n.onlyText(x.Pool)
		if err != nil {
			return err
		}
		r.mime = "application/json"
		if strings.TrimSpace(text) == "" {
			return nil
		}
		v, ok := lenientJSON(text)
		if !ok {
			return workflow.Fail(typeBody, "Failed to parse JSON: "+text)
		}
		if r.body, err = value.Encode(v); err != nil {
			return workflow.Fail(typeBody, "Failed to parse JSON: "+text)
		}
		r.shown = string(r.body)
	case bodyURL:
		r.mime = "application/x-www-form-urlencoded"
		r.shown = encodeForm(n.formFields(x.Pool))
		r.body = []byte(r.shown)
	case bodyBinary:
		return n.fillBinary(ctx, x, r)
	case bodyForm:
		return n.fillForm(ctx, x, r)
	}
	return nil
}

func (n *node) onlyText(pool *workflow.Pool) (string, error) {
	if len(n.cfg.items) != 1 {
		return "", workflow.Fail(typeBody, n.cfg.body+" body type should have exactly one item")
	}
	return n.cfg.items[0].value.render(pool), nil
}

// formFields are the text fields: a key that comes twice has its last value.
func (n *node) formFields(pool *workflow.Pool) []field {
	var out []field
	for _, it := range n.cfg.items {
		if it.isFile {
			continue
		}
		f := field{it.key.render(pool), it.value.render(pool)}
		found := false
		for i := range out {
			if out[i].key == f.key {
				out[i].value, found = f.value, true
			}
		}
		if !found {
			out = append(out, f)
		}
	}
	return out
}

func (n *node) fillBinary(ctx context.Context, x *workflow.Execution, r *request) error {
	if len(n.cfg.items) != 1 {
		return workflow.Fail(typeBody, "binary body type should have exactly one item")
	}
	v, ok := x.Pool.Get(n.cfg.items[0].file)
	f, isFile := v.(*value.File)
	if !ok || !isFile {
		return workflow.Fail(typeFileFetch, "cannot fetch file with selector "+value.Repr(selectorList(n.cfg.items[0].file)))
	}
	data, err := n.content(ctx, x, f)
	if err != nil {
		return err
	}
	r.body, r.shown = data, ""
	r.names = []string{f.Filename}
	return nil
}

func selectorList(s workflow.Selector) []any {
	out := make([]any, len(s))
	for i, p := range s {
		out[i] = p
	}
	return out
}

// content reads a file, at most as much as an answer may have.
func (n *node) content(ctx context.Context, x *workflow.Execution, f *value.File) ([]byte, error) {
	rc, err := n.opts.Files.Open(ctx, x.Run.TenantID, f)
	if err != nil {
		return nil, &workflow.Failure{Type: typeFileFetch, Message: "Failed to fetch file: " + f.Filename, Cause: err}
	}
	defer rc.Close()
	data, err := io.ReadAll(io.LimitReader(rc, maxAttachment+1))
	if err != nil {
		return nil, &workflow.Failure{Type: typeFileFetch, Message: "Failed to fetch file: " + f.Filename, Cause: err}
	}
	if len(data) > maxAttachment {
		return nil, workflow.Fail(typeFileFetch, "File is too large to be sent: "+f.Filename)
	}
	return data, nil
}

// maxAttachment bounds one file in a request: the largest upload there is.
const maxAttachment = 100 << 20

func (n *node) fillForm(ctx context.Context, x *workflow.Execution, r *request) error {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	boundary := "----MillraceFormBoundary" + randomHex(8)
	if err := w.SetBoundary(boundary); err != nil {
		return err
	}
	var shown strings.Builder
	for _, f := range n.formFields(x.Pool) {
		if err := w.WriteField(f.key, f.value); err != nil {
			return err
		}
		shown.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + f.key + "\"\r\n\r\n" + f.value + "\r\n")
	}
	count := 0
	for _, it := range n.cfg.items {
		if !it.isFile {
			continue
		}
		v, _ := x.Pool.Get(it.file)
		for _, f := range filesOf(v) {
			data, err := n.content(ctx, x, f)
			if err != nil {
				return err
			}
			key := it.key.render(x.Pool)
			part, err := w.CreatePart(filePart(key, f))
			if err != nil {
				return err
			}
			if _, err := part.Write(data); err != nil {
				return err
			}
			count++
			r.names = append(r.names, f.Filename)
			shown.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + key + "\"; filename=\"" +
				f.Filename + "\"\r\nContent-Type: " + f.MimeType + "\r\n\r\n<file_content_binary>\r\n")
		}
	}
	if count == 0 {
		if err := w.WriteField(placeholderField, ""); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	shown.WriteString("--" + boundary + "--\r\n")
	r.mime, r.body, r.shown = "multipart/form-data; boundary="+boundary, b.Bytes(), shown.String()
	return nil
}

func filesOf(v any) []*value.File {
	switch v := v.(type) {
	case *value.File:
		return []*value.File{v}
	case []any:
		var out []*value.File
		for _, x := range v {
			if f, ok := x.(*value.File); ok {
				out = append(out, f)
			}
		}
		return out
	}
	return nil
}

func filePart(key string, f *value.File) textproto.MIMEHeader {
	mime := f.MimeType
	if mime == "" {
		mime = "application/octet-stream"
	}
	quote := strings.NewReplacer("\\", "\\\\", `"`, "%22", "\r", "%0D", "\n", "%0A")
	return textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="` + quote.Replace(key) + `"; filename="` + quote.Replace(f.Filename) + `"`},
		"Content-Type":        {mime},
	}
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the runtime ends the process instead
	return hex.EncodeToString(b)
}

// sendable reports whether the method can be sent: the contract takes options
// in the configuration and refuses it when the node runs.
func (r *request) sendable() bool {
	if r.method == http.MethodOptions {
		r.method = "options"
		return false
	}
	return true
}

// contentType returns the type that the node's own headers name, or the
// body's.
func (r *request) contentType() string {
	if strings.HasPrefix(r.mime, "multipart/") {
		return r.mime
	}
	for _, h := range r.headers {
		if strings.EqualFold(h.key, "Content-Type") {
			return h.value
		}
	}
	return r.mime
}

func (r *request) http(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		return nil, workflow.Fail(typeURL, "url is not valid: "+r.url.String())
	}
	req.Header.Set("Accept", "*/*")
	for _, h := range r.headers {
		switch {
		case h.key == "" || !validHeader(h.key):
			continue
		case strings.EqualFold(h.key, "Host"):
			req.Host = h.value
		case strings.EqualFold(h.key, "Content-Length"), strings.EqualFold(h.key, "Transfer-Encoding"):
			// Follows from the body.
		default:
			req.Header.Set(h.key, h.value)
		}
	}
	if r.auth != nil && validHeader(r.auth.key) {
		req.Header.Set(r.auth.key, r.auth.value)
	}
	if t := r.contentType(); t != "" {
		req.Header.Set("Content-Type", t)
	}
	return req, nil
}

func validHeader(key string) bool {
	for _, c := range []byte(key) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return true
}

// encodeForm writes fields in their order.
func encodeForm(fields []field) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(f.key) + "=" + url.QueryEscape(f.value))
	}
	return b.String()
}

// safeQuery escapes what may not stand in a query and leaves the rest alone.
func safeQuery(q string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(q) {
		c := q[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>`{}|\\^", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
