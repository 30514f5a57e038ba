// Package assemble is the composition root: it opens what a deployment's
// settings name (database, Redis, blobs, queues) and builds each function of
// the catalogue from it. It is imported by functions/ and local/ alone.
//
// Nothing is decided here but which implementation stands behind a seam. Each
// function has a constructor of its own, so that a binary links what its
// function uses and nothing else. START HERE: platform.go, then the constructor
// of the function in question (functions.go).
package assemble
