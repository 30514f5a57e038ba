//go:build !linux || !(amd64 || arm64)

package jail

import (
	"context"
	"runtime"

	"github.com/millrace/millrace/shared/sandbox/driver"
)

// MaybeChild does nothing here: this platform has no jail.
func MaybeChild() {}

func (d *Driver) makePlan(context.Context, driver.Language) (*plan, error) {
	return &plan{refused: driver.Errorf(driver.Unavailable,
		"User code cannot be jailed on %s/%s. Run Millrace on Linux (a virtual machine or container will do), or set CODE_EXECUTION_ENDPOINT to a sandbox service.",
		runtime.GOOS, runtime.GOARCH)}, nil
}

func (d *Driver) run(context.Context, *plan, *driver.Request) (*driver.Response, error) {
	return nil, driver.Errorf(driver.Unavailable, "User code cannot be jailed on this platform.")
}
