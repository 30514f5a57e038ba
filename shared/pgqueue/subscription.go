package pgqueue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/driver"

	"github.com/millrace/millrace/shared/clock"
)

// SubscriptionOptions tunes a subscription; the zero value works.
type SubscriptionOptions struct {
	// Visibility is how long a receiver has to acknowledge a message before it
	// is handed out again; 0 means one minute. See [Delivery.Extend].
	Visibility time.Duration
	// MaxAttempts is how often a message is handed out before it is dead; 0
	// means 5.
	MaxAttempts int
	// RetryDelay is the wait before a refused message is handed out again, by
	// the number of attempts so far; nil doubles from one second up to a minute.
	RetryDelay func(attempt int) time.Duration
	// PollInterval is how often an idle receiver looks; 0 means one second with
	// a Listener and 200 ms without.
	PollInterval time.Duration
	// Listener wakes idle receivers at once; nil leaves polling alone.
	Listener *Listener
	// ReceiveBatcher and AckBatcher pass through to the CDK; nil means its defaults
	// with up to 100 messages at once.
	ReceiveBatcher, AckBatcher *batcher.Options
	// Clock times the polling; nil is the machine's. When a message is due is
	// decided by the database's clock.
	Clock clock.Clock
}

// OpenSubscription opens a queue for receiving. The queue must have been
// declared; a missing one fails the receive, not the opening. All subscriptions
// of a queue share its messages.
func OpenSubscription(pool *pgxpool.Pool, queue string, opts *SubscriptionOptions) *pubsub.Subscription {
	s := newSubscription(pool, queue, opts)
	recv, ack := s.opts.ReceiveBatcher, s.opts.AckBatcher
	if recv == nil {
		recv = &batcher.Options{MaxBatchSize: 100, MaxHandlers: 1}
	}
	if ack == nil {
		ack = &batcher.Options{MaxBatchSize: 100, MaxHandlers: 2}
	}
	return pubsub.NewSubscription(s, recv, ack)
}

// Delivery is one handing-out of a message; a received message's As yields it.
type Delivery struct {
	// ID is the message's number.
	ID int64
	// Attempt counts from 1.
	Attempt int
	pool    *pgxpool.Pool
}

// Extend gives the receiver d from now to acknowledge. It reports false when
// the message has been handed to somebody else meanwhile.
func (d *Delivery) Extend(ctx context.Context, by time.Duration) (bool, error) {
	tag, err := d.pool.Exec(ctx, `
UPDATE millrace_queue_messages SET visible_at = now() + $3
WHERE id = $1 AND attempts = $2 AND dead_at IS NULL`, d.ID, d.Attempt, by)
	if err != nil {
		return false, fmt.Errorf("pgqueue: extend: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

type subscription struct {
	pool  *pgxpool.Pool
	queue string
	opts  SubscriptionOptions
}

var _ driver.Subscription = (*subscription)(nil)

func newSubscription(pool *pgxpool.Pool, queue string, opts *SubscriptionOptions) *subscription {
	s := &subscription{pool: pool, queue: queue}
	if opts != nil {
		s.opts = *opts
	}
	o := &s.opts
	if o.Visibility <= 0 {
		o.Visibility = time.Minute
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = 5
	}
	if o.RetryDelay == nil {
		o.RetryDelay = func(attempt int) time.Duration {
			return min(time.Second<<min(max(attempt-1, 0), 6), time.Minute)
		}
	}
	if o.PollInterval <= 0 {
		o.PollInterval = 200 * time.Millisecond
		if o.Listener != nil {
			o.PollInterval = time.Second
		}
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	return s
}

// claimSQL hands out due messages and buries those that used up their attempts
// without an answer.
const claimSQL = `
WITH due AS (
    SELECT id, attempts FROM millrace_queue_messages
    WHERE queue = $1 AND dead_at IS NULL AND visible_at <= now()
    ORDER BY visible_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
), buried AS (
    UPDATE millrace_queue_messages SET dead_at = now()
    WHERE id IN (SELECT id FROM due WHERE attempts >= $4)
), claimed AS (
    UPDATE millrace_queue_messages m SET attempts = m.attempts + 1, visible_at = now() + $3
    FROM due WHERE m.id = due.id AND due.attempts < $4
    RETURNING m.id, m.body, m.metadata, m.attempts
)
SELECT id, body, metadata, attempts FROM claimed ORDER BY id`

// relaxed lets a commit return before it is on disk. Claims and acknowledgements
// may be lost in a crash of the database: the message is then handed out again,
// which at-least-once allows, and every queue hop saves two disk flushes.
const relaxed = `SELECT set_config('synchronous_commit', 'off', true)`

// ReceiveBatch implements driver.Subscription.
func (s *subscription) ReceiveBatch(ctx context.Context, maxMessages int) ([]*driver.Message, error) {
	wake := s.opts.Listener.wait(s.queue) // before looking: nothing sent meanwhile is missed
	ms, err := s.claim(ctx, maxMessages)
	if err != nil || len(ms) > 0 {
		return ms, err
	}
	if err := s.exists(ctx); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wake:
	case <-s.opts.Clock.After(s.opts.PollInterval):
	}
	return s.claim(ctx, maxMessages)
}

func (s *subscription) exists(ctx context.Context) error {
	var there bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM millrace_queues WHERE name = $1)`, s.queue).Scan(&there)
	if err != nil {
		return fmt.Errorf("pgqueue: receive from %s: %w", s.queue, err)
	}
	if !there {
		return fmt.Errorf("%w: %s", ErrNoQueue, s.queue)
	}
	return nil
}

func (s *subscription) claim(ctx context.Context, limit int) ([]*driver.Message, error) {
	batch := &pgx.Batch{} // one round trip, one implicit transaction
	batch.Queue(relaxed)
	var ms []*driver.Message
	batch.Queue(claimSQL, s.queue, limit, s.opts.Visibility, s.opts.MaxAttempts).Query(func(rows pgx.Rows) error {
		var err error
		ms, err = pgx.CollectRows(rows, s.scan)
		return err
	})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("pgqueue: receive from %s: %w", s.queue, err)
	}
	return ms, nil
}

func (s *subscription) scan(row pgx.CollectableRow) (*driver.Message, error) {
	d := &Delivery{pool: s.pool}
	m := &driver.Message{}
	var metadata []byte
	if err := row.Scan(&d.ID, &m.Body, &metadata, &d.Attempt); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(metadata, &m.Metadata); err != nil {
		return nil, err
	}
	m.LoggableID = s.queue + "/" + strconv.FormatInt(d.ID, 10)
	m.AckID = d
	m.AsFunc = func(target any) bool {
		p, ok := target.(**Delivery)
		if ok {
			*p = d
		}
		return ok
	}
	return m, nil
}

// SendAcks implements driver.Subscription. A message is deleted even when its
// time ran out and somebody else has it by now: the work is done.
func (s *subscription) SendAcks(ctx context.Context, ackIDs []driver.AckID) error {
	ids := make([]int64, len(ackIDs))
	for i, id := range ackIDs {
		ids[i] = id.(*Delivery).ID
	}
	return s.finish(ctx, `DELETE FROM millrace_queue_messages WHERE queue = $1 AND id = ANY($2)`, ids)
}

// CanNack implements driver.Subscription.
func (s *subscription) CanNack() bool { return true }

// SendNacks implements driver.Subscription: a refused message comes back after
// its retry delay, or is dead when that was its last attempt.
func (s *subscription) SendNacks(ctx context.Context, ackIDs []driver.AckID) error {
	ids, attempts := make([]int64, len(ackIDs)), make([]int32, len(ackIDs))
	delays := make([]time.Duration, len(ackIDs))
	for i, id := range ackIDs {
		d := id.(*Delivery)
		ids[i], attempts[i], delays[i] = d.ID, int32(d.Attempt), s.opts.RetryDelay(d.Attempt)
	}
	return s.finish(ctx, `
UPDATE millrace_queue_messages m
SET visible_at = now() + n.delay, dead_at = CASE WHEN m.attempts >= $5 THEN now() END
FROM unnest($2::bigint[], $3::int[], $4::interval[]) AS n (id, attempts, delay)
WHERE m.queue = $1 AND m.id = n.id AND m.attempts = n.attempts AND m.dead_at IS NULL`,
		ids, attempts, delays, s.opts.MaxAttempts)
}

func (s *subscription) finish(ctx context.Context, sql string, args ...any) error {
	batch := &pgx.Batch{}
	batch.Queue(relaxed)
	batch.Queue(sql, append([]any{s.queue}, args...)...)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("pgqueue: answer to %s: %w", s.queue, err)
	}
	return nil
}

// IsRetryable implements driver.Subscription.
func (s *subscription) IsRetryable(err error) bool { return retryable(err) }

// As implements driver.Subscription: it yields the *pgxpool.Pool.
func (s *subscription) As(target any) bool {
	p, ok := target.(**pgxpool.Pool)
	if ok {
		*p = s.pool
	}
	return ok
}

// ErrorAs implements driver.Subscription: it yields the *pgconn.PgError.
func (s *subscription) ErrorAs(err error, target any) bool { return errorAs(err, target) }

// ErrorCode implements driver.Subscription.
func (s *subscription) ErrorCode(err error) gcerrors.ErrorCode { return errorCode(err) }

// Close implements driver.Subscription. Pool and listener belong to the caller.
func (s *subscription) Close() error { return nil }
