package redisdb

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/millrace/millrace/shared/clock"
)

// Times of connections.
const (
	dialTimeout    = 5 * time.Second
	commandTimeout = 3 * time.Second
	// MaxBlock bounds how long a blocking command may ask the server to wait.
	MaxBlock = 5 * time.Second
	// maxWaiting bounds the connections of blocking reads, and so their memory.
	// Who comes later takes turns with the others, which read for [MaxBlock] at most.
	maxWaiting = 256
	// idleTimeout is below what servers and the networks before them allow.
	idleTimeout = 4 * time.Minute
	// doubtAfter is the pause after which a connection is tried before it is
	// used: a process may have been frozen meanwhile.
	doubtAfter = 10 * time.Second
)

// pool keeps connections that wait so long for an answer.
func (c *Client) pool(wait time.Duration, idle int) *redis.Pool {
	return &redis.Pool{
		MaxIdle: idle, IdleTimeout: idleTimeout,
		DialContext: func(ctx context.Context) (redis.Conn, error) { return c.dial(ctx, wait) },
		TestOnBorrowContext: func(ctx context.Context, conn redis.Conn, last time.Time) error {
			// The pool notes times of the machine's clock.
			if clock.Since(clock.System{}, last) < doubtAfter {
				return nil
			}
			_, err := redis.DoContext(conn, ctx, "PING")
			return err
		},
	}
}

func (c *Client) dial(ctx context.Context, wait time.Duration) (*conn, error) {
	raw, err := redis.DialContext(ctx, c.target.network, c.target.address, append([]redis.DialOption{
		redis.DialConnectTimeout(dialTimeout), redis.DialTLSHandshakeTimeout(dialTimeout),
		redis.DialWriteTimeout(commandTimeout), redis.DialReadTimeout(wait),
	}, c.target.options...)...)
	if err != nil {
		return nil, err
	}
	return &conn{ConnWithContext: raw.(redis.ConnWithContext)}, nil
}

// conn is a connection that is not used again once its server has become a
// replica: the name leads to another one by then.
type conn struct {
	redis.ConnWithContext
	demoted atomic.Bool
}

// DoContext implements redis.ConnWithContext.
func (c *conn) DoContext(ctx context.Context, name string, args ...any) (any, error) {
	reply, err := c.ConnWithContext.DoContext(ctx, name, args...)
	if refused, ok := errors.AsType[redis.Error](err); ok && demoted(refused) {
		c.demoted.Store(true)
	}
	if list, ok := reply.([]any); ok {
		for _, item := range list {
			if refused, ok := item.(redis.Error); ok && demoted(refused) {
				c.demoted.Store(true)
				return nil, refused
			}
		}
	}
	return reply, err
}

// Err implements redis.Conn; the pool drops connections with an error.
func (c *conn) Err() error {
	if c.demoted.Load() {
		return redis.Error("READONLY")
	}
	return c.ConnWithContext.Err()
}

func demoted(e redis.Error) bool { return strings.HasPrefix(string(e), "READONLY") }
