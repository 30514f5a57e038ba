package redisdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Entry is one entry of a stream.
type Entry struct {
	// ID orders entries.
	ID string
	// Fields are what was added.
	Fields map[string]string
}

// ReadStream returns up to limit entries of a stream after an ID ("0" is the
// beginning). If there is none it waits for one, no longer than block, and
// returns none then.
func (c *Client) ReadStream(ctx context.Context, key, after string, limit int, block time.Duration) ([]Entry, error) {
	block = min(max(block, time.Millisecond), MaxBlock) // 0 would be for ever
	var reply any
	err := c.run(ctx, c.waiting, "xread", func(ctx context.Context, conn redis.Conn) error {
		var err error
		reply, err = redis.DoContext(conn, ctx, "XREAD", "COUNT", limit, "BLOCK", block.Milliseconds(), "STREAMS", key, after)
		return err
	})
	streams, err := redis.Values(reply, err)
	if errors.Is(err, ErrNil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, s := range streams {
		named, err := redis.Values(s, nil)
		if err != nil || len(named) != 2 {
			return nil, fmt.Errorf("redis: unexpected answer to xread: %w", err)
		}
		entries, err := redis.Values(named[1], nil)
		if err != nil {
			return nil, fmt.Errorf("redis: unexpected answer to xread: %w", err)
		}
		for _, e := range entries {
			entry, err := readEntry(e)
			if err != nil {
				return nil, err
			}
			out = append(out, entry)
		}
	}
	return out, nil
}

func readEntry(reply any) (Entry, error) {
	parts, err := redis.Values(reply, nil)
	if err != nil || len(parts) != 2 {
		return Entry{}, errors.Join(errors.New("redis: unexpected entry of a stream"), err)
	}
	e := Entry{}
	if e.ID, err = redis.String(parts[0], nil); err != nil {
		return Entry{}, fmt.Errorf("redis: entry of a stream: %w", err)
	}
	e.Fields, err = redis.StringMap(parts[1], nil)
	if err != nil && !errors.Is(err, ErrNil) { // a deleted entry has no fields
		return Entry{}, fmt.Errorf("redis: entry of a stream: %w", err)
	}
	return e, nil
}
