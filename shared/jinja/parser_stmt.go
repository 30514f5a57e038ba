package jinja

import "strings"

// parser turns tokens into the tree. Nesting is bounded by maxNest so that a
// hostile template cannot exhaust the stack.
type parser struct {
	toks      []token
	i         int
	env       *environment
	tags      []string
	endTokens [][]string
	nest      int
}

const maxNest = 150

func (p *parser) cur() token { return p.toks[p.i] }

func (p *parser) look() token {
	if p.i+1 < len(p.toks) {
		p.checkLexed(p.i + 1)
		return p.toks[p.i+1]
	}
	return p.toks[len(p.toks)-1]
}

// checkLexed raises the lexer's error when the parser reaches its place: what
// the parser objects to before that is reported first.
func (p *parser) checkLexed(i int) {
	if e := p.toks[i].err; e != nil {
		panic(e)
	}
}

func (p *parser) next() token {
	t := p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
		p.checkLexed(p.i)
		if p.toks[p.i].typ == tokEOF {
			// The end is reported at the line of the last token.
			p.toks[p.i].line = t.line
		}
	}
	return t
}

func (p *parser) skipIf(expr string) bool {
	if p.cur().test(expr) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(expr string) token {
	t := p.cur()
	if t.test(expr) {
		return p.next()
	}
	if t.typ == tokEOF {
		syntaxError(t.line, "unexpected end of template, expected %s.", reprString(describeExpr(expr)))
	}
	syntaxError(t.line, "expected token %s, got %s", reprString(describeExpr(expr)), reprString(t.describe()))
	return t
}

func (p *parser) enter() {
	p.nest++
	if p.nest > maxNest {
		panic(&Error{Kind: KindRecursion, Message: "maximum recursion depth exceeded", Line: p.cur().line})
	}
}

func (p *parser) leave() { p.nest-- }

func (p *parser) testAny(list []string) bool {
	for _, e := range list {
		if p.cur().test(e) {
			return true
		}
	}
	return false
}

// failTag reports an unknown tag, or the end of the template when name is "".
func (p *parser) failTag(name string, known bool, stack [][]string, line int) {
	var msg []string
	if known {
		msg = append(msg, "Encountered unknown tag "+reprString(name)+".")
	} else {
		msg = append(msg, "Unexpected end of template.")
	}
	if len(stack) > 0 {
		var want []string
		expected := false
		for _, e := range stack[len(stack)-1] {
			want = append(want, reprString(describeExpr(e)))
		}
		for _, list := range stack {
			for _, e := range list {
				expected = expected || describeExpr(e) == name
			}
		}
		looking := strings.Join(want, " or ")
		if known && expected {
			msg = append(msg, "You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for "+looking+".")
		} else {
			msg = append(msg, "Jinja was looking for the following tags: "+looking+".")
		}
	}
	if len(p.tags) > 0 {
		msg = append(msg, "The innermost block that needs to be closed is "+reprString(p.tags[len(p.tags)-1])+".")
	}
	syntaxError(line, "%s", strings.Join(msg, " "))
}

func (p *parser) subparse(end []string) []stmt {
	var body []stmt
	var out *outputStmt
	add := func(line int, e expr) {
		if out == nil {
			out = &outputStmt{node: node{line}}
			body = append(body, out)
		}
		out.items = append(out.items, e)
	}
	if end != nil {
		p.endTokens = append(p.endTokens, end)
		defer func() { p.endTokens = p.endTokens[:len(p.endTokens)-1] }()
	}
	for {
		t := p.cur()
		switch t.typ {
		case tokEOF:
			return body
		case tokData:
			add(t.line, &dataExpr{node{t.line}, t.val})
			p.next()
		case tokVariableBegin:
			p.next()
			add(t.line, p.tuple(false, true, nil, false, false))
			p.expect(tokVariableEnd)
		default:
			out = nil
			p.next()
			if end != nil && p.testAny(end) {
				return body
			}
			p.enter()
			body = append(body, p.statement()...)
			p.leave()
			p.expect(tokBlockEnd)
		}
	}
}

func (p *parser) statements(end []string, drop bool) []stmt {
	p.skipIf("colon")
	p.expect(tokBlockEnd)
	body := p.subparse(end)
	if p.cur().typ == tokEOF {
		stack := append(append([][]string{}, p.endTokens...), end)
		p.failTag("", false, stack, p.cur().line)
	}
	if drop {
		p.next()
	}
	return body
}

func (p *parser) statement() []stmt {
	t := p.cur()
	if t.typ != tokName {
		syntaxError(t.line, "tag name expected")
	}
	p.tags = append(p.tags, t.val)
	var s stmt
	switch t.val {
	case "for":
		s = p.forTag()
	case "if":
		s = p.ifTag()
	case "set":
		s = p.setTag()
	case "macro":
		s = p.macroTag()
	case "call":
		s = p.callTag()
	case "filter":
		s = p.filterTag()
	case "with":
		s = p.withTag()
	case "autoescape":
		p.next()
		n := &scopeStmt{node: node{t.line}, autoescape: p.expression(true)}
		n.body = p.statements([]string{"name:endautoescape"}, true)
		s = n
	case "block":
		s = p.blockTag()
	case "print":
		s = p.printTag()
	case "extends", "include", "import", "from":
		s = p.loadTag()
	default:
		p.tags = p.tags[:len(p.tags)-1]
		p.failTag(t.val, true, p.endTokens, t.line)
	}
	p.tags = p.tags[:len(p.tags)-1]
	return []stmt{s}
}

func (p *parser) forTag() stmt {
	n := &forStmt{node: node{p.next().line}}
	n.target = p.assignTarget(false, []string{"name:in"})
	p.expect("name:in")
	n.iter = p.tuple(false, false, []string{"name:recursive"}, false, false)
	if p.skipIf("name:if") {
		n.test = p.expression(true)
	}
	n.recursive = p.skipIf("name:recursive")
	n.body = p.statements([]string{"name:endfor", "name:else"}, false)
	if p.next().val != "endfor" {
		n.els = p.statements([]string{"name:endfor"}, true)
	}
	return n
}

func (p *parser) ifTag() stmt {
	root := &ifStmt{node: node{p.next().line}}
	n := root
	for {
		n.test = p.tuple(false, false, nil, false, false)
		n.body = p.statements([]string{"name:elif", "name:else", "name:endif"}, false)
		t := p.next()
		if t.test("name:elif") {
			n = &ifStmt{node: node{p.cur().line}}
			root.elifs = append(root.elifs, n)
			continue
		}
		if t.test("name:else") {
			root.els = p.statements([]string{"name:endif"}, true)
		}
		return root
	}
}

func (p *parser) setTag() stmt {
	line := p.next().line
	target := p.assignTarget(true, nil)
	if p.skipIf("assign") {
		return &setStmt{node{line}, target, p.tuple(false, true, nil, false, false)}
	}
	n := &setBlockStmt{node: node{line}, target: target}
	if f := p.filters(nil, false); f != nil {
		n.filter = f.(*filterExpr)
	}
	n.body = p.statements([]string{"name:endset"}, true)
	return n
}

func (p *parser) withTag() stmt {
	n := &withStmt{node: node{p.next().line}}
	for p.cur().typ != tokBlockEnd {
		if len(n.targets) > 0 {
			p.expect("comma")
		}
		n.targets = append(n.targets, p.assignTarget(false, nil))
		p.expect("assign")
		n.values = append(n.values, p.expression(true))
	}
	n.body = p.statements([]string{"name:endwith"}, true)
	return n
}

func (p *parser) nameTarget() *nameExpr {
	t := p.expect(tokName)
	checkAssignable(t.val, t.line)
	return &nameExpr{node: node{t.line}, name: t.val}
}

func (p *parser) signature(d *macroDef) {
	p.expect("lparen")
	for p.cur().typ != "rparen" {
		if len(d.params) > 0 {
			p.expect("comma")
		}
		arg := p.nameTarget()
		if p.skipIf("assign") {
			d.defaults = append(d.defaults, p.expression(true))
		} else if len(d.defaults) > 0 {
			syntaxError(p.cur().line, "non-default argument follows default argument")
		}
		d.params = append(d.params, arg)
	}
	p.expect("rparen")
}

func (p *parser) macroTag() stmt {
	line := p.next().line
	target := p.nameTarget()
	d := &macroDef{node: node{line}, name: target.name}
	p.signature(d)
	d.body = p.statements([]string{"name:endmacro"}, true)
	return &macroStmt{node{line}, target, d}
}

func (p *parser) callTag() stmt {
	line := p.next().line
	d := &macroDef{node: node{line}}
	if p.cur().typ == "lparen" {
		p.signature(d)
	}
	call, ok := p.expression(true).(*callExpr)
	if !ok {
		syntaxError(line, "expected call")
	}
	d.body = p.statements([]string{"name:endcall"}, true)
	return &callBlockStmt{node{line}, d, call}
}

func (p *parser) filterTag() stmt {
	n := &filterBlockStmt{node: node{p.next().line}}
	n.filter = p.filters(nil, true).(*filterExpr)
	n.body = p.statements([]string{"name:endfilter"}, true)
	return n
}

func (p *parser) printTag() stmt {
	n := &outputStmt{node: node{p.next().line}}
	for p.cur().typ != tokBlockEnd {
		if len(n.items) > 0 {
			p.expect("comma")
		}
		n.items = append(n.items, p.expression(true))
	}
	return n
}

func (p *parser) blockTag() stmt {
	n := &blockStmt{node: node{p.next().line}}
	n.name = p.expect(tokName).val
	n.scoped = p.skipIf("name:scoped")
	n.required = p.skipIf("name:required")
	if p.cur().typ == "sub" {
		syntaxError(p.cur().line, "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	}
	n.body = p.statements([]string{"name:endblock"}, true)
	if n.required && !onlySpace(n.body) {
		syntaxError(p.cur().line, "Required blocks can only contain comments or whitespace")
	}
	p.skipIf("name:" + n.name)
	return n
}

func onlySpace(body []stmt) bool {
	for _, s := range body {
		out, ok := s.(*outputStmt)
		if !ok {
			return false
		}
		for _, it := range out.items {
			d, ok := it.(*dataExpr)
			if !ok || spaces(d.text) != len(d.text) {
				return false
			}
		}
	}
	return true
}

// loadTag parses the tags that need a loader; rendering them fails.
func (p *parser) loadTag() stmt {
	tag := p.next()
	n := &loadStmt{node: node{tag.line}, template: p.expression(true)}
	context := func() bool {
		if (p.cur().test("name:with") || p.cur().test("name:without")) && p.look().test("name:context") {
			p.next()
			p.next()
			return true
		}
		return false
	}
	switch tag.val {
	case "include":
		if p.cur().test("name:ignore") && p.look().test("name:missing") {
			p.next()
			p.next()
			n.ignore = true
		}
		context()
	case "import":
		p.expect("name:as")
		n.targets = append(n.targets, p.nameTarget())
		context()
	case "from":
		p.expect("name:import")
		p.fromNames(n, context)
	}
	return n
}

func (p *parser) fromNames(n *loadStmt, context func() bool) {
	for {
		if len(n.targets) > 0 {
			p.expect("comma")
		}
		if p.cur().typ != tokName {
			p.expect(tokName)
		}
		if context() {
			return
		}
		target := p.nameTarget()
		if strings.HasPrefix(target.name, "_") {
			panic(&Error{Kind: KindAssertion, Message: "names starting with an underline can not be imported", Line: target.line})
		}
		if p.skipIf("name:as") {
			target = p.nameTarget()
		}
		n.targets = append(n.targets, target)
		if context() || p.cur().typ != "comma" {
			return
		}
	}
}
