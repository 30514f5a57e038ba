// Package redisbus tells all processes over Redis what changed about an app or
// key, so that they forget what they keep of it at once. It implements app.Bus.
//
// Nothing rests on it: a message that is lost costs the few seconds that a key
// is kept for.
package redisbus

import (
	"context"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/redisdb"
)

const channel = "millrace:app-changes"

// Bus implements app.Bus.
type Bus struct{ client *redisdb.Client }

var _ app.Bus = (*Bus)(nil)

// New returns a bus on client, which stays the caller's to close.
func New(client *redisdb.Client) *Bus { return &Bus{client} }

// Publish tells everybody who listens.
func (b *Bus) Publish(ctx context.Context, key string) error {
	return b.client.Do(ctx, "PUBLISH", channel, key).Err()
}

// Listen calls forget for every message until ctx ends.
func (b *Bus) Listen(ctx context.Context, forget func(key string)) error {
	return b.client.Listen(ctx, channel, forget)
}
