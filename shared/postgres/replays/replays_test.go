//go:build unix

package replays_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/replays"
	"github.com/millrace/millrace/shared/run/replay/replaytest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	url := pgtest.Template(t, "replays", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	pool, err := postgres.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	replaytest.Run(t, replays.New(pool))
}
