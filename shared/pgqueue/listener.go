package pgqueue

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/millrace/millrace/shared/clock"
)

// channel is the Postgres notification channel all queues share; the payload
// names the queue.
const channel = "millrace_queue"

// Listener keeps one connection that hears of new messages, for any number of
// subscriptions. It needs session state and so does not work through a
// transaction pooler: leave it out there.
type Listener struct {
	pool   *pgxpool.Pool
	clk    clock.Clock
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	waiting map[string]chan struct{}
}

// ListenerOptions tunes a listener; the zero value works.
type ListenerOptions struct {
	// Clock times reconnecting; nil is the machine's.
	Clock clock.Clock
	// Logger hears of lost connections; nil hears nothing.
	Logger *slog.Logger
}

// reconnectDelay is the wait before a lost connection is opened again;
// subscriptions poll meanwhile.
const reconnectDelay = time.Second

// NewListener starts listening in the background until Close.
func NewListener(pool *pgxpool.Pool, opts *ListenerOptions) *Listener {
	if opts == nil {
		opts = &ListenerOptions{}
	}
	l := &Listener{pool: pool, clk: opts.Clock, log: opts.Logger, done: make(chan struct{}), waiting: map[string]chan struct{}{}}
	if l.clk == nil {
		l.clk = clock.System{}
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.Background())
	go l.run(ctx)
	return l
}

// Close ends listening and returns its connection.
func (l *Listener) Close() {
	l.cancel()
	<-l.done
}

// wait returns a channel that is closed at the next message of the queue; a nil
// listener never wakes anybody.
func (l *Listener) wait(queue string) <-chan struct{} {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := l.waiting[queue]
	if ch == nil {
		ch = make(chan struct{})
		l.waiting[queue] = ch
	}
	return ch
}

func (l *Listener) wake(queue string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch := l.waiting[queue]; ch != nil {
		close(ch)
		delete(l.waiting, queue)
	}
}

// wakeAll covers what may have been sent while nobody listened.
func (l *Listener) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for queue, ch := range l.waiting {
		close(ch)
		delete(l.waiting, queue)
	}
}

func (l *Listener) run(ctx context.Context) {
	defer close(l.done)
	for ctx.Err() == nil {
		err := l.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		l.log.WarnContext(ctx, "queue listener lost its connection; polling until it is back", "error", err)
		_ = clock.Sleep(ctx, l.clk, reconnectDelay)
	}
}

func (l *Listener) listen(ctx context.Context) error {
	pooled, err := l.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	// Out of the pool for good: nobody must get a connection that is subscribed.
	conn := pooled.Hijack()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	l.wakeAll()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		l.wake(n.Payload)
	}
}
