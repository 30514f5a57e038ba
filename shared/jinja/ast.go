package jinja

// expr is an expression node; stmt is a statement node. The tree is built once
// by the parser, completed by the resolver and never changed afterwards, which
// is what makes a Template safe to share.
type expr interface{ pos() int }

type stmt interface{ pos() int }

type node struct{ line int }

func (n node) pos() int { return n.line }

// slotRef addresses a variable: depth scopes up, then a slot.
type slotRef struct{ depth, slot int }

type (
	constExpr struct {
		node
		val any
	}
	nameExpr struct {
		node
		name string
		// refs are the scopes that may hold the name, innermost first; when
		// none has it the context slot ctx decides.
		refs []slotRef
		ctx  int
		// noContext: the outermost scope storing the name hides the context.
		noContext bool
	}
	nsRefExpr struct {
		node
		ns   *nameExpr
		attr string
	}
	tupleExpr struct {
		node
		items []expr
	}
	listExpr struct {
		node
		items []expr
	}
	dictExpr struct {
		node
		keys, vals []expr
	}
	condExpr struct {
		node
		test, then, els expr // els may be nil
	}
	binExpr struct {
		node
		op          string // token type: add, sub, ...
		left, right expr
	}
	logicExpr struct {
		node
		and         bool
		left, right expr
	}
	notExpr struct {
		node
		x expr
	}
	unaryExpr struct {
		node
		neg bool
		x   expr
	}
	concatExpr struct {
		node
		parts []expr
	}
	compareExpr struct {
		node
		left expr
		ops  []string
		rest []expr
	}
	attrExpr struct {
		node
		x    expr
		name string
	}
	itemExpr struct {
		node
		x, arg expr
	}
	sliceExpr struct {
		node
		start, stop, step expr
	}
	callArgs struct {
		args      []expr
		kwNames   []string
		kwVals    []expr
		dynArgs   expr
		dynKwargs expr
	}
	callExpr struct {
		node
		fn expr
		callArgs
	}
	filterExpr struct {
		node
		x    expr // nil: the body of a filter block or block set
		name string
		spec *function // nil when unknown
		callArgs
	}
	testExpr struct {
		node
		x    expr
		name string
		spec *function
		callArgs
	}
)

type (
	outputStmt struct {
		node
		items []expr // *dataExpr or expressions
	}
	dataExpr struct {
		node
		text string
	}
	ifStmt struct {
		node
		test  expr
		body  []stmt
		elifs []*ifStmt
		els   []stmt
	}
	forStmt struct {
		node
		target           expr
		iter, test       expr
		body, els        []stmt
		recursive        bool
		usesLoop         bool
		captured         bool // a closure may outlive one iteration's scope
		loopSlot         int
		nvars            int
		nelse, ntestVars int
		testTarget       expr // target resolved for the scope of the test
	}
	setStmt struct {
		node
		target, value expr
	}
	setBlockStmt struct {
		node
		target expr
		filter *filterExpr
		body   []stmt
		nvars  int
	}
	withStmt struct {
		node
		targets, values []expr
		body            []stmt
		nvars           int
	}
	scopeStmt struct { // autoescape
		node
		autoescape expr
		body       []stmt
		nvars      int
	}
	macroDef struct {
		node
		name       string // "" for a call block
		params     []*nameExpr
		defaults   []expr // of the last parameters
		body       []stmt
		nvars      int
		callerSlot int // -1 when not used
		kwargsSlot int
		varargSlot int
		explicit   bool // "caller" is an ordinary parameter
	}
	macroStmt struct {
		node
		target *nameExpr
		def    *macroDef
	}
	callBlockStmt struct {
		node
		def  *macroDef
		call *callExpr
	}
	filterBlockStmt struct {
		node
		filter *filterExpr
		body   []stmt
		nvars  int
	}
	blockStmt struct {
		node
		name      string
		scoped    bool
		required  bool
		body      []stmt
		nvars     int
		depth     int // scopes between the block and the root
		superSlot int // -1 when not used
	}
	// loadStmt is extends, include, import or from: there is no loader.
	loadStmt struct {
		node
		template expr
		targets  []*nameExpr
		ignore   bool
	}
)

// children calls visit for every direct child node of n that exists.
func children(n any, visit func(any)) {
	exprs := func(list ...expr) {
		for _, e := range list {
			if e != nil {
				visit(e)
			}
		}
	}
	stmts := func(list []stmt) {
		for _, s := range list {
			visit(s)
		}
	}
	call := func(c *callArgs) {
		exprs(c.args...)
		exprs(c.kwVals...)
		exprs(c.dynArgs, c.dynKwargs)
	}
	switch n := n.(type) {
	case *tupleExpr:
		exprs(n.items...)
	case *listExpr:
		exprs(n.items...)
	case *dictExpr:
		exprs(n.keys...)
		exprs(n.vals...)
	case *condExpr:
		exprs(n.test, n.then, n.els)
	case *binExpr:
		exprs(n.left, n.right)
	case *logicExpr:
		exprs(n.left, n.right)
	case *notExpr:
		exprs(n.x)
	case *unaryExpr:
		exprs(n.x)
	case *concatExpr:
		exprs(n.parts...)
	case *compareExpr:
		exprs(n.left)
		exprs(n.rest...)
	case *attrExpr:
		exprs(n.x)
	case *itemExpr:
		exprs(n.x, n.arg)
	case *sliceExpr:
		exprs(n.start, n.stop, n.step)
	case *callExpr:
		exprs(n.fn)
		call(&n.callArgs)
	case *filterExpr:
		exprs(n.x)
		call(&n.callArgs)
	case *testExpr:
		exprs(n.x)
		call(&n.callArgs)
	case *nsRefExpr:
		visit(n.ns)
	case *outputStmt:
		exprs(n.items...)
	case *ifStmt:
		exprs(n.test)
		stmts(n.body)
		for _, e := range n.elifs {
			visit(e)
		}
		stmts(n.els)
	case *forStmt:
		exprs(n.target, n.iter, n.test)
		stmts(n.body)
		stmts(n.els)
	case *setStmt:
		exprs(n.target, n.value)
	case *setBlockStmt:
		exprs(n.target)
		if n.filter != nil {
			visit(n.filter)
		}
		stmts(n.body)
	case *withStmt:
		exprs(n.targets...)
		exprs(n.values...)
		stmts(n.body)
	case *scopeStmt:
		exprs(n.autoescape)
		stmts(n.body)
	case *macroStmt:
		exprs(n.def.defaults...)
		stmts(n.def.body)
	case *callBlockStmt:
		visit(n.call)
		exprs(n.def.defaults...)
		stmts(n.def.body)
	case *filterBlockStmt:
		visit(n.filter)
		stmts(n.body)
	case *blockStmt:
		stmts(n.body)
	case *loadStmt:
		exprs(n.template)
	}
}
