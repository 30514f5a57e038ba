package run

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/workflow"
)

// cursor is a client's position: the last journalled event it has, and how
// much it has of the text after it that is not journalled yet. Its text form
// is the SSE id: "<seq>", or "<seq>.<token>.<runes>[.<runes of reasoning>]".
//
// The second form stays in use for journalled events too for as long as live
// text is outstanding, because events of parallel branches may come between.
type cursor struct {
	seq       int64
	token     int64 // of the worker whose live text was shown
	text      int   // runes
	reasoning int
}

func (c cursor) String() string {
	s := strconv.FormatInt(c.seq, 10)
	if c.text == 0 && c.reasoning == 0 {
		return s
	}
	s += "." + strconv.FormatInt(c.token, 10) + "." + strconv.Itoa(c.text)
	if c.reasoning > 0 {
		s += "." + strconv.Itoa(c.reasoning)
	}
	return s
}

// parseCursor reads what String wrote; ok is false for anything else.
func parseCursor(s string) (c cursor, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 1 && len(parts) != 3 && len(parts) != 4 {
		return c, false
	}
	n := [4]int64{}
	for i, p := range parts {
		v, err := strconv.ParseInt(p, 10, 64)
		if err != nil || v < 0 {
			return cursor{}, false
		}
		n[i] = v
	}
	return cursor{seq: n[0], token: n[1], text: int(n[2]), reasoning: int(n[3])}, true
}

// relay turns the journal and the live stream of a run into what one client
// sees: every journalled event exactly once and in order, live text in between,
// and an announcement when text that was shown will not be continued. It is
// used the same way for the client that started the run and for one that joins
// later.
type relay struct {
	at   cursor
	emit func(Item)
	// silentUntil is the position of a joining client: up to there events only
	// bring the relay's own state up to date.
	silentUntil int64
	// shown is what a joining client says it has seen beyond silentUntil.
	shown cursor

	answer        []byte // journalled text so far
	textBase      int64  // last journalled text event
	reasoningBase int64
	lastToken     int64  // of the last journalled event
	reasoner      string // whose live reasoning was shown last
	finished      *workflow.RunFinished
	// paused is set while the last event was a pause of the run.
	paused *workflow.RunPaused
}

func newRelay(emit func(Item)) *relay { return &relay{emit: emit} }

// resumeAt makes the relay serve a client that is at c.
func (r *relay) resumeAt(c cursor) {
	r.silentUntil, r.shown = c.seq, c
}

// records takes what came over the stream. It returns false when something is
// missing that only the journal has.
func (r *relay) records(list []eventstream.Record) bool {
	for i := range list {
		rec := &list[i]
		if rec.Live != nil {
			if !r.live(rec.Live) {
				return false
			}
			continue
		}
		if !r.events(rec.Events) || rec.Seq > r.at.seq {
			return false
		}
	}
	return true
}

// events takes journalled events; those that it had already are skipped. It
// returns false at a gap.
func (r *relay) events(list []workflow.Event) bool {
	for i := range list {
		e := &list[i]
		if e.Seq <= r.at.seq {
			continue
		}
		if e.Seq != r.at.seq+1 {
			return false
		}
		r.event(e)
	}
	return true
}

func (r *relay) event(e *workflow.Event) {
	silent := e.Seq <= r.silentUntil
	if !silent {
		r.worker(e.Token)
	}
	skipText, skipReasoning := 0, 0
	switch e.Type {
	case workflow.EventText:
		skipText = min(r.at.text, utf8.RuneCountInString(e.Text.Text))
		r.at.text -= skipText
		r.answer = append(r.answer, e.Text.Text...)
		r.textBase = e.Seq
	case workflow.EventReasoning:
		skipReasoning = min(r.at.reasoning, utf8.RuneCountInString(e.Reasoning.Text))
		before := r.at
		r.at.reasoning = 0
		r.reasoningBase = e.Seq
		r.at.seq, r.lastToken = e.Seq, e.Token
		if !silent {
			r.reasoned(e, skipReasoning, before)
		}
		r.afterSilence()
		return
	case workflow.EventRunPaused:
		r.paused = e.Paused
	case workflow.EventRunStarted:
		r.paused = nil
	case workflow.EventRunFinished:
		r.finished, r.paused = e.Finished, nil
		r.at.text, r.at.reasoning = 0, 0
	}
	r.at.seq, r.lastToken = e.Seq, e.Token
	if silent {
		r.afterSilence()
		return
	}
	out := *e
	if skipText > 0 {
		rest := afterRunes(e.Text.Text, skipText)
		if rest == "" {
			return // all of it was shown live
		}
		out.Text = &workflow.TextPiece{Selector: e.Text.Selector, Text: rest}
	}
	r.emit(Item{ID: r.at.String(), Event: out})
}

// reasoned shows the rest of a node's reasoning and then its end, as two items:
// the contract has the end as a piece of its own.
func (r *relay) reasoned(e *workflow.Event, skip int, before cursor) {
	if rest := afterRunes(e.Reasoning.Text, skip); rest != "" {
		piece := *e
		piece.Seq = 0
		piece.Reasoning = &workflow.Reasoning{NodeID: e.Reasoning.NodeID, Text: rest}
		before.token = e.Token
		before.reasoning = utf8.RuneCountInString(e.Reasoning.Text)
		r.emit(Item{ID: before.String(), Event: piece, Live: true})
	}
	end := *e
	end.Reasoning = &workflow.Reasoning{NodeID: e.Reasoning.NodeID, Final: true}
	r.emit(Item{ID: r.at.String(), Event: end})
}

// afterSilence takes over what the joining client has seen of the live tail.
func (r *relay) afterSilence() {
	if r.at.seq == r.silentUntil && r.finished == nil {
		r.at.token, r.at.text, r.at.reasoning = r.shown.token, r.shown.text, r.shown.reasoning
	}
}

// live takes a piece of live text. It returns false when the journal has to be
// read first.
func (r *relay) live(p *eventstream.Piece) bool {
	if p.Base > r.at.seq {
		return false
	}
	if r.finished != nil || p.Token < r.lastToken || p.Token < r.at.token || r.at.seq < r.silentUntil {
		return true // of a worker that has lost the run, or before our time
	}
	base, shown := r.textBase, &r.at.text
	if p.Kind == workflow.EventReasoning {
		base, shown = r.reasoningBase, &r.at.reasoning
	}
	if p.Base != base {
		return true // journalled meanwhile
	}
	r.worker(p.Token)
	if p.Offset > *shown {
		return true // pieces are missing; the journal will have all of it
	}
	text := afterRunes(p.Text, *shown-p.Offset)
	if text == "" {
		return true
	}
	*shown += utf8.RuneCountInString(text)
	e := workflow.Event{Type: p.Kind}
	if p.Kind == workflow.EventReasoning {
		e.Reasoning = &workflow.Reasoning{NodeID: p.NodeID, Text: text}
		r.reasoner = p.NodeID
	} else {
		e.Text = &workflow.TextPiece{Selector: p.Selector, Text: text}
	}
	r.emit(Item{ID: r.at.String(), Event: e, Live: true})
	return true
}

// worker notices that another worker has the run now: what the earlier one
// showed live will never be journalled, so it is taken back.
func (r *relay) worker(token int64) {
	if token == r.at.token {
		return
	}
	text, reasoning := r.at.text, r.at.reasoning
	r.at.token, r.at.text, r.at.reasoning = token, 0, 0
	if text > 0 {
		r.emit(Item{ID: r.at.String(), Live: true, Event: workflow.Event{
			Type: workflow.EventTextReplaced, Text: &workflow.TextPiece{Text: string(r.answer)},
		}})
	}
	if reasoning > 0 {
		r.emit(Item{ID: r.at.String(), Live: true, Event: workflow.Event{
			Type: workflow.EventReasoning, Reasoning: &workflow.Reasoning{NodeID: r.reasoner, Final: true},
		}})
	}
}

// afterRunes returns s without its first n runes.
func afterRunes(s string, n int) string {
	for ; n > 0 && s != ""; n-- {
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
	return s
}

// errBadCursor explains a last event id that cannot be read.
func errBadCursor(id string) string { return fmt.Sprintf("%q is not an event id of this run", id) }
