// Package usage reads what runs used of models and keeps budgets, in tables of
// its own. The rows of usage are written by shared/postgres/runs, in the
// transactions of the runs.
package usage

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/usage"
)

// Store is a usage.Store.
type Store struct{ db postgres.DB }

var _ usage.Store = (*Store)(nil)

// New returns a store.
func New(db postgres.DB) *Store { return &Store{db} }

const (
	what = "Budget"

	// lock keeps the making of budgets apart from the commits of the workspace's
	// runs, which hold it shared; see millrace_meter_v1.
	lock = `SELECT pg_advisory_xact_lock(1836016242, hashtext($1::uuid::text))`

	insertBudget = `INSERT INTO millrace_budgets (id, tenant_id, app_id, period, tokens, price, currency, action, created_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, nullif($5::bigint, 0), $6::text::numeric, $7, $8, $9, $10, $10)`

	updateBudget = `UPDATE millrace_budgets SET period = $4, tokens = nullif($5::bigint, 0), price = $6::text::numeric, currency = $7, action = $8, updated_at = $9
		WHERE id = $1 AND tenant_id = $2 AND app_id IS NOT DISTINCT FROM $3`

	clearSpending = `DELETE FROM millrace_budget_spending WHERE budget_id = $1 AND tenant_id = $2`

	// Only the period that runs is counted; those before are over, and later ones
	// count from their beginning.
	sumSpending = `INSERT INTO millrace_budget_spending (budget_id, period_start, tenant_id, tokens, price)
		SELECT b.id, millrace_period_v1(b.period, now()), b.tenant_id, coalesce(sum(u.total_tokens), 0),
			coalesce(sum(u.total_price) FILTER (WHERE u.currency = b.currency), 0)
		FROM millrace_budgets b LEFT JOIN millrace_usage u ON u.tenant_id = b.tenant_id AND (b.app_id IS NULL OR u.app_id = b.app_id)
			AND millrace_period_v1(b.period, u.created_at) = millrace_period_v1(b.period, now()) AND u.created_at >= millrace_period_v1(b.period, now())
		WHERE b.id = $1 AND b.tenant_id = $2 GROUP BY b.id`

	selectBudgets = `SELECT b.id::text, b.tenant_id::text, coalesce(b.app_id::text, ''), b.period, coalesce(b.tokens, 0), coalesce(trim_scale(b.price)::text, ''),
			b.currency, b.action, b.created_by::text, b.created_at, b.updated_at, coalesce(s.tokens, 0), coalesce(trim_scale(s.price), 0)::text,
			millrace_period_v1(b.period, $3)
		FROM millrace_budgets b LEFT JOIN millrace_budget_spending s ON s.budget_id = b.id AND s.period_start = millrace_period_v1(b.period, $3)
		WHERE b.tenant_id = $1 AND ($2::uuid IS NULL OR b.app_id IS NULL OR b.app_id = $2) ORDER BY b.created_at, b.id`

	sums = `count(*), sum(prompt_tokens)::bigint, sum(completion_tokens)::bigint, sum(total_tokens)::bigint, trim_scale(sum(total_price))::text, sum(latency)
		FROM millrace_usage WHERE tenant_id = $1`
)

// groups are the columns key, provider and role of sums.
func groups(by string) (string, error) {
	switch by {
	case "":
		return `'', '', ''`, nil
	case usage.ByModel:
		return `model, provider, ''`, nil
	case usage.ByApp:
		return `app_id::text, '', ''`, nil
	case usage.ByUser:
		return `coalesce(by_id::text, ''), '', by_role`, nil
	case usage.ByDay:
		return `to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '', ''`, nil
	case usage.ByNode:
		return `node_id, '', ''`, nil
	}
	return "", errs.New(errs.InvalidParam, "unknown group")
}

// Sums implements usage.Store. The statement names only the conditions that are
// asked for, so that each has its index.
func (s *Store) Sums(ctx context.Context, f usage.Filter) ([]usage.Sum, error) {
	columns, err := groups(f.GroupBy)
	if err != nil {
		return nil, err
	}
	sql, args := `SELECT `+columns+`, currency, `+sums, []any{f.TenantID}
	where := func(condition string, v any) {
		args = append(args, v)
		sql += ` AND ` + condition + `$` + string(rune('0'+len(args)))
	}
	if f.AppID != "" {
		where(`app_id = `, f.AppID)
	}
	if f.RunID != "" {
		where(`run_id = `, f.RunID)
	}
	if !f.From.IsZero() {
		where(`created_at >= `, f.From)
	}
	if !f.To.IsZero() {
		where(`created_at < `, f.To)
	}
	rows, err := s.db.Query(ctx, sql+` GROUP BY 1, 2, 3, 4`, args...)
	if err != nil {
		return nil, postgres.Error(err, "Usage")
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (usage.Sum, error) {
		var x usage.Sum
		err := r.Scan(&x.Key, &x.Provider, &x.Role, &x.Currency, &x.Calls, &x.PromptTokens, &x.CompletionTokens, &x.TotalTokens, &x.TotalPrice, &x.Latency)
		return x, err
	})
	usage.Sort(list)
	return list, postgres.Error(err, "Usage")
}

// Budgets implements usage.Store.
func (s *Store) Budgets(ctx context.Context, tenantID, appID string, now time.Time) ([]usage.State, error) {
	rows, err := s.db.Query(ctx, selectBudgets, tenantID, postgres.Null(appID), now)
	if err != nil {
		return nil, postgres.Error(err, what)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (usage.State, error) {
		var x usage.State
		err := r.Scan(&x.ID, &x.TenantID, &x.AppID, &x.Period, &x.Tokens, &x.Price, &x.Currency, &x.Action, &x.CreatedBy, &x.CreatedAt, &x.UpdatedAt,
			&x.SpentTokens, &x.SpentPrice, &x.PeriodStart)
		x.CreatedAt, x.UpdatedAt, x.PeriodStart = x.CreatedAt.UTC(), x.UpdatedAt.UTC(), x.PeriodStart.UTC()
		return x, err
	})
	return list, postgres.Error(err, what)
}

// Create implements usage.Store.
func (s *Store) Create(ctx context.Context, b usage.Budget) error {
	return s.change(ctx, &b, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insertBudget, b.ID, b.TenantID, postgres.Null(b.AppID), b.Period, b.Tokens, postgres.Null(b.Price), b.Currency, b.Action,
			b.CreatedBy, b.CreatedAt)
		return err
	})
}

// Update implements usage.Store.
func (s *Store) Update(ctx context.Context, b usage.Budget) error {
	if !ids.Valid(b.ID) {
		return errs.New(errs.NotFound, "Budget not found")
	}
	return s.change(ctx, &b, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, updateBudget, b.ID, b.TenantID, postgres.Null(b.AppID), b.Period, b.Tokens, postgres.Null(b.Price), b.Currency, b.Action, b.UpdatedAt)
		return postgres.Affected(tag, err, what)
	})
}

// change stores a budget and counts what was used of it, while no run of the
// workspace commits usage.
func (s *Store) change(ctx context.Context, b *usage.Budget, do func(pgx.Tx) error) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, lock, b.TenantID)
		if err == nil {
			err = do(tx)
		}
		if err == nil {
			_, err = tx.Exec(ctx, clearSpending, b.ID, b.TenantID)
		}
		if err == nil {
			_, err = tx.Exec(ctx, sumSpending, b.ID, b.TenantID)
		}
		if coded := (*errs.Error)(nil); errors.As(err, &coded) {
			return err
		}
		return postgres.Error(err, what)
	})
}

// Delete implements usage.Store.
func (s *Store) Delete(ctx context.Context, tenantID, appID, id string) error {
	if !ids.Valid(id) {
		return errs.New(errs.NotFound, "Budget not found")
	}
	tag, err := s.db.Exec(ctx, `DELETE FROM millrace_budgets WHERE id = $1 AND tenant_id = $2 AND app_id IS NOT DISTINCT FROM $3`, id, tenantID, postgres.Null(appID))
	return postgres.Affected(tag, err, what)
}
