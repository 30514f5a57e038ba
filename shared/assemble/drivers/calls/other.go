//go:build !aws

package calls

import (
	"context"
	"errors"

	"github.com/millrace/millrace/shared/sandbox/invoke"
)

// Open refuses: only Lambda calls functions by name so far.
func Open(context.Context) (invoke.Call, error) {
	return nil, errors.New("this build cannot call functions by name; set MILLRACE_SANDBOX to jail or remote")
}
