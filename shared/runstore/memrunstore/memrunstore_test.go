package memrunstore_test

import (
	"testing"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/runstore/runstoretest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	runstoretest.Run(t, memrunstore.New(clock.System{}))
}
