// Package memmail keeps mails in memory, for tests.
package memmail

import (
	"context"
	"slices"
	"sync"

	"github.com/millrace/millrace/shared/mail/driver"
)

// Box is a driver whose mails can be read.
type Box struct {
	mu    sync.Mutex
	mails []driver.Message
	fail  error
}

var _ driver.Driver = (*Box)(nil)

// New returns an empty box.
func New() *Box { return &Box{} }

// Send implements driver.Driver.
func (b *Box) Send(ctx context.Context, m driver.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.fail != nil {
		return b.fail
	}
	b.mails = append(b.mails, m)
	return nil
}

// Mails returns what was sent so far.
func (b *Box) Mails() []driver.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mails)
}

// Fail makes Send fail with err until it is called with nil.
func (b *Box) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}
