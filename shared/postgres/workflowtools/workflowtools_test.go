//go:build unix

package workflowtools_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/workflowtools"
	"github.com/millrace/millrace/shared/tool/workflowtool/workflowtooltest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	url := pgtest.Template(t, "workflowtools", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	pool, err := postgres.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := workflowtools.New(pool)
	workflowtooltest.Run(t, s)

	t.Run("versions", func(t *testing.T) {
		tenant, app := ids.Random(), ids.Random()
		byVersion := map[string]string{}
		for _, version := range []string{"2026-01-01 00:00:00.000000", "draft", "2026-03-01 00:00:00.000000", "2026-02-01 00:00:00.000000"} {
			byVersion[version] = ids.Random()
			_, err := pool.Exec(t.Context(), `INSERT INTO workflows (id, tenant_id, app_id, type, version, graph, features, created_by, updated_at)
				VALUES ($1, $2, $3, 'workflow', $4, '{}', '{}', $5, now())`, byVersion[version], tenant, app, version, ids.Random())
			require.NoError(t, err)
		}
		got, err := s.Version(t.Context(), tenant, app, "")
		require.NoError(t, err)
		require.Equal(t, byVersion["2026-03-01 00:00:00.000000"], got)
		got, err = s.Version(t.Context(), tenant, app, "2026-02-01 00:00:00.000000")
		require.NoError(t, err)
		require.Equal(t, byVersion["2026-02-01 00:00:00.000000"], got)
		for _, version := range []string{"draft", "2025-01-01 00:00:00.000000"} {
			_, err = s.Version(t.Context(), tenant, app, version)
			require.True(t, errs.Is(err, errs.NotFound))
		}
	})
}
