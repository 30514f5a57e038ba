package memreplay_test

import (
	"testing"

	"github.com/millrace/millrace/shared/run/replay/memreplay"
	"github.com/millrace/millrace/shared/run/replay/replaytest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	replaytest.Run(t, memreplay.New())
}
