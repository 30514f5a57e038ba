package redisstream_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/shared/eventstream/redisstream"
	"github.com/millrace/millrace/shared/eventstream/streamtest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	streamtest.Run(t, redisstream.New(rdb))
}
