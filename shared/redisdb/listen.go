package redisdb

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/millrace/millrace/shared/clock"
)

// Pauses of listeners.
const (
	// pingEvery keeps a quiet channel's connection alive, and shows within
	// [MaxBlock] and the timeout of a command that it is not.
	pingEvery  = 3 * time.Second
	shortPause = 10 * time.Millisecond
	longPause  = 2 * time.Second
)

// Listen calls heard with every message of a channel until ctx ends, and returns
// its error. When the connection breaks it makes another; what was published
// meanwhile is lost.
func (c *Client) Listen(ctx context.Context, channel string, heard func(message string)) error {
	pause := shortPause
	for {
		if c.listen(ctx, channel, heard) {
			pause = shortPause
		}
		if err := clock.Sleep(ctx, c.clock, pause); err != nil {
			return err
		}
		pause = min(2*pause, longPause)
	}
}

// listen listens on one connection until it breaks, and reports whether it ever
// worked.
func (c *Client) listen(ctx context.Context, channel string, heard func(string)) (worked bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := c.dial(ctx, MaxBlock+commandTimeout)
	if err != nil {
		return false
	}
	sub := redis.PubSubConn{Conn: conn}
	defer sub.Close() //nolint:errcheck // it has broken or is of no more use
	if sub.Subscribe(channel) != nil {
		return false
	}
	pinged := make(chan struct{})
	defer func() { cancel(); <-pinged }()
	go func() {
		defer close(pinged)
		for clock.Sleep(ctx, c.clock, pingEvery) == nil && sub.Ping("") == nil {
		}
	}()
	for {
		switch m := sub.ReceiveContext(ctx).(type) {
		case redis.Subscription:
			worked = true
		case redis.Message:
			heard(string(m.Data))
		case error:
			return worked
		}
	}
}
