// Package usagetest is the suite that every usage store passes, together with
// the run store that writes usage for it. It is for tests only.
package usagetest

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/usage"
	"github.com/millrace/millrace/shared/workflow"
)

// Run tests a store. Tests share it; each has workspaces of its own. now is
// what the stores take for the present.
func Run(t *testing.T, runs driver.Driver, store usage.Store, now time.Time) {
	s := suite{runstore.New(runs, time.Hour), store, now.UTC().Truncate(time.Microsecond)}
	for name, test := range map[string]func(*testing.T, suite){
		"sums": testSums, "once": testOnce, "periods": testPeriods, "stop": testStop, "refuse": testRefuse, "price": testPrice, "warn": testWarn,
		"change": testChange, "tenant": testTenant, "concurrent": testConcurrent, "made meanwhile": testMadeMeanwhile, "end": testEnd,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

type suite struct {
	runs  *runstore.Store
	store usage.Store
	now   time.Time
}

// flow is a run that goes on.
type flow struct {
	s     suite
	run   *runstore.Run
	lease runstore.Lease
}

func (s suite) begin(t *testing.T, tenant, app string) (*flow, error) {
	t.Helper()
	r := &runstore.Run{ID: ids.New(), TenantID: tenant, AppID: app, WorkflowID: ids.New(), TaskID: ids.New(), Queue: "q", Spec: json.RawMessage(`{}`)}
	l, err := s.runs.Begin(t.Context(), r, "o", &runstore.Batch{CheckBudgets: true, Events: []workflow.Event{{Seq: 1, Token: 1, At: s.now, Type: workflow.EventRunStarted}}})
	return &flow{s, r, l}, err
}

func (s suite) flow(t *testing.T, tenant, app string) *flow {
	t.Helper()
	f, err := s.begin(t, tenant, app)
	require.NoError(t, err)
	return f
}

func (f *flow) row(tokens int64) driver.UsageRow {
	user := "44444444-4444-4444-8444-444444444444"
	return driver.UsageRow{ExecutionID: ids.New(), RunID: f.run.ID, NodeID: "n", Role: "end_user", By: &user, Provider: "p", Model: "m", PromptTokens: tokens - 1,
		CompletionTokens: 1, TotalTokens: tokens, TotalPrice: "0.25", Currency: "USD", Latency: 0.5, At: f.s.now}
}

// use commits usage; check says that a call of a model follows.
func (f *flow) use(t *testing.T, check bool, rows ...driver.UsageRow) string {
	t.Helper()
	stop, err := f.s.runs.Append(t.Context(), &f.lease, &runstore.Batch{CheckBudgets: check, Rows: runstore.Rows{Usage: rows},
		Events: []workflow.Event{{Seq: f.lease.LastSeq + 1, Token: f.lease.Token, At: f.s.now, Type: workflow.EventRunPaused, Paused: &workflow.RunPaused{}}}})
	require.NoError(t, err)
	return stop
}

func (s suite) budget(t *testing.T, tenant, app string, change func(*usage.Budget)) usage.Budget {
	t.Helper()
	b := usage.Budget{ID: ids.New(), TenantID: tenant, AppID: app, Period: usage.Day, Tokens: 100, Currency: "USD", Action: usage.Stop, CreatedBy: ids.New(),
		CreatedAt: s.now, UpdatedAt: s.now}
	if change != nil {
		change(&b)
	}
	require.NoError(t, s.store.Create(t.Context(), b))
	return b
}

func (s suite) state(t *testing.T, b *usage.Budget) usage.State {
	t.Helper()
	list, err := s.store.Budgets(t.Context(), b.TenantID, b.AppID, s.now)
	require.NoError(t, err)
	for i := range list {
		if list[i].ID == b.ID {
			return list[i]
		}
	}
	t.Fatal("the budget is gone")
	return usage.State{}
}

func testSums(t *testing.T, s suite) {
	tenant, app, other := ids.New(), ids.New(), ids.New()
	f, g := s.flow(t, tenant, app), s.flow(t, tenant, other)
	day := time.Date(2026, 3, 4, 23, 30, 0, 0, time.UTC)
	a, b, c := f.row(10), f.row(20), g.row(40)
	a.At, b.At, c.At = day, day.Add(time.Hour), day
	b.Model, b.Currency, b.TotalPrice = "z", "EUR", "0.0000001"
	b.NodeID, b.By, b.Role = "other", nil, "account"
	f.use(t, false, a, b)
	g.use(t, false, c)
	sum := func(key string, calls, tokens int64, price, currency string) usage.Sum {
		return usage.Sum{Key: key, Calls: calls, PromptTokens: tokens - calls, CompletionTokens: calls, TotalTokens: tokens, TotalPrice: price, Currency: currency, Latency: 0.5 * float64(calls)}
	}
	with := func(x usage.Sum, provider, role string) usage.Sum {
		x.Provider, x.Role = provider, role
		return x
	}
	for name, c := range map[string]struct {
		f    usage.Filter
		want []usage.Sum
	}{
		"all":   {usage.Filter{}, []usage.Sum{sum("", 1, 20, "0.0000001", "EUR"), sum("", 2, 50, "0.5", "USD")}},
		"app":   {usage.Filter{AppID: other}, []usage.Sum{sum("", 1, 40, "0.25", "USD")}},
		"run":   {usage.Filter{RunID: f.run.ID, GroupBy: usage.ByNode}, []usage.Sum{sum("n", 1, 10, "0.25", "USD"), sum("other", 1, 20, "0.0000001", "EUR")}},
		"model": {usage.Filter{GroupBy: usage.ByModel}, []usage.Sum{with(sum("m", 2, 50, "0.5", "USD"), "p", ""), with(sum("z", 1, 20, "0.0000001", "EUR"), "p", "")}},
		"day":   {usage.Filter{GroupBy: usage.ByDay}, []usage.Sum{sum("2026-03-04", 2, 50, "0.5", "USD"), sum("2026-03-05", 1, 20, "0.0000001", "EUR")}},
		"user": {usage.Filter{AppID: app, GroupBy: usage.ByUser}, []usage.Sum{with(sum("", 1, 20, "0.0000001", "EUR"), "", "account"),
			with(sum(*a.By, 1, 10, "0.25", "USD"), "", "end_user")}},
		"by app":  {usage.Filter{GroupBy: usage.ByApp, To: day.Add(time.Hour), From: day}, nil},
		"nothing": {usage.Filter{From: day.Add(2 * time.Hour)}, []usage.Sum{}},
		"until":   {usage.Filter{AppID: app, To: b.At}, []usage.Sum{sum("", 1, 10, "0.25", "USD")}},
		"from":    {usage.Filter{AppID: app, From: b.At}, []usage.Sum{sum("", 1, 20, "0.0000001", "EUR")}},
	} {
		c.f.TenantID = tenant
		got, err := s.store.Sums(t.Context(), c.f)
		require.NoError(t, err, name)
		if name == "by app" {
			require.Len(t, got, 2)
			require.ElementsMatch(t, []string{app, other}, []string{got[0].Key, got[1].Key})
			continue
		}
		require.Len(t, got, len(c.want), name)
		if len(c.want) > 0 {
			require.Equal(t, c.want, got, name)
		}
	}
}

// The same try counts once, in the sums and in the budget, whoever writes it.
func testOnce(t *testing.T, s suite) {
	tenant, app := ids.New(), ids.New()
	b := s.budget(t, tenant, app, nil)
	f := s.flow(t, tenant, app)
	r := f.row(10)
	again := r
	again.Attempt = 1
	f.use(t, false, r)
	f.use(t, false, r, again)
	require.EqualValues(t, 20, s.state(t, &b).SpentTokens)
	got, err := s.store.Sums(t.Context(), usage.Filter{TenantID: tenant})
	require.NoError(t, err)
	require.EqualValues(t, 2, got[0].Calls)
}

func testPeriods(t *testing.T, s suite) {
	tenant, app := ids.New(), ids.New()
	f := s.flow(t, tenant, app)
	today, month, long := f.row(1), f.row(2), f.row(4)
	month.At = usage.PeriodStart(usage.Month, s.now)
	long.At = s.now.AddDate(-1, 0, 0)
	f.use(t, false, today, month, long)
	want := map[string]int64{usage.Day: 1, usage.Month: 3, usage.Total: 7}
	if month.At.Equal(usage.PeriodStart(usage.Day, s.now)) {
		want[usage.Day] = 3
	}
	made := map[string]usage.Budget{}
	for period, tokens := range want {
		b := s.budget(t, tenant, app, func(b *usage.Budget) { b.Period = period })
		made[period] = b
		st := s.state(t, &b)
		require.Equal(t, tokens, st.SpentTokens, "what was used before counts: %s", period)
		require.Equal(t, usage.PeriodStart(period, s.now), st.PeriodStart)
	}
	late := f.row(8)
	late.At = long.At
	f.use(t, false, late, f.row(16))
	for period, b := range made {
		add := int64(16)
		if period == usage.Total {
			add = 24
		}
		require.Equal(t, want[period]+add, s.state(t, &b).SpentTokens, period)
	}
}

// A run is told to stop by the commit before its next call, and whoever has it
// later is told too.
func testStop(t *testing.T, s suite) {
	tenant, app := ids.New(), ids.New()
	b := s.budget(t, tenant, app, nil)
	f := s.flow(t, tenant, app)
	require.Empty(t, f.use(t, true, f.row(99)))
	require.Empty(t, f.use(t, false, f.row(5)), "nothing has to stop when no call follows")
	reason := f.use(t, true)
	require.Contains(t, usage.Explain(reason), "budget_exceeded: The daily budget "+b.ID+" of the app is used up: 104 of 100 tokens; it resets at ")
	require.NoError(t, s.runs.Release(t.Context(), &f.lease, time.Time{}))
	g, err := s.runs.Acquire(t.Context(), tenant, f.run.ID, "heir")
	require.NoError(t, err)
	require.Equal(t, usage.Explain(reason), usage.Explain(g.Run.StopReason))
	other := s.flow(t, tenant, ids.New())
	require.Empty(t, other.use(t, true, other.row(999)), "another app's budget")
}

func testRefuse(t *testing.T, s suite) {
	tenant, app := ids.New(), ids.New()
	f := s.flow(t, tenant, app)
	f.use(t, false, f.row(60), f.row(40))
	b := s.budget(t, tenant, "", nil)
	_, err := s.begin(t, tenant, app)
	require.True(t, errs.Is(err, errs.BudgetExceeded), "%v", err)
	require.Contains(t, errs.Public(err).Message, b.ID+" of the workspace is used up: 100 of 100 tokens")
	_, err = s.begin(t, ids.New(), app)
	require.NoError(t, err)
	b.Tokens = 101
	require.NoError(t, s.store.Update(t.Context(), b))
	_, err = s.begin(t, tenant, app)
	require.NoError(t, err)
}

func testPrice(t *testing.T, s suite) {
	tenant, app := ids.New(), ids.New()
	b := s.budget(t, tenant, app, func(b *usage.Budget) { b.Tokens, b.Price = 0, "0.5" })
	f := s.flow(t, tenant, app)
	foreign := f.row(1000)
	foreign.Currency, foreign.TotalPrice = "EUR", "9"
	require.Empty(t, f.use(t, true, f.row(1), foreign))
	st := s.state(t, &b)
	require.Equal(t, "0.25", st.SpentPrice)
	require.False(t, st.Exceeded())
	require.Contains(t, usage.Explain(f.use(t, true, f.row(1))), "0.5 of 0.5 USD")
	st = s.state(t, &b)
	require.True(t, st.Exceeded())
}

func testWarn(t *testing.T, s suite) {
	tenant, app := ids.New(), ids.New()
	b := s.budget(t, tenant, app, func(b *usage.Budget) { b.Action = usage.Warn })
	f := s.flow(t, tenant, app)
	require.Empty(t, f.use(t, true, f.row(1000)))
	st := s.state(t, &b)
	require.True(t, st.Exceeded())
	_, err := s.begin(t, tenant, app)
	require.NoError(t, err)
}

func testChange(t *testing.T, s suite) {
	tenant, app := ids.New(), ids.New()
	b := s.budget(t, tenant, app, nil)
	f := s.flow(t, tenant, app)
	f.use(t, false, f.row(7))
	changed := b
	changed.Period, changed.Tokens, changed.Price, changed.Action = usage.Total, 0, "3", usage.Warn
	changed.UpdatedAt = s.now.Add(time.Second)
	require.NoError(t, s.store.Update(t.Context(), changed))
	st := s.state(t, &b)
	require.Equal(t, usage.State{Budget: changed, SpentTokens: 7, SpentPrice: "0.25", PeriodStart: time.Unix(0, 0).UTC()}, st)
	require.NoError(t, s.store.Delete(t.Context(), tenant, app, b.ID))
	require.True(t, errs.Is(s.store.Delete(t.Context(), tenant, app, b.ID), errs.NotFound))
	require.True(t, errs.Is(s.store.Update(t.Context(), b), errs.NotFound))
	f.use(t, true, f.row(1))
}

func testTenant(t *testing.T, s suite) {
	tenant, app, thief := ids.New(), ids.New(), ids.New()
	b := s.budget(t, tenant, app, nil)
	f := s.flow(t, tenant, app)
	f.use(t, false, f.row(7))
	for _, at := range [][2]string{{thief, app}, {tenant, thief}, {tenant, ""}} {
		x := b
		x.TenantID, x.AppID = at[0], at[1]
		require.True(t, errs.Is(s.store.Update(t.Context(), x), errs.NotFound))
		require.True(t, errs.Is(s.store.Delete(t.Context(), at[0], at[1], b.ID), errs.NotFound))
	}
	list, err := s.store.Budgets(t.Context(), thief, app, s.now)
	require.NoError(t, err)
	require.Empty(t, list)
	sums, err := s.store.Sums(t.Context(), usage.Filter{TenantID: thief, AppID: app, RunID: f.run.ID})
	require.NoError(t, err)
	require.Empty(t, sums)
}

// Fifty runs at once call until they are stopped: what is used beyond the limit
// is at most what was under way when it was reached.
func testConcurrent(t *testing.T, s suite) {
	const flows, limit = 50, 300
	tenant, app := ids.New(), ids.New()
	app2 := ids.New()
	b := s.budget(t, tenant, app, func(b *usage.Budget) { b.Tokens = limit })
	whole := s.budget(t, tenant, "", func(b *usage.Budget) { b.Tokens, b.Period = 10*limit, usage.Month })
	all := make([]*flow, flows)
	for i := range all {
		all[i] = s.flow(t, tenant, []string{app, app2}[i%2])
	}
	var calls, others atomic.Int64
	var wg sync.WaitGroup
	for i, f := range all {
		wg.Add(1)
		go func() {
			defer wg.Done()
			stop, err := "", error(nil)
			var used []driver.UsageRow
			for n := 0; n < 20 || i%2 == 0; n++ {
				stop, err = s.runs.Append(t.Context(), &f.lease, &runstore.Batch{CheckBudgets: true, Rows: runstore.Rows{Usage: used}})
				if err != nil || stop != "" {
					break
				}
				if used = []driver.UsageRow{f.row(2)}; i%2 == 0 {
					calls.Add(1)
				} else {
					others.Add(1)
				}
			}
			if err == nil {
				_, err = s.runs.Append(t.Context(), &f.lease, &runstore.Batch{Rows: runstore.Rows{Usage: used}})
			}
			if err != nil {
				t.Errorf("flow %d: %v", i, err)
			} else if i%2 == 0 && stop == "" {
				t.Errorf("flow %d was not stopped", i)
			}
		}()
	}
	wg.Wait()
	spent := s.state(t, &b).SpentTokens
	require.Equal(t, 2*calls.Load(), spent, "every call counts")
	require.GreaterOrEqual(t, spent, int64(limit))
	require.LessOrEqual(t, spent, int64(limit+2*flows/2), "at most what was under way")
	require.Equal(t, int64(20*flows/2), others.Load(), "the other app goes on")
	require.Equal(t, spent+2*others.Load(), s.state(t, &whole).SpentTokens)
}

// A budget that is made while runs commit misses none of their usage and counts
// none of it twice.
func testMadeMeanwhile(t *testing.T, s suite) {
	const flows, commits = 8, 25
	tenant, app := ids.New(), ids.New()
	all := make([]*flow, flows)
	for i := range all {
		all[i] = s.flow(t, tenant, app)
	}
	var wg sync.WaitGroup
	half := make(chan struct{})
	var once sync.Once
	for i, f := range all {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range commits {
				if n == commits/3 {
					once.Do(func() { close(half) })
				}
				if _, err := s.runs.Append(t.Context(), &f.lease, &runstore.Batch{Rows: runstore.Rows{Usage: []driver.UsageRow{f.row(1)}}}); err != nil {
					t.Errorf("flow %d: %v", i, err)
				}
			}
		}()
	}
	<-half
	var made []usage.Budget
	for range 5 {
		made = append(made, s.budget(t, tenant, app, func(b *usage.Budget) { b.Tokens = 1 << 40 }))
	}
	wg.Wait()
	for i := range made {
		require.EqualValues(t, flows*commits, s.state(t, &made[i]).SpentTokens)
	}
}

// Usage may come with the first and with the last commit of a run.
func testEnd(t *testing.T, s suite) {
	tenant, app := ids.New(), ids.New()
	b := s.budget(t, tenant, app, nil)
	f := flow{s: s, run: &runstore.Run{ID: ids.New(), TenantID: tenant, AppID: app, WorkflowID: ids.New(), TaskID: ids.New(), Queue: "q", Spec: json.RawMessage(`{}`)}}
	var err error
	f.lease, err = s.runs.Begin(t.Context(), f.run, "o", &runstore.Batch{CheckBudgets: true, Rows: runstore.Rows{Usage: []driver.UsageRow{f.row(5)}}})
	require.NoError(t, err)
	require.EqualValues(t, 5, s.state(t, &b).SpentTokens)
	_, err = s.runs.Append(t.Context(), &f.lease, &runstore.Batch{Status: workflow.StatusSucceeded, Rows: runstore.Rows{Usage: []driver.UsageRow{f.row(200)}}})
	require.NoError(t, err)
	require.EqualValues(t, 205, s.state(t, &b).SpentTokens)
	r, err := s.runs.Get(t.Context(), tenant, f.run.ID)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusSucceeded, r.Status)
}
