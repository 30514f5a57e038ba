package runs

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const sqlParts = `SELECT count(*) FROM millrace_runs WHERE tenant_id = $1 AND finished_at IS NULL AND (spec -> 'part') IS NOT NULL`

// OpenParts implements driver.Driver.
func (d *Driver) OpenParts(ctx context.Context, tenantID string) (int, error) {
	rows, err := d.db.Query(ctx, sqlParts, tenantID)
	if err != nil {
		return 0, err
	}
	return pgx.CollectOneRow(rows, pgx.RowTo[int])
}
