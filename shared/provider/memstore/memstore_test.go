package memstore_test

import (
	"testing"

	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/provider/memstore"
	"github.com/millrace/millrace/shared/provider/providertest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(*testing.T) provider.Store { return memstore.New() }, nil)
}
