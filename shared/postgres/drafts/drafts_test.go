//go:build unix

package drafts_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/debug/debugtest"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/drafts"
)

type world struct{ pool *pgxpool.Pool }

func (w world) AddApp(t *testing.T, tenantID, appID string) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), `INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api) VALUES ($1, $2, 'a', 'workflow', true, true)`, appID, tenantID)
	require.NoError(t, err)
}

func TestStore(t *testing.T) {
	t.Parallel()
	debugtest.Run(t, func(t *testing.T) (debug.Store, debugtest.World) {
		url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
		pool, err := postgres.Open(t.Context(), url, nil)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return drafts.New(pool), world{pool}
	})
}
