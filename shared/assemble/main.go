package assemble

import (
	"context"

	"github.com/millrace/millrace/shared/assemble/process"
	"github.com/millrace/millrace/shared/cloudruntime"
)

// Build makes one function's handlers from an opened platform.
type Build func(ctx context.Context, p *Platform) (cloudruntime.Handlers, error)

// Main is the whole main function of a deployable that uses the deployment's
// database: settings, platform, handlers, and serving until the platform stops
// the process.
func Main(name string, build Build, opts ...Option) {
	process.Main(name, func(ctx context.Context, proc *process.Process) (cloudruntime.Handlers, error) {
		p, err := New(ctx, proc, opts...)
		if err != nil {
			return cloudruntime.Handlers{}, err
		}
		return build(ctx, p)
	})
}
