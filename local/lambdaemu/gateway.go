package lambdaemu

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/ids"
)

const (
	// maxRequest is what API Gateway takes; Lambda's own limit is the lower one.
	maxRequest = 10 << 20
	// maxDiscard bounds what is read of a larger one before it is refused.
	maxDiscard = 64 << 20
	// maxPrelude bounds status and header of a streamed answer.
	maxPrelude = 64 << 10
	stage      = "prod"
)

// gateway is an API Gateway REST API with proxy integrations: it finds the
// function, makes the event, and renders what comes back.
type gateway struct {
	e    *Emulator
	root *resource
}

// resource is a node of the API's resource tree.
type resource struct {
	static  map[string]*resource
	param   *resource
	greedy  *resource
	name    string // of the variable
	path    string
	methods map[string]target
}

type target struct {
	pool  *pool
	route Route
}

func newGateway(e *Emulator) (*gateway, error) {
	g := &gateway{e: e, root: &resource{path: "/"}}
	for _, p := range e.pools {
		for _, route := range p.f.Routes {
			if err := g.add(p, route); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

func (g *gateway) add(p *pool, route Route) error {
	n := g.root
	for _, seg := range segments(route.Path) {
		var next **resource
		name, variable := strings.CutPrefix(seg, "{")
		name = strings.TrimSuffix(name, "}")
		switch {
		case variable && strings.HasSuffix(name, "+"):
			next, name = &n.greedy, strings.TrimSuffix(name, "+")
		case variable:
			next = &n.param
		default:
			if n.static == nil {
				n.static = map[string]*resource{}
			}
			if n.static[seg] == nil {
				n.static[seg] = &resource{path: join(n.path, seg)}
			}
			n = n.static[seg]
			continue
		}
		if *next == nil {
			*next = &resource{name: name, path: join(n.path, seg)}
		} else if (*next).name != name {
			return fmt.Errorf("template: %s and %s: sibling path variables must have one name", (*next).path, route.Path)
		}
		n = *next
	}
	if n.methods == nil {
		n.methods = map[string]target{}
	}
	if have, ok := n.methods[route.Method]; ok {
		return fmt.Errorf("template: %s %s belongs to both %s and %s", route.Method, route.Path, have.pool.f.Folder, p.f.Folder)
	}
	n.methods[route.Method] = target{p, route}
	return nil
}

// find returns the resource of a path and its variables. As in a REST API, a
// slash at the end changes nothing here, though the function sees it.
func (g *gateway) find(path string, params map[string]string) *resource {
	return g.root.match(segments(path), params)
}

func join(path, seg string) string { return strings.TrimSuffix(path, "/") + "/" + seg }

func segments(path string) []string {
	if path = strings.Trim(path, "/"); path != "" {
		return strings.Split(path, "/")
	}
	return nil
}

// match finds the resource of a path: fixed segments before variables before
// greedy ones. A resource on the way that has no methods of its own is still
// a match and so an error, as in API Gateway.
func (n *resource) match(segs []string, params map[string]string) *resource {
	if len(segs) == 0 {
		return n
	}
	if next := n.static[segs[0]]; next != nil {
		if m := next.match(segs[1:], params); m != nil {
			return m
		}
	}
	if n.param != nil {
		if m := n.param.match(segs[1:], params); m != nil {
			params[n.param.name] = segs[0]
			return m
		}
	}
	if n.greedy != nil {
		params[n.greedy.name] = strings.Join(segs, "/")
		return n.greedy
	}
	return nil
}

// ServeHTTP answers with what the function says, or as API Gateway does for it.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	params := map[string]string{}
	node := g.find(r.URL.EscapedPath(), params)
	if node == nil || node.methods == nil {
		g.refuse(w, missingToken)
		return
	}
	t, ok := node.methods[r.Method]
	if !ok {
		t, ok = node.methods["ANY"]
	}
	if !ok {
		g.refuse(w, missingToken)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil {
		return // the client broke off
	}
	if len(body) > maxRequest {
		// A client that is still sending would not see the answer.
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscard)
		g.refuse(w, requestTooLarge)
		return
	}
	event, err := restEvent(r, node.path, params, body)
	if err != nil {
		g.refuse(w, apiConfiguration)
		return
	}
	if len(event) > maxPayload {
		g.refuse(w, requestTooLarge)
		return
	}
	g.integrate(w, r, t, event)
}

// integrate calls the function within the integration's time limit.
func (g *gateway) integrate(w http.ResponseWriter, r *http.Request, t target, event []byte) {
	type result struct {
		resp response
		err  error
	}
	done := make(chan result, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	g.e.goRun(func() {
		resp, err := t.pool.invoke(ctx, call{payload: event, stream: t.route.Stream})
		done <- result{resp, err}
	})
	var res result
	select {
	case res = <-done:
	case <-g.e.opts.Clock.After(t.route.Timeout):
		abandon(func() (io.ReadCloser, error) { r := <-done; return r.resp.body, r.err })
		g.refuse(w, timedOut)
		return
	case <-r.Context().Done():
		abandon(func() (io.ReadCloser, error) { r := <-done; return r.resp.body, r.err })
		return
	}
	if res.err != nil {
		g.e.opts.Logger.Warn("function failed", "function", t.pool.f.Folder, "path", r.URL.Path, "error", res.err)
		g.refuse(w, integrationError)
		return
	}
	defer res.resp.body.Close()
	var err error
	if t.route.Stream {
		err = renderStream(w, res.resp)
	} else {
		err = renderBuffered(w, res.resp)
	}
	if errors.Is(err, errMalformed) {
		g.e.opts.Logger.Error("malformed proxy answer", "function", t.pool.f.Folder, "path", r.URL.Path, "stream", t.route.Stream)
		g.refuse(w, integrationError)
	} else if err != nil {
		// The header is out: a broken connection is the only way to say so.
		panic(http.ErrAbortHandler)
	}
}

// abandon closes an answer that nobody waits for, so that its sender is not held up.
func abandon(wait func() (io.ReadCloser, error)) {
	go func() {
		if body, err := wait(); err == nil {
			_ = body.Close()
		}
	}()
}

var errMalformed = errors.New("malformed proxy answer")

func renderBuffered(w http.ResponseWriter, resp response) error {
	var out struct {
		StatusCode   int                 `json:"statusCode"`
		Headers      map[string]string   `json:"headers"`
		MultiHeaders map[string][]string `json:"multiValueHeaders"`
		Body         string              `json:"body"`
		Base64       bool                `json:"isBase64Encoded"`
	}
	raw, err := io.ReadAll(resp.body)
	if err != nil || json.Unmarshal(raw, &out) != nil || out.StatusCode < 100 {
		return errMalformed
	}
	body := []byte(out.Body)
	if out.Base64 {
		if body, err = base64.StdEncoding.DecodeString(out.Body); err != nil {
			return errMalformed
		}
	}
	for k, v := range out.Headers {
		setHeader(w.Header(), k, v)
	}
	for k, vs := range out.MultiHeaders {
		w.Header().Del(k)
		for _, v := range vs {
			addHeader(w.Header(), k, v)
		}
	}
	if len(body) > 0 { // otherwise it may be the answer to HEAD
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.StatusCode)
	_, _ = w.Write(body) // the client may be gone
	return nil
}

// renderStream reads the prelude and then passes on what comes, as it comes.
func renderStream(w http.ResponseWriter, resp response) error {
	if resp.contentType != "application/vnd.awslambda.http-integration-response" {
		return errMalformed
	}
	var head []byte
	buf := make([]byte, 32<<10)
	end := -1
	for end < 0 {
		n, err := resp.body.Read(buf)
		head = append(head, buf[:n]...)
		end = bytes.Index(head, make([]byte, 8))
		if end < 0 && (err != nil || len(head) > maxPrelude) {
			return errMalformed
		}
	}
	var prelude struct {
		StatusCode   int                 `json:"statusCode"`
		Headers      map[string]string   `json:"headers"`
		MultiHeaders map[string][]string `json:"multiValueHeaders"`
		Cookies      []string            `json:"cookies"`
	}
	if json.Unmarshal(head[:end], &prelude) != nil || prelude.StatusCode < 100 {
		return errMalformed
	}
	for k, v := range prelude.Headers {
		setHeader(w.Header(), k, v)
	}
	for k, vs := range prelude.MultiHeaders {
		for _, v := range vs {
			addHeader(w.Header(), k, v)
		}
	}
	for _, c := range prelude.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.WriteHeader(prelude.StatusCode)
	flusher := http.NewResponseController(w)
	rest, pending := head[end+8:], true
	for {
		if len(rest) > 0 {
			if _, err := w.Write(rest); err != nil {
				return nil //nolint:nilerr // the client is gone; closing the body lets the function go on
			}
			pending = true
		}
		if pending {
			_ = flusher.Flush()
			pending = false
		}
		n, err := resp.body.Read(buf)
		rest = buf[:n]
		if errors.Is(err, io.EOF) && n == 0 {
			return nil
		}
		if err != nil && n == 0 {
			return err
		}
	}
}

// Hop-by-hop headers are the gateway's own business.
func skipHeader(k string) bool {
	switch http.CanonicalHeaderKey(k) {
	case "Transfer-Encoding", "Connection", "Keep-Alive":
		return true
	}
	return false
}

func setHeader(h http.Header, k, v string) {
	if !skipHeader(k) {
		h.Set(k, v)
	}
}

func addHeader(h http.Header, k, v string) {
	if !skipHeader(k) {
		h.Add(k, v)
	}
}

// restEvent is the proxy integration's request, payload version 1.0, with every
// media type declared binary.
func restEvent(r *http.Request, resourcePath string, params map[string]string, body []byte) ([]byte, error) {
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	h := r.Header.Clone()
	for k := range h {
		if skipHeader(k) || k == "Content-Length" { // the event's body may be in base64
			h.Del(k)
		}
	}
	h.Set("Host", r.Host)
	h.Set("X-Forwarded-For", strings.TrimPrefix(strings.Join(append(h.Values("X-Forwarded-For"), source), ", "), ", "))
	if h.Get("X-Forwarded-Proto") == "" {
		h.Set("X-Forwarded-Proto", "http")
	}
	_, port, _ := net.SplitHostPort(r.Host)
	if h.Get("X-Forwarded-Port") == "" && port != "" {
		h.Set("X-Forwarded-Port", port)
	}
	for k, v := range params {
		if u, err := url.PathUnescape(v); err == nil {
			params[k] = u
		}
	}
	single, singleQuery := map[string]string{}, map[string]string{}
	for k, vs := range h {
		single[k] = vs[len(vs)-1]
	}
	query := r.URL.Query()
	for k, vs := range query {
		singleQuery[k] = vs[len(vs)-1]
	}
	event := map[string]any{
		"resource": resourcePath, "path": r.URL.EscapedPath(), "httpMethod": r.Method,
		"headers": single, "multiValueHeaders": h,
		"queryStringParameters": singleQuery, "multiValueQueryStringParameters": query,
		"pathParameters": params, "stageVariables": nil,
		"requestContext": map[string]any{
			"accountId": account, "apiId": "emulated", "domainName": r.Host, "domainPrefix": "emulated",
			"httpMethod": r.Method, "path": "/" + stage + r.URL.EscapedPath(), "protocol": r.Proto,
			"requestId": ids.Random(), "resourcePath": resourcePath, "stage": stage,
			"identity": map[string]any{"sourceIp": source, "userAgent": r.UserAgent()},
		},
		"body": nil, "isBase64Encoded": false,
	}
	if len(body) > 0 {
		event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	return json.Marshal(event)
}
