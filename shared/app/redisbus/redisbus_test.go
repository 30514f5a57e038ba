package redisbus_test

import (
	"context"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/app/redisbus"
	"github.com/millrace/millrace/shared/redisdb"
)

func TestMessagesReachListeners(t *testing.T) {
	t.Parallel()
	srv := miniredis.RunT(t)
	client, err := redisdb.Open("redis://"+srv.Addr(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan string, 16), make(chan error, 1)
	bus := redisbus.New(client)
	go func() { done <- bus.Listen(ctx, func(key string) { got <- key }) }()
	// The listener has no way to say that it is ready: repeat until it hears.
	require.Eventually(t, func() bool {
		require.NoError(t, bus.Publish(t.Context(), "k"))
		return len(got) > 0
	}, 10e9, 5e6)
	require.Equal(t, "k", <-got)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
