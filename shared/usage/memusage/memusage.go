// Package memusage keeps usage and budgets in memory, for tests and for run
// stores in memory. It counts like the database does: under one lock, each try
// once.
package memusage

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/usage"
)

// Store is a usage.Store, and the meter of a memrunstore.
type Store struct {
	clock clock.Clock

	mu      sync.Mutex
	seen    map[try]bool
	rows    []row
	budgets []usage.Budget
}

type try struct {
	execution string
	attempt   int
}

type row struct {
	driver.UsageRow
	tenant, app string
}

var _ usage.Store = (*Store)(nil)

// New returns an empty store.
func New(c clock.Clock) *Store { return &Store{clock: c, seen: map[try]bool{}} }

// Record stores the usage of a run's commit.
func (s *Store) Record(tenantID, appID string, list []driver.UsageRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		k := try{list[i].ExecutionID, list[i].Attempt}
		if !s.seen[k] {
			s.seen[k] = true
			s.rows = append(s.rows, row{list[i], tenantID, appID})
		}
	}
}

// Exceeded returns the first budget by which an app may use no more, nil when
// there is none.
func (s *Store) Exceeded(tenantID, appID string) *usage.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.budgets {
		b := &s.budgets[i]
		if b.TenantID != tenantID || b.Action != usage.Stop || (b.AppID != "" && b.AppID != appID) {
			continue
		}
		if st := s.state(b, s.clock.Now()); st.Exceeded() {
			return &st
		}
	}
	return nil
}

func (s *Store) state(b *usage.Budget, now time.Time) usage.State {
	st := usage.State{Budget: *b, PeriodStart: usage.PeriodStart(b.Period, now)}
	price := llm.Decimal{}
	for i := range s.rows {
		r := &s.rows[i]
		if r.tenant != b.TenantID || (b.AppID != "" && r.app != b.AppID) || !usage.PeriodStart(b.Period, r.At).Equal(st.PeriodStart) {
			continue
		}
		st.SpentTokens += r.TotalTokens
		if r.Currency == b.Currency {
			price = price.Add(decimal(r.TotalPrice))
		}
	}
	st.SpentPrice = usage.Plain(price)
	return st
}

func decimal(s string) llm.Decimal {
	d, err := llm.ParseDecimal(s)
	if err != nil {
		return llm.Decimal{}
	}
	return d
}

type group struct{ key, provider, role, currency string }

// Sums implements usage.Store.
func (s *Store) Sums(_ context.Context, f usage.Filter) ([]usage.Sum, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sums, prices := map[group]*usage.Sum{}, map[group]llm.Decimal{}
	for i := range s.rows {
		r := &s.rows[i]
		if r.tenant != f.TenantID || (f.AppID != "" && r.app != f.AppID) || (f.RunID != "" && r.RunID != f.RunID) ||
			(!f.From.IsZero() && r.At.Before(f.From)) || (!f.To.IsZero() && !r.At.Before(f.To)) {
			continue
		}
		g := r.group(f.GroupBy)
		x := sums[g]
		if x == nil {
			x = &usage.Sum{Key: g.key, Provider: g.provider, Role: g.role, Currency: g.currency}
			sums[g] = x
		}
		x.Calls++
		x.PromptTokens += r.PromptTokens
		x.CompletionTokens += r.CompletionTokens
		x.TotalTokens += r.TotalTokens
		x.Latency += r.Latency
		prices[g] = prices[g].Add(decimal(r.TotalPrice))
	}
	out := make([]usage.Sum, 0, len(sums))
	for g, x := range sums {
		x.TotalPrice = usage.Plain(prices[g])
		out = append(out, *x)
	}
	usage.Sort(out)
	return out, nil
}

func (r *row) group(by string) group {
	g := group{currency: r.Currency}
	switch by {
	case usage.ByModel:
		g.key, g.provider = r.Model, r.Provider
	case usage.ByApp:
		g.key = r.app
	case usage.ByUser:
		if g.role = r.Role; r.By != nil {
			g.key = *r.By
		}
	case usage.ByDay:
		g.key = r.At.UTC().Format(time.DateOnly)
	case usage.ByNode:
		g.key = r.NodeID
	}
	return g
}

// Budgets implements usage.Store.
func (s *Store) Budgets(_ context.Context, tenantID, appID string, now time.Time) ([]usage.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []usage.State
	for i := range s.budgets {
		b := &s.budgets[i]
		if b.TenantID == tenantID && (appID == "" || b.AppID == "" || b.AppID == appID) {
			out = append(out, s.state(b, now))
		}
	}
	return out, nil
}

// Create implements usage.Store.
func (s *Store) Create(_ context.Context, b usage.Budget) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budgets = append(s.budgets, b)
	return nil
}

func (s *Store) index(tenantID, appID, id string) int {
	return slices.IndexFunc(s.budgets, func(b usage.Budget) bool { return b.TenantID == tenantID && b.AppID == appID && b.ID == id })
}

// Update implements usage.Store.
func (s *Store) Update(_ context.Context, b usage.Budget) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(b.TenantID, b.AppID, b.ID)
	if i < 0 {
		return errs.New(errs.NotFound, "Budget not found")
	}
	b.CreatedAt, b.CreatedBy = s.budgets[i].CreatedAt, s.budgets[i].CreatedBy
	s.budgets[i] = b
	return nil
}

// Delete implements usage.Store.
func (s *Store) Delete(_ context.Context, tenantID, appID, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(tenantID, appID, id)
	if i < 0 {
		return errs.New(errs.NotFound, "Budget not found")
	}
	s.budgets = slices.Delete(s.budgets, i, i+1)
	return nil
}
