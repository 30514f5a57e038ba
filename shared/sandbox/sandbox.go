// Package sandbox runs the code that users write in their apps: a main function
// in Python or JavaScript that gets named inputs and returns an object.
//
// Sandbox is the portable type. It checks requests and results, applies limits
// and gives every failure one code of package errs; how the code is kept away
// from the host is the driver's job:
//
//   - jail: a child process of this program under seccomp, landlock, namespaces
//     and resource limits (Linux);
//   - remote: a sandbox service that speaks the contract's HTTP protocol;
//   - invoke: a function of its own, in which a jail runs the code;
//   - memsandbox: JavaScript inside this process, for tests only.
//
// It is not the code node: types and limits of declared outputs are checked in
// package workflow/node/code. START HERE: Run, then jail's package comment.
package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox/driver"
)

// Language is a language in which user code is written.
type Language = driver.Language

// The languages that app definitions know.
const (
	Python3    = driver.Python3
	JavaScript = driver.JavaScript
)

// Defaults of Options.
const (
	DefaultTimeout   = 15 * time.Second
	DefaultMaxOutput = 16 << 20
	DefaultMaxStdout = 1 << 20
)

// Options are limits for all runs of a Sandbox. The zero value has the defaults.
type Options struct {
	// Timeout is used for requests that have none, and is the most that a
	// request may ask for. Default DefaultTimeout.
	Timeout time.Duration
	// MaxOutput limits the JSON of a result in bytes. Default DefaultMaxOutput.
	MaxOutput int64
	// MaxStdout limits the printed text in bytes. Default DefaultMaxStdout.
	MaxStdout int64
}

// Request is one run of a user's main function.
type Request struct {
	Language Language
	// Code defines main.
	Code string
	// Inputs are main's named arguments. json.Number and json.RawMessage keep
	// what a float64 would lose. Nil is no arguments.
	Inputs map[string]any
	// Timeout shortens Options.Timeout for this run; 0 leaves it.
	Timeout time.Duration
	// EnableNetwork asks for network access; the driver's operator decides.
	EnableNetwork bool
}

// Result is what main returned.
type Result struct {
	// Output is the returned object. Its text is as the driver gave it, so
	// decode numbers with json.Decoder.UseNumber.
	Output json.RawMessage
	// Stdout is what the code printed, where the driver can tell.
	Stdout string
}

// Sandbox runs user code through a driver. It is safe for concurrent use.
type Sandbox struct {
	d    driver.Driver
	opts Options
}

// New returns a Sandbox over d. Drivers have their own constructors.
func New(d driver.Driver, opts Options) *Sandbox {
	if opts.Timeout <= 0 {
		opts.Timeout = DefaultTimeout
	}
	if opts.MaxOutput <= 0 {
		opts.MaxOutput = DefaultMaxOutput
	}
	if opts.MaxStdout <= 0 {
		opts.MaxStdout = DefaultMaxStdout
	}
	return &Sandbox{d: d, opts: opts}
}

// Close closes the driver.
func (s *Sandbox) Close() error { return s.d.Close() }

// Run calls main of req.Code with the inputs. Its errors have these codes:
//
//   - errs.UnprocessableEntity: the user's code failed or returned no object;
//     the message is for its author
//   - errs.GatewayTimeout: it ran too long
//   - errs.RequestEntityTooLarge: its result or its prints are too large
//   - errs.ServiceUnavailable: there is no sandbox; the message says what to do
//   - errs.NotImplemented: the language is not known here
//   - errs.Internal: the sandbox itself failed
//
// When ctx ends the error wraps ctx's.
func (s *Sandbox) Run(ctx context.Context, req Request) (*Result, error) {
	if req.Language != Python3 && req.Language != JavaScript {
		return nil, errs.Newf(errs.NotImplemented, "Unsupported language %s", req.Language)
	}
	inputs := req.Inputs
	if inputs == nil {
		inputs = map[string]any{}
	}
	raw, err := marshal(inputs)
	if err != nil {
		return nil, errs.Wrap(errs.InvalidParam, err, "The inputs of the code cannot be written as JSON.")
	}
	timeout := s.opts.Timeout
	if req.Timeout > 0 && req.Timeout < timeout {
		timeout = req.Timeout
	}
	res, err := s.d.Run(ctx, &driver.Request{
		Language: req.Language, Code: req.Code, Inputs: raw, Timeout: timeout,
		MaxOutput: s.opts.MaxOutput, MaxStdout: s.opts.MaxStdout, EnableNetwork: req.EnableNetwork,
	})
	if err != nil {
		return nil, wrap(err)
	}
	if int64(len(res.Output)) > s.opts.MaxOutput {
		return nil, errs.Newf(errs.RequestEntityTooLarge, "The result of the code is larger than %d bytes.", s.opts.MaxOutput)
	}
	if err := checkObject(res.Output); err != nil {
		return nil, err
	}
	return &Result{Output: readExponentials(res.Output), Stdout: res.Stdout}, nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode inputs: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// wrap gives a driver's error its code, once.
func wrap(err error) error {
	var de *driver.Error
	if !errors.As(err, &de) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("run code: %w", err)
		}
		return errs.Wrap(errs.Internal, err, "The code sandbox failed.")
	}
	code := errs.Internal
	switch de.Kind {
	case driver.User:
		code = errs.UnprocessableEntity
	case driver.Timeout:
		code = errs.GatewayTimeout
	case driver.TooLarge:
		code = errs.RequestEntityTooLarge
	case driver.Unavailable:
		code = errs.ServiceUnavailable
	case driver.Unsupported:
		code = errs.NotImplemented
	case driver.Internal:
	}
	return &errs.Error{Code: code, Message: de.Message, Cause: de.Cause}
}

// checkObject refuses results that are not one JSON object, in the words of
// the contract.
func checkObject(raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err == nil {
		if _, extra := dec.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("text after the value")
		}
	}
	if err != nil {
		return errs.Newf(errs.UnprocessableEntity, "Failed to parse JSON response: %s.", err)
	}
	if _, ok := v.(map[string]any); !ok {
		return errs.New(errs.UnprocessableEntity, "Result must be a dict, got "+pythonType(v))
	}
	return nil
}

// pythonType names the type of a decoded JSON value as the contract's messages do.
func pythonType(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case string:
		return "str"
	case []any:
		return "list"
	case json.Number:
		if bytes.ContainsAny([]byte(x), ".eE") {
			return "float"
		}
		return "int"
	default:
		return "dict"
	}
}
