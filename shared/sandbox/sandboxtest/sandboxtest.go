// Package sandboxtest is the specification of a sandbox driver as a test suite.
// Every driver runs it; what is said here needs no test of its own there.
package sandboxtest

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/stretchr/testify/require"
)

// Harness makes drivers for the suite.
type Harness struct {
	// Open returns a driver; the suite closes it.
	Open func(t *testing.T) driver.Driver
	// Languages that the driver runs; the others must be refused.
	Languages []driver.Language
}

// program is the same behaviour in each language.
type program map[driver.Language]string

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, lang := range h.Languages {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			d := h.Open(t)
			t.Cleanup(func() { require.NoError(t, d.Close()) })
			testResults(t, d, lang)
			testErrors(t, d, lang)
			testLimits(t, d, lang)
			testConcurrent(t, d, lang)
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		d := h.Open(t)
		t.Cleanup(func() { require.NoError(t, d.Close()) })
		s := sandbox.New(d, sandbox.Options{})
		_, err := s.Run(t.Context(), sandbox.Request{Language: "ruby", Code: "x"})
		require.True(t, errs.Is(err, errs.NotImplemented), "%v", err)
		for _, lang := range []driver.Language{driver.Python3, driver.JavaScript} {
			if contains(h.Languages, lang) {
				continue
			}
			_, err := s.Run(t.Context(), sandbox.Request{Language: lang, Code: "x"})
			require.True(t, errs.Is(err, errs.NotImplemented) || errs.Is(err, errs.ServiceUnavailable), "%v", err)
		}
	})
}

func contains(list []driver.Language, l driver.Language) bool {
	for _, x := range list {
		if x == l {
			return true
		}
	}
	return false
}

func testResults(t *testing.T, d driver.Driver, lang driver.Language) {
	t.Helper()
	big := strings.Repeat("äöü漢字😀\"\\\n", 5000)
	for _, c := range []struct {
		name   string
		code   program
		inputs map[string]any
		want   string
	}{
		{
			"arguments by name", program{
				driver.Python3:    "def main(a: str, n: int) -> dict:\n    return {'s': a.upper(), 'n': n * 2, 'f': n / 8}\n",
				driver.JavaScript: "function main({a, n}) { return {s: a.toUpperCase(), n: n * 2, f: n / 8} }",
			}, map[string]any{"a": "ünï", "n": json.Number("4")}, `{"s":"ÜNÏ","n":8,"f":0.5}`,
		},
		{
			"no arguments", program{
				driver.Python3:    "def main():\n    return {}\n",
				driver.JavaScript: "const main = () => ({})",
			}, nil, `{}`,
		},
		{
			"every JSON type", program{
				driver.Python3:    "def main(v):\n    return {'v': v}\n",
				driver.JavaScript: "function main({v}) { return {v} }",
			}, map[string]any{"v": json.RawMessage(`[null,true,false,0,-1,1.5,-2.5e-7,"",{"a":{"b":[]}},123456789012]`)},
			`{"v":[null,true,false,0,-1,1.5,-2.5e-7,"",{"a":{"b":[]}},123456789012]}`,
		},
		{
			"order of keys", program{
				driver.Python3:    "def main(o):\n    return {'keys': list(o), 'inner': list(o['a']['x'][0])}\n",
				driver.JavaScript: "function main({o}) { return {keys: Object.keys(o), inner: Object.keys(o.a.x[0])} }",
			}, map[string]any{"o": json.RawMessage(`{"z":1,"b":2,"a":{"x":[{"q":1,"c":2,"m":3}]},"k":[]}`)},
			`{"keys":["z","b","a","k"],"inner":["q","c","m"]}`,
		},
		{
			"long text", program{
				driver.Python3:    "def main(s):\n    return {'s': s, 'n': len(s)}\n",
				driver.JavaScript: "function main({s}) { return {s, n: Array.from(s).length} }",
			}, map[string]any{"s": big}, string(must(json.Marshal(map[string]any{"s": big, "n": len([]rune(big))}))),
		},
		{
			"printing does not disturb", program{
				driver.Python3:    "print('hello')\ndef main():\n    print({'x': 1})\n    return {'ok': True}\n",
				driver.JavaScript: "console.log('hello')\nfunction main() { console.log({x: 1}); return {ok: true} }",
			}, nil, `{"ok":true}`,
		},
		{
			"standard library", program{
				driver.Python3: "import json, re, math, datetime, hashlib, base64, random, collections, itertools, functools, string, time, uuid, decimal, statistics, html, urllib.parse, textwrap, dataclasses, typing, enum, csv, io, zoneinfo, asyncio\n" +
					"@dataclasses.dataclass\nclass P:\n    x: 'int' = 1\n" +
					"def main():\n    return {'h': hashlib.sha256(b'x').hexdigest()[:8], 'b': base64.b64encode(b'x').decode(), 'm': math.floor(2.5), 'd': str(datetime.date(2024, 2, 29)), 'r': re.sub('a+', 'b', 'caac'), 'p': dataclasses.asdict(P())}\n",
				driver.JavaScript: "function main() { return {h: '2d711642', b: Buffer.from('x').toString('base64'), m: Math.floor(2.5), d: new Date(Date.UTC(2024, 1, 29)).toISOString().slice(0, 10), r: 'caac'.replace(/a+/, 'b'), p: {x: 1}} }",
			}, nil, `{"h":"2d711642","b":"eA==","m":2,"d":"2024-02-29","r":"cbc","p":{"x":1}}`,
		},
		{
			"asynchronous code", program{
				driver.Python3:    "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 7\ndef main():\n    return {'v': asyncio.run(f())}\n",
				driver.JavaScript: "async function main() { await new Promise((ok) => setTimeout(ok, 5)); return {v: 7} }",
			}, nil, `{"v":7}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := sandbox.New(d, sandbox.Options{})
			res, err := s.Run(t.Context(), sandbox.Request{Language: lang, Code: c.code[lang], Inputs: c.inputs})
			require.NoError(t, err)
			require.JSONEq(t, c.want, string(res.Output))
		})
	}
	if lang == driver.Python3 {
		t.Run("integers and floats stay apart", func(t *testing.T) {
			t.Parallel()
			s := sandbox.New(d, sandbox.Options{})
			res, err := s.Run(t.Context(), sandbox.Request{
				Language: lang, Code: "def main(i, f, b):\n    return {'i': type(i).__name__, 'f': type(f).__name__, 'sum': b + 1, 'back': [i, f]}\n",
				Inputs: map[string]any{"i": json.Number("3"), "f": json.Number("3.0"), "b": json.Number("-123456789012345678901234567890")},
			})
			require.NoError(t, err)
			compact := strings.NewReplacer(" ", "", "\n", "").Replace(string(res.Output))
			require.Equal(t, `{"i":"int","f":"float","sum":-123456789012345678901234567889,"back":[3,3.0]}`, compact)
		})
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func testErrors(t *testing.T, d driver.Driver, lang driver.Language) {
	t.Helper()
	for _, c := range []struct {
		name     string
		code     program
		contains string
	}{
		{"exception", program{
			driver.Python3:    "def main():\n    raise ValueError('boom')\n",
			driver.JavaScript: "function main() { throw new TypeError('boom') }",
		}, "boom"},
		{"syntax", program{driver.Python3: "def main(:\n", driver.JavaScript: "function main( {"}, "SyntaxError"},
		{"no main", program{driver.Python3: "x = 1\n", driver.JavaScript: "const x = 1"}, "main"},
		{"list", program{
			driver.Python3: "def main():\n    return ['x']\n", driver.JavaScript: "function main() { return ['x'] }",
		}, "Result must be a dict, got list"},
		{"nothing", program{
			driver.Python3: "def main():\n    pass\n", driver.JavaScript: "function main() { return null }",
		}, "Result must be a dict, got NoneType"},
		{"not JSON", program{
			driver.Python3: "def main():\n    return {'x': {1}}\n", driver.JavaScript: "function main() { const a = {}; a.a = a; return a }",
		}, "TypeError"},
		{"endless recursion", program{
			driver.Python3: "def main():\n    return main()\n", driver.JavaScript: "function main() { return main() + 1 }",
		}, ""},
		{"exit", program{
			driver.Python3: "import sys\ndef main():\n    sys.exit(0)\n", driver.JavaScript: "function main() { process.exit(0) }",
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := sandbox.New(d, sandbox.Options{})
			_, err := s.Run(t.Context(), sandbox.Request{Language: lang, Code: c.code[lang]})
			require.True(t, errs.Is(err, errs.UnprocessableEntity), "%v", err)
			require.Contains(t, errs.Public(err).Message, c.contains)
		})
	}
}

func testLimits(t *testing.T, d driver.Driver, lang driver.Language) {
	t.Helper()
	t.Run("endless loop", func(t *testing.T) {
		t.Parallel()
		s := sandbox.New(d, sandbox.Options{})
		code := program{driver.Python3: "def main():\n    while True: pass\n", driver.JavaScript: "function main() { for (;;); }"}
		_, err := s.Run(t.Context(), sandbox.Request{Language: lang, Code: code[lang], Timeout: 300 * time.Millisecond})
		require.True(t, errs.Is(err, errs.GatewayTimeout), "%v", err)
	})
	t.Run("context", func(t *testing.T) {
		t.Parallel()
		s := sandbox.New(d, sandbox.Options{})
		code := program{driver.Python3: "def main():\n    while True: pass\n", driver.JavaScript: "function main() { for (;;); }"}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := s.Run(ctx, sandbox.Request{Language: lang, Code: code[lang]})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("large result", func(t *testing.T) {
		t.Parallel()
		s := sandbox.New(d, sandbox.Options{MaxOutput: 1 << 16})
		code := program{driver.Python3: "def main():\n    return {'x': 'y' * 100000}\n", driver.JavaScript: "function main() { return {x: 'y'.repeat(100000)} }"}
		_, err := s.Run(t.Context(), sandbox.Request{Language: lang, Code: code[lang]})
		require.True(t, errs.Is(err, errs.RequestEntityTooLarge), "%v", err)
	})
	t.Run("large memory", func(t *testing.T) {
		t.Parallel()
		s := sandbox.New(d, sandbox.Options{})
		code := program{
			driver.Python3:    "def main():\n    x = []\n    while True: x.append(bytearray(8 << 20))\n",
			driver.JavaScript: "function main() { const x = []; for (;;) x.push(new Uint8Array(16 << 20)) }",
		}
		_, err := s.Run(t.Context(), sandbox.Request{Language: lang, Code: code[lang]})
		require.True(t, errs.Is(err, errs.UnprocessableEntity), "%v", err)
	})
}

func testConcurrent(t *testing.T, d driver.Driver, lang driver.Language) {
	t.Helper()
	t.Run("concurrent runs", func(t *testing.T) {
		t.Parallel()
		s := sandbox.New(d, sandbox.Options{})
		code := program{driver.Python3: "def main(i):\n    return {'i': i}\n", driver.JavaScript: "function main({i}) { return {i} }"}
		var wg sync.WaitGroup
		results := make([]string, 6)
		for i := range results {
			wg.Go(func() {
				res, err := s.Run(t.Context(), sandbox.Request{Language: lang, Code: code[lang], Inputs: map[string]any{"i": i}})
				if err != nil {
					results[i] = err.Error()
					return
				}
				results[i] = string(res.Output)
			})
		}
		wg.Wait()
		for i, r := range results {
			require.JSONEq(t, string(must(json.Marshal(map[string]any{"i": i}))), r)
		}
	})
}
