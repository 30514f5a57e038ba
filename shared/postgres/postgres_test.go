//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/postgres"
)

func TestOpenConnectsLate(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), "postgres://nobody@127.0.0.1:1/none", nil)
	require.NoError(t, err, "nothing is dialled before the first statement")
	pool.Close()
	_, err = postgres.Open(t.Context(), "://", nil)
	require.Error(t, err)
}

func TestPool(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), pgtest.URL(t), &postgres.Options{Name: "t", Trace: true})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	ctx := t.Context()
	var zone, name, prepared string
	require.NoError(t, pool.QueryRow(ctx, `SELECT current_setting('timezone'), current_setting('application_name'), $1::text`, "x").Scan(&zone, &name, &prepared))
	require.Equal(t, []string{"UTC", "t", "x"}, []string{zone, name, prepared})
	var statements int
	require.NoError(t, pool.QueryRow(ctx, `SELECT count(*) FROM pg_prepared_statements WHERE name <> ''`).Scan(&statements))
	require.Zero(t, statements, "nothing stays in the session")
	require.EqualValues(t, 3, pool.Config().MaxConns)

	_, err = pool.Exec(ctx, `CREATE TABLE t (id uuid PRIMARY KEY, at timestamp DEFAULT CURRENT_TIMESTAMP)`)
	require.NoError(t, err)
	const id = "11111111-1111-4111-8111-111111111111"
	insert := func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO t (id) VALUES ($1)`, id)
		return postgres.Error(err, "Thing")
	}
	refused := errors.New("no")
	require.ErrorIs(t, postgres.InTx(ctx, pool, func(tx pgx.Tx) error { return errors.Join(insert(tx), refused) }), refused)
	var got string
	var at time.Time
	find := func() error {
		return postgres.Error(pool.QueryRow(ctx, `SELECT id, at FROM t WHERE id = $1`, id).Scan(&got, &at), "Thing")
	}
	require.True(t, errs.Is(find(), errs.NotFound), "rolled back")
	require.NoError(t, postgres.InTx(ctx, pool, insert))
	require.NoError(t, find())
	require.Equal(t, id, got)
	require.WithinDuration(t, time.Now().UTC(), at, time.Minute)
	require.True(t, errs.Is(postgres.InTx(ctx, pool, insert), errs.Conflict))
	tag, err := pool.Exec(ctx, `DELETE FROM t WHERE id = $1`, id)
	require.NoError(t, postgres.Affected(tag, err, "Thing"))
	tag, err = pool.Exec(ctx, `DELETE FROM t WHERE id = $1`, id)
	require.EqualError(t, postgres.Affected(tag, err, "Thing"), "Thing not found.")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	require.NoError(t, postgres.Error(nil, "x"))
	coded := errs.New(errs.Forbidden, "no")
	require.Equal(t, error(coded), postgres.Error(coded, "x"))
	require.ErrorIs(t, postgres.Error(context.Canceled, "x"), context.Canceled)
	require.Equal(t, errs.Internal, errs.CodeOf(postgres.Error(errors.New("secret"), "x")))
	require.Nil(t, postgres.Null(""))
	require.Equal(t, "a", postgres.Text(postgres.Null("a")))
	require.Empty(t, postgres.Text(nil))
}

func TestDirectPreparesStatements(t *testing.T) {
	t.Parallel()
	address := postgres.Direct(pgtest.URL(t))
	require.Equal(t, address, postgres.Direct(address))
	own := "postgres://h/d?default_query_exec_mode=exec"
	require.Equal(t, own, postgres.Direct(own), "a choice stays")
	pool, err := postgres.Open(t.Context(), address, &postgres.Options{MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	var n int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT $1::int`, 1).Scan(&n))
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements WHERE name <> ''`).Scan(&n))
	require.Positive(t, n)
}
