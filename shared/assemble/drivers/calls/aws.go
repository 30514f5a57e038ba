//go:build aws

package calls

import (
	"context"

	"github.com/millrace/millrace/shared/cloudruntime/lambdacall"
	"github.com/millrace/millrace/shared/sandbox/invoke"
)

// Open returns a call to functions on Lambda.
func Open(ctx context.Context) (invoke.Call, error) {
	c, err := lambdacall.Open(ctx)
	if err != nil {
		return nil, err
	}
	return c.Invoke, nil
}
