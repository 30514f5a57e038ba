// Package codetool is the built-in provider "code": it runs a short program
// and answers with what that prints. How code is kept away from the host is
// package sandbox's matter.
package codetool

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Runner runs code; *sandbox.Sandbox is one.
type Runner interface {
	Run(ctx context.Context, req sandbox.Request) (*sandbox.Result, error)
}

// The programs around the user's, which has no main function: its prints are
// collected here because not every sandbox can tell them from other output.
const (
	python = `def main(code):
    import contextlib, io
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
        except SystemExit as end:
            if end.code not in (None, 0):
                raise RuntimeError("the code ended with exit status " + str(end.code)) from None
    return {"printed": printed.getvalue()}
`
	javaScript = `function main({ code }) {
  let printed = '';
  const show = (v) => typeof v === 'string' ? v
    : v instanceof Error || typeof v !== 'object' || v === null ? String(v) : JSON.stringify(v);
  const log = (...all) => { printed += all.map(show).join(' ') + '\n'; };
  const quiet = () => {};
  const own = { log, info: log, debug: log, error: quiet, warn: quiet, trace: quiet };
  const result = new Function('console', code)(own);
  return Promise.resolve(result).then(() => ({ printed }));
}
`
)

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#155EEF" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">` +
	`<path d="M8 6l-6 6 6 6M16 6l6 6-6 6M14 4l-4 16"/></svg>`

// New returns the provider. Its code runs on runner.
func New(runner Runner) *builtin.Provider {
	labels := []string{"productivity"}
	language := driver.Parameter{
		Name: "language", Type: "select", Form: driver.FormForm, Required: true, Default: string(sandbox.Python3),
		Label: builtin.Translated("Language", "语言"), Description: builtin.Same("what the code is written in"),
		Options: []driver.Option{
			{Value: string(sandbox.Python3), Label: builtin.Same("Python 3")}, {Value: string(sandbox.JavaScript), Label: builtin.Same("JavaScript")},
		},
	}
	code := driver.Parameter{
		Name: "code", Type: "string", Form: driver.FormLLM, Required: true, Label: builtin.Translated("Code", "代码"),
		Description: builtin.Same("the program"), ModelDescription: "a complete program that prints its result",
	}
	about := "Runs a short program and answers with what it prints."
	return &builtin.Provider{
		Provider: driver.Provider{
			Type: driver.Builtin, ID: "code", Name: "code", Author: "Millrace", Label: builtin.Translated("Code Interpreter", "代码解释器"),
			Description: builtin.Same(about), Labels: labels, Icon: driver.Icon{MIMEType: "image/svg+xml", Data: []byte(icon)},
			Tools: []*driver.Tool{{
				Name: "simple_code", Label: builtin.Translated("Code Interpreter", "代码解释器"), Description: builtin.Same(about), ModelDescription: about,
				Parameters: []driver.Parameter{language, code}, OutputSchema: value.NewObject(0), Labels: labels,
			}},
		},
		Funcs: map[string]builtin.Func{"simple_code": run(runner)},
	}
}

func run(runner Runner) builtin.Func {
	return func(ctx context.Context, call *driver.Call, send func(driver.Message) error) error {
		req := sandbox.Request{Language: sandbox.Language(call.Parameters.String("language")), EnableNetwork: true}
		switch req.Language {
		case sandbox.Python3:
			req.Code = python
		case sandbox.JavaScript:
			req.Code = javaScript
		default:
			return errs.Newf(errs.InvalidParam, "Only python3 and javascript are supported, not %s.", req.Language)
		}
		req.Inputs = map[string]any{"code": call.Parameters.String("code")}
		got, err := runner.Run(ctx, req)
		if err != nil {
			return err
		}
		v, err := value.Decode(got.Output)
		if err != nil {
			return errs.Wrap(errs.Internal, err, "The output of the code cannot be read.")
		}
		o, _ := v.(*value.Object)
		return builtin.Say(send, o.String("printed"))
	}
}
