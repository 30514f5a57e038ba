package cloudruntime

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/shared/clock"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want Platform
		addr string
	}{
		{map[string]string{}, PlatformHTTP, "127.0.0.1:8080"},
		{map[string]string{"PORT": "9000"}, PlatformHTTP, ":9000"},
		{map[string]string{"PORT": "9000", "FUNCTIONS_CUSTOMHANDLER_PORT": "7071"}, PlatformHTTP, ":7071"},
		{map[string]string{"FC_SERVER_PORT": "9001"}, PlatformHTTP, ":9001"},
		{map[string]string{"PORT": "9000", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}, PlatformLambda, ""},
	} {
		p, addr := Detect(func(k string) (string, bool) { v, ok := c.env[k]; return v, ok })
		require.Equal(t, c.want, p)
		require.Equal(t, c.addr, addr)
	}
}

// serve starts Serve on a free port and returns its address, the stop signal
// and the channel with Serve's result.
func serve(t *testing.T, h Handlers, o Options) (string, context.CancelFunc, <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o.Listener = ln
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, h, o) }()
	t.Cleanup(stop)
	return "http://" + ln.Addr().String(), stop, done
}

func TestStopWaitsForLiveStreams(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	addr, stop, done := serve(t, Handlers{HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		<-Stopping(r.Context())
		close(stopping)
		_, _ = io.WriteString(w, "last\n")
	})}, Options{})
	resp, err := http.Get(addr)
	require.NoError(t, err)
	defer resp.Body.Close()
	buf := make([]byte, 6)
	_, err = io.ReadFull(resp.Body, buf)
	require.NoError(t, err)
	stop()
	<-stopping
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "last\n", string(rest))
	require.NoError(t, <-done)
}

func TestDrainTimeoutAbandons(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.Unix(0, 0))
	ended := make(chan struct{})
	begun := make(chan struct{})
	addr, stop, done := serve(t, Handlers{HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	})}, Options{Clock: fake, DrainTimeout: time.Minute})
	go func() {
		if resp, err := http.Get(addr); err == nil {
			resp.Body.Close()
		}
	}()
	<-begun
	stop()
	fake.BlockUntil(1)
	fake.Advance(time.Minute)
	require.NoError(t, <-done)
	<-ended
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	err = Serve(context.Background(), Handlers{HTTP: http.NotFoundHandler()}, Options{Addr: ln.Addr().String()})
	require.ErrorContains(t, err, "is another process using the port?")
	require.Error(t, Serve(context.Background(), Handlers{}, Options{}))
}

func TestTaskRoutes(t *testing.T) {
	t.Parallel()
	var got Task
	var traceID string
	h := Handlers{
		Task: func(ctx context.Context, task Task) ([]byte, error) {
			got, traceID = task, trace.SpanContextFromContext(ctx).TraceID().String()
			return task.Body, nil
		},
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	}
	handler := Handler(h, Options{Queues: []string{"runs-team"}, TaskToken: "s3cret"})
	post := func(path, token, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	require.Equal(t, http.StatusForbidden, post("/_tasks/runs-team", "wrong", "{}").Code)
	require.Equal(t, http.StatusNotFound, post("/_tasks/other", "s3cret", "{}").Code)
	require.Equal(t, http.StatusTeapot, post("/v1/x", "", "{}").Code)

	require.Equal(t, http.StatusNoContent, post("/_tasks/prod-runs-team", "s3cret",
		`{"message":{"data":"eyJhIjoxfQ==","attributes":{"traceparent":"00-`+sampleTrace+`-00f067aa0ba902b7-01"},"messageId":"m1"},"subscription":"projects/p/subscriptions/s","deliveryAttempt":2}`).Code)
	require.Equal(t, Task{Kind: KindQueue, Source: "runs-team", ID: "m1", Body: []byte(`{"a":1}`), Attempt: 2, Attributes: got.Attributes}, got)
	require.Equal(t, sampleTrace, traceID)

	require.Equal(t, http.StatusNoContent, post("/_tasks/schedule", "s3cret", `{}`, "Ce-Id", "c1", "Ce-Type", "tick").Code)
	require.Equal(t, KindSchedule, got.Kind)
	require.Equal(t, "tick", got.Attributes["type"])

	w := post("/_tasks/direct", "s3cret", `{"x":1}`)
	require.Equal(t, `{"x":1}`, w.Body.String())

	handler = Handler(h, Options{Queues: []string{"runs-team"}})
	require.Equal(t, http.StatusForbidden, post("/_tasks/runs-team", "", "{}").Code, "neither token nor trust: refuse")
	handler = Handler(Handlers{HTTP: h.HTTP}, Options{TasksTrusted: true})
	require.Equal(t, http.StatusTeapot, post("/_tasks/direct", "", "{}").Code, "no task routes on a function without tasks")
}

func TestTimeLimitIsTheDeadline(t *testing.T) {
	t.Parallel()
	var has bool
	handler := Handler(Handlers{HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, has = r.Context().Deadline()
	})}, Options{TimeLimit: time.Minute})
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	require.True(t, has)
}
