package embedded_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/redisdb"
)

func TestRedisKeysExpireByTheClock(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	server, err := embedded.StartRedis(t.Context(), clk)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	client, err := redisdb.Open(server.URL(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })

	require.NoError(t, client.Do(t.Context(), "SET", "k", "v", "PX", 60_000).Err())
	v, err := client.Do(t.Context(), "GET", "k").Text()
	require.NoError(t, err)
	require.Equal(t, "v", v)
	clk.BlockUntil(1)
	clk.Advance(2 * time.Minute)
	require.Eventually(t, func() bool { return expired(t, client) }, 5*time.Second, time.Millisecond)
}

func TestRedisKeysExpireByTheMachinesClock(t *testing.T) {
	t.Parallel()
	server, err := embedded.StartRedis(t.Context(), clock.System{})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	client, err := redisdb.Open(server.URL(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.NoError(t, client.Do(t.Context(), "SET", "k", "v", "PX", 20).Err())
	require.Eventually(t, func() bool { return expired(t, client) }, 5*time.Second, 5*time.Millisecond)
}

func TestRedisWantsItsPassword(t *testing.T) {
	t.Parallel()
	server, err := embedded.StartRedis(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	_, address, _ := strings.Cut(server.URL(), "@")
	client, err := redisdb.Open("redis://"+address, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.ErrorContains(t, client.Do(t.Context(), "PING").Err(), "NOAUTH")
}

// expired reports whether the key has expired.
func expired(t *testing.T, client *redisdb.Client) bool {
	_, err := client.Do(t.Context(), "GET", "k").Text()
	return errors.Is(err, redisdb.ErrNil)
}
