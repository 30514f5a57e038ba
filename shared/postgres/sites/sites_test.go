package sites_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/sites"
)

func TestHasSite(t *testing.T) {
	t.Parallel()
	url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	pool, err := postgres.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	add := func(code string, enabled bool) {
		app := ids.Random()
		_, err := pool.Exec(t.Context(), `INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api) VALUES ($1, $2, 'a', 'workflow', $3, true)`,
			app, ids.Random(), enabled)
		require.NoError(t, err)
		_, err = pool.Exec(t.Context(), `INSERT INTO sites (id, app_id, title, default_language, customize_token_strategy, code, custom_disclaimer)
			VALUES ($1, $2, 't', 'en-US', 'not_allow', $3, '')`, ids.Random(), app, code)
		require.NoError(t, err)
	}
	add("open", true)
	add("closed", false)
	s := sites.New(pool)
	for code, want := range map[string]bool{"open": true, "closed": false, "absent": false} {
		got, err := s.HasSite(t.Context(), code)
		require.NoError(t, err)
		require.Equal(t, want, got, code)
	}
}
