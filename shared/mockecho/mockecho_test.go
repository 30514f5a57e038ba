package mockecho_test

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/mockecho"
)

// recorded holds answers of the server that the conformance cases were
// recorded with.
//
//go:embed testdata/recorded.json
var recorded []byte

type exchange struct {
	Method, Path  string
	Headers       map[string]string
	Body          []byte
	Status        int
	AnswerHeaders map[string]string `json:"answer_headers"`
	Answer        []byte
	Text          *string
}

func do(t *testing.T, base string, e exchange) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), e.Method, base+e.Path, bytes.NewReader(e.Body))
	require.NoError(t, err)
	for k, v := range e.Headers {
		req.Header.Set(k, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, data
}

// The exchanges run in order: those of /flaky build on each other.
func TestAnswersLikeTheReference(t *testing.T) {
	t.Parallel()
	var all []exchange
	require.NoError(t, json.Unmarshal(recorded, &all))
	require.Greater(t, len(all), 30)
	srv := httptest.NewServer(mockecho.New(nil).Handler())
	t.Cleanup(srv.Close)
	for _, base := range []string{srv.URL, serve(t)} {
		answers(t, base, all)
	}
}

// serve starts a server that answers connections itself.
func serve(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mockecho.New(nil).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return "http://" + l.Addr().String()
}

func answers(t *testing.T, base string, all []exchange) {
	for i, want := range all {
		name := fmt.Sprintf("%02d %s %s", i, want.Method, want.Path)
		resp, got := do(t, base, want)
		require.Equal(t, want.Status, resp.StatusCode, name)
		for k, v := range want.AnswerHeaders {
			require.Equal(t, v, resp.Header.Get(k), name+" "+k)
		}
		require.Empty(t, resp.Header.Get("Date"), name)
		if want.Text != nil {
			require.Equal(t, *want.Text, string(got), name)
		} else {
			require.Equal(t, want.Answer, got, name)
		}
	}
}

// Several requests on one connection, and the order of the headers.
func TestServeKeepsTheOrderOfHeaders(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", serve(t)[len("http://"):])
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // nothing is written any more
	in := bufio.NewReader(conn)
	for _, c := range [][2]string{
		{"GET /file/a.txt", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Echo: yes\r\n" +
			"Content-Disposition: attachment; filename=\"a.txt\"\r\nContent-Length: 17\r\n\r\ncontent of a.txt\n"},
		{"HEAD /text", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nX-Echo: yes\r\nContent-Length: 11\r\n\r\n"},
		{"GET /empty", "HTTP/1.1 204 No Content\r\nX-Echo: yes\r\nContent-Length: 0\r\n\r\n"},
	} {
		_, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\n\r\n", c[0])
		require.NoError(t, err)
		got := make([]byte, len(c[1]))
		_, err = io.ReadFull(in, got)
		require.NoError(t, err)
		require.Equal(t, c[1], string(got))
	}
}

func TestOpenAPINamesItself(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(mockecho.New(nil).Handler())
	t.Cleanup(srv.Close)
	_, got := do(t, srv.URL, exchange{Method: http.MethodGet, Path: "/openapi.json"})
	var doc struct{ Servers []struct{ URL string } }
	require.NoError(t, json.Unmarshal(got, &doc))
	require.Equal(t, srv.URL, doc.Servers[0].URL)
}

func TestCountsCalls(t *testing.T) {
	t.Parallel()
	m := mockecho.New(nil)
	srv := httptest.NewServer(m.Handler())
	t.Cleanup(srv.Close)
	for range 2 {
		do(t, srv.URL, exchange{Method: http.MethodPost, Path: "/echo?x=1", Headers: map[string]string{"Idempotency-Key": "k"}})
	}
	want := mockecho.Calls{Total: 2, ByPath: map[string]int{"POST /echo": 2}, ByKey: map[string]int{"k": 2}}
	require.Equal(t, want, m.Calls())
	_, got := do(t, srv.URL, exchange{Method: http.MethodGet, Path: "/__calls"})
	var shown mockecho.Calls
	require.NoError(t, json.Unmarshal(got, &shown))
	require.Equal(t, want, shown)
	do(t, srv.URL, exchange{Method: http.MethodDelete, Path: "/__calls"})
	require.Zero(t, m.Calls().Total)
}
