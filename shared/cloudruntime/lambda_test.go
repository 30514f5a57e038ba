package cloudruntime

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/errs"
)

const sampleTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "events", name))
	require.NoError(t, err)
	return b
}

func entry(h Handlers, o Options) *lambdaEntry {
	return &lambdaEntry{handlers: h, opts: o.withDefaults()}
}

func invoke(t *testing.T, l *lambdaEntry, payload []byte) []byte {
	t.Helper()
	out, err := l.invoke(context.Background(), payload)
	require.NoError(t, err)
	return drain(t, out)
}

func drain(t *testing.T, out any) []byte {
	t.Helper()
	b, err := io.ReadAll(out.(io.Reader))
	require.NoError(t, err)
	require.NoError(t, out.(io.Closer).Close())
	return b
}

// TestRequestOfEverySample reads each HTTP sample and compares what a handler sees.
func TestRequestOfEverySample(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, URI, Host, Remote, Body, Cookie, Auth string }
	cases := map[string]seen{
		"function-url.chat-messages.json": {
			"POST", "/v1/chat-messages", "k3c5w7abq2xk4nmdzyvfp6h2ue0rljts.lambda-url.eu-west-1.on.aws", "203.0.113.7:0",
			`{"query":"Where is my parcel?","inputs":{},"response_mode":"streaming","user":"customer-42","conversation_id":""}`, "", "Bearer app-4Pz0Yx8Qn1LrT6sVbKcWmE2h",
		},
		"function-url.workflow-run.json": {
			"POST", "/v1/workflows/run", "k3c5w7abq2xk4nmdzyvfp6h2ue0rljts.lambda-url.eu-west-1.on.aws", "203.0.113.7:0",
			`{"inputs":{"ticket":"The invoice is wrong"},"response_mode":"streaming","user":"customer-42"}`, "", "Bearer app-4Pz0Yx8Qn1LrT6sVbKcWmE2h",
		},
		"apigateway-v1.console-apps.json": {
			"GET", "/console/api/apps?limit=30&name=tri+age+%26+more&page=1", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "203.0.113.7:0",
			"", "access_token=eyJhbGciOiJIUzI1NiJ9.e30.x; csrf_token=c5f3", "",
		},
		"apigateway-v1.console-identity.json": {
			"POST", "/console/api/login", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "203.0.113.7:0",
			`{"email":"owner@example.com","password":"cGFzc3dvcmQxMjM=","remember_me":true}`, "locale=en-US", "",
		},
		"apigateway-v2.files.json": {
			"GET", "/files/0191d5f2-0000-7000-8000-00000000000a/file-preview?timestamp=1790172336&nonce=6f1e&sign=Zm9v%3D",
			"h7j6k5l4m3.execute-api.eu-west-1.amazonaws.com", "203.0.113.7:0", "", "locale=en-US; theme=dark", "",
		},
		"alb.service-api.json": {
			"GET", "", "api.example.com", "203.0.113.7:0", "", "", "Bearer app-4Pz0Yx8Qn1LrT6sVbKcWmE2h",
		},
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s := recognise(sample(t, name))
			require.True(t, s.isHTTP())
			r, err := e.request(context.Background(), s)
			require.NoError(t, err)
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			if strings.HasPrefix(name, "alb.") {
				require.Equal(t, "customer 42", r.URL.Query().Get("user"))
				require.Equal(t, []string{"a", "b&c"}, r.URL.Query()["tag"])
				want.URI = r.RequestURI
			}
			got := seen{r.Method, r.RequestURI, r.Host, r.RemoteAddr, string(body), r.Header.Get("Cookie"), r.Header.Get("Authorization")}
			require.Equal(t, want, got)
			require.Empty(t, r.Header.Get("Host"))
		})
	}
}

// TestEverySampleReachesItsHandler calls each function's sample of the
// catalogue and the extra ones in events/.
func TestEverySampleReachesItsHandler(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "*.json"))
	require.NoError(t, err)
	kinds := map[string]bool{}
	for _, f := range files {
		kind, _, _ := strings.Cut(filepath.Base(f), ".")
		kinds[kind] = true
	}
	for _, k := range []string{"apigateway-v1", "apigateway-v2", "alb", "function-url", "sqs", "schedule", "direct"} {
		require.True(t, kinds[k], "no sample of %s", k)
	}
	for _, f := range catalogue.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			var got string
			var tasks []Task
			l := entry(Handlers{
				HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					mux := http.NewServeMux()
					for _, route := range f.Routes {
						mux.HandleFunc(route.Pattern(), func(w http.ResponseWriter, _ *http.Request) { got = "http"; _, _ = fmt.Fprint(w, "ok") })
					}
					mux.ServeHTTP(w, r)
				}),
				Task: func(_ context.Context, task Task) ([]byte, error) {
					got, tasks = string(task.Kind), append(tasks, task)
					return []byte(`{}`), nil
				},
			}, Options{Streaming: f.Streaming, Queues: f.Queues})
			out := invoke(t, l, sample(t, f.Sample))
			want := map[catalogue.Kind]string{
				catalogue.HTTP: "http", catalogue.Queue: "queue", catalogue.Schedule: "schedule",
				catalogue.Direct: "direct", catalogue.OneShot: "direct",
			}[f.Kind]
			require.Equal(t, want, got, "answer: %s", out)
			for _, task := range tasks {
				if f.Kind == catalogue.Queue {
					require.Contains(t, f.Queues, task.Source)
				}
			}
		})
	}
}

func TestQueueMessagesAreUnescaped(t *testing.T) {
	t.Parallel()
	var tasks []Task
	var traces []string
	l := entry(Handlers{Task: func(ctx context.Context, task Task) ([]byte, error) {
		tasks = append(tasks, task)
		traces = append(traces, trace.SpanContextFromContext(ctx).TraceID().String())
		return nil, nil
	}}, Options{Queues: []string{catalogue.QueueRunsTeam}})
	require.JSONEq(t, `{"batchItemFailures":[]}`, string(invoke(t, l, sample(t, "sqs.run-workflow.json"))))
	require.Len(t, tasks, 2)
	require.Equal(t, catalogue.QueueRunsTeam, tasks[0].Source)
	require.Equal(t, "wake up", tasks[0].Attributes["millrace-kind"])
	require.Equal(t, []int{1, 3}, []int{tasks[0].Attempt, tasks[1].Attempt})
	for _, task := range tasks {
		require.True(t, json.Valid(task.Body), string(task.Body))
	}
	require.Equal(t, []string{sampleTrace, sampleTrace}, traces)
}

func TestBatchNamesFailuresOnly(t *testing.T) {
	t.Parallel()
	n := 0
	l := entry(Handlers{Task: func(context.Context, Task) ([]byte, error) {
		if n++; n == 2 {
			panic("second message")
		}
		return nil, nil
	}}, Options{})
	out := invoke(t, l, sample(t, "sqs.run-workflow.json"))
	require.JSONEq(t, `{"batchItemFailures":[{"itemIdentifier":"2e1424d4-f796-459a-8184-9c92662be6d1"}]}`, string(out))
}

func TestBatchStopsNearTheDeadline(t *testing.T) {
	t.Parallel()
	calls := 0
	l := entry(Handlers{Task: func(context.Context, Task) ([]byte, error) { calls++; return nil, nil }}, Options{})
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(batchMargin/2))
	defer cancel()
	out, err := l.invoke(ctx, sample(t, "sqs.run-workflow.json"))
	require.NoError(t, err)
	require.Zero(t, calls)
	require.Equal(t, 2, strings.Count(string(drain(t, out)), "itemIdentifier"))
}

func TestDirectErrorsShowNoInternals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err       error
		typ, text string
	}{
		{errors.New("dial tcp 10.0.0.3: refused"), string(errs.Internal), "Internal Server Error, please contact support."},
		{errs.New(errs.InvalidParam, "code is empty"), string(errs.InvalidParam), "code is empty"},
	} {
		l := entry(Handlers{Task: func(context.Context, Task) ([]byte, error) { return nil, c.err }}, Options{})
		_, err := l.invoke(context.Background(), []byte(`{"a":1}`))
		var fe messages.InvokeResponse_Error
		require.ErrorAs(t, err, &fe)
		require.Equal(t, c.typ, fe.Type)
		require.Equal(t, c.text, fe.Message)
	}
}

func TestDirectTakesAnyJSON(t *testing.T) {
	t.Parallel()
	echo := entry(Handlers{Task: func(_ context.Context, task Task) ([]byte, error) { return task.Body, nil }}, Options{})
	for _, payload := range []string{`"x"`, `[1,2]`, `{"headers":5,"id":7}`, `null`, ` {"httpMethod":"GET"}`} {
		require.Equal(t, payload, string(invoke(t, echo, []byte(payload))))
	}
	none := entry(Handlers{Task: func(context.Context, Task) ([]byte, error) { return nil, nil }}, Options{})
	require.Equal(t, "null", string(invoke(t, none, []byte(`1`))))
}

func answerOf(t *testing.T, b []byte) envelope {
	t.Helper()
	var e envelope
	require.NoError(t, json.Unmarshal(b, &e))
	return e
}

func TestBufferedAnswers(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("X-Test", "yes")
		w.WriteHeader(http.StatusCreated)
		w.Header().Set("X-Late", "no")
		_, _ = w.Write([]byte{0xff, 0x00})
		w.(http.Flusher).Flush()
	})
	l := entry(Handlers{HTTP: h}, Options{})
	for name, check := range map[string]func(*testing.T, envelope){
		"apigateway-v1.service-api.json": func(t *testing.T, e envelope) {
			require.Equal(t, []string{"a=1", "b=2"}, e.MultiHeaders["Set-Cookie"])
			require.Equal(t, []string{"yes"}, e.MultiHeaders["X-Test"])
			require.NotContains(t, e.MultiHeaders, "X-Late")
		},
		"apigateway-v2.files.json": func(t *testing.T, e envelope) {
			require.Equal(t, []string{"a=1", "b=2"}, e.Cookies)
			require.Equal(t, "yes", e.Headers["X-Test"])
		},
		"alb.service-api.json": func(t *testing.T, e envelope) {
			require.Equal(t, "201 Created", e.StatusText)
			require.Equal(t, []string{"a=1", "b=2"}, e.MultiHeaders["Set-Cookie"])
		},
		"function-url.chat-messages.json": func(t *testing.T, e envelope) {
			require.Equal(t, []string{"a=1", "b=2"}, e.Cookies)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := answerOf(t, invoke(t, l, sample(t, name)))
			require.Equal(t, http.StatusCreated, e.StatusCode)
			require.True(t, e.Base64)
			require.Equal(t, base64.StdEncoding.EncodeToString([]byte{0xff, 0}), e.Body)
			check(t, e)
		})
	}
}

func TestBufferedAnswerOverTheLimitIsAClearError(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"text":                     bytes.Repeat([]byte("x"), maxBuffered+1),
		"bytes that base64 swells": bytes.Repeat([]byte{0xff}, 5<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := entry(Handlers{HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })}, Options{})
			e := answerOf(t, invoke(t, l, sample(t, "apigateway-v1.service-api.json")))
			require.Equal(t, http.StatusInternalServerError, e.StatusCode)
			require.Contains(t, e.Body, "6 MB")
		})
	}
}

func TestHandlerPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	h := Handlers{HTTP: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret detail") })}
	e := answerOf(t, invoke(t, entry(h, Options{}), sample(t, "apigateway-v1.service-api.json")))
	require.Equal(t, http.StatusInternalServerError, e.StatusCode)
	require.NotContains(t, e.Body, "secret")
	out := string(invoke(t, entry(h, Options{Streaming: true}), sample(t, "function-url.chat-messages.json")))
	require.Contains(t, out, `"statusCode":500`)
}

func TestStreamSendsEachWriteAtOnce(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	flushed := false
	l := entry(Handlers{HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Add("Set-Cookie", "a=1")
		w.(http.Flusher).Flush()
		for i := range 3 {
			<-next
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
		}
	})}, Options{Streaming: true, AfterInvoke: func(context.Context) { flushed = true }})
	out, err := l.invoke(context.Background(), sample(t, "function-url.chat-messages.json"))
	require.NoError(t, err)
	a := out.(*streamAnswer)
	require.Equal(t, "application/vnd.awslambda.http-integration-response", a.ContentType())
	buf := make([]byte, 1024)
	n, err := a.Read(buf)
	require.NoError(t, err)
	head, ok := bytes.CutSuffix(buf[:n], make([]byte, 8))
	require.True(t, ok)
	require.JSONEq(t, `{"statusCode":200,"headers":{"Content-Type":"text/event-stream"},"cookies":["a=1"]}`, string(head))
	for i := range 3 {
		next <- struct{}{}
		n, err = a.Read(buf)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("data: %d\n\n", i), string(buf[:n]))
	}
	_, err = a.Read(buf)
	require.ErrorIs(t, err, io.EOF)
	require.False(t, flushed)
	require.NoError(t, a.Close())
	require.True(t, flushed)
}

func TestStreamBrokenOffByPanicIsAnError(t *testing.T) {
	t.Parallel()
	l := entry(Handlers{HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "half")
		panic("x")
	})}, Options{Streaming: true})
	out, err := l.invoke(context.Background(), sample(t, "function-url.chat-messages.json"))
	require.NoError(t, err)
	_, err = io.ReadAll(out.(io.Reader))
	require.Error(t, err)
}

func TestDeadlineAndTraceReachTheHandler(t *testing.T) {
	t.Parallel()
	var got time.Time
	var traceID string
	l := entry(Handlers{HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, _ = r.Context().Deadline()
		traceID = trace.SpanContextFromContext(r.Context()).TraceID().String()
	})}, Options{})
	want := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(context.Background(), want)
	defer cancel()
	out, err := l.invoke(ctx, sample(t, "function-url.chat-messages.json"))
	require.NoError(t, err)
	drain(t, out)
	require.True(t, got.Equal(want))
	require.Equal(t, sampleTrace, traceID)
}

func TestWrongKindOfEventIsRefused(t *testing.T) {
	t.Parallel()
	task := entry(Handlers{Task: func(context.Context, Task) ([]byte, error) { return nil, nil }}, Options{})
	_, err := task.invoke(context.Background(), sample(t, "apigateway-v1.service-api.json"))
	require.Error(t, err)
	web := entry(Handlers{HTTP: http.NotFoundHandler()}, Options{})
	_, err = web.invoke(context.Background(), sample(t, "sqs.run-workflow.json"))
	require.Error(t, err)
}

func TestPathsWithEscapes(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{"/a%2Fb/c%20d": "/a/b/c d", "/100%": "/100%", "": "/"} {
		e := event{HTTPMethod: "GET", Path: raw, RequestContext: &requestContext{}}
		r, err := e.request(context.Background(), shapeREST)
		require.NoError(t, err)
		require.Equal(t, want, r.URL.Path)
	}
	e := event{Version: "2.0", RawPath: "/prod/v1/info", RequestContext: &requestContext{Stage: "prod"}}
	e.RequestContext.HTTP = &struct {
		Method   string `json:"method"`
		SourceIP string `json:"sourceIp"`
	}{Method: "GET"}
	r, err := e.request(context.Background(), shapeHTTPAPI)
	require.NoError(t, err)
	require.Equal(t, "/v1/info", r.URL.Path)
}

func TestQueueName(t *testing.T) {
	t.Parallel()
	known := []string{"runs-team", "team", "runs"}
	require.Equal(t, "runs-team", queueName("prod-runs-team", known))
	require.Equal(t, "runs", queueName("runs", known))
	require.Equal(t, "xruns", queueName("xruns", known))
}
