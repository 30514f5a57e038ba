// Package jinja is an interpreter for the Jinja2 template language with
// Python's value semantics: what a template prints, and how it fails, follows
// what the Python engine does in its sandboxed environment with default
// settings.
//
// It is not a Go template dialect and reaches nothing of the host: a template
// sees only the variables given to Render, there is no loader (include, import
// and extends fail), no reflection over Go values, and every run is bounded in
// steps, output, string size and depth.
//
// Start at template.go (Compile, Render, Options). The source goes through
// lexer.go, parser_*.go and resolve.go (names to slots, unknown filters); the
// tree of ast.go is walked by exec.go (statements) and eval.go (expressions)
// over the values of value.go. Filters, tests and methods live in filters_*.go,
// tests.go and methods_*.go. testdata/corpus.json holds expectations produced by
// the Python engine; corpus_test.go replays them.
package jinja
