// Package engine advances one run of a graph: it decides which nodes are ready,
// runs them, follows edges, retries, applies error strategies, orders the text
// that answer and end nodes stream, and says when the run is over.
//
// It stores nothing and knows no client: everything that happens is an event
// that it hands to a [Host], which makes it durable before anybody sees it.
// The rules of durability are kept here: nodes without effects are computed at
// once and their events buffered; before a node with an effect starts, all
// earlier events are committed; the result of an effect is committed before
// anything with an effect starts after it. So a run can be rebuilt by folding
// its events ([Run.Restore]) and continued by any process.
//
// One goroutine owns the state of a run; effects run in goroutines of their own
// and report back by messages. START HERE: plan.go (what is computed once per
// graph), then run.go (the loop), apply.go (what a result does to the state),
// stream.go (who may stream when). Package run is the only user.
package engine
