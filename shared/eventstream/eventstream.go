// Package eventstream carries what happens in a run to whoever watches it right
// now: news of the journal, live text, and in the other direction the request
// to stop.
//
// It is lossy on purpose and keeps nothing for long. The journal (package
// runstore) is the truth; a reader who misses something here reads it there.
// Drivers: memstream (one process) and redisstream.
package eventstream

import (
	"context"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream/driver"
)

// The types of the seam; see package driver.
type (
	Record       = driver.Record
	Piece        = driver.Piece
	Subscription = driver.Subscription
)

// Stream is the portable event stream.
type Stream struct{ d driver.Driver }

// New returns a stream on a driver.
func New(d driver.Driver) *Stream { return &Stream{d: d} }

// Publish appends records to a topic, in order.
func (s *Stream) Publish(ctx context.Context, topic string, records ...Record) error {
	if len(records) == 0 {
		return nil
	}
	return errs.Wrap(errs.Internal, s.d.Publish(ctx, topic, records), "publish")
}

// Subscribe reads a topic from its oldest kept record. The caller closes it.
func (s *Stream) Subscribe(ctx context.Context, topic string) (Subscription, error) {
	sub, err := s.d.Subscribe(ctx, topic)
	return sub, errs.Wrap(errs.Internal, err, "subscribe")
}

// SendStop tells the worker of a topic to stop.
func (s *Stream) SendStop(ctx context.Context, topic, reason string) error {
	return errs.Wrap(errs.Internal, s.d.SendStop(ctx, topic, reason), "send stop")
}

// Stops returns the reasons for those of the topics that were told to stop.
func (s *Stream) Stops(ctx context.Context, topics []string) (map[string]string, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	m, err := s.d.Stops(ctx, topics)
	return m, errs.Wrap(errs.Internal, err, "read stops")
}
