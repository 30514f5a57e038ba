// Package runs is the Postgres driver of runstore. One commit of a run is one
// pipelined batch: the lease check, the journal row and the rows of the
// contract's tables go out together, the server treats everything up to the
// pipeline's end as one transaction, and one answer comes back. So a commit is
// one round trip and needs no session state; it works through a transaction
// pooler. What most commits consist of is a single call of a database function,
// whose statements the server plans once. First commits of concurrent runs are
// gathered into one such batch; see gather.go.
//
// Time is the database's, so workers with wrong clocks cannot steal leases.
// START HERE: Begin and Append; grid.go and commit.go have the two functions' arguments,
// rows.go what else a commit does to the contract's tables.
package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
)

// DB is what the driver needs of a connection pool; *pgxpool.Pool has it.
type DB interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Driver keeps runs in Postgres.
type Driver struct {
	db     DB
	begins gatherer[*beginning]
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver on a pool, which the caller closes.
func New(db DB) *Driver {
	d := &Driver{db: db}
	d.begins = gatherer[*beginning]{send: d.begin, weigh: (*beginning).size}
	return d
}

// claimSeconds is how long somebody who took a wake-up or a due run has before
// others may take it too.
const claimSeconds = 30

const (
	// The two statements that every run needs are functions of the database,
	// planned once for each server process; see the migration that makes them.
	sqlBegin = `SELECT millrace_begin_many_v2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

	sqlAppend = `SELECT millrace_append_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`

	// Usage, and the budgets that it counts against; see the migration as well.
	sqlMeter = `SELECT millrace_meter_v1($1, $2, $3, $4)`

	sqlAcquire = `UPDATE millrace_runs SET lease_owner = $3, lease_token = lease_token + 1, status = 'running',
 signalled = false, lease_expires_at = clock_timestamp() + make_interval(secs => $4), due_at = clock_timestamp() + make_interval(secs => $4)
WHERE id = $1 AND tenant_id = $2 AND finished_at IS NULL AND (lease_owner IS NULL OR lease_expires_at <= clock_timestamp())`

	sqlRenew = `UPDATE millrace_runs SET lease_expires_at = now() + make_interval(secs => $4), due_at = now() + make_interval(secs => $4)
WHERE id = $1 AND tenant_id = $2 AND lease_token = $3 AND lease_owner IS NOT NULL RETURNING stop_reason`

	sqlRelease = `WITH f AS (
 UPDATE millrace_runs SET lease_owner = NULL, lease_expires_at = NULL,
  status = CASE WHEN $4::timestamptz IS NULL THEN status ELSE 'suspended' END,
  due_at = CASE WHEN (signalled OR stop_reason <> '') AND $4::timestamptz IS NOT NULL THEN now() ELSE COALESCE($4::timestamptz, now() + make_interval(secs => $5)) END
 WHERE id = $1 AND tenant_id = $2 AND lease_token = $3 AND lease_owner IS NOT NULL RETURNING 1)
SELECT 1 / count(*) FROM f`

	sqlGet = `SELECT id, tenant_id, app_id, workflow_id, task_id, queue, spec, status, stop_reason, last_seq, lease_token, created_at,
 (lease_owner IS NOT NULL AND lease_expires_at > clock_timestamp()) FROM millrace_runs WHERE id = $1 AND tenant_id = $2`

	sqlEvents = `SELECT events FROM run_events WHERE run_id = $1 AND tenant_id = $2 AND last_seq > $3 ORDER BY seq`

	sqlStop = `UPDATE millrace_runs SET stop_reason = $3, due_at = CASE WHEN lease_owner IS NULL THEN now() ELSE due_at END
WHERE id = $1 AND tenant_id = $2 AND finished_at IS NULL`

	sqlWake = `INSERT INTO millrace_outbox (id, tenant_id, run_id, queue, attributes, claimed_until)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))`

	// The statements below are the scheduler's and serve all tenants.
	sqlDue = `WITH due AS (
 SELECT id, tenant_id, queue FROM millrace_runs WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED),
marked AS (UPDATE millrace_runs r SET due_at = now() + make_interval(secs => $2) FROM due WHERE r.id = due.id RETURNING r.id),
sent AS (INSERT INTO millrace_outbox (id, tenant_id, run_id, queue)
 SELECT gen_random_uuid(), tenant_id, id, queue FROM due WHERE NOT EXISTS (SELECT 1 FROM millrace_outbox o WHERE o.run_id = due.id))
SELECT count(*) FROM marked`

	// sqlExpire also ends the claims on wake-ups that are being sent and on runs
	// that are to be picked up: the dead process may have been at it. If another
	// one is, a run is woken up twice, which does no harm.
	sqlExpire = `WITH wakes AS (UPDATE millrace_outbox SET claimed_until = now() WHERE claimed_until > now()),
waiting AS (UPDATE millrace_runs SET due_at = now() WHERE due_at > now() AND lease_owner IS NULL AND status = 'running')
UPDATE millrace_runs SET lease_owner = NULL, lease_expires_at = NULL, due_at = now() WHERE lease_owner = $1 AND due_at IS NOT NULL`

	sqlPending = `UPDATE millrace_outbox SET claimed_until = now() + make_interval(secs => $2) WHERE id IN (
 SELECT id FROM millrace_outbox WHERE claimed_until <= now() ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id, tenant_id, run_id, queue, attributes`

	sqlRelayed = `DELETE FROM millrace_outbox WHERE id = ANY($1::uuid[])`

	sqlInbox = `INSERT INTO millrace_inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
)

// Begin implements driver.Driver.
func (d *Driver) Begin(ctx context.Context, run *driver.Run, owner string, ttl time.Duration, b *driver.Batch) (driver.Lease, error) {
	x, err := newBeginning(run, owner, ttl, b)
	if err != nil {
		return driver.Lease{}, err
	}
	l := x.lease
	err = d.begins.do(ctx, x)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23505" && strings.HasPrefix(pg.ConstraintName, "millrace_runs") {
		return l, errs.New(errs.Conflict, "The run exists already.")
	}
	return l, refused(err)
}

func (d *Driver) begin(ctx context.Context, list []*beginning) error {
	batch := &pgx.Batch{}
	if err := queueBegins(batch, list); err != nil {
		return err
	}
	return d.send(ctx, batch, reading{})
}

// Append implements driver.Driver.
func (d *Driver) Append(ctx context.Context, l *driver.Lease, ttl time.Duration, b *driver.Batch) (string, error) {
	batch := &pgx.Batch{}
	if err := queueAppend(batch, l, ttl, b); err != nil {
		return "", err
	}
	if err := queueWakes(batch, b.Wakes); err != nil {
		return "", err
	}
	metered, err := queueMeter(batch, l, b)
	if err != nil {
		return "", err
	}
	var stop string
	var over *string
	read := reading{first: func(res pgx.BatchResults) error { return res.QueryRow().Scan(&stop) }}
	if metered {
		read.last = func(res pgx.BatchResults) error { return res.QueryRow().Scan(&over) }
	}
	err = d.send(ctx, batch, read)
	if err == nil && stop == "" && over != nil {
		stop, err = stopReason(*over)
	}
	return stop, fenced(err)
}

// final reports whether a batch with that status ends the run.
func final(status string) bool {
	return status != "" && status != driver.StatusRunning && status != driver.StatusSuspended
}

// fenced recognises a lost lease: the function's own code, or the division by
// zero of sqlRelease.
func fenced(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "MR001" || pg.Code == "22012") {
		return errs.New(errs.LeaseLost, "")
	}
	return err
}

func queueWakes(batch *pgx.Batch, wakes []driver.Wake) error {
	for _, w := range wakes {
		var attrs *string
		if len(w.Attributes) > 0 {
			raw, err := json.Marshal(w.Attributes)
			if err != nil {
				return fmt.Errorf("encode attributes: %w", err)
			}
			text := string(raw)
			attrs = &text
		}
		batch.Queue(sqlWake, w.ID, w.TenantID, w.RunID, w.Queue, attrs, float64(claimSeconds))
	}
	return nil
}

// reading reads the first and the last answer of a batch, those that are set.
type reading struct{ first, last func(pgx.BatchResults) error }

// send runs a batch as one transaction.
func (d *Driver) send(ctx context.Context, batch *pgx.Batch, read reading) error {
	res := d.db.SendBatch(ctx, batch)
	n := batch.Len()
	var err error
	for i := 0; i < n && err == nil; i++ {
		switch {
		case i == 0 && read.first != nil:
			err = read.first(res)
		case i == n-1 && read.last != nil:
			err = read.last(res)
		default:
			_, err = res.Exec()
		}
	}
	// Close reports the end of the transaction; only then is it committed.
	return errors.Join(err, res.Close())
}

// Acquire implements driver.Driver.
func (d *Driver) Acquire(ctx context.Context, tenantID, runID, owner string, ttl time.Duration) (*driver.Granted, error) {
	batch := &pgx.Batch{}
	batch.Queue(sqlAcquire, runID, tenantID, owner, ttl.Seconds())
	batch.Queue(sqlGet, runID, tenantID)
	batch.Queue(sqlEvents, runID, tenantID, 0)
	var g driver.Granted
	got := false
	res := d.db.SendBatch(ctx, batch)
	err := func() error {
		tag, err := res.Exec()
		if err != nil {
			return err
		}
		got = tag.RowsAffected() == 1
		run, err := scanRun(res.QueryRow())
		if err != nil {
			return err
		}
		g.Run = *run
		rows, err := res.Query()
		if err != nil {
			return err
		}
		g.Events, err = scanEvents(rows)
		return err
	}()
	if err2 := res.Close(); err == nil {
		err = err2
	}
	switch {
	case err != nil:
		return nil, err
	case got:
		g.Lease = driver.Lease{TenantID: tenantID, RunID: runID, Owner: owner, Token: g.Run.Token, LastSeq: g.Run.LastSeq}
	case !g.Run.Finished():
		return nil, errs.New(errs.Conflict, "Another worker has the run.")
	}
	return &g, nil
}

func scanRun(row pgx.Row) (*driver.Run, error) {
	var r driver.Run
	var spec []byte
	err := row.Scan(&r.ID, &r.TenantID, &r.AppID, &r.WorkflowID, &r.TaskID, &r.Queue, &spec, &r.Status, &r.StopReason, &r.LastSeq, &r.Token, &r.CreatedAt, &r.Leased)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errs.New(errs.NotFound, "")
	}
	r.Spec = append([]byte(nil), spec...)
	return &r, err
}

func scanEvents(rows pgx.Rows) ([]workflow.Event, error) {
	defer rows.Close()
	var out []workflow.Event
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, err
		}
		events, err := workflow.DecodeEvents(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, events...)
	}
	return out, rows.Err()
}

// Renew implements driver.Driver.
func (d *Driver) Renew(ctx context.Context, l *driver.Lease, ttl time.Duration) (string, error) {
	rows, err := d.db.Query(ctx, sqlRenew, l.RunID, l.TenantID, l.Token, ttl.Seconds())
	if err != nil {
		return "", err
	}
	stop, err := pgx.CollectOneRow(rows, pgx.RowTo[string])
	if errors.Is(err, pgx.ErrNoRows) {
		return "", errs.New(errs.LeaseLost, "")
	}
	return stop, err
}

// Release implements driver.Driver.
func (d *Driver) Release(ctx context.Context, l *driver.Lease, wakeAt time.Time, wakes []driver.Wake) error {
	var at *time.Time
	if !wakeAt.IsZero() {
		at = &wakeAt
	}
	batch := &pgx.Batch{}
	batch.Queue(sqlRelease, l.RunID, l.TenantID, l.Token, at, float64(claimSeconds))
	if err := queueWakes(batch, wakes); err != nil {
		return err
	}
	return fenced(d.send(ctx, batch, reading{}))
}

// Get implements driver.Driver.
func (d *Driver) Get(ctx context.Context, tenantID, runID string) (*driver.Run, error) {
	rows, err := d.db.Query(ctx, sqlGet, runID, tenantID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, errs.New(errs.NotFound, "")
	}
	return scanRun(rows)
}

// Events implements driver.Driver.
func (d *Driver) Events(ctx context.Context, tenantID, runID string, after int64) ([]workflow.Event, error) {
	rows, err := d.db.Query(ctx, sqlEvents, runID, tenantID, after)
	if err != nil {
		return nil, err
	}
	events, err := scanEvents(rows)
	for len(events) > 0 && events[0].Seq <= after {
		events = events[1:] // a row holds a whole batch
	}
	return events, err
}

// RequestStop implements driver.Driver.
func (d *Driver) RequestStop(ctx context.Context, tenantID, runID, reason string) error {
	tag, err := d.db.Exec(ctx, sqlStop, runID, tenantID, reason)
	if err != nil || tag.RowsAffected() == 1 {
		return err
	}
	_, err = d.Get(ctx, tenantID, runID)
	return err
}

// Due implements driver.Driver.
func (d *Driver) Due(ctx context.Context, limit int) (int, error) {
	rows, err := d.db.Query(ctx, sqlDue, limit, float64(claimSeconds))
	if err != nil {
		return 0, err
	}
	return pgx.CollectOneRow(rows, pgx.RowTo[int])
}

// ExpireOwner implements driver.Driver.
func (d *Driver) ExpireOwner(ctx context.Context, owner string) (int, error) {
	tag, err := d.db.Exec(ctx, sqlExpire, owner)
	return int(tag.RowsAffected()), err
}

// Pending implements driver.Driver.
func (d *Driver) Pending(ctx context.Context, limit int) ([]driver.Wake, error) {
	rows, err := d.db.Query(ctx, sqlPending, limit, float64(claimSeconds))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (driver.Wake, error) {
		var w driver.Wake
		var attrs []byte
		if err := row.Scan(&w.ID, &w.TenantID, &w.RunID, &w.Queue, &attrs); err != nil {
			return w, err
		}
		if len(attrs) > 0 {
			if err := json.Unmarshal(attrs, &w.Attributes); err != nil {
				return w, fmt.Errorf("decode attributes: %w", err)
			}
		}
		return w, nil
	})
}

// MarkRelayed implements driver.Driver.
func (d *Driver) MarkRelayed(ctx context.Context, wakes []driver.Wake) error {
	list := make([]string, len(wakes))
	for i, w := range wakes {
		list[i] = w.ID
	}
	_, err := d.db.Exec(ctx, sqlRelayed, list)
	return err
}

// FirstDelivery implements driver.Driver.
func (d *Driver) FirstDelivery(ctx context.Context, consumer, messageID string) (bool, error) {
	tag, err := d.db.Exec(ctx, sqlInbox, consumer, messageID)
	return tag.RowsAffected() == 1, err
}

// clean removes NUL characters, escaped ones too, which Postgres cannot store.
func clean(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if !strings.Contains(s, `\u0000`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], `\u0000`):
			i += 6
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i += 2
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}
