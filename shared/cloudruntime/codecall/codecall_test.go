package codecall_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/cloudruntime/codecall"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/memsandbox"
	"github.com/millrace/millrace/shared/sandbox/sandboxtest"
)

// loop calls the handler of the JavaScript function in this process.
func loop(t *testing.T) codecall.Invoke {
	t.Helper()
	h := codecall.Handler(memsandbox.Open(memsandbox.Options{}), driver.JavaScript, codecall.Options{MaxOutput: 16 << 20})
	return func(ctx context.Context, function string, payload []byte) ([]byte, error) {
		if !strings.HasPrefix(function, "millrace-code-") {
			return nil, errors.New("no function " + function)
		}
		return h(ctx, cloudruntime.Task{Kind: cloudruntime.KindDirect, Body: payload})
	}
}

func TestDriver(t *testing.T) {
	t.Parallel()
	sandboxtest.Run(t, sandboxtest.Harness{
		Open:      func(t *testing.T) driver.Driver { t.Helper(); return codecall.New(loop(t), "millrace-") },
		Languages: []driver.Language{driver.JavaScript},
	})
}

func TestSampleOfTheFunction(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("..", "..", "..", "events", "direct.code-javascript.json"))
	require.NoError(t, err)
	h := codecall.Handler(memsandbox.Open(memsandbox.Options{}), driver.JavaScript, codecall.Options{})
	out, err := h(t.Context(), cloudruntime.Task{Body: body})
	require.NoError(t, err)
	require.JSONEq(t, `{"output":{"sum":5}}`, string(out))
	_, err = h(t.Context(), cloudruntime.Task{Body: []byte(`{}`)})
	require.True(t, errs.Is(err, errs.InvalidParam))
}

// asked is a driver that notes what it was asked for.
type asked struct{ req *driver.Request }

func (a *asked) Run(_ context.Context, req *driver.Request) (*driver.Response, error) {
	a.req = req
	return &driver.Response{Output: []byte(`{}`)}, nil
}
func (*asked) Close() error { return nil }

func TestHandlerBoundsWhatACallerAsksFor(t *testing.T) {
	t.Parallel()
	a := &asked{}
	h := codecall.Handler(a, driver.JavaScript, codecall.Options{Timeout: time.Second, MaxOutput: 10, MaxStdout: 20})
	_, err := h(t.Context(), cloudruntime.Task{Body: []byte(`{"language":"javascript","code":"x","timeout_ms":3600000,"max_output":5,"max_stdout":99}`)})
	require.NoError(t, err)
	require.Equal(t, time.Second, a.req.Timeout)
	require.EqualValues(t, 5, a.req.MaxOutput)
	require.EqualValues(t, 20, a.req.MaxStdout)
	require.JSONEq(t, `{}`, string(a.req.Inputs))
}

func TestDriverFailures(t *testing.T) {
	t.Parallel()
	s := sandbox.New(codecall.New(loop(t), "other-"), sandbox.Options{})
	_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.JavaScript, Code: "x"})
	require.True(t, errs.Is(err, errs.Internal))
	require.NotContains(t, errs.Public(err).Message, "other-")

	s = sandbox.New(codecall.New(loop(t), "millrace-"), sandbox.Options{})
	_, err = s.Run(t.Context(), sandbox.Request{Language: sandbox.JavaScript, Code: strings.Repeat(" ", 6<<20)})
	require.True(t, errs.Is(err, errs.RequestEntityTooLarge))

	garbled := codecall.New(func(context.Context, string, []byte) ([]byte, error) { return []byte("<html>"), nil }, "")
	_, err = sandbox.New(garbled, sandbox.Options{}).Run(t.Context(), sandbox.Request{Language: sandbox.JavaScript, Code: "x"})
	require.True(t, errs.Is(err, errs.Internal))
}
