// Package memsandbox runs JavaScript user code inside the calling process. It
// exists so that tests of other packages need neither child processes nor a
// service. It keeps nothing away from anything: never serve users with it. It
// refuses Python.
package memsandbox

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/internal/jsrun"
)

// Options are the limits of a Driver; the zero value is usable.
type Options struct {
	// Memory limits the JavaScript heap in bytes. Default 64 MiB.
	Memory int64
}

// Driver is the in-process driver.
type Driver struct{ opts Options }

var _ driver.Driver = (*Driver)(nil)

// Open returns an in-process driver.
func Open(opts Options) *Driver {
	if opts.Memory <= 0 {
		opts.Memory = 64 << 20
	}
	return &Driver{opts: opts}
}

// Run evaluates JavaScript code in this process.
func (d *Driver) Run(ctx context.Context, req *driver.Request) (*driver.Response, error) {
	if req.Language != driver.JavaScript {
		return nil, driver.Errorf(driver.Unsupported, "The in-process sandbox runs JavaScript only, not %s.", req.Language)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("run code: %w", err)
	}
	eng, err := jsrun.New(jsrun.Limits{Memory: d.opts.Memory, Stdout: req.MaxStdout, Time: req.Timeout})
	if err != nil {
		return nil, err
	}
	defer func() { _ = eng.Close() }()
	stop := context.AfterFunc(ctx, eng.Interrupt)
	defer stop()
	res, err := eng.Run(req.Code, req.Inputs)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("run code: %w", ctx.Err())
	}
	if err != nil {
		return nil, err
	}
	if int64(len(res.Output)) > req.MaxOutput {
		return nil, driver.Errorf(driver.TooLarge, "The result of the code is larger than %d bytes.", req.MaxOutput)
	}
	return res, nil
}

// Close does nothing.
func (d *Driver) Close() error { return nil }
