// Package workflow holds the types that the engine, the nodes and the clients
// of a run share: the graph as the app DSL describes it, selectors and the
// variable pool, the interface of a node, and the events of a run.
//
// It runs nothing and stores nothing: package engine advances runs, the
// packages below node/ are the node types, package runstore is the journal.
// START HERE: node.go for writing a node, event.go for reading a run.
package workflow
