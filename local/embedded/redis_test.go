package embedded_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/shared/clock"
)

func TestRedisKeysExpireByTheClock(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	server, err := embedded.StartRedis(t.Context(), clk)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	opts, err := redis.ParseURL(server.URL())
	require.NoError(t, err)
	client := redis.NewClient(opts)
	t.Cleanup(func() { require.NoError(t, client.Close()) })

	require.NoError(t, client.Set(t.Context(), "k", "v", time.Minute).Err())
	require.Equal(t, "v", client.Get(t.Context(), "k").Val())
	clk.BlockUntil(1)
	clk.Advance(2 * time.Minute)
	require.Eventually(t, func() bool { return errors.Is(client.Get(t.Context(), "k").Err(), redis.Nil) }, 5*time.Second, time.Millisecond)
}

func TestRedisKeysExpireByTheMachinesClock(t *testing.T) {
	t.Parallel()
	server, err := embedded.StartRedis(t.Context(), clock.System{})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	opts, err := redis.ParseURL(server.URL())
	require.NoError(t, err)
	client := redis.NewClient(opts)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.NoError(t, client.Set(t.Context(), "k", "v", 20*time.Millisecond).Err())
	require.Eventually(t, func() bool { return errors.Is(client.Get(t.Context(), "k").Err(), redis.Nil) }, 5*time.Second, 5*time.Millisecond)
}

func TestRedisWantsItsPassword(t *testing.T) {
	t.Parallel()
	server, err := embedded.StartRedis(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	opts, err := redis.ParseURL(server.URL())
	require.NoError(t, err)
	opts.Password = ""
	client := redis.NewClient(opts)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.ErrorContains(t, client.Ping(t.Context()).Err(), "NOAUTH")
}
