package mockecho

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// headerOrder is the order in which the recorded server sent its headers. Apps
// show the headers of an answer in the order in which they came, and net/http
// sorts them.
func headerOrder() []string {
	return []string{"Content-Type", "X-Echo", "Content-Disposition", "Location", "Content-Length"}
}

// Serve answers the connections of l until ctx ends, like Handler but with the
// headers in the order of the recordings. It closes l and returns when the last
// connection is closed.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			cancel()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("mockecho: %w", err)
		}
		open.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			defer conn.Close() //nolint:errcheck // the answer is sent or its reader is gone
			s.converse(ctx, conn)
		})
	}
}

// converse answers the requests of one connection in turn.
func (s *Server) converse(ctx context.Context, conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return // the end, or something that is no request
		}
		if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
			if _, err := io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return
			}
		}
		w := &recorder{header: http.Header{}, status: http.StatusOK}
		s.serve(w, r.WithContext(ctx))
		if _, err := conn.Write(w.bytes(r.Method)); err != nil || r.Close {
			return
		}
	}
}

// recorder holds an answer until its headers can be put in order.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the headers to be sent.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader sets the status.
func (w *recorder) WriteHeader(status int) { w.status = status }

// Write appends to the body.
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }

func (w *recorder) bytes(method string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	for _, k := range headerOrder() {
		for _, v := range w.header.Values(k) {
			fmt.Fprintf(&b, "%s: %s\r\n", k, v)
		}
	}
	b.WriteString("\r\n")
	if method != http.MethodHead {
		b.Write(w.body.Bytes())
	}
	return b.Bytes()
}
