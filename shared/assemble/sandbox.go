package assemble

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/millrace/millrace/shared/assemble/codefn"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/invoke"
	"github.com/millrace/millrace/shared/sandbox/remote"
)

// openSandbox opens what runs the code of code nodes, as MILLRACE_SANDBOX says.
// auto is remote where an endpoint is set, functions on Lambda, and the jail
// everywhere else.
func openSandbox(p *Platform) (*sandbox.Sandbox, error) {
	c := p.Config.Code
	kind := c.Sandbox
	if kind == "auto" || kind == "" {
		switch {
		case c.Endpoint != "":
			kind = "remote"
		case p.Config.Server.Lambda:
			kind = "function"
		default:
			kind = "jail"
		}
	}
	var d driver.Driver
	switch kind {
	case "remote":
		r, err := remote.Open(p.Egress(), c.Endpoint, remote.Options{APIKey: c.APIKey, Clock: p.Clock})
		if err != nil {
			return nil, err
		}
		d = r
	case "function":
		d = invoke.New(functionCall(p))
	case "jail":
		d = codefn.OpenJail(p.Process, false)
	default:
		return nil, fmt.Errorf("settings: MILLRACE_SANDBOX must be auto, jail, function or remote, not %q", kind)
	}
	return sandbox.New(d, sandbox.Options{}), nil
}

// functionCall calls another function of this deployment. The client is made at
// the first call: most invocations run no code.
func functionCall(p *Platform) invoke.Call {
	caller := sync.OnceValues(func() (invoke.Call, error) {
		if p.caller == nil {
			return nil, errors.New("this build cannot call functions by name; set MILLRACE_SANDBOX to jail or remote")
		}
		return p.caller(context.Background())
	})
	return func(ctx context.Context, function string, payload []byte) ([]byte, error) {
		call, err := caller()
		if err != nil {
			return nil, err
		}
		return call(ctx, p.Config.Server.FunctionPrefix+function, payload)
	}
}
