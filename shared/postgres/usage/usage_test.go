//go:build unix

package usage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/postgres/usage"
	"github.com/millrace/millrace/shared/usage/usagetest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	pool, err := postgres.Open(t.Context(), url, &postgres.Options{MaxConns: 16})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	usagetest.Run(t, runs.New(pool), usage.New(pool), clock.System{}.Now())
}
