package mockmodel_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/mockmodel"
)

// recorded holds answers of the reference implementation of this mock, which
// recorded the conformance cases.
//
//go:embed testdata/recorded.json
var recorded []byte

type exchange struct {
	Path    string
	Request json.RawMessage
	Status  int
	Type    string
	JSON    json.RawMessage
	Events  []json.RawMessage
	SHA256  string
}

func start(t *testing.T, opts *mockmodel.Options) (*mockmodel.Server, string) {
	t.Helper()
	m := mockmodel.New(opts)
	srv := httptest.NewServer(m.Handler())
	t.Cleanup(srv.Close)
	return m, srv.URL
}

func post(t *testing.T, url string, body []byte, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, data
}

func TestAnswersLikeTheReference(t *testing.T) {
	t.Parallel()
	var all []exchange
	require.NoError(t, json.Unmarshal(recorded, &all))
	require.Greater(t, len(all), 40)
	_, url := start(t, nil)
	for i, want := range all {
		t.Run(fmt.Sprintf("%02d%s", i, strings.ReplaceAll(want.Path, "/", "_")), func(t *testing.T) {
			t.Parallel()
			resp, got := post(t, url+want.Path, want.Request)
			require.Equal(t, want.Status, resp.StatusCode, string(got))
			require.Equal(t, want.Type, resp.Header.Get("Content-Type"))
			switch {
			case want.JSON != nil:
				require.JSONEq(t, string(want.JSON), string(got))
			case want.Events != nil:
				events := strings.Split(strings.TrimSuffix(string(got), "\n\n"), "\n\n")
				require.Len(t, events, len(want.Events), string(got))
				for j, e := range events {
					data, ok := strings.CutPrefix(e, "data: ")
					require.True(t, ok)
					if data == "[DONE]" {
						data = `"[DONE]"`
					}
					require.JSONEq(t, string(want.Events[j]), data)
				}
			default:
				sum := sha256.Sum256(got)
				require.Equal(t, want.SHA256, hex.EncodeToString(sum[:]))
			}
		})
	}
}

func TestTranscriptionCountsTheFile(t *testing.T) {
	t.Parallel()
	_, url := start(t, nil)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	require.NoError(t, w.WriteField("model", "mock-stt"))
	part, err := w.CreateFormFile("file", "a.mp3")
	require.NoError(t, err)
	_, err = part.Write([]byte("12345"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, got := post(t, url+"/v1/audio/transcriptions", form.Bytes(), "Content-Type", w.FormDataContentType())
	require.JSONEq(t, `{"text":"transcript of 5 bytes"}`, string(got))
}

func TestCountsCalls(t *testing.T) {
	t.Parallel()
	m, url := start(t, nil)
	body := []byte(`{"model":"mock-chat","messages":[{"role":"user","content":"SAY hi"}]}`)
	post(t, url+"/v1/chat/completions", body, "Idempotency-Key", "k1")
	post(t, url+"/v1/chat/completions", body, "Idempotency-Key", "k1")
	post(t, url+"/v1/completions", []byte(`{"prompt":"x"}`))
	calls := m.Calls()
	require.Equal(t, 3, calls.Total)
	require.Equal(t, 3, calls.Finished)
	require.Equal(t, map[string]int{"k1": 2}, calls.ByKey)
	require.Equal(t, map[string]int{"SAY hi": 2, "x": 1}, calls.ByPrompt)

	resp, err := (&http.Client{}).Get(url + "/__calls")
	require.NoError(t, err)
	defer resp.Body.Close()
	var shown mockmodel.Calls
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&shown))
	require.Equal(t, calls, shown)
}

func TestAbandonedCallIsNotFinished(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.Unix(0, 0))
	m, url := start(t, &mockmodel.Options{Clock: fake})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions",
			strings.NewReader(`{"messages":[{"role":"user","content":"SLOW 1000 SAY x"}]}`))
		if resp, err := (&http.Client{}).Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	fake.BlockUntil(1)
	cancel()
	<-done
	require.Equal(t, 1, m.Calls().Total)
	require.Equal(t, 0, m.Calls().Finished)
}
