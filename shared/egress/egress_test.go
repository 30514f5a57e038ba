package egress_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/egress"
)

func get(t *testing.T, c *http.Client, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := c.Do(req)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }

func TestAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	cloud := egress.NewClient(egress.Options{})
	local := egress.NewClient(egress.Options{AllowPrivate: true})
	for _, u := range []string{
		"http://127.0.0.1:1/", "http://127.9.9.9:1/", "http://10.0.0.1/", "http://172.16.3.4/", "http://192.168.1.1/",
		"http://100.64.0.1/", "http://[::1]:1/", "http://[fd00::1]/", "http://[::ffff:127.0.0.1]:1/", "http://[::ffff:10.0.0.1]/",
	} {
		_, err := get(t, cloud, u)
		require.ErrorIs(t, err, egress.ErrForbidden, u)
	}
	for _, u := range []string{
		"http://0.0.0.0:1/", "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://[::]:1/",
		"http://[::ffff:169.254.169.254]/", "http://[64:ff9b::7f00:1]/", "http://224.0.0.1/", "http://255.255.255.255/",
	} {
		_, err := get(t, cloud, u)
		require.ErrorIs(t, err, egress.ErrForbidden, u)
		_, err = get(t, local, u)
		require.ErrorIs(t, err, egress.ErrForbidden, u)
	}
	_, err := get(t, local, "file:///etc/passwd")
	require.ErrorContains(t, err, "only http and https")
}

func TestLoopbackWhenAllowed(t *testing.T) {
	t.Parallel()
	s := server(t, ok)
	for name, o := range map[string]egress.Options{
		"private": {AllowPrivate: true},
		"prefix":  {Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
	} {
		resp, err := get(t, egress.NewClient(o), s.URL)
		require.NoError(t, err, name)
		data, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "fine", string(data))
	}
	_, err := get(t, egress.NewClient(egress.Options{AllowPrivate: true, Denied: []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")}}), "http://8.8.8.8/")
	require.ErrorIs(t, err, egress.ErrForbidden)
}

// resolver answers every question for an A record with the next address.
func resolver(t *testing.T, next func() [4]byte) *net.Resolver {
	t.Helper()
	serve := func(conn net.Conn) {
		defer conn.Close() //nolint:errcheck // the answers are sent; the tests look at those
		for {
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, query); err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(query) != nil {
				return
			}
			m.Response, m.Additionals = true, nil
			if m.Questions[0].Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: next()},
				}}
			}
			out, err := m.Pack()
			if err != nil {
				return
			}
			if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
				return
			}
		}
	}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		go serve(b)
		return a, nil
	}}
}

// The name first resolves to a public address, as a check before the request
// would see it, and then to the loopback: only what is dialled counts.
func TestRebinding(t *testing.T) {
	t.Parallel()
	s := server(t, ok)
	port := s.Listener.Addr().(*net.TCPAddr).Port
	var asked atomic.Int32
	res := resolver(t, func() [4]byte {
		if asked.Add(1) == 1 {
			return [4]byte{8, 8, 8, 8}
		}
		return [4]byte{127, 0, 0, 1}
	})
	addrs, err := res.LookupHost(t.Context(), "rebind.example.")
	require.NoError(t, err)
	require.Contains(t, addrs, "8.8.8.8")
	u := (&url.URL{Scheme: "http", Host: net.JoinHostPort("rebind.example.", strconv.Itoa(port))}).String()
	_, err = get(t, egress.NewClient(egress.Options{Resolver: res}), u)
	require.ErrorIs(t, err, egress.ErrForbidden)
	require.Greater(t, asked.Load(), int32(1))

	resp, err := get(t, egress.NewClient(egress.Options{Resolver: res, AllowPrivate: true}), u)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/inner":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/once":
			http.Redirect(w, r, "/", http.StatusFound)
		}
	})
	c := egress.NewClient(egress.Options{AllowPrivate: true, MaxRedirects: 3})
	_, err := get(t, c, s.URL+"/inner")
	require.ErrorIs(t, err, egress.ErrForbidden)
	_, err = get(t, c, s.URL+"/loop")
	require.ErrorContains(t, err, "more than 3 redirects")
	resp, err := get(t, c, s.URL+"/once")
	require.NoError(t, err)
	require.Equal(t, "/", resp.Request.URL.Path)
	resp, err = get(t, egress.NewClient(egress.Options{AllowPrivate: true, MaxRedirects: -1}), s.URL+"/once")
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, resp.StatusCode)
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	other := server(t, func(_ http.ResponseWriter, r *http.Request) { got.Store(r.Header.Clone()) })
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/same" {
			http.Redirect(w, r, "/end", http.StatusFound)
			return
		}
		if r.URL.Path == "/end" {
			got.Store(r.Header.Clone())
			return
		}
		http.Redirect(w, r, other.URL, http.StatusFound)
	})
	c := egress.NewClient(egress.Options{AllowPrivate: true})
	for path, kept := range map[string]string{"/same": "key", "/other": ""} {
		req, err := http.NewRequestWithContext(egress.WithPrivateHeaders(t.Context(), "X-Api-Key"), http.MethodGet, s.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("X-Api-Key", "key")
		req.Header.Set("X-Other", "stays")
		resp, err := c.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		h := got.Load().(http.Header)
		require.Equal(t, kept, h.Get("X-Api-Key"), path)
		require.Equal(t, "stays", h.Get("X-Other"))
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	s := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 100)) })
	read := func(o egress.Options, ctx context.Context) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		require.NoError(t, err)
		o.AllowPrivate = true
		resp, err := egress.NewClient(o).Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		return string(data), err
	}
	got, err := read(egress.Options{MaxBytes: 100}, t.Context())
	require.NoError(t, err)
	require.Len(t, got, 100)
	got, err = read(egress.Options{MaxBytes: 99}, t.Context())
	require.ErrorIs(t, err, egress.ErrTooLarge)
	require.Len(t, got, 99)
	_, err = read(egress.Options{MaxBytes: 100}, egress.WithMaxBytes(t.Context(), 10))
	require.ErrorIs(t, err, egress.ErrTooLarge)
}

func TestSilenceEndsARequest(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "part")
			w.(http.Flusher).Flush()
		}
		<-hold
	})
	t.Cleanup(func() { close(hold) })
	c := egress.NewClient(egress.Options{AllowPrivate: true, Timeouts: egress.Timeouts{
		Connect: 20 * time.Millisecond, Read: 20 * time.Millisecond, Write: 20 * time.Millisecond,
	}, Clock: clock.System{}})
	_, err := get(t, c, s.URL)
	require.ErrorIs(t, err, egress.ErrReadTimeout)
	resp, err := get(t, c, s.URL+"/body")
	require.NoError(t, err)
	data, err := io.ReadAll(resp.Body)
	require.ErrorIs(t, err, egress.ErrReadTimeout)
	require.Equal(t, "part", string(data))
}

func TestProxyIsExplicit(t *testing.T) {
	t.Parallel()
	var seen atomic.Value
	proxy := server(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.URL.String())
		_, _ = io.WriteString(w, "by proxy")
	})
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	c := egress.NewClient(egress.Options{Proxy: u})
	resp, err := get(t, c, "http://example.invalid/x")
	require.NoError(t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "by proxy", string(data))
	require.Equal(t, "http://example.invalid/x", seen.Load())
	_, err = get(t, c, "http://169.254.169.254/")
	require.ErrorIs(t, err, egress.ErrForbidden)
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(ok))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	_, err := get(t, egress.NewClient(egress.Options{AllowPrivate: true}), s.URL)
	require.ErrorContains(t, err, "certificate")
	resp, err := get(t, egress.NewClient(egress.Options{AllowPrivate: true, InsecureSkipVerify: true}), s.URL)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
}

type wrapped struct {
	next  http.RoundTripper
	calls *atomic.Int32
}

func (w wrapped) RoundTrip(r *http.Request) (*http.Response, error) {
	w.calls.Add(1)
	return w.next.RoundTrip(r)
}

func TestWrapAndCancel(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	hold := make(chan struct{})
	s := server(t, func(http.ResponseWriter, *http.Request) { <-hold })
	t.Cleanup(func() { close(hold) })
	c := egress.NewClient(egress.Options{AllowPrivate: true, Wrap: func(rt http.RoundTripper) http.RoundTripper {
		return wrapped{rt, &calls}
	}})
	ctx, cancel := context.WithCancelCause(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	require.NoError(t, err)
	cancel(errors.New("stop"))
	_, err = c.Do(req)
	require.ErrorContains(t, err, "stop")
	require.Equal(t, int32(1), calls.Load())
}
