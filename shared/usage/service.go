package usage

import (
	"context"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
)

// Service answers for usage and keeps budgets. It is safe for concurrent use.
type Service struct {
	store Store
	clock clock.Clock
}

// New returns a service.
func New(store Store, c clock.Clock) *Service { return &Service{store, c} }

// Sums adds usage up; see Filter.
func (s *Service) Sums(ctx context.Context, f Filter) ([]Sum, error) { return s.store.Sums(ctx, f) }

// Budgets lists the budgets that apply to an app, or with "" all of the
// workspace, each with what is spent of it now.
func (s *Service) Budgets(ctx context.Context, tenantID, appID string) ([]State, error) {
	return s.store.Budgets(ctx, tenantID, appID, s.now())
}

// Create makes a budget. What was used before in its period counts.
func (s *Service) Create(ctx context.Context, b Budget) (State, error) {
	if err := b.check(); err != nil {
		return State{}, err
	}
	b.ID, b.CreatedAt, b.UpdatedAt = ids.New(), s.now(), s.now()
	if err := s.store.Create(ctx, b); err != nil {
		return State{}, err
	}
	return s.find(ctx, &b)
}

// Update changes a budget.
func (s *Service) Update(ctx context.Context, b Budget) (State, error) {
	if err := b.check(); err != nil {
		return State{}, err
	}
	b.UpdatedAt = s.now()
	if err := s.store.Update(ctx, b); err != nil {
		return State{}, err
	}
	return s.find(ctx, &b)
}

// Delete takes a budget away.
func (s *Service) Delete(ctx context.Context, tenantID, appID, id string) error {
	return s.store.Delete(ctx, tenantID, appID, id)
}

func (s *Service) find(ctx context.Context, b *Budget) (State, error) {
	list, err := s.store.Budgets(ctx, b.TenantID, b.AppID, s.now())
	for i := range list {
		if list[i].ID == b.ID {
			return list[i], nil
		}
	}
	if err == nil {
		err = errs.New(errs.NotFound, "Budget not found")
	}
	return State{}, err
}

func (s *Service) now() time.Time { return s.clock.Now().UTC().Truncate(time.Microsecond) }

func (b *Budget) check() error {
	if b.Action == "" {
		b.Action = Stop
	}
	b.Currency = strings.ToUpper(b.Currency)
	if b.Currency == "" {
		b.Currency = "USD"
	}
	price, err := llm.ParseDecimal(b.Price)
	switch {
	case b.Period != Day && b.Period != Month && b.Period != Total:
		return errs.New(errs.InvalidParam, "period should be day, month or total")
	case b.Action != Stop && b.Action != Warn:
		return errs.New(errs.InvalidParam, "action should be stop or warn")
	case b.Tokens < 0:
		return errs.New(errs.InvalidParam, "tokens should be above 0")
	case b.Price != "" && (err != nil || len(b.Price) > 32 || strings.ContainsAny(b.Price, "eE") || price.IsZero() || strings.HasPrefix(b.Price, "-")):
		return errs.New(errs.InvalidParam, "price should be a decimal number above 0, as a text")
	case b.Tokens == 0 && b.Price == "":
		return errs.New(errs.InvalidParam, "A budget needs a limit: tokens, price or both.")
	case len(b.Currency) != 3:
		return errs.New(errs.InvalidParam, "currency should be three letters")
	}
	if b.Price != "" {
		b.Price = Plain(price)
	}
	return nil
}
