//go:build unix

package apps_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/app/apptest"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/apps"
)

// open returns a pool on a migrated database of the test's own.
func open(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	pool, err := postgres.Open(t.Context(), url, &postgres.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestStore(t *testing.T) {
	t.Parallel()
	pool := open(t)
	// One database for all: every test works in workspaces of its own.
	apptest.Run(t, func(*testing.T) (app.Store, func(*testing.T) string) {
		return apps.New(pool), func(t *testing.T) string {
			id := ids.Random()
			_, err := pool.Exec(t.Context(), `INSERT INTO tenants (id, name) VALUES ($1, 'w')`, id)
			require.NoError(t, err)
			return id
		}
	})
}
