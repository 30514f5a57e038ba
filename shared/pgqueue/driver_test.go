//go:build unix

package pgqueue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/driver"
	"gocloud.dev/pubsub/drivertest"

	"github.com/millrace/millrace/local/embedded/pgtest"
)

// pool opens a fresh database with the queue tables.
func pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return pgtest.Open(t, pgtest.Template(t, "pgqueue", func(ctx context.Context, url string) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, Schema); err != nil {
			return err
		}
		_, err = conn.Exec(ctx, Schema) // twice: it must be harmless
		return err
	}))
}

type harness struct {
	pool     *pgxpool.Pool
	listener *Listener
	queues   atomic.Int32
}

func (h *harness) CreateTopic(ctx context.Context, _ string) (driver.Topic, func(), error) {
	name := fmt.Sprintf("queue-%d", h.queues.Add(1))
	if err := Declare(ctx, h.pool, name); err != nil {
		return nil, nil, err
	}
	return newTopic(h.pool, name, &TopicOptions{}), func() {}, nil
}

func (h *harness) MakeNonexistentTopic(context.Context) (driver.Topic, error) {
	return newTopic(h.pool, "nowhere", &TopicOptions{}), nil
}

func (h *harness) CreateSubscription(_ context.Context, t driver.Topic, _ string) (driver.Subscription, func(), error) {
	none := func(int) time.Duration { return 0 }
	return newSubscription(h.pool, t.(*topic).queue, &SubscriptionOptions{Listener: h.listener, RetryDelay: none}), func() {}, nil
}

func (h *harness) MakeNonexistentSubscription(context.Context) (driver.Subscription, func(), error) {
	return newSubscription(h.pool, "nowhere", nil), func() {}, nil
}

func (h *harness) Close() {
	if h.listener != nil {
		h.listener.Close()
	}
}
func (h *harness) MaxBatchSizes() (int, int)           { return 0, 0 }
func (h *harness) SupportsMultipleSubscriptions() bool { return false }

type asPool struct{}

func (asPool) Name() string { return "pool, delivery and Postgres error" }

func (asPool) TopicCheck(t *pubsub.Topic) error {
	var p *pgxpool.Pool
	if !t.As(&p) || p == nil {
		return errors.New("topic yields no pool")
	}
	return nil
}

func (asPool) SubscriptionCheck(s *pubsub.Subscription) error {
	var p *pgxpool.Pool
	if !s.As(&p) || p == nil {
		return errors.New("subscription yields no pool")
	}
	return nil
}

func (asPool) TopicErrorCheck(t *pubsub.Topic, err error) error {
	var pg *pgconn.PgError
	if t.ErrorAs(err, &pg) {
		return fmt.Errorf("a missing queue is not Postgres's error: %w", pg)
	}
	return nil
}

func (asPool) SubscriptionErrorCheck(s *pubsub.Subscription, err error) error {
	var pg *pgconn.PgError
	if s.ErrorAs(err, &pg) {
		return fmt.Errorf("a missing queue is not Postgres's error: %w", pg)
	}
	return nil
}

func (asPool) MessageCheck(m *pubsub.Message) error {
	var d *Delivery
	if !m.As(&d) || d.Attempt != 1 {
		return fmt.Errorf("message yields no first delivery: %+v", d)
	}
	return nil
}

func (asPool) BeforeSend(func(any) bool) error { return nil }
func (asPool) AfterSend(func(any) bool) error  { return nil }

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"listening", "polling"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			drivertest.RunConformanceTests(t, func(_ context.Context, t *testing.T) (drivertest.Harness, error) {
				h := &harness{pool: pool(t)}
				if mode == "listening" {
					h.listener = NewListener(h.pool, nil)
				}
				return h, nil
			}, []drivertest.AsTest{asPool{}})
		})
	}
}
