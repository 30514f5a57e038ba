package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"
)

// HeaderOrder is the order in which a server sent its response headers, which
// http.Header does not keep.
type HeaderOrder struct {
	mu    sync.Mutex
	conn  *watchedConn
	names []string
}

type orderKey struct{}

// WithHeaderOrder asks for the order of response headers. The requests made
// with the context have connections of their own, which speak HTTP/1.1: of
// HTTP/2 nobody above the transport sees the wire. All other requests use
// HTTP/2 where the server does and pay nothing for this.
func WithHeaderOrder(ctx context.Context) (context.Context, *HeaderOrder) {
	o := &HeaderOrder{}
	return context.WithValue(ctx, orderKey{}, o), o
}

// Names returns the names of the last response's headers in canonical form,
// each once. It is nil when the order is unknown: before there is a response
// and when an HTTPS request went through a proxy.
func (o *HeaderOrder) Names() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.names
}

// begin follows the connection that the next response comes from, and only it:
// an earlier one of a redirect or a repeated request may still have something
// to say.
func (o *HeaderOrder) begin(conn net.Conn) {
	watched, _ := conn.(*watchedConn)
	o.mu.Lock()
	o.conn, o.names = watched, nil
	o.mu.Unlock()
	if watched != nil {
		watched.head.Store(&head{order: o, conn: watched})
	}
}

func (o *HeaderOrder) set(conn *watchedConn, names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn == conn {
		o.names = names
	}
}

// traced makes the transport say which connection a request gets.
func (o *HeaderOrder) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { o.begin(info.Conn) },
	})
}

// watchedConn lets someone read along what a server sends. Over TLS it is
// around the tls.Conn, not below it.
type watchedConn struct {
	net.Conn
	head atomic.Pointer[head]
}

// Read reads, and shows what came to the response head that is waited for.
func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		if h := c.head.Load(); h != nil && h.add(p[:n]) {
			c.head.CompareAndSwap(h, nil)
		}
	}
	return n, err
}

// maxHead bounds the heads that are read along; the order of longer ones stays
// unknown.
const maxHead = 1 << 20

// head reads one response head. Only the goroutine that reads the connection
// touches it.
type head struct {
	order *HeaderOrder
	conn  *watchedConn

	size  int
	line  []byte // as much of it as came
	lines int    // those before
	// informational heads come before the response's own.
	informational bool
	names         []string
	seen          map[string]bool
}

// add takes what was read and says whether that is enough.
func (h *head) add(p []byte) (done bool) {
	if h.size += len(p); h.size > maxHead {
		return true
	}
	for len(p) > 0 {
		part, rest, whole := bytes.Cut(p, []byte("\n"))
		p, h.line = rest, append(h.line, part...)
		if !whole {
			return false
		}
		if h.end(bytes.TrimSuffix(h.line, []byte("\r"))) {
			return true
		}
		h.line = h.line[:0]
	}
	return false
}

// end is called at the end of each line.
func (h *head) end(line []byte) (done bool) {
	h.lines++
	if h.lines == 1 {
		_, status, _ := bytes.Cut(line, []byte(" "))
		// That of a switched protocol is the last, though it begins the same.
		h.informational = bytes.HasPrefix(status, []byte("1")) && !bytes.HasPrefix(status, []byte("101"))
		return false
	}
	if len(line) == 0 {
		if h.informational {
			h.lines, h.names, h.seen = 0, nil, nil
			return false
		}
		h.order.set(h.conn, h.names)
		return true
	}
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 || name[0] == ' ' || name[0] == '\t' { // a value goes on
		return false
	}
	key := textproto.CanonicalMIMEHeaderKey(string(name))
	if !h.seen[key] {
		if h.seen == nil {
			h.seen = map[string]bool{}
		}
		h.seen[key] = true
		h.names = append(h.names, key)
	}
	return false
}

// byOrder is the transport of a client: one for those who ask for the order of
// headers and one for all others.
type byOrder struct{ plain, watched *http.Transport }

// RoundTrip chooses.
func (t byOrder) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, ok := req.Context().Value(orderKey{}).(*HeaderOrder); ok {
		return t.watched.RoundTrip(req)
	}
	return t.plain.RoundTrip(req)
}

// CloseIdleConnections closes those of both.
func (t byOrder) CloseIdleConnections() {
	t.plain.CloseIdleConnections()
	t.watched.CloseIdleConnections()
}

// watch makes of a transport one whose connections are watched.
func watch(t *http.Transport) *http.Transport {
	t = t.Clone()
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: conn}, nil
	}
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	config, limit := t.TLSClientConfig.Clone(), t.TLSHandshakeTimeout
	// The transport's own TLS would be above the connection that is watched. It
	// still is for what goes through a tunnel of a proxy.
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		secured, err := secure(ctx, conn, addr, config, limit)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		return &watchedConn{Conn: secured}, nil
	}
	return t
}

func secure(ctx context.Context, conn net.Conn, addr string, config *tls.Config, limit time.Duration) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrConnectTimeout)
	defer cancel()
	config = config.Clone()
	config.ServerName = host
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		if context.Cause(ctx) == ErrConnectTimeout { //nolint:errorlint // the cause itself
			return nil, fmt.Errorf("%w: %s", ErrConnectTimeout, addr)
		}
		return nil, err
	}
	return secured, nil
}
