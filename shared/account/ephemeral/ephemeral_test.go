package ephemeral_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/account/ephemeral/ephemeraltest"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/redisdb"
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
		client, err := redisdb.Open("redis://"+srv.Addr(), nil)
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		return ephemeral.NewRedis(client), srv.FastForward
	})
}
