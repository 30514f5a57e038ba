// Package invoke runs user code in another function, one call per run: the
// functions code-python and code-javascript, which have a role of their own and
// hold no secrets. Driver is the caller's side, Handler the function's.
//
// How a function is called by name is the platform's: Driver takes a Call for
// it. The jail around the code inside that function is package jail's.
package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/sandbox/driver"
)

// Call calls a function by its catalogue name, JSON in, JSON out.
type Call func(ctx context.Context, function string, payload []byte) ([]byte, error)

// functions are the catalogue's names by language.
var functions = map[driver.Language]string{
	driver.Python3:    "code-python",
	driver.JavaScript: "code-javascript",
}

type request struct {
	Language  driver.Language `json:"language"`
	Code      string          `json:"code"`
	Inputs    json.RawMessage `json:"inputs"`
	TimeoutMS int64           `json:"timeout_ms"`
	MaxOutput int64           `json:"max_output,omitempty"`
	MaxStdout int64           `json:"max_stdout,omitempty"`
	Network   bool            `json:"network,omitempty"`
}

type response struct {
	Output json.RawMessage `json:"output,omitempty"`
	Stdout string          `json:"stdout,omitempty"`
	Error  *failure        `json:"error,omitempty"`
}

type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// kinds are the wire names of driver kinds; what is missing is internal.
var kinds = map[string]driver.Kind{
	"user": driver.User, "timeout": driver.Timeout, "too_large": driver.TooLarge,
	"unavailable": driver.Unavailable, "unsupported": driver.Unsupported,
}

// Driver runs code by calling functions.
type Driver struct{ call Call }

var _ driver.Driver = (*Driver)(nil)

// New returns a driver that calls functions with call.
func New(call Call) *Driver { return &Driver{call} }

// Close does nothing: nothing is held between calls.
func (d *Driver) Close() error { return nil }

// Run sends one request to the language's function.
func (d *Driver) Run(ctx context.Context, req *driver.Request) (*driver.Response, error) {
	name, ok := functions[req.Language]
	if !ok {
		return nil, driver.Errorf(driver.Unsupported, "no function runs %s", req.Language)
	}
	payload, err := json.Marshal(request{
		Language: req.Language, Code: req.Code, Inputs: req.Inputs, TimeoutMS: req.Timeout.Milliseconds(),
		MaxOutput: req.MaxOutput, MaxStdout: req.MaxStdout, Network: req.EnableNetwork,
	})
	if err != nil {
		return nil, err
	}
	answer, err := d.call(ctx, name, payload)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &driver.Error{Kind: driver.Unavailable, Message: "the function " + name + " could not be called", Cause: err}
	}
	var res response
	if err := json.Unmarshal(answer, &res); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", name, err)
	}
	if res.Error != nil {
		return nil, &driver.Error{Kind: kinds[res.Error.Kind], Message: res.Error.Message}
	}
	return &driver.Response{Output: res.Output, Stdout: res.Stdout}, nil
}

// Limits bound what a caller may ask of a Handler.
const (
	maxTimeout = 55 * time.Second
	maxOutput  = 5 << 20 // an answer of a function may hold 6 MB
)

// Handler answers a Driver's calls by running code on d in this process. Only
// the given language is accepted.
func Handler(d driver.Driver, language driver.Language) func(ctx context.Context, payload []byte) ([]byte, error) {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var req request
		if err := json.Unmarshal(payload, &req); err != nil {
			return nil, fmt.Errorf("the request is not valid: %w", err)
		}
		if req.Language != language {
			return json.Marshal(response{Error: &failure{"unsupported", fmt.Sprintf("this function runs %s only", language)}})
		}
		timeout := time.Duration(req.TimeoutMS) * time.Millisecond
		if timeout <= 0 || timeout > maxTimeout {
			timeout = maxTimeout
		}
		out, err := d.Run(ctx, &driver.Request{
			Language: language, Code: req.Code, Inputs: req.Inputs, Timeout: timeout,
			MaxOutput: bounded(req.MaxOutput), MaxStdout: bounded(req.MaxStdout), EnableNetwork: req.Network,
		})
		if err != nil {
			return json.Marshal(response{Error: describe(err)})
		}
		return json.Marshal(response{Output: out.Output, Stdout: out.Stdout})
	}
}

func bounded(n int64) int64 {
	if n <= 0 || n > maxOutput {
		return maxOutput
	}
	return n
}

// describe turns a driver's error into its wire form; causes stay in this
// function's log.
func describe(err error) *failure {
	var known *driver.Error
	if errors.Is(err, context.DeadlineExceeded) {
		return &failure{"timeout", "the code ran too long"}
	}
	if !errors.As(err, &known) {
		return &failure{"internal", "the sandbox failed"}
	}
	for name, kind := range kinds {
		if kind == known.Kind {
			return &failure{name, known.Message}
		}
	}
	return &failure{"internal", known.Message}
}
