package redisdb_test

import (
	"io"
	"net"
	"sync"
)

// relay hands connections on to a server, the first one perhaps to another.
type relay struct {
	to, first string
	mu        sync.Mutex
	open      []net.Conn
}

func (r *relay) serve(l net.Listener) {
	for next := r.first; ; next = "" {
		in, err := l.Accept()
		if err != nil {
			return
		}
		if next == "" {
			next = r.to
		}
		out, err := net.Dial("tcp", next)
		if err != nil {
			_ = in.Close()
			continue
		}
		r.mu.Lock()
		r.open = append(r.open, in, out)
		r.mu.Unlock()
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
	}
}

// cut ends what is open.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.open {
		_ = c.Close()
	}
}
