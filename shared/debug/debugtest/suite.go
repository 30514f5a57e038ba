// Package debugtest is the suite that every debug.Store passes.
package debugtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// World makes what a store expects to be there.
type World interface {
	// AddApp makes an app of a tenant, and the tenant.
	AddApp(t *testing.T, tenantID, appID string)
}

type fixture struct {
	debug.Store
	scope debug.Scope
	at    time.Time
}

func (f *fixture) variable(node, name, json string, minute int) debug.Variable {
	at := f.at.Add(time.Duration(minute) * time.Minute)
	return debug.Variable{
		ID: ids.Random(), NodeID: node, Name: name, ValueType: "string", Value: []byte(json), Visible: true, Editable: true, CreatedAt: at, UpdatedAt: at,
	}
}

func (f *fixture) save(t *testing.T, list ...debug.Variable) {
	t.Helper()
	require.NoError(t, f.Save(t.Context(), f.scope, list))
}

// foreign are scopes that see nothing of the fixture.
func (f *fixture) foreign() map[string]debug.Scope {
	tenant, app, person := f.scope, f.scope, f.scope
	tenant.TenantID, app.AppID, person.AccountID = ids.Random(), ids.Random(), ids.Random()
	return map[string]debug.Scope{"tenant": tenant, "app": app, "person": person}
}

func names(list []debug.Variable) []string {
	out := []string{}
	for _, v := range list {
		out = append(out, v.NodeID+"."+v.Name)
	}
	return out
}

// Run tests a store; open makes an empty one.
func Run(t *testing.T, open func(t *testing.T) (debug.Store, World)) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"variables are kept, replaced and removed": variables,
		"editing":                   editing,
		"large values":              large,
		"nothing is seen by others": others,
		"executions":                executions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, world := open(t)
			f := &fixture{Store: store, scope: debug.Scope{TenantID: ids.Random(), AppID: ids.Random(), AccountID: ids.Random()}}
			f.at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
			world.AddApp(t, f.scope.TenantID, f.scope.AppID)
			test(t, f)
		})
	}
}

func variables(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b, c := f.variable("n", "a", `"1"`, 1), f.variable("n", "b", `"2"`, 2), f.variable("m", "a", `"3"`, 3)
	a.ExecutionID = ids.Random()
	f.save(t, a, b, c)
	f.save(t)
	got, err := f.Variables(ctx, f.scope, "n")
	require.NoError(t, err)
	require.Equal(t, []debug.Variable{b, a}, got, "newest first, as they were put")
	one, err := f.Find(ctx, f.scope, "n", "a")
	require.NoError(t, err)
	require.Equal(t, a, one)
	_, err = f.Find(ctx, f.scope, "n", "x")
	require.True(t, errs.Is(err, errs.NotFound))

	newer := f.variable("n", "a", `7`, 9)
	newer.ValueType, newer.Visible, newer.Editable = "integer", false, false
	f.save(t, newer)
	one, err = f.Variable(ctx, f.scope, a.ID)
	require.NoError(t, err)
	require.Equal(t, a.ID, one.ID)
	require.Equal(t, `7`, string(one.Value))
	require.Equal(t, "integer", one.ValueType)
	require.False(t, one.Visible || one.Editable)
	require.Empty(t, one.ExecutionID)

	require.NoError(t, f.Prefill(ctx, f.scope, []debug.Variable{f.variable("n", "a", `"no"`, 10), f.variable("conversation", "s", `"init"`, 0)}))
	require.NoError(t, f.Prefill(ctx, f.scope, nil))
	one, err = f.Find(ctx, f.scope, "n", "a")
	require.NoError(t, err)
	require.Equal(t, `7`, string(one.Value), "what is there stays")

	page, total, err := f.Page(ctx, f.scope, 1, 2)
	require.NoError(t, err)
	require.Equal(t, 4, total)
	require.Equal(t, []string{"n.b", "n.a"}, names(page))
	require.Nil(t, page[0].Value)
	page, total, err = f.Page(ctx, f.scope, 10, 2)
	require.NoError(t, err)
	require.Equal(t, 4, total)
	require.Empty(t, page)

	require.NoError(t, f.Delete(ctx, f.scope, b.ID))
	require.True(t, errs.Is(f.Delete(ctx, f.scope, b.ID), errs.NotFound))
	require.NoError(t, f.DeleteAll(ctx, f.scope, "n"))
	all, err := f.Variables(ctx, f.scope, "")
	require.NoError(t, err)
	require.Equal(t, []string{"m.a", "conversation.s"}, names(all))
	require.NoError(t, f.DeleteAll(ctx, f.scope, ""))
	all, err = f.Variables(ctx, f.scope, "")
	require.NoError(t, err)
	require.Empty(t, all)
}

func editing(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b := f.variable("n", "a", `"1"`, 1), f.variable("n", "b", `"2"`, 2)
	f.save(t, a, b)
	at := f.at.Add(time.Hour)
	a.Name, a.Value, a.ValueType, a.EditedAt, a.UpdatedAt = "c", []byte(`[1]`), "array[number]", &at, at
	require.NoError(t, f.Update(ctx, f.scope, a))
	got, err := f.Variable(ctx, f.scope, a.ID)
	require.NoError(t, err)
	require.Equal(t, a, got)
	require.True(t, got.Edited())
	require.Equal(t, []string{"n", "c"}, got.Selector())

	a.Name = "b"
	require.True(t, errs.Is(f.Update(ctx, f.scope, a), errs.Conflict))
	gone := f.variable("n", "z", `1`, 1)
	require.True(t, errs.Is(f.Update(ctx, f.scope, gone), errs.NotFound))

	f.save(t, f.variable("n", "c", `"run"`, 5))
	got, err = f.Variable(ctx, f.scope, a.ID)
	require.NoError(t, err)
	require.False(t, got.Edited(), "what a run leaves behind is not edited")
}

func large(t *testing.T, f *fixture) {
	ctx := t.Context()
	n := 3
	a := f.variable("n", "a", `"x..."`, 1)
	a.File = &debug.VariableFile{ID: ids.New(), UploadID: ids.New(), Size: 1 << 40, Length: &n, ValueType: "array[string]"}
	f.save(t, a)
	got, err := f.Variable(ctx, f.scope, a.ID)
	require.NoError(t, err)
	require.Equal(t, a, got)
	page, _, err := f.Page(ctx, f.scope, 0, 5)
	require.NoError(t, err)
	require.Equal(t, a.File, page[0].File)

	a.File = nil
	require.NoError(t, f.Update(ctx, f.scope, a))
	got, err = f.Variable(ctx, f.scope, a.ID)
	require.NoError(t, err)
	require.Nil(t, got.File)
	a.File = &debug.VariableFile{ID: ids.New(), UploadID: ids.New(), Size: 5, ValueType: "string"}
	require.NoError(t, f.Update(ctx, f.scope, a))
	got, err = f.Variable(ctx, f.scope, a.ID)
	require.NoError(t, err)
	require.Equal(t, a.File, got.File)
}

func others(t *testing.T, f *fixture) {
	ctx := t.Context()
	a := f.variable("n", "a", `"1"`, 1)
	f.save(t, a)
	for name, s := range f.foreign() {
		list, err := f.Variables(ctx, s, "")
		require.NoError(t, err, name)
		require.Empty(t, list, name)
		_, total, err := f.Page(ctx, s, 0, 9)
		require.NoError(t, err, name)
		require.Zero(t, total, name)
		_, err = f.Variable(ctx, s, a.ID)
		require.True(t, errs.Is(err, errs.NotFound), name)
		_, err = f.Find(ctx, s, "n", "a")
		require.True(t, errs.Is(err, errs.NotFound), name)
		changed := a
		changed.Value = []byte(`"stolen"`)
		require.True(t, errs.Is(f.Update(ctx, s, changed), errs.NotFound), name)
		require.True(t, errs.Is(f.Delete(ctx, s, a.ID), errs.NotFound), name)
		require.NoError(t, f.DeleteAll(ctx, s, ""), name)
		if name != "person" {
			require.True(t, errs.Is(f.Save(ctx, s, []debug.Variable{f.variable("n", "a", `"stolen"`, 2)}), errs.NotFound), name)
		}
	}
	got, err := f.Variable(ctx, f.scope, a.ID)
	require.NoError(t, err)
	require.Equal(t, a, got)
}

func executions(t *testing.T, f *fixture) {
	ctx := t.Context()
	out := `{"a":1}`
	e := debug.Execution{
		ID: ids.New(), WorkflowID: ids.New(), NodeID: "n", NodeType: "code", Title: "N", Outputs: &out, Status: "succeeded", CreatedAt: f.at, FinishedAt: f.at,
	}
	require.NoError(t, f.AddExecution(ctx, f.scope, e))
	got, err := f.Outputs(ctx, f.scope, e.ID)
	require.NoError(t, err)
	require.JSONEq(t, out, string(got))
	e.ID, e.Outputs = ids.New(), nil
	require.NoError(t, f.AddExecution(ctx, f.scope, e))
	got, err = f.Outputs(ctx, f.scope, e.ID)
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(got))
	for name, s := range f.foreign() {
		if name == "person" {
			continue // executions belong to the app
		}
		_, err = f.Outputs(ctx, s, e.ID)
		require.True(t, errs.Is(err, errs.NotFound), name)
		again := e
		again.ID = ids.New()
		require.True(t, errs.Is(f.AddExecution(ctx, s, again), errs.NotFound), name)
	}
}
