package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"sort"
	"strings"
)

// Rule is one house rule.
type Rule struct {
	// Name is how allow.go refers to the rule.
	Name string
	// Says is the rule in a sentence, shown when it is broken.
	Says string
	// Check returns every breach, allowed or not.
	Check func(*Repo) []Violation
}

// Rules returns all house rules.
func Rules() []Rule {
	return []Rule{
		{"imports", "imports go from functions and local to assemble, to api, to adapters, to seams, to domain", imports},
		{"domain", "domain packages know no SQL driver, HTTP server, cloud SDK or Redis client", domain},
		{"init", "shared code has no init(): registration is explicit", noInit},
		{"doc", "every package has a comment that says what it is", packageDocs},
		{"exported", "every exported type and function has a sentence", exportedDocs},
		{"environment", "only shared/config reads the environment", environment},
		{"dial", "only shared/egress dials out", dialling},
		{"time", "only shared/clock tells the time: take a clock.Clock", tellingTime},
		{"sleep", "nothing sleeps, least of all a test: wait for what is waited for", sleeping},
		{"length", "files stay under 650 lines (tests 800) and functions under 120", lengths},
		{"words", "no paths of a developer's machine, no registry hosts, no trailers", words},
	}
}

// importers says, for a folder of this repository, who outside it may import it.
// What is not named may be imported by anybody.
var importers = []struct{ target, by string }{
	{"functions/", "functions/"},
	{"local/", "local/ bench/"},
	{"shared/assemble", "shared/assemble functions/ local/"},
	{"shared/api/", "shared/api/ shared/assemble functions/ local/"},
	{"shared/postgres/", "shared/postgres/ shared/assemble functions/ local/ bench/"},
}

func imports(r *Repo) []Violation {
	var out []Violation
	for _, f := range r.Files {
		if f.Test() {
			continue // tests may use the pieces that stand in for the rest
		}
		for _, spec := range f.Syntax.Imports {
			target, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), Module+"/")
			if !ok {
				continue
			}
			for _, rule := range importers {
				if under(target, rule.target) && !underAny(f.Dir(), strings.Fields(rule.by)) {
					out = append(out, r.at(f, spec, "%s must not import %s", f.Dir(), target))
				}
			}
		}
	}
	return out
}

func under(dir, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return dir == prefix || strings.HasPrefix(dir, prefix+"/")
}

func underAny(dir string, prefixes []string) bool {
	for _, p := range prefixes {
		if under(dir, p) {
			return true
		}
	}
	return false
}

// domainPackages hold rules of the product and nothing about how it is stored,
// sent or run.
var domainPackages = []string{
	"shared/account", "shared/app", "shared/audit", "shared/catalogue", "shared/chat", "shared/clock", "shared/debug", "shared/document", "shared/dsl",
	"shared/errs", "shared/file", "shared/humaninput", "shared/ids", "shared/jinja", "shared/knowledge", "shared/plugin", "shared/provider",
	"shared/run", "shared/runstore", "shared/tool", "shared/trigger", "shared/usage", "shared/workflow",
}

// outer are the libraries domain packages know nothing of. net/http is allowed
// for nodes, whose work may be an HTTP request through egress.
var outer = []string{
	"database/sql", "github.com/jackc/pgx", "github.com/gomodule/redigo", Module + "/shared/redisdb", "gocloud.dev", "github.com/aws/",
	"cloud.google.com/", "github.com/Azure/", "github.com/pressly/goose", "net/http",
}

// isDomain reports whether a folder holds domain code. Below a domain package
// are its adapters, except in the engine, which is domain all the way down.
func isDomain(dir string) bool {
	return slices.Contains(domainPackages, dir) || under(dir, "shared/workflow")
}

func domain(r *Repo) []Violation {
	var out []Violation
	for _, f := range r.Files {
		if f.Test() || !isDomain(f.Dir()) {
			continue
		}
		for _, spec := range f.Syntax.Imports {
			target := strings.Trim(spec.Path.Value, `"`)
			if target == "net/http" && under(f.Dir(), "shared/workflow/node") {
				continue
			}
			for _, lib := range outer {
				if target == lib || strings.HasPrefix(target, strings.TrimSuffix(lib, "/")+"/") {
					out = append(out, r.at(f, spec, "domain package %s imports %s", f.Dir(), target))
				}
			}
		}
	}
	return out
}

func noInit(r *Repo) []Violation {
	var out []Violation
	for _, f := range r.Files {
		if !under(f.Dir(), "shared") {
			continue
		}
		for _, decl := range f.Syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				out = append(out, r.at(f, fn, "init() in shared code"))
			}
		}
	}
	return out
}

func packageDocs(r *Repo) []Violation {
	documented, first := map[string]bool{}, map[string]*File{}
	for _, f := range r.Files {
		if strings.HasSuffix(f.Path, "_test.go") {
			continue
		}
		if first[f.Dir()] == nil {
			first[f.Dir()] = f
		}
		if f.Syntax.Doc != nil && len(strings.Fields(f.Syntax.Doc.Text())) >= 5 {
			documented[f.Dir()] = true
		}
	}
	var out []Violation
	for dir, f := range first {
		if !documented[dir] {
			out = append(out, r.at(f, f.Syntax.Name, "package %s has no doc comment", dir))
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out
}

func exportedDocs(r *Repo) []Violation {
	var out []Violation
	for _, f := range r.Files {
		if f.Test() || f.Generated() || f.Syntax.Name.Name == "main" {
			continue
		}
		for _, decl := range f.Syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				// Methods that implement an interface say it there.
				if d.Recv == nil && d.Name.IsExported() && d.Doc == nil {
					out = append(out, r.at(f, d, "exported function %s has no comment", d.Name.Name))
				}
			case *ast.GenDecl:
				if d.Tok != token.TYPE {
					continue
				}
				for _, spec := range d.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok && t.Name.IsExported() && d.Doc == nil && t.Doc == nil {
						out = append(out, r.at(f, t, "exported type %s has no comment", t.Name.Name))
					}
				}
			}
		}
	}
	return out
}

// uses reports every use of the given names of the standard library in files
// that are not tests.
func uses(r *Repo, names map[string][]string, message string, home ...string) []Violation {
	var out []Violation
	for _, f := range r.Files {
		if f.Test() || underAny(f.Dir(), home) {
			continue
		}
		f.selectors(func(n ast.Node, importPath, name string) {
			for _, banned := range names[importPath] {
				if banned == name {
					out = append(out, r.at(f, n, message, path.Base(importPath)+"."+name))
				}
			}
		})
	}
	return out
}

func environment(r *Repo) []Violation {
	return uses(r, map[string][]string{
		"os":      {"Getenv", "LookupEnv", "Environ", "ExpandEnv"},
		"syscall": {"Getenv", "Environ"},
	}, "%s outside shared/config", "shared/config")
}

func dialling(r *Repo) []Violation {
	out := uses(r, map[string][]string{
		"net":        {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix"},
		"crypto/tls": {"Dial", "DialWithDialer"},
		"net/http":   {"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport"},
	}, "%s outside shared/egress", "shared/egress")
	// To be given a client is right; to make one is not.
	makes := map[string][]string{"net": {"Dialer"}, "crypto/tls": {"Dialer"}, "net/http": {"Client", "Transport"}}
	for _, f := range r.Files {
		if f.Test() || under(f.Dir(), "shared/egress") {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if importPath, name := f.made(n); slices.Contains(makes[importPath], name) {
				out = append(out, r.at(f, n, "makes a %s.%s outside shared/egress", path.Base(importPath), name))
			}
			return true
		})
	}
	return out
}

// made returns the imported type a node makes a value of: T{...}, new(T) or a
// variable of type T.
func (f *File) made(n ast.Node) (importPath, name string) {
	var typ ast.Expr
	switch n := n.(type) {
	case *ast.CompositeLit:
		typ = n.Type
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "new" && len(n.Args) == 1 {
			typ = n.Args[0]
		}
	case *ast.ValueSpec:
		typ = n.Type
	}
	if sel, ok := typ.(*ast.SelectorExpr); ok {
		if id, ok := sel.X.(*ast.Ident); ok {
			return f.Imports[id.Name], sel.Sel.Name
		}
	}
	return "", ""
}

func tellingTime(r *Repo) []Violation {
	return uses(r, map[string][]string{
		"time": {"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
	}, "%s outside shared/clock", "shared/clock")
}

func sleeping(r *Repo) []Violation {
	var out []Violation
	for _, f := range r.Files {
		f.selectors(func(n ast.Node, importPath, name string) {
			if importPath == "time" && name == "Sleep" {
				out = append(out, r.at(f, n, "time.Sleep"))
			}
		})
	}
	return out
}

// Limits of the length rule, in lines.
const (
	maxFile     = 650
	maxTestFile = 800
	maxFunction = 120
)

func lengths(r *Repo) []Violation {
	var out []Violation
	for _, f := range r.Files {
		limit := maxFile
		if f.Test() {
			limit = maxTestFile
		}
		if f.Generated() {
			continue
		}
		if f.Lines > limit {
			out = append(out, r.at(f, f.Syntax.Name, "%d lines, the limit is %d", f.Lines, limit))
		}
		for _, decl := range f.Syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || f.Test() { // suites are long by nature
				continue
			}
			lines := r.fset.Position(fn.End()).Line - r.fset.Position(fn.Pos()).Line + 1
			if lines > maxFunction {
				out = append(out, r.at(f, fn, "%s has %d lines, the limit is %d", fn.Name.Name, lines, maxFunction))
			}
		}
	}
	return out
}

// banned are words that do not belong in a public repository. They are put
// together here so that this file does not contain them.
func banned() []string {
	return []string{
		"/work" + "/", "/tmp" + "/brief", "/home" + "/user/", "/Users" + "/",
		"repo1." + "maven.org", "proxy." + "golang.org", "registry." + "npmjs.org", "files.python" + "hosted.org",
		"Co-Authored" + "-By",
	}
}

func words(r *Repo) []Violation {
	var out []Violation
	for p, text := range r.Texts {
		for _, word := range banned() {
			if i := strings.Index(text, word); i >= 0 {
				out = append(out, Violation{Path: p, Line: 1 + strings.Count(text[:i], "\n"), Message: "contains " + word})
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].String() < out[j].String() })
	return out
}
