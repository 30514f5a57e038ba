package memstream_test

import (
	"testing"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/eventstream/streamtest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	streamtest.Run(t, memstream.New(clock.System{}))
}
