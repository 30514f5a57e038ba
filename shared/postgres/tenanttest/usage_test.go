//go:build unix

package tenanttest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/usage"
)

// addUsage has the run use a model, and gives the app a budget that is far from
// used up.
func (s stores) addUsage(t *testing.T, h *house) {
	t.Helper()
	ctx := t.Context()
	h.budget = usage.Budget{ID: ids.New(), TenantID: h.tenant, AppID: h.app, Period: usage.Total, Tokens: 1 << 40, Currency: "USD", Action: usage.Stop,
		CreatedBy: h.account, CreatedAt: at(1), UpdatedAt: at(1)}
	require.NoError(t, s.usage.Create(ctx, h.budget))
	_, err := s.runs.Append(ctx, &h.lease, &runstore.Batch{CheckBudgets: true, Rows: runstore.Rows{Usage: []driver.UsageRow{{ExecutionID: ids.New(), RunID: h.run, NodeID: "n",
		Role: "end_user", By: &h.user, Provider: prov, Model: "m", PromptTokens: 1, CompletionTokens: 1, TotalTokens: 2, TotalPrice: "0.1", Currency: "USD", At: at(1)}}}})
	require.NoError(t, err)
}

func (s stores) usageCalls(h *house) []call {
	changed := h.budget
	changed.Tokens++
	return []call{
		{"usage.Sums", isApp, func(ctx context.Context, p place) (bool, error) {
			return some(s.usage.Sums(ctx, usage.Filter{TenantID: p.tenant, AppID: p.app}))
		}, ""},
		{"usage.Sums of a run", inTenant, func(ctx context.Context, p place) (bool, error) {
			return some(s.usage.Sums(ctx, usage.Filter{TenantID: p.tenant, RunID: h.run}))
		}, ""},
		{"usage.Budgets", isApp, func(ctx context.Context, p place) (bool, error) {
			l, err := s.usage.Budgets(ctx, p.tenant, p.app, at(9))
			for i := range l {
				if l[i].ID == h.budget.ID {
					return true, err
				}
			}
			return false, err
		}, ""},
		{"usage.Update", inApp, func(ctx context.Context, p place) (bool, error) {
			b := changed
			b.TenantID, b.AppID = p.tenant, p.app
			return did(s.usage.Update(ctx, b))
		}, ""},
		{"usage.Delete", inApp, func(ctx context.Context, p place) (bool, error) {
			return did(s.usage.Delete(ctx, p.tenant, p.app, h.budget.ID))
		}, ""},
	}
}
