package memdebug_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/debug/debugtest"
	"github.com/millrace/millrace/shared/debug/memdebug"
	"github.com/millrace/millrace/shared/errs"
)

type world struct{ *memdebug.Store }

func (w world) AddApp(_ *testing.T, tenantID, appID string) { w.Store.AddApp(tenantID, appID) }

func TestStore(t *testing.T) {
	t.Parallel()
	debugtest.Run(t, func(*testing.T) (debug.Store, debugtest.World) {
		s := memdebug.New()
		return s, world{s}
	})
}

func TestBlobs(t *testing.T) {
	t.Parallel()
	b := memdebug.NewBlobs()
	id, err := b.Put(t.Context(), "t", "a", []byte("x"))
	require.NoError(t, err)
	got, err := b.Get(t.Context(), "t", id)
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
	_, err = b.Get(t.Context(), "other", id)
	require.True(t, errs.Is(err, errs.NotFound))
	require.NotEmpty(t, b.URL(id))
}
