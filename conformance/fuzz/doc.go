// Package fuzz feeds mutated app documents to the whole way that a document
// goes: import, export, draft, publish and run, on stores in memory and the
// real node types with partners that answer at once. Whatever the document is,
// the answer is a clear error or a run that ends by itself within its limits:
// no panic, no server error, nothing stuck, and nothing of what was stored
// before is lost.
//
// The documents start from the conformance cases and the examples. TestMutants
// goes through the same mutants every time; FuzzDocument searches for others:
//
//	go test ./conformance/fuzz -fuzz FuzzDocument -fuzztime 10m
//
// What it finds goes to testdata/fuzz and is run by go test from then on. It
// does not say whether outputs are right: that is package conformance's work.
package fuzz
