package lambdacall_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/millrace/millrace/shared/cloudruntime/lambdacall"
)

func caller(t *testing.T, h http.HandlerFunc) *lambdacall.Caller {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return lambdacall.New(aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(srv.URL),
		Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
	})
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	c := caller(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		custom, _ := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Client-Context"))
		if r.URL.Path != "/2015-03-31/functions/millrace-code-python/invocations" || string(body) != `{"a":1}` ||
			string(custom) != `{"custom":{"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"}}` {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `{"b":2}`)
	})
	out, err := c.Invoke(trace.ContextWithSpanContext(t.Context(), sc), "millrace-code-python", []byte(`{"a":1}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"b":2}`, string(out))
}

func TestFunctionErrorAndNoRetry(t *testing.T) {
	t.Parallel()
	c := caller(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_, _ = io.WriteString(w, `{"errorType":"invalid_param","errorMessage":"code is empty"}`)
	})
	_, err := c.Invoke(t.Context(), "f", []byte(`{}`))
	var fe *lambdacall.FunctionError
	require.ErrorAs(t, err, &fe)
	require.Equal(t, "invalid_param", fe.Type)

	calls := 0
	c = caller(t, func(w http.ResponseWriter, _ *http.Request) { calls++; w.WriteHeader(http.StatusInternalServerError) })
	_, err = c.Invoke(context.Background(), "f", []byte(`{}`))
	require.Error(t, err)
	require.Equal(t, 1, calls)
}
