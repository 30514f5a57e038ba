package chats_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/chattest"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/chats"
)

type world struct{ pool *pgxpool.Pool }

func (w world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func (w world) AddApp(t *testing.T, tenantID, appID string) {
	w.exec(t, `INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api) VALUES ($1, $2, 'a', 'advanced-chat', true, true)`, appID, tenantID)
}

func (w world) AddConversation(t *testing.T, _ string, c chat.Conversation) {
	w.exec(t, `INSERT INTO conversations (id, app_id, mode, name, inputs, status, from_source, from_end_user_id, created_at, updated_at, system_instruction_tokens)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)`,
		c.ID, c.AppID, c.Mode, c.Name, c.Inputs, c.Status, c.FromSource, c.FromEndUserID, c.CreatedAt, c.UpdatedAt)
}

func (w world) AddMessage(t *testing.T, _ string, m chat.Message) {
	w.exec(t, `INSERT INTO messages (id, app_id, conversation_id, parent_message_id, inputs, query, message, message_unit_price, answer,
			answer_tokens, answer_unit_price, provider_response_latency, currency, status, from_source, from_end_user_id, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, 0, 0, $10, $11, $12, $13, $14, $14)`,
		m.ID, m.AppID, m.ConversationID, m.ParentMessageID, m.Inputs, m.Query, m.Prompt, m.Answer, m.AnswerTokens, m.Currency, m.Status,
		m.FromSource, m.FromEndUserID, m.CreatedAt)
}

func (w world) AddVariable(t *testing.T, _, appID string, v chat.Variable) {
	w.exec(t, `INSERT INTO workflow_conversation_variables (id, conversation_id, app_id, data, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		v.ID, v.ConversationID, appID, v.Data(), v.CreatedAt, v.UpdatedAt)
}

func (w world) AddAnnotation(t *testing.T, _, appID string, a chat.Annotation) {
	w.exec(t, `INSERT INTO message_annotations (id, app_id, question, content, account_id, created_at) VALUES ($1, $2, $3, $4, gen_random_uuid(), $5)`,
		a.ID, appID, a.Question, a.Answer, a.CreatedAt)
}

// open returns a pool on a migrated database of the test's own.
func open(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	pool, err := postgres.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestStore(t *testing.T) {
	t.Parallel()
	// One database for all: every test works in a workspace of its own.
	pool := open(t)
	chattest.Run(t, func(*testing.T) (chat.Store, chattest.World) {
		return chats.New(pool), world{pool}
	})
}
