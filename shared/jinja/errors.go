package jinja

import "fmt"

// Kinds of Error: the class name the Python engine would raise, plus
// KindLimit, KindCanceled and KindInternal which are this package's own.
const (
	// KindSyntax marks a template that cannot be parsed.
	KindSyntax = "TemplateSyntaxError"
	// KindAssertion marks a template that parses but cannot be compiled.
	KindAssertion = "TemplateAssertionError"
	// KindRuntime marks engine errors while rendering.
	KindRuntime = "TemplateRuntimeError"
	// KindUndefined marks the use of an undefined value.
	KindUndefined = "UndefinedError"
	// KindSecurity marks access the sandbox refuses.
	KindSecurity = "SecurityError"
	// KindFilterArgument marks wrong arguments of a filter.
	KindFilterArgument = "FilterArgumentError"
	// KindType is Python's TypeError.
	KindType = "TypeError"
	// KindValue is Python's ValueError.
	KindValue = "ValueError"
	// KindZeroDivision is Python's ZeroDivisionError.
	KindZeroDivision = "ZeroDivisionError"
	// KindOverflow is Python's OverflowError.
	KindOverflow = "OverflowError"
	// KindKey is Python's KeyError.
	KindKey = "KeyError"
	// KindIndex is Python's IndexError.
	KindIndex = "IndexError"
	// KindRecursion is Python's RecursionError.
	KindRecursion = "RecursionError"
	// KindRuntimePy is Python's RuntimeError.
	KindRuntimePy = "RuntimeError"
	// KindAssert is Python's AssertionError.
	KindAssert = "AssertionError"
	// KindLimit marks a run that went over a limit of Options.
	KindLimit = "LimitError"
	// KindCanceled marks a run whose context ended; Unwrap gives its error.
	KindCanceled = "Canceled"
	// KindInternal marks a defect of the interpreter itself.
	KindInternal = "InternalError"
)

// Error is every error of this package. Error() is the text Python's
// str(exception) would give, without the class name.
type Error struct {
	// Kind is the Python class name of the error (see the Kind constants).
	Kind string
	// Message is the text of the exception.
	Message string
	// Line is the 1-based line of the template, 0 when unknown.
	Line int

	cause error
}

// Error returns the message alone, as str(exception) does in Python.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the context's error for a cancelled run.
func (e *Error) Unwrap() error { return e.cause }

// raise stops the run. Rendering uses panics of *Error inside the package, as
// deep recursive evaluators do; Compile and Render recover them, so no panic
// crosses the API.
func raise(kind, format string, args ...any) {
	msg := format
	if len(args) > 0 {
		msg = fmt.Sprintf(format, args...)
	}
	panic(&Error{Kind: kind, Message: msg})
}

func raiseType(format string, args ...any) { raise(KindType, format, args...) }

// recoverInto turns a panic into err. Anything that is not an *Error is a
// defect; it is reported as such instead of taking the process down.
func recoverInto(err *error, line *int) {
	r := recover()
	if r == nil {
		return
	}
	e, ok := r.(*Error)
	if !ok {
		e = &Error{Kind: KindInternal, Message: fmt.Sprintf("template interpreter defect: %v", r)}
	}
	if e.Line == 0 && line != nil {
		e.Line = *line
	}
	*err = e
}
