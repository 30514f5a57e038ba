// Package process is what every deployable has, whatever it does: settings, a
// logger, a clock, telemetry, and a main function that serves until the platform
// stops the process.
//
// It opens nothing of a deployment (no database, no queues): functions that run
// untrusted code are built on it alone, so that their binaries link no client of
// anything worth reaching. Package assemble adds the rest. START HERE: [Main].
package process
