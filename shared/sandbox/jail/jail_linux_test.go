//go:build linux && (amd64 || arm64)

package jail_test

import (
	"os"
	"testing"

	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/jail"
	"github.com/millrace/millrace/shared/sandbox/sandboxtest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	jail.MaybeChild()
	jail.MaybeProbe()
	os.Exit(m.Run())
}

// open returns a jail in which Python runs, or skips where the machine has none:
// what the jail then answers is tested by TestRefusal.
func open(t *testing.T, opts jail.Options) *jail.Driver {
	t.Helper()
	d := jail.Open(opts)
	for _, lang := range []driver.Language{driver.Python3, driver.JavaScript} {
		isolation, err := d.Check(t.Context(), lang)
		if err != nil {
			t.Skipf("no jail for %s here: %v", lang, err)
		}
		t.Logf("%s: %s", lang, isolation)
	}
	return d
}

func TestDriver(t *testing.T) {
	t.Parallel()
	d := open(t, jail.Options{})
	sandboxtest.Run(t, sandboxtest.Harness{
		Open:      func(*testing.T) driver.Driver { return d },
		Languages: []driver.Language{driver.Python3, driver.JavaScript},
	})
	require.NotNil(t, d)
}
