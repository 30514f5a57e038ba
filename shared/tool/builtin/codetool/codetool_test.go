package codetool_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/builtin/codetool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/tooltest"
	"github.com/millrace/millrace/shared/workflow/value"
)

// plain runs the programs without a jail: they are the test's own.
type plain struct{}

func (plain) Run(ctx context.Context, req sandbox.Request) (*sandbox.Result, error) {
	in, err := json.Marshal(req.Inputs)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "python3", "-c", "import json, sys\n"+req.Code+"\nprint(json.dumps(main(**json.loads(sys.argv[1]))))", string(in))
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, errs.New(errs.UnprocessableEntity, "the code failed")
	}
	return &sandbox.Result{Output: out}, nil
}

// canned answers without running anything.
type canned struct{ asked *sandbox.Request }

func (c canned) Run(ctx context.Context, req sandbox.Request) (*sandbox.Result, error) {
	*c.asked = req
	if req.Inputs["code"] == "fail" {
		return nil, errs.New(errs.UnprocessableEntity, "the code failed")
	}
	return &sandbox.Result{Output: json.RawMessage(`{"printed": "42\n"}`)}, ctx.Err()
}

func call(language, code string) driver.Call {
	return driver.Call{
		Ref:        driver.Ref{TenantID: "t", Type: driver.Builtin, Provider: "code", Tool: "simple_code"},
		Parameters: value.Obj("language", language, "code", code),
	}
}

func TestRuntime(t *testing.T) {
	t.Parallel()
	tooltest.Run(t, func(*testing.T) tooltest.Subject {
		bad := call("python3", "fail")
		return tooltest.Subject{Runtime: builtin.New(codetool.New(canned{&sandbox.Request{}})), Type: driver.Builtin, Works: call("python3", "print(42)"), Fails: &bad}
	})
}

func TestPicksTheLanguage(t *testing.T) {
	t.Parallel()
	asked := &sandbox.Request{}
	r := builtin.New(codetool.New(canned{asked}))
	for _, language := range []string{"python3", "javascript"} {
		c := call(language, "x")
		said := ""
		require.NoError(t, r.Invoke(t.Context(), &c, func(m driver.Message) error { said += m.Text; return nil }))
		require.Equal(t, "42\n", said)
		require.Equal(t, language, string(asked.Language))
		require.Equal(t, map[string]any{"code": "x"}, asked.Inputs)
	}
	c := call("cobol", "x")
	require.ErrorContains(t, r.Invoke(t.Context(), &c, func(driver.Message) error { return nil }), "cobol")
}

func TestPythonProgram(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	r := builtin.New(codetool.New(plain{}))
	for code, want := range map[string]string{
		"import sys\ndef f(n):\n    return 1 if n < 2 else n * f(n - 1)\nif __name__ == '__main__':\n    print(f(5), end='')\nsys.exit(0)": "120",
		"import sys\nsys.exit(3 / 1)": "!",
	} {
		c := call("python3", code)
		said := ""
		err := r.Invoke(t.Context(), &c, func(m driver.Message) error { said += m.Text; return nil })
		if want == "!" {
			require.Error(t, err, code)
			continue
		}
		require.NoError(t, err, code)
		require.Equal(t, want, said, code)
	}
}
