package jinja

import "strings"

func (p *parser) expression(withCond bool) expr {
	p.enter()
	defer p.leave()
	if withCond {
		return p.cond()
	}
	return p.or()
}

func (p *parser) cond() expr {
	line := p.cur().line
	e := p.or()
	for p.skipIf("name:if") {
		c := &condExpr{node: node{line}, then: e, test: p.or()}
		if p.skipIf("name:else") {
			p.enter()
			c.els = p.cond()
			p.leave()
		}
		e = c
		line = p.cur().line
	}
	return e
}

func (p *parser) or() expr {
	line := p.cur().line
	left := p.and()
	for p.skipIf("name:or") {
		left = &logicExpr{node{line}, false, left, p.and()}
		line = p.cur().line
	}
	return left
}

func (p *parser) and() expr {
	line := p.cur().line
	left := p.not()
	for p.skipIf("name:and") {
		left = &logicExpr{node{line}, true, left, p.not()}
		line = p.cur().line
	}
	return left
}

func (p *parser) not() expr {
	if p.cur().test("name:not") {
		line := p.next().line
		p.enter()
		defer p.leave()
		return &notExpr{node{line}, p.not()}
	}
	return p.compare()
}

func (p *parser) compare() expr {
	line := p.cur().line
	left := p.math1()
	var c *compareExpr
	for {
		op := p.cur().typ
		switch {
		case op == "eq" || op == "ne" || op == "lt" || op == "lteq" || op == "gt" || op == "gteq":
			p.next()
		case p.skipIf("name:in"):
			op = "in"
		case p.cur().test("name:not") && p.look().test("name:in"):
			p.next()
			p.next()
			op = "notin"
		default:
			if c == nil {
				return left
			}
			return c
		}
		if c == nil {
			c = &compareExpr{node: node{line}, left: left}
		}
		c.ops = append(c.ops, op)
		c.rest = append(c.rest, p.math1())
	}
}

func (p *parser) math1() expr {
	line := p.cur().line
	left := p.concat()
	for p.cur().typ == "add" || p.cur().typ == "sub" {
		op := p.next().typ
		left = &binExpr{node{line}, op, left, p.concat()}
		line = p.cur().line
	}
	return left
}

func (p *parser) concat() expr {
	line := p.cur().line
	first := p.math2()
	if p.cur().typ != "tilde" {
		return first
	}
	parts := []expr{first}
	for p.skipIf("tilde") {
		parts = append(parts, p.math2())
	}
	return &concatExpr{node{line}, parts}
}

func (p *parser) math2() expr {
	line := p.cur().line
	left := p.pow()
	for {
		op := p.cur().typ
		if op != "mul" && op != "div" && op != "floordiv" && op != "mod" {
			return left
		}
		p.next()
		left = &binExpr{node{line}, op, left, p.pow()}
		line = p.cur().line
	}
}

func (p *parser) pow() expr {
	line := p.cur().line
	left := p.unary(true)
	for p.skipIf("pow") {
		left = &binExpr{node{line}, "pow", left, p.unary(true)}
		line = p.cur().line
	}
	return left
}

func (p *parser) unary(withFilter bool) expr {
	p.enter()
	defer p.leave()
	t := p.cur()
	var e expr
	switch t.typ {
	case "sub", "add":
		p.next()
		e = &unaryExpr{node{t.line}, t.typ == "sub", p.unary(false)}
	default:
		e = p.primary(false)
	}
	e = p.postfix(e)
	if withFilter {
		e = p.filterExprs(e)
	}
	return e
}

func (p *parser) primary(withNamespace bool) expr {
	t := p.cur()
	n := node{t.line}
	switch t.typ {
	case tokName:
		p.next()
		switch t.val {
		case "true", "True":
			return &constExpr{n, true}
		case "false", "False":
			return &constExpr{n, false}
		case "none", "None":
			return &constExpr{n, none{}}
		}
		name := &nameExpr{node: n, name: t.val}
		if withNamespace && p.cur().typ == "dot" {
			p.next()
			return &nsRefExpr{n, name, p.expect(tokName).val}
		}
		return name
	case tokString:
		p.next()
		if p.cur().typ != tokString {
			return &constExpr{n, t.val}
		}
		var b strings.Builder
		b.WriteString(t.val)
		for p.cur().typ == tokString {
			b.WriteString(p.next().val)
		}
		return &constExpr{n, b.String()}
	case tokInteger, tokFloat:
		p.next()
		return &constExpr{n, t.num}
	case "lparen":
		p.next()
		e := p.tuple(false, true, nil, true, false)
		p.expect("rparen")
		return e
	case "lbracket":
		return p.list()
	case "lbrace":
		return p.dict()
	}
	syntaxError(t.line, "unexpected %s", reprString(t.describe()))
	return nil
}

func (p *parser) tupleEnd(extra []string) bool {
	switch p.cur().typ {
	case tokVariableEnd, tokBlockEnd, "rparen":
		return true
	}
	return p.testAny(extra)
}

// tuple parses one expression or, with commas, a tuple of them. simplified
// allows primaries only, as assignment targets need.
func (p *parser) tuple(simplified, withCond bool, extra []string, parens, withNamespace bool) expr {
	line := p.cur().line
	var args []expr
	isTuple := false
	for {
		if len(args) > 0 {
			p.expect("comma")
		}
		if p.tupleEnd(extra) {
			break
		}
		if simplified {
			args = append(args, p.primary(withNamespace))
		} else {
			args = append(args, p.expression(withCond))
		}
		if p.cur().typ != "comma" {
			break
		}
		isTuple = true
		line = p.cur().line
	}
	if !isTuple {
		if len(args) > 0 {
			return args[0]
		}
		if !parens {
			syntaxError(p.cur().line, "Expected an expression, got %s", reprString(p.cur().describe()))
		}
	}
	return &tupleExpr{node{line}, args}
}

func (p *parser) list() expr {
	n := &listExpr{node: node{p.expect("lbracket").line}}
	for p.cur().typ != "rbracket" {
		if len(n.items) > 0 {
			p.expect("comma")
		}
		if p.cur().typ == "rbracket" {
			break
		}
		n.items = append(n.items, p.expression(true))
	}
	p.expect("rbracket")
	return n
}

func (p *parser) dict() expr {
	n := &dictExpr{node: node{p.expect("lbrace").line}}
	for p.cur().typ != "rbrace" {
		if len(n.keys) > 0 {
			p.expect("comma")
		}
		if p.cur().typ == "rbrace" {
			break
		}
		n.keys = append(n.keys, p.expression(true))
		p.expect("colon")
		n.vals = append(n.vals, p.expression(true))
	}
	p.expect("rbrace")
	return n
}

// chained bounds the depth of left-leaning chains (a.b.c, x|f|g), which the
// evaluator descends recursively.
func (p *parser) chained(n *int) {
	*n++
	if *n > 1000 {
		panic(&Error{Kind: KindRecursion, Message: "maximum recursion depth exceeded", Line: p.cur().line})
	}
}

func (p *parser) postfix(e expr) expr {
	for n := 0; ; p.chained(&n) {
		switch p.cur().typ {
		case "dot", "lbracket":
			e = p.subscript(e)
		case "lparen":
			e = p.call(e)
		default:
			return e
		}
	}
}

func (p *parser) filterExprs(e expr) expr {
	for n := 0; ; p.chained(&n) {
		switch {
		case p.cur().typ == "pipe":
			e = p.filters(e, false)
		case p.cur().test("name:is"):
			e = p.test(e)
		case p.cur().typ == "lparen":
			e = p.call(e)
		default:
			return e
		}
	}
}

func (p *parser) subscript(x expr) expr {
	t := p.next()
	if t.typ == "dot" {
		a := p.next()
		switch a.typ {
		case tokName:
			return &attrExpr{node{t.line}, x, a.val}
		case tokInteger:
			return &itemExpr{node{t.line}, x, &constExpr{node{a.line}, a.num}}
		}
		syntaxError(a.line, "expected name or number")
	}
	var args []expr
	for p.cur().typ != "rbracket" {
		if len(args) > 0 {
			p.expect("comma")
		}
		args = append(args, p.subscribed())
	}
	p.expect("rbracket")
	if len(args) == 1 {
		return &itemExpr{node{t.line}, x, args[0]}
	}
	return &itemExpr{node{t.line}, x, &tupleExpr{node{t.line}, args}}
}

func (p *parser) subscribed() expr {
	s := &sliceExpr{node: node{p.cur().line}}
	if p.cur().typ != "colon" {
		e := p.expression(true)
		if p.cur().typ != "colon" {
			return e
		}
		s.start = e
	}
	p.next()
	end := func() bool {
		t := p.cur().typ
		return t == "rbracket" || t == "comma"
	}
	if p.cur().typ != "colon" && !end() {
		s.stop = p.expression(true)
	}
	if p.skipIf("colon") && !end() {
		s.step = p.expression(true)
	}
	return s
}

func (p *parser) callArgs() callArgs {
	t := p.expect("lparen")
	var c callArgs
	ensure := func(ok bool) {
		if !ok {
			syntaxError(t.line, "invalid syntax for function call expression")
		}
	}
	comma := false
	for p.cur().typ != "rparen" {
		if comma {
			p.expect("comma")
			if p.cur().typ == "rparen" {
				break
			}
		}
		switch {
		case p.cur().typ == "mul":
			ensure(c.dynArgs == nil && c.dynKwargs == nil)
			p.next()
			c.dynArgs = p.expression(true)
		case p.cur().typ == "pow":
			ensure(c.dynKwargs == nil)
			p.next()
			c.dynKwargs = p.expression(true)
		case p.cur().typ == tokName && p.look().typ == "assign":
			ensure(c.dynKwargs == nil)
			c.kwNames = append(c.kwNames, p.next().val)
			p.next()
			c.kwVals = append(c.kwVals, p.expression(true))
		default:
			ensure(c.dynArgs == nil && c.dynKwargs == nil && len(c.kwNames) == 0)
			c.args = append(c.args, p.expression(true))
		}
		comma = true
	}
	p.expect("rparen")
	return c
}

func (p *parser) call(fn expr) expr {
	line := p.cur().line
	return &callExpr{node{line}, fn, p.callArgs()}
}

func (p *parser) dottedName() string {
	name := p.expect(tokName).val
	for p.skipIf("dot") {
		name += "." + p.expect(tokName).val
	}
	return name
}

// filters parses a chain of filters on x (nil for blocks).
func (p *parser) filters(x expr, inline bool) expr {
	for n := 0; p.cur().typ == "pipe" || inline; p.chained(&n) {
		if !inline {
			p.next()
		}
		f := &filterExpr{node: node{p.cur().line}, x: x}
		f.name = p.dottedName()
		f.spec = p.env.filters[f.name]
		if p.cur().typ == "lparen" {
			f.callArgs = p.callArgs()
		}
		x = f
		inline = false
	}
	return x
}

func (p *parser) test(x expr) expr {
	line := p.next().line
	negated := p.skipIf("name:not")
	n := &testExpr{node: node{line}, x: x}
	n.name = p.dottedName()
	n.spec = p.env.tests[n.name]
	t := p.cur()
	switch t.typ {
	case "lparen":
		n.callArgs = p.callArgs()
	case tokName, tokString, tokInteger, tokFloat, "lbracket", "lbrace":
		if t.test("name:else") || t.test("name:or") || t.test("name:and") {
			break
		}
		if t.test("name:is") {
			syntaxError(t.line, "You cannot chain multiple tests with is")
		}
		n.args = []expr{p.postfix(p.primary(false))}
	}
	if negated {
		return &notExpr{node{line}, n}
	}
	return n
}

func checkAssignable(name string, line int) {
	switch name {
	case "true", "True", "false", "False", "none", "None":
		syntaxError(line, "can't assign to 'name'")
	}
}

func (p *parser) assignTarget(withNamespace bool, extra []string) expr {
	e := p.tuple(true, true, extra, false, withNamespace)
	if bad := unassignable(e); bad != "" {
		syntaxError(e.pos(), "can't assign to %s", reprString(bad))
	}
	return e
}

// unassignable names the kind of a node that is no assignment target.
func unassignable(e expr) string {
	switch e := e.(type) {
	case *nameExpr, *nsRefExpr:
		return ""
	case *tupleExpr:
		for _, it := range e.items {
			if unassignable(it) != "" {
				return "tuple"
			}
		}
		return ""
	case *constExpr:
		return "const"
	case *listExpr:
		return "list"
	case *dictExpr:
		return "dict"
	case *callExpr:
		return "call"
	case *filterExpr:
		return "filter"
	case *testExpr:
		return "test"
	case *attrExpr:
		return "getattr"
	case *itemExpr:
		return "getitem"
	case *condExpr:
		return "condexpr"
	case *notExpr:
		return "not"
	case *concatExpr:
		return "concat"
	case *compareExpr:
		return "compare"
	case *logicExpr:
		if e.and {
			return "and"
		}
		return "or"
	case *unaryExpr:
		if e.neg {
			return "neg"
		}
		return "pos"
	case *binExpr:
		switch e.op {
		case "floordiv":
			return "floordiv"
		default:
			return e.op
		}
	}
	return "expr"
}
