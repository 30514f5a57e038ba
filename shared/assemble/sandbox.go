package assemble

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/invoke"
	"github.com/millrace/millrace/shared/sandbox/jail"
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
		d = openJail(p, false)
	default:
		return nil, fmt.Errorf("settings: MILLRACE_SANDBOX must be auto, jail, function or remote, not %q", kind)
	}
	return sandbox.New(d, sandbox.Options{}), nil
}

// openJail opens the jail of this machine. alone says that the process exists
// for user code only and holds nothing worth reading.
func openJail(p *Platform, alone bool) *jail.Driver {
	return jail.Open(jail.Options{
		Python: p.Config.Code.Python, AllowNetwork: p.Config.Code.AllowNetwork, TrustFilesystem: alone,
		Clock: p.Clock, Logger: p.Logger,
	})
}

// CodePython builds code-python.
func CodePython(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	return codeFunction(p, driver.Python3), nil
}

// CodeJavaScript builds code-javascript.
func CodeJavaScript(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	return codeFunction(p, driver.JavaScript), nil
}

func codeFunction(p *Platform, lang driver.Language) cloudruntime.Handlers {
	run := invoke.Handler(openJail(p, p.Config.Server.Lambda), lang)
	return cloudruntime.Handlers{Task: func(ctx context.Context, t cloudruntime.Task) ([]byte, error) {
		return run(ctx, t.Body)
	}}
}
