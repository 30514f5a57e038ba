// Package service is the service API: what an app's backend calls with the
// app's key, under /v1. It runs workflows and chatflows, shows their streams,
// and reads and changes what belongs to an end user of the app.
//
// Handlers parse, call one domain service and render; rules live in the domain
// packages. The routes are split over the functions of the catalogue:
// ChatMessages, WorkflowRun and Rest. Datasets are another package's; what is
// not there yet answers 501 through package edge.
//
// START HERE: deps.go for what the API needs, turn.go for how a run is started
// and shown.
package service
