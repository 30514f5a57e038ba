package jinja

import (
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// param is a parameter of a builtin; def nil means required.
type param struct {
	name string
	def  any
}

// signature describes a builtin written in Python, to bind and complain alike.
type signature struct {
	name   string
	hidden int // context arguments the engine passes itself
	params []param
	native bool // written in C: takes exactly its parameters, by position
}

// parseSignature reads "name(a, b=1, c=None)". Defaults are literals.
func parseSignature(def string, hidden int) *signature {
	open := strings.IndexByte(def, '(')
	s := &signature{name: def[:open], hidden: hidden}
	body := strings.TrimSuffix(def[open+1:], ")")
	if body == "" {
		return s
	}
	for _, p := range strings.Split(body, ", ") {
		name, lit, has := strings.Cut(p, "=")
		prm := param{name: name}
		if has {
			prm.def = literal(lit)
		}
		s.params = append(s.params, prm)
	}
	return s
}

func literal(s string) any {
	switch s {
	case "None":
		return none{}
	case "True":
		return true
	case "False":
		return false
	}
	if strings.HasPrefix(s, "'") {
		return strings.Trim(s, "'")
	}
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// bind lays out arguments by the signature and fills in defaults.
func (s *signature) bind(args []any, kw []kwArg) []any {
	if s.native {
		if len(kw) > 0 {
			raiseType("%s() takes no keyword arguments", s.name)
		}
		if len(args) != len(s.params) && len(s.params) > 1 {
			raiseType("%s expected %d arguments, got %d", s.name, len(s.params), len(args))
		}
		if len(args) != len(s.params) {
			raiseType("%s() takes exactly one argument (%d given)", s.name, len(args))
		}
		return args
	}
	if len(args) > len(s.params) {
		s.tooMany(len(args))
	}
	if len(args) == len(s.params) && len(kw) == 0 {
		return args
	}
	out := make([]any, len(s.params))
	copy(out, args)
	for _, k := range kw {
		i := s.index(k.name)
		if i < 0 {
			raiseType("%s() got an unexpected keyword argument %s", s.name, reprString(k.name))
		}
		if out[i] != nil {
			raiseType("%s() got multiple values for argument %s", s.name, reprString(k.name))
		}
		out[i] = k.val
	}
	var missing []string
	for i, p := range s.params {
		if out[i] == nil {
			out[i] = p.def
			if p.def == nil {
				missing = append(missing, reprString(p.name))
			}
		}
	}
	if len(missing) > 0 {
		raiseType("%s() missing %d required positional argument%s: %s", s.name, len(missing), plural(len(missing)), joinAnd(missing))
	}
	return out
}

func (s *signature) index(name string) int {
	for i, p := range s.params {
		if p.name == name {
			return i
		}
	}
	return -1
}

func (s *signature) tooMany(given int) {
	required := s.hidden
	for _, p := range s.params {
		if p.def == nil {
			required++
		}
	}
	most := len(s.params) + s.hidden
	given += s.hidden
	takes := itoa(most) + " positional argument" + plural(most)
	if required != most {
		takes = "from " + itoa(required) + " to " + takes
	}
	verb := "were"
	if given == 1 {
		verb = "was"
	}
	raiseType("%s() takes %s but %d %s given", s.name, takes, given, verb)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func joinAnd(list []string) string {
	switch len(list) {
	case 1:
		return list[0]
	case 2:
		return list[0] + " and " + list[1]
	}
	return strings.Join(list[:len(list)-1], ", ") + ", and " + list[len(list)-1]
}

// evalArgs evaluates call arguments; first, when set, comes before them.
func (it *interp) evalArgs(c *callArgs, first any) ([]any, []kwArg) {
	var args []any
	if first != nil {
		args = make([]any, 1, len(c.args)+1)
		args[0] = first
	} else if len(c.args) > 0 {
		args = make([]any, 0, len(c.args))
	}
	for _, e := range c.args {
		args = append(args, it.eval(e))
	}
	if c.dynArgs != nil {
		v := it.eval(c.dynArgs)
		if iterOf(v) == nil {
			raiseType("Value after * must be an iterable, not %s", typeName(v))
		}
		args = append(args, it.collect(v)...)
	}
	var kw []kwArg
	for i, name := range c.kwNames {
		kw = append(kw, kwArg{name, it.eval(c.kwVals[i])})
	}
	if c.dynKwargs != nil {
		v := it.eval(c.dynKwargs)
		d, ok := v.(*dict)
		if !ok {
			raiseType("argument after ** must be a mapping, not %s", typeName(v))
		}
		d.each(func(k, v any) bool {
			name, ok := strOf(k)
			if !ok {
				raiseType("keywords must be strings")
			}
			kw = append(kw, kwArg{name, v})
			return true
		})
	}
	return args, kw
}

// evalCall evaluates a call; caller is the body of a call block.
func (it *interp) evalCall(e *callExpr, caller *macro) any {
	line := it.line
	if a, ok := e.fn.(*attrExpr); ok {
		// Methods are called without making a bound method first.
		x := it.eval(a.x)
		failUndefined(x)
		if fn := methodOf(x, a.name); fn != nil {
			args, kw := it.evalArgs(&e.callArgs, nil)
			it.line = e.line
			return fn(it, x, args, withCaller(kw, caller))
		}
		return it.finishCall(e, it.getattr(x, a.name), caller, line)
	}
	return it.finishCall(e, it.eval(e.fn), caller, line)
}

func withCaller(kw []kwArg, caller *macro) []kwArg {
	if caller != nil {
		return append(kw, kwArg{"caller", caller})
	}
	return kw
}

func (it *interp) finishCall(e *callExpr, fn any, caller *macro, line int) any {
	args, kw := it.evalArgs(&e.callArgs, nil)
	it.line = e.line
	v := it.call(fn, args, withCaller(kw, caller))
	it.line = line
	return v
}

// call calls any callable value.
func (it *interp) call(fn any, args []any, kw []kwArg) any {
	switch fn := fn.(type) {
	case *function:
		return it.callFunction(fn, args, kw)
	case *method:
		return fn.fn(it, fn.self, args, kw)
	case *macro:
		return it.callMacro(fn, args, kw)
	case *loopCtx:
		if fn.recurse == nil {
			raiseType("The loop must have the 'recursive' marker to be called recursively.")
		}
		if len(args) != 1 {
			raiseType("LoopContext.__call__() takes 2 positional arguments but %d were given", len(args)+1)
		}
		return fn.recurse(args[0], fn.depth0+1)
	case *joiner:
		if !fn.used {
			fn.used = true
			return ""
		}
		return fn.sep
	case *blockRef:
		it.enter()
		saved := it.scope
		text := it.capture(func() {
			it.inScope(fn.stmt.nvars, it.root, func() { it.blockBody(fn.stmt) })
		})
		it.scope = saved
		it.leave()
		return it.markSafe(text)
	}
	failUndefined(fn)
	raiseType("'%s' object is not callable", typeName(fn))
	return nil
}

func (it *interp) callFunction(f *function, args []any, kw []kwArg) any {
	if f.sig != nil {
		args = f.sig.bind(args, kw)
		kw = nil
	}
	return f.fn(it, args, kw)
}

func isCallable(v any) bool {
	switch v.(type) {
	case *function, *method, *macro, *loopCtx, *joiner, *blockRef, *undefined:
		return true
	}
	return false
}

// applyFilter applies one filter to a value.
func (it *interp) applyFilter(e *filterExpr, v any) any {
	args, kw := it.evalArgs(&e.callArgs, v)
	it.line = e.line
	if e.spec == nil {
		raise(KindRuntime, "No filter named %s found.", reprString(e.name))
	}
	it.step()
	return it.callFunction(e.spec, args, kw)
}

// applyChain applies a chain of filters whose innermost input is v.
func (it *interp) applyChain(e *filterExpr, v any) any {
	if inner, ok := e.x.(*filterExpr); ok {
		v = it.applyChain(inner, v)
	}
	return it.applyFilter(e, v)
}

func (it *interp) evalTest(e *testExpr) any {
	v := it.eval(e.x)
	args, kw := it.evalArgs(&e.callArgs, v)
	it.line = e.line
	if e.spec == nil {
		raise(KindRuntime, "No test named %s found.", reprString(e.name))
	}
	return it.callFunction(e.spec, args, kw)
}

// callMacro binds arguments the way macros do and renders the body.
func (it *interp) callMacro(m *macro, args []any, kw []kwArg) any {
	d := m.def
	vars := make([]any, d.nvars)
	n := copyArgs(d, vars, args)
	take := func(name string) any {
		for i := range kw {
			if kw[i].name == name {
				v := kw[i].val
				kw = append(append([]kwArg(nil), kw[:i]...), kw[i+1:]...)
				return v
			}
		}
		return nil
	}
	for _, p := range d.params[n:] {
		if v := take(p.name); v != nil {
			vars[p.refs[0].slot] = v
		}
	}
	if d.callerSlot >= 0 {
		caller := take("caller")
		if caller == nil || caller == (none{}) {
			caller = &undefined{hint: "No caller defined", name: "caller"}
		}
		vars[d.callerSlot] = caller
	}
	name := "None"
	if d.name != "" {
		name = reprString(d.name)
	}
	if d.kwargsSlot >= 0 {
		rest := newDict(len(kw))
		for _, k := range kw {
			rest.set(k.name, k.val)
		}
		vars[d.kwargsSlot] = rest
	} else if len(kw) > 0 {
		for _, k := range kw {
			if k.name == "caller" {
				raiseType("macro %s was invoked with two values for the special caller argument. This is most likely a bug.", name)
			}
		}
		raiseType("macro %s takes no keyword argument %s", name, reprString(kw[0].name))
	}
	if d.varargSlot >= 0 {
		vars[d.varargSlot] = newTuple(args[n:]...)
	} else if len(args) > len(d.params) {
		raiseType("macro %s takes not more than %d argument(s)", name, len(d.params))
	}
	return it.runMacro(m, vars)
}

func copyArgs(d *macroDef, vars, args []any) int {
	n := min(len(args), len(d.params))
	for i, p := range d.params[:n] {
		vars[p.refs[0].slot] = args[i]
	}
	return n
}

func (it *interp) runMacro(m *macro, vars []any) any {
	d := m.def
	it.enter()
	saved, line, autoescape := it.scope, it.line, it.autoescape
	it.scope = &scope{vars: vars, parent: m.scope}
	// Escaping inside is decided where the macro stands, the type of its
	// result where it is called.
	it.autoescape = m.autoescape
	text := it.capture(func() {
		for i, p := range d.params {
			if vars[p.refs[0].slot] != nil {
				continue
			}
			if j := i - (len(d.params) - len(d.defaults)); j >= 0 {
				vars[p.refs[0].slot] = it.eval(d.defaults[j])
			} else {
				vars[p.refs[0].slot] = &undefined{hint: "parameter " + reprString(p.name) + " was not provided", name: p.name}
			}
		}
		it.exec(d.body)
	})
	it.scope, it.line, it.autoescape = saved, line, autoescape
	it.leave()
	return it.markSafe(text)
}

// attr gives a public attribute of a macro, nil when it has none.
func (m *macro) attr(name string) any {
	switch name {
	case "name":
		if m.def.name == "" {
			return none{}
		}
		return m.def.name
	case "arguments":
		l := &tuple{}
		for _, p := range m.def.params {
			l.items = append(l.items, p.name)
		}
		return l
	case "catch_kwargs":
		return m.def.kwargsSlot >= 0
	case "catch_varargs":
		return m.def.varargSlot >= 0
	case "caller":
		return m.def.callerSlot >= 0
	case "explicit_caller":
		return m.def.explicit
	}
	return nil
}
