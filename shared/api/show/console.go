package show

import (
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/workflow/value"
)

// ConsoleConversation renders an entry of the console's list of conversations.
func ConsoleConversation(c chat.Conversation) *value.Object {
	return value.Obj(
		"id", c.ID, "status", c.Status, "from_source", c.FromSource, "from_end_user_id", OrNull(c.FromEndUserID),
		"from_end_user_session_id", OrNull(c.SessionID), "from_account_id", OrNull(c.FromAccountID),
		"from_account_name", OrNull(c.AccountName), "name", c.Name, "summary", c.Summary, "read_at", UnixOrNull(c.ReadAt),
		"created_at", c.CreatedAt.Unix(), "updated_at", c.UpdatedAt.Unix(), "annotated", c.Stats.Annotated,
		"model_config", value.Obj("model", nil, "pre_prompt", nil), "message_count", int64(c.Stats.Messages),
		"user_feedback_stats", likes(c.Stats.UserLike, c.Stats.UserDislike),
		"admin_feedback_stats", likes(c.Stats.AdminLike, c.Stats.AdminDislike),
		"status_count", value.Obj("success", int64(c.Stats.Success), "failed", int64(c.Stats.Failed),
			"partial_success", int64(c.Stats.PartialSuccess), "paused", int64(c.Stats.Paused)),
	)
}

// ConversationDetail renders a conversation of a chatflow for the console;
// features are the app's, nil when it has none.
func ConversationDetail(c chat.Conversation, features *value.Object) *value.Object {
	return value.Obj(
		"id", c.ID, "status", c.Status, "from_source", c.FromSource, "from_end_user_id", OrNull(c.FromEndUserID),
		"from_account_id", OrNull(c.FromAccountID), "created_at", c.CreatedAt.Unix(), "updated_at", c.UpdatedAt.Unix(),
		"annotated", c.Stats.Annotated, "introduction", c.Introduction,
		"model_config", value.Obj(
			"opening_statement", features.Value("opening_statement"), "suggested_questions", features.Value("suggested_questions"),
			"model", nil, "user_input_form", nil, "pre_prompt", nil, "agent_mode", nil,
		),
		"message_count", int64(c.Stats.Messages),
		"user_feedback_stats", likes(c.Stats.UserLike, c.Stats.UserDislike),
		"admin_feedback_stats", likes(c.Stats.AdminLike, c.Stats.AdminDislike),
	)
}

func likes(like, dislike int) *value.Object {
	return value.Obj("like", int64(like), "dislike", int64(dislike))
}
