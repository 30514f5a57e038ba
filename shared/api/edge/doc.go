// Package edge is the HTTP kit that every API package is built from: route
// tables with the contract's path converters, bodies decoded by their declared
// type, answers and errors in the contract's form, and what all requests share
// (request id, log line, CORS, limits).
//
// It knows no domain and authenticates nobody: API packages wrap their handlers
// themselves. Routes of the contract that a function owns but does not serve
// yet answer 501 not_implemented; paths outside the contract answer the plain
// HTML page that the contract has for them.
//
// START HERE: Route and NewRouter in router.go, then body.go and respond.go.
package edge
