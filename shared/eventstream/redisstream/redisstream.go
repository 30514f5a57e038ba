// Package redisstream is the event stream on Redis streams. A topic is one
// stream of at most about 5000 entries that expires 600 s after the last one.
package redisstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/shared/eventstream/driver"
	"github.com/millrace/millrace/shared/workflow"
)

// Limits and names.
const (
	maxRecords = 5000
	keepFor    = 600 * time.Second
	prefix     = "millrace:run:"
	field      = "r"
	// block bounds one blocking read, so that a broken connection is noticed and
	// a cancelled reader gives its connection back.
	block = 2 * time.Second
	// maxEntry is the size from which events are left out of a record; readers
	// fetch them from the journal.
	maxEntry = 64 << 10
)

// Driver is the broker on a Redis client, which the caller closes.
type Driver struct{ rdb redis.UniversalClient }

var _ driver.Driver = (*Driver)(nil)

// New returns a broker. Each open subscription uses a connection of the client
// while it waits.
func New(rdb redis.UniversalClient) *Driver { return &Driver{rdb: rdb} }

func eventsKey(topic string) string { return prefix + "{" + topic + "}:events" }
func stopKey(topic string) string   { return prefix + "{" + topic + "}:stop" }

// Publish implements driver.Driver.
func (d *Driver) Publish(ctx context.Context, topic string, records []driver.Record) error {
	pipe := d.rdb.Pipeline()
	for i := range records {
		data, err := json.Marshal(&records[i])
		if err != nil {
			return fmt.Errorf("encode record: %w", err)
		}
		if len(data) > maxEntry && records[i].Live == nil {
			if data, err = json.Marshal(driver.Record{Seq: records[i].Seq}); err != nil {
				return fmt.Errorf("encode record: %w", err)
			}
		}
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: eventsKey(topic), MaxLen: maxRecords, Approx: true, Values: []any{field, data}})
	}
	pipe.Expire(ctx, eventsKey(topic), keepFor)
	_, err := pipe.Exec(ctx)
	return err
}

// Subscribe implements driver.Driver.
func (d *Driver) Subscribe(_ context.Context, topic string) (driver.Subscription, error) {
	return &subscription{rdb: d.rdb, key: eventsKey(topic), last: "0"}, nil
}

// SendStop implements driver.Driver.
func (d *Driver) SendStop(ctx context.Context, topic, reason string) error {
	return d.rdb.Set(ctx, stopKey(topic), reason, keepFor).Err()
}

// Stops implements driver.Driver.
func (d *Driver) Stops(ctx context.Context, topics []string) (map[string]string, error) {
	pipe := d.rdb.Pipeline()
	cmds := make([]*redis.StringCmd, len(topics))
	for i, t := range topics {
		cmds[i] = pipe.Get(ctx, stopKey(t))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	out := map[string]string{}
	for i, c := range cmds {
		if reason, err := c.Result(); err == nil {
			out[topics[i]] = reason
		}
	}
	return out, nil
}

type subscription struct {
	rdb  redis.UniversalClient
	key  string
	last string
}

// Next implements driver.Subscription.
func (s *subscription) Next(ctx context.Context) ([]driver.Record, error) {
	for {
		res, err := s.rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{s.key, s.last}, Count: 500, Block: block}).Result()
		if errors.Is(err, redis.Nil) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		var out []driver.Record
		for _, stream := range res {
			for _, m := range stream.Messages {
				s.last = m.ID
				text, _ := m.Values[field].(string)
				var r driver.Record
				// An entry that cannot be read is a gap; the reader has the journal.
				if json.Unmarshal([]byte(text), &r) == nil {
					workflow.ReviveEvents(r.Events)
					out = append(out, r)
				}
			}
		}
		if len(out) > 0 {
			return out, nil
		}
	}
}

// Close implements driver.Subscription.
func (s *subscription) Close() error { return nil }
