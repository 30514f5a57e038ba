// Package driver is the interface between package eventstream and the brokers
// behind it.
package driver

import (
	"context"

	"github.com/millrace/millrace/shared/workflow"
)

// Record is one message on a run's topic: news of the journal, or a piece of
// live text.
type Record struct {
	// Seq is the last journalled event that the record speaks of; 0 for live text.
	Seq int64 `json:"seq,omitempty"`
	// Events are the new events; empty when they are too big to carry, then the
	// reader fetches them.
	Events []workflow.Event `json:"events,omitempty"`
	Live   *Piece           `json:"live,omitempty"`
}

// Piece is live text. Offset counts the runes of the not yet journalled tail
// that came before it; Base is the last journalled event of the same kind, which
// says which tail is meant; Token is the worker's fencing token.
type Piece struct {
	Kind     workflow.EventType `json:"kind"`
	NodeID   string             `json:"node_id,omitempty"`
	Selector workflow.Selector  `json:"selector,omitempty"`
	Text     string             `json:"text"`
	Offset   int                `json:"offset"`
	Base     int64              `json:"base"`
	Token    int64              `json:"token"`
}

// Driver is a broker. It keeps the newest records of a topic for a while, so
// that a reader who comes late still gets them.
type Driver interface {
	Publish(ctx context.Context, topic string, records []Record) error
	Subscribe(ctx context.Context, topic string) (Subscription, error)
	SendStop(ctx context.Context, topic, reason string) error
	Stops(ctx context.Context, topics []string) (map[string]string, error)
}

// Subscription reads a topic from its oldest kept record.
type Subscription interface {
	// Next blocks until there are records or ctx ends.
	Next(ctx context.Context) ([]Record, error)
	Close() error
}
