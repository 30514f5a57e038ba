// Package mockecho is a small deterministic HTTP server for http-request nodes
// and remote files to talk to, in the demo and in tests. Its answers are the
// ones that the recorded conformance cases were made with:
//
//	ANY  /echo[/...]       JSON with method, path, query, chosen headers and the parsed body
//	ANY  /status/<code>    that status
//	ANY  /delay/<ms>       answers after that time
//	ANY  /text /html /json-array /empty /redirect /sse /openapi.json
//	ANY  /file/<name>      an attachment of that name; /inline/<name> not as attachment
//	ANY  /bytes/<n>        n bytes; /big/<n> n characters
//	ANY  /flaky/<key>/<n>  500 for the first n calls with that key, then 200
//	POST /knowledge[-<status>]/retrieval  an external knowledge base
//	GET  /__calls          what was called how often; DELETE forgets it
//
// Mount Handler in a server, or let Serve answer connections where the order of
// the answer's headers counts.
//
// It is a test partner, not a general tool: it trusts its callers.
package mockecho

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/workflow/value"
)

// pixel is a PNG of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// maxBytes bounds what /bytes and /big make.
const maxBytes = 64 << 20

// Options tunes a Server. The zero value works.
type Options struct {
	// Clock makes the waits of /delay; nil means the machine's.
	Clock clock.Clock
}

// Server answers and counts. It is safe for concurrent use.
type Server struct {
	clock clock.Clock

	mu    sync.Mutex
	flaky map[string]int
	calls Calls
}

// Calls is what the server was asked so far.
type Calls struct {
	Total int `json:"total"`
	// ByPath counts by method and path, ByKey by the Idempotency-Key header.
	ByPath map[string]int `json:"by_path"`
	ByKey  map[string]int `json:"by_key"`
}

// New returns a server; mount it with Handler.
func New(opts *Options) *Server {
	s := &Server{clock: clock.System{}, flaky: map[string]int{}}
	if opts != nil && opts.Clock != nil {
		s.clock = opts.Clock
	}
	s.Reset()
	return s
}

// Handler returns the server's routes. It is no ServeMux, because that would
// redirect paths which are to be echoed.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Calls returns a copy of what was counted so far.
func (s *Server) Calls() Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Calls{Total: s.calls.Total, ByPath: map[string]int{}, ByKey: map[string]int{}}
	for k, v := range s.calls.ByPath {
		out.ByPath[k] = v
	}
	for k, v := range s.calls.ByKey {
		out.ByKey[k] = v
	}
	return out
}

// Reset forgets all calls; the counts of /flaky stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = Calls{ByPath: map[string]int{}, ByKey: map[string]int{}}
}

func (s *Server) count(r *http.Request, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.Total++
	s.calls.ByPath[r.Method+" "+path]++
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		s.calls.ByKey[key]++
	}
}

// request is one request, taken apart the way the routes need it.
type request struct {
	*http.Request
	path, query string
	parts       []string
	raw         []byte
}

func (r *request) arg(i int) string {
	if i < len(r.parts) {
		return r.parts[i]
	}
	return ""
}

func (r *request) number(i int) int {
	n, err := strconv.Atoi(r.arg(i))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, maxBytes)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	req := &request{Request: r, raw: raw}
	req.path, req.query = r.URL.EscapedPath(), r.URL.RawQuery
	if req.path == "/__calls" {
		s.serveCalls(w, r)
		return
	}
	s.count(r, req.path)
	req.parts = strings.Split(strings.Trim(req.path, "/"), "/")
	switch head := req.parts[0]; head {
	case "flaky":
		s.serveFlaky(w, req)
	case "delay":
		if clock.Sleep(r.Context(), s.clock, time.Duration(req.number(1))*time.Millisecond) != nil {
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"delayed": req.number(1)})
	default:
		if strings.HasPrefix(head, "knowledge") && req.arg(1) == "retrieval" {
			knowledge(w, req)
			return
		}
		serveFixed(w, req)
	}
}

func (s *Server) serveCalls(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		s.Reset()
		answer(w, http.StatusNoContent, nil, "")
		return
	}
	writeJSON(w, http.StatusOK, s.Calls())
}

func (s *Server) serveFlaky(w http.ResponseWriter, r *request) {
	s.mu.Lock()
	s.flaky[r.arg(1)]++
	n := s.flaky[r.arg(1)]
	s.mu.Unlock()
	status := http.StatusOK
	if n <= r.number(2) {
		status = http.StatusInternalServerError
	}
	writeJSON(w, status, map[string]any{"call": n})
}

// serveFixed serves the routes whose answer depends on the request alone.
func serveFixed(w http.ResponseWriter, r *request) {
	switch r.parts[0] {
	case "echo":
		writeJSON(w, http.StatusOK, echo(r))
	case "status":
		status := r.number(1)
		if status < 200 || status > 599 {
			status = http.StatusBadRequest
		}
		writeJSON(w, status, map[string]any{"status": status})
	case "text":
		answer(w, http.StatusOK, []byte("plain täxt"), "text/plain; charset=utf-8")
	case "html":
		answer(w, http.StatusOK, []byte("<html><body><h1>Title</h1><p>para</p></body></html>"), "text/html")
	case "json-array":
		writeJSON(w, http.StatusOK, []any{1, 2, map[string]any{"a": "b"}})
	case "empty":
		answer(w, http.StatusNoContent, nil, "")
	case "file":
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", r.arg(1)))
		answer(w, http.StatusOK, fileBody(r.arg(1)), fileType(r.arg(1)))
	case "inline":
		answer(w, http.StatusOK, fileBody(r.arg(1)), fileType(r.arg(1)))
	case "bytes":
		data := make([]byte, r.number(1))
		for i := range data {
			data[i] = byte(i)
		}
		answer(w, http.StatusOK, data, "application/octet-stream")
	case "redirect":
		w.Header().Set("Location", "/text")
		answer(w, http.StatusFound, nil, "text/plain")
	case "big":
		answer(w, http.StatusOK, []byte(strings.Repeat("x", r.number(1))), "text/plain")
	case "openapi.json":
		writeJSON(w, http.StatusOK, openAPI("http://"+r.Host))
	case "sse":
		answer(w, http.StatusOK, []byte("data: one\n\ndata: two\n\n"), "text/event-stream")
	default:
		writeJSON(w, http.StatusNotFound, map[string]any{"error": "no such route"})
	}
}

func answer(w http.ResponseWriter, status int, data []byte, contentType string) {
	h := w.Header()
	h["Date"] = nil // answers do not depend on the time
	h.Set("X-Echo", "yes")
	if status != http.StatusNoContent {
		h.Set("Content-Type", contentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// writeJSON writes sorted keys and blanks after separators: the text itself
// shows up in variables of recorded runs.
func writeJSON(w http.ResponseWriter, status int, v any) {
	answer(w, status, []byte(value.JSONASCII(value.From(v))), "application/json")
}

func extension(name string) string { return name[strings.LastIndex(name, ".")+1:] }

func fileBody(name string) []byte {
	if extension(name) == "png" {
		data, _ := base64.StdEncoding.DecodeString(pixel)
		return data
	}
	return []byte("content of " + name + "\n")
}

func fileType(name string) string {
	switch extension(name) {
	case "png":
		return "image/png"
	case "txt":
		return "text/plain"
	case "md":
		return "text/markdown"
	case "json":
		return "application/json"
	case "csv":
		return "text/csv"
	case "html":
		return "text/html"
	case "pdf":
		return "application/pdf"
	}
	return "application/octet-stream"
}

func openAPI(server string) any {
	text := map[string]any{"type": "string"}
	return map[string]any{
		"openapi": "3.0.0", "info": map[string]any{"title": "Echo", "version": "1"},
		"servers": []any{map[string]any{"url": server}},
		"paths": map[string]any{"/echo/get/{item}": map[string]any{"get": map[string]any{
			"operationId": "getItem", "summary": "Get an item",
			"parameters": []any{
				map[string]any{"name": "item", "in": "path", "required": true, "schema": text},
				map[string]any{"name": "q", "in": "query", "required": false, "schema": text},
			},
			"responses": map[string]any{"200": map[string]any{"description": "ok"}},
		}}},
	}
}
