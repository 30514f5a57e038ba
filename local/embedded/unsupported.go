//go:build !unix

package embedded

import (
	"context"
	"errors"
)

// Postgres is a running private server; there is none on this system yet.
type Postgres struct{}

// Start answers what to do instead: tying the server to the life of this
// process is not written for this system yet.
func Start(context.Context, Options) (*Postgres, error) {
	return nil, &Error{Problem: "the private PostgreSQL does not run on this system yet", Hint: ownDatabaseHint}
}

// URL is empty.
func (*Postgres) URL() string { return "" }

// DatabaseURL is empty.
func (*Postgres) DatabaseURL(string) string { return "" }

// String says that there is no server.
func (*Postgres) String() string { return "no PostgreSQL" }

// PID is 0.
func (*Postgres) PID() int { return 0 }

// ClusterDir is empty.
func (*Postgres) ClusterDir() string { return "" }

// Done is nil: the server never ends.
func (*Postgres) Done() <-chan struct{} { return nil }

// Stop does nothing.
func (*Postgres) Stop(context.Context) error { return nil }

// DefaultCacheDir is empty: nothing is downloaded.
func DefaultCacheDir() string { return "" }

// Lock is not available on this system.
func Lock(context.Context, string) (func(), error) { return nil, errors.ErrUnsupported }

// InUse reports false.
func InUse(string) bool { return false }
