package invoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/invoke"
	"github.com/millrace/millrace/shared/sandbox/memsandbox"
	"github.com/stretchr/testify/require"
)

// through calls the handler as a platform would: bytes in, bytes out.
func through(d driver.Driver, lang driver.Language) *invoke.Driver {
	h := invoke.Handler(d, lang)
	return invoke.New(func(ctx context.Context, _ string, payload []byte) ([]byte, error) { return h(ctx, payload) })
}

func request(code string) *driver.Request {
	return &driver.Request{
		Language: driver.JavaScript, Code: code, Inputs: json.RawMessage(`{"a":2}`), Timeout: 5 * time.Second,
		MaxOutput: 1 << 20, MaxStdout: 1 << 20,
	}
}

func TestRunsAndCarriesErrors(t *testing.T) {
	t.Parallel()
	d := through(memsandbox.Open(memsandbox.Options{}), driver.JavaScript)
	res, err := d.Run(t.Context(), request(`function main({a}) { return {b: a + 1} }`))
	require.NoError(t, err)
	require.JSONEq(t, `{"b":3}`, string(res.Output))

	_, err = d.Run(t.Context(), request(`function main() { throw new Error("boom") }`))
	var known *driver.Error
	require.ErrorAs(t, err, &known)
	require.Equal(t, driver.User, known.Kind)
	require.Contains(t, known.Message, "boom")

	py := request("x")
	py.Language = driver.Python3
	_, err = d.Run(t.Context(), py)
	require.ErrorAs(t, err, &known)
	require.Equal(t, driver.Unsupported, known.Kind)
}

func TestACallThatFailsIsUnavailable(t *testing.T) {
	t.Parallel()
	d := invoke.New(func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("throttled") })
	_, err := d.Run(t.Context(), request("x"))
	var known *driver.Error
	require.ErrorAs(t, err, &known)
	require.Equal(t, driver.Unavailable, known.Kind)
}
