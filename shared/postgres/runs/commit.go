package runs

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/workflow"
)

// queueBegin adds the first commit of a run to a batch.
func queueBegin(batch *pgx.Batch, run *driver.Run, l *driver.Lease, status, owner string, ttl time.Duration, fin bool, b *driver.Batch) error {
	first, events, err := journal(b.Events)
	if err != nil {
		return err
	}
	nodes, ended, err := nodeRows(b.Rows.Nodes)
	if err != nil {
		return err
	}
	if ended != nil {
		return fmt.Errorf("run %s begins with the end of a node that it has not", run.ID)
	}
	r, by := &b.Rows, creator(&b.Rows)
	args := []any{
		run.ID, run.TenantID, run.AppID, run.WorkflowID, run.TaskID, run.Queue, clean(string(run.Spec)), status, l.LastSeq,
		owner, ttl.Seconds(), fin, first, events,
	}
	var row driver.RunRow
	var kind, rowWorkflow *string
	if r.Run != nil {
		row = *r.Run
		kind, rowWorkflow = &row.Type, &row.WorkflowID
	}
	end, finished := driver.RunEndRow{Status: row.Status}, (*time.Time)(nil)
	if r.RunEnd != nil {
		end, finished = *r.RunEnd, &r.RunEnd.FinishedAt
	}
	args = append(args, kind, rowWorkflow, row.TriggeredFrom, row.Version, clean(row.Graph), clean(row.Inputs), end.Status,
		cleaned(end.Outputs), cleaned(end.Error), end.Elapsed, end.Tokens, end.Steps, end.Exceptions,
		by.Role, orNull(by.ID), row.CreatedAt, finished, nodes)
	if x := r.AppLog; x != nil {
		args = append(args, x.ID, x.WorkflowID, x.CreatedFrom, x.CreatedAt)
	} else {
		args = append(args, nil, nil, nil, nil)
	}
	batch.Queue(sqlBegin, args...)
	queueRows(batch, l, r)
	return nil
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
		n.Title = short(n.Title)
		n.CreatedAt = n.CreatedAt.UTC()
		n.Inputs, n.ProcessData, n.Outputs, n.Metadata, n.Error = cleaned(n.Inputs), cleaned(n.ProcessData), cleaned(n.Outputs), cleaned(n.Metadata), cleaned(n.Error)
		if n.FinishedAt != nil {
			at := n.FinishedAt.UTC()
			n.FinishedAt = &at
		}
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
