// Package egress is the only way out for requests that users cause: nodes,
// tools, remote files, webhooks, tracing endpoints. A client made here checks
// the address it really dials, after name resolution, so neither a name that
// resolves to an inner address nor a redirect gets anywhere that the options
// forbid; and it bounds sizes, redirects and times.
//
// It is not for Millrace's own connections (database, queues, blob store):
// those are configured by the operator. It retries nothing: that is for the
// run engine and its journal.
//
// START HERE: NewClient. Per request settings travel in the context, see
// WithTimeouts; headerorder.go is what a context with WithHeaderOrder gets.
package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/millrace/millrace/shared/clock"
)

// Options says where a client may go and how much it may take. The zero value
// allows public addresses only and is what functions in a cloud use.
type Options struct {
	// AllowPrivate adds loopback, private and shared address ranges. Link-local
	// addresses, where clouds keep their metadata, stay forbidden; name them in
	// Allowed when they are needed.
	AllowPrivate bool
	// Allowed are ranges that are reached whatever else is forbidden.
	Allowed []netip.Prefix
	// Denied are ranges that are refused even if they are public.
	Denied []netip.Prefix
	// Proxy carries all requests; the proxy then resolves names, so keeping away
	// from inner addresses is its duty. Only addresses that are written out in a
	// URL are still checked. Proxies in the environment are never used.
	Proxy *url.URL
	// MaxRedirects bounds how many redirects are followed; 0 means 10 and a
	// negative number none: the redirect itself is the answer.
	MaxRedirects int
	// MaxBytes bounds every response body; reading more fails with ErrTooLarge.
	// 0 means 64 MiB.
	MaxBytes int64
	// Timeouts hold for requests whose context has none of its own. Zero fields
	// mean 10 s to connect and 600 s to read and to write.
	Timeouts Timeouts
	// InsecureSkipVerify accepts any certificate, for users who asked for it.
	InsecureSkipVerify bool
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
	// Clock measures timeouts; nil means the machine's.
	Clock clock.Clock
	// Wrap goes around the transport, for example to trace requests with
	// otelhttp.NewTransport. It sees each request of a redirect chain.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// ErrForbidden is in the chain of the error of a request to an address that
// the options do not allow.
var ErrForbidden = errors.New("egress: the address is not allowed")

// defaultMaxBytes and defaultRedirects are the bounds of the zero Options.
const (
	defaultMaxBytes  = 64 << 20
	defaultRedirects = 10
)

// NewClient returns a client that obeys o. It is meant to live as long as the
// process: it keeps connections.
func NewClient(o Options) *http.Client {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxRedirects == 0 {
		o.MaxRedirects = defaultRedirects
	}
	o.Timeouts = o.Timeouts.or(Timeouts{Connect: 10 * time.Second, Read: 600 * time.Second, Write: 600 * time.Second})
	guard := newGuard(o)
	dialer := &net.Dialer{Resolver: o.Resolver, KeepAlive: 30 * time.Second}
	if o.Proxy == nil {
		dialer.Control = guard.control
	}
	transport := &http.Transport{
		Proxy: func(*http.Request) (*url.URL, error) { return o.Proxy, nil },
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeoutCause(ctx, timeoutsOf(ctx, o.Timeouts).Connect, ErrConnectTimeout)
			defer cancel()
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil && errors.Is(context.Cause(ctx), ErrConnectTimeout) {
				return nil, fmt.Errorf("%w: %s", ErrConnectTimeout, addr)
			}
			return conn, err
		},
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        100,
		MaxIdleConnsPerHost: 20,
		IdleConnTimeout:     5 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		// Answers stay as the server sent them, headers included.
		DisableCompression: true,
		// The user's own choice for hosts with certificates that nobody can check.
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.InsecureSkipVerify}, //nolint:gosec
	}
	var rt http.RoundTripper = byOrder{plain: transport, watched: watch(transport)}
	if o.Wrap != nil {
		rt = o.Wrap(rt)
	}
	return &http.Client{
		Transport:     &roundTripper{next: rt, guard: guard, opts: o},
		CheckRedirect: redirects(o.MaxRedirects),
	}
}

func redirects(limit int) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if req.URL.Host != via[0].URL.Host {
			names, _ := req.Context().Value(privateKey{}).([]string)
			for _, name := range names {
				req.Header.Del(name)
			}
		}
		if limit < 0 {
			return http.ErrUseLastResponse
		}
		if len(via) > limit {
			return fmt.Errorf("egress: more than %d redirects", limit)
		}
		return nil
	}
}

// guard decides about addresses.
type guard struct{ g *ssrf.Guardian }

// privateRanges are what AllowPrivate opens.
func privateRanges() (v4, v6 []netip.Prefix) {
	for _, s := range []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"} {
		v4 = append(v4, netip.MustParsePrefix(s))
	}
	for _, s := range []string{"::1/128", "fc00::/7"} {
		v6 = append(v6, netip.MustParsePrefix(s))
	}
	return v4, v6
}

func newGuard(o Options) guard {
	var v4, v6, no4, no6 []netip.Prefix
	if o.AllowPrivate {
		v4, v6 = privateRanges()
	}
	for _, p := range o.Allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	for _, p := range o.Denied {
		if p.Addr().Is4() {
			no4 = append(no4, p)
		} else {
			no6 = append(no6, p)
		}
	}
	return guard{ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...),
		ssrf.WithDeniedV4Prefixes(no4...), ssrf.WithDeniedV6Prefixes(no6...))}
}

// control is called with the address that is about to be dialled.
func (g guard) control(network, address string, conn syscall.RawConn) error {
	if err := g.g.Safe(network, address, conn); err != nil {
		return fmt.Errorf("%w: %s", ErrForbidden, address)
	}
	return nil
}

// literal refuses URLs with a written-out address that is not allowed. Dialling
// checks it anyway; behind a proxy this is all that is checked here.
func (g guard) literal(u *url.URL) error {
	switch u.Scheme {
	case "http", "https":
	default:
		return fmt.Errorf("egress: only http and https are possible, not %q", u.Scheme)
	}
	host := strings.Trim(u.Hostname(), "[]")
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil //nolint:nilerr // a name: checked when it is dialled
	}
	if err := g.g.SafeAddr(ip.Unmap().WithZone("")); err != nil {
		return fmt.Errorf("%w: %s", ErrForbidden, host)
	}
	return nil
}
