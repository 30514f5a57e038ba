package ephemeral_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/account/ephemeral/ephemeraltest"
	"github.com/millrace/millrace/shared/clock"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	ephemeraltest.Run(t, func(*testing.T) (ephemeral.Store, func(time.Duration)) {
		c := clock.NewFake(time.Unix(1_700_000_000, 0))
		return ephemeral.NewMemory(c), c.Advance
	})
}

func TestRedis(t *testing.T) {
	t.Parallel()
	ephemeraltest.Run(t, func(t *testing.T) (ephemeral.Store, func(time.Duration)) {
		srv := miniredis.RunT(t)
		client := redis.NewClient(&redis.Options{Addr: srv.Addr()})
		t.Cleanup(func() { _ = client.Close() })
		return ephemeral.NewRedis(client), srv.FastForward
	})
}
