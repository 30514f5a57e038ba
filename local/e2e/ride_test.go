//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
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

	mu       sync.Mutex
	runID    string
	last     string
	events   []apiclient.Event
	facts    int // journalled events seen, text left out
	texts    int // pieces of text seen
	segments int // streams that brought something
	restarts int // announcements that text starts again
	unheard  int // starts that broke before the first event
	finished bool
	err      error
	done     chan struct{}
}

func newRide(base string, a *app, in input) *ride {
	return &ride{api: apiclient.New(base, nil), app: a, in: in, done: make(chan struct{})}
}

// go starts the run and follows it to its end, in the background.
func (r *ride) start(ctx context.Context) {
	go func() {
		defer close(r.done)
		err := r.follow(ctx)
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
	}()
}

// errEnd ends a stream whose run is over.
var errEnd = errors.New("the run is over")

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
		_ = pause(ctx, 15*time.Millisecond) // the loop looks at ctx
	}
}

func (r *ride) position() (id, last string, events int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runID, r.last, len(r.events)
}

// dropIncomplete forgets an event that came without an id of its own: it belongs
// to the one after it, which is sent again together with it.
func (r *ride) dropIncomplete() {
	if n := len(r.events); n > 0 && r.events[n-1].Name == "message_end" {
		r.events = r.events[:n-1]
	}
}

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
	case ev.Name != "message_end":
		r.facts++
	}
	over := ev.Name == "workflow_finished"
	if over {
		r.finished = true
		r.segments++
	}
	r.mu.Unlock()
	if r.when != nil {
		r.when(r)
	}
	if over {
		return errEnd
	}
	return nil
}

// running reports whether the client knows of the run and not of its end.
func (r *ride) running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runID != "" && !r.finished
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
