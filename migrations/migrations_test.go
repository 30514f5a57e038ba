//go:build unix

package migrations_test

import (
	"context"
	_ "embed"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
)

//go:embed testdata/contract_1.16.sql
var contractSchema string

// describe returns one line for each column, index, constraint, sequence and
// function of the public schema, and for each row of the version mark.
func describe(t *testing.T, db *pgxpool.Pool) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), `
SELECT 'column ' || table_name || '.' || column_name || ' ' || ordinal_position || ' ' || data_type || ' ' ||
       coalesce(character_maximum_length::text, '') || ' ' || coalesce(column_default, '-') || ' ' || is_nullable || ' ' ||
       coalesce(datetime_precision::text, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'sequence ' || sequencename || ' ' || data_type || ' ' || increment_by FROM pg_sequences WHERE schemaname = 'public'
UNION ALL SELECT 'function ' || p.oid::regprocedure || ' ' || prosrc FROM pg_proc p
          WHERE pronamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')`)
	require.NoError(t, err)
	var out []string
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(t, rows.Err())
	slices.Sort(out)
	return out
}

func TestFreshDatabaseHasTheContractsTables(t *testing.T) {
	t.Parallel()
	made := pgtest.Pool(t)
	_, err := made.Exec(t.Context(), contractSchema)
	require.NoError(t, err)
	url := pgtest.URL(t)
	var steps []migrations.Step
	require.NoError(t, migrations.Run(t.Context(), url, &migrations.Options{Progress: func(s migrations.Step) { steps = append(steps, s) }}))
	require.Greater(t, len(steps), 1)
	require.Empty(t, steps[len(steps)-1].Name)
	ours := pgtest.Open(t, url)
	have := describe(t, ours)
	want := slices.DeleteFunc(describe(t, made), func(line string) bool {
		return strings.HasPrefix(line, "function ") // bodies are each server's own
	})
	require.Equal(t, want, only(have, want))

	require.NoError(t, migrations.Run(t.Context(), url, nil), "a second run has nothing to do")
	require.Equal(t, have, describe(t, ours))
	left, err := migrations.Missing(t.Context(), url)
	require.NoError(t, err)
	require.Empty(t, left)

	var version string
	require.NoError(t, ours.QueryRow(t.Context(), `SELECT version_num FROM alembic_version`).Scan(&version))
	require.Equal(t, migrations.ContractVersion, version)
}

func TestAttachAddsOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	db := pgtest.Open(t, url)
	_, err := db.Exec(t.Context(), contractSchema)
	require.NoError(t, err)
	before := describe(t, db)
	require.NoError(t, migrations.Run(t.Context(), url, nil))
	after := describe(t, db)
	require.Equal(t, before, only(after, before))
	known := map[string]bool{}
	for _, line := range before {
		known[line] = true
	}
	for _, line := range after {
		if !known[line] {
			require.Regexp(t, `^\w+ .*\b(millrace_\w+|run_events)`, line, "only tables of our own are added")
		}
	}
}

func TestAttachRepairsAMissingIndexAndTable(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	db := pgtest.Open(t, url)
	_, err := db.Exec(t.Context(), contractSchema)
	require.NoError(t, err)
	before := describe(t, db)
	_, err = db.Exec(t.Context(), `DROP INDEX workflow_version_idx; DROP TABLE app_stars;
		ALTER TABLE tenant_account_joins DROP CONSTRAINT unique_tenant_account_join`)
	require.NoError(t, err)
	require.NoError(t, migrations.Run(t.Context(), url, nil))
	after := describe(t, db)
	require.Equal(t, before, only(after, before))
}

func TestOtherReleaseIsRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	db := pgtest.Open(t, url)
	_, err := db.Exec(t.Context(), `CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
		INSERT INTO alembic_version VALUES ('0123456789ab')`)
	require.NoError(t, err)
	require.ErrorIs(t, migrations.Run(t.Context(), url, nil), migrations.ErrOtherRelease)
}

func TestTwoRunsAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	var wg sync.WaitGroup
	failed := make([]error, 2)
	for i := range failed {
		wg.Go(func() { failed[i] = migrations.Run(context.Background(), url, nil) })
	}
	wg.Wait()
	require.NoError(t, failed[0])
	require.NoError(t, failed[1])
}

func TestGeneratedIDs(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	require.NoError(t, migrations.Run(t.Context(), url, nil))
	db := pgtest.Open(t, url)
	var v4, v7, boundary string
	var ordered bool
	require.NoError(t, db.QueryRow(t.Context(), `
SELECT uuid_generate_v4()::text, uuidv7()::text, uuidv7_boundary('2026-01-02 03:04:05.678+00')::text,
       uuidv7() >= uuidv7_boundary(now() - interval '1 second') AND uuidv7() < uuidv7_boundary(now() + interval '1 hour')`).
		Scan(&v4, &v7, &boundary, &ordered))
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, v4)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, v7)
	require.Equal(t, "019b7ca9-8f2e-7000-8000-000000000000", boundary)
	require.True(t, ordered)
}
