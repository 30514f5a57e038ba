package llm

import (
	"errors"
	"fmt"
)

// Kind sorts the ways in which a call of a model fails. Callers act on the
// kind, never on the text.
type Kind string

// The kinds of the contract.
const (
	KindConnection  Kind = "InvokeConnectionError"
	KindServer      Kind = "InvokeServerUnavailableError"
	KindRateLimit   Kind = "InvokeRateLimitError"
	KindAuth        Kind = "InvokeAuthorizationError"
	KindBadRequest  Kind = "InvokeBadRequestError"
	KindCredentials Kind = "CredentialsValidateFailedError"
	// KindUnsupported marks a call that the driver or model does not offer.
	KindUnsupported Kind = "NotSupportedError"
)

// Error is a failed call of a model. Message may be shown to users: drivers
// put the provider's own text there, never headers or keys.
type Error struct {
	Kind     Kind
	Provider string
	// Status is the HTTP status, if there was one.
	Status  int
	Message string
	Cause   error
}

// Error returns the text that users see: who failed, how, and the provider's
// own words.
func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = e.Kind.text()
	} else {
		text = e.Kind.text() + ": " + text
	}
	if e.Provider == "" {
		return text
	}
	return fmt.Sprintf("[%s] Error: %s", e.Provider, text)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func (k Kind) text() string {
	switch k {
	case KindConnection:
		return "Connection Error"
	case KindServer:
		return "Server Unavailable Error"
	case KindRateLimit:
		return "Rate Limit Error"
	case KindAuth:
		return "Incorrect model credentials provided, please check and try again. "
	case KindBadRequest:
		return "Bad Request Error"
	case KindCredentials:
		return "Credentials validation failed"
	case KindUnsupported:
		return "not supported by this model"
	}
	return string(k)
}

// KindOf returns the kind of err, "" when it is not a failed model call.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// KindOfStatus sorts an HTTP status of a model API.
func KindOfStatus(status int) Kind {
	switch {
	case status == 401 || status == 403:
		return KindAuth
	case status == 429:
		return KindRateLimit
	case status >= 500:
		return KindServer
	}
	return KindBadRequest
}
