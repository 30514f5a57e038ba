// Package assemble is the composition root: it opens what a deployment's
// settings name (database, Redis, blobs, queues) and builds each function of
// the catalogue from it. It is imported by functions/ and local/ alone.
//
// Nothing is decided here but which implementation stands behind a seam. Each
// function has a constructor of its own, and its main package imports the drivers
// of what the catalogue says it uses (package drivers/...), so that a binary links
// that and nothing else; links_test.go checks it. Functions that run untrusted
// code are built by codefn on package process alone. START HERE: platform.go, then
// the constructor of the function in question.
package assemble
