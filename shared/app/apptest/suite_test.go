package apptest_test

import (
	"testing"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/apptest"
	"github.com/millrace/millrace/shared/app/memapp"
	"github.com/millrace/millrace/shared/ids"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	apptest.Run(t, func(*testing.T) (app.Store, func(*testing.T) string) {
		return memapp.New(), func(*testing.T) string { return ids.Random() }
	})
}
