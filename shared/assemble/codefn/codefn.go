// Package codefn builds the functions that run untrusted code. They hold no
// secrets and reach nothing, and their binaries link no client of a database, a
// queue or a cloud's API that code which broke out could use.
//
// The jail itself is package jail's. START HERE: [Python].
package codefn

import (
	"context"

	"github.com/millrace/millrace/shared/assemble/process"
	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/invoke"
	"github.com/millrace/millrace/shared/sandbox/jail"
)

// OpenJail opens the jail of this machine. alone says that the process exists
// for user code only and holds nothing worth reading.
func OpenJail(p *process.Process, alone bool) *jail.Driver {
	return jail.Open(jail.Options{
		Python: p.Config.Code.Python, AllowNetwork: p.Config.Code.AllowNetwork, TrustFilesystem: alone,
		Clock: p.Clock, Logger: p.Logger,
	})
}

// Python builds code-python.
func Python(_ context.Context, p *process.Process) (cloudruntime.Handlers, error) {
	return build(p, driver.Python3), nil
}

// JavaScript builds code-javascript.
func JavaScript(_ context.Context, p *process.Process) (cloudruntime.Handlers, error) {
	return build(p, driver.JavaScript), nil
}

func build(p *process.Process, lang driver.Language) cloudruntime.Handlers {
	run := invoke.Handler(OpenJail(p, p.Config.Server.Lambda), lang)
	return cloudruntime.Handlers{Task: func(ctx context.Context, t cloudruntime.Task) ([]byte, error) {
		return run(ctx, t.Body)
	}}
}
