// Package redisstream is the event stream on Redis streams. A topic is one
// stream of at most about 5000 entries that expires 600 s after the last one.
package redisstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/shared/eventstream/driver"
	"github.com/millrace/millrace/shared/redisdb"
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
type Driver struct{ rdb *redisdb.Client }

var _ driver.Driver = (*Driver)(nil)

// New returns a broker. Each open subscription uses a connection of the client
// while it waits.
func New(rdb *redisdb.Client) *Driver { return &Driver{rdb: rdb} }

func eventsKey(topic string) string { return prefix + "{" + topic + "}:events" }
func stopKey(topic string) string   { return prefix + "{" + topic + "}:stop" }

// Publish implements driver.Driver.
func (d *Driver) Publish(ctx context.Context, topic string, records []driver.Record) error {
	commands := make([]redisdb.Command, 0, len(records)+1)
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
		commands = append(commands, redisdb.Cmd("XADD", eventsKey(topic), "MAXLEN", "~", maxRecords, "*", field, data))
	}
	commands = append(commands, redisdb.Cmd("EXPIRE", eventsKey(topic), int(keepFor.Seconds())))
	replies, err := d.rdb.Pipeline(ctx, commands...)
	for _, r := range replies {
		err = errors.Join(err, r.Err())
	}
	return err
}

// Subscribe implements driver.Driver.
func (d *Driver) Subscribe(_ context.Context, topic string) (driver.Subscription, error) {
	return &subscription{rdb: d.rdb, key: eventsKey(topic), last: "0"}, nil
}

// SendStop implements driver.Driver.
func (d *Driver) SendStop(ctx context.Context, topic, reason string) error {
	return d.rdb.Do(ctx, "SET", stopKey(topic), reason, "EX", int(keepFor.Seconds())).Err()
}

// Stops implements driver.Driver.
func (d *Driver) Stops(ctx context.Context, topics []string) (map[string]string, error) {
	commands := make([]redisdb.Command, len(topics))
	for i, t := range topics {
		commands[i] = redisdb.Cmd("GET", stopKey(t))
	}
	replies, err := d.rdb.Pipeline(ctx, commands...)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, r := range replies {
		switch reason, err := r.Text(); {
		case err == nil:
			out[topics[i]] = reason
		case !errors.Is(err, redisdb.ErrNil):
			return nil, err
		}
	}
	return out, nil
}

type subscription struct {
	rdb  *redisdb.Client
	key  string
	last string
}

// Next implements driver.Subscription.
func (s *subscription) Next(ctx context.Context) ([]driver.Record, error) {
	for {
		entries, err := s.rdb.ReadStream(ctx, s.key, s.last, 500, block)
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var out []driver.Record
		for _, e := range entries {
			s.last = e.ID
			var r driver.Record
			// An entry that cannot be read is a gap; the reader has the journal.
			if json.Unmarshal([]byte(e.Fields[field]), &r) == nil {
				workflow.ReviveEvents(r.Events)
				out = append(out, r)
			}
		}
		if len(out) > 0 {
			return out, nil
		}
	}
}

// Close implements driver.Subscription.
func (s *subscription) Close() error { return nil }
