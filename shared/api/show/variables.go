package show

import (
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/workflow/value"
)

// ConversationVariable renders a variable of a conversation. Values are shown
// as text whatever their type.
func ConversationVariable(v chat.Variable) *value.Object {
	var text any
	if v.Value != nil {
		text = value.Str(v.Value)
	}
	return value.Obj("id", v.ID, "name", v.Name, "value_type", v.Type, "value", text, "description", v.Description,
		"created_at", v.CreatedAt.Unix(), "updated_at", v.UpdatedAt.Unix())
}
