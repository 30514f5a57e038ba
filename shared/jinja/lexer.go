package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Token types carry the names that appear in error messages.
const (
	tokEOF           = "eof"
	tokData          = "data"
	tokVariableBegin = "variable_begin"
	tokVariableEnd   = "variable_end"
	tokBlockBegin    = "block_begin"
	tokBlockEnd      = "block_end"
	tokName          = "name"
	tokString        = "string"
	tokInteger       = "integer"
	tokFloat         = "float"
)

type token struct {
	line int
	typ  string
	val  string
	num  any    // value of integer and float tokens
	err  *Error // set on the last token when lexing failed there
}

func operatorType(op string) string {
	switch op {
	case "+":
		return "add"
	case "-":
		return "sub"
	case "/":
		return "div"
	case "//":
		return "floordiv"
	case "*":
		return "mul"
	case "%":
		return "mod"
	case "**":
		return "pow"
	case "~":
		return "tilde"
	case "[":
		return "lbracket"
	case "]":
		return "rbracket"
	case "(":
		return "lparen"
	case ")":
		return "rparen"
	case "{":
		return "lbrace"
	case "}":
		return "rbrace"
	case "==":
		return "eq"
	case "!=":
		return "ne"
	case ">":
		return "gt"
	case ">=":
		return "gteq"
	case "<":
		return "lt"
	case "<=":
		return "lteq"
	case "=":
		return "assign"
	case ".":
		return "dot"
	case ":":
		return "colon"
	case "|":
		return "pipe"
	case ",":
		return "comma"
	case ";":
		return "semicolon"
	}
	return ""
}

// describeType names a token type the way error messages do.
func describeType(t string) string {
	switch t {
	case tokVariableBegin:
		return "begin of print statement"
	case tokVariableEnd:
		return "end of print statement"
	case tokBlockBegin:
		return "begin of statement block"
	case tokBlockEnd:
		return "end of statement block"
	case tokData:
		return "template data / text"
	case tokEOF:
		return "end of template"
	}
	for _, op := range []string{
		"+", "-", "/", "//", "*", "%", "**", "~", "[", "]", "(", ")", "{", "}",
		"==", "!=", ">", ">=", "<", "<=", "=", ".", ":", "|", ",", ";",
	} {
		if operatorType(op) == t {
			return op
		}
	}
	return t
}

func (t token) describe() string {
	if t.typ == tokName {
		return t.val
	}
	return describeType(t.typ)
}

// test compares with a type or with "type:value".
func (t token) test(expr string) bool {
	if t.typ == expr {
		return true
	}
	typ, val, ok := strings.Cut(expr, ":")
	return ok && t.typ == typ && t.val == val
}

func describeExpr(expr string) string {
	if typ, val, ok := strings.Cut(expr, ":"); ok {
		if typ == tokName {
			return val
		}
		return describeType(typ)
	}
	return describeType(expr)
}

type lexer struct {
	src   string
	pos   int
	line  int
	toks  []token
	stack []byte // closing brackets still expected
}

func syntaxError(line int, format string, args ...any) {
	defer func() {
		r := recover()
		if e, ok := r.(*Error); ok {
			e.Line = line
		}
		panic(r)
	}()
	raise(KindSyntax, format, args...)
}

// tokenize splits a template into tokens. Malformed input ends them with a
// token that carries the error.
func tokenize(source string) (toks []token) {
	src := strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	src = strings.TrimSuffix(src, "\n")
	lx := &lexer{src: src, line: 1, toks: make([]token, 0, 16+len(src)/8)}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			toks = append(lx.toks, token{line: lx.line, typ: tokEOF, err: r})
		default:
			panic(r)
		}
	}()
	lx.root()
	return append(lx.toks, token{line: lx.line, typ: tokEOF})
}

func (lx *lexer) emit(typ, val string) {
	lx.toks = append(lx.toks, token{line: lx.line, typ: typ, val: val})
}

func (lx *lexer) advance(n int) {
	lx.line += strings.Count(lx.src[lx.pos:lx.pos+n], "\n")
	lx.pos += n
}

// text emits the data before a tag; sign '-' removes its trailing space.
func (lx *lexer) text(n int, sign byte) {
	data := lx.src[lx.pos : lx.pos+n]
	if sign == '-' {
		data = strings.TrimRightFunc(data, isPySpace)
	}
	if data != "" {
		lx.emit(tokData, data)
	}
	lx.advance(n)
}

func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i
		}
	}
	return -1
}

func (lx *lexer) root() {
	for lx.pos < len(lx.src) {
		at := nextTag(lx.src[lx.pos:])
		if at < 0 {
			lx.text(len(lx.src)-lx.pos, 0)
			return
		}
		tag := lx.pos + at
		kind := lx.src[tag+1]
		var sign byte
		width := 2
		if tag+2 < len(lx.src) && (lx.src[tag+2] == '-' || lx.src[tag+2] == '+') {
			sign = lx.src[tag+2]
			width = 3
		}
		lx.text(at, sign)
		if kind == '%' {
			if n := matchRawBegin(lx.src[lx.pos:], width); n > 0 {
				lx.advance(n)
				lx.raw()
				continue
			}
		}
		switch kind {
		case '#':
			lx.advance(width)
			lx.comment()
		case '%':
			lx.emit(tokBlockBegin, "")
			lx.advance(width)
			lx.code(true)
		default:
			lx.emit(tokVariableBegin, "")
			lx.advance(width)
			lx.code(false)
		}
	}
}

func spaces(s string) int {
	for i, r := range s {
		if !isPySpace(r) {
			return i
		}
	}
	return len(s)
}

// matchRawBegin measures a raw tag at the start of s, 0 when there is none.
func matchRawBegin(s string, width int) int {
	n := width + spaces(s[width:])
	if !strings.HasPrefix(s[n:], "raw") {
		return 0
	}
	n += 3
	n += spaces(s[n:])
	switch {
	case strings.HasPrefix(s[n:], "-%}"):
		n += 3
		return n + spaces(s[n:])
	case strings.HasPrefix(s[n:], "%}"):
		return n + 2
	}
	return 0
}

func (lx *lexer) raw() {
	rest := lx.src[lx.pos:]
	for i := 0; i+1 < len(rest); i++ {
		if rest[i] != '{' || rest[i+1] != '%' {
			continue
		}
		n := i + 2
		var sign byte
		if n < len(rest) && (rest[n] == '-' || rest[n] == '+') {
			sign = rest[n]
			n++
		}
		n += spaces(rest[n:])
		if !strings.HasPrefix(rest[n:], "endraw") {
			continue
		}
		n += len("endraw")
		n += spaces(rest[n:])
		switch {
		case strings.HasPrefix(rest[n:], "+%}"):
			n += 3
		case strings.HasPrefix(rest[n:], "-%}"):
			n += 3
			n += spaces(rest[n:])
		case strings.HasPrefix(rest[n:], "%}"):
			n += 2
		default:
			continue
		}
		lx.text(i, sign)
		lx.advance(n - i)
		return
	}
	if rest == "" {
		return
	}
	syntaxError(lx.line, "Missing end of raw directive")
}

func (lx *lexer) comment() {
	rest := lx.src[lx.pos:]
	end := strings.Index(rest, "#}")
	if end < 0 {
		if rest == "" {
			return
		}
		syntaxError(lx.line, "Missing end of comment tag")
	}
	n := end + 2
	if end > 0 && rest[end-1] == '-' {
		n += spaces(rest[n:])
	}
	lx.advance(n)
}

// code lexes the inside of a statement or print tag up to its end.
func (lx *lexer) code(block bool) {
	for lx.pos < len(lx.src) {
		rest := lx.src[lx.pos:]
		if len(lx.stack) == 0 {
			if n := matchEnd(rest, block); n > 0 {
				if block {
					lx.emit(tokBlockEnd, "")
				} else {
					lx.emit(tokVariableEnd, "")
				}
				lx.advance(n)
				return
			}
		}
		if n := spaces(rest); n > 0 {
			lx.advance(n)
			continue
		}
		lx.codeToken(rest)
	}
}

func matchEnd(s string, block bool) int {
	end := "}}"
	if block {
		end = "%}"
		if strings.HasPrefix(s, "+%}") {
			return 3
		}
	}
	if strings.HasPrefix(s, end) {
		return 2
	}
	if s[0] == '-' && strings.HasPrefix(s[1:], end) {
		return 3 + spaces(s[3:])
	}
	return 0
}

func (lx *lexer) codeToken(rest string) {
	prevDot := lx.pos > 0 && lx.src[lx.pos-1] == '.'
	c := rest[0]
	if c >= '0' && c <= '9' {
		if !prevDot {
			if n := matchFloat(rest); n > 0 {
				f := parsePyFloat(rest[:n])
				lx.toks = append(lx.toks, token{line: lx.line, typ: tokFloat, val: rest[:n], num: f})
				lx.advance(n)
				return
			}
		}
		n := matchInteger(rest)
		v, _ := parsePyInt(rest[:n], 0)
		lx.toks = append(lx.toks, token{line: lx.line, typ: tokInteger, val: rest[:n], num: v})
		lx.advance(n)
		return
	}
	if n := matchName(rest); n > 0 {
		name := rest[:n]
		if r, _ := utf8.DecodeRuneInString(name); r != '_' && !unicode.IsLetter(r) && !unicode.Is(unicode.Nl, r) {
			syntaxError(lx.line, "Invalid character in identifier")
		}
		lx.emit(tokName, name)
		lx.advance(n)
		return
	}
	if c == '\'' || c == '"' {
		if n := matchString(rest); n > 0 {
			val, msg := unescapeString(rest[1 : n-1])
			if msg != "" {
				syntaxError(lx.line, "%s", msg)
			}
			lx.emit(tokString, val)
			lx.advance(n)
			return
		}
	}
	lx.operator(rest)
}

func (lx *lexer) operator(rest string) {
	op := ""
	if len(rest) > 1 && operatorType(rest[:2]) != "" {
		op = rest[:2]
	} else if operatorType(rest[:1]) != "" {
		op = rest[:1]
	}
	if op == "" {
		r, _ := utf8.DecodeRuneInString(rest)
		syntaxError(lx.line, "unexpected char %s at %d", reprString(string(r)), utf8.RuneCountInString(lx.src[:lx.pos]))
	}
	switch op {
	case "{":
		lx.stack = append(lx.stack, '}')
	case "(":
		lx.stack = append(lx.stack, ')')
	case "[":
		lx.stack = append(lx.stack, ']')
	case "}", ")", "]":
		if len(lx.stack) == 0 {
			syntaxError(lx.line, "unexpected '%s'", op)
		}
		want := lx.stack[len(lx.stack)-1]
		lx.stack = lx.stack[:len(lx.stack)-1]
		if want != op[0] {
			syntaxError(lx.line, "unexpected '%s', expected '%c'", op, want)
		}
	}
	lx.emit(operatorType(op), op)
	lx.advance(len(op))
}
