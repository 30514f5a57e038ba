//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/local/apiclient"
)

// ride is one run seen by a client that starts it and, whenever its stream
// breaks, joins again with the last event id that it has.
type ride struct {
	api  *apiclient.Client
	app  *app
	in   input
	when func(*ride) // called after each event, without the lock
	cut  int         // the client breaks off each stream after so many events; 0 never

	mu       sync.Mutex
	runID    string
	last     string
	events   []apiclient.Event
	facts    int // journalled events seen, text left out
	texts    int // pieces of text seen
	segments int // streams that brought something
	restarts int // announcements that text starts again
	unheard  int // starts that broke before the first event
	hitAt    int // events seen when a kill was last counted for this run
	streamed int // events of the current stream
	finished bool
	err      error
	done     chan struct{}

	met atomic.Bool // its moment to be killed has come

	forms  []*form               // in the order in which they came up
	asked  int                   // pauses seen
	sent   int                   // forms that are answered
	linger func(context.Context) // before each answer
}

func newRide(base string, a *app, in input) *ride {
	return &ride{api: apiclient.New(base, nil), app: a, in: in, done: make(chan struct{})}
}

// start starts the run and follows it to its end, in the background.
func (r *ride) start(ctx context.Context) {
	go func() {
		defer close(r.done)
		err := r.follow(ctx)
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
	}()
}

// Why the client ends a stream.
var (
	errEnd = errors.New("the run is over")
	errCut = errors.New("the client breaks off")
)

func (r *ride) follow(ctx context.Context) error {
	for {
		id, last, before := r.position()
		var err error
		if id == "" {
			err = r.api.Stream(ctx, r.app.key, r.app.path, r.app.body(r.in), r.on)
		} else {
			err = r.api.Rejoin(ctx, r.app.key, id, user, last, r.on)
		}
		if errors.Is(err, errEnd) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("run %q did not end in time; last event %q, last error %w", id, last, err)
		}
		var status *apiclient.StatusError
		if errors.As(err, &status) && status.Status < http.StatusInternalServerError && status.Status != http.StatusTooManyRequests {
			return fmt.Errorf("run %q, last event %q: %w", id, last, err)
		}
		r.mu.Lock()
		if len(r.events) > before {
			r.segments++
		} else if r.runID == "" && status == nil {
			r.unheard++
		}
		r.dropIncomplete()
		r.mu.Unlock()
		if err := r.answerAll(ctx); err != nil {
			return err
		}
		_ = pause(ctx, 15*time.Millisecond) // the loop looks at ctx
	}
}

func (r *ride) position() (id, last string, events int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streamed = 0
	return r.runID, r.last, len(r.events)
}

// dropIncomplete forgets an event that came without an id of its own: it belongs
// to the one after it, which is sent again together with it.
func (r *ride) dropIncomplete() {
	for n := len(r.events); n > 0 && prefixes(r.events[n-1].Name); n-- {
		r.events = r.events[:n-1]
	}
}

// prefixes reports whether an event has no id of its own: it belongs to the one
// after it.
func prefixes(name string) bool { return name == "message_end" || name == formEvent }

func (r *ride) on(ev apiclient.Event) error {
	var head struct {
		RunID string `json:"workflow_run_id"`
	}
	if err := json.Unmarshal(ev.Data, &head); err != nil {
		return err
	}
	r.mu.Lock()
	r.events = append(r.events, ev)
	if ev.ID != "" {
		r.last = ev.ID
		if r.runID == "" {
			r.runID = head.RunID
		}
	}
	switch {
	case isReplacement(ev):
		r.restarts++
	case isText(ev):
		r.texts++
	case !prefixes(ev.Name):
		r.facts++
	}
	if err := r.noteForm(ev); err != nil {
		r.mu.Unlock()
		return err
	}
	over := ev.Name == "workflow_finished"
	r.streamed++
	cut := r.cut > 0 && r.streamed >= r.cut && !prefixes(ev.Name)
	if over {
		r.finished = true
		r.segments++
	}
	r.mu.Unlock()
	if r.when != nil {
		r.when(r)
	}
	switch {
	case over:
		return errEnd
	case cut:
		return errCut
	}
	return nil
}

// hit counts a kill for this run, if that is a new point: the client knows of
// the run and not of its end, and has seen it get on since the last time.
func (r *ride) hit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runID == "" || r.finished || len(r.events) == r.hitAt {
		return false
	}
	r.hitAt = len(r.events)
	return true
}

func (r *ride) counts() (facts, texts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.facts, r.texts
}

// replay returns all events of a finished run as a client sees them that has
// none yet.
func (r *ride) replay(ctx context.Context) ([]apiclient.Event, error) {
	var out []apiclient.Event
	err := r.api.Rejoin(ctx, r.app.key, r.runID, user, "0", func(ev apiclient.Event) error {
		out = append(out, ev)
		return nil
	})
	return out, err
}

func isText(ev apiclient.Event) bool { return ev.Name == "text_chunk" || ev.Name == "message" }

func isReplacement(ev apiclient.Event) bool {
	return ev.Name == "text_replace" || ev.Name == "message_replace"
}

// textOf returns the text of a piece or a replacement.
func textOf(ev apiclient.Event) string {
	var body struct {
		Answer string
		Data   struct{ Text string }
	}
	if json.Unmarshal(ev.Data, &body) != nil {
		return ""
	}
	return body.Answer + body.Data.Text
}
