package memhistory_test

import (
	"testing"

	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/run/history/historytest"
	"github.com/millrace/millrace/shared/run/history/memhistory"
)

type world struct{ *memhistory.Store }

func (world) AddApp(*testing.T, string, string) {}

func (w world) AddRun(_ *testing.T, tenantID string, r history.Run, log *history.Log, nodes ...history.NodeExecution) {
	w.Store.AddRun(tenantID, r, log, nodes...)
}

func TestStore(t *testing.T) {
	t.Parallel()
	historytest.Run(t, func(*testing.T) (history.Store, historytest.World) {
		s := memhistory.New()
		return s, world{s}
	})
}
