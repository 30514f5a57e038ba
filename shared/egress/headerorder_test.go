package egress_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/egress"
)

// wire serves answers as they are written, by path, and counts connections.
func wire(t *testing.T, secure *tls.Config, answers map[string][]string) (base string, conns *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	base = "http://" + l.Addr().String()
	if secure != nil {
		l, base = tls.NewListener(l, secure), "https://"+l.Addr().String()
	}
	t.Cleanup(func() { _ = l.Close() })
	conns = &atomic.Int32{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer func() { _ = c.Close() }()
				r := bufio.NewReader(c)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					for _, part := range answers[req.URL.Path] {
						if _, err := io.WriteString(c, part); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return base, conns
}

func ordered(t *testing.T, c *http.Client, url string) (*http.Response, []string) {
	t.Helper()
	ctx, order := egress.WithHeaderOrder(t.Context())
	require.Nil(t, order.Names())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := c.Do(req)
	require.NoError(t, err)
	names := order.Names()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, names, order.Names(), "a body changes nothing")
	return resp, names
}

func TestHeaderOrder(t *testing.T) {
	t.Parallel()
	answers := map[string][]string{
		"/plain":   {"HTTP/1.1 200 OK\r\nX-Zed: 1\r\nContent-Length: 2\r\nX-Alpha: 2\r\n\r\nok"},
		"/other":   {"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\nServer: s\r\n\r\nA: b\r\n\n"},
		"/cases":   {"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nx-b: 1\r\nSET-COOKIE: b=2\r\ncontent-length: 0\r\n\r\n"},
		"/bare":    {"HTTP/1.1 200 OK\nB: 1\nContent-Length: 0\nA: 2\n\n"},
		"/folded":  {"HTTP/1.1 200 OK\r\nB: 1\r\n more: text\r\n\tand: more\r\nContent-Length: 0\r\nA: 2\r\n\r\n"},
		"/pieces":  strings.SplitAfter("HTTP/1.1 200 OK\r\nBe: 1\r\nContent-Length: 1\r\nAn: 2\r\n\r\nx", ""),
		"/early":   {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-No: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nB: 1\r\nLink: </b>\r\nContent-Length: 0\r\n\r\n"},
		"/chunked": {"HTTP/1.1 200 OK\r\nZ: 1\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n2\r\nab\r\n", "3\r\nD:e\r\n0\r\n\r\n"},
		"/moved":   {"HTTP/1.1 302 Found\r\nX-First: 1\r\nLocation: /plain\r\nContent-Length: 0\r\n\r\n"},
		"/none":    {"HTTP/1.1 204 No Content\r\n\r\n"},
	}
	want := []struct {
		path  string
		names []string
	}{
		{"/plain", []string{"X-Zed", "Content-Length", "X-Alpha"}},
		{"/other", []string{"Content-Length", "Server"}},
		{"/cases", []string{"Set-Cookie", "X-B", "Content-Length"}},
		{"/bare", []string{"B", "Content-Length", "A"}},
		{"/folded", []string{"B", "Content-Length", "A"}},
		{"/pieces", []string{"Be", "Content-Length", "An"}},
		{"/early", []string{"B", "Link", "Content-Length"}},
		{"/chunked", []string{"Z", "Transfer-Encoding", "A"}},
		{"/moved", []string{"X-Zed", "Content-Length", "X-Alpha"}},
		{"/none", nil},
		{"/plain", []string{"X-Zed", "Content-Length", "X-Alpha"}},
	}
	some := httptest.NewTLSServer(http.HandlerFunc(ok)) // for its certificate
	t.Cleanup(some.Close)
	for name, secure := range map[string]*tls.Config{
		"http": nil, "https": {Certificates: some.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, conns := wire(t, secure, answers)
			c := egress.NewClient(egress.Options{AllowPrivate: true, InsecureSkipVerify: true})
			for _, w := range want {
				_, names := ordered(t, c, base+w.path)
				require.Equal(t, w.names, names, w.path)
			}
			require.Equal(t, int32(1), conns.Load(), "connections are kept")
		})
	}
}

func TestOtherRequestsKeepHTTP2(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	c := egress.NewClient(egress.Options{AllowPrivate: true, InsecureSkipVerify: true})
	resp, err := get(t, c, s.URL)
	require.NoError(t, err)
	require.Equal(t, 2, resp.ProtoMajor)
	resp, names := ordered(t, c, s.URL)
	require.Equal(t, 1, resp.ProtoMajor)
	require.ElementsMatch(t, []string{"Content-Length", "Content-Type", "Date"}, names)
}

// What is watched obeys the same rules as everything else.
func TestHeaderOrderOpensNoDoor(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(ok))
	t.Cleanup(s.Close)
	ask := func(c *http.Client, url string) error {
		ctx, _ := egress.WithHeaderOrder(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		require.NoError(t, err)
		resp, err := c.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	for _, u := range []string{s.URL, "https://localhost:" + port, "http://localhost:" + port} {
		require.ErrorIs(t, ask(egress.NewClient(egress.Options{}), u), egress.ErrForbidden)
	}
	require.ErrorContains(t, ask(egress.NewClient(egress.Options{AllowPrivate: true}), s.URL), "certificate")
}

func TestHeaderOrderBehindAProxy(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(ok))
	t.Cleanup(s.Close)
	proxy := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.Header().Set("A", "1")
			return
		}
		there, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\nX-Tunnel: 1\r\n\r\n")
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		_, _ = io.Copy(here, there)
		_ = here.Close()
	})
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	c := egress.NewClient(egress.Options{Proxy: u, InsecureSkipVerify: true})
	resp, names := ordered(t, c, "https://example.com/")
	require.Equal(t, 200, resp.StatusCode)
	require.Nil(t, names, "what the tunnel carries is not to be seen, and the proxy's own head is not the answer's")
	_, names = ordered(t, c, "http://example.invalid/")
	require.Contains(t, names, "A")
}
