package memsandbox_test

import (
	"testing"

	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/memsandbox"
	"github.com/millrace/millrace/shared/sandbox/sandboxtest"
)

func TestDriver(t *testing.T) {
	t.Parallel()
	sandboxtest.Run(t, sandboxtest.Harness{
		Open:      func(*testing.T) driver.Driver { return memsandbox.Open(memsandbox.Options{}) },
		Languages: []driver.Language{driver.JavaScript},
	})
}
