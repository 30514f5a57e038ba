// Package archtest holds the house rules of this repository and checks them as
// tests: which way imports go, who may read the environment, dial or tell the
// time, and that packages say what they are.
//
// It is not a style checker; that is the linters' work. A rule is a function in
// rules.go; an exception is a line in allow.go with its reason, and one that is
// no longer needed fails the tests too.
package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
)

// Module is the import path of this repository.
const Module = "github.com/millrace/millrace"

// File is one parsed Go file.
type File struct {
	// Path is relative to the repository, with slashes.
	Path string
	// Syntax is the file's syntax tree, with comments.
	Syntax *ast.File
	// Lines is the number of lines.
	Lines int
	// Imports maps the name a package goes by in this file to its path.
	Imports map[string]string
}

// Dir is the folder of the file.
func (f *File) Dir() string { return path.Dir(f.Path) }

// Test reports whether the file is part of the tests: by its name, or because
// its package exists for tests alone.
func (f *File) Test() bool {
	if strings.HasSuffix(f.Path, "_test.go") {
		return true
	}
	base := path.Base(f.Dir())
	return strings.HasSuffix(base, "test") || base == "testdata"
}

// Generated reports whether a tool wrote the file.
func (f *File) Generated() bool { return ast.IsGenerated(f.Syntax) }

// Repo is the repository as the rules see it.
type Repo struct {
	fset *token.FileSet
	// Files are all Go files, by path.
	Files []*File
	// Texts are all text files by path, Go files included.
	Texts map[string]string
}

// Violation is one breach of a rule.
type Violation struct {
	Path    string
	Line    int
	Message string
}

func (v Violation) String() string { return fmt.Sprintf("%s:%d: %s", v.Path, v.Line, v.Message) }

// skipped are folders that hold no source of this repository.
func skipped(name string) bool {
	switch name {
	case ".git", ".aws-sam", "node_modules", "testdata", "bin", "dist", ".cache", ".millrace", "__pycache__", ".venv":
		return true
	}
	return false
}

// maxText leaves data files out of the word search.
const maxText = 1 << 20

// Load parses the repository at the root of a file system.
func Load(root fs.FS) (*Repo, error) {
	r := &Repo{fset: token.NewFileSet(), Texts: map[string]string{}}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		return r.add(root, p, d)
	})
	if err != nil {
		return nil, fmt.Errorf("archtest: %w", err)
	}
	sort.Slice(r.Files, func(i, j int) bool { return r.Files[i].Path < r.Files[j].Path })
	return r, nil
}

func (r *Repo) add(root fs.FS, p string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxText {
		return err
	}
	raw, err := fs.ReadFile(root, p)
	if err != nil {
		return err
	}
	if bytes.ContainsRune(raw, 0) { // not text
		return nil
	}
	r.Texts[p] = string(raw)
	if path.Ext(p) != ".go" {
		return nil
	}
	syntax, err := parser.ParseFile(r.fset, p, raw, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &File{Path: p, Syntax: syntax, Lines: strings.Count(string(raw), "\n"), Imports: map[string]string{}}
	for _, spec := range syntax.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		f.Imports[importName(spec, target)] = target
	}
	r.Files = append(r.Files, f)
	return nil
}

func importName(spec *ast.ImportSpec, target string) string {
	if spec.Name != nil {
		if spec.Name.Name == "_" || spec.Name.Name == "." {
			return spec.Name.Name + target // several may share the mark
		}
		return spec.Name.Name
	}
	base := path.Base(target)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(target))
	}
	return base
}

func (r *Repo) at(f *File, n ast.Node, message string, args ...any) Violation {
	return Violation{Path: f.Path, Line: r.fset.Position(n.Pos()).Line, Message: fmt.Sprintf(message, args...)}
}

// selectors calls visit for every use of an exported name of another package
// (alias.Name where alias is an import of the file).
func (f *File) selectors(visit func(n ast.Node, importPath, name string)) {
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok {
			if target, ok := f.Imports[id.Name]; ok {
				visit(sel, target, sel.Sel.Name)
			}
		}
		return true
	})
}
