// Package runstore keeps the runs: their journal, their lease, the messages
// that wake workers up, and, in the same transactions, the contract's tables
// that are made from the journal.
//
// It decides nothing about a run; package run does, and is its only user. The
// drivers are memrunstore (tests and benchmarks) and shared/postgres/runs.
// START HERE: Store.Begin, Append and Acquire, which are the durable protocol.
package runstore

import (
	"context"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
)

// The types of the seam; see package driver for their fields.
type (
	Run     = driver.Run
	Lease   = driver.Lease
	Batch   = driver.Batch
	Wake    = driver.Wake
	Granted = driver.Granted
	Rows    = driver.Rows
)

// DefaultTTL is how long a lease holds without renewal.
const DefaultTTL = 15 * time.Second

// Store is the portable run store.
type Store struct {
	d   driver.Driver
	ttl time.Duration
}

// New returns a store on a driver. Leases hold for ttl; 0 means DefaultTTL.
func New(d driver.Driver, ttl time.Duration) *Store {
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	return &Store{d: d, ttl: ttl}
}

// TTL is how long a lease holds without renewal.
func (s *Store) TTL() time.Duration { return s.ttl }

// Begin stores a new run, leases it to owner and writes the first batch, in
// one transaction. Events are numbered by the caller from 1 and carry token 1.
// A batch with a final status stores the run finished, without a lease.
func (s *Store) Begin(ctx context.Context, run *Run, owner string, b *Batch) (Lease, error) {
	if err := checkSeqs(b.Events, 0, 1); err != nil {
		return Lease{}, err
	}
	l, err := s.d.Begin(ctx, run, owner, s.ttl, b)
	return l, wrap(err, "begin run")
}

// Append writes a batch and renews the lease. It fails with errs.LeaseLost when
// somebody else has acquired the run since; then nothing is written. It returns
// the reason when somebody asked the run to stop.
func (s *Store) Append(ctx context.Context, l *Lease, b *Batch) (stopReason string, err error) {
	if err := checkSeqs(b.Events, l.LastSeq, l.Token); err != nil {
		return "", err
	}
	stopReason, err = s.d.Append(ctx, l, s.ttl, b)
	if err == nil && len(b.Events) > 0 {
		l.LastSeq = b.Events[len(b.Events)-1].Seq
	}
	return stopReason, wrap(err, "append to run")
}

// Acquire leases a run whose lease is free or expired. errs.Conflict: somebody
// holds it. errs.NotFound: the tenant has no such run. A finished run is
// granted without a lease (token 0).
func (s *Store) Acquire(ctx context.Context, tenantID, runID, owner string) (*Granted, error) {
	g, err := s.d.Acquire(ctx, tenantID, runID, owner, s.ttl)
	return g, wrap(err, "acquire run")
}

// Renew prolongs a lease; errs.LeaseLost as in Append.
func (s *Store) Renew(ctx context.Context, l *Lease) (stopReason string, err error) {
	stopReason, err = s.d.Renew(ctx, l, s.ttl)
	return stopReason, wrap(err, "renew lease")
}

// Release gives a lease back. With wakeAt the run is suspended until then;
// wakes are put into the outbox in the same transaction.
func (s *Store) Release(ctx context.Context, l *Lease, wakeAt time.Time, wakes ...Wake) error {
	return wrap(s.d.Release(ctx, l, wakeAt, wakes), "release run")
}

// Get returns a run of the tenant.
func (s *Store) Get(ctx context.Context, tenantID, runID string) (*Run, error) {
	r, err := s.d.Get(ctx, tenantID, runID)
	return r, wrap(err, "get run")
}

// Events returns the journal of a tenant's run after the given sequence number.
func (s *Store) Events(ctx context.Context, tenantID, runID string, after int64) ([]workflow.Event, error) {
	ev, err := s.d.Events(ctx, tenantID, runID, after)
	return ev, wrap(err, "read journal")
}

// RequestStop notes that a run should stop; the worker sees it when it appends
// or renews. A finished run is left alone.
func (s *Store) RequestStop(ctx context.Context, tenantID, runID, reason string) error {
	return wrap(s.d.RequestStop(ctx, tenantID, runID, reason), "request stop")
}

// Signal notes that what a paused run waits for may have happened: the run is
// due at once, or as soon as its worker suspends it. A finished run is left alone.
func (s *Store) Signal(ctx context.Context, tenantID, runID string) error {
	return wrap(s.d.Signal(ctx, tenantID, runID), "signal run")
}

// OpenParts counts the tenant's runs that are parts of others (their spec has a
// member "part") and not over.
func (s *Store) OpenParts(ctx context.Context, tenantID string) (int, error) {
	n, err := s.d.OpenParts(ctx, tenantID)
	return n, wrap(err, "count parts")
}

// Due puts a wake-up into the outbox for every run, up to limit, that nobody
// works on though it is due: its lease has expired or its time has come. A run
// is not found again until a lease time has passed, so concurrent calls do not
// wake a run twice. It returns how many there were.
func (s *Store) Due(ctx context.Context, limit int) (int, error) {
	n, err := s.d.Due(ctx, limit)
	return n, wrap(err, "find due runs")
}

// ExpireOwner ends all leases of an owner that is known to be dead, so that its
// runs are due at once, and returns how many there were. What somebody has
// claimed to wake up or to relay is free again too: that may have been the owner.
func (s *Store) ExpireOwner(ctx context.Context, owner string) (int, error) {
	n, err := s.d.ExpireOwner(ctx, owner)
	return n, wrap(err, "expire leases")
}

// Pending returns wake-ups that were not relayed yet, oldest first.
func (s *Store) Pending(ctx context.Context, limit int) ([]Wake, error) {
	w, err := s.d.Pending(ctx, limit)
	return w, wrap(err, "read outbox")
}

// MarkRelayed takes wake-ups out of the outbox.
func (s *Store) MarkRelayed(ctx context.Context, wakes []Wake) error {
	if len(wakes) == 0 {
		return nil
	}
	return wrap(s.d.MarkRelayed(ctx, wakes), "clear outbox")
}

// FirstDelivery notes that a consumer has seen a message and reports whether
// it had not before.
func (s *Store) FirstDelivery(ctx context.Context, consumer, messageID string) (bool, error) {
	first, err := s.d.FirstDelivery(ctx, consumer, messageID)
	return first, wrap(err, "note message")
}

func wrap(err error, what string) error { return errs.Wrap(errs.Internal, err, what) }

// checkSeqs guards the journal against writers that miscount.
func checkSeqs(events []workflow.Event, last, token int64) error {
	for i := range events {
		if last++; events[i].Seq != last || events[i].Token != token {
			return errs.Newf(errs.Internal, "event %d (token %d) does not follow %d (token %d)", events[i].Seq, events[i].Token, last-1, token)
		}
	}
	return nil
}
