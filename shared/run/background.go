package run

import (
	"context"
	"sync"
)

// background counts work that outlives the call that began it. Unlike a
// sync.WaitGroup it may be waited for, by several, while more work begins: in a
// process that is everything there is always some run that goes on.
type background struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when count gets to 0; nil when nobody waits
}

// begin counts one piece of work; call the result when it is done.
func (b *background) begin() (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	return b.end
}

func (b *background) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count--
	if b.count == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

// wait returns when there was a moment without work, or ctx ends.
func (b *background) wait(ctx context.Context) {
	b.mu.Lock()
	if b.count == 0 {
		b.mu.Unlock()
		return
	}
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
