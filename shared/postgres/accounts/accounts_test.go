//go:build unix

package accounts_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/accounttest"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/accounts"
)

func TestStore(t *testing.T) {
	t.Parallel()
	accounttest.Run(t, func(t *testing.T) account.Store {
		url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
		pool, err := postgres.Open(t.Context(), url, nil)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return accounts.New(pool)
	})
}
