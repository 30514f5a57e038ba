//go:build unix

package pgqueue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub/driver"
)

const q = "q"

func declared(t *testing.T) *pgxpool.Pool {
	t.Helper()
	p := pool(t)
	require.NoError(t, Declare(t.Context(), p, q))
	return p
}

func send(t *testing.T, p *pgxpool.Pool, messages ...Message) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), p, func(tx pgx.Tx) error { return EnqueueTx(t.Context(), tx, q, messages...) }))
}

// makeDue stands in for waiting: every message of the queue becomes due.
func makeDue(t *testing.T, p *pgxpool.Pool) {
	t.Helper()
	_, err := p.Exec(t.Context(), `UPDATE millrace_queue_messages SET visible_at = now()`)
	require.NoError(t, err)
}

func claim(t *testing.T, s *subscription) []*driver.Message {
	t.Helper()
	ms, err := s.claim(t.Context(), 10)
	require.NoError(t, err)
	return ms
}

func TestEnqueueTxFollowsItsTransaction(t *testing.T) {
	t.Parallel()
	p := declared(t)
	s := newSubscription(p, q, nil)
	errUndo := errors.New("undo")
	err := pgx.BeginFunc(t.Context(), p, func(tx pgx.Tx) error {
		require.NoError(t, EnqueueTx(t.Context(), tx, q, Message{Body: []byte("rolled back")}))
		return errUndo
	})
	require.ErrorIs(t, err, errUndo)
	require.Empty(t, claim(t, s))

	send(t, p, Message{Body: []byte("kept"), Metadata: map[string]string{"traceparent": "00-x"}}, Message{Body: nil})
	ms := claim(t, s)
	require.Len(t, ms, 2)
	require.Equal(t, "kept", string(ms[0].Body))
	require.Equal(t, map[string]string{"traceparent": "00-x"}, ms[0].Metadata)
	require.Empty(t, ms[1].Body)
	require.Empty(t, claim(t, s), "handed out twice")
}

func TestDelayedMessageWaits(t *testing.T) {
	t.Parallel()
	p := declared(t)
	s := newSubscription(p, q, nil)
	hour := time.Now().Add(time.Hour)
	send(t, p, Message{Body: []byte("field"), DeliverAt: hour},
		Message{Body: []byte("metadata"), Metadata: map[string]string{DeliverAtKey: hour.Format(time.RFC3339Nano), "k": "v"}},
		Message{Body: []byte("past"), DeliverAt: hour.Add(-2 * time.Hour)})
	ms := claim(t, s)
	require.Len(t, ms, 1)
	require.Equal(t, "past", string(ms[0].Body))
	stats, err := ReadStats(t.Context(), p, q)
	require.NoError(t, err)
	require.Equal(t, Stats{Waiting: 3}, stats)
	require.NoError(t, s.SendAcks(t.Context(), []driver.AckID{ms[0].AckID}))

	makeDue(t, p)
	ms = claim(t, s)
	require.Len(t, ms, 2)
	require.Equal(t, map[string]string{"k": "v"}, ms[1].Metadata, "the delivery time is not part of what is delivered")

	err = newTopic(p, q, &TopicOptions{}).SendBatch(t.Context(), []*driver.Message{{Metadata: map[string]string{DeliverAtKey: "tomorrow"}}})
	require.Equal(t, gcerrors.InvalidArgument, errorCode(err))
}

func TestRefusedMessageComesBackLaterAndDies(t *testing.T) {
	t.Parallel()
	p := declared(t)
	s := newSubscription(p, q, &SubscriptionOptions{MaxAttempts: 2})
	send(t, p, Message{Body: []byte("poison")})
	for attempt := 1; attempt <= 2; attempt++ {
		ms := claim(t, s)
		require.Len(t, ms, 1)
		require.Equal(t, attempt, ms[0].AckID.(*Delivery).Attempt)
		require.NoError(t, s.SendNacks(t.Context(), []driver.AckID{ms[0].AckID}))
		require.Empty(t, claim(t, s), "back before its retry delay")
		makeDue(t, p)
	}
	require.Empty(t, claim(t, s))
	stats, err := ReadStats(t.Context(), p, q)
	require.NoError(t, err)
	require.Equal(t, Stats{Dead: 1}, stats)

	n, err := Redrive(t.Context(), p, q)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Len(t, claim(t, s), 1)
}

func TestMessageOfALostReceiverComesBackAndDies(t *testing.T) {
	t.Parallel()
	p := declared(t)
	s := newSubscription(p, q, &SubscriptionOptions{MaxAttempts: 2})
	send(t, p, Message{Body: []byte("m")})
	first := claim(t, s)[0].AckID.(*Delivery)
	makeDue(t, p) // the first receiver's time is over
	second := claim(t, s)[0].AckID.(*Delivery)

	ok, err := first.Extend(t.Context(), time.Hour)
	require.NoError(t, err)
	require.False(t, ok, "the first receiver no longer has it")
	ok, err = second.Extend(t.Context(), time.Hour)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, s.SendNacks(t.Context(), []driver.AckID{first}))
	require.Empty(t, claim(t, s), "a late refusal must not take it from the second receiver")

	makeDue(t, p)
	require.Empty(t, claim(t, s), "attempts are used up")
	stats, err := ReadStats(t.Context(), p, q)
	require.NoError(t, err)
	require.EqualValues(t, 1, stats.Dead)
}

func TestLateAcknowledgementCounts(t *testing.T) {
	t.Parallel()
	p := declared(t)
	s := newSubscription(p, q, nil)
	send(t, p, Message{Body: []byte("m")})
	first := claim(t, s)[0]
	makeDue(t, p)
	require.Len(t, claim(t, s), 1)
	require.NoError(t, s.SendAcks(t.Context(), []driver.AckID{first.AckID}))
	stats, err := ReadStats(t.Context(), p, q)
	require.NoError(t, err)
	require.Equal(t, Stats{}, stats)
}

func TestListenerWakesAnIdleReceiver(t *testing.T) {
	t.Parallel()
	p := declared(t)
	l := NewListener(p, nil)
	t.Cleanup(l.Close)
	// Polling alone would not find the message within the test's life.
	s := newSubscription(p, q, &SubscriptionOptions{Listener: l, PollInterval: time.Hour})
	got := make(chan []*driver.Message, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if ms, _ := s.ReceiveBatch(ctx, 1); len(ms) > 0 {
				got <- ms
				return
			}
		}
	}()
	require.NoError(t, newTopic(p, q, &TopicOptions{}).SendBatch(ctx, []*driver.Message{{Body: []byte("hello")}}))
	select {
	case ms := <-got:
		require.Equal(t, "hello", string(ms[0].Body))
	case <-ctx.Done():
		t.Fatal("the receiver was not woken")
	}
}

func TestReceiversShareAQueueWithoutOverlap(t *testing.T) {
	t.Parallel()
	p := declared(t)
	const n = 200
	messages := make([]Message, n)
	for i := range messages {
		messages[i].Body = []byte{byte(i)}
	}
	send(t, p, messages...)
	ids := make(chan int64, 2*n)
	done := make(chan error, 4)
	for range 4 {
		go func() {
			s := newSubscription(p, q, nil)
			for {
				ms, err := s.claim(context.Background(), 7)
				if err != nil || len(ms) == 0 {
					done <- err
					return
				}
				for _, m := range ms {
					ids <- m.AckID.(*Delivery).ID
				}
			}
		}()
	}
	for range 4 {
		require.NoError(t, <-done)
	}
	close(ids)
	seen := map[int64]bool{}
	for id := range ids {
		require.False(t, seen[id], "message %d was handed out twice", id)
		seen[id] = true
	}
	require.Len(t, seen, n)
}

// BenchmarkHop sends messages, a transaction each, and receives and
// acknowledges them through the CDK.
func BenchmarkHop(b *testing.B) {
	for _, senders := range []int{1, 16} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			p := pool(b)
			require.NoError(b, Declare(b.Context(), p, q))
			l := NewListener(p, nil)
			b.Cleanup(l.Close)
			sub := OpenSubscription(p, q, &SubscriptionOptions{Listener: l})
			b.Cleanup(func() { _ = sub.Shutdown(context.Background()) })
			b.ResetTimer()
			for s := range senders {
				go func() {
					for i := s; i < b.N; i += senders {
						_ = enqueue(context.Background(), p, q, []Message{{Body: []byte(`{"run":"x"}`)}})
						_ = Wake(context.Background(), p, q)
					}
				}()
			}
			for range b.N {
				m, err := sub.Receive(b.Context())
				require.NoError(b, err)
				m.Ack()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkWakeUp is the time from sending to receiving when the receiver is idle.
func BenchmarkWakeUp(b *testing.B) {
	p := pool(b)
	require.NoError(b, Declare(b.Context(), p, q))
	l := NewListener(p, nil)
	b.Cleanup(l.Close)
	s := newSubscription(p, q, &SubscriptionOptions{Listener: l})
	send := newTopic(p, q, &TopicOptions{})
	for range b.N {
		got := make(chan struct{})
		go func() {
			for {
				if ms, err := s.ReceiveBatch(context.Background(), 1); err != nil || len(ms) > 0 {
					close(got)
					return
				}
			}
		}()
		require.NoError(b, send.SendBatch(b.Context(), []*driver.Message{{Body: []byte("x")}}))
		<-got
	}
}
