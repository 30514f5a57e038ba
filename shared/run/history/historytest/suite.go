// Package historytest is the suite that every history.Store passes.
package historytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run/history"
)

// World puts in what runs make.
type World interface {
	AddApp(t *testing.T, tenantID, appID string)
	// AddRun stores a run by one of the persons; a log that is not nil makes it
	// part of the app's log.
	AddRun(t *testing.T, tenantID string, r history.Run, log *history.Log, nodes ...history.NodeExecution)
}

// Run runs the suite; open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) (history.Store, World)) {
	ctx := t.Context()
	store, world := open(t)
	tenant, app, other := ids.Random(), ids.Random(), ids.Random()
	world.AddApp(t, tenant, app)
	at := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	ann := history.Person{EndUser: &history.EndUser{ID: ids.Random(), Type: "service-api", SessionID: "ann"}}
	bob := history.Person{Account: &history.Account{ID: ids.Random(), Name: "Bob", Email: "bob@example.com"}}
	add := func(minute int, by history.Person, status, from, text string, nodes ...history.NodeExecution) string {
		when := at.Add(time.Duration(minute) * time.Minute)
		end := when.Add(time.Second)
		role := "end_user"
		if by.Account != nil {
			role = "account"
		}
		r := history.Run{
			ID: ids.New(), WorkflowID: ids.New(), AppID: app, Type: "workflow", TriggeredFrom: from, Version: "v", Graph: []byte(`{"nodes": []}`),
			Inputs: []byte(`{"q": "` + text + `"}`), Outputs: []byte(`{"out": 1.0}`), Status: status, ElapsedTime: 1.5, TotalTokens: 7,
			TotalSteps: 2, CreatedByRole: role, CreatedAt: when, FinishedAt: &end, CreatedBy: by,
		}
		for i := range nodes {
			nodes[i].CreatedBy, nodes[i].CreatedByRole, nodes[i].CreatedAt, nodes[i].FinishedAt = by, role, when, &end
		}
		var log *history.Log
		if from == "app-run" {
			log = &history.Log{ID: ids.New(), CreatedFrom: "service-api", CreatedByRole: role, CreatedAt: when, CreatedBy: by}
		}
		world.AddRun(t, tenant, r, log, nodes...)
		return r.ID
	}
	first := add(1, ann, "succeeded", "app-run", "one",
		history.NodeExecution{ID: ids.New(), Index: 2, NodeID: "end", NodeType: "end", Title: "End", Status: "failed", Error: "no"},
		history.NodeExecution{ID: ids.New(), Index: 1, NodeID: "start", NodeType: "start", Title: "Start", Status: "succeeded", Outputs: []byte(`{"a": 1}`)})
	second := add(2, ann, "failed", "app-run", "50% two")
	third := add(3, bob, "succeeded", "app-run", "three")
	debug := add(4, bob, "succeeded", "debugging", "four")

	r, err := store.Run(ctx, tenant, app, first)
	require.NoError(t, err)
	require.Equal(t, `{"out": 1.0}`, string(r.Outputs), "the text as it was stored")
	require.Equal(t, ann, r.CreatedBy)
	require.Equal(t, 1.5, r.ElapsedTime)
	require.True(t, r.FinishedAt.Equal(at.Add(61*time.Second)))
	for _, where := range [][2]string{{other, app}, {tenant, other}} {
		_, err = store.Run(ctx, where[0], where[1], first)
		require.True(t, errs.Is(err, errs.NotFound))
		nodes, err := store.NodeExecutions(ctx, where[0], where[1], first)
		require.NoError(t, err)
		require.Empty(t, nodes)
		_, total, err := store.Logs(ctx, where[0], where[1], history.LogQuery{Page: 1, Limit: 10})
		require.NoError(t, err)
		require.Zero(t, total)
	}

	nodes, err := store.NodeExecutions(ctx, tenant, app, first)
	require.NoError(t, err)
	require.Len(t, nodes, 2)
	require.Equal(t, "start", nodes[0].NodeID)
	require.Equal(t, "no", nodes[1].Error)
	require.Equal(t, ann, nodes[0].CreatedBy)

	ids := func(list []history.Run) (out []string) {
		for _, r := range list {
			out = append(out, r.ID)
		}
		return out
	}
	list, more, err := store.Runs(ctx, tenant, app, history.RunQuery{TriggeredFrom: []string{"app-run"}, Limit: 2})
	require.NoError(t, err)
	require.True(t, more)
	require.Equal(t, []string{third, second}, ids(list))
	list, more, err = store.Runs(ctx, tenant, app, history.RunQuery{TriggeredFrom: []string{"app-run"}, Limit: 2, LastID: second})
	require.NoError(t, err)
	require.False(t, more)
	require.Equal(t, []string{first}, ids(list))
	list, _, err = store.Runs(ctx, tenant, app, history.RunQuery{TriggeredFrom: []string{"debugging"}, Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []string{debug}, ids(list))
	_, _, err = store.Runs(ctx, tenant, app, history.RunQuery{TriggeredFrom: []string{"app-run"}, Limit: 2, LastID: other})
	require.True(t, errs.Is(err, errs.NotFound))

	edge := at.Add(150 * time.Second)
	for name, c := range map[string]struct {
		q    history.LogQuery
		want []string
	}{
		"all":     {history.LogQuery{}, []string{third, second, first}},
		"status":  {history.LogQuery{Status: "failed"}, []string{second}},
		"keyword": {history.LogQuery{Keyword: "0% T"}, []string{second}},
		"no wild": {history.LogQuery{Keyword: "0%o"}, nil},
		"run id":  {history.LogQuery{Keyword: first}, []string{first}},
		"session": {history.LogQuery{SessionID: "ann"}, []string{second, first}},
		"account": {history.LogQuery{Account: "bob@example.com"}, []string{third}},
		"before":  {history.LogQuery{Before: &edge}, []string{second, first}},
		"after":   {history.LogQuery{After: &edge}, []string{third}},
	} {
		c.q.Page, c.q.Limit = 1, 10
		logs, total, err := store.Logs(ctx, tenant, app, c.q)
		require.NoError(t, err, name)
		var got []string
		for _, l := range logs {
			got = append(got, l.Run.ID)
		}
		require.Equal(t, c.want, got, name)
		require.Equal(t, len(c.want), total, name)
	}
	counts(t, store, tenant, app, other, at)
	r, err = store.Run(ctx, tenant, app, first)
	require.NoError(t, err)
	n, err := store.NodeExecution(ctx, tenant, app, nodes[1].ID)
	require.NoError(t, err)
	require.Equal(t, "end", n.NodeID)
	require.Equal(t, r.WorkflowID, n.WorkflowID)
	n, err = store.LastNodeExecution(ctx, tenant, app, r.WorkflowID, "start")
	require.NoError(t, err)
	require.Equal(t, nodes[0].ID, n.ID)
	for _, where := range [][3]string{{other, app, r.WorkflowID}, {tenant, other, r.WorkflowID}, {tenant, app, other}} {
		_, err = store.LastNodeExecution(ctx, where[0], where[1], where[2], "start")
		require.True(t, errs.Is(err, errs.NotFound))
		if where[2] != other {
			_, err = store.NodeExecution(ctx, where[0], where[1], nodes[0].ID)
			require.True(t, errs.Is(err, errs.NotFound))
		}
	}
	logs, total, err := store.Logs(ctx, tenant, app, history.LogQuery{Page: 2, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, 3, total)
	require.Equal(t, second, logs[0].Run.ID)
	require.Equal(t, ann, logs[0].CreatedBy)
}

func counts(t *testing.T, store history.Store, tenant, app, other string, at time.Time) {
	t.Helper()
	since := at.Add(2 * time.Minute)
	for name, c := range map[string]struct {
		q    history.CountQuery
		want map[string]int
	}{
		"all":    {history.CountQuery{}, map[string]int{"succeeded": 3, "failed": 1}},
		"origin": {history.CountQuery{TriggeredFrom: "debugging"}, map[string]int{"succeeded": 1}},
		"status": {history.CountQuery{TriggeredFrom: "app-run", Status: "succeeded"}, map[string]int{"succeeded": 2}},
		"since":  {history.CountQuery{TriggeredFrom: "app-run", Since: &since}, map[string]int{"succeeded": 1, "failed": 1}},
	} {
		got, err := store.CountRuns(t.Context(), tenant, app, c.q)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
	for _, where := range [][2]string{{other, app}, {tenant, other}} {
		got, err := store.CountRuns(t.Context(), where[0], where[1], history.CountQuery{})
		require.NoError(t, err)
		require.Empty(t, got)
	}
}
