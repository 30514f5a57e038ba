//go:build aws

package assemble

import (
	"context"
	"sync"

	"github.com/millrace/millrace/shared/cloudruntime/lambdacall"
	"github.com/millrace/millrace/shared/sandbox/invoke"
)

// functionCall calls another function of this deployment on Lambda. The client
// is made at the first call: most invocations run no code.
func functionCall(p *Platform) invoke.Call {
	caller := sync.OnceValues(func() (*lambdacall.Caller, error) { return lambdacall.Open(context.Background()) })
	return func(ctx context.Context, function string, payload []byte) ([]byte, error) {
		c, err := caller()
		if err != nil {
			return nil, err
		}
		return c.Invoke(ctx, p.Config.Server.FunctionPrefix+function, payload)
	}
}
