package lambdaemu

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/millrace/millrace/shared/ids"
)

// runtimeAPI is the HTTP server that functions talk to. Each process is given
// its own path prefix, a random token, so that calls say who makes them. It
// also answers Lambda's Invoke call, with which functions call one another.
type runtimeAPI struct {
	e    *Emulator
	addr string
	srv  *http.Server

	mu        sync.Mutex
	instances map[string]*instance
}

func newRuntimeAPI(e *Emulator, ln net.Listener) *runtimeAPI {
	a := &runtimeAPI{e: e, addr: ln.Addr().String(), instances: map[string]*instance{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{instance}/2018-06-01/runtime/invocation/next", a.with(a.next))
	mux.HandleFunc("POST /{instance}/2018-06-01/runtime/invocation/{id}/response", a.with(a.response))
	mux.HandleFunc("POST /{instance}/2018-06-01/runtime/invocation/{id}/error", a.with(a.functionError))
	mux.HandleFunc("POST /{instance}/2018-06-01/runtime/init/error", a.with(a.initError))
	mux.HandleFunc("POST /{instance}/2020-01-01/extension/register", a.with(a.register))
	mux.HandleFunc("GET /{instance}/2020-01-01/extension/event/next", a.with(a.extensionNext))
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", a.invoke)
	a.srv = &http.Server{Handler: mux} //nolint:gosec // loopback only, and /next waits as long as it takes
	go func() { _ = a.srv.Serve(ln) }()
	return a
}

func (a *runtimeAPI) close() { _ = a.srv.Close() }

func (a *runtimeAPI) add(inst *instance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.instances[inst.id] = inst
}

func (a *runtimeAPI) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.instances, id)
}

func (a *runtimeAPI) find(id string) *instance {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.instances[id]
}

func (a *runtimeAPI) with(h func(http.ResponseWriter, *http.Request, *instance)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		inst := a.find(r.PathValue("instance"))
		if inst == nil {
			writeJSON(w, http.StatusForbidden, FunctionError{"Forbidden", "unknown instance"})
			return
		}
		h(w, r, inst)
	}
}

// next ends the event before and waits for the one to come.
func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request, inst *instance) {
	inst.mu.Lock()
	before := inst.current
	taken := before != nil && before.taken() // otherwise it is a new process, whose first event waits for it
	if taken {
		inst.current = nil
	}
	inst.mu.Unlock()
	if taken {
		before.respond(answer{err: &FunctionError{"Runtime.NoResponse", "the function asked for its next event without answering"}})
		before.end()
		inst.p.release(inst)
	}
	var inv *invocation
	select {
	case inv = <-inst.work:
	case <-r.Context().Done():
		return
	}
	if inst.dead.Load() {
		return // the event goes to another instance
	}
	clk := inst.p.e.opts.Clock
	inv.deadline = clk.Now().Add(inst.p.f.Timeout)
	close(inv.begun)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:"+region+":"+account+":function:"+inst.p.f.Name)
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
	if inv.clientContext != "" {
		h.Set("Lambda-Runtime-Client-Context", inv.clientContext)
	}
	_, _ = w.Write(inv.payload) // a process that is gone is noticed by its exit
}

// current returns the invocation the call is about, or answers and returns nil.
func (a *runtimeAPI) current(w http.ResponseWriter, r *http.Request, inst *instance) *invocation {
	inst.mu.Lock()
	defer inst.mu.Unlock()
	if inst.current == nil || inst.current.id != r.PathValue("id") {
		writeJSON(w, http.StatusBadRequest, FunctionError{"InvalidRequestID", "this event is not under way"})
		return nil
	}
	return inst.current
}

func (a *runtimeAPI) response(w http.ResponseWriter, r *http.Request, inst *instance) {
	inv := a.current(w, r, inst)
	if inv == nil {
		return
	}
	if !inv.stream {
		a.bufferedResponse(w, r, inv)
		return
	}
	pr, pw := io.Pipe()
	if !inv.respond(answer{body: pr, contentType: r.Header.Get("Content-Type")}) {
		_ = pr.Close() // answered already: a time-out, say
	}
	_, err := io.Copy(pw, r.Body)
	if errors.Is(err, io.ErrClosedPipe) {
		// The client is gone. The function is not told, as on Lambda.
		_, err = io.Copy(io.Discard, r.Body)
	}
	if err == nil {
		err = trailerError(r.Trailer)
	}
	_ = pw.CloseWithError(err) // nil is the end of the stream
	w.WriteHeader(http.StatusAccepted)
}

func (a *runtimeAPI) bufferedResponse(w http.ResponseWriter, r *http.Request, inv *invocation) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	switch {
	case err != nil:
		inv.respond(answer{err: &FunctionError{"Runtime.TruncatedResponse", err.Error()}})
	case len(body) > maxPayload:
		inv.respond(answer{err: &FunctionError{"Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291556 bytes)."}})
		_, _ = io.Copy(io.Discard, r.Body)
	default:
		if err := trailerError(r.Trailer); err != nil {
			inv.respond(answer{err: err})
			break
		}
		inv.respond(answer{body: io.NopCloser(bytes.NewReader(body)), contentType: r.Header.Get("Content-Type")})
	}
	w.WriteHeader(http.StatusAccepted)
}

// trailerError reads the error that a function reports after it began to answer.
func trailerError(trailer http.Header) error {
	kind := trailer.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return nil
	}
	fe := &FunctionError{Type: kind}
	if b, err := base64.StdEncoding.DecodeString(trailer.Get("Lambda-Runtime-Function-Error-Body")); err == nil {
		_ = json.Unmarshal(b, fe) // the type alone says enough
	}
	return fe
}

func (a *runtimeAPI) functionError(w http.ResponseWriter, r *http.Request, inst *instance) {
	inv := a.current(w, r, inst)
	if inv == nil {
		return
	}
	fe := &FunctionError{Type: "Unhandled"}
	_ = json.NewDecoder(io.LimitReader(r.Body, maxPayload)).Decode(fe) // an unreadable error is an error too
	inv.respond(answer{err: fe})
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func (a *runtimeAPI) initError(w http.ResponseWriter, r *http.Request, inst *instance) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	a.e.opts.Logger.Error("function failed to start", "function", inst.p.f.Folder, "error", string(body))
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func (a *runtimeAPI) register(w http.ResponseWriter, _ *http.Request, inst *instance) {
	w.Header().Set("Lambda-Extension-Identifier", ids.Random())
	writeJSON(w, http.StatusOK, map[string]string{
		"functionName": inst.p.f.Name, "functionVersion": "$LATEST", "handler": "bootstrap",
	})
}

// extensionNext never answers: extensions here register for no events.
func (a *runtimeAPI) extensionNext(_ http.ResponseWriter, r *http.Request, _ *instance) {
	<-r.Context().Done()
}

// invoke is Lambda's Invoke call.
func (a *runtimeAPI) invoke(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if i := strings.LastIndexByte(name, ':'); i >= 0 { // an ARN
		name = name[i+1:]
	}
	f, ok := a.e.opts.Template.Find(name)
	if !ok {
		w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
		writeJSON(w, http.StatusNotFound, map[string]string{"Type": "User", "Message": "Function not found: " + name})
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		w.Header().Set("X-Amzn-ErrorType", "RequestTooLargeException")
		writeJSON(w, http.StatusRequestEntityTooLarge, map[string]string{"Message": "the payload is over 6 MB"})
		return
	}
	// The caller's context travels as JSON in base64 and arrives as JSON.
	clientContext, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Client-Context"))
	if err != nil {
		w.Header().Set("X-Amzn-ErrorType", "InvalidRequestContentException")
		writeJSON(w, http.StatusBadRequest, map[string]string{"Type": "User", "Message": "Client context must be base64."})
		return
	}
	out, err := a.e.call(r.Context(), f.Folder, call{payload: payload, clientContext: string(clientContext)})
	if err != nil {
		fe := &FunctionError{}
		if !errors.As(err, &fe) {
			fe = &FunctionError{"ServiceException", err.Error()}
		}
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		writeJSON(w, http.StatusOK, fe)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	_, _ = w.Write(out)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // nobody to tell
}
