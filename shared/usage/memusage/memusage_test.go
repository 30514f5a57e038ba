package memusage_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/usage/memusage"
	"github.com/millrace/millrace/shared/usage/usagetest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	c := clock.System{}
	store := memusage.New(c)
	usagetest.Run(t, memrunstore.New(c).UseMeter(store), store, c.Now().Add(-time.Millisecond))
}
