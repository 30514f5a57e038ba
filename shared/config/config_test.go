package config_test

import (
	"flag"
	"os"
	"testing"

	"github.com/millrace/millrace/shared/config"
	"github.com/stretchr/testify/require"
)

func TestDefaultsAndDerivedURLs(t *testing.T) {
	t.Parallel()
	c, err := config.FromMap(map[string]string{
		"DB_HOST": "db", "DB_PASSWORD": "p@ss", "REDIS_HOST": "cache",
	})
	require.NoError(t, err)
	require.Equal(t, "postgres://postgres:p%40ss@db:5432/dify", c.Data.DatabaseURL)
	require.Equal(t, "redis://cache:6379/0", c.Data.RedisURL)
	require.Equal(t, 500, c.Run.MaxSteps)
	require.False(t, c.Server.Lambda)
	require.NoError(t, c.Need("DATABASE_URL"))
	require.ErrorContains(t, c.Need("DATABASE_URL", "SECRET_KEY"), "SECRET_KEY")
}

func TestBadValueNamesTheSetting(t *testing.T) {
	t.Parallel()
	_, err := config.FromMap(map[string]string{"DB_PORT": "many"})
	require.ErrorContains(t, err, "DBPort")
}

func TestExplicitURLsWin(t *testing.T) {
	t.Parallel()
	c, err := config.FromMap(map[string]string{"DATABASE_URL": "postgres://x/y", "DB_HOST": "other", "AWS_LAMBDA_RUNTIME_API": "h:1"})
	require.NoError(t, err)
	require.Equal(t, "postgres://x/y", c.Data.DatabaseURL)
	require.True(t, c.Server.Lambda)
}

var update = flag.Bool("update", false, "write docs/settings.md")

func TestDocumentationIsDerived(t *testing.T) {
	t.Parallel()
	const path = "../../docs/settings.md"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(config.Markdown()), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, config.Markdown(), string(have), "run: go test ./shared/config -update")
}
