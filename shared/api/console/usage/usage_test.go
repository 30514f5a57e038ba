package usage_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console/consoletest"
	routes "github.com/millrace/millrace/shared/api/console/usage"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/usage"
	"github.com/millrace/millrace/shared/usage/memusage"
)

// apps are the ids of the apps of a workspace.
type apps map[string]string

func (a apps) App(_ context.Context, tenantID, id string) (app.App, error) {
	if a[id] != tenantID {
		return app.App{}, errs.New(errs.NotFound, "")
	}
	return app.App{ID: id, TenantID: tenantID}, nil
}

type answer struct {
	ID, Code, Message, Period, Action string
	Exceeded                          bool
	SpentTokens                       int64 `json:"spent_tokens"`
	Data, Totals                      []struct {
		ID, Model, Provider, Role, Currency string
		Calls                               int64
		TotalTokens                         int64  `json:"total_tokens"`
		TotalPrice                          string `json:"total_price"`
	}
	Warnings []string
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	b.Join(t, owner.Tenant.ID, "editor@example.com", account.Editor)
	b.Join(t, owner.Tenant.ID, "normal@example.com", account.Normal)
	one, foreign := ids.New(), ids.New()
	store := memusage.New(b.Clock)
	h := edge.NewRouter(routes.Routes(routes.Deps{Apps: apps{one: owner.Tenant.ID, foreign: ids.New()}, Auth: b.Auth, Usage: usage.New(store, b.Clock)}), &edge.Options{Clock: clock.System{}})
	row := func(model, price, currency string) driver.UsageRow {
		return driver.UsageRow{ExecutionID: ids.New(), RunID: one, Role: "end_user", Provider: "p", Model: model, PromptTokens: 30, CompletionTokens: 20, TotalTokens: 50,
			TotalPrice: price, Currency: currency, At: b.Clock.Now()}
	}
	store.Record(owner.Tenant.ID, one, []driver.UsageRow{row("m", "0.1", "USD"), row("n", "0.20", "USD"), row("n", "5", "EUR")})
	store.Record(owner.Tenant.ID, ids.New(), []driver.UsageRow{row("m", "0.1", "USD")})
	clients := map[string]*consoletest.Client{}
	for _, who := range []string{"owner", "editor", "normal"} {
		clients[who] = b.LogIn(t, h, who+"@example.com")
	}
	do := func(who, method, path string, body any, want int) answer {
		t.Helper()
		w := clients[who].Do(t, method, "/console/api"+path, body)
		require.Equal(t, want, w.Code, w.Body.String())
		var a answer
		if w.Body.Len() > 0 {
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
		}
		return a
	}
	place := "/apps/" + one
	got := do("normal", "GET", place+"/usage?group_by=model", nil, http.StatusOK)
	require.Len(t, got.Data, 3)
	require.Equal(t, "m p", got.Data[0].Model+" "+got.Data[0].Provider)
	require.Len(t, got.Totals, 2)
	require.EqualValues(t, 2, got.Totals[1].Calls+got.Totals[0].Calls-1)
	require.Equal(t, "0.3 USD", got.Totals[0].TotalPrice+" "+got.Totals[0].Currency)
	got = do("normal", "GET", "/workspaces/current/usage", nil, http.StatusOK)
	require.EqualValues(t, 3, got.Data[1].Calls, "both apps")
	require.Empty(t, do("normal", "GET", place+"/usage?to=2000-01-01", nil, http.StatusOK).Data)
	for _, query := range []string{"group_by=x", "from=yesterday", "run_id=x"} {
		do("owner", "GET", place+"/usage?"+query, nil, http.StatusBadRequest)
	}
	do("normal", "GET", place+"/usage?group_by=user", nil, http.StatusForbidden)
	require.Equal(t, "end_user", do("editor", "GET", place+"/usage?group_by=user", nil, http.StatusOK).Data[0].Role)
	require.Equal(t, "app_not_found", do("owner", "GET", "/apps/"+foreign+"/usage", nil, http.StatusNotFound).Code)

	good := map[string]any{"period": "day", "tokens": 100}
	do("editor", "POST", place+"/budgets", good, http.StatusForbidden)
	for _, bad := range []map[string]any{
		{}, {"period": "week", "tokens": 1}, {"period": "day"}, {"period": "day", "tokens": -1}, {"period": "day", "price": "-1"}, {"period": "day", "price": "1e9"},
		{"period": "day", "price": "x"}, {"period": "day", "tokens": 1, "action": "explode"}, {"period": "day", "price": "1", "currency": "EURO"},
	} {
		require.Equal(t, "invalid_param", do("owner", "POST", place+"/budgets", bad, http.StatusBadRequest).Code, bad)
	}
	made := do("owner", "POST", place+"/budgets", good, http.StatusCreated)
	require.Equal(t, "day stop", made.Period+" "+made.Action)
	require.True(t, made.Exceeded)
	require.EqualValues(t, 150, made.SpentTokens)
	require.Contains(t, do("normal", "GET", place+"/usage", nil, http.StatusOK).Warnings[0], made.ID)
	require.Len(t, do("normal", "GET", "/workspaces/current/budgets", nil, http.StatusOK).Data, 1)
	do("owner", "PUT", "/workspaces/current/budgets/"+made.ID, good, http.StatusNotFound)
	changed := do("owner", "PUT", place+"/budgets/"+made.ID, map[string]any{"period": "month", "price": "0.50", "action": "warn"}, http.StatusOK)
	require.Equal(t, "month warn", changed.Period+" "+changed.Action)
	require.False(t, changed.Exceeded)
	do("editor", "DELETE", place+"/budgets/"+made.ID, nil, http.StatusForbidden)
	do("owner", "DELETE", place+"/budgets/"+made.ID, nil, http.StatusNoContent)
	do("owner", "DELETE", place+"/budgets/"+made.ID, nil, http.StatusNotFound)
}
