package runs

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
)

// beginning is the first commit of a run, ready to be sent.
type beginning struct {
	lease  driver.Lease
	run    *driver.Run
	row    driver.RunRow
	end    driver.RunEndRow
	log    driver.AppLogRow
	by     driver.Creator
	rows   *driver.Rows
	wakes  []driver.Wake
	status string
	ttl    time.Duration
	final  bool
	first  *int64
	events *string
	kind   *string
	ended  *time.Time
	ids    beginningIDs
	admit  bool // look at the budgets first
	batch  *driver.Batch
	nodes  []nodeCells
}

type beginningIDs struct{ run, tenant, app, workflow, task, rowWorkflow, by, log, logWorkflow pgtype.UUID }

// nodeCells is a new node execution with its ids read.
type nodeCells struct {
	driver.NodeRow
	id, workflow pgtype.UUID
}

func newBeginning(run *driver.Run, owner string, ttl time.Duration, b *driver.Batch) (*beginning, error) {
	x := &beginning{
		lease: driver.Lease{TenantID: run.TenantID, RunID: run.ID, Owner: owner, Token: 1}, run: run, rows: &b.Rows, wakes: b.Wakes,
		status: b.Status, ttl: ttl, final: final(b.Status), by: creator(&b.Rows), admit: b.CheckBudgets, batch: b,
	}
	if n := len(b.Events); n > 0 {
		x.lease.LastSeq = b.Events[n-1].Seq
	}
	if x.status == "" {
		x.status = driver.StatusRunning
	}
	var err error
	if x.first, x.events, err = journal(b.Events); err != nil {
		return nil, err
	}
	var read idReader
	x.ids = beginningIDs{
		run: read.id(run.ID), tenant: read.id(run.TenantID), app: read.id(run.AppID), workflow: read.id(run.WorkflowID), task: read.id(run.TaskID),
		by: read.optional(x.by.ID),
	}
	if r := b.Rows.Run; r != nil {
		x.row, x.kind, x.ids.rowWorkflow = *r, &r.Type, read.id(r.WorkflowID)
	}
	x.end.Status = x.row.Status
	if r := b.Rows.RunEnd; r != nil {
		x.end, x.ended = *r, utc(&r.FinishedAt)
	}
	if r := b.Rows.AppLog; r != nil {
		x.log, x.ids.log, x.ids.logWorkflow = *r, read.id(r.ID), read.id(r.WorkflowID)
	}
	x.nodes = make([]nodeCells, len(b.Rows.Nodes))
	for i, n := range b.Rows.Nodes {
		if n.Update {
			return nil, fmt.Errorf("run %s begins with the end of a node that it has not", run.ID)
		}
		x.nodes[i] = nodeCells{NodeRow: cleanNode(n), id: read.id(n.ID), workflow: read.id(n.WorkflowID)}
	}
	return x, read.err
}

// size is roughly what a commit sends, in bytes.
func (x *beginning) size() int {
	n := 1024 + len(x.run.Spec) + len(x.row.Graph) + len(x.row.Inputs)
	if x.events != nil {
		n += 2 * len(*x.events) // the node executions have the same texts
	}
	return n
}

// queueBegins adds the first commits of runs to a batch.
func queueBegins(batch *pgx.Batch, list []*beginning) error {
	batch.Queue(sqlBegin, beginArgs(list)...)
	for _, x := range list {
		queueRows(batch, &x.lease, x.rows)
		if err := queueWakes(batch, x.wakes); err != nil {
			return err
		}
	}
	for _, x := range list {
		if len(x.rows.Usage) == 0 { // hardly ever: a model is an effect, and a run begins before its first one
			continue
		}
		if _, err := queueMeter(batch, &x.lease, x.batch); err != nil {
			return err
		}
	}
	return nil
}

// cleanNode is a row with texts that the database takes and times in UTC.
func cleanNode(n driver.NodeRow) driver.NodeRow {
	n.Title = short(n.Title)
	n.CreatedAt = n.CreatedAt.UTC()
	n.Inputs, n.ProcessData, n.Outputs, n.Metadata, n.Error = cleaned(n.Inputs), cleaned(n.ProcessData), cleaned(n.Outputs), cleaned(n.Metadata), cleaned(n.Error)
	n.FinishedAt = utc(n.FinishedAt)
	return n
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// idReader reads uuids and keeps the first error.
type idReader struct{ err error }

func (r *idReader) id(s string) pgtype.UUID {
	u, err := uuid.Parse(s)
	if err != nil {
		if r.err == nil {
			r.err = fmt.Errorf("id %q: %w", s, err)
		}
		return pgtype.UUID{}
	}
	return pgtype.UUID{Bytes: u, Valid: true}
}

// optional is NULL for "".
func (r *idReader) optional(s string) pgtype.UUID {
	if s == "" {
		return pgtype.UUID{}
	}
	return r.id(s)
}

// queueAppend adds a later commit of a run to a batch.
func queueAppend(batch *pgx.Batch, l *driver.Lease, ttl time.Duration, b *driver.Batch) error {
	first, events, err := journal(b.Events)
	if err != nil {
		return err
	}
	nodes, ended, err := nodeRows(b.Rows.Nodes)
	if err != nil {
		return err
	}
	if b.Rows.Run != nil || b.Rows.AppLog != nil {
		return fmt.Errorf("run %s: a row of its first commit in a later one", l.RunID)
	}
	last := l.LastSeq
	if n := len(b.Events); n > 0 {
		last = b.Events[n-1].Seq
	}
	by := creator(&b.Rows)
	args := []any{
		l.RunID, l.TenantID, l.Token, l.LastSeq, last, b.Status, ttl.Seconds(), final(b.Status), first, events, nodes, ended, by.Role, orNull(by.ID),
	}
	if x := b.Rows.RunEnd; x != nil {
		args = append(args, x.Status, cleaned(x.Outputs), cleaned(x.Error), x.Elapsed, x.Tokens, x.Steps, x.Exceptions, x.FinishedAt)
	} else {
		args = append(args, nil, nil, nil, nil, nil, nil, nil, nil)
	}
	batch.Queue(sqlAppend, args...)
	queueRows(batch, l, &b.Rows)
	return nil
}

// journal returns the first number and the text of a journal row, nil when there
// is none.
func journal(events []workflow.Event) (first *int64, text *string, err error) {
	if len(events) == 0 {
		return nil, nil, nil
	}
	data, err := workflow.EncodeEvents(events)
	if err != nil {
		return nil, nil, err
	}
	s := clean(string(data))
	return &events[0].Seq, &s, nil
}

// nodeRows returns new executions and the ends of earlier ones as JSON, nil when
// there are none.
func nodeRows(list []driver.NodeRow) (fresh, ended *string, err error) {
	var a, b []driver.NodeRow
	for _, n := range list {
		n = cleanNode(n)
		if n.Update {
			b = append(b, n)
		} else {
			a = append(a, n)
		}
	}
	if fresh, err = rowsJSON(a); err != nil {
		return nil, nil, err
	}
	ended, err = rowsJSON(b)
	return fresh, ended, err
}

func rowsJSON(list []driver.NodeRow) (*string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode node executions: %w", err)
	}
	s := clean(string(raw))
	return &s, nil
}

// creator is who made the rows of a batch: all of them belong to one run, which
// has one creator.
func creator(r *driver.Rows) driver.Creator {
	switch {
	case r.Run != nil:
		return r.Run.CreatedBy
	case len(r.Nodes) > 0:
		return r.Nodes[0].CreatedBy
	case r.AppLog != nil:
		return r.AppLog.CreatedBy
	default:
		return driver.Creator{}
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
