// Package usage is metering: what runs used of models, summed by app, user,
// model and day, and budgets that stop runs when a limit is reached.
//
// Usage is not counted here. It is stored by the run store in the transaction
// that makes a node's end durable (see driver.UsageRow), and the same
// transaction counts it against the budgets; this package names the things,
// keeps the budgets and asks for sums. docs/metering.md tells the whole story.
// Implementations of Store: memusage and shared/postgres/usage.
//
// START HERE: Service, and Explain for what a stopped run says.
package usage

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/llm"
)

// Periods of budgets. They begin at midnight UTC.
const (
	Day   = "day"
	Month = "month"
	Total = "total"
)

// What happens when a budget is used up.
const (
	Stop = "stop" // runs are stopped before their next call of a model, new ones refused
	Warn = "warn" // it is shown
)

// Budget limits what an app or a workspace may use in a period.
type Budget struct {
	ID       string `json:"id"`
	TenantID string `json:"-"`
	AppID    string `json:"app_id"` // "": the whole workspace
	Period   string `json:"period"`
	// Tokens and Price are the limits; 0 and "" set none. Price counts what was
	// paid in Currency.
	Tokens    int64     `json:"tokens"`
	Price     string    `json:"price"` // decimal
	Currency  string    `json:"currency"`
	Action    string    `json:"-"`
	CreatedBy string    `json:"-"`
	CreatedAt time.Time `json:"-"`
	UpdatedAt time.Time `json:"-"`
}

// State is a budget with what was spent of it in one of its periods.
type State struct {
	Budget
	SpentTokens int64     `json:"spent_tokens"`
	SpentPrice  string    `json:"spent_price"` // decimal
	PeriodStart time.Time `json:"period_start"`
}

// PeriodStart is when the period began that a moment lies in.
func PeriodStart(period string, at time.Time) time.Time {
	at = at.UTC()
	switch period {
	case Day:
		return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	case Month:
		return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Unix(0, 0).UTC()
}

// ResetsAt is when the budget begins anew; zero when it never does.
func (s *State) ResetsAt() time.Time {
	switch s.Period {
	case Day:
		return s.PeriodStart.AddDate(0, 0, 1)
	case Month:
		return s.PeriodStart.AddDate(0, 1, 0)
	}
	return time.Time{}
}

// Exceeded reports whether a limit is reached.
func (s *State) Exceeded() bool {
	if s.Tokens > 0 && s.SpentTokens >= s.Tokens {
		return true
	}
	limit, err := llm.ParseDecimal(s.Price)
	spent, err2 := llm.ParseDecimal(s.SpentPrice)
	return s.Price != "" && err == nil && err2 == nil && !Less(spent, limit)
}

// Less reports whether a is below b.
func Less(a, b llm.Decimal) bool {
	diff := a.Add(b.Mul(llm.MustDecimal("-1")))
	return strings.HasPrefix(diff.String(), "-")
}

// Plain writes a price without exponent and without zeros at its end.
func Plain(d llm.Decimal) string {
	r, ok := new(big.Rat).SetString(d.String())
	if !ok {
		return d.String()
	}
	digits, _ := r.FloatPrec()
	return r.FloatString(digits)
}

// Text says which budget is used up, its limit, and when it begins anew.
func (s *State) Text() string {
	whose, length := "workspace", "total"
	if s.AppID != "" {
		whose = "app"
	}
	switch s.Period {
	case Day:
		length = "daily"
	case Month:
		length = "monthly"
	}
	var limits []string
	if s.Tokens > 0 {
		limits = append(limits, fmt.Sprintf("%d of %d tokens", s.SpentTokens, s.Tokens))
	}
	if s.Price != "" {
		limits = append(limits, fmt.Sprintf("%s of %s %s", s.SpentPrice, s.Price, s.Currency))
	}
	reset := "it does not reset"
	if at := s.ResetsAt(); !at.IsZero() {
		reset = "it resets at " + at.Format(time.RFC3339)
	}
	return fmt.Sprintf("The %s budget %s of the %s is used up: %s; %s.", length, s.ID, whose, strings.Join(limits, " and "), reset)
}

// Err is the error of a run that is refused.
func (s *State) Err() error { return errs.New(errs.BudgetExceeded, s.Text()) }

// Decode reads a used-up budget as run stores note it.
func Decode(data string) (*State, error) {
	s := &State{}
	if err := json.Unmarshal([]byte(data), s); err != nil {
		return nil, fmt.Errorf("usage: decode budget: %w", err)
	}
	return s, nil
}

// stopPrefix begins the reason for which a run is stopped by its budget; a State
// as JSON follows. Package migrations has it too.
const stopPrefix = string(errs.BudgetExceeded) + " "

// StopReason is what is stored with a run that has to stop for a budget.
func (s *State) StopReason() string {
	raw, err := json.Marshal(s)
	if err != nil { // no value of the type can fail
		return stopPrefix + "{}"
	}
	return stopPrefix + string(raw)
}

// Explain gives the reason for which a run is stopped the form that people see;
// reasons that are not a budget's stay as they are.
func Explain(reason string) string {
	data, ok := strings.CutPrefix(reason, stopPrefix)
	if !ok {
		return reason
	}
	s, err := Decode(data)
	if err != nil {
		return reason
	}
	return string(errs.BudgetExceeded) + ": " + s.Text()
}

// What sums can be made by.
const (
	ByModel = "model"
	ByApp   = "app"
	ByUser  = "user"
	ByDay   = "day"
	ByNode  = "node"
)

// Groups lists what sums can be made by.
func Groups() []string { return []string{ByModel, ByApp, ByUser, ByDay, ByNode} }

// Filter says what to sum up. TenantID is required.
type Filter struct {
	TenantID string
	AppID    string
	RunID    string
	From, To time.Time // zero: open; To is not included
	// GroupBy is "" for one sum for each currency.
	GroupBy string
}

// Sum is the usage of a group in one currency.
type Sum struct {
	Key      string // the group: an id, a day, a node; "" without groups
	Provider string // of ByModel, whose Key is the model
	Role     string // of ByUser: account or end_user
	Currency string

	Calls            int64
	PromptTokens     int64
	CompletionTokens int64
	TotalTokens      int64
	TotalPrice       string // decimal
	Latency          float64
}

// Add adds the numbers of a sum of the same currency.
func (s *Sum) Add(o *Sum) {
	s.Calls += o.Calls
	s.PromptTokens += o.PromptTokens
	s.CompletionTokens += o.CompletionTokens
	s.TotalTokens += o.TotalTokens
	s.Latency += o.Latency
	a, err := llm.ParseDecimal(s.TotalPrice)
	b, err2 := llm.ParseDecimal(o.TotalPrice)
	if err == nil && err2 == nil {
		s.TotalPrice = Plain(a.Add(b))
	}
}

// Sort orders sums by their group.
func Sort(list []Sum) {
	slices.SortFunc(list, func(a, b Sum) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Role, b.Role), cmp.Compare(a.Currency, b.Currency))
	})
}

// Store keeps budgets and answers for sums. A budget that the tenant does not
// have is errs.NotFound.
type Store interface {
	Sums(ctx context.Context, f Filter) ([]Sum, error)
	// Budgets lists the budgets that apply to an app: its own and the
	// workspace's; with appID "" all of the workspace.
	Budgets(ctx context.Context, tenantID, appID string, now time.Time) ([]State, error)
	// Create stores a budget that begins with what was used before in its period.
	Create(ctx context.Context, b Budget) error
	// Update changes limits, period and action, and counts anew.
	Update(ctx context.Context, b Budget) error
	Delete(ctx context.Context, tenantID, appID, id string) error
}
