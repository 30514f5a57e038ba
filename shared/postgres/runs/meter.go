package runs

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/usage"
)

// admitted are the tenants and apps of the runs that the database refuses when
// their budgets are used up. Among gathered ones it refuses all; they are then
// sent again one by one.
func admitted(list []*beginning) (tenants, apps *grid[pgtype.UUID]) {
	tenants, apps = newGrid[pgtype.UUID](len(list), 0), newGrid[pgtype.UUID](len(list), 0)
	for _, x := range list {
		if x.admit {
			tenants.add(x.ids.tenant)
			apps.add(x.ids.app)
		}
	}
	return tenants, apps
}

// queueMeter adds what a commit used and asks for the budgets. It comes last: it
// may wait for commits of other runs that count against the same budget, and
// holds them up until its own is through.
func queueMeter(batch *pgx.Batch, l *driver.Lease, b *driver.Batch) (queued bool, err error) {
	if len(b.Rows.Usage) == 0 && !b.CheckBudgets {
		return false, nil
	}
	var rows *string
	if len(b.Rows.Usage) > 0 {
		raw, err := json.Marshal(b.Rows.Usage)
		if err != nil {
			return false, fmt.Errorf("encode usage: %w", err)
		}
		text := clean(string(raw))
		rows = &text
	}
	batch.Queue(sqlMeter, l.RunID, l.TenantID, rows, b.CheckBudgets)
	return true, nil
}

// stopReason is what a run is told when a budget is used up.
func stopReason(data string) (string, error) {
	s, err := usage.Decode(data)
	if err != nil {
		return "", err
	}
	return s.StopReason(), nil
}

// refused recognises the refusal of sqlAdmit.
func refused(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "MR002" {
		return err
	}
	s, decode := usage.Decode(pg.Detail)
	if decode != nil {
		return errs.Wrap(errs.BudgetExceeded, decode, "")
	}
	return s.Err()
}
