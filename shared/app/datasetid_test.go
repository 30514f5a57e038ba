package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The hidden form was made by another implementation.
func TestDatasetIDs(t *testing.T) {
	t.Parallel()
	const id = "11111111-1111-4111-8111-111111111111"
	hidden, err := hideDatasetID("tenant-1", id)
	require.NoError(t, err)
	require.Equal(t, "jqENAxeTQB5+M1JevixafecWJLhJhcRSioCxlgKlK7CkxrDsqTYm8yVwjQMRbt/z", hidden)
	shown, ok := showDatasetID("tenant-1", hidden)
	require.True(t, ok)
	require.Equal(t, id, shown)
	shown, ok = showDatasetID("tenant-1", id)
	require.True(t, ok)
	require.Equal(t, id, shown)
	for _, bad := range []string{"", "junk", "AAAA", hidden[:20]} {
		_, ok = showDatasetID("tenant-1", bad)
		require.False(t, ok, bad)
	}
	_, ok = showDatasetID("tenant-2", hidden)
	require.False(t, ok, "another workspace's")
}
