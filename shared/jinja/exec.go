package jinja

// exec runs statements in the current scope.
func (it *interp) exec(body []stmt) {
	for _, s := range body {
		it.line = s.pos()
		it.step()
		switch s := s.(type) {
		case *outputStmt:
			it.output(s)
		case *ifStmt:
			it.execIf(s)
		case *forStmt:
			it.execFor(s)
		case *setStmt:
			it.checkNamespaces(s.target)
			it.assign(s.target, it.eval(s.value))
		case *setBlockStmt:
			it.execSetBlock(s)
		case *withStmt:
			it.execWith(s)
		case *scopeStmt:
			saved := it.autoescape
			it.inScope(s.nvars, it.scope, func() {
				it.autoescape = truthy(it.eval(s.autoescape))
				it.exec(s.body)
			})
			it.autoescape = saved
		case *macroStmt:
			it.assign(s.target, &macro{def: s.def, scope: it.scope, autoescape: it.autoescape})
		case *callBlockStmt:
			caller := &macro{def: s.def, scope: it.scope, autoescape: it.autoescape}
			it.write(it.evalCall(s.call, caller))
		case *filterBlockStmt:
			it.inScope(s.nvars, it.scope, func() {
				text := it.capture(func() { it.exec(s.body) })
				it.write(it.applyChain(s.filter, it.markSafe(text)))
			})
		case *blockStmt:
			it.execBlock(s)
		case *loadStmt:
			it.eval(s.template)
			raiseType("no loader for this environment specified")
		}
	}
}

func (it *interp) output(s *outputStmt) {
	for _, e := range s.items {
		if d, ok := e.(*dataExpr); ok {
			it.out.write(d.text)
			continue
		}
		it.line = e.pos()
		it.write(it.eval(e))
	}
}

// write prints a value, escaped when autoescaping.
func (it *interp) write(v any) {
	if it.autoescape {
		it.out.write(string(it.escape(v)))
		return
	}
	it.out.write(it.str(v))
}

// capture collects what f prints.
func (it *interp) capture(f func()) string {
	saved := it.out
	it.out = &output{limit: it.opts.MaxOutput}
	f()
	text := it.out.b.String()
	it.out = saved
	it.chargeBytes(len(text))
	return text
}

// markSafe gives captured text its type: Markup under autoescape.
func (it *interp) markSafe(text string) any {
	if it.autoescape {
		return markup(text)
	}
	return text
}

// inScope runs f in a new scope. Errors end the run, so nothing is restored
// on a panic.
func (it *interp) inScope(nvars int, parent *scope, f func()) {
	saved := it.scope
	it.scope = &scope{vars: make([]any, nvars), parent: parent}
	f()
	it.scope = saved
}

func (it *interp) execIf(s *ifStmt) {
	if truthy(it.eval(s.test)) {
		it.exec(s.body)
		return
	}
	for _, e := range s.elifs {
		if truthy(it.eval(e.test)) {
			it.exec(e.body)
			return
		}
	}
	it.exec(s.els)
}

func (it *interp) execWith(s *withStmt) {
	vals := make([]any, len(s.values))
	for i, v := range s.values {
		vals[i] = it.eval(v)
	}
	it.inScope(s.nvars, it.scope, func() {
		for i, t := range s.targets {
			it.assign(t, vals[i])
		}
		it.exec(s.body)
	})
}

func (it *interp) execSetBlock(s *setBlockStmt) {
	it.checkNamespaces(s.target)
	var v any
	it.inScope(s.nvars, it.scope, func() {
		v = it.markSafe(it.capture(func() { it.exec(s.body) }))
		if s.filter != nil {
			v = it.applyChain(s.filter, v)
			if it.autoescape {
				if _, ok := v.(markup); !ok {
					v = markup(it.str(v))
				}
			}
		}
	})
	it.assign(s.target, v)
}

// checkNamespaces refuses a.b targets on anything but a namespace.
func (it *interp) checkNamespaces(target expr) {
	switch t := target.(type) {
	case *nsRefExpr:
		if _, ok := it.lookup(t.ns).(*namespace); !ok {
			raise(KindRuntime, "cannot assign attribute on non-namespace object")
		}
	case *tupleExpr:
		for _, e := range t.items {
			it.checkNamespaces(e)
		}
	}
}

func (it *interp) assign(target expr, v any) {
	switch t := target.(type) {
	case *nameExpr:
		// The first reference is the scope the name was declared in.
		r := t.refs[0]
		s := it.scope
		for d := r.depth; d > 0; d-- {
			s = s.parent
		}
		s.vars[r.slot] = v
	case *nsRefExpr:
		it.lookup(t.ns).(*namespace).attrs.set(t.attr, v)
	case *tupleExpr:
		it.unpack(t, v)
	}
}

func (it *interp) unpack(t *tupleExpr, v any) {
	var vals []any
	switch v := v.(type) {
	case *tuple:
		vals = v.items
	case *list:
		vals = v.items
	default:
		src := iterOf(v)
		if src == nil {
			raiseType("cannot unpack non-iterable %s object", typeName(v))
		}
		for x, ok := src.next(); ok && len(vals) <= len(t.items); x, ok = src.next() {
			vals = append(vals, x)
		}
	}
	if len(vals) < len(t.items) {
		raise(KindValue, "not enough values to unpack (expected %d, got %d)", len(t.items), len(vals))
	}
	if len(vals) > len(t.items) {
		raise(KindValue, "too many values to unpack (expected %d)", len(t.items))
	}
	for i, e := range t.items {
		it.assign(e, vals[i])
	}
}

func (it *interp) execFor(s *forStmt) {
	src := it.eval(s.iter)
	if !s.recursive {
		it.runLoop(s, src, nil, 0)
		return
	}
	outer := it.scope
	var recurse func(src any, depth int) any
	recurse = func(src any, depth int) any {
		it.enter()
		saved := it.scope
		it.scope = outer
		text := it.capture(func() { it.runLoop(s, src, recurse, depth) })
		it.scope = saved
		it.leave()
		return it.markSafe(text)
	}
	it.out.write(it.str(recurse(src, 0)))
}

// runLoop runs a for loop in the current scope.
func (it *interp) runLoop(s *forStmt, src any, recurse func(any, int) any, depth int) {
	iter := mustIter(src)
	if s.test != nil {
		iter = it.filtered(s, iter)
		src = nil
	}
	var loop *loopCtx
	if s.usesLoop {
		loop = newLoop(src, iter, recurse, depth)
		iter = loopIter{loop}
	}
	outer := it.scope
	inner := &scope{vars: make([]any, s.nvars), parent: outer}
	name, simple := s.target.(*nameExpr)
	ran := false
	for {
		v, ok := iter.next()
		if !ok {
			break
		}
		it.step()
		if ran {
			if s.captured {
				inner = &scope{vars: make([]any, s.nvars), parent: outer}
			} else {
				clear(inner.vars)
			}
		}
		ran = true
		it.scope = inner
		if loop != nil {
			inner.vars[s.loopSlot] = loop
		}
		if simple {
			inner.vars[name.refs[0].slot] = v
		} else {
			it.unpack(s.target.(*tupleExpr), v)
		}
		it.exec(s.body)
		it.scope = outer
	}
	if !ran && s.els != nil {
		it.inScope(s.nelse, outer, func() { it.exec(s.els) })
	}
}

// filtered applies the loop's inline condition lazily.
func (it *interp) filtered(s *forStmt, src iterator) iterator {
	sc := &scope{vars: make([]any, s.ntestVars), parent: it.scope}
	return genIter{&generator{typ: "generator", next: func() (any, bool) {
		for {
			v, ok := src.next()
			if !ok {
				return nil, false
			}
			it.step()
			saved := it.scope
			it.scope = sc
			it.assign(s.testTarget, v)
			keep := truthy(it.eval(s.test))
			it.scope = saved
			if keep {
				if t, ok := s.testTarget.(*tupleExpr); ok {
					v = it.rebuild(t, sc) // the engine passes on what it unpacked
				}
				return v, true
			}
		}
	}}}
}

// rebuild makes a tuple of the variables of an unpacking target.
func (it *interp) rebuild(t *tupleExpr, sc *scope) any {
	out := &tuple{items: make([]any, len(t.items))}
	for i, e := range t.items {
		switch e := e.(type) {
		case *nameExpr:
			out.items[i] = sc.vars[e.refs[0].slot]
		case *tupleExpr:
			out.items[i] = it.rebuild(e, sc)
		}
	}
	return out
}

func (it *interp) execBlock(s *blockStmt) {
	parent := it.scope
	for d := s.depth; d > 0; d-- {
		parent = parent.parent
	}
	it.enter()
	it.inScope(s.nvars, parent, func() { it.blockBody(s) })
	it.leave()
}

// blockBody renders a block in the current scope. There is no inheritance, so
// a required block has nothing to fill it and super has nothing to call.
func (it *interp) blockBody(s *blockStmt) {
	if s.required {
		raise(KindRuntime, "Required block %s not found", reprString(s.name))
	}
	if s.superSlot >= 0 {
		it.scope.vars[s.superSlot] = &undefined{hint: "there is no parent block called " + reprString(s.name) + ".", name: "super"}
	}
	it.exec(s.body)
}

// newLoop makes the loop variable over iter; src (nil when filtered) may know
// its length.
func newLoop(src any, iter iterator, recurse func(any, int) any, depth int) *loopCtx {
	l := &loopCtx{iter: iter, src: src, recurse: recurse, depth0: depth, index0: -1, length: -1, fresh: true}
	return l
}

type loopIter struct{ l *loopCtx }

func (li loopIter) next() (any, bool) {
	l := li.l
	v := l.after
	if v != nil {
		l.after = nil
	} else {
		var ok bool
		if v, ok = l.iter.next(); !ok {
			return nil, false
		}
	}
	l.index0++
	l.before = l.current
	l.current = v
	return v, true
}

// peek returns the next element without consuming it, nil at the end.
func (l *loopCtx) peek() any {
	if l.after == nil {
		if v, ok := l.iter.next(); ok {
			l.after = v
		}
	}
	return l.after
}

// len is loop.length; a lazy source is read to its end to learn it.
func (l *loopCtx) len() int {
	if l.length >= 0 {
		return l.length
	}
	if l.src != nil {
		if n := lenOf(l.src); n >= 0 {
			l.length = n
			return n
		}
	}
	var rest []any
	for v, ok := l.iter.next(); ok; v, ok = l.iter.next() {
		rest = append(rest, v)
	}
	l.iter = &sliceIter{items: rest}
	l.length = len(rest) + l.index0 + 1
	if l.after != nil {
		l.length++
	}
	return l.length
}

// attr gives an attribute of the loop variable, nil when there is none.
func (l *loopCtx) attr(name string) any {
	switch name {
	case "index":
		return l.index0 + 1
	case "index0":
		return l.index0
	case "first":
		return l.index0 == 0
	case "last":
		return l.peek() == nil
	case "length":
		return l.len()
	case "revindex":
		return l.len() - l.index0
	case "revindex0":
		return l.len() - l.index0 - 1
	case "depth":
		return l.depth0 + 1
	case "depth0":
		return l.depth0
	case "previtem":
		if l.index0 == 0 {
			return undefinedHint("there is no previous item")
		}
		return l.before
	case "nextitem":
		if v := l.peek(); v != nil {
			return v
		}
		return undefinedHint("there is no next item")
	case "cycle":
		return &method{l, name, func(_ *interp, _ any, args []any, _ []kwArg) any {
			if len(args) == 0 {
				raiseType("no items for cycling given")
			}
			return args[l.index0%len(args)]
		}}
	case "changed":
		return &method{l, name, func(it *interp, _ any, args []any, _ []kwArg) any {
			if !l.fresh && it.equalSeq(l.changed, args) {
				return false
			}
			l.fresh, l.changed = false, args
			return true
		}}
	}
	return nil
}
