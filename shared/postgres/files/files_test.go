//go:build unix

package files_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/file/filetest"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/files"
)

func database(t *testing.T) postgres.DB {
	t.Helper()
	url := pgtest.Template(t, "contract", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	pool, err := postgres.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestStore(t *testing.T) {
	t.Parallel()
	db := database(t)
	t.Run("suite", func(t *testing.T) {
		filetest.RunStore(t, func(*testing.T) file.Store { return files.New(db) })
	})
}

func TestInMessage(t *testing.T) {
	t.Parallel()
	db := database(t)
	tenant, app, message, upload := ids.New(), ids.New(), ids.New(), ids.New()
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api) VALUES ($1, $2, 'a', 'advanced-chat', true, true)`, []any{app, tenant}},
		{`INSERT INTO messages (id, app_id, conversation_id, inputs, query, message, message_unit_price, answer, answer_unit_price, currency, from_source)
			VALUES ($1, $2, $3, '{}', 'q', '{}', 0, 'a', 0, 'USD', 'api')`, []any{message, app, ids.New()}},
		{`INSERT INTO message_files (message_id, type, transfer_method, upload_file_id, created_by_role, created_by)
			VALUES ($1, 'image', 'local_file', $2, 'end_user', $3)`, []any{message, upload, ids.New()}},
	} {
		_, err := db.Exec(t.Context(), s.sql, s.args...)
		require.NoError(t, err)
	}
	s := files.New(db)
	for _, c := range []struct {
		tenant, app, upload string
		want                bool
	}{
		{tenant, app, upload, true},
		{ids.New(), app, upload, false},
		{tenant, ids.New(), upload, false},
		{tenant, app, ids.New(), false},
	} {
		ok, err := s.InMessage(t.Context(), c.tenant, c.app, c.upload)
		require.NoError(t, err)
		require.Equal(t, c.want, ok)
	}
}
