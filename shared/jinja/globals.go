package jinja

// maxRange is the longest range the sandbox allows.
const maxRange = 100000

func newRange(start, stop, step int) *rangeObj {
	r := &rangeObj{start: start, stop: stop, step: step}
	if step > 0 && start < stop {
		r.n = (stop-start-1)/step + 1
	} else if step < 0 && start > stop {
		r.n = (start-stop-1)/-step + 1
	}
	return r
}

func builtinGlobals() map[string]any {
	fn := func(name string, f func(it *interp, args []any, kw []kwArg) any) *function {
		return &function{name: name, fn: f}
	}
	return map[string]any{
		"range":     fn("safe_range", globalRange),
		"dict":      fn("dict", func(_ *interp, args []any, kw []kwArg) any { return makeDict("dict", args, kw) }),
		"cycler":    fn("cycler", globalCycler),
		"joiner":    fn("joiner", globalJoiner),
		"namespace": fn("namespace", func(_ *interp, args []any, kw []kwArg) any { return &namespace{makeDict("dict", args, kw)} }),
		"lipsum":    fn("generate_lorem_ipsum", globalLipsum),
	}
}

func globalRange(_ *interp, args []any, kw []kwArg) any {
	if len(kw) > 0 {
		raiseType("safe_range() got an unexpected keyword argument %s", reprString(kw[0].name))
	}
	if len(args) == 0 {
		raiseType("range expected at least 1 argument, got 0")
	}
	if len(args) > 3 {
		raiseType("range expected at most 3 arguments, got %d", len(args))
	}
	var n [3]int
	for i, a := range args {
		if isInt(a) {
			v, ok := intOf(a)
			if !ok || v > 1<<60 || v < -1<<60 {
				raise(KindOverflow, "Python int too large to convert to C ssize_t")
			}
			n[i] = v
			continue
		}
		raiseType("'%s' object cannot be interpreted as an integer", typeName(a))
	}
	start, stop, step := 0, n[0], 1
	if len(args) > 1 {
		start, stop = n[0], n[1]
	}
	if len(args) > 2 {
		step = n[2]
	}
	if step == 0 {
		raise(KindValue, "range() arg 3 must not be zero")
	}
	r := newRange(start, stop, step)
	if r.n > maxRange {
		raise(KindOverflow, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	return r
}

// makeDict is dict(...): a mapping or pairs, then keywords.
func makeDict(name string, args []any, kw []kwArg) *dict {
	d := newDict(len(kw))
	if len(args) > 1 {
		raiseType("%s expected at most 1 argument, got %d", name, len(args))
	}
	if len(args) == 1 {
		updateDict(d, args[0])
	}
	for _, k := range kw {
		d.set(k.name, k.val)
	}
	return d
}

func updateDict(d *dict, src any) {
	if s, ok := src.(*dict); ok {
		s.each(func(k, v any) bool { d.set(k, v); return true })
		return
	}
	it := mustIter(src)
	for i := 0; ; i++ {
		v, ok := it.next()
		if !ok {
			return
		}
		pair := iterOf(v)
		if pair == nil {
			raiseType("cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		var items []any
		for x, ok := pair.next(); ok; x, ok = pair.next() {
			items = append(items, x)
		}
		if len(items) != 2 {
			raise(KindValue, "dictionary update sequence element #%d has length %d; 2 is required", i, len(items))
		}
		d.set(items[0], items[1])
	}
}

func globalCycler(_ *interp, args []any, kw []kwArg) any {
	if len(kw) > 0 {
		raiseType("Cycler.__init__() got an unexpected keyword argument %s", reprString(kw[0].name))
	}
	if len(args) == 0 {
		raise(KindRuntimePy, "at least one item has to be provided")
	}
	return &cycler{items: args}
}

func (c *cycler) attr(name string) any {
	switch name {
	case "items":
		return newTuple(c.items...)
	case "pos":
		return c.pos
	case "current":
		return c.items[c.pos]
	case "next":
		return &method{c, name, func(*interp, any, []any, []kwArg) any {
			v := c.items[c.pos]
			c.pos = (c.pos + 1) % len(c.items)
			return v
		}}
	case "reset":
		return &method{c, name, func(*interp, any, []any, []kwArg) any {
			c.pos = 0
			return none{}
		}}
	}
	return nil
}

func globalJoiner(_ *interp, args []any, kw []kwArg) any {
	sig := signature{name: "Joiner.__init__", hidden: 1, params: []param{{"sep", ", "}}}
	return &joiner{sep: sig.bind(args, kw)[0]}
}
