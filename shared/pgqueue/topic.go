package pgqueue

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/driver"
)

// TopicOptions tunes a topic; the zero value works.
type TopicOptions struct {
	// Batcher says how sends are gathered; nil means up to 100 at once.
	Batcher *batcher.Options
	// Quiet leaves out the notification: receivers notice by polling.
	Quiet bool
}

// OpenTopic opens a queue for sending. The queue must have been declared; a
// missing one fails the send, not the opening.
func OpenTopic(pool *pgxpool.Pool, queue string, opts *TopicOptions) *pubsub.Topic {
	if opts == nil {
		opts = &TopicOptions{}
	}
	batch := opts.Batcher
	if batch == nil {
		batch = &batcher.Options{MaxBatchSize: 100, MaxHandlers: 2}
	}
	return pubsub.NewTopic(newTopic(pool, queue, opts), batch)
}

type topic struct {
	pool  *pgxpool.Pool
	queue string
	quiet bool
}

var _ driver.Topic = (*topic)(nil)

func newTopic(pool *pgxpool.Pool, queue string, opts *TopicOptions) *topic {
	return &topic{pool: pool, queue: queue, quiet: opts.Quiet}
}

// SendBatch implements driver.Topic.
func (t *topic) SendBatch(ctx context.Context, ms []*driver.Message) error {
	as := func(any) bool { return false }
	messages := make([]Message, len(ms))
	for i, m := range ms {
		if m.BeforeSend != nil {
			if err := m.BeforeSend(as); err != nil {
				return err
			}
		}
		messages[i] = Message{Body: m.Body, Metadata: m.Metadata}
	}
	if err := enqueue(ctx, t.pool, t.queue, messages); err != nil {
		return err
	}
	if !t.quiet {
		// The messages are safe; receivers also poll, so a lost wake-up only delays.
		_ = Wake(ctx, t.pool, t.queue)
	}
	for _, m := range ms {
		if m.AfterSend != nil {
			if err := m.AfterSend(as); err != nil {
				return err
			}
		}
	}
	return nil
}

// IsRetryable implements driver.Topic.
func (t *topic) IsRetryable(err error) bool { return retryable(err) }

// As implements driver.Topic: it yields the *pgxpool.Pool.
func (t *topic) As(target any) bool {
	p, ok := target.(**pgxpool.Pool)
	if ok {
		*p = t.pool
	}
	return ok
}

// ErrorAs implements driver.Topic: it yields the *pgconn.PgError.
func (t *topic) ErrorAs(err error, target any) bool { return errorAs(err, target) }

// ErrorCode implements driver.Topic.
func (t *topic) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(err) }

// Close implements driver.Topic. The pool belongs to the caller.
func (t *topic) Close() error { return nil }
