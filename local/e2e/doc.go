// Package e2e holds the tests of the real program: they build the millrace
// command, run it as a child process in both modes, kill it or its functions
// with SIGKILL, and look at what clients, the journal and the servers that the
// runs called have seen.
//
// There is nothing here to import. What survives the kills lives in the test
// process (a model and an echo server that count their calls) or in a Postgres
// of its own. How runs survive is shared/run's concern; tests that kill at each
// single commit are shared/postgres/runs'.
//
// go test ./local/e2e -v tells how many kill points there were; -kills N asks for
// more of them, -seed N repeats the moments of an earlier run. -update records
// the journals and the paused database of this version, which later versions have
// to go on with: see shared/run/testdata/journals.
//
// START HERE: scenarios_test.go for the apps that are killed, kill_test.go for
// when, verify_test.go and effects_test.go for what must hold afterwards,
// ride_test.go for the client that joins again.
package e2e
