// Package jsrun evaluates user code in JavaScript with the embedded QuickJS
// engine. It is no jail: the engine is compiled C and a bug in it reaches the
// process. Package jail runs it in a child process without rights; package
// memsandbox runs it in place, for tests.
package jsrun

import (
	_ "embed" // the prelude
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/sandbox/driver"
	"modernc.org/quickjs"
)

//go:embed prelude.js
var prelude string

// Limits of one engine. Zero fields are unlimited.
type Limits struct {
	// Memory limits the bytes of the JavaScript heap.
	Memory int64
	// Stdout limits the printed bytes.
	Stdout int64
	// Time limits each entry into the engine.
	Time time.Duration
}

// Engine is one JavaScript realm, for one run.
type Engine struct {
	vm      *quickjs.VM
	limits  Limits
	out     strings.Builder
	flooded bool
}

// New prepares an engine. It does all work that does not depend on the user's
// code, so a jail can give up its rights between New and Run.
func New(limits Limits) (*Engine, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("start the JavaScript engine: %w", err)
	}
	e := &Engine{vm: vm, limits: limits}
	if err := e.prepare(); err != nil {
		return nil, errors.Join(err, vm.Close())
	}
	return e, nil
}

func (e *Engine) prepare() error {
	err := e.vm.RegisterHostFunc("__millracePrint", func(args []any) (any, error) {
		for _, a := range args {
			s, ok := a.(string)
			if !ok {
				continue
			}
			if e.limits.Stdout > 0 && int64(e.out.Len()+len(s)+1) > e.limits.Stdout {
				e.flooded = true
				e.vm.Interrupt()
				return nil, errors.New("too much text printed")
			}
			e.out.WriteString(s)
			e.out.WriteByte('\n')
		}
		return quickjs.Undefined{}, nil
	})
	if err != nil {
		return fmt.Errorf("register print: %w", err)
	}
	if _, err := e.vm.Eval(strings.Repeat("\n", preludeLine)+prelude, quickjs.EvalGlobal); err != nil {
		return fmt.Errorf("evaluate the prelude: %w", err)
	}
	if _, err := e.vm.Eval("delete globalThis.__millracePrint", quickjs.EvalGlobal); err != nil {
		return fmt.Errorf("hide print: %w", err)
	}
	if e.limits.Memory > 0 {
		e.vm.SetMemoryLimit(uintptr(e.limits.Memory))
	}
	if e.limits.Time > 0 {
		if err := e.vm.SetEvalTimeout(e.limits.Time); err != nil {
			return fmt.Errorf("set the time limit: %w", err)
		}
	}
	return nil
}

// Interrupt stops a Run that is under way, from any goroutine.
func (e *Engine) Interrupt() { e.vm.Interrupt() }

// Close frees the engine.
func (e *Engine) Close() error {
	if err := e.vm.Close(); err != nil {
		return fmt.Errorf("close the JavaScript engine: %w", err)
	}
	return nil
}

// Run evaluates code, calls its main with inputs and returns main's result as
// JSON. A promise is awaited. Its errors are *driver.Error.
func (e *Engine) Run(code string, inputs json.RawMessage) (*driver.Response, error) {
	if _, err := e.vm.Eval(code, quickjs.EvalGlobal); err != nil {
		return nil, e.failure(err)
	}
	start, err := json.Marshal(string(inputs)) // a JSON string is a JavaScript literal
	if err != nil {
		return nil, fmt.Errorf("quote the inputs: %w", err)
	}
	if _, err := e.vm.Eval("__millrace.start("+string(start)+")", quickjs.EvalGlobal); err != nil {
		return nil, e.failure(err)
	}
	for {
		// A rejection that nobody handles ends up in the state, not here.
		if _, err := e.vm.ExecutePendingJobs(); err != nil {
			return nil, e.failure(err)
		}
		state, err := e.ask("state")
		if err != nil {
			return nil, e.failure(err)
		}
		switch state {
		case "done":
			text, err := e.ask("text")
			if err != nil {
				return nil, e.failure(err)
			}
			if e.flooded {
				return nil, e.flood()
			}
			return &driver.Response{Output: json.RawMessage(text), Stdout: e.out.String()}, nil
		case "failed":
			text, err := e.ask("text")
			if err != nil {
				return nil, e.failure(err)
			}
			return nil, e.failure(errors.New(strings.TrimSpace(text)))
		}
		more, err := e.vm.Eval("__millrace.fire()", quickjs.EvalGlobal)
		if err != nil {
			return nil, e.failure(err)
		}
		if fired, ok := more.(bool); !ok || !fired {
			return nil, driver.Errorf(driver.User, "main returned a promise that nothing settles")
		}
	}
}

func (e *Engine) ask(method string) (string, error) {
	v, err := e.vm.Eval("__millrace."+method+"()", quickjs.EvalGlobal)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s answered %T", method, v)
	}
	return s, nil
}

// failure turns an error of the engine into one for the code's author.
func (e *Engine) failure(err error) error {
	if e.flooded {
		return e.flood()
	}
	var js *quickjs.Error
	text := err.Error()
	if errors.As(err, &js) {
		if js.Name == "InternalError" && js.Message == "interrupted" {
			return driver.Errorf(driver.Timeout, "The code ran longer than allowed.")
		}
		if js.Stack != "" {
			text = strings.TrimSpace(text + "\n" + js.Stack)
		}
	}
	return driver.Errorf(driver.User, "%s", readable(text))
}

func (e *Engine) flood() error {
	return driver.Errorf(driver.TooLarge, "The code printed more than %d bytes.", e.limits.Stdout)
}
