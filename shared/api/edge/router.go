package edge

import (
	_ "embed"
	"log/slog"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// contractTable lists method and path of every route of the contract.
//
//go:embed contract.tsv
var contractTable string

// Handler serves one route. An error it returns is rendered with Error; it must
// not have written anything in that case.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is one row of an API package's table. Path uses {name}, {name:uuid} and
// {name:path} (several segments); handlers read parameters with
// http.Request.PathValue.
type Route struct {
	Method  string
	Path    string
	Handler Handler
}

// CORS says which pages of other origins may call.
type CORS struct {
	// Origins are exact origins; "*" allows all of them.
	Origins []string
	// Credentials allows cookies to be sent.
	Credentials bool
	// Headers are request headers beyond the simple ones.
	Headers []string
	// Expose are response headers that pages may read.
	Expose []string
}

// Options tunes a Router. The zero value works.
type Options struct {
	// Logger takes one line for each request; nil logs nothing.
	Logger *slog.Logger
	// Clock measures requests; nil means the machine's.
	Clock clock.Clock
	// MaxBody bounds request bodies in bytes; 0 means 16 MiB. Handlers that take
	// larger ones, such as uploads, raise it with their own reader.
	MaxBody int64
	// CORS is nil where no other origin may call.
	CORS *CORS
}

type endpoint struct {
	pattern pattern
	path    string
	methods map[string]Handler
}

// Router serves a table of routes. It is safe for concurrent use.
type Router struct {
	endpoints []*endpoint
	opts      Options
	// contract is parsed at the first request that no route of the table takes.
	contract func() []*endpoint
}

// NewRouter returns a router over routes. Two routes with the same method and
// path are a mistake of the table and panic, as they do in http.ServeMux.
func NewRouter(routes []Route, opts *Options) *Router {
	rt := &Router{contract: sync.OnceValue(func() []*endpoint { return contractEndpoints(routes) })}
	if opts != nil {
		rt.opts = *opts
	}
	if rt.opts.Logger == nil {
		rt.opts.Logger = slog.New(slog.DiscardHandler)
	}
	if rt.opts.Clock == nil {
		rt.opts.Clock = clock.System{}
	}
	if rt.opts.MaxBody == 0 {
		rt.opts.MaxBody = 16 << 20
	}
	rt.endpoints = table(routes)
	return rt
}

func table(routes []Route) []*endpoint {
	byPath := map[string]*endpoint{}
	var out []*endpoint
	for _, r := range routes {
		e := byPath[r.Path]
		if e == nil {
			e = &endpoint{pattern: compile(r.Path), path: r.Path, methods: map[string]Handler{}}
			byPath[r.Path] = e
			out = append(out, e)
		}
		if _, twice := e.methods[r.Method]; twice {
			panic("edge: route is twice in the table: " + r.Method + " " + r.Path)
		}
		e.methods[r.Method] = r.Handler
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].pattern.less(out[j].pattern) < 0 })
	return out
}

// contractEndpoints are the contract's routes without those that are served: a
// request that has the shape of a served route but not its ids is for no route.
func contractEndpoints(served []Route) []*endpoint {
	have := map[string]bool{}
	for _, r := range served {
		have[r.Method+shape(r.Path)] = true
	}
	var routes []Route
	for line := range strings.Lines(contractTable) {
		method, path, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if !have[method+shape(path)] {
			routes = append(routes, Route{Method: method, Path: path, Handler: notImplemented})
		}
	}
	return table(routes)
}

// shape is a path without the names and converters of its parameters.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") && strings.HasSuffix(p, "}") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

func notImplemented(http.ResponseWriter, *http.Request) error {
	return errs.New(errs.NotImplemented, "")
}

// ServeHTTP serves a request.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := rt.opts.Clock.Now()
	rw := &recorder{ResponseWriter: w}
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 {
		id = ids.Random()
	}
	rw.Header().Set("X-Request-Id", id)
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // the sentinel itself is panicked, as net/http documents
				panic(p)
			}
			rt.opts.Logger.ErrorContext(r.Context(), "request panicked", "panic", p, "path", r.URL.Path, "request_id", id)
			if rw.status == 0 {
				Error(rw, r, errs.New(errs.Internal, ""))
			}
		}
		rt.opts.Logger.InfoContext(r.Context(), "request",
			"method", r.Method, "path", r.URL.Path, "status", rw.status, "request_id", id,
			"ms", float64(clock.Since(rt.opts.Clock, start).Microseconds())/1000)
	}()
	if rt.opts.CORS.serve(rw, r) {
		return
	}
	if r.Body != nil {
		r.Body = http.MaxBytesReader(rw, r.Body, rt.opts.MaxBody)
	}
	if err := rt.find(rw, r)(rw, r); err != nil {
		if code := errs.CodeOf(err); code == errs.Internal {
			rt.opts.Logger.ErrorContext(r.Context(), "request failed", "error", err.Error(), "path", r.URL.Path, "request_id", id)
		}
		Error(rw, r, err)
	}
}

// find returns the handler of the request and sets its path values.
func (rt *Router) find(w http.ResponseWriter, r *http.Request) Handler {
	parts := split(r)
	own := lookup(rt.endpoints, r, parts)
	if own.handler != nil {
		return own.use(r)
	}
	contract := lookup(rt.contract(), r, parts)
	switch {
	case contract.handler != nil && rt.served(r, parts):
		// The route is here; its id is none. That is not a missing feature.
		return func(w http.ResponseWriter, _ *http.Request) error { NotFoundPage(w); return nil }
	case contract.handler != nil:
		return contract.use(r)
	case own.path != "" || contract.path != "":
		allow := append(own.allow, contract.allow...)
		slices.Sort(allow)
		w.Header().Set("Allow", strings.Join(slices.Compact(allow), ", "))
		if r.Method == http.MethodOptions {
			return func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusOK); return nil }
		}
		return func(http.ResponseWriter, *http.Request) error {
			return errs.New(errs.MethodNotAllowed, "The method is not allowed for the requested URL.")
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) error { NotFoundPage(w); return nil }
}

// served reports whether the router has a route for the request but for an id
// that is no uuid.
func (rt *Router) served(r *http.Request, parts []string) bool {
	for _, e := range rt.endpoints {
		if e.methods[r.Method] == nil {
			continue
		}
		if _, ok := e.pattern.loose().match(parts, nil); ok {
			return true
		}
	}
	return false
}

type hit struct {
	handler Handler
	path    string
	params  []param
	allow   []string
}

func lookup(endpoints []*endpoint, r *http.Request, parts []string) (h hit) {
	for _, e := range endpoints {
		params, ok := e.pattern.match(parts, nil)
		if !ok {
			continue
		}
		if h.path == "" {
			h.path = e.path
		}
		handler := e.methods[r.Method]
		if handler == nil && r.Method == http.MethodHead {
			handler = e.methods[http.MethodGet]
		}
		if handler != nil {
			return hit{handler: handler, path: e.path, params: params}
		}
		for m := range e.methods {
			h.allow = append(h.allow, m)
		}
	}
	return h
}

func (h hit) use(r *http.Request) Handler {
	r.Pattern = r.Method + " " + h.path
	for _, p := range h.params {
		r.SetPathValue(p.name, p.value)
	}
	return h.handler
}

// serve sets the CORS headers and answers preflight requests.
func (c *CORS) serve(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if c == nil || origin == "" {
		return false
	}
	all := slices.Contains(c.Origins, "*")
	if !all && !slices.Contains(c.Origins, origin) {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if all && !c.Credentials {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
	}
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.Expose) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ", "))
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
	h.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ", "))
	w.WriteHeader(http.StatusOK)
	return true
}

// recorder remembers the status for the log line and keeps streaming working.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Flush passes what was written on to the client.
func (w *recorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController reach the server's writer.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
