package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/workflow/value"
)

// session is one client of the server: its cookies and what it says of itself.
type session struct {
	client *http.Client
	header http.Header
}

func newSession(transport http.RoundTripper) *session {
	jar, _ := cookiejar.New(nil) // it never fails without options
	return &session{
		client: &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		header: http.Header{},
	}
}

// useCSRF sends the token that the server put into a cookie back in a header.
func (s *session) useCSRF(base string) {
	u, err := url.Parse(base + "/console/api/")
	if err != nil {
		return
	}
	for _, c := range s.client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "csrf_token") {
			s.header.Set("X-CSRF-Token", c.Value)
		}
	}
}

// request is a request before it is sent, with everything filled in.
type request struct {
	method, url string
	header      http.Header
	body        []byte
}

// send sends a request; the caller closes the body.
func (s *session) send(ctx context.Context, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, requote(r.url), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "*/*")
	req.Header.Set("User-Agent", "millrace-conformance")
	for _, from := range []http.Header{s.header, r.header} {
		for k, v := range from {
			req.Header[k] = v
		}
	}
	return s.client.Do(req)
}

// requote escapes what may not stand in a URL as it is (blanks, other scripts)
// and leaves everything else.
func requote(u string) string {
	const allowed = "!#$%&'()*+,/:;=?@[]~-._"
	var b strings.Builder
	for i := range len(u) {
		ch := u[i]
		if ch == '%' && (i+2 >= len(u) || !isHex(u[i+1]) || !isHex(u[i+2])) {
			b.WriteString("%25")
			continue
		}
		if ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || strings.IndexByte(allowed, ch) >= 0 {
			b.WriteByte(ch)
		} else {
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}

func isHex(ch byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", ch) >= 0 }

// withParams appends a query string.
func withParams(u string, params *value.Object) string {
	if params.Len() == 0 {
		return u
	}
	var parts []string
	for k, v := range params.All() {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, x := range list {
			if x != nil {
				parts = append(parts, url.QueryEscape(k)+"="+url.QueryEscape(value.Str(x)))
			}
		}
	}
	separator := "?"
	if strings.Contains(u, "?") {
		separator = "&"
	}
	return u + separator + strings.Join(parts, "&")
}

// upload is one file of a form.
type upload struct {
	field, name, contentType string
	data                     []byte
}

// multipartBody writes fields and files in their order.
func multipartBody(form *value.Object, files []upload) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part := func(disposition, kind string, data []byte) error {
		h := textproto.MIMEHeader{"Content-Disposition": {"form-data; " + disposition}}
		if kind != "" {
			h.Set("Content-Type", kind)
		}
		p, err := w.CreatePart(h)
		if err == nil {
			_, err = p.Write(data)
		}
		return err
	}
	quote := strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace
	for k, v := range form.All() {
		err = errors.Join(err, part(`name="`+quote(k)+`"`, "", []byte(formText(v))))
	}
	for _, f := range files {
		err = errors.Join(err, part(`name="`+quote(f.field)+`"; filename="`+quote(f.name)+`"`, f.contentType, f.data))
	}
	err = errors.Join(err, w.Close())
	return b.Bytes(), w.FormDataContentType(), err
}

// formText is a form field: texts as they are, everything else as JSON.
func formText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return value.JSONASCII(v)
}

func urlencoded(form *value.Object) []byte {
	var parts []string
	for k, v := range form.All() {
		parts = append(parts, url.QueryEscape(k)+"="+url.QueryEscape(formText(v)))
	}
	return []byte(strings.Join(parts, "&"))
}

// response reads an answer that is no stream into the form of recordings.
func response(r *http.Response, headers []string) (*value.Object, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	kind := mediaType(r)
	out := value.Obj("status", int64(r.StatusCode), "type", kind)
	if kind == "application/json" {
		if v, err := value.Decode(raw); err == nil {
			out.Set("body", v)
			return out, nil
		}
	}
	switch {
	case len(raw) == 0:
		out.Set("body", nil)
		out.Set("type", "")
		return out, nil
	case !utf8.Valid(raw) || slices.Contains(raw, 0):
		sum := sha256.Sum256(raw)
		out.Set("binary", value.Obj("length", int64(len(raw)), "sha256", hex.EncodeToString(sum[:])[:16]))
	case kind == "text/html" && r.StatusCode >= 400:
		out.Set("text", "<html>")
	default:
		out.Set("text", string(raw))
	}
	if len(headers) > 0 {
		shown := value.NewObject(len(headers))
		for _, h := range headers {
			if values := r.Header.Values(h); values != nil {
				shown.Set(strings.ToLower(h), strings.Join(values, ", "))
			} else {
				shown.Set(strings.ToLower(h), nil)
			}
		}
		out.Set("headers", shown)
	}
	return out, nil
}

func mediaType(r *http.Response) string {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(kind)
}

// readStream hands every block of an event stream to f as an object, in order.
func readStream(body io.Reader, f func(*value.Object) error) error {
	var pending []byte
	chunk := make([]byte, 32<<10)
	for {
		n, err := body.Read(chunk)
		pending = append(pending, chunk[:n]...)
		if n > 0 {
			pending = bytes.ReplaceAll(pending, []byte("\r\n"), []byte("\n"))
		}
		for {
			block, rest, ok := bytes.Cut(pending, []byte("\n\n"))
			if !ok {
				break
			}
			pending = rest
			if err := handle(block, f); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return handle(pending, f)
		}
		if err != nil {
			return fmt.Errorf("the stream broke off: %w", err)
		}
	}
}

func handle(block []byte, f func(*value.Object) error) error {
	name, data, hasData := "", []string{}, false
	for line := range strings.Lines(strings.ToValidUTF8(string(block), "\uFFFD")) {
		line = strings.TrimRight(line, "\r\n")
		if rest, ok := strings.CutPrefix(line, "event:"); ok {
			name = strings.TrimSpace(rest)
		} else if rest, ok := strings.CutPrefix(line, "data:"); ok {
			data, hasData = append(data, strings.TrimLeft(rest, " \t")), true
		}
	}
	if !hasData {
		if name == "" {
			return nil
		}
		return f(value.Obj("event", name))
	}
	label := name
	if label == "" {
		label = "?"
	}
	text := strings.Join(data, "\n")
	v, err := value.Decode([]byte(text))
	if err != nil {
		return f(value.Obj("event", label, "text", text))
	}
	ev, ok := v.(*value.Object)
	if !ok {
		return f(value.Obj("event", label, "value", v))
	}
	if _, has := ev.Get("event"); !has && name != "" {
		ev.Set("event", name)
	}
	return f(ev)
}
