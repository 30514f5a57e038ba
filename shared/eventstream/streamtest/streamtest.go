// Package streamtest is the suite that every driver of eventstream passes.
package streamtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/driver"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// Run tests a driver.
func Run(t *testing.T, d driver.Driver) {
	s := eventstream.New(d)
	t.Run("order", func(t *testing.T) { testOrder(t, s) })
	t.Run("waiting reader", func(t *testing.T) { testWaiting(t, s) })
	t.Run("big records", func(t *testing.T) { testBig(t, s) })
	t.Run("stops", func(t *testing.T) { testStops(t, s) })
}

func record(seq int64) eventstream.Record {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return eventstream.Record{Seq: seq, Events: []workflow.Event{{Seq: seq, At: at, Type: workflow.EventNodeFinished, Node: &workflow.NodeEvent{
		NodeID: "n", StartedAt: at, Outputs: value.Obj("f", &value.File{ID: "1", Size: 3}, "n", 1.0),
	}}}}
}

func live(text string) eventstream.Record {
	return eventstream.Record{Live: &eventstream.Piece{Kind: workflow.EventText, Selector: workflow.Selector{"n", "text"}, Text: text, Offset: 3, Base: 4, Token: 5}}
}

func read(t *testing.T, sub eventstream.Subscription, n int) []eventstream.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out []eventstream.Record
	for len(out) < n {
		list, err := sub.Next(ctx)
		require.NoError(t, err)
		out = append(out, list...)
	}
	return out
}

func testOrder(t *testing.T, s *eventstream.Stream) {
	topic := ids.New()
	want := []eventstream.Record{record(1), live("a"), live("é"), record(2)}
	require.NoError(t, s.Publish(t.Context(), topic, want[:2]...))
	require.NoError(t, s.Publish(t.Context(), topic, want[2:]...))
	for range 2 { // every reader gets everything
		sub, err := s.Subscribe(t.Context(), topic)
		require.NoError(t, err)
		require.Equal(t, want, read(t, sub, 4))
		require.NoError(t, sub.Close())
	}
}

func testWaiting(t *testing.T, s *eventstream.Stream) {
	topic := ids.New()
	sub, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	got := make(chan []eventstream.Record, 1)
	go func() {
		list, err := sub.Next(context.Background())
		if err == nil {
			got <- list
		}
		close(got)
	}()
	require.NoError(t, s.Publish(t.Context(), topic, live("x")))
	select {
	case list := <-got:
		require.Equal(t, []eventstream.Record{live("x")}, list)
	case <-time.After(10 * time.Second):
		t.Fatal("the reader was not woken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = sub.Next(ctx)
	require.Error(t, err)
}

// testBig: a driver may leave events out, but has to say up to where they went.
func testBig(t *testing.T, s *eventstream.Stream) {
	topic := ids.New()
	r := record(7)
	r.Events[0].Node.Error = strings.Repeat("x", 1<<20)
	require.NoError(t, s.Publish(t.Context(), topic, r))
	sub, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	got := read(t, sub, 1)[0]
	require.Equal(t, int64(7), got.Seq)
	if len(got.Events) > 0 {
		require.Equal(t, r, got)
	}
}

func testStops(t *testing.T, s *eventstream.Stream) {
	a, b := ids.New(), ids.New()
	require.NoError(t, s.SendStop(t.Context(), a, "why"))
	got, err := s.Stops(t.Context(), []string{a, b})
	require.NoError(t, err)
	require.Equal(t, map[string]string{a: "why"}, got)
}
