// Package pgqueue is a gocloud.dev/pubsub driver on Postgres tables, for a
// laptop and for installations without a broker.
//
// It is at-least-once and unordered like every broker the product runs on. What
// it adds: delayed messages, a dead-letter state after too many attempts, and
// [EnqueueTx], which sends within the caller's transaction. It is not the
// product's outbox nor its journal: a message is a wake-up, never state.
//
// Start with [OpenTopic] and [OpenSubscription]; [Schema] is the DDL, [Listener]
// lowers the latency where a connection can be kept.
package pgqueue

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/gcerrors"
)

// Schema creates the tables of this package. It is safe to run twice.
//
//go:embed schema.sql
var Schema string

// DeliverAtKey is the metadata key with the time (RFC 3339) before which a
// message must not be delivered. It is taken out of the metadata on sending.
const DeliverAtKey = "millrace-deliver-at"

// DB is what this package needs of a pool, a connection or a transaction.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

var (
	_ DB = (*pgxpool.Pool)(nil)
	_ DB = (pgx.Tx)(nil)
)

// Message is a message to send.
type Message struct {
	// Body is the payload; bodies beyond some 200 KB belong in blob storage.
	Body []byte
	// Metadata are key/value pairs handed to the receiver.
	Metadata map[string]string
	// DeliverAt delays the message; the zero time does not.
	DeliverAt time.Time
}

// ErrNoQueue is returned for a queue that [Declare] was never called for.
var ErrNoQueue = errors.New("pgqueue: no such queue")

// Declare makes queues known. Declaring one again changes nothing.
func Declare(ctx context.Context, db DB, names ...string) error {
	_, err := db.Exec(ctx, `INSERT INTO millrace_queues (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`, names)
	if err != nil {
		return fmt.Errorf("pgqueue: declare queues: %w", err)
	}
	return nil
}

// EnqueueTx sends within a transaction: the messages exist exactly if it
// commits. It does not wake receivers, because a notification makes commits
// wait for each other; call [Wake] after the commit, or leave it to polling.
func EnqueueTx(ctx context.Context, tx pgx.Tx, queue string, messages ...Message) error {
	return enqueue(ctx, tx, queue, messages)
}

// Wake tells receivers on other connections that a queue has messages.
func Wake(ctx context.Context, db DB, queue string) error {
	_, err := db.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, queue)
	return err
}

const enqueueSQL = `
INSERT INTO millrace_queue_messages (queue, body, metadata, visible_at)
SELECT q.name, m.body, m.metadata, COALESCE(m.deliver_at, now())
FROM millrace_queues q,
     unnest($2::bytea[], $3::json[], $4::timestamptz[]) AS m (body, metadata, deliver_at)
WHERE q.name = $1`

func enqueue(ctx context.Context, db DB, queue string, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	bodies := make([][]byte, len(messages))
	metadata := make([]string, len(messages))
	deliverAt := make([]*time.Time, len(messages))
	for i, m := range messages {
		if bodies[i] = m.Body; m.Body == nil {
			bodies[i] = []byte{}
		}
		at, rest, err := splitDelay(m)
		if err != nil {
			return err
		}
		deliverAt[i] = at
		raw, err := json.Marshal(rest)
		if err != nil {
			return fmt.Errorf("pgqueue: metadata: %w", err)
		}
		metadata[i] = string(raw)
	}
	tag, err := db.Exec(ctx, enqueueSQL, queue, bodies, metadata, deliverAt)
	if err != nil {
		return fmt.Errorf("pgqueue: send to %s: %w", queue, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%w: %s", ErrNoQueue, queue)
	}
	return nil
}

// splitDelay takes the delivery time out of a message's metadata.
func splitDelay(m Message) (*time.Time, map[string]string, error) {
	rest := make(map[string]string, len(m.Metadata))
	at := m.DeliverAt
	for k, v := range m.Metadata {
		if k != DeliverAtKey {
			rest[k] = v
			continue
		}
		parsed, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: metadata %s: %w", errInvalid, DeliverAtKey, err)
		}
		at = parsed
	}
	if at.IsZero() {
		return nil, rest, nil
	}
	return &at, rest, nil
}

var errInvalid = errors.New("pgqueue: invalid message")

// Stats is the state of a queue at one moment.
type Stats struct {
	// Ready counts messages that could be handed out now.
	Ready int64
	// Waiting counts messages that are delayed, or handed out and not yet acknowledged.
	Waiting int64
	// Dead counts messages that used up their attempts.
	Dead int64
	// OldestReady is how long the longest ready message has been waiting.
	OldestReady time.Duration
}

// ReadStats counts a queue's messages.
func ReadStats(ctx context.Context, db DB, queue string) (Stats, error) {
	var s Stats
	var age float64
	err := db.QueryRow(ctx, `
SELECT count(*) FILTER (WHERE dead_at IS NULL AND visible_at <= now()),
       count(*) FILTER (WHERE dead_at IS NULL AND visible_at > now()),
       count(*) FILTER (WHERE dead_at IS NOT NULL),
       COALESCE(EXTRACT(epoch FROM now() - min(visible_at) FILTER (WHERE dead_at IS NULL AND visible_at <= now())), 0)::float8
FROM millrace_queue_messages WHERE queue = $1`, queue).Scan(&s.Ready, &s.Waiting, &s.Dead, &age)
	if err != nil {
		return Stats{}, fmt.Errorf("pgqueue: stats of %s: %w", queue, err)
	}
	s.OldestReady = time.Duration(age * float64(time.Second))
	return s, nil
}

// Redrive gives a queue's dead messages a new set of attempts and returns how
// many there were.
func Redrive(ctx context.Context, db DB, queue string) (int64, error) {
	tag, err := db.Exec(ctx, `
UPDATE millrace_queue_messages SET dead_at = NULL, attempts = 0, visible_at = now()
WHERE queue = $1 AND dead_at IS NOT NULL`, queue)
	if err != nil {
		return 0, fmt.Errorf("pgqueue: redrive %s: %w", queue, err)
	}
	return tag.RowsAffected(), nil
}

// errorCode maps this package's and Postgres's errors to the CDK's closed set.
func errorCode(err error) gcerrors.ErrorCode {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, ErrNoQueue):
		return gcerrors.NotFound
	case errors.Is(err, errInvalid):
		return gcerrors.InvalidArgument
	case errors.Is(err, context.Canceled):
		return gcerrors.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return gcerrors.DeadlineExceeded
	case errors.As(err, &pg) && pg.Code == "42501": // insufficient_privilege
		return gcerrors.PermissionDenied
	case errors.As(err, &pg) && pg.Code == "42P01": // undefined_table: not migrated
		return gcerrors.FailedPrecondition
	}
	return gcerrors.Unknown
}

// retryable reports whether the same statement may go through in a moment.
func retryable(err error) bool {
	if errors.Is(err, ErrNoQueue) || errors.Is(err, errInvalid) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return pgconn.SafeToRetry(err)
	}
	switch pg.Code[:2] {
	case "08", "40", "53", "57": // connection, rollback, resources, shutdown
		return true
	}
	return false
}

func errorAs(err error, target any) bool {
	pg, ok := target.(**pgconn.PgError)
	return ok && errors.As(err, pg)
}
