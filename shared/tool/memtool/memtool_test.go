package memtool_test

import (
	"context"
	"testing"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/memtool"
	"github.com/millrace/millrace/shared/tool/tooltest"
)

func TestRuntime(t *testing.T) {
	t.Parallel()
	tooltest.Run(t, func(*testing.T) tooltest.Subject {
		r := &memtool.Runtime{}
		r.Add("t1", &driver.Provider{Type: driver.API, ID: "p", Name: "p", Tools: []*driver.Tool{{Name: "ok"}, {Name: "bad"}}}, map[string]memtool.Func{
			"ok": func(_ context.Context, _ *driver.Call, send func(driver.Message) error) error {
				return send(driver.Message{Type: driver.Words, Text: "done"})
			},
			"bad": func(context.Context, *driver.Call, func(driver.Message) error) error {
				return errs.New(errs.InvalidParam, "no luck")
			},
		})
		return tooltest.Subject{
			Runtime: r, Type: driver.API, Foreign: "t2",
			Works: driver.Call{Ref: driver.Ref{TenantID: "t1", Type: driver.API, Provider: "p", Tool: "ok"}},
			Fails: &driver.Call{Ref: driver.Ref{TenantID: "t1", Type: driver.API, Provider: "p", Tool: "bad"}},
		}
	})
}
