package run

import (
	"context"
	"sync"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/usage"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
)

var _ engine.Host = (*execution)(nil)

// Commit implements engine.Host: the first batch makes the run, later ones are
// appended; what is durable is then shown.
func (x *execution) Commit(ctx context.Context, events []workflow.Event) error {
	token := x.lease.Token
	if !x.begun {
		token = 1
	}
	for i := range events {
		x.seq++
		events[i].Seq, events[i].Token = x.seq, token
		x.lastOf[events[i].Type] = x.seq
	}
	b := &runstore.Batch{Events: events, CheckBudgets: !x.begun || callsModel(events)}
	if x.spec.Part != nil {
		b.Rows.Usage = x.project.usage(events, x.spec.Part.RunID)
	} else { // the other rows of a part are those of the run that takes it over
		b.Rows = x.project.rows(events, !x.begun, x.spec.StartedAt)
	}
	last := &events[len(events)-1]
	if last.Terminal() {
		b.Status = last.Finished.Status
	}
	if err := x.keep(ctx, events); err != nil {
		return err
	}
	if err := x.write(ctx, b); err != nil {
		return err
	}
	rec := eventstream.Record{Seq: x.seq, Events: events}
	if x.client != nil {
		x.client.put(rec)
	}
	if x.stream != nil {
		x.stream.put(rec)
	}
	return nil
}

func (x *execution) write(ctx context.Context, b *runstore.Batch) error {
	hook := x.s.opts.Engine.Hook
	if x.begun {
		hook("before_append")
		reason, err := x.s.Store.Append(ctx, &x.lease, b)
		if err != nil {
			return err
		}
		hook("after_append")
		if reason != "" {
			x.requestStop(reason)
		}
		return nil
	}
	run, err := x.spec.stored()
	if err != nil {
		return err
	}
	hook("before_begin")
	if x.lease, err = x.s.Store.Begin(ctx, run, x.s.opts.Owner, b); err != nil {
		x.s.refusals.note(x.s.Clock, run.TenantID, run.AppID, err)
		return err
	}
	hook("after_begin")
	x.begun = true
	if b.Status == "" {
		// Nobody can watch or stop a run that is over with its first commit.
		x.stream = newMailbox()
		x.publishInBackground()
		x.keepLease()
	}
	return nil
}

// Live implements engine.Host.
func (x *execution) Live(l engine.Live) {
	rec := eventstream.Record{Live: &eventstream.Piece{
		Kind: l.Kind, NodeID: l.NodeID, Selector: l.Selector, Text: l.Text, Offset: l.Offset, Base: x.lastOf[l.Kind], Token: x.lease.Token,
	}}
	if x.client != nil {
		x.client.put(rec)
	}
	if x.stream != nil {
		x.stream.put(rec)
	}
}

// serve brings everything to the client that started the run, in its own
// goroutine so that a slow client does not slow the run.
func (x *execution) serve() {
	defer close(x.client.drained)
	for {
		list, ok := x.client.take()
		if !ok {
			return
		}
		x.relay.records(list)
	}
}

// publishInBackground brings everything to the event stream. Failures are
// not the run's concern: readers fall back to the journal.
func (x *execution) publishInBackground() {
	s, box, topic := x.s, x.stream, x.spec.Request.RunID
	ctx := context.WithoutCancel(x.base) // the run's trace, but not its end
	done := s.background.begin()
	go func() {
		defer done()
		defer close(box.drained)
		for {
			list, ok := box.take()
			if !ok {
				return
			}
			if err := s.Stream.Publish(ctx, topic, list...); err != nil {
				s.opts.Log.WarnContext(ctx, "publish events", "run_id", topic, "error", err)
			}
		}
	}()
}

// published waits until other processes can see everything, or ctx ends. It
// waits for this execution alone: others may go on for as long as they like.
func (x *execution) published(ctx context.Context) {
	select {
	case <-x.stream.drained:
	case <-ctx.Done():
	}
}

// keepLease renews the lease until endLease. When it is lost, or cannot be
// renewed in time, the execution is cancelled: the run is somebody else's.
func (x *execution) keepLease() {
	x.renewed = make(chan struct{})
	lease, ttl := x.lease, x.s.Store.TTL()
	ctx := x.ctx
	go func() {
		defer close(x.renewed)
		good := x.s.Clock.Now()
		for {
			if clock.Sleep(ctx, x.s.Clock, ttl/3) != nil {
				return
			}
			at := x.s.Clock.Now()
			reason, err := x.s.Store.Renew(ctx, &lease)
			switch {
			case err == nil:
				good = at
				if reason != "" {
					x.requestStop(reason)
				}
				x.watchCaller(ctx)
			case ctx.Err() != nil:
				return
			case errs.Is(err, errs.LeaseLost) || clock.Since(x.s.Clock, good) > ttl:
				x.cancel(errs.New(errs.LeaseLost, ""))
				return
			default:
				x.s.opts.Log.WarnContext(ctx, "renew lease", "run_id", lease.RunID, "error", err)
			}
		}
	}()
}

// endLease stops the renewal and waits for it, so that nothing renews what is
// given back next.
func (x *execution) endLease() {
	if x.renewed != nil {
		x.cancel(nil)
		<-x.renewed
	}
}

// requestStop tells the engine to stop; the first reason counts.
func (x *execution) requestStop(reason string) {
	select {
	case x.stop <- usage.Explain(reason):
	default:
	}
}

// mailbox is an unbounded queue of records from the run to one reader. What a
// run can produce is bounded by the run, so the queue is too.
type mailbox struct {
	mu      sync.Mutex
	list    []eventstream.Record
	closed  bool
	wake    chan struct{}
	drained chan struct{} // closed by the reader at its end
}

func newMailbox() *mailbox {
	return &mailbox{wake: make(chan struct{}, 1), drained: make(chan struct{})}
}

func (m *mailbox) put(r eventstream.Record) {
	m.mu.Lock()
	m.list = append(m.list, r)
	m.mu.Unlock()
	m.signal()
}

func (m *mailbox) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.signal()
}

// take returns everything that waits, and blocks until there is something; ok
// is false when the mailbox is closed and empty.
func (m *mailbox) take() (list []eventstream.Record, ok bool) {
	for {
		m.mu.Lock()
		list, m.list = m.list, nil
		closed := m.closed
		m.mu.Unlock()
		if len(list) > 0 {
			return list, true
		}
		if closed {
			return nil, false
		}
		<-m.wake
	}
}
