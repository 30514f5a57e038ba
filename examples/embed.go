// Package examples carries the example apps, so that the local command can
// import them wherever it runs. The files are ordinary app DSL.
package examples

import "embed"

// FS holds the example apps, *.yml.
//
//go:embed *.yml
var FS embed.FS
