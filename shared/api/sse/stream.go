package sse

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
)

// Stream writes one event stream. It is safe for concurrent use; after a failed
// write it discards everything, because the client is gone.
type Stream struct {
	clock clock.Clock

	mu   sync.Mutex
	w    http.ResponseWriter
	rc   *http.ResponseController
	err  error
	buf  []byte
	last time.Time // of the last write
}

// NewStream sends the header of an event stream.
func NewStream(w http.ResponseWriter, c clock.Clock) *Stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies must not wait for the end
	w.WriteHeader(http.StatusOK)
	return &Stream{clock: c, w: w, rc: http.NewResponseController(w)}
}

// Send writes an event and flushes it. id becomes the client's Last-Event-ID;
// "" leaves the last one standing. An error means that the client is gone.
func (s *Stream) Send(id string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = s.buf[:0]
	if id != "" {
		s.buf = append(append(append(s.buf, "id: "...), id...), '\n')
	}
	s.buf = append(append(append(s.buf, "data: "...), body...), "\n\n"...)
	return s.write()
}

// Ping writes the contract's sign of life.
func (s *Stream) Ping() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = append(s.buf[:0], "event: ping\n\n"...)
	return s.write()
}

// KeepAlive pings whenever nothing was written for the given time, until the
// returned function is called; that one waits for the last ping.
func (s *Stream) KeepAlive(every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait := every
		for clock.Sleep(ctx, s.clock, wait) == nil {
			s.mu.Lock()
			quiet := clock.Since(s.clock, s.last)
			s.mu.Unlock()
			if quiet < every {
				wait = every - quiet
				continue
			}
			if s.Ping() != nil {
				return
			}
			wait = every
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (s *Stream) write() error {
	if s.err != nil {
		return s.err
	}
	s.last = s.clock.Now()
	if _, s.err = s.w.Write(s.buf); s.err == nil {
		_ = s.rc.Flush() // a writer that cannot flush delivers at the end
	}
	return s.err
}
