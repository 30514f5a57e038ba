// Package conformance runs recorded HTTP conversations against a server and
// compares what it answers with the recording.
//
// The cases in cases/ import an app, publish it, call the server the way a
// client would and hold the transcript that release 1.16.1 of the contract
// (Dify) gave. Nothing here looks inside the server: a base URL and an
// administrator account are all it needs. README.md describes the format.
//
// Three lists say what is expected of this project:
//
//   - cases/ holds the recordings, one folder each;
//   - expected.tsv names the cases that are not expected to pass yet, with the
//     reason; one that passes anyway fails the tests;
//   - differences.md names what differs on purpose; a difference that a step
//     shows is tied to it, accepted there and nowhere else, and fails the tests
//     when it is gone.
//
// It is no recorder: recordings come from the reference server alone. It is no
// load test either; that is bench. The model and the web server that the apps
// call are shared/mockmodel and shared/mockecho.
//
// START HERE: case.go for what a case is, target.go for the server under test,
// run.go for how steps run, compare.go for what counts as equal, and
// conformance_test.go for how it is put together.
package conformance
