// Package chats keeps conversations, messages and feedback in the contract's
// tables. It implements chat.Store; the rows of a turn are written by the run
// store (package runs).
package chats

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/postgres"
)

// Store implements chat.Store on Postgres.
type Store struct{ db postgres.Querier }

var _ chat.Store = (*Store)(nil)

// New returns a store on db.
func New(db postgres.Querier) *Store { return &Store{db} }

// ofApp restricts a statement to the tenant's app: $1 tenant, $2 app. The
// contract's chat tables carry no tenant of their own.
const ofApp = ` app_id = $2 AND EXISTS (SELECT 1 FROM apps WHERE apps.id = $2 AND apps.tenant_id = $1)`

// who restricts to the scope's person: $3 end user, $4 account, both empty for everybody.
const who = ` AND ($3 = '' OR from_end_user_id::text = $3) AND ($4 = '' OR from_account_id::text = $4)`

func args(s chat.Scope, more ...any) []any {
	return append([]any{s.TenantID, s.AppID, s.EndUserID, s.AccountID}, more...)
}

const conversationColumns = `id::text, app_id::text, mode, name, coalesce(summary, ''), inputs, coalesce(introduction, ''),
	status, from_source, coalesce(from_end_user_id::text, ''), coalesce(from_account_id::text, ''), read_at, created_at,
	updated_at, dialogue_count`

func scanConversation(row pgx.Row) (chat.Conversation, error) {
	var c chat.Conversation
	err := row.Scan(&c.ID, &c.AppID, &c.Mode, &c.Name, &c.Summary, &c.Inputs, &c.Introduction, &c.Status, &c.FromSource,
		&c.FromEndUserID, &c.FromAccountID, &c.ReadAt, &c.CreatedAt, &c.UpdatedAt, &c.DialogueCount)
	return c, postgres.Error(err, "")
}

// Conversation returns one conversation that is not deleted.
func (st *Store) Conversation(ctx context.Context, s chat.Scope, id string) (chat.Conversation, error) {
	return scanConversation(st.db.QueryRow(ctx, `SELECT `+conversationColumns+` FROM conversations
		WHERE`+ofApp+who+` AND id = $5 AND is_deleted IS FALSE`, args(s, id)...))
}

// Conversations returns a page of a person's conversations.
func (st *Store) Conversations(ctx context.Context, s chat.Scope, p chat.Page) ([]chat.Conversation, bool, error) {
	column, desc := strings.TrimPrefix(p.SortBy, "-"), strings.HasPrefix(p.SortBy, "-")
	if column != "created_at" && column != "updated_at" {
		return nil, false, errs.Newf(errs.InvalidParam, "cannot sort by %q", p.SortBy)
	}
	order, compare := "ASC", ">"
	if desc {
		order, compare = "DESC", "<"
	}
	sql := `SELECT ` + conversationColumns + ` FROM conversations WHERE` + ofApp + who + ` AND is_deleted IS FALSE`
	params := args(s, p.Limit+1)
	if p.After != "" {
		last, err := st.Conversation(ctx, s, p.After)
		if err != nil {
			return nil, false, err
		}
		at := last.UpdatedAt
		if column == "created_at" {
			at = last.CreatedAt
		}
		sql += fmt.Sprintf(" AND (%s, id) %s ($6, $7::uuid)", column, compare)
		params = append(params, at, last.ID)
	}
	sql += fmt.Sprintf(" ORDER BY %s %s, id %s LIMIT $5", column, order, order)
	rows, err := st.db.Query(ctx, sql, params...)
	if err != nil {
		return nil, false, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (chat.Conversation, error) { return scanConversation(r) })
	if err != nil {
		return nil, false, postgres.Error(err, "")
	}
	if len(list) > p.Limit {
		return list[:p.Limit], true, nil
	}
	return list, false, nil
}

// ConsoleConversations returns a page of all conversations of an app, with the
// counts that the console shows.
func (st *Store) ConsoleConversations(ctx context.Context, s chat.Scope, q chat.ConsoleQuery) ([]chat.Conversation, int, error) {
	filter := ` FROM conversations c WHERE` + strings.ReplaceAll(ofApp, " app_id", " c.app_id") + ` AND c.is_deleted IS FALSE
		AND c.invoke_from IS DISTINCT FROM 'debugger'
		AND ($3 = '' OR c.name ILIKE $3 OR EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id
			AND (m.query ILIKE $3 OR m.answer ILIKE $3)))
		AND ($4::timestamp IS NULL OR c.created_at >= $4) AND ($5::timestamp IS NULL OR c.created_at <= $5)
		AND ($6 = '' OR c.id::text = $6)
		AND ($7::boolean IS NULL OR $7 = EXISTS (SELECT 1 FROM message_annotations n WHERE n.conversation_id = c.id))`
	params := []any{s.TenantID, s.AppID, postgres.Like(q.Keyword), q.Start, q.End, q.ID, q.Annotated}
	var total int
	if err := st.db.QueryRow(ctx, `SELECT count(*)`+filter, params...).Scan(&total); err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	column, order := strings.TrimPrefix(q.SortBy, "-"), "ASC"
	if column != "updated_at" {
		column = "created_at"
	}
	if q.SortBy == "" || strings.HasPrefix(q.SortBy, "-") {
		order = "DESC"
	}
	sql := `SELECT c.id::text, c.mode, c.name, coalesce(nullif(c.summary, ''), (SELECT q.query FROM messages q
			WHERE q.conversation_id = c.id ORDER BY q.created_at, q.id LIMIT 1), ''), c.inputs, coalesce(c.introduction, ''), c.status,
		c.from_source, coalesce(c.from_end_user_id::text, ''), coalesce(c.from_account_id::text, ''), c.read_at, c.created_at,
		c.updated_at, coalesce(u.session_id, ''), coalesce(a.name, ''), coalesce(m.n, 0), coalesce(m.ok, 0),
		coalesce(m.failed, 0), coalesce(m.partial, 0), coalesce(m.paused, 0), coalesce(f.ul, 0), coalesce(f.ud, 0),
		coalesce(f.al, 0), coalesce(f.ad, 0), EXISTS (SELECT 1 FROM message_annotations x WHERE x.conversation_id = c.id)
		FROM (SELECT *` + filter + fmt.Sprintf(` ORDER BY c.%s %s, c.id %s LIMIT $8 OFFSET $9) c`, column, order, order) + `
		LEFT JOIN end_users u ON u.id = c.from_end_user_id AND u.tenant_id = $1
		LEFT JOIN accounts a ON a.id = c.from_account_id
		LEFT JOIN LATERAL (SELECT count(*) n,
			count(*) FILTER (WHERE r.status = 'succeeded' OR r.id IS NULL AND m.status = 'normal') ok,
			count(*) FILTER (WHERE r.status IN ('failed', 'stopped') OR r.id IS NULL AND m.status = 'error') failed,
			count(*) FILTER (WHERE r.status = 'partial-succeeded') partial,
			count(*) FILTER (WHERE r.status = 'paused') paused
			FROM messages m LEFT JOIN workflow_runs r ON r.id = m.workflow_run_id AND r.tenant_id = $1
			WHERE m.conversation_id = c.id) m ON true
		LEFT JOIN LATERAL (SELECT
			count(*) FILTER (WHERE from_source = 'user' AND rating = 'like') ul,
			count(*) FILTER (WHERE from_source = 'user' AND rating = 'dislike') ud,
			count(*) FILTER (WHERE from_source = 'admin' AND rating = 'like') al,
			count(*) FILTER (WHERE from_source = 'admin' AND rating = 'dislike') ad
			FROM message_feedbacks WHERE conversation_id = c.id) f ON true` +
		fmt.Sprintf(` ORDER BY c.%s %s, c.id %s`, column, order, order)
	rows, err := st.db.Query(ctx, sql, append(params, q.Limit, (q.Page-1)*q.Limit)...)
	if err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (chat.Conversation, error) {
		c := chat.Conversation{AppID: s.AppID}
		n := &c.Stats
		err := r.Scan(&c.ID, &c.Mode, &c.Name, &c.Summary, &c.Inputs, &c.Introduction, &c.Status, &c.FromSource,
			&c.FromEndUserID, &c.FromAccountID, &c.ReadAt, &c.CreatedAt, &c.UpdatedAt, &c.SessionID, &c.AccountName,
			&n.Messages, &n.Success, &n.Failed, &n.PartialSuccess, &n.Paused, &n.UserLike, &n.UserDislike, &n.AdminLike,
			&n.AdminDislike, &n.Annotated)
		return c, err
	})
	return list, total, postgres.Error(err, "")
}

// MarkRead notes the first reader of a conversation.
func (st *Store) MarkRead(ctx context.Context, s chat.Scope, id, accountID string, at time.Time) error {
	_, err := st.db.Exec(ctx, `UPDATE conversations SET read_at = $6, read_account_id = $7 WHERE`+ofApp+who+` AND id = $5 AND read_at IS NULL`,
		args(s, id, at.UTC(), accountID)...)
	return postgres.Error(err, "")
}

// RenameConversation stores a new name.
func (st *Store) RenameConversation(ctx context.Context, s chat.Scope, id, name string, at time.Time) error {
	return st.one(ctx, `UPDATE conversations SET name = $6, updated_at = $7 WHERE`+ofApp+who+` AND id = $5 AND is_deleted IS FALSE`,
		args(s, id, name, at.UTC())...)
}

// DeleteConversation marks a conversation as deleted.
func (st *Store) DeleteConversation(ctx context.Context, s chat.Scope, id string, at time.Time) error {
	return st.one(ctx, `UPDATE conversations SET is_deleted = TRUE, updated_at = $6 WHERE`+ofApp+who+` AND id = $5 AND is_deleted IS FALSE`,
		args(s, id, at.UTC())...)
}

const messageColumns = `id::text, app_id::text, conversation_id::text, coalesce(parent_message_id::text, ''), inputs, query, answer,
	message_tokens, answer_tokens, coalesce(total_price::text, ''), currency, provider_response_latency, status,
	coalesce(error, ''), coalesce(message_metadata, ''), message, from_source, coalesce(from_end_user_id::text, ''),
	coalesce(from_account_id::text, ''), coalesce(workflow_run_id::text, ''), created_at`

func scanMessage(row pgx.CollectableRow) (chat.Message, error) {
	var m chat.Message
	var metadata string
	err := row.Scan(&m.ID, &m.AppID, &m.ConversationID, &m.ParentMessageID, &m.Inputs, &m.Query, &m.Answer, &m.MessageTokens,
		&m.AnswerTokens, &m.TotalPrice, &m.Currency, &m.Latency, &m.Status, &m.Error, &metadata, &m.Prompt, &m.FromSource,
		&m.FromEndUserID, &m.FromAccountID, &m.WorkflowRunID, &m.CreatedAt)
	if metadata != "" {
		m.Metadata = []byte(metadata)
	}
	return m, err
}

func (st *Store) messages(ctx context.Context, s chat.Scope, sql string, params ...any) ([]chat.Message, error) {
	rows, err := st.db.Query(ctx, sql, params...)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, scanMessage)
	if err != nil || len(list) == 0 {
		return list, postgres.Error(err, "")
	}
	return list, st.attach(ctx, s, list)
}

// attach loads files and feedback of the messages in two statements.
func (st *Store) attach(ctx context.Context, s chat.Scope, list []chat.Message) error {
	at := make(map[string]*chat.Message, len(list))
	idList := make([]string, len(list))
	for i := range list {
		at[list[i].ID], idList[i] = &list[i], list[i].ID
	}
	rows, err := st.db.Query(ctx, `SELECT f.id::text, f.message_id::text, f.type, f.transfer_method, coalesce(f.url, ''),
		coalesce(f.upload_file_id::text, ''), coalesce(f.belongs_to, ''), coalesce(u.name, ''), coalesce(u.mime_type, ''),
		coalesce(u.extension, ''), coalesce(u.size, 0)
		FROM message_files f LEFT JOIN upload_files u ON u.id = f.upload_file_id AND u.tenant_id = $1
		WHERE f.message_id = ANY ($2::uuid[]) ORDER BY f.created_at, f.id`, s.TenantID, idList)
	if err != nil {
		return postgres.Error(err, "")
	}
	files, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (f chat.MessageFile, err error) {
		err = r.Scan(&f.ID, &f.MessageID, &f.Type, &f.TransferMethod, &f.URL, &f.UploadFileID, &f.BelongsTo, &f.Filename,
			&f.MimeType, &f.Extension, &f.Size)
		return f, err
	})
	if err != nil {
		return postgres.Error(err, "")
	}
	for _, f := range files {
		at[f.MessageID].Files = append(at[f.MessageID].Files, f)
	}
	rows, err = st.db.Query(ctx, `SELECT f.*, coalesce(a.name, ''), coalesce(a.email, '') FROM (
			SELECT `+feedbackColumns+` FROM message_feedbacks WHERE`+ofApp+` AND message_id = ANY ($3::uuid[])) f
		LEFT JOIN accounts a ON a.id::text = f.account_id ORDER BY f.created_at, f.id`, s.TenantID, s.AppID, idList)
	if err != nil {
		return postgres.Error(err, "")
	}
	feedback, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (f chat.Feedback, err error) {
		return f, r.Scan(append(feedbackTargets(&f), &f.AccountName, &f.AccountEmail)...)
	})
	for _, f := range feedback {
		at[f.MessageID].Feedbacks = append(at[f.MessageID].Feedbacks, f)
	}
	return postgres.Error(err, "")
}

// Message returns one message with its files and feedback.
func (st *Store) Message(ctx context.Context, s chat.Scope, id string) (chat.Message, error) {
	list, err := st.messages(ctx, s, `SELECT `+messageColumns+` FROM messages WHERE`+ofApp+who+` AND id = $5`, args(s, id)...)
	if err != nil {
		return chat.Message{}, err
	}
	if len(list) == 0 {
		return chat.Message{}, errs.New(errs.NotFound, "")
	}
	return list[0], nil
}

// Messages returns a page of a conversation, oldest first.
func (st *Store) Messages(ctx context.Context, s chat.Scope, conversationID, first string, limit int) ([]chat.Message, bool, error) {
	sql := `SELECT ` + messageColumns + ` FROM messages WHERE` + ofApp + who + ` AND conversation_id = $5`
	params := args(s, conversationID, limit+1)
	if first != "" {
		var at time.Time
		err := st.db.QueryRow(ctx, `SELECT created_at FROM messages WHERE`+ofApp+who+` AND conversation_id = $5 AND id = $6`,
			args(s, conversationID, first)...).Scan(&at)
		if err != nil {
			return nil, false, postgres.Error(err, "")
		}
		sql += ` AND (created_at, id) < ($7, $8::uuid)`
		params = append(params, at, first)
	}
	list, err := st.messages(ctx, s, sql+` ORDER BY created_at DESC, id DESC LIMIT $6`, params...)
	if err != nil {
		return nil, false, err
	}
	more := len(list) > limit
	if more {
		list = list[:limit]
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list, more, nil
}

// Recent returns the newest messages of a conversation, newest first.
func (st *Store) Recent(ctx context.Context, s chat.Scope, conversationID string, limit int) ([]chat.Message, error) {
	return st.messages(ctx, s, `SELECT `+messageColumns+` FROM messages WHERE`+ofApp+who+
		` AND conversation_id = $5 ORDER BY created_at DESC, id DESC LIMIT $6`, args(s, conversationID, limit)...)
}

// First returns the oldest message of a conversation.
func (st *Store) First(ctx context.Context, s chat.Scope, conversationID string) (chat.Message, error) {
	list, err := st.messages(ctx, s, `SELECT `+messageColumns+` FROM messages WHERE`+ofApp+who+
		` AND conversation_id = $5 ORDER BY created_at, id LIMIT 1`, args(s, conversationID)...)
	if err != nil {
		return chat.Message{}, err
	}
	if len(list) == 0 {
		return chat.Message{}, errs.New(errs.NotFound, "")
	}
	return list[0], nil
}

const feedbackColumns = `id::text, app_id::text, conversation_id::text, message_id::text, rating, coalesce(content, ''),
	from_source, coalesce(from_end_user_id::text, ''), coalesce(from_account_id::text, '') AS account_id, created_at, updated_at`

func feedbackTargets(f *chat.Feedback) []any {
	return []any{&f.ID, &f.AppID, &f.ConversationID, &f.MessageID, &f.Rating, &f.Content, &f.FromSource, &f.FromEndUserID,
		&f.FromAccountID, &f.CreatedAt, &f.UpdatedAt}
}

func scanFeedback(row pgx.CollectableRow) (f chat.Feedback, err error) {
	return f, row.Scan(feedbackTargets(&f)...)
}

// Feedback returns the scope's person's feedback on a message.
func (st *Store) Feedback(ctx context.Context, s chat.Scope, messageID string) (chat.Feedback, bool, error) {
	rows, err := st.db.Query(ctx, `SELECT `+feedbackColumns+` FROM message_feedbacks WHERE`+ofApp+who+` AND message_id = $5 LIMIT 1`,
		args(s, messageID)...)
	if err != nil {
		return chat.Feedback{}, false, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, scanFeedback)
	if err != nil || len(list) == 0 {
		return chat.Feedback{}, false, postgres.Error(err, "")
	}
	return list[0], true, nil
}

// SaveFeedback inserts or replaces feedback by its id.
func (st *Store) SaveFeedback(ctx context.Context, s chat.Scope, f chat.Feedback) error {
	return st.one(ctx, `INSERT INTO message_feedbacks (id, app_id, conversation_id, message_id, rating, content, from_source,
			from_end_user_id, from_account_id, created_at, updated_at)
		SELECT $3, apps.id, $4, $5, $6, nullif($7, ''), $8, nullif($9, '')::uuid, nullif($10, '')::uuid, $11, $12
		FROM apps JOIN messages m ON m.id = $5 AND m.app_id = apps.id WHERE apps.id = $2 AND apps.tenant_id = $1
		ON CONFLICT (id) DO UPDATE SET rating = excluded.rating, content = excluded.content, updated_at = excluded.updated_at
		WHERE message_feedbacks.app_id = excluded.app_id AND message_feedbacks.message_id = excluded.message_id`,
		s.TenantID, s.AppID, f.ID, f.ConversationID, f.MessageID, f.Rating, f.Content, f.FromSource, f.FromEndUserID,
		f.FromAccountID, f.CreatedAt.UTC(), f.UpdatedAt.UTC())
}

// DeleteFeedback removes feedback.
func (st *Store) DeleteFeedback(ctx context.Context, s chat.Scope, id string) error {
	return st.one(ctx, `DELETE FROM message_feedbacks WHERE`+ofApp+who+` AND id = $5`, args(s, id)...)
}

// Feedbacks returns a page of an app's feedback, newest first.
func (st *Store) Feedbacks(ctx context.Context, s chat.Scope, page, limit int) ([]chat.Feedback, error) {
	rows, err := st.db.Query(ctx, `SELECT `+feedbackColumns+` FROM message_feedbacks WHERE`+ofApp+
		` ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4`, s.TenantID, s.AppID, limit, (page-1)*limit)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, scanFeedback)
	return list, postgres.Error(err, "")
}

// Annotations returns a page of an app's annotations, newest first.
func (st *Store) Annotations(ctx context.Context, s chat.Scope, keyword string, page, limit int) ([]chat.Annotation, int, error) {
	from := ` FROM message_annotations WHERE` + ofApp + ` AND ($3 = '' OR question ILIKE $3 OR content ILIKE $3)`
	params := []any{s.TenantID, s.AppID, postgres.Like(keyword)}
	var total int
	if err := st.db.QueryRow(ctx, `SELECT count(*)`+from, params...).Scan(&total); err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	rows, err := st.db.Query(ctx, `SELECT id::text, coalesce(question, ''), content, hit_count, created_at`+from+
		` ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5`, append(params, limit, (page-1)*limit)...)
	if err != nil {
		return nil, 0, postgres.Error(err, "")
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (n chat.Annotation, err error) {
		return n, r.Scan(&n.ID, &n.Question, &n.Answer, &n.Hits, &n.CreatedAt)
	})
	return list, total, postgres.Error(err, "")
}

// one executes a statement that must change a row.
func (st *Store) one(ctx context.Context, sql string, params ...any) error {
	tag, err := st.db.Exec(ctx, sql, params...)
	if err != nil {
		return postgres.Error(err, "")
	}
	if tag.RowsAffected() == 0 {
		return errs.New(errs.NotFound, "")
	}
	return nil
}
