package sse

import (
	"net/http"
	"sync"
)

// Stream writes one event stream. It is safe for concurrent use; after a failed
// write it discards everything, because the client is gone.
type Stream struct {
	mu   sync.Mutex
	w    http.ResponseWriter
	rc   *http.ResponseController
	dead bool
	buf  []byte
}

// NewStream sends the header of an event stream.
func NewStream(w http.ResponseWriter) *Stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies must not wait for the end
	w.WriteHeader(http.StatusOK)
	return &Stream{w: w, rc: http.NewResponseController(w)}
}

// Send writes an event and flushes it. id becomes the client's Last-Event-ID;
// "" leaves the last one standing.
func (s *Stream) Send(id string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = s.buf[:0]
	if id != "" {
		s.buf = append(append(append(s.buf, "id: "...), id...), '\n')
	}
	s.buf = append(append(append(s.buf, "data: "...), body...), "\n\n"...)
	s.write()
}

// Ping writes the contract's sign of life.
func (s *Stream) Ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = append(s.buf[:0], "event: ping\n\n"...)
	s.write()
}

func (s *Stream) write() {
	if s.dead {
		return
	}
	if _, err := s.w.Write(s.buf); err != nil {
		s.dead = true
		return
	}
	_ = s.rc.Flush() // a writer that cannot flush delivers at the end
}
