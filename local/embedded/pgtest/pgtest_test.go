//go:build unix

package pgtest_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
)

func TestEveryTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "two", "three"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.Pool(t)
			_, err := pool.Exec(t.Context(), `CREATE TABLE mine (name text)`)
			require.NoError(t, err)
			_, err = pool.Exec(t.Context(), `INSERT INTO mine VALUES ($1)`, name)
			require.NoError(t, err)
			var got []string
			require.NoError(t, pool.QueryRow(t.Context(), `SELECT array_agg(name) FROM mine`).Scan(&got))
			require.Equal(t, []string{name}, got)
		})
	}
}

func TestTemplateIsPreparedOnceAndCopied(t *testing.T) {
	t.Parallel()
	var prepared atomic.Int32
	prepare := func(ctx context.Context, url string) error {
		prepared.Add(1)
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, `CREATE TABLE base (id int); INSERT INTO base VALUES (7)`)
		return err
	}
	for range 2 {
		pool := pgtest.Open(t, pgtest.Template(t, "base", prepare))
		var id int
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT id FROM base`).Scan(&id))
		require.Equal(t, 7, id)
		_, err := pool.Exec(t.Context(), `DELETE FROM base`)
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, prepared.Load())
}

func TestExtensionsTheSchemaUses(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	_, err := pool.Exec(t.Context(), `CREATE EXTENSION IF NOT EXISTS "uuid-ossp"; CREATE EXTENSION IF NOT EXISTS pgcrypto`)
	require.NoError(t, err)
}
