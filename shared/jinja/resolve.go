package jinja

import (
	"maps"
	"slices"
)

// frame is a lexical scope at compile time. Names are declared by stores
// anywhere in it; at run time an unset slot lets the lookup continue outwards,
// which gives the engine's rule that a name keeps its outer value until the
// scope assigns it.
type frame struct {
	parent   *frame
	names    map[string]int
	n        int
	usesLoop bool
	loopSlot int
	captured bool // contains a macro or call block
	isBlock  bool // sees the outer scope only through the context
	seen     map[string]bool
	undef    []string // stored before they are read, and not known outside
}

func (f *frame) see(name string) {
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[name] = true
}

// store declares a name that a statement of the scope assigns.
func (f *frame) store(name string) {
	f.declare(name)
	known := false
	for s := f; s != nil && !known; s = s.parent {
		known = s.seen[name]
	}
	if !known {
		f.undef = append(f.undef, name)
	}
	f.see(name)
}

func newFrame(parent *frame) *frame { return &frame{parent: parent, loopSlot: -1} }

func (f *frame) declare(name string) int {
	if s, ok := f.names[name]; ok {
		return s
	}
	if f.names == nil {
		f.names = map[string]int{}
	}
	f.names[name] = f.n
	f.n++
	return f.n - 1
}

type resolver struct {
	env      *environment
	root     *frame
	ctxNames map[string]int
	blocks   map[string]*blockStmt
	forDepth int
	soft     bool // inside an if: unknown filters fail at run time only
}

func (r *resolver) fail(line int, msg string) {
	panic(&Error{Kind: KindAssertion, Message: msg, Line: line})
}

// bind resolves a name in f.
func (r *resolver) bind(n *nameExpr, f *frame) {
	n.refs = n.refs[:0]
	depth, crossed := 0, false
	for s := f; s != nil; s = s.parent {
		if slot, ok := s.names[n.name]; ok {
			n.refs = append(n.refs, slotRef{depth, slot})
			if n.name == "loop" && slot == s.loopSlot {
				s.usesLoop = true
			}
			n.noContext = !crossed && slices.Contains(s.undef, n.name)
		}
		crossed = crossed || s.isBlock
		depth++
	}
	id, ok := r.ctxNames[n.name]
	if !ok {
		id = len(r.ctxNames)
		r.ctxNames[n.name] = id
	}
	n.ctx = id
}

// declareTargets declares the names an assignment target stores.
func (r *resolver) declareTargets(e expr, f *frame) {
	switch e := e.(type) {
	case *nameExpr:
		if e.name == "loop" && r.forDepth > 0 {
			r.fail(e.line, "Can't assign to special loop variable in for-loop target")
		}
		f.store(e.name)
	case *nsRefExpr:
		f.see(e.ns.name)
	case *tupleExpr:
		for _, it := range e.items {
			r.declareTargets(it, f)
		}
	}
}

// declareParams declares names that are set when the scope is entered.
func (r *resolver) declareParams(e expr, f *frame) {
	switch t := e.(type) {
	case *nameExpr:
		f.see(t.name)
	case *tupleExpr:
		for _, it := range t.items {
			r.declareParams(it, f)
		}
	}
	r.declareTargets(e, f)
}

// scan walks the statements of a scope itself, not of those inside it, in the
// order they run: it declares what they store and notes which names are stored
// before anything reads them. Such a name is undefined until then, even when
// the caller gave a variable of that name; this only shows to the scopes inside.
func (r *resolver) scan(body []stmt, f *frame) {
	for _, s := range body {
		switch s := s.(type) {
		case *setStmt:
			r.load(s.value, f)
			r.declareTargets(s.target, f)
		case *setBlockStmt:
			r.declareTargets(s.target, f)
		case *macroStmt:
			f.store(s.target.name)
			f.captured = true
		case *callBlockStmt:
			r.load(s.call, f)
			f.captured = true
		case *loadStmt:
			r.load(s.template, f)
			for _, t := range s.targets {
				f.store(t.name)
			}
		case *ifStmt:
			r.load(s.test, f)
			r.scanBranches(s, f)
		case *forStmt:
			r.load(s.iter, f)
		case *withStmt:
			for _, v := range s.values {
				r.load(v, f)
			}
		case *filterBlockStmt:
			r.load(s.filter, f)
		case *outputStmt:
			r.load(s, f)
		}
	}
}

// scanBranches scans an if: a name stored in a branch keeps what it had before
// for the case that the branch is not taken.
func (r *resolver) scanBranches(s *ifStmt, f *frame) {
	before, seen := len(f.undef), maps.Clone(f.seen)
	if seen == nil {
		seen = map[string]bool{}
	}
	branch := func(body []stmt) {
		f.seen = maps.Clone(seen)
		r.scan(body, f)
	}
	branch(s.body)
	after := f.seen
	for _, body := range append([][]stmt{elifs(s)}, s.els) {
		branch(body)
		maps.Copy(f.seen, after)
		after = f.seen
	}
	f.seen = after
	f.undef = f.undef[:before]
}

func elifs(s *ifStmt) []stmt {
	out := make([]stmt, len(s.elifs))
	for i, e := range s.elifs {
		out[i] = e
	}
	return out
}

// load notes the names an expression reads.
func (r *resolver) load(n any, f *frame) {
	if name, ok := n.(*nameExpr); ok {
		f.see(name.name)
		return
	}
	children(n, func(c any) { r.load(c, f) })
}

// block resolves the statements of a new scope and returns its size.
func (r *resolver) block(body []stmt, f *frame) int {
	soft := r.soft
	r.soft = false
	r.scan(body, f)
	r.stmts(body, f)
	r.soft = soft
	return f.n
}

func (r *resolver) stmts(body []stmt, f *frame) {
	for _, s := range body {
		r.visit(s, f)
	}
}

func (r *resolver) visit(n any, f *frame) {
	switch n := n.(type) {
	case *nameExpr:
		r.bind(n, f)
	case *filterExpr:
		if n.spec == nil && !r.soft {
			r.fail(n.line, "No filter named "+reprString(n.name)+".")
		}
		children(n, func(c any) { r.visit(c, f) })
	case *testExpr:
		if n.spec == nil && !r.soft {
			r.fail(n.line, "No test named "+reprString(n.name)+".")
		}
		children(n, func(c any) { r.visit(c, f) })
	case *condExpr:
		soft := r.soft
		r.soft = true
		children(n, func(c any) { r.visit(c, f) })
		r.soft = soft
	case *ifStmt:
		soft := r.soft
		r.soft = true
		children(n, func(c any) { r.visit(c, f) })
		r.soft = soft
	case *forStmt:
		r.forStmt(n, f)
	case *setBlockStmt:
		r.visit(n.target, f)
		inner := newFrame(f)
		n.nvars = r.block(n.body, inner)
		if n.filter != nil {
			r.visit(n.filter, inner)
		}
		f.captured = f.captured || inner.captured
	case *withStmt:
		for _, v := range n.values {
			r.visit(v, f)
		}
		inner := newFrame(f)
		for _, t := range n.targets {
			r.declareParams(t, inner)
		}
		n.nvars = r.block(n.body, inner)
		for _, t := range n.targets {
			r.visit(t, inner)
		}
		f.captured = f.captured || inner.captured
	case *scopeStmt:
		r.visit(n.autoescape, f)
		inner := newFrame(f)
		n.nvars = r.block(n.body, inner)
		f.captured = f.captured || inner.captured
	case *filterBlockStmt:
		inner := newFrame(f)
		n.nvars = r.block(n.body, inner)
		r.visit(n.filter, inner)
		f.captured = f.captured || inner.captured
	case *macroStmt:
		r.visit(n.target, f)
		r.macro(n.def, f)
	case *callBlockStmt:
		r.visit(n.call, f)
		r.macro(n.def, f)
	case *blockStmt:
		r.blockStmt(n, f)
	case *loadStmt:
		r.visit(n.template, f)
		for _, t := range n.targets {
			r.visit(t, f)
		}
	default:
		children(n, func(c any) { r.visit(c, f) })
	}
}

func (r *resolver) forStmt(n *forStmt, f *frame) {
	r.visit(n.iter, f)
	r.forDepth++
	if n.test != nil {
		tf := newFrame(f)
		r.declareParams(n.target, tf)
		n.testTarget = cloneTarget(n.target)
		r.visit(n.testTarget, tf)
		soft := r.soft
		r.soft = false
		r.visit(n.test, tf)
		r.soft = soft
		n.ntestVars = tf.n
	}
	bf := newFrame(f)
	bf.loopSlot = bf.declare("loop")
	n.loopSlot = bf.loopSlot
	r.declareParams(n.target, bf)
	n.nvars = r.block(n.body, bf)
	r.visit(n.target, bf)
	n.usesLoop = bf.usesLoop || n.recursive
	n.captured = bf.captured
	ef := newFrame(f)
	if n.els != nil {
		n.nelse = r.block(n.els, ef)
	}
	f.captured = f.captured || bf.captured || ef.captured
	r.forDepth--
}

func cloneTarget(e expr) expr {
	switch e := e.(type) {
	case *nameExpr:
		return &nameExpr{node: e.node, name: e.name}
	case *tupleExpr:
		t := &tupleExpr{node: e.node}
		for _, it := range e.items {
			t.items = append(t.items, cloneTarget(it))
		}
		return t
	}
	return e
}

func (r *resolver) macro(d *macroDef, f *frame) {
	inner := newFrame(f)
	for _, p := range d.params {
		inner.declare(p.name)
		inner.see(p.name)
		d.explicit = d.explicit || p.name == "caller"
	}
	special := func(name string) int {
		for _, p := range d.params {
			if p.name == name {
				return -1
			}
		}
		if !mentions(d.body, name) {
			return -1
		}
		return inner.declare(name)
	}
	if d.explicit && mentions(d.body, "caller") {
		for i, p := range d.params {
			if p.name == "caller" && len(d.params)-i > len(d.defaults) {
				r.fail(d.line, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
			}
		}
	}
	d.callerSlot = special("caller")
	d.kwargsSlot = special("kwargs")
	d.varargSlot = special("varargs")
	for _, p := range d.params {
		r.bind(p, inner)
	}
	forDepth := r.forDepth
	d.nvars = r.block(d.body, inner)
	soft := r.soft
	r.soft = false
	for _, e := range d.defaults {
		r.visit(e, inner)
	}
	r.soft = soft
	r.forDepth = forDepth
}

// mentions tells whether a body reads name without having stored it before.
func mentions(body []stmt, name string) bool {
	found, stored := false, false
	var walk func(n any)
	var store func(n any)
	store = func(n any) {
		switch n := n.(type) {
		case *nameExpr:
			stored = stored || n.name == name
		case *tupleExpr:
			for _, it := range n.items {
				store(it)
			}
		}
	}
	walk = func(n any) {
		switch n := n.(type) {
		case *blockStmt:
			return
		case *nameExpr:
			found = found || n.name == name && !stored
			return
		case *setStmt:
			store(n.target)
			walk(n.value)
			return
		case *setBlockStmt:
			store(n.target)
			if n.filter != nil {
				walk(n.filter)
			}
			for _, s := range n.body {
				walk(s)
			}
			return
		case *forStmt:
			store(n.target)
		}
		children(n, walk)
	}
	for _, s := range body {
		walk(s)
	}
	return found
}

func (r *resolver) blockStmt(n *blockStmt, f *frame) {
	if _, dup := r.blocks[n.name]; dup {
		r.fail(n.line, "block "+reprString(n.name)+" defined twice")
	}
	r.blocks[n.name] = n
	for s := f; s.parent != nil; s = s.parent {
		n.depth++
	}
	parent := r.root
	if n.scoped {
		parent = f
		n.depth = 0
	}
	forDepth := r.forDepth
	r.forDepth = 0
	inner := newFrame(parent)
	inner.isBlock = true
	n.superSlot = -1
	if mentions(n.body, "super") {
		n.superSlot = inner.declare("super")
	}
	n.nvars = r.block(n.body, inner)
	r.forDepth = forDepth
	f.captured = true
}
