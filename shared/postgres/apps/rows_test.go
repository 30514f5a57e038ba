//go:build unix

package apps_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres/apps"
)

// rows puts in what no method of the store makes.
type rows struct {
	*pgxpool.Pool
	tenant, account string
}

func (r rows) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := r.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func newRows(t *testing.T) rows {
	t.Helper()
	r := rows{Pool: open(t), tenant: ids.Random(), account: ids.Random()}
	r.exec(t, `INSERT INTO tenants (id, name) VALUES ($1, 'w')`, r.tenant)
	r.exec(t, `INSERT INTO accounts (id, name, email) VALUES ($1, 'Ann', 'ann@example.com')`, r.account)
	return r
}

// app inserts an app as the contract's own server leaves it, with as many nulls
// as there may be.
func (r rows) app(t *testing.T, tenant string) string {
	t.Helper()
	id := ids.Random()
	r.exec(t, `INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api) VALUES ($1, $2, 'a', 'workflow', true, true)`, id, tenant)
	return id
}

func (r rows) tag(t *testing.T, tenant, kind, name string, targets ...string) string {
	t.Helper()
	id := ids.Random()
	r.exec(t, `INSERT INTO tags (id, tenant_id, type, name, created_by) VALUES ($1, $2, $3, $4, $5)`, id, tenant, kind, name, r.account)
	for _, target := range targets {
		r.exec(t, `INSERT INTO tag_bindings (tenant_id, tag_id, target_id, created_by) VALUES ($1, $2, $3, $4)`, tenant, id, target, r.account)
	}
	return id
}

func TestTags(t *testing.T) {
	t.Parallel()
	r := newRows(t)
	s := apps.New(r)
	one, two, other := r.app(t, r.tenant), r.app(t, r.tenant), ids.Random()
	red, blue := r.tag(t, r.tenant, "app", "red", one, two), r.tag(t, r.tenant, "app", "blue", one)
	r.tag(t, r.tenant, "knowledge", "k", one)
	r.tag(t, other, "app", "foreign", one)
	got, err := s.Tags(t.Context(), r.tenant, []string{one, two, ids.Random()})
	require.NoError(t, err)
	require.ElementsMatch(t, []app.Tag{{ID: red, Name: "red", Type: "app"}, {ID: blue, Name: "blue", Type: "app"}}, got[one])
	require.Equal(t, []app.Tag{{ID: red, Name: "red", Type: "app"}}, got[two])
	require.Len(t, got, 2)
	got, err = s.Tags(t.Context(), r.tenant, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = s.Tags(t.Context(), other, []string{two})
	require.NoError(t, err)
	require.Empty(t, got)

	find := func(tenant string, tags ...string) (found []string) {
		t.Helper()
		list, total, err := s.Apps(t.Context(), tenant, app.Filter{Page: 1, Limit: 10, Tags: tags})
		require.NoError(t, err)
		require.Len(t, list, total)
		for _, a := range list {
			found = append(found, a.ID)
		}
		return found
	}
	require.ElementsMatch(t, []string{one, two}, find(r.tenant, red))
	require.Equal(t, []string{one}, find(r.tenant, red, blue), "all of the tags")
	require.Empty(t, find(r.tenant, red, ids.Random()))
	require.Empty(t, find(other, red))
}

func TestAuthors(t *testing.T) {
	t.Parallel()
	r := newRows(t)
	got, err := apps.New(r).Authors(t.Context(), []string{r.account, ids.Random(), ""})
	require.NoError(t, err)
	require.Equal(t, map[string]app.Author{r.account: {ID: r.account, Name: "Ann", Email: "ann@example.com"}}, got)
	got, err = apps.New(r).Authors(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestDraftVariables(t *testing.T) {
	t.Parallel()
	r := newRows(t)
	s := apps.New(r)
	id, other := r.app(t, r.tenant), ids.Random()
	add := func(appID, node, name, kind, value string, edited bool) {
		t.Helper()
		r.exec(t, `INSERT INTO workflow_draft_variables (app_id, node_id, name, description, selector, value_type, value, visible, editable, user_id, last_edited_at)
			VALUES ($1, $2, $3, '', $4, $5, $6, true, false, $7, CASE WHEN $8::boolean THEN now() END)`,
			appID, node, name, `["`+node+`", "`+name+`"]`, kind, value, r.account, edited)
	}
	add(id, "n1", "text", "string", `"hello"`, true)
	add(id, "n2", "o", "object", `{"b": 1, "a": 2.0}`, false)
	add(r.app(t, r.tenant), "n1", "elsewhere", "string", `"x"`, false)
	list := func(tenant, account, node string) []app.DraftVariable {
		t.Helper()
		l, err := s.DraftVariables(t.Context(), tenant, id, account, node)
		require.NoError(t, err)
		return l
	}
	require.Len(t, list(r.tenant, r.account, ""), 2)
	got := list(r.tenant, r.account, "n1")
	require.Len(t, got, 1)
	require.Equal(t, "hello", got[0].Value)
	require.Equal(t, []string{"n1", "text"}, got[0].Selector)
	require.True(t, got[0].Edited)
	require.True(t, got[0].Visible)
	require.False(t, got[0].Editable)
	require.False(t, list(r.tenant, r.account, "n2")[0].Edited)
	require.Empty(t, list(other, r.account, ""), "another workspace")
	require.Empty(t, list(r.tenant, ids.Random(), ""), "another account")

	require.NoError(t, s.ClearDraftVariables(t.Context(), other, id))
	require.Len(t, list(r.tenant, r.account, ""), 2)
	require.NoError(t, s.ClearDraftVariables(t.Context(), r.tenant, id))
	require.Empty(t, list(r.tenant, r.account, ""))
	var left int
	require.NoError(t, r.QueryRow(t.Context(), `SELECT count(*) FROM workflow_draft_variables WHERE user_id = $1`, r.account).Scan(&left))
	require.Equal(t, 1, left, "those of other apps stay")
}

// TestRowsOfAnotherServer reads rows whose optional columns are null, and old
// spellings.
func TestRowsOfAnotherServer(t *testing.T) {
	t.Parallel()
	r := newRows(t)
	s := apps.New(r)
	ctx := t.Context()
	id, token := r.app(t, r.tenant), "app-"+ids.Token(24)
	a, err := s.App(ctx, r.tenant, id)
	require.NoError(t, err)
	require.Empty(t, a.WorkflowID+a.ModelConfigID+a.CreatedBy+a.Icon+a.Tracing)
	require.Nil(t, a.MaxActiveRequests)

	r.exec(t, `INSERT INTO api_tokens (app_id, type, token) VALUES ($1, 'app', $2)`, id, token)
	x, err := s.Access(ctx, app.TokenApp, token, a.CreatedAt)
	require.NoError(t, err)
	require.Equal(t, []string{r.tenant, id}, []string{x.TenantID, x.App.ID}, "keys without a tenant are their app's")
	full := app.Token{ID: ids.Random(), TenantID: r.tenant, AppID: id, Type: app.TokenApp, Token: "app-" + ids.Token(24), CreatedAt: a.CreatedAt}
	require.True(t, errs.Is(s.AddToken(ctx, full, 1), errs.Conflict), "they count")
	list, err := s.Tokens(ctx, r.tenant, app.TokenApp, id)
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = s.DeleteToken(ctx, r.tenant, app.TokenApp, id, list[0].ID)
	require.NoError(t, err)

	old := ids.Random()
	r.exec(t, `INSERT INTO end_users (id, tenant_id, app_id, type, session_id, is_anonymous) VALUES ($1, $2, $3, 'service_api', 'u', false)`, old, r.tenant, id)
	u, err := s.EndUser(ctx, app.EndUser{ID: ids.Random(), TenantID: r.tenant, AppID: id, Type: app.EndUserService, SessionID: "u", CreatedAt: a.CreatedAt})
	require.NoError(t, err)
	require.Equal(t, old, u.ID, "the old spelling of a type is the same user")

	version := ids.Random()
	r.exec(t, `INSERT INTO workflows (id, tenant_id, app_id, type, version, graph, features, created_by, updated_at) VALUES ($1, $2, $3, 'workflow', '2025-01-01 00:00:00', '{}', '{}', $4, now())`,
		version, r.tenant, id, r.account)
	w, err := s.Workflow(ctx, r.tenant, id, version)
	require.NoError(t, err)
	require.Nil(t, w.Number)
	require.Empty(t, w.Environment)
	r.exec(t, `UPDATE workflows SET version_number = 7 WHERE id = $1`, version)
	next, err := s.Publish(ctx, app.Workflow{ID: ids.Random(), TenantID: r.tenant, AppID: id, Type: "workflow", Version: "2026-01-01 00:00:00",
		CreatedBy: r.account, CreatedAt: a.CreatedAt, UpdatedAt: a.CreatedAt})
	require.NoError(t, err)
	require.Equal(t, 8, *next.Number, "numbers go on without a counter")
}
