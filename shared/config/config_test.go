package config_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
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

// TestEverySettingIsUsed keeps settings out that nothing reads: a documented
// setting without effect is a lie.
func TestEverySettingIsUsed(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		code.Write(text)
		return err
	})
	require.NoError(t, err)
	for group := range reflect.TypeFor[config.Config]().Fields() {
		for f := range group.Type.Fields() {
			require.Contains(t, code.String(), "."+f.Name, "nothing reads %s.%s", group.Name, f.Name)
		}
	}
}
