package redisdb_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/redisdb"
)

func open(t *testing.T, url string, opts *redisdb.Options) *redisdb.Client {
	t.Helper()
	c, err := redisdb.Open(url, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for url, problem := range map[string]string{
		"redis://localhost":                           "",
		"redis://:secret@[::1]:6380/3":                "",
		"rediss://u:secret@host:1/0?skip_verify=true": "",
		"unix:///run/redis.sock?db=2":                 "",
		"http://u:secret@host":                        "unknown scheme",
		"redis://u:secret@host:port":                  "cannot be read",
		"redis://u:secret@host/first":                 "must be a number",
		"redis://u:secret@host/0?pool=1":              "unknown option",
		"unix://u:secret@":                            "path of a socket",
	} {
		c, err := redisdb.Open(url, nil)
		if problem == "" {
			require.NoError(t, err, url)
			require.NoError(t, c.Close())
			continue
		}
		require.ErrorContains(t, err, problem, url)
		require.NotContains(t, err.Error(), "secret", "errors reach logs")
	}
}

func TestUsersAndDatabases(t *testing.T) {
	t.Parallel()
	srv := miniredis.RunT(t)
	srv.RequireUserAuth("ada", "secret")
	c := open(t, "redis://ada:secret@"+srv.Addr()+"/4", nil)
	require.NoError(t, c.Do(t.Context(), "SET", "k", "v").Err())
	require.True(t, srv.DB(4).Exists("k"))
	require.ErrorContains(t, open(t, "redis://"+srv.Addr(), nil).Do(t.Context(), "GET", "k").Err(), "NOAUTH")
	require.ErrorContains(t, open(t, "redis://ada:wrong@"+srv.Addr(), nil).Do(t.Context(), "GET", "k").Err(), "WRONGPASS")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	https := httptest.NewTLSServer(nil) // for its certificate, which nobody trusts
	t.Cleanup(https.Close)
	srv, err := miniredis.RunTLS(&tls.Config{Certificates: https.TLS.Certificates}) //nolint:gosec // the server's end of a test
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	url := "rediss://" + srv.Addr()
	require.ErrorContains(t, open(t, url, nil).Do(t.Context(), "PING").Err(), "certificate")
	require.NoError(t, open(t, url+"?skip_verify=true", nil).Do(t.Context(), "PING").Err())
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	srv := miniredis.RunT(t)
	path := t.TempDir() + "/s"
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	proxy := &relay{to: srv.Addr()}
	t.Cleanup(proxy.cut)
	go proxy.serve(l)
	require.NoError(t, open(t, "unix://"+path+"?db=1", nil).Do(t.Context(), "SET", "k", "v").Err())
	require.True(t, srv.DB(1).Exists("k"))
}

func TestPipelinesAndTransactionsAnswerPerCommand(t *testing.T) {
	t.Parallel()
	var traced []string
	c := open(t, "redis://"+miniredis.RunT(t).Addr(), &redisdb.Options{Trace: func(ctx context.Context, name string) (context.Context, func(error)) {
		traced = append(traced, name)
		return ctx, func(err error) { require.NoError(t, err) }
	}})
	for _, do := range []func(context.Context, ...redisdb.Command) ([]redisdb.Reply, error){c.Pipeline, c.Transaction} {
		replies, err := do(t.Context(), redisdb.Cmd("SET", "k", "text"), redisdb.Cmd("INCR", "k"), redisdb.Cmd("GET", "none"), redisdb.Cmd("GET", "k"))
		require.NoError(t, err)
		require.Len(t, replies, 4)
		require.NoError(t, replies[0].Err())
		require.ErrorContains(t, replies[1].Err(), "not an integer")
		_, err = replies[2].Text()
		require.ErrorIs(t, err, redisdb.ErrNil)
		text, err := replies[3].Text()
		require.NoError(t, err)
		require.Equal(t, "text", text)
		none, err := do(t.Context())
		require.NoError(t, err)
		require.Empty(t, none)
	}
	require.Equal(t, []string{"set incr get", "multi set incr get exec"}, traced)
}

func TestBigPipelines(t *testing.T) {
	t.Parallel()
	c := open(t, "redis://"+miniredis.RunT(t).Addr(), nil)
	commands := make([]redisdb.Command, 500)
	for i := range commands {
		commands[i] = redisdb.Cmd("XADD", "s", "*", "f", strings.Repeat("x", 4<<10))
	}
	_, err := c.Pipeline(t.Context(), commands...)
	require.NoError(t, err)
	entries, err := c.ReadStream(t.Context(), "s", "0", 1000, time.Second)
	require.NoError(t, err)
	require.Len(t, entries, 500)
	more, err := c.ReadStream(t.Context(), "s", entries[498].ID, 1000, time.Second)
	require.NoError(t, err)
	require.Equal(t, entries[499:], more)
}

func TestReadersWaitForAsLongAsTheyWant(t *testing.T) {
	t.Parallel()
	c := open(t, "redis://"+miniredis.RunT(t).Addr(), &redisdb.Options{MaxConns: 1})
	none, err := c.ReadStream(t.Context(), "s", "0", 10, time.Millisecond)
	require.NoError(t, err)
	require.Empty(t, none)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 3)
	for range cap(done) { // more than there are connections for commands
		go func() {
			_, err := c.ReadStream(ctx, "s", "0", 10, redisdb.MaxBlock)
			done <- err
		}()
	}
	require.NoError(t, c.Do(t.Context(), "PING").Err(), "readers are in nobody's way")
	cancel()
	for range cap(done) {
		require.ErrorIs(t, <-done, context.Canceled)
	}
}

func TestBrokenConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	srv := miniredis.RunT(t)
	c := open(t, "redis://"+srv.Addr(), nil)
	require.NoError(t, c.Do(t.Context(), "SET", "k", "v").Err())
	srv.Close()
	require.NoError(t, srv.Restart())
	v, err := c.Do(t.Context(), "GET", "k").Text()
	require.NoError(t, err)
	require.Equal(t, "v", v)
	srv.Close()
	require.Error(t, c.Do(t.Context(), "GET", "k").Err())
}

func TestReplicasAreLeft(t *testing.T) {
	t.Parallel()
	primary, replica := miniredis.RunT(t), miniredis.RunT(t)
	replica.SetError("READONLY You can't write against a read only replica.")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	// The name leads to the old primary first and to the new one from then on.
	proxy := &relay{to: primary.Addr(), first: replica.Addr()}
	t.Cleanup(proxy.cut)
	go proxy.serve(l)
	c := open(t, "redis://"+l.Addr().String(), nil)
	_, err = c.Pipeline(t.Context(), redisdb.Cmd("SET", "k", "v"))
	require.NoError(t, err)
	require.True(t, primary.Exists("k"))
}

func TestListenersOutliveConnections(t *testing.T) {
	t.Parallel()
	srv := miniredis.RunT(t)
	c := open(t, "redis://"+srv.Addr(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	var heard atomic.Int64
	done := make(chan error, 1)
	go func() { done <- c.Listen(ctx, "ch", func(string) { heard.Add(1) }) }()
	hears := func() bool {
		before := heard.Load()
		_ = c.Do(t.Context(), "PUBLISH", "ch", "m").Err() // again until somebody listens
		return heard.Load() > before
	}
	require.Eventually(t, hears, 10*time.Second, time.Millisecond)
	srv.Close()
	require.NoError(t, srv.Restart())
	require.Eventually(t, hears, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
