package redisstream_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/eventstream/redisstream"
	"github.com/millrace/millrace/shared/eventstream/streamtest"
	"github.com/millrace/millrace/shared/redisdb"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	rdb, err := redisdb.Open("redis://"+miniredis.RunT(t).Addr(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	streamtest.Run(t, redisstream.New(rdb))
}
