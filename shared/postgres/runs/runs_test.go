package runs_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/runstore/runstoretest"
)

func pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	p, err := postgres.Open(context.Background(), url, &postgres.Options{MaxConns: 16})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func TestSuite(t *testing.T) {
	t.Parallel()
	runstoretest.Run(t, runs.New(pool(t)))
}
