//go:build unix

package migrations_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/accounts"
	"github.com/millrace/millrace/shared/postgres/apps"
	"github.com/millrace/millrace/shared/postgres/history"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/secretbox"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/node"
	"github.com/millrace/millrace/shared/workflow/node/end"
	"github.com/millrace/millrace/shared/workflow/node/start"
	"github.com/millrace/millrace/shared/workflow/node/templatetransform"
	"github.com/millrace/millrace/shared/workflow/value"
)

// greetingGraph is start, template, end; the template uses a secret too.
const greetingGraph = `{"nodes":[
 {"id":"start","data":{"type":"start","title":"Start","variables":[{"variable":"name","label":"name","type":"text-input","required":true,"max_length":48,"options":[]}]}},
 {"id":"tpl","data":{"type":"template-transform","title":"Greet","template":"Hello {{ name }}, {{ key }}!",
  "variables":[{"variable":"name","value_selector":["start","name"]},{"variable":"key","value_selector":["env","KEY"]}]}},
 {"id":"end","data":{"type":"end","title":"End","outputs":[{"variable":"greeting","value_selector":["tpl","output"]}]}}],
 "edges":[{"id":"1","source":"start","target":"tpl","sourceHandle":"source","targetHandle":"target"},
 {"id":"2","source":"tpl","target":"end","sourceHandle":"source","targetHandle":"target"}]}`

// attached is a workspace that another server made.
type attached struct {
	pool                                *pgxpool.Pool
	box                                 *secretbox.Box
	tenant, account, app, version, user string
	key                                 string
}

// existing fills a database of the contract with a workspace in use, as a server
// of the release leaves it.
func existing(t *testing.T, pool *pgxpool.Pool) *attached {
	t.Helper()
	ctx := t.Context()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	x := &attached{
		pool: pool, box: secretbox.Open(bucket, nil), tenant: ids.Random(), account: ids.Random(), app: ids.Random(), version: ids.Random(),
		user: ids.Random(), key: "app-" + ids.Token(24),
	}
	public, err := x.box.GenerateKey(ctx, x.tenant)
	require.NoError(t, err)
	sealed, err := x.box.Seal(ctx, x.tenant, "s3cret")
	require.NoError(t, err)
	hash, salt, err := account.HashPassword("passw0rd")
	require.NoError(t, err)
	env := `{"KEY": {"value_type": "secret", "value": "` + sealed + `", "id": "` + ids.Random() + `", "name": "KEY", "description": "", "selector": ["env", "KEY"]}}`
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO dify_setups (version) VALUES ('1.16.0')`, nil},
		{`INSERT INTO accounts (id, name, email, password, password_salt) VALUES ($1, 'Ann', 'ann@example.com', $2, $3)`, []any{x.account, hash, salt}},
		{`INSERT INTO tenants (id, name, encrypt_public_key) VALUES ($1, 'W', $2)`, []any{x.tenant, public}},
		{`INSERT INTO tenant_account_joins (tenant_id, account_id, role, current) VALUES ($1, $2, 'owner', true)`, []any{x.tenant, x.account}},
		{`INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api, workflow_id) VALUES ($1, $2, 'Old', 'workflow', true, true, $3)`, []any{x.app, x.tenant, x.version}},
		{`INSERT INTO workflows (id, tenant_id, app_id, type, version, graph, features, environment_variables, created_by, updated_at)
			SELECT CASE v WHEN 'draft' THEN gen_random_uuid() ELSE $1 END, $2, $3, 'workflow', v, $4, '{}', $5, $6, now()
			FROM unnest(ARRAY['draft', '2025-06-07 08:09:10.111213']) v`, []any{x.version, x.tenant, x.app, greetingGraph, env, x.account}},
		{`INSERT INTO api_tokens (tenant_id, app_id, type, token) VALUES ($1, $2, 'app', $3)`, []any{x.tenant, x.app, x.key}},
		{`INSERT INTO end_users (id, tenant_id, app_id, type, session_id, is_anonymous) VALUES ($1, $2, $3, 'service_api', 'u1', false)`, []any{x.user, x.tenant, x.app}},
	} {
		_, err := pool.Exec(ctx, s.sql, s.args...)
		require.NoError(t, err, s.sql)
	}
	return x
}

// contents describes every row of the given tables.
func contents(t *testing.T, db *pgxpool.Pool, tables []string) map[string]string {
	t.Helper()
	parts := make([]string, len(tables))
	for i, name := range tables {
		parts[i] = `SELECT '` + name + `', coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM ` + pgx.Identifier{name}.Sanitize() + ` t`
	}
	rows, err := db.Query(t.Context(), strings.Join(parts, " UNION ALL "))
	require.NoError(t, err)
	out := map[string]string{}
	var name, content string
	_, err = pgx.ForEachRow(rows, []any{&name, &content}, func() error {
		out[name] = content
		return nil
	})
	require.NoError(t, err)
	return out
}

func tablesOf(t *testing.T, db *pgxpool.Pool) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
	require.NoError(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return out
}

// only keeps the lines of a description that were there before.
func only(lines, before []string) []string {
	known := map[string]bool{}
	for _, l := range before {
		known[l] = true
	}
	var out []string
	for _, l := range lines {
		if known[l] {
			out = append(out, l)
		}
	}
	return out
}

// services wires the services to the attached database.
func (x *attached) services() (*account.Service, *app.Service, *run.Service) {
	c := clock.System{}
	people := account.New(accounts.New(x.pool), ephemeral.NewMemory(c), x.box, &account.Options{SecretKey: strings.Repeat("k", 32)})
	made := app.New(apps.New(x.pool), x.box, ephemeral.NewMemory(c), nil)
	return people, made, run.New(run.Deps{
		Store: runstore.New(runs.New(x.pool), 0), Stream: eventstream.New(memstream.New(c)), Graphs: made, Clock: c,
		Types: node.NewRegistry(start.New(), templatetransform.New(templatetransform.Options{}), end.New()),
	}, run.Options{})
}

// call runs an app through its key, as the API does, and checks what is stored.
func (x *attached) call(t *testing.T, made *app.Service, service *run.Service, key, session, name, want string) app.EndUser {
	t.Helper()
	ctx := t.Context()
	access, err := made.ByKey(ctx, key)
	require.NoError(t, err)
	u, err := made.EndUser(ctx, access.TenantID, access.App.ID, app.EndUserService, session)
	require.NoError(t, err)
	res, err := service.Start(ctx, run.StartRequest{
		TenantID: access.TenantID, AppID: access.App.ID, WorkflowID: access.App.WorkflowID, Mode: run.ModeWorkflow, InvokeFrom: "service-api",
		CreatedFrom: "service-api", User: run.User{ID: u.ID, Role: "end_user", SessionID: session}, Inputs: value.Obj("name", name),
	}, nil)
	require.NoError(t, err)
	service.Wait(ctx)
	require.NotNil(t, res.Finished)
	require.Equal(t, workflow.StatusSucceeded, res.Finished.Status, res.Finished.Error)
	require.Equal(t, want, res.Finished.Outputs.String("greeting"))

	store := history.New(x.pool)
	stored, err := store.Run(ctx, access.TenantID, access.App.ID, res.RunID)
	require.NoError(t, err)
	require.Equal(t, "succeeded", stored.Status)
	require.JSONEq(t, `{"greeting": "`+want+`"}`, string(stored.Outputs))
	require.Equal(t, u.ID, stored.CreatedBy.EndUser.ID)
	nodes, err := store.NodeExecutions(ctx, access.TenantID, access.App.ID, res.RunID)
	require.NoError(t, err)
	var order []string
	for _, n := range nodes {
		order = append(order, n.NodeType+" "+n.Status)
	}
	require.Equal(t, []string{"start succeeded", "template-transform succeeded", "end succeeded"}, order)
	var logs int
	require.NoError(t, x.pool.QueryRow(ctx, `SELECT count(*) FROM workflow_app_logs WHERE workflow_run_id = $1 AND tenant_id = $2`, res.RunID, access.TenantID).Scan(&logs))
	require.Equal(t, 1, logs)
	return u
}

// TestAttachedDatabaseGoesOn attaches a database in use and works with what is
// in it: nothing of it has changed, people log in with their passwords, keys,
// secrets and versions are good, and new apps run beside the old.
func TestAttachedDatabaseGoesOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := pgtest.URL(t)
	setup := pgtest.Open(t, url)
	_, err := setup.Exec(ctx, contractSchema)
	require.NoError(t, err)
	x := existing(t, setup)
	tables, schema := tablesOf(t, setup), describe(t, setup)
	rows := contents(t, setup, tables)

	require.NoError(t, migrations.Run(ctx, url, nil))
	require.Equal(t, schema, only(describe(t, setup), schema), "no column, index or constraint changed")
	require.Equal(t, rows, contents(t, setup, tables), "no row changed")

	pool, err := postgres.Open(ctx, url, nil)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	x.pool = pool
	people, made, service := x.services()
	at, err := people.SetupAt(ctx)
	require.NoError(t, err)
	require.False(t, at.IsZero(), "the setup is done already")
	session, err := people.Login(ctx, "Ann@example.com", "passw0rd", "10.0.0.1")
	require.NoError(t, err)
	who, err := people.Authenticate(ctx, session.Access)
	require.NoError(t, err)
	require.Equal(t, []string{x.account, x.tenant}, []string{who.Account.ID, who.Tenant.ID})
	u := x.call(t, made, service, x.key, "u1", "Bo", "Hello Bo, s3cret!")
	require.Equal(t, x.user, u.ID, "who was known stays the same")

	// A new workspace with a new app, made by the services.
	owner, err := people.AddOwner(ctx, account.SetupInput{Email: "cy@example.com", Name: "Cy", Password: "passw0rd", Language: "en-US"})
	require.NoError(t, err)
	by := app.Actor{TenantID: owner.Tenant.ID, AccountID: owner.Account.ID}
	a, err := made.Create(ctx, by, app.NewApp{Name: "New", Mode: app.ModeWorkflow})
	require.NoError(t, err)
	graph, err := value.Decode([]byte(greetingGraph))
	require.NoError(t, err)
	_, err = made.SyncDraft(ctx, by, a, app.DraftChange{Graph: graph.(*value.Object), Features: value.NewObject(0),
		Environment: []any{value.Obj("name", "KEY", "value_type", "secret", "value", "hush")}})
	require.NoError(t, err)
	_, err = made.Publish(ctx, by, a, "", "")
	require.NoError(t, err)
	k, err := made.CreateToken(ctx, owner.Tenant.ID, app.TokenApp, a.ID)
	require.NoError(t, err)
	x.call(t, made, service, k.Token, "u2", "Di", "Hello Di, hush!")

	// The old app may be exported and imported here as well.
	old, err := made.App(ctx, x.tenant, x.app)
	require.NoError(t, err)
	doc, err := made.Export(ctx, old, app.ExportOptions{})
	require.NoError(t, err)
	require.NotContains(t, doc, "s3cret")
	in, err := made.Import(ctx, by, app.ImportRequest{Mode: "yaml-content", Content: doc})
	require.NoError(t, err)
	require.Equal(t, dsl.Status("completed"), in.Status, in.Error)

	require.Equal(t, schema, only(describe(t, setup), schema), "work changes no schema")
	require.NoError(t, migrations.Run(ctx, url, nil))
}
