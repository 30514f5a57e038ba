package accounttest_test

import (
	"testing"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/accounttest"
	"github.com/millrace/millrace/shared/api/console/consoletest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	accounttest.Run(t, func(*testing.T) account.Store { return consoletest.NewAccounts() })
}
