package service

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/run"
)

// keptVariables are the values with which the next turn of a conversation
// begins.
func (a *api) keptVariables(ctx context.Context, scope chat.Scope, conversationID string) ([]run.StoredVariable, error) {
	list, err := a.Chats.AllVariables(ctx, scope, conversationID)
	if err != nil {
		return nil, err
	}
	return run.StoredVariables(list)
}

// maxVariableName is the longest name in characters that can be asked for.
const maxVariableName = 255

// variables lists what a conversation keeps of its variables.
func (a *api) variables(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	q := edge.NewQuery(r)
	query := chat.VariableQuery{After: show.QueryID(q, "last_id", false), Limit: q.Int("limit", 20, 1, 100), Name: q.Text("variable_name")}
	if utf8.RuneCountInString(query.Name) > maxVariableName {
		q.Add("variable_name", "should have at most 255 characters")
	}
	if err := q.Err(); err != nil {
		return err
	}
	list, more, err := a.Chats.Variables(r.Context(), c.scope(), r.PathValue("c_id"), query)
	if err != nil {
		return err
	}
	return edge.OK(w, show.NewScroll(query.Limit, more, list, show.ConversationVariable))
}

// setVariable gives a variable another value between two turns.
func (a *api) setVariable(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	var p edge.Problems
	v, sent := c.body.Get("value")
	p.Require("value", sent)
	if err := p.Err(); err != nil {
		return err
	}
	changed, err := a.Chats.SetVariable(r.Context(), c.scope(), r.PathValue("c_id"), r.PathValue("variable_id"), v)
	if err != nil {
		return err
	}
	return edge.OK(w, show.ConversationVariable(changed))
}
