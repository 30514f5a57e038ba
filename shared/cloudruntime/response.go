package cloudruntime

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/errs"
)

// maxBuffered is what Lambda takes as a buffered answer, envelope included.
const maxBuffered = 6 << 20

// errTooLarge is what Write returns once a buffered answer cannot be sent any more.
var errTooLarge = errs.New(errs.Internal,
	"The answer is over the 6 MB that this deployment can return in one piece; use a streaming deployment or ask for less.")

// bufferedWriter collects an answer.
type bufferedWriter struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
	over   bool
}

var (
	_ http.Flusher = (*bufferedWriter)(nil)
	_ http.Flusher = (*streamWriter)(nil)
)

func newBufferedWriter() *bufferedWriter { return &bufferedWriter{header: http.Header{}} }

// Header returns the header to be sent.
func (w *bufferedWriter) Header() http.Header { return w.header }

// WriteHeader fixes status and header; later calls are ignored as net/http does.
func (w *bufferedWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

// Write collects p, up to what can be sent.
func (w *bufferedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		sniff(w.header, p)
		w.WriteHeader(http.StatusOK)
	}
	if w.body.Len()+len(p) > maxBuffered {
		w.over = true
		return 0, errTooLarge
	}
	return w.body.Write(p)
}

// Flush does nothing: a handler that streams works, its answer comes in one piece.
func (w *bufferedWriter) Flush() {}

// answer renders the collected response in the shape of the event.
func (w *bufferedWriter) answer(s shape) ([]byte, error) {
	w.WriteHeader(http.StatusOK)
	if !w.over {
		out, err := json.Marshal(w.envelope(s))
		if err != nil || len(out) <= maxBuffered {
			return out, err
		}
	}
	return errorAnswer(s, errTooLarge)
}

func errorAnswer(s shape, err error) ([]byte, error) {
	w := newBufferedWriter()
	writeError(w, err)
	return json.Marshal(w.envelope(s))
}

func writeError(w http.ResponseWriter, err error) {
	body := errs.Public(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(body.Status)
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// envelope is the JSON answer of an HTTP-shaped event.
type envelope struct {
	StatusCode   int                 `json:"statusCode"`
	StatusText   string              `json:"statusDescription,omitempty"`
	Headers      map[string]string   `json:"headers,omitempty"`
	MultiHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Cookies      []string            `json:"cookies,omitempty"`
	Body         string              `json:"body"`
	Base64       bool                `json:"isBase64Encoded"`
}

func (w *bufferedWriter) envelope(s shape) envelope {
	e := envelope{StatusCode: w.status}
	if isText(w.sent, w.body.Bytes()) {
		e.Body = w.body.String()
	} else {
		e.Body, e.Base64 = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	switch s {
	case shapeREST:
		e.MultiHeaders = w.sent
	case shapeALBMulti:
		e.MultiHeaders, e.StatusText = w.sent, statusText(w.status)
	case shapeALB:
		e.Headers, e.StatusText = joined(w.sent), statusText(w.status)
		if c := w.sent.Values("Set-Cookie"); len(c) > 0 {
			// Without multi-value headers a load balancer can carry one only.
			e.Headers["Set-Cookie"] = c[len(c)-1]
		}
	default:
		e.Headers, e.Cookies = joined(w.sent), w.sent.Values("Set-Cookie")
	}
	return e
}

func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

func joined(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for k, vs := range h {
		if k != "Set-Cookie" {
			out[k] = strings.Join(vs, ",")
		}
	}
	return out
}

// isText reports whether body can travel as a JSON string unchanged.
func isText(h http.Header, body []byte) bool {
	if enc := h.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return false
	}
	return utf8.Valid(body)
}

func sniff(h http.Header, p []byte) {
	if _, have := h["Content-Type"]; !have && h.Get("Content-Encoding") == "" && len(p) > 0 {
		h.Set("Content-Type", http.DetectContentType(p))
	}
}

// jsonAnswer hands finished JSON to the runtime client, which would otherwise
// encode it a second time: a reader that refuses to be JSON is sent as it is.
type jsonAnswer struct {
	*bytes.Reader
	after func()
}

func newJSONAnswer(b []byte, after func()) *jsonAnswer {
	return &jsonAnswer{Reader: bytes.NewReader(b), after: after}
}

// ContentType is what the runtime client puts on the answer.
func (*jsonAnswer) ContentType() string { return "application/json" }

// MarshalJSON refuses, see jsonAnswer.
func (*jsonAnswer) MarshalJSON() ([]byte, error) { return nil, errNotJSON }

// Close is called once the answer is sent and before the next event.
func (a *jsonAnswer) Close() error { a.after(); return nil }

var errNotJSON = errors.New("not a JSON value")

// streamWriter sends an answer as it is written. The first write (or flush)
// sends the prelude with status and header.
type streamWriter struct {
	header http.Header
	pipe   *io.PipeWriter
	mu     sync.Mutex
	begun  bool
}

// Header returns the header to be sent with the first write.
func (w *streamWriter) Header() http.Header { return w.header }

// WriteHeader sends status and header.
func (w *streamWriter) WriteHeader(status int) {
	if status < 200 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// The reader is gone only if the platform broke off; the next Write says so.
	_ = w.begin(status)
}

func (w *streamWriter) begin(status int) error {
	if w.begun {
		return nil
	}
	w.begun = true
	head, err := json.Marshal(struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers,omitempty"`
		Cookies    []string          `json:"cookies,omitempty"`
	}{status, joined(w.header), w.header.Values("Set-Cookie")})
	if err != nil {
		return err
	}
	// Eight zero bytes end the prelude.
	_, err = w.pipe.Write(append(head, 0, 0, 0, 0, 0, 0, 0, 0))
	return err
}

// Write sends p on at once.
func (w *streamWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun {
		sniff(w.header, p)
	}
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	return w.pipe.Write(p)
}

// Flush sends the header if nothing is sent yet; writes are never held back.
func (w *streamWriter) Flush() { w.WriteHeader(http.StatusOK) }

// streamAnswer is the reading end of a streamWriter.
type streamAnswer struct {
	*io.PipeReader
	done  <-chan struct{}
	after func()
}

// ContentType tells the platform that a prelude with status and header comes first.
func (*streamAnswer) ContentType() string {
	return "application/vnd.awslambda.http-integration-response"
}

// MarshalJSON refuses, see jsonAnswer.
func (*streamAnswer) MarshalJSON() ([]byte, error) { return nil, errNotJSON }

// Close waits for the handler, which may have work left after its last write.
func (a *streamAnswer) Close() error {
	err := a.PipeReader.Close()
	<-a.done
	a.after()
	return err
}
