// Package errs is the closed set of error codes and the one table that maps
// them to HTTP. A code is what clients act on; it is the contract's `code`
// string. Domain packages make errors with New or Wrap; the edge turns any
// error into a response body with Public.
//
// An error without a code is internal: its text is for the operator's log and
// never reaches a client. To add a code, add a constant and a row in codes.go.
package errs

import (
	"context"
	"errors"
	"fmt"
)

// Code is one of the contract's error codes.
type Code string

// Error carries a code and a message that may be shown to the client.
type Error struct {
	Code    Code
	Message string
	// Status overrides the table's HTTP status where the contract uses one code
	// with several statuses; 0 means the table's.
	Status int
	// Params is the name of the offending request field, if the contract shows it.
	Params string
	// Cause is for the log only.
	Cause error
}

// Error returns the public message followed by the cause.
func (e *Error) Error() string {
	msg := e.Message
	if msg == "" {
		msg = string(e.Code)
	}
	if e.Cause != nil {
		return msg + ": " + e.Cause.Error()
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error with a code and a message for the client. An empty
// message stands for the code's default message.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Newf is New with a formatted message.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives err a code and a message for the client. It returns nil for a nil
// error and leaves errors that have a code already as they are, so that a seam
// wraps exactly once.
func Wrap(code Code, err error, message string) error {
	if err == nil {
		return nil
	}
	var have *Error
	if errors.As(err, &have) {
		return err
	}
	return &Error{Code: code, Message: message, Cause: err}
}

// CodeOf returns the code of the first coded error in err's chain: "" for nil,
// Internal for errors without a code.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }

// Body is the wire form of an error: {"code","message","status"[,"params"]}.
type Body struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Params  string `json:"params,omitempty"`
	Status  int    `json:"status"`
}

// Public returns what a client may see of err.
func Public(err error) Body {
	var e *Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.DeadlineExceeded) {
			return Body{Code: string(GatewayTimeout), Message: defaultMessage(GatewayTimeout), Status: Status(GatewayTimeout)}
		}
		return Body{Code: string(Internal), Message: defaultMessage(Internal), Status: Status(Internal)}
	}
	b := Body{Code: string(e.Code), Message: e.Message, Params: e.Params, Status: e.Status}
	if b.Message == "" {
		b.Message = defaultMessage(e.Code)
	}
	if b.Status == 0 {
		b.Status = Status(e.Code)
	}
	return b
}
