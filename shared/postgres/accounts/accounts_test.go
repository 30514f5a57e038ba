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
	url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	pool, err := postgres.Open(t.Context(), url, &postgres.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	accounttest.Run(t, func(*testing.T) account.Store { return accounts.New(pool) })
}
