package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
)

// Errors of requests that took too long or answered too much.
var (
	ErrConnectTimeout = errors.New("egress: connecting took too long")
	ErrReadTimeout    = errors.New("egress: the server sent nothing for too long")
	ErrTooLarge       = errors.New("egress: the response is too large")
)

// Timeouts bound the phases of a request. A zero field means the client's.
type Timeouts struct {
	// Connect bounds each attempt to reach the server.
	Connect time.Duration
	// Read bounds the silence before the answer and between its parts.
	Read time.Duration
	// Write is added to the first Read: the request is sent in it.
	Write time.Duration
}

func (t Timeouts) or(d Timeouts) Timeouts {
	if t.Connect <= 0 {
		t.Connect = d.Connect
	}
	if t.Read <= 0 {
		t.Read = d.Read
	}
	if t.Write <= 0 {
		t.Write = d.Write
	}
	return t
}

type (
	timeoutsKey struct{}
	limitKey    struct{}
	privateKey  struct{}
)

// WithTimeouts sets the timeouts of the requests made with the context.
func WithTimeouts(ctx context.Context, t Timeouts) context.Context {
	return context.WithValue(ctx, timeoutsKey{}, t)
}

// WithMaxBytes bounds the response bodies of the requests made with the
// context; it can only lower the client's bound.
func WithMaxBytes(ctx context.Context, n int64) context.Context {
	return context.WithValue(ctx, limitKey{}, n)
}

// WithPrivateHeaders names headers that carry credentials: a redirect to
// another host does not take them along. For the standard ones, such as
// Authorization and Cookie, that is so without being told.
func WithPrivateHeaders(ctx context.Context, names ...string) context.Context {
	return context.WithValue(ctx, privateKey{}, names)
}

func timeoutsOf(ctx context.Context, d Timeouts) Timeouts {
	t, _ := ctx.Value(timeoutsKey{}).(Timeouts)
	return t.or(d)
}

// roundTripper applies what is checked for each single request.
type roundTripper struct {
	next  http.RoundTripper
	guard guard
	opts  Options
}

// RoundTrip sends one request of a chain.
func (r *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := r.guard.literal(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	t := timeoutsOf(req.Context(), r.opts.Timeouts)
	ctx, cancel := context.WithCancelCause(req.Context())
	if order, ok := ctx.Value(orderKey{}).(*HeaderOrder); ok {
		ctx = order.traced(ctx)
	}
	dog := newWatchdog(r.opts.Clock, t.Connect+t.Write+t.Read, t.Read, func() { cancel(ErrReadTimeout) })
	resp, err := r.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		dog.stop()
		err = causeOf(ctx, err)
		cancel(nil)
		return nil, err
	}
	dog.kick()
	limit := r.opts.MaxBytes
	if n, ok := ctx.Value(limitKey{}).(int64); ok && n > 0 && n < limit {
		limit = n
	}
	resp.Body = &body{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, dog: dog, left: limit}
	return resp, nil
}

func causeOf(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), ErrReadTimeout) {
		return ErrReadTimeout
	}
	return err
}

// body bounds size and silence of a response body.
type body struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // the request's, to tell why reading failed
	cancel context.CancelCauseFunc
	dog    *watchdog
	left   int64
}

// Read reads and counts.
func (b *body) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n + int(b.left), ErrTooLarge
	}
	if err == nil {
		b.dog.kick()
	} else if !errors.Is(err, io.EOF) {
		err = causeOf(b.ctx, err)
	}
	return n, err
}

// Close ends the request.
func (b *body) Close() error {
	b.dog.stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// watchdog calls a function when it has not been kicked for some time.
type watchdog struct {
	kicked chan struct{}
	done   chan struct{}
	once   sync.Once
}

func newWatchdog(c clock.Clock, first, next time.Duration, bark func()) *watchdog {
	w := &watchdog{kicked: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		wait := first
		for {
			select {
			case <-w.done:
				return
			case <-w.kicked:
				wait = next
			case <-c.After(wait):
				bark()
				return
			}
		}
	}()
	return w
}

func (w *watchdog) kick() {
	select {
	case w.kicked <- struct{}{}:
	default:
	}
}

func (w *watchdog) stop() { w.once.Do(func() { close(w.done) }) }
