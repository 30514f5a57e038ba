package memworkflowtool_test

import (
	"testing"

	"github.com/millrace/millrace/shared/tool/workflowtool/memworkflowtool"
	"github.com/millrace/millrace/shared/tool/workflowtool/workflowtooltest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	workflowtooltest.Run(t, &memworkflowtool.Store{})
}
