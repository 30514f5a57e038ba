package runs

import "context"

const sqlSignal = `UPDATE millrace_runs SET signalled = true, due_at = CASE WHEN lease_owner IS NULL THEN now() ELSE due_at END
WHERE id = $1 AND tenant_id = $2 AND finished_at IS NULL`

// Signal implements driver.Driver.
func (d *Driver) Signal(ctx context.Context, tenantID, runID string) error {
	tag, err := d.db.Exec(ctx, sqlSignal, runID, tenantID)
	if err != nil || tag.RowsAffected() == 1 {
		return err
	}
	_, err = d.Get(ctx, tenantID, runID)
	return err
}
