package mockecho_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
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
	for i, want := range all {
		name := fmt.Sprintf("%02d %s %s", i, want.Method, want.Path)
		resp, got := do(t, srv.URL, want)
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
