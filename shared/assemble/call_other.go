//go:build !aws

package assemble

import (
	"context"
	"errors"

	"github.com/millrace/millrace/shared/sandbox/invoke"
)

// functionCall is not available: only Lambda calls functions by name so far.
func functionCall(*Platform) invoke.Call {
	return func(context.Context, string, []byte) ([]byte, error) {
		return nil, errors.New("this build cannot call functions by name; set MILLRACE_SANDBOX to jail or remote")
	}
}
