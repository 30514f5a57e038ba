package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/workflow"
)

func TestCursorText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "7", "7.2.13", "7.2.13.4", "7.2.0.4"} {
		c, ok := parseCursor(s)
		require.True(t, ok, s)
		require.Equal(t, s, c.String())
	}
	for _, s := range []string{"", "a", "1.2", "1.2.x", "1.2.3.4.5", "-1", "1.-2.3"} {
		_, ok := parseCursor(s)
		require.False(t, ok, s)
	}
}

func text(seq, token int64, s string) workflow.Event {
	return workflow.Event{Seq: seq, Token: token, Type: workflow.EventText, Text: &workflow.TextPiece{Selector: workflow.Selector{"n", "text"}, Text: s}}
}

func node(seq, token int64) workflow.Event {
	return workflow.Event{Seq: seq, Token: token, Type: workflow.EventNodeFinished, Node: &workflow.NodeEvent{NodeID: "other"}}
}

func piece(base, token int64, offset int, s string) eventstream.Record {
	return eventstream.Record{Live: &eventstream.Piece{Kind: workflow.EventText, Selector: workflow.Selector{"n", "text"}, Text: s, Base: base, Token: token, Offset: offset}}
}

func batch(events ...workflow.Event) eventstream.Record {
	return eventstream.Record{Seq: events[len(events)-1].Seq, Events: events}
}

type shownItem struct{ id, text string }

func play(t *testing.T, at string, list ...eventstream.Record) (out []shownItem, complete bool) {
	t.Helper()
	r := newRelay(func(i Item) {
		s := string(i.Event.Type)
		if i.Event.Text != nil {
			s = i.Event.Text.Text
			if i.Event.Type == workflow.EventTextReplaced {
				s = "=" + s
			}
		}
		out = append(out, shownItem{i.ID, s})
	})
	if at != "" {
		c, ok := parseCursor(at)
		require.True(t, ok)
		r.resumeAt(c)
	}
	complete = r.records(list)
	return out, complete
}

// TestEventsOfParallelBranchesKeepTheLiveTail: a journalled event that comes
// while text is outstanding has an id that says so.
func TestEventsOfParallelBranchesKeepTheLiveTail(t *testing.T) {
	t.Parallel()
	story := []eventstream.Record{batch(node(1, 1)), piece(0, 1, 0, "ab"), batch(node(2, 1)), piece(0, 1, 2, "cé"), batch(text(3, 1, "abcéd"), node(4, 1))}
	var got []shownItem
	r := newRelay(func(i Item) {
		s := "event"
		if i.Event.Text != nil {
			s = i.Event.Text.Text
		}
		got = append(got, shownItem{i.ID, s})
	})
	require.True(t, r.records(story))
	require.Equal(t, []shownItem{{"1", "event"}, {"1.1.2", "ab"}, {"2.1.2", "event"}, {"2.1.4", "cé"}, {"3", "d"}, {"4", "event"}}, got)

	// From every id, what is left is exactly what the client lacks.
	journal := []eventstream.Record{batch(node(1, 1), node(2, 1), text(3, 1, "abcéd"), node(4, 1))}
	shown, events := "", 0
	count := func(i Item) {
		if i.Event.Text != nil {
			shown += i.Event.Text.Text
		} else {
			events++
		}
	}
	for k, item := range got {
		shown, events = "", 0
		for _, before := range got[:k+1] {
			if before.text == "event" {
				events++
			} else {
				shown += before.text
			}
		}
		r := newRelay(count)
		c, ok := parseCursor(item.id)
		require.True(t, ok)
		r.resumeAt(c)
		require.True(t, r.records(journal))
		require.Equal(t, "abcéd", shown, item.id)
		require.Equal(t, 3, events, item.id)
	}
}

func TestLiveTextThatIsStaleOrIncompleteIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list     []eventstream.Record
		want     []shownItem
		complete bool
	}{
		"twice":             {[]eventstream.Record{piece(0, 1, 0, "ab"), piece(0, 1, 0, "ab"), piece(0, 1, 1, "bc")}, []shownItem{{"0.1.2", "ab"}, {"0.1.3", "c"}}, true},
		"hole":              {[]eventstream.Record{piece(0, 1, 2, "c"), batch(text(1, 1, "abc"))}, []shownItem{{"1", "abc"}}, true},
		"journalled before": {[]eventstream.Record{batch(text(1, 1, "ab")), piece(0, 1, 0, "ab")}, []shownItem{{"1", "ab"}}, true},
		"ahead of us":       {[]eventstream.Record{piece(3, 1, 0, "ab")}, nil, false},
		"gap":               {[]eventstream.Record{batch(node(2, 1))}, nil, false},
		"without events":    {[]eventstream.Record{{Seq: 1}}, nil, false},
		"lost worker":       {[]eventstream.Record{batch(node(1, 2)), piece(0, 1, 0, "old")}, []shownItem{{"1", "node_finished"}}, true},
		"new worker": {[]eventstream.Record{batch(text(1, 1, "A ")), piece(1, 1, 0, "lost"), piece(1, 2, 0, "new"), batch(text(2, 2, "new!"))},
			[]shownItem{{"1", "A "}, {"1.1.4", "lost"}, {"1", "=A "}, {"1.2.3", "new"}, {"2", "!"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, complete := play(t, "", c.list...)
			require.Equal(t, c.want, got)
			require.Equal(t, c.complete, complete)
		})
	}
}
