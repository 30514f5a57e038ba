// Package memrunstore keeps runs in memory: for tests, benchmarks and runs that
// nobody needs to keep. Nothing survives the process, so it gives the protocol
// without its purpose.
package memrunstore

import (
	"context"
	"encoding/json"
	"sort"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/usage"
	"github.com/millrace/millrace/shared/workflow"
)

// Driver is the store. New makes one.
type Driver struct {
	clock clock.Clock
	meter Meter

	mu     sync.Mutex
	runs   map[string]*stored
	outbox []waiting
	inbox  map[[2]string]bool
}

type stored struct {
	run     driver.Run
	owner   string
	expires time.Time
	dueAt   time.Time // when somebody should look at it
	// signalled is true when what the run waits for may have happened.
	signalled bool
	events    []workflow.Event
	rows      []driver.Rows
}

// Meter counts usage and knows budgets. *memusage.Store is one.
type Meter interface {
	Record(tenantID, appID string, list []driver.UsageRow)
	Exceeded(tenantID, appID string) *usage.State
}

// waiting is a wake-up that somebody is relaying until then.
type waiting struct {
	wake    driver.Wake
	claimed time.Time
}

// claim is how long somebody who took a wake-up or a due run has before others
// may take it too.
const claim = 30 * time.Second

var _ driver.Driver = (*Driver)(nil)

// New returns an empty store.
func New(c clock.Clock) *Driver {
	return &Driver{clock: c, runs: map[string]*stored{}, inbox: map[[2]string]bool{}}
}

// UseMeter has usage counted; without a meter nothing is. Call it before the
// store is used.
func (d *Driver) UseMeter(m Meter) *Driver {
	d.meter = m
	return d
}

// metered counts what a batch used, and marks the run when it has to stop.
func (d *Driver) metered(s *stored, b *driver.Batch) {
	if d.meter == nil {
		return
	}
	r := &s.run
	d.meter.Record(r.TenantID, r.AppID, b.Rows.Usage)
	if !b.CheckBudgets || r.Finished() || r.StopReason != "" {
		return
	}
	if over := d.meter.Exceeded(r.TenantID, r.AppID); over != nil {
		r.StopReason = over.StopReason()
	}
}

// Rows returns the row changes of a run's batches, for tests.
func (d *Driver) Rows(runID string) []driver.Rows {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.runs[runID]; s != nil {
		return append([]driver.Rows(nil), s.rows...)
	}
	return nil
}

// RunIDs returns the ids of all runs, in order of their ids.
func (d *Driver) RunIDs() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]string, 0, len(d.runs))
	for id := range d.runs {
		out = append(out, id)
	}
	sort.Strings(out)
	return out
}

// Begin implements driver.Driver.
func (d *Driver) Begin(_ context.Context, run *driver.Run, owner string, ttl time.Duration, b *driver.Batch) (driver.Lease, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.runs[run.ID] != nil {
		return driver.Lease{}, errs.New(errs.Conflict, "The run exists already.")
	}
	if d.meter != nil && b.CheckBudgets {
		if over := d.meter.Exceeded(run.TenantID, run.AppID); over != nil {
			return driver.Lease{}, over.Err()
		}
	}
	s := &stored{run: *run, owner: owner, expires: d.clock.Now().Add(ttl), dueAt: d.clock.Now().Add(ttl)}
	s.run.Status, s.run.Token, s.run.CreatedAt = driver.StatusRunning, 1, d.clock.Now()
	d.runs[run.ID] = s
	d.write(s, b)
	return driver.Lease{TenantID: run.TenantID, RunID: run.ID, Owner: owner, Token: 1, LastSeq: s.run.LastSeq}, nil
}

func (d *Driver) write(s *stored, b *driver.Batch) {
	s.events = append(s.events, b.Events...)
	s.rows = append(s.rows, b.Rows)
	if n := len(b.Events); n > 0 {
		s.run.LastSeq = b.Events[n-1].Seq
	}
	d.wake(b.Wakes, claim)
	if b.Status != "" {
		s.run.Status = b.Status
	}
	if s.run.Finished() {
		s.owner, s.expires = "", time.Time{}
	}
	d.metered(s, b)
}

func (d *Driver) wake(wakes []driver.Wake, claimed time.Duration) {
	for _, w := range wakes {
		d.outbox = append(d.outbox, waiting{w, d.clock.Now().Add(claimed)})
	}
}

// holder returns the run if the lease is the valid one.
func (d *Driver) holder(l *driver.Lease) (*stored, error) {
	s := d.runs[l.RunID]
	if s == nil || s.run.TenantID != l.TenantID || s.run.Token != l.Token || s.run.Finished() || s.owner == "" {
		return nil, errs.New(errs.LeaseLost, "")
	}
	return s, nil
}

// held is holder for writers, who also have to know the journal's end.
func (d *Driver) held(l *driver.Lease) (*stored, error) {
	s, err := d.holder(l)
	if err == nil && s.run.LastSeq != l.LastSeq {
		err = errs.New(errs.LeaseLost, "")
	}
	return s, err
}

// Append implements driver.Driver.
func (d *Driver) Append(_ context.Context, l *driver.Lease, ttl time.Duration, b *driver.Batch) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.held(l)
	if err != nil {
		return "", err
	}
	s.expires, s.dueAt = d.clock.Now().Add(ttl), d.clock.Now().Add(ttl)
	d.write(s, b)
	return s.run.StopReason, nil
}

// Acquire implements driver.Driver.
func (d *Driver) Acquire(_ context.Context, tenantID, runID, owner string, ttl time.Duration) (*driver.Granted, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.runs[runID]
	if s == nil || s.run.TenantID != tenantID {
		return nil, errs.New(errs.NotFound, "")
	}
	if s.run.Finished() {
		return &driver.Granted{Run: d.view(s), Events: append([]workflow.Event(nil), s.events...)}, nil
	}
	if s.owner != "" && s.expires.After(d.clock.Now()) {
		return nil, errs.New(errs.Conflict, "Another worker has the run.")
	}
	s.owner, s.expires, s.dueAt = owner, d.clock.Now().Add(ttl), d.clock.Now().Add(ttl)
	s.run.Token++
	s.run.Status, s.signalled = driver.StatusRunning, false
	return &driver.Granted{
		Run:    d.view(s),
		Lease:  driver.Lease{TenantID: tenantID, RunID: runID, Owner: owner, Token: s.run.Token, LastSeq: s.run.LastSeq},
		Events: append([]workflow.Event(nil), s.events...),
	}, nil
}

func (d *Driver) view(s *stored) driver.Run {
	r := s.run
	r.Leased = s.owner != "" && s.expires.After(d.clock.Now())
	return r
}

// Renew implements driver.Driver.
func (d *Driver) Renew(_ context.Context, l *driver.Lease, ttl time.Duration) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.holder(l)
	if err != nil {
		return "", err
	}
	s.expires, s.dueAt = d.clock.Now().Add(ttl), d.clock.Now().Add(ttl)
	return s.run.StopReason, nil
}

// Release implements driver.Driver.
func (d *Driver) Release(_ context.Context, l *driver.Lease, wakeAt time.Time, wakes []driver.Wake) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.holder(l)
	if err != nil {
		return err
	}
	s.owner, s.expires, s.dueAt = "", time.Time{}, d.clock.Now().Add(claim)
	if !wakeAt.IsZero() {
		s.run.Status, s.dueAt = driver.StatusSuspended, wakeAt
		if s.run.StopReason != "" || s.signalled {
			s.dueAt = d.clock.Now()
		}
	}
	d.wake(wakes, claim)
	return nil
}

// Get implements driver.Driver.
func (d *Driver) Get(_ context.Context, tenantID, runID string) (*driver.Run, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.runs[runID]
	if s == nil || s.run.TenantID != tenantID {
		return nil, errs.New(errs.NotFound, "")
	}
	r := d.view(s)
	return &r, nil
}

// Events implements driver.Driver.
func (d *Driver) Events(_ context.Context, tenantID, runID string, after int64) ([]workflow.Event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.runs[runID]
	if s == nil || s.run.TenantID != tenantID || after >= int64(len(s.events)) {
		return nil, nil
	}
	return append([]workflow.Event(nil), s.events[max(after, 0):]...), nil
}

// RequestStop implements driver.Driver.
func (d *Driver) RequestStop(_ context.Context, tenantID, runID, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.runs[runID]
	if s == nil || s.run.TenantID != tenantID {
		return errs.New(errs.NotFound, "")
	}
	if !s.run.Finished() {
		s.run.StopReason = reason
		if s.owner == "" {
			s.dueAt = d.clock.Now()
		}
	}
	return nil
}

// Signal implements driver.Driver.
func (d *Driver) Signal(_ context.Context, tenantID, runID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.runs[runID]
	if s == nil || s.run.TenantID != tenantID {
		return errs.New(errs.NotFound, "")
	}
	if !s.run.Finished() {
		s.signalled = true
		if s.owner == "" {
			s.dueAt = d.clock.Now()
		}
	}
	return nil
}

// OpenParts implements driver.Driver.
func (d *Driver) OpenParts(_ context.Context, tenantID string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, s := range d.runs {
		var spec struct{ Part json.RawMessage }
		if s.run.TenantID == tenantID && !s.run.Finished() && json.Unmarshal(s.run.Spec, &spec) == nil && spec.Part != nil {
			n++
		}
	}
	return n, nil
}

// Due implements driver.Driver.
func (d *Driver) Due(_ context.Context, limit int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Now()
	n := 0
	for _, s := range d.runs {
		if n == limit {
			break
		}
		if s.run.Finished() || s.dueAt.After(now) {
			continue
		}
		n++
		s.dueAt = now.Add(claim)
		if !d.waitsFor(s.run.ID) {
			d.wake([]driver.Wake{{ID: ids.New(), TenantID: s.run.TenantID, RunID: s.run.ID, Queue: s.run.Queue}}, 0)
		}
	}
	return n, nil
}

func (d *Driver) waitsFor(runID string) bool {
	for _, w := range d.outbox {
		if w.wake.RunID == runID {
			return true
		}
	}
	return false
}

// ExpireOwner implements driver.Driver.
func (d *Driver) ExpireOwner(_ context.Context, owner string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, now := 0, d.clock.Now()
	for i := range d.outbox {
		d.outbox[i].claimed = now // the owner may have been sending it
	}
	for _, s := range d.runs {
		switch {
		case s.run.Finished():
		case s.owner == owner:
			s.owner, s.expires, s.dueAt = "", time.Time{}, now
			n++
		case s.owner == "" && s.run.Status == driver.StatusRunning:
			s.dueAt = now // or have been about to pick it up
		}
	}
	return n, nil
}

// Pending implements driver.Driver.
func (d *Driver) Pending(_ context.Context, limit int) ([]driver.Wake, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []driver.Wake
	for i := range d.outbox {
		if w := &d.outbox[i]; len(out) < limit && !w.claimed.After(d.clock.Now()) {
			w.claimed = d.clock.Now().Add(claim)
			out = append(out, w.wake)
		}
	}
	return out, nil
}

// MarkRelayed implements driver.Driver.
func (d *Driver) MarkRelayed(_ context.Context, wakes []driver.Wake) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := map[string]bool{}
	for _, w := range wakes {
		gone[w.ID] = true
	}
	var rest []waiting
	for _, w := range d.outbox {
		if !gone[w.wake.ID] {
			rest = append(rest, w)
		}
	}
	d.outbox = rest
	return nil
}

// FirstDelivery implements driver.Driver.
func (d *Driver) FirstDelivery(_ context.Context, consumer, messageID string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := [2]string{consumer, messageID}
	seen := d.inbox[k]
	d.inbox[k] = true
	return !seen, nil
}
