package chats

import (
	"context"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/postgres"
)

// ofConversation restricts to the variables of a conversation ($5) that the
// scope sees.
const ofConversation = ofApp + ` AND conversation_id = $5 AND EXISTS (SELECT 1 FROM conversations
	WHERE conversations.id = $5 AND conversations.app_id = $2 AND is_deleted IS FALSE` + who + `)`

// Variables returns what a conversation keeps, oldest first. Rows that other
// programs wrote and that make no sense are left out.
func (st *Store) Variables(ctx context.Context, s chat.Scope, conversationID string) ([]chat.Variable, error) {
	rows, err := st.db.Query(ctx, `SELECT id::text, conversation_id::text, data, created_at, updated_at FROM workflow_conversation_variables
		WHERE`+ofConversation+` ORDER BY created_at, id`, args(s, conversationID)...)
	if err != nil {
		return nil, postgres.Error(err, "")
	}
	defer rows.Close()
	var list []chat.Variable
	for rows.Next() {
		var v chat.Variable
		var data string
		if err := rows.Scan(&v.ID, &v.ConversationID, &data, &v.CreatedAt, &v.UpdatedAt); err != nil {
			return nil, postgres.Error(err, "")
		}
		if v.ReadData(data) == nil {
			list = append(list, v)
		}
	}
	return list, postgres.Error(rows.Err(), "")
}

// SaveVariable changes the value of a variable.
func (st *Store) SaveVariable(ctx context.Context, s chat.Scope, v chat.Variable) error {
	return st.one(ctx, `UPDATE workflow_conversation_variables SET data = $7, updated_at = $8 WHERE`+ofConversation+` AND id = $6`,
		args(s, v.ConversationID, v.ID, v.Data(), v.UpdatedAt)...)
}
