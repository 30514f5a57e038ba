package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/millrace/millrace/shared/clock"
)

// redisTick is how often keys expire. The server could look at the time itself,
// but then it walks through all keys with every command.
const redisTick = time.Second

// Redis is a Redis-compatible server inside this process. What it holds is gone
// with the process: by design nothing is lost when Redis is.
type Redis struct {
	server   *miniredis.Miniredis
	password string
	cancel   context.CancelFunc
	done     chan struct{}
}

// StartRedis serves on a free loopback port, with a random password since every
// account of the machine can reach that. Keys expire by the given clock; nil is
// the machine's.
func StartRedis(_ context.Context, clk clock.Clock) (*Redis, error) {
	secret := make([]byte, 16)
	_, _ = rand.Read(secret)
	r := &Redis{server: miniredis.NewMiniRedis(), password: hex.EncodeToString(secret), done: make(chan struct{})}
	r.server.RequireAuth(r.password)
	if clk == nil {
		clk = clock.System{}
	}
	if err := r.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, &Error{Problem: "cannot start the built-in Redis", Hint: "set REDIS_URL to a Redis you run yourself", Err: err}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go r.follow(ctx, clk)
	return r, nil
}

// follow lets keys expire as the clock's time passes.
func (r *Redis) follow(ctx context.Context, clk clock.Clock) {
	defer close(r.done)
	last := clk.Now()
	for clock.Sleep(ctx, clk, redisTick) == nil {
		now := clk.Now()
		r.server.FastForward(now.Sub(last))
		last = now
	}
}

// URL is the address for clients.
func (r *Redis) URL() string { return fmt.Sprintf("redis://:%s@%s/0", r.password, r.server.Addr()) }

// Stop closes every connection and frees the port.
func (r *Redis) Stop() {
	r.cancel()
	<-r.done
	r.server.Close()
}
