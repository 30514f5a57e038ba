// Package redisdb is the one place that knows a Redis client: commands,
// pipelines, transactions, blocking stream reads and channels on one server,
// over TCP, TLS or a unix socket, with the users of Redis 6.
//
// It is not a seam and has one implementation: what the product does with Redis
// has seams of its own (the event stream, the bus of apps, ephemeral values),
// whose adapters are written on [Client]. It has no method per command; the few
// that are used are named where they are used, which keeps it and everything
// that imports it quick to compile. Nor does it follow the redirections of a
// cluster: give it the address of one that answers for all keys.
//
// Start with [Open]; url.go reads addresses, conn.go keeps connections, listen.go
// has channels and stream.go streams.
package redisdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/millrace/millrace/shared/clock"
)

// ErrNil is the answer to a question about what is not there.
var ErrNil = redis.ErrNil

// Error is an answer of the server that refuses a command.
type Error = redis.Error

// Tracer is told of every command, or of the names of a pipeline's, and returns
// what to call at its end. It sees no arguments.
type Tracer func(ctx context.Context, command string) (context.Context, func(error))

// Options change a client. The zero value is usable.
type Options struct {
	// Trace, if set, is told of every command.
	Trace Tracer
	// MaxConns bounds the connections that run commands; who comes later waits. 0
	// means ten per processor. Blocking reads and channels have connections of
	// their own besides.
	MaxConns int
	// Clock is for pauses between attempts; nil means the machine's.
	Clock clock.Clock
}

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	target   target
	clock    clock.Clock
	trace    Tracer
	commands lane
	waiting  lane
}

// lane is a pool of connections and the places in it. The pool could bound
// itself, but those who wait in it race with its end.
type lane struct {
	pool   *redis.Pool
	places chan struct{}
}

// Open returns a client for a URL such as redis://user:password@host:6379/0,
// rediss:// for TLS or unix:///path?db=0. It does not connect yet. Close it.
func Open(url string, opts *Options) (*Client, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 10 * runtime.GOMAXPROCS(0)
	}
	if o.Trace == nil {
		o.Trace = func(ctx context.Context, _ string) (context.Context, func(error)) { return ctx, func(error) {} }
	}
	c := &Client{target: t, clock: o.Clock, trace: o.Trace}
	c.commands = lane{c.pool(commandTimeout, o.MaxConns), make(chan struct{}, o.MaxConns)}
	c.waiting = lane{c.pool(MaxBlock+commandTimeout, o.MaxConns), make(chan struct{}, max(maxWaiting, o.MaxConns))}
	return c, nil
}

// Close closes the connections.
func (c *Client) Close() error { return errors.Join(c.commands.pool.Close(), c.waiting.pool.Close()) }

// Command is one command of a pipeline or transaction: its name and arguments,
// which are strings, bytes or numbers.
type Command []any

func (c Command) name() string { return strings.ToLower(fmt.Sprint(c[0])) }

// Cmd makes a command.
func Cmd(name string, args ...any) Command { return append(Command{name}, args...) }

// Reply is the answer to one command.
type Reply struct {
	value any
	err   error
}

// Err says what went wrong; a nil answer is no error.
func (r Reply) Err() error { return r.err }

// Text is an answer that is a string; [ErrNil] if there is none.
func (r Reply) Text() (string, error) { return redis.String(r.value, r.err) }

// Int is an answer that is a number; [ErrNil] if there is none.
func (r Reply) Int() (int64, error) { return redis.Int64(r.value, r.err) }

// Do runs a command.
func (c *Client) Do(ctx context.Context, name string, args ...any) Reply {
	var r Reply
	r.err = c.run(ctx, c.commands, strings.ToLower(name), func(ctx context.Context, conn redis.Conn) error {
		var err error
		r.value, err = redis.DoContext(conn, ctx, name, args...)
		return err
	})
	return r
}

// Pipeline sends commands together and returns an answer for each. The error is
// of the connection; whether a command was refused is in its answer.
func (c *Client) Pipeline(ctx context.Context, commands ...Command) ([]Reply, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	var out []Reply
	err := c.run(ctx, c.commands, names(commands), func(ctx context.Context, conn redis.Conn) error {
		if err := send(conn, commands); err != nil {
			return err
		}
		values, err := redis.Values(redis.DoContext(conn, ctx, ""))
		out = replies(values)
		return err
	})
	return out, err
}

// Transaction runs commands with nothing of others between them. If one is
// refused, the others are done all the same; the answers say which.
func (c *Client) Transaction(ctx context.Context, commands ...Command) ([]Reply, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	var out []Reply
	err := c.run(ctx, c.commands, "multi "+names(commands)+" exec", func(ctx context.Context, conn redis.Conn) error {
		if err := send(conn, append([]Command{{"MULTI"}}, commands...)); err != nil {
			return err
		}
		values, err := redis.Values(redis.DoContext(conn, ctx, "EXEC"))
		out = replies(values)
		return err
	})
	return out, err
}

func names(commands []Command) string {
	var b strings.Builder
	for i, c := range commands {
		if i > 0 && commands[i-1].name() == c.name() {
			continue // a name says what was done, not how often
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.name())
	}
	return b.String()
}

func send(conn redis.Conn, commands []Command) error {
	for _, c := range commands {
		if err := conn.Send(fmt.Sprint(c[0]), c[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func replies(values []any) []Reply {
	out := make([]Reply, len(values))
	for i, v := range values {
		out[i].value = v
		if err, refused := v.(redis.Error); refused {
			out[i] = Reply{err: err}
		}
	}
	return out
}

// attempts bounds how often a command is sent whose connection breaks.
const attempts = 3

// run does something on a connection of a pool, and again on another if the
// connection turns out to be broken: the server may have closed it long ago. A
// command may so be done twice, which everything in Redis must bear.
func (c *Client) run(ctx context.Context, to lane, command string, do func(context.Context, redis.Conn) error) error {
	ctx, end := c.trace(ctx, command)
	err := c.attempt(ctx, to, do)
	for i := 1; i < attempts && again(ctx, err); i++ {
		if clock.Sleep(ctx, c.clock, 8*time.Millisecond<<i) != nil {
			break // the reason why it failed says more
		}
		err = c.attempt(ctx, to, do)
	}
	if errors.Is(err, ErrNil) {
		end(nil) // it is an answer
	} else {
		end(err)
	}
	return err
}

func (c *Client) attempt(ctx context.Context, to lane, do func(context.Context, redis.Conn) error) error {
	select {
	case to.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-to.places }()
	conn, err := to.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // a broken one is not kept; there is nobody to tell
	return do(ctx, conn)
}

// again reports whether a connection broke, or went to a server that has become
// a replica, so that another may do.
func again(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if refused, ok := errors.AsType[redis.Error](err); ok {
		return demoted(refused)
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return false
	}
	_, dial := errors.AsType[*net.OpError](err)
	return dial || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
