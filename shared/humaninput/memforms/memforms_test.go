package memforms_test

import (
	"testing"

	"github.com/millrace/millrace/shared/humaninput/formtest"
	"github.com/millrace/millrace/shared/humaninput/memforms"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	formtest.Run(t, memforms.New())
}
