//go:build unix

package tenanttest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/humaninput/formtest"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/accounts"
	"github.com/millrace/millrace/shared/postgres/apps"
	"github.com/millrace/millrace/shared/postgres/chats"
	"github.com/millrace/millrace/shared/postgres/files"
	"github.com/millrace/millrace/shared/postgres/history"
	forms "github.com/millrace/millrace/shared/postgres/humaninput"
	"github.com/millrace/millrace/shared/postgres/providers"
	"github.com/millrace/millrace/shared/postgres/runs"
	usagestore "github.com/millrace/millrace/shared/postgres/usage"
	"github.com/millrace/millrace/shared/provider"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/driver"
	"github.com/millrace/millrace/shared/usage"
	"github.com/millrace/millrace/shared/workflow"
)

// prov is the provider of the models in a house.
const prov = "langgenius/openai_api_compatible/openai_api_compatible"

// place is where a call looks: a workspace and an app.
type place struct{ tenant, app string }

// stores are all stores on one database.
type stores struct {
	pool      *pgxpool.Pool
	accounts  *accounts.Store
	apps      *apps.Store
	chats     *chats.Store
	files     *files.Store
	history   *history.Store
	providers *providers.Store
	runs      *runstore.Store
	forms     *forms.Store
	usage     *usagestore.Store
}

func open(t *testing.T) stores {
	t.Helper()
	url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	p, err := postgres.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return stores{p, accounts.New(p), apps.New(p), chats.New(p), files.New(p), history.New(p), providers.New(p), runstore.New(runs.New(p), 0), forms.New(p), usagestore.New(p)}
}

// house is a workspace with one of everything.
type house struct {
	place
	account, user                        string
	sparse                               string // another app of the workspace, with nothing in it
	token, draft, version, upload, tool  string
	run, conversation, message, firstMsg string
	feedback                             chat.Feedback
	variable                             chat.Variable
	lease                                runstore.Lease
	model                                provider.ModelRef
	credential, spare                    string
	form                                 *humaninput.Form
	budget                               usage.Budget
}

func at(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }

func (s stores) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := s.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func (s stores) newHouse(t *testing.T, name string) *house {
	t.Helper()
	ctx := t.Context()
	h := &house{place: place{ids.Random(), ids.Random()}, account: ids.Random(), sparse: ids.Random()}
	require.NoError(t, s.accounts.AddAccount(ctx, account.Account{ID: h.account, Name: name, Email: name + "@example.com",
		Status: account.Active, CreatedAt: at(0), LastActiveAt: at(0)}))
	require.NoError(t, s.accounts.AddTenant(ctx, account.Tenant{ID: h.tenant, Name: name, Plan: "basic", Status: "normal", CreatedAt: at(0)}, h.account, at(0)))
	s.addApps(t, h)
	s.addRun(t, h)
	s.addModels(t, h)
	s.addForm(t, h)
	s.addUsage(t, h)
	h.upload, h.tool = ids.New(), ids.New()
	require.NoError(t, s.files.InsertUpload(ctx, &file.Upload{ID: h.upload, TenantID: h.tenant, StorageType: "local", Key: "k", Name: "a.txt",
		Size: 1, Extension: "txt", CreatedBy: h.user, CreatedByRole: file.RoleEndUser, CreatedAt: at(0)}))
	require.NoError(t, s.files.InsertToolFile(ctx, &file.ToolFile{ID: h.tool, TenantID: h.tenant, UserID: h.user, Key: "t", MimeType: "text/plain", Name: "t.txt", Size: 1}))
	s.exec(t, `INSERT INTO message_files (message_id, type, transfer_method, upload_file_id, created_by_role, created_by)
		VALUES ($1, 'document', 'local_file', $2, 'end_user', $3)`, h.message, h.upload, h.user)
	return h
}

func (s stores) addApps(t *testing.T, h *house) {
	t.Helper()
	ctx := t.Context()
	for _, id := range []string{h.app, h.sparse} {
		a := app.App{ID: id, TenantID: h.tenant, Name: "app", Mode: app.ModeWorkflow, Status: app.StatusNormal, EnableAPI: true, CreatedAt: at(0), UpdatedAt: at(0)}
		var c *app.ModelConfig
		if id == h.app {
			c = &app.ModelConfig{ID: ids.Random(), AppID: id, PromptType: "simple", CreatedAt: at(0), UpdatedAt: at(0)}
			a.ModelConfigID = c.ID
		}
		require.NoError(t, s.apps.CreateApp(ctx, a, app.Site{ID: ids.Random(), AppID: id, Title: "app", DefaultLanguage: "en-US",
			CustomizeToken: "not_allow", Status: "normal", Code: ids.Token(16), CreatedAt: at(0)}, c))
	}
	k := app.Token{ID: ids.Random(), TenantID: h.tenant, AppID: h.app, Type: app.TokenApp, Token: "app-" + ids.Token(24), CreatedAt: at(0)}
	require.NoError(t, s.apps.AddToken(ctx, k, 9))
	u, err := s.apps.EndUser(ctx, app.EndUser{ID: ids.Random(), TenantID: h.tenant, AppID: h.app, Type: app.EndUserService, SessionID: "u", CreatedAt: at(0), UpdatedAt: at(0)})
	require.NoError(t, err)
	h.token, h.user = k.ID, u.ID
	w := app.Workflow{ID: ids.Random(), TenantID: h.tenant, AppID: h.app, Type: "workflow", Version: app.VersionDraft, CreatedBy: h.account, CreatedAt: at(0), UpdatedAt: at(0)}
	h.draft = w.ID
	require.NoError(t, s.apps.ChangeDraft(ctx, h.tenant, h.app, func(*app.Workflow) (*app.Workflow, error) { return &w, nil }))
	v := w
	v.ID, v.Version = ids.Random(), "2026-01-02 03:04:05.000000"
	_, err = s.apps.Publish(ctx, v)
	require.NoError(t, err)
	h.version = v.ID
	s.exec(t, `INSERT INTO workflow_draft_variables (app_id, node_id, name, description, selector, value_type, value, visible, editable, user_id)
		VALUES ($1, 'n', 'v', '', '["n","v"]', 'string', '"x"', true, true, $2)`, h.app, h.account)
	s.exec(t, `WITH t AS (INSERT INTO tags (tenant_id, type, name, created_by) VALUES ($1, 'app', 'tag', $3) RETURNING id)
		INSERT INTO tag_bindings (tenant_id, tag_id, target_id, created_by) SELECT $1, id, $2, $3 FROM t`, h.tenant, h.app, h.account)
}

// addRun begins a chat turn, so that run, node execution, log, conversation and
// message are as runs leave them, and keeps the lease.
func (s stores) addRun(t *testing.T, h *house) {
	t.Helper()
	ctx := t.Context()
	h.run, h.conversation, h.message, h.firstMsg = ids.New(), ids.New(), ids.New(), ids.New()
	h.variable = chat.Variable{ID: ids.Random(), ConversationID: h.conversation, Name: "v", Type: "string", Value: "x"}
	by := driver.Creator{Role: "end_user", ID: h.user}
	lease, err := s.runs.Begin(ctx, &runstore.Run{ID: h.run, TenantID: h.tenant, AppID: h.app, WorkflowID: h.version, TaskID: ids.New(), Queue: "q", Spec: []byte(`{}`)},
		"owner", &runstore.Batch{Events: []workflow.Event{{Seq: 1, Token: 1, At: at(1), Type: workflow.EventRunStarted}}, Rows: runstore.Rows{
			Run: &driver.RunRow{WorkflowID: h.version, Type: "chat", TriggeredFrom: "app-run", Version: "v", Graph: "{}", Inputs: "{}", Status: "running", CreatedBy: by, CreatedAt: at(1)},
			Nodes: []driver.NodeRow{{ID: ids.New(), WorkflowID: h.version, TriggeredFrom: "workflow-run", Index: 1, NodeID: "n", NodeType: "start", Title: "n", Status: "running",
				CreatedBy: by, CreatedAt: at(1)}},
			AppLog: &driver.AppLogRow{ID: ids.New(), WorkflowID: h.version, CreatedFrom: "service-api", CreatedBy: by, CreatedAt: at(1)},
			Conversation: &driver.ConversationRow{ID: h.conversation, Mode: "advanced-chat", Name: "c", Inputs: "{}", FromSource: "api", EndUserID: &h.user,
				InvokeFrom: "service-api", At: at(1)},
			Message: &driver.MessageRow{ID: h.message, ConversationID: h.conversation, Inputs: "{}", Query: "q", FromSource: "api", EndUserID: &h.user,
				InvokeFrom: "service-api", AppMode: "advanced-chat", CreatedAt: at(2)},
			Variables: []driver.VariableRow{{ID: h.variable.ID, ConversationID: h.conversation, Data: h.variable.Data(), CreatedAt: at(1), UpdatedAt: at(1)}},
		}})
	require.NoError(t, err)
	h.lease = lease
	s.exec(t, `INSERT INTO messages (id, app_id, conversation_id, inputs, query, message, message_unit_price, answer, answer_unit_price, currency, from_source,
			from_end_user_id, created_at)
		VALUES ($1, $2, $3, '{}', 'first', '""', 0, 'a', 0, 'USD', 'api', $4, $5)`, h.firstMsg, h.app, h.conversation, h.user, at(1))
	s.exec(t, `INSERT INTO message_annotations (app_id, question, content, account_id) VALUES ($1, 'q', 'a', $2)`, h.app, h.account)
	h.feedback = chat.Feedback{ID: ids.New(), ConversationID: h.conversation, MessageID: h.message, Rating: "like", FromSource: "user", FromEndUserID: h.user,
		CreatedAt: at(3), UpdatedAt: at(3)}
	require.NoError(t, s.chats.SaveFeedback(ctx, chat.Scope{TenantID: h.tenant, AppID: h.app, EndUserID: h.user}, h.feedback))
}

// addForm has the run ask somebody.
func (s stores) addForm(t *testing.T, h *house) {
	t.Helper()
	ctx := t.Context()
	h.form = formtest.NewForm()
	h.form.TenantID, h.form.AppID, h.form.RunID, h.form.MessageID = h.tenant, h.app, h.run, h.message
	require.NoError(t, s.forms.Create(ctx, h.form, nil))
	token := humaninput.UploadToken{ID: ids.New(), TenantID: h.tenant, AppID: h.app, FormID: h.form.ID, RecipientID: h.form.Recipients[0].ID,
		Token: ids.Token(32), CreatedAt: at(0)}
	require.NoError(t, s.forms.AddUploadToken(ctx, token))
	require.NoError(t, s.forms.AddUpload(ctx, token, ids.Random(), at(0)))
}

func (s stores) addModels(t *testing.T, h *house) {
	t.Helper()
	ctx := t.Context()
	h.model = provider.ModelRef{Model: "only-" + h.tenant, Type: llm.TypeLLM}
	h.credential, h.spare = ids.New(), ids.New()
	for i, id := range []string{h.credential, h.spare} {
		require.NoError(t, s.providers.AddModelCredential(ctx, provider.ModelCredential{ID: id, TenantID: h.tenant, Provider: prov, ModelRef: h.model,
			Name: id, Config: "{}", CreatedAt: at(i), UpdatedAt: at(i)}))
	}
	require.NoError(t, s.providers.SaveDefaultModels(ctx, h.tenant, []provider.DefaultModel{{TenantID: h.tenant, Provider: prov, ModelRef: h.model}}))
}

// fingerprint describes every row of the database.
func (s stores) fingerprint(t *testing.T) map[string]string {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	parts := make([]string, len(tables))
	for i, name := range tables {
		parts[i] = `SELECT '` + name + `', coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM ` + pgx.Identifier{name}.Sanitize() + ` t`
	}
	rows, err = s.pool.Query(t.Context(), strings.Join(parts, " UNION ALL "))
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
