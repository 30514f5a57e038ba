package jsrun

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/sandbox/driver"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, code, want string }{
		{
			"throw", "function helper() {\n  throw new TypeError('boom')\n}\nfunction main() {\n  return helper()\n}",
			"TypeError: boom\n    at helper (/var/sandbox/main.js:2:22)\n    at main (/var/sandbox/main.js:5:3)",
		},
		{"syntax", "function main( {\n  return 1\n}", "SyntaxError: invalid destructuring target\n    at /var/sandbox/main.js:3:1"},
		{"while defining", "const x = 1\nx.y.z", "TypeError: cannot read property 'z' of undefined\n    at /var/sandbox/main.js:2:4"},
		{"no main", "const x = 1", "ReferenceError: 'main' is not defined"},
		{"later", "async function main() { await null; throw new Error('late') }", "Error: late\n    at main (/var/sandbox/main.js:1:52)"},
		{"timer", "function main() {\n  setTimeout(() => { throw new Error('x') }, 1)\n  return new Promise(() => {})\n}", "Error: x\n    at /var/sandbox/main.js:2:37"},
		{"no error", "function main() { throw {a: 1} }", `Uncaught {"a":1}`},
		{"own class", "class Mine extends Error {\n  get name() { return 'Mine' }\n}\nfunction main() { throw new Mine('own') }", "Mine: own\n    at Mine (/var/sandbox/main.js:3:1)\n    at main (/var/sandbox/main.js:4:33)"},
		{"lines", "function main() { throw new Error('one\\ntwo') }", "Error: one\ntwo\n    at main (/var/sandbox/main.js:1:34)"},
		{"circular", "function main() { const a = {}; a.a = a; return a }", "TypeError: circular reference"},
		{
			"built-in", "function main() { return [1].map(function cb() { throw new Error('in') }) }",
			"Error: in\n    at cb (/var/sandbox/main.js:1:65)\n    at map (native)\n    at main (/var/sandbox/main.js:1:19)",
		},
		{"helper of the prelude", "function main() {\n  return Buffer.from('x', 'odd')\n}", "TypeError: Unknown encoding: odd\n    at main (/var/sandbox/main.js:2:3)"},
		{"names like ours", "function start() {\n  throw new Error('x')\n}\nfunction main() { return start() }", "Error: x\n    at start (/var/sandbox/main.js:2:18)\n    at main (/var/sandbox/main.js:4:19)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, fail(t, c.code))
		})
	}
	t.Run("deep", func(t *testing.T) {
		t.Parallel()
		text := fail(t, "function main() { return main() + 1 }")
		require.Regexp(t, `^InternalError: stack overflow(\n    at main \(/var/sandbox/main\.js:1:30\)){10}$`, text)
	})
}

func fail(t *testing.T, code string) string {
	t.Helper()
	e, err := New(Limits{})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	_, err = e.Run(code, json.RawMessage("{}"))
	var failed *driver.Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, driver.User, failed.Kind)
	return failed.Message
}
