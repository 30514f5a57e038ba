// Package tenanttest tries every method of every store that takes an id with
// the ids of another workspace. It holds tests alone: a store gets its rows in
// the table of calls_test.go, and nothing here is imported.
//
// START HERE: TestForeignIDsAreNotFound.
package tenanttest
