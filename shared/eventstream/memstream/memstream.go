// Package memstream is the event stream within one process.
package memstream

import (
	"context"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/eventstream/driver"
)

// Limits of a topic.
const (
	maxRecords = 5000
	keepFor    = 600 * time.Second
)

// Driver is the broker. New makes one.
type Driver struct {
	clock clock.Clock

	mu     sync.Mutex
	topics map[string]*topic
	stops  map[string]stop
	swept  time.Time
}

type topic struct {
	records []driver.Record
	first   int // index of records[0] since the topic began
	changed chan struct{}
	touched time.Time
}

type stop struct {
	reason string
	at     time.Time
}

var _ driver.Driver = (*Driver)(nil)

// New returns a broker without topics.
func New(c clock.Clock) *Driver {
	return &Driver{clock: c, topics: map[string]*topic{}, stops: map[string]stop{}}
}

func (d *Driver) topic(name string) *topic {
	t := d.topics[name]
	if t == nil {
		t = &topic{changed: make(chan struct{})}
		d.topics[name] = t
	}
	t.touched = d.clock.Now()
	return t
}

// sweep forgets what nobody touched for a while.
func (d *Driver) sweep() {
	now := d.clock.Now()
	if now.Sub(d.swept) < keepFor/10 {
		return
	}
	d.swept = now
	for name, t := range d.topics {
		if now.Sub(t.touched) > keepFor {
			delete(d.topics, name)
		}
	}
	for name, s := range d.stops {
		if now.Sub(s.at) > keepFor {
			delete(d.stops, name)
		}
	}
}

// Publish implements driver.Driver.
func (d *Driver) Publish(_ context.Context, name string, records []driver.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweep()
	t := d.topic(name)
	t.records = append(t.records, records...)
	if over := len(t.records) - maxRecords; over > 0 {
		t.records = append([]driver.Record(nil), t.records[over:]...)
		t.first += over
	}
	close(t.changed)
	t.changed = make(chan struct{})
	return nil
}

// Subscribe implements driver.Driver.
func (d *Driver) Subscribe(_ context.Context, name string) (driver.Subscription, error) {
	return &subscription{d: d, name: name}, nil
}

// SendStop implements driver.Driver.
func (d *Driver) SendStop(_ context.Context, name, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stops[name] = stop{reason, d.clock.Now()}
	return nil
}

// Stops implements driver.Driver.
func (d *Driver) Stops(_ context.Context, names []string) (map[string]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]string{}
	for _, name := range names {
		if s, ok := d.stops[name]; ok {
			out[name] = s.reason
		}
	}
	return out, nil
}

type subscription struct {
	d    *Driver
	name string
	pos  int
}

// Next implements driver.Subscription.
func (s *subscription) Next(ctx context.Context) ([]driver.Record, error) {
	for {
		s.d.mu.Lock()
		t := s.d.topic(s.name)
		s.pos = max(s.pos, t.first)
		if i := s.pos - t.first; i < len(t.records) {
			out := append([]driver.Record(nil), t.records[i:]...)
			s.pos += len(out)
			s.d.mu.Unlock()
			return out, nil
		}
		changed := t.changed
		s.d.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close implements driver.Subscription.
func (s *subscription) Close() error { return nil }
