//go:build linux && (amd64 || arm64)

package jail_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/jail"
	"github.com/stretchr/testify/require"
)

// TestTracebacks compares errors with what this machine's interpreter prints
// for the program that they pretend to come from: the code, empty lines, and
// the call of main ten lines below the code's end.
func TestTracebacks(t *testing.T) {
	t.Parallel()
	d := open(t, jail.Options{})
	python, err := exec.LookPath("python3")
	require.NoError(t, err)
	s := sandbox.New(d, sandbox.Options{})
	for _, c := range []struct {
		name, code string
		want       []string // parts, beside equality with the interpreter
	}{
		{"raise", "def main(q):\n    if q == \"bad\":\n        raise ValueError(\"boom \" + q)\n    return {\"out\": q, \"n\": 1}\n", []string{
			"Traceback (most recent call last):\n  File \"/var/sandbox/main.py\", line 14, in <module>\n    output_obj = main(**inputs_obj)\n",
			"  File \"/var/sandbox/main.py\", line 3, in main\n    raise ValueError(\"boom \" + q)\n", "ValueError: boom bad\n",
		}},
		{"no newline at the end", "def main(q):\n  return 1 / 0", []string{"line 11, in <module>", "line 2, in main"}},
		{"helpers", "\n\ndef helper(x):\n    return x['a']['b'] + 1\n\ndef main(q):\n    return {'x': helper({'a': {}})}\n", []string{"line 17, in <module>", "KeyError: 'b'"}},
		{"while defining", "x = 1\ny = x + None\ndef main(q):\n    return {}\n", []string{"line 2, in <module>\n    y = x + None\n"}},
		{"no main", "x = 1\n", []string{"line 11, in <module>", "NameError: name 'main' is not defined\n"}},
		{"other arguments", "def main(a, b):\n    return {}\n", []string{"line 12, in <module>", "TypeError: main()"}},
		{"cause", "def main(q):\n    try:\n        int(q)\n    except ValueError as e:\n        raise RuntimeError('no number') from e\n", []string{
			"The above exception was the direct cause", "line 3, in main",
		}},
		{"library", "import json\ndef main(q):\n    return json.loads(q)\n", []string{"line 3, in main", "json.decoder.JSONDecodeError"}},
		{"lambda on several lines", "f = (lambda v:\n     v.nothing)\ndef main(q):\n    return f(\n        q\n    )\n", []string{"in <lambda>", "AttributeError"}},
		{"windows line ends", "def main(q):\r\n    raise ValueError(q)\r\n", []string{"line 12, in <module>", "    raise ValueError(q)\n"}},
		{"form feed and separators", "x = '\u2028 \x0c'\ndef main(q):\n    raise ValueError(q)\n", []string{"line 13, in <module>", "    raise ValueError(q)\n"}},
		{"recursion", "def main(q):\n    return main(q)\n", []string{"RecursionError", "maximum recursion depth exceeded"}},
		{"future", "from __future__ import annotations\ndef main(q: nothing) -> dict:\n    raise ValueError('x')\n", []string{"line 13, in <module>"}},
		{"syntax", "def main(q):\n    return {'a': }\n", []string{"  File \"/var/sandbox/main.py\", line 2\n    return {'a': }\n", "SyntaxError: "}},
		{"indentation", "def main(q):\nreturn {}\n", []string{"line 2\n    return {}\n", "IndentationError: "}},
		{"late syntax", "x = 1\nreturn x\n", []string{"line 2\n    return x\n", "SyntaxError: 'return' outside function\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: c.code, Inputs: map[string]any{"q": "bad"}})
			require.True(t, errs.Is(err, errs.UnprocessableEntity), "%v", err)
			got := errs.Public(err).Message
			require.Equal(t, differs.ReplaceAllString(printed(t.Context(), t, python, c.code), ""), differs.ReplaceAllString(got, ""))
			for _, part := range c.want {
				require.Contains(t, got, part)
			}
			require.NotContains(t, got, "_millrace")
		})
	}
}

// differs is what may be told in other words: how deep an endless recursion was
// depends on what is below it, and guesses at names are made by some versions
// only when they print an error themselves; and the compiler points at less of
// a wrongly indented line when it reads from a file.
var differs = regexp.MustCompile(`repeated \d+ more times|\. Did you mean: '\w+'\?|\^+\nIndentation`)

// printed is what the interpreter itself says about the program in a file.
func printed(ctx context.Context, t *testing.T, python, code string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.py")
	program := code + strings.Repeat("\n", 4) + "inputs_obj = {'q': 'bad'}" + strings.Repeat("\n", 5) + "output_obj = main(**inputs_obj)\n"
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, python, "-I", "-S", "-B", "-X", "utf8=1", file)
	cmd.Stderr = &stderr
	require.Error(t, cmd.Run(), "the code is expected to fail")
	return strings.ReplaceAll(stderr.String(), file, "/var/sandbox/main.py")
}

func TestResultsThatAreNotJSON(t *testing.T) {
	t.Parallel()
	s := sandbox.New(open(t, jail.Options{}), sandbox.Options{})
	for _, load := range []string{"", "import json\n"} {
		_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: load + "def main():\n    return {'x': {1}}\n"})
		require.Equal(t, "TypeError: Object of type set is not JSON serializable\n", errs.Public(err).Message)
	}
	_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: "class D(dict):\n    def items(self):\n        raise ValueError('mine')\ndef main():\n    return D(a=1)\n"})
	require.Equal(t, "Traceback (most recent call last):\n  File \"/var/sandbox/main.py\", line 3, in items\n    raise ValueError('mine')\nValueError: mine\n", errs.Public(err).Message)
}
