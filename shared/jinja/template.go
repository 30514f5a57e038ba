package jinja

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
)

// Options bounds a template's runs. The zero value means the defaults.
type Options struct {
	// MaxSteps bounds the work of one run: evaluated nodes, loop rounds and
	// elements or bytes produced. Default 1,000,000.
	MaxSteps int
	// MaxOutput bounds the output and every single text in bytes. Default 5 MiB.
	MaxOutput int
	// MaxDepth bounds calls of macros and recursive loops. Default 200.
	MaxDepth int
	// MaxSource bounds the template's source in bytes. Default 1 MiB.
	MaxSource int
	// Random chooses for the random filter: a number in [0, n). Default is
	// the process-wide source of math/rand/v2.
	Random func(n int) int
}

func (o Options) withDefaults() Options {
	if o.MaxSteps <= 0 {
		o.MaxSteps = 1_000_000
	}
	if o.MaxOutput <= 0 {
		o.MaxOutput = 5 << 20
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = 200
	}
	if o.MaxSource <= 0 {
		o.MaxSource = 1 << 20
	}
	if o.Random == nil {
		o.Random = rand.IntN
	}
	return o
}

// Template is a compiled template: immutable and safe for concurrent use.
type Template struct {
	opts   Options
	env    *environment
	body   []stmt
	blocks map[string]*blockStmt
	nvars  int
	names  []string // context names by slot
	size   int
}

// environment holds the builtin filters, tests and globals; it is built once
// and never changed.
type environment struct {
	filters map[string]*function
	tests   map[string]*function
	globals map[string]any
}

var defaultEnvironment = sync.OnceValue(newEnvironment)

func newEnvironment() *environment {
	return &environment{filters: builtinFilters(), tests: builtinTests(), globals: builtinGlobals()}
}

// Compile parses a template. The error is an *Error of kind KindSyntax or
// KindAssertion, or of KindLimit or KindRecursion for a source that is too big.
func Compile(source string, opts Options) (t *Template, err error) {
	defer recoverInto(&err, nil)
	opts = opts.withDefaults()
	if len(source) > opts.MaxSource {
		raise(KindLimit, "the template is too large")
	}
	env := defaultEnvironment()
	p := &parser{toks: tokenize(source), env: env}
	p.checkLexed(0)
	body := p.subparse(nil)
	root := newFrame(nil)
	r := &resolver{env: env, root: root, ctxNames: map[string]int{}, blocks: map[string]*blockStmt{}}
	nvars := r.block(body, root)
	names := make([]string, len(r.ctxNames))
	for name, id := range r.ctxNames {
		names[id] = name
	}
	return &Template{opts: opts, env: env, body: body, blocks: r.blocks, nvars: nvars, names: names, size: len(source)}, nil
}

// Render runs the template over vars: JSON values (nil, bool, string, numbers,
// json.Number, []any, map[string]any) and OrderedMap, in any nesting. A plain
// map is read in sorted key order. Nothing the template does changes vars. The
// error is an *Error; errors.Is finds the context's error when it ended the run.
func (t *Template) Render(ctx context.Context, vars map[string]any) (out string, err error) {
	it := &interp{t: t, opts: &t.opts, ctx: ctx, vars: vars, ctxVals: make([]any, len(t.names))}
	defer recoverInto(&err, &it.line)
	it.checkContext()
	it.out = &output{limit: t.opts.MaxOutput}
	it.out.b.Grow(t.size)
	it.scope = &scope{vars: make([]any, t.nvars)}
	it.root = it.scope
	it.exec(t.body)
	return it.out.b.String(), nil
}

// output collects rendered text up to a limit.
type output struct {
	b     strings.Builder
	limit int
}

func (o *output) write(s string) {
	if o.b.Len()+len(s) > o.limit {
		raise(KindLimit, "the output of the template is too large")
	}
	o.b.WriteString(s)
}

// scope holds the variables of one lexical scope; nil means not set.
type scope struct {
	vars   []any
	parent *scope
}

// interp is the state of one run.
type interp struct {
	t          *Template
	opts       *Options
	ctx        context.Context
	vars       map[string]any
	ctxVals    []any
	out        *output
	scope      *scope
	root       *scope
	line       int
	steps      int
	untilCheck int
	depth      int
	valueDepth int
	autoescape bool
}

const checkEvery = 1024

// step charges one unit of work.
func (it *interp) step() { it.charge(1) }

// charge spends n steps and looks at the context now and then.
func (it *interp) charge(n int) {
	it.steps += n
	if it.steps > it.opts.MaxSteps || n < 0 {
		raise(KindLimit, "the template takes too many steps")
	}
	it.untilCheck -= n
	if it.untilCheck <= 0 {
		it.untilCheck = checkEvery
		it.checkContext()
	}
}

// bytesPerStep is the price of text. With the default MaxSteps a run produces
// at most 64 MB of it, whatever it keeps alive.
const bytesPerStep = 64

// chargeBytes spends steps for text.
func (it *interp) chargeBytes(n int) {
	if n >= bytesPerStep {
		it.charge(n / bytesPerStep)
	}
}

// reserve checks the size of a text before it is built.
func (it *interp) reserve(n int) {
	if n > it.opts.MaxOutput || n < 0 {
		raise(KindLimit, "a text of the template is too large")
	}
	it.chargeBytes(n)
}

func (it *interp) checkContext() {
	if err := it.ctx.Err(); err != nil {
		panic(&Error{Kind: KindCanceled, Message: "rendering stopped: " + err.Error(), cause: err})
	}
}

func (it *interp) enter() {
	it.depth++
	if it.depth > it.opts.MaxDepth {
		raise(KindRecursion, "maximum recursion depth exceeded")
	}
}

func (it *interp) leave() { it.depth-- }

func (it *interp) enterValue(msg string) {
	it.valueDepth++
	if it.valueDepth > maxNesting {
		raise(KindRecursion, "%s", msg)
	}
}

func (it *interp) leaveValue() { it.valueDepth-- }

// context resolves a name outside all scopes: a variable, else a global.
func (it *interp) context(id int) any {
	if v := it.ctxVals[id]; v != nil {
		return v
	}
	name := it.t.names[id]
	v, ok := it.vars[name]
	var val any
	switch {
	case ok:
		val = fromGo(v, 0)
	case it.t.env.globals[name] != nil:
		val = it.t.env.globals[name]
	case name == "self":
		val = &templateRef{}
	default:
		val = undefinedName(name)
	}
	it.ctxVals[id] = val
	return val
}
