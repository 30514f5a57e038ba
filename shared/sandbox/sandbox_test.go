package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/stretchr/testify/require"
)

// canned is a driver that answers the same always and keeps the last request.
type canned struct {
	out string
	err error
	got *driver.Request
}

func (c *canned) Run(_ context.Context, req *driver.Request) (*driver.Response, error) {
	c.got = req
	if c.err != nil {
		return nil, c.err
	}
	return &driver.Response{Output: json.RawMessage(c.out)}, nil
}

func (c *canned) Close() error { return nil }

func TestResultChecks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ out, want, message string }{
		{out: `{"a": 1.0, "b": 12345678901234567890}`, want: `{"a": 1.0, "b": 12345678901234567890}`},
		{out: `{"z":"1.5e+10","a":["1e-2","-3.e+1"],"1e+5":"x"}`, want: `{"z":1.5e+10,"a":[0.01,-30.0],"1e+5":"x"}`},
		{out: `{"a":"x \"1e+5","b":"1e+5 ","c":"1e+999","d":"1E+5"}`, want: `{"a":"x \"1e+5","b":"1e+5 ","c":"1e+999","d":"1E+5"}`},
		{out: `[]`, message: "Result must be a dict, got list"},
		{out: `"x"`, message: "Result must be a dict, got str"},
		{out: `3`, message: "Result must be a dict, got int"},
		{out: `3.5`, message: "Result must be a dict, got float"},
		{out: `true`, message: "Result must be a dict, got bool"},
		{out: `null`, message: "Result must be a dict, got NoneType"},
		{out: ``, message: "Failed to parse JSON response: EOF."},
		{out: `{} {}`, message: "Failed to parse JSON response: text after the value."},
	} {
		s := sandbox.New(&canned{out: c.out}, sandbox.Options{})
		res, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3})
		if c.message != "" {
			require.True(t, errs.Is(err, errs.UnprocessableEntity), c.out)
			require.Equal(t, c.message, errs.Public(err).Message)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, string(res.Output))
	}
}

func TestErrorsGetOneCode(t *testing.T) {
	t.Parallel()
	for kind, code := range map[driver.Kind]errs.Code{
		driver.Internal: errs.Internal, driver.User: errs.UnprocessableEntity, driver.Timeout: errs.GatewayTimeout,
		driver.TooLarge: errs.RequestEntityTooLarge, driver.Unavailable: errs.ServiceUnavailable, driver.Unsupported: errs.NotImplemented,
	} {
		s := sandbox.New(&canned{err: &driver.Error{Kind: kind, Message: "m", Cause: errors.New("secret")}}, sandbox.Options{})
		_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.JavaScript})
		require.True(t, errs.Is(err, code), "%v", kind)
		require.Equal(t, "m", errs.Public(err).Message)
	}
	s := sandbox.New(&canned{err: errors.New("pipe: secret")}, sandbox.Options{})
	_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.JavaScript})
	require.True(t, errs.Is(err, errs.Internal))
	require.NotContains(t, errs.Public(err).Message, "secret")
}

func TestLimitsOfRequests(t *testing.T) {
	t.Parallel()
	c := &canned{out: `{}`}
	s := sandbox.New(c, sandbox.Options{Timeout: time.Second})
	_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Timeout: time.Minute, Inputs: map[string]any{"a": "<b>"}})
	require.NoError(t, err)
	require.Equal(t, time.Second, c.got.Timeout)
	require.Equal(t, `{"a":"<b>"}`, string(c.got.Inputs))
	_, err = s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Timeout: time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, time.Millisecond, c.got.Timeout)
	require.Equal(t, `{}`, string(c.got.Inputs))
	require.EqualValues(t, sandbox.DefaultMaxOutput, c.got.MaxOutput)
}
