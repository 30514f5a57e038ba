//go:build unix

package lambdaemu

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/mempubsub"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/cloudruntime/lambdacall"
)

var binDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "lambdaemu")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a rest costs space only
		binDir = dir
		cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", filepath.Join(dir, "plain"), "./testdata/probe")
		if out, err := cmd.CombinedOutput(); err != nil {
			panic(string(out))
		}
		for _, name := range []string{"stream", "mismatch", "short", "worker"} {
			if err := os.Symlink("plain", filepath.Join(dir, name)); err != nil {
				panic(err)
			}
		}
		return m.Run()
	}())
}

// rig is an emulator with the test template, its gateway on a port, and a
// server that probes talk to.
type rig struct {
	*Emulator
	url    string
	gate   chan struct{} // each receive lets one waiting probe go on
	held   chan struct{} // tells that a probe has come to wait
	peer   *httptest.Server
	report chan map[string]any
	topic  *pubsub.Topic
	out    *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	tpl, err := ReadTemplate(filepath.Join("testdata", "template.yaml"), nil)
	require.NoError(t, err)
	r := &rig{gate: make(chan struct{}), held: make(chan struct{}, 64), report: make(chan map[string]any, 16), out: &syncBuffer{}}
	r.peer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			r.held <- struct{}{}
			select {
			case r.gate <- struct{}{}:
			case <-req.Context().Done():
			}
			return
		}
		var v map[string]any
		_ = json.NewDecoder(req.Body).Decode(&v)
		r.report <- v
	}))
	r.topic = mempubsub.NewTopic()
	sub := mempubsub.NewSubscription(r.topic, 30*time.Second)
	o := Options{
		Template: tpl, BinaryDir: binDir, Freeze: true, MaxInstances: 4, Output: r.out,
		Subscriptions: map[string]*pubsub.Subscription{"probe-queue": sub},
		Env: func(f Function) map[string]string {
			f.Env["PROBE_REPORT"] = r.peer.URL
			return f.Env
		},
	}
	if change != nil {
		change(&o)
	}
	r.Emulator, err = New(t.Context(), o)
	require.NoError(t, err)
	srv := httptest.NewServer(r.Handler())
	r.url = srv.URL
	t.Cleanup(func() {
		r.Close()
		srv.CloseClientConnections()
		srv.Close()
		r.peer.CloseClientConnections()
		r.peer.Close()
		_ = sub.Shutdown(context.Background())
		_ = r.topic.Shutdown(context.Background())
	})
	return r
}

func (r *rig) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(r.url + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

// eventually polls, for states of other processes that nothing announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 10*time.Second, 5*time.Millisecond, what)
}

func TestBufferedRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	req, err := http.NewRequest(http.MethodPost, r.url+"/echo/a%20b?x=1&x=2", bytes.NewReader([]byte{0xff, 0, 1}))
	require.NoError(t, err)
	req.Header.Set("X-Probe", "yes")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, resp.StatusCode)
	require.Equal(t, "POST /echo/a b x=1&x=2 3 yes", string(body))
	require.Len(t, resp.Cookies(), 2)

	_, deadline := r.get(t, "/deadline")
	require.Equal(t, "true 20", deadline)
	status, text := r.get(t, "/big")
	require.Equal(t, http.StatusInternalServerError, status)
	require.Contains(t, text, "6 MB")
}

func TestRoutesWithoutMethodsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	status, text := r.get(t, "/a/1")
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, text, "Missing Authentication Token")
	status, _ = r.get(t, "/a/1/b")
	require.Equal(t, http.StatusForbidden, status, "POST only")
	status, _ = r.get(t, "/a/1/c")
	require.Equal(t, http.StatusNotFound, status, "the greedy route, and the function's own 404")
}

func TestTooLargeARequestIsRefusedInTheTemplatesWords(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	resp, err := http.Post(r.url+"/echo/x", "application/octet-stream", bytes.NewReader(make([]byte, 16<<20)))
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	require.JSONEq(t, `{"code": "too_large", "message": "Request Too Long"}`, string(body))
}

func TestLengthsOfAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for path, want := range map[string]int64{
		"/echo/x?" + strings.Repeat("x", 4000): 4016, // over what net/http counts itself
		"/sized":                               5000,
		"/sse?gate=" + "none":                  -1,
	} {
		resp, err := http.Get(r.url + path)
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.ContentLength, path[:6])
		require.True(t, want < 0 || n == want)
	}
	resp, err := http.Head(r.url + "/sized")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, int64(5000), resp.ContentLength)
}

func TestStreamArrivesEventByEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	resp, err := http.Get(r.url + "/sse?gate=" + r.peer.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		// The function waits after each event, so a held-back one would never come.
		for _, want := range []string{fmt.Sprintf("id: %d\n", i), "data: x\n", "\n"} {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, want, line)
		}
		<-r.gate
	}
	_, err = lines.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestStreamOutlivesItsClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	resp, err := http.Get(r.url + "/sse?gate=" + r.peer.URL)
	require.NoError(t, err)
	_, err = bufio.NewReader(resp.Body).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	for range 3 {
		<-r.gate // the function goes on to its end
	}
	eventually(t, "the instance is free again", func() bool {
		is := r.Instances("stream")
		return len(is) == 1 && !is[0].Busy
	})
}

func TestBrokenStreamIsNotTakenForWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	resp, err := http.Get(r.url + "/broken")
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.Error(t, err)
	require.Equal(t, "half", string(b))
}

func TestStreamingFunctionBehindBufferedIntegrationFails(t *testing.T) {
	t.Parallel()
	status, _ := newRig(t, nil).get(t, "/mismatch")
	require.Equal(t, http.StatusBadGateway, status)
}

func TestCrashCostsOneRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	_, first := r.get(t, "/pid")
	status, _ := r.get(t, "/crash")
	require.Equal(t, http.StatusBadGateway, status)
	status, second := r.get(t, "/pid")
	require.Equal(t, http.StatusOK, status)
	require.NotEqual(t, first, second)
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	status, text := r.get(t, "/hang") // the integration's
	require.Equal(t, http.StatusGatewayTimeout, status)
	require.Contains(t, text, "Endpoint request timed out")

	_, err := r.Invoke(t.Context(), "short", []byte(`{"version":"2.0","rawPath":"/hang","requestContext":{"http":{"method":"GET"}}}`))
	var fe *FunctionError
	require.ErrorAs(t, err, &fe) // the function's
	require.Equal(t, "Sandbox.Timedout", fe.Type)
	eventually(t, "the process is gone", func() bool { return len(r.Instances("short")) == 0 })
}

func TestWarmInstancesAreReusedAndNewOnesStarted(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.MaxInstances = 2 })
	_, a := r.get(t, "/pid")
	eventually(t, "idle", func() bool { return !r.Instances("plain")[0].Busy })
	_, b := r.get(t, "/pid")
	require.Equal(t, strings.Fields(a)[0], strings.Fields(b)[0])
	require.Equal(t, "2", strings.Fields(b)[1])

	pids := make(chan string, 3)
	for range 3 {
		go func() {
			resp, err := http.Get(r.url + "/hold?gate=" + r.peer.URL)
			if err != nil {
				pids <- err.Error()
				return
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			pids <- string(text)
		}()
	}
	eventually(t, "two busy, one waiting", func() bool {
		r.pools["plain"].mu.Lock()
		defer r.pools["plain"].mu.Unlock()
		return len(r.pools["plain"].instances) == 2 && len(r.pools["plain"].waiting) == 1
	})
	seen := map[string]bool{}
	for range 3 {
		<-r.gate
		seen[<-pids] = true
	}
	require.Len(t, seen, 2)
	require.Len(t, r.Instances("plain"), 2)
}

func TestIdleInstancesAreStopped(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	r := newRig(t, func(o *Options) { o.Clock = fake; o.IdleTimeout = time.Minute })
	// Deadlines come from the fake clock and are years away from the functions' own.
	_, err := r.Invoke(t.Context(), "plain", []byte(`1`))
	require.NoError(t, err)
	eventually(t, "idle", func() bool { is := r.Instances("plain"); return len(is) == 1 && !is[0].Busy })
	pid := r.Instances("plain")[0].PID
	eventually(t, "scaled to zero", func() bool {
		fake.Advance(10 * time.Second)
		return len(r.Instances("")) == 0
	})
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

func TestKill(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	failed := make(chan int, 1)
	go func() {
		resp, err := http.Get(r.url + "/hold?gate=" + r.peer.URL)
		if err != nil {
			failed <- 0
			return
		}
		_ = resp.Body.Close()
		failed <- resp.StatusCode
	}()
	<-r.held
	require.True(t, r.Kill(r.Instances("plain")[0].ID))
	require.Equal(t, http.StatusBadGateway, <-failed)
	require.False(t, r.Kill("nobody"))

	// An idle one that dies costs nothing.
	status, _ := r.get(t, "/pid")
	require.Equal(t, http.StatusOK, status)
	r.Kill(r.Instances("plain")[0].ID)
	status, _ = r.get(t, "/pid")
	require.Equal(t, http.StatusOK, status)
}

func TestFunctionThatCannotStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) {
		o.Env = func(Function) map[string]string { return map[string]string{"PROBE_CRASH_AT_START": "1"} }
	})
	status, _ := r.get(t, "/pid")
	require.Equal(t, http.StatusBadGateway, status)
	r = newRig(t, func(o *Options) { o.BinaryDir = t.TempDir() })
	_, err := r.Invoke(t.Context(), "plain", []byte(`1`))
	require.ErrorContains(t, err, "Runtime.InvalidEntrypoint")
}

func TestQueueWithPartialFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, body := range []string{"good", "fail once", string([]byte{0xff, 0xfe})} {
		require.NoError(t, r.topic.Send(t.Context(), &pubsub.Message{
			Body: []byte(body), Metadata: map[string]string{"traceparent": "00-aa", "odd key!": "ü %"},
		}))
	}
	attempts := map[string]any{}
	for range 3 {
		v := <-r.report
		require.Equal(t, "probe-queue", v["source"])
		require.Equal(t, map[string]any{"traceparent": "00-aa", "odd key!": "ü %"}, v["attributes"])
		attempts[v["body"].(string)] = v["attempt"]
	}
	require.Len(t, attempts, 3)
	require.EqualValues(t, 1, attempts["good"])
	require.EqualValues(t, 2, attempts["fail once"], "only the failed message comes again")
}

func TestScheduleFires(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	f, ok := r.opts.Template.Find("worker")
	require.True(t, ok)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		r.runSchedule(ctx, f, rate(10*time.Millisecond))
		close(ended)
	}()
	for range 2 {
		v := <-r.report
		require.Equal(t, "schedule", v["kind"])
		require.Equal(t, "millrace-worker", v["source"])
	}
	cancel()
	<-ended
}

func TestDirectCallOverTheInvokeAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := lambdacall.New(aws.Config{
		Region: region, BaseEndpoint: aws.String("http://" + r.api.addr),
		Credentials: credentials.NewStaticCredentialsProvider("emulated", "emulated", ""),
	})
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	out, err := c.Invoke(trace.ContextWithSpanContext(t.Context(), sc), "millrace-worker", []byte(`{"a":1}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"got":{"a":1},"kind":"direct",
		"attributes":{"traceparent":"00-01000000000000000000000000000000-0200000000000000-00"}}`, string(out))
	_, err = c.Invoke(t.Context(), "nobody", []byte(`{}`))
	require.ErrorContains(t, err, "ResourceNotFoundException")
	_, err = c.Invoke(t.Context(), "millrace-short", []byte(`{"version":"2.0","rawPath":"/hang","requestContext":{"http":{"method":"GET"}}}`))
	var fe *lambdacall.FunctionError
	require.ErrorAs(t, err, &fe)
	require.Equal(t, "Sandbox.Timedout", fe.Type)
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	_, text := r.get(t, "/pid")
	pid, err := strconv.Atoi(strings.Fields(text)[0])
	require.NoError(t, err)
	r.Close()
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.Contains(t, r.out.String(), "[plain] stopped cleanly")
	_, err = r.Invoke(t.Context(), "plain", []byte(`1`))
	require.ErrorIs(t, err, errClosed)
}

func TestMissingSubscriptionIsAnError(t *testing.T) {
	t.Parallel()
	tpl, err := ReadTemplate(filepath.Join("testdata", "template.yaml"), nil)
	require.NoError(t, err)
	_, err = New(t.Context(), Options{Template: tpl})
	require.ErrorContains(t, err, "no subscription for queue probe-queue")
}

// BenchmarkColdStart is spawn to first answer through the gateway.
func BenchmarkColdStart(b *testing.B) {
	tpl, err := ReadTemplate(filepath.Join("testdata", "template.yaml"), nil)
	require.NoError(b, err)
	topic := mempubsub.NewTopic()
	e, err := New(b.Context(), Options{
		Template: tpl, BinaryDir: binDir,
		Subscriptions: map[string]*pubsub.Subscription{"probe-queue": mempubsub.NewSubscription(topic, time.Minute)},
	})
	require.NoError(b, err)
	defer e.Close()
	for b.Loop() {
		_, err := e.Invoke(b.Context(), "plain", []byte(`{"a":1}`))
		require.NoError(b, err)
		b.StopTimer()
		for _, i := range e.Instances("plain") {
			e.Kill(i.ID)
		}
		for len(e.Instances("plain")) > 0 {
			runtime.Gosched()
		}
		b.StartTimer()
	}
}

// BenchmarkWarm is a request to an instance that waits.
func BenchmarkWarm(b *testing.B) {
	tpl, err := ReadTemplate(filepath.Join("testdata", "template.yaml"), nil)
	require.NoError(b, err)
	topic := mempubsub.NewTopic()
	e, err := New(b.Context(), Options{
		Template: tpl, BinaryDir: binDir,
		Subscriptions: map[string]*pubsub.Subscription{"probe-queue": mempubsub.NewSubscription(topic, time.Minute)},
	})
	require.NoError(b, err)
	defer e.Close()
	for b.Loop() {
		_, err := e.Invoke(b.Context(), "plain", []byte(`{"a":1}`))
		require.NoError(b, err)
	}
}
