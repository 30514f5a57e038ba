// Package driver is the small interface that a code sandbox implements. Users
// call package sandbox, which checks requests and results and wraps errors
// once; a driver only runs code. Its behaviour is specified by the suite in
// package sandboxtest: to add a driver, implement Driver and run the suite.
package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Language is a language in which user code is written, by the name that app
// definitions use.
type Language string

// The languages of the contract.
const (
	Python3    Language = "python3"
	JavaScript Language = "javascript"
)

// Request is one run of a user's main function. The portable type has filled
// every field.
type Request struct {
	Language Language
	// Code defines main.
	Code string
	// Inputs is a JSON object. Python gets it as keyword arguments of main,
	// JavaScript as its only argument.
	Inputs json.RawMessage
	// Timeout limits the wall-clock time of the run; ctx may end it earlier.
	Timeout time.Duration
	// MaxOutput limits the bytes of the JSON that main's result becomes.
	MaxOutput int64
	// MaxStdout limits the bytes that the code may print.
	MaxStdout int64
	// EnableNetwork asks for network access. A driver whose operator did not
	// allow it runs the code without.
	EnableNetwork bool
}

// Response is what a finished run left.
type Response struct {
	// Output is main's result as JSON, of any type: the portable type checks it.
	Output json.RawMessage
	// Stdout is what the code printed, when the driver can tell it apart.
	Stdout string
}

// Kind says what went wrong.
type Kind int

// The kinds of failures. The zero value is a failure of the driver itself.
const (
	// Internal is a failure of the sandbox that the user's code did not cause.
	Internal Kind = iota
	// User is an error of the user's code: an exception, a result that has no JSON.
	User
	// Timeout says that the code ran longer than allowed.
	Timeout
	// TooLarge says that the result or the printed text is larger than allowed.
	TooLarge
	// Unavailable says that this machine cannot run the code; the message says what to do.
	Unavailable
	// Unsupported says that this driver does not know the language.
	Unsupported
)

// Error is a failure with its kind and a text for the author of the code.
type Error struct {
	Kind    Kind
	Message string
	// Cause is for the operator's log only.
	Cause error
}

// Errorf makes an Error.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Error returns the message and the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Driver runs user code. Implementations are safe for concurrent use.
type Driver interface {
	// Run runs one request. Failures of a known kind are *Error; when ctx ends
	// it returns an error that wraps ctx's.
	Run(ctx context.Context, req *Request) (*Response, error)
	// Close frees what the driver holds. No Run may be under way.
	Close() error
}
