// Package codecall lets one function run user code in another: Driver is a
// sandbox driver that calls the code functions by name, Handler is what those
// functions serve. The code so runs under a role without secrets or data.
//
// It is not a sandbox itself: the function at the other end puts a real one
// (package sandbox/jail) behind Handler. How a function is called is given in:
// package lambdacall calls by Lambda's Invoke.
package codecall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox/driver"
)

// Invoke calls the function with that name: JSON in, JSON out.
type Invoke func(ctx context.Context, function string, payload []byte) ([]byte, error)

// The names of the code functions without the deployment's prefix.
const (
	pythonFunction     = "code-python"
	javaScriptFunction = "code-javascript"
)

// maxRequest is what a direct call can carry on every platform, with a margin.
const maxRequest = 5 << 20

// request and response are what goes over the wire. The events/direct.code-*
// samples show the first.
type request struct {
	Language      driver.Language `json:"language"`
	Code          string          `json:"code"`
	Inputs        json.RawMessage `json:"inputs"`
	TimeoutMillis int64           `json:"timeout_ms"`
	MaxOutput     int64           `json:"max_output,omitempty"`
	MaxStdout     int64           `json:"max_stdout,omitempty"`
	EnableNetwork bool            `json:"enable_network,omitempty"`
}

type response struct {
	Output json.RawMessage `json:"output,omitempty"`
	Stdout string          `json:"stdout,omitempty"`
	Error  *failure        `json:"error,omitempty"`
}

// failure is an error of the sandbox. It is part of a successful call, since a
// mistake of the user's is no failure of the function.
type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// kinds names driver.Kind on the wire, in its order.
func kinds() []string {
	return []string{"internal", "user", "timeout", "too_large", "unavailable", "unsupported"}
}

// Driver runs code by calling the code functions.
type Driver struct {
	invoke Invoke
	prefix string
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver that calls the functions named prefix+"code-python" and
// prefix+"code-javascript".
func New(invoke Invoke, prefix string) *Driver { return &Driver{invoke, prefix} }

// Run sends the request to the function of its language.
func (d *Driver) Run(ctx context.Context, req *driver.Request) (*driver.Response, error) {
	name := map[driver.Language]string{driver.Python3: pythonFunction, driver.JavaScript: javaScriptFunction}[req.Language]
	if name == "" {
		return nil, driver.Errorf(driver.Unsupported, "Unsupported language %s", req.Language)
	}
	payload, err := encode(request{
		Language: req.Language, Code: req.Code, Inputs: req.Inputs, TimeoutMillis: req.Timeout.Milliseconds(),
		MaxOutput: req.MaxOutput, MaxStdout: req.MaxStdout, EnableNetwork: req.EnableNetwork,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	if len(payload) > maxRequest {
		return nil, driver.Errorf(driver.TooLarge, "The code and its inputs are larger than %d bytes.", maxRequest)
	}
	out, err := d.invoke(ctx, d.prefix+name, payload)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("call %s: %w", name, ctx.Err())
		}
		return nil, &driver.Error{Kind: driver.Internal, Message: "The code function could not be called.", Cause: err}
	}
	var res response
	if err := json.Unmarshal(out, &res); err != nil {
		return nil, &driver.Error{Kind: driver.Internal, Message: "The code function's answer is not understood.", Cause: err}
	}
	if res.Error != nil {
		kind := max(slices.Index(kinds(), res.Error.Kind), 0)
		return nil, &driver.Error{Kind: driver.Kind(kind), Message: res.Error.Message}
	}
	return &driver.Response{Output: res.Output, Stdout: res.Stdout}, nil
}

// Close does nothing: the functions are not ours to stop.
func (*Driver) Close() error { return nil }

// Options bound what a caller may ask of Handler. The zero value has defaults.
type Options struct {
	// Timeout is the most a run may take; 0 means 55 s, just under the
	// functions' time limit.
	Timeout time.Duration
	// MaxOutput and MaxStdout are the most bytes; 0 means 4 MiB and 1 MiB, which
	// fit a direct call's answer.
	MaxOutput, MaxStdout int64
}

// Handler serves one language with a real sandbox behind it. Requests for the
// other language are refused: each function has its own runtime.
func Handler(d driver.Driver, lang driver.Language, o Options) cloudruntime.TaskHandler {
	if o.Timeout == 0 {
		o.Timeout = 55 * time.Second
	}
	if o.MaxOutput == 0 {
		o.MaxOutput = 4 << 20
	}
	if o.MaxStdout == 0 {
		o.MaxStdout = 1 << 20
	}
	return func(ctx context.Context, t cloudruntime.Task) ([]byte, error) {
		var req request
		if err := json.Unmarshal(t.Body, &req); err != nil || req.Code == "" {
			return nil, errs.Wrap(errs.InvalidParam, errors.Join(err, errors.New("no code")), "The request is not understood.")
		}
		if req.Language != lang {
			return answer(nil, driver.Errorf(driver.Unsupported, "Unsupported language %s", req.Language))
		}
		if len(req.Inputs) == 0 {
			req.Inputs = json.RawMessage("{}")
		}
		res, err := d.Run(ctx, &driver.Request{
			Language: lang, Code: req.Code, Inputs: req.Inputs, EnableNetwork: req.EnableNetwork,
			Timeout:   bound(time.Duration(req.TimeoutMillis)*time.Millisecond, o.Timeout),
			MaxOutput: bound(req.MaxOutput, o.MaxOutput), MaxStdout: bound(req.MaxStdout, o.MaxStdout),
		})
		return answer(res, err)
	}
}

// bound is the smaller of what is asked for, if anything, and the limit.
func bound[T time.Duration | int64](asked, limit T) T {
	if asked <= 0 || asked > limit {
		return limit
	}
	return asked
}

func answer(res *driver.Response, err error) ([]byte, error) {
	var de *driver.Error
	switch {
	case errors.As(err, &de):
		kind := kinds()[driver.Internal]
		if int(de.Kind) < len(kinds()) {
			kind = kinds()[de.Kind]
		}
		return encode(response{Error: &failure{kind, de.Message}})
	case err != nil:
		return nil, err
	}
	return encode(response{Output: res.Output, Stdout: res.Stdout})
}

// encode is json.Marshal without the HTML escapes, which would change results.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
