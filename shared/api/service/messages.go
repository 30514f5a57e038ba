package service

import (
	"net/http"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/assist"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// messages lists a conversation backwards: the newest, or those before one.
func (a *api) messages(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	q := edge.NewQuery(r)
	conversationID, first := show.QueryID(q, "conversation_id", true), show.QueryID(q, "first_id", false)
	limit := q.Int("limit", 20, 1, 100)
	if err := q.Err(); err != nil {
		return err
	}
	list, more, err := a.Chats.Messages(r.Context(), c.scope(), conversationID, first, limit)
	if err != nil {
		return err
	}
	if a.Forms != nil && c.app.Mode == modeAdvancedChat {
		if err := show.AddForms(r.Context(), a.Forms, c.app.TenantID, c.app.ID, list); err != nil {
			return err
		}
	}
	return edge.OK(w, show.NewScroll(limit, more, list, a.render.Message))
}

// rate sets or clears the end user's opinion of a message.
func (a *api) rate(w http.ResponseWriter, r *http.Request, c *caller) error {
	var p edge.Problems
	rating := optionalText(c.body, "rating", &p)
	if c.body.Value("rating") != nil {
		p.OneOf("rating", rating, "like", "dislike")
	}
	content := optionalText(c.body, "content", &p)
	if err := p.Err(); err != nil {
		return err
	}
	if err := a.Chats.Rate(r.Context(), c.scope(), r.PathValue("message_id"), rating, content); err != nil {
		return err
	}
	return edge.Success(w, http.StatusOK)
}

// suggested asks a model what the end user may want to ask after a message.
func (a *api) suggested(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	ctx := r.Context()
	m, err := a.Chats.Message(ctx, c.scope(), r.PathValue("message_id"))
	if err != nil {
		return err
	}
	if c.app.Mode != modeAdvancedChat {
		return errs.New(errs.NotImplemented, "")
	}
	_, f, err := a.version(ctx, c.app, "")
	if err != nil {
		return err
	}
	config := assist.ParseQuestionsConfig(f.features.Value("suggested_questions_after_answer"))
	if !config.Enabled {
		return errs.New(errs.BadRequest, "Suggested Questions Is Disabled.")
	}
	questions := []string{}
	if a.Assistant != nil {
		history, err := a.Chats.History(ctx, c.scope(), m.ConversationID, 3)
		if err != nil {
			return err
		}
		questions = a.Assistant.Questions(ctx, c.app.TenantID, history, config)
	}
	return edge.OK(w, map[string]any{"result": "success", "data": questions})
}

// feedbacks lists the opinions of all messages of an app.
func (a *api) feedbacks(w http.ResponseWriter, r *http.Request, app *App) error {
	q := edge.NewQuery(r)
	page, limit := q.Int("page", 1, 1, 0), q.Int("limit", 20, 1, 101)
	if err := q.Err(); err != nil {
		return err
	}
	list, err := a.Chats.Feedbacks(r.Context(), chat.Scope{TenantID: app.TenantID, AppID: app.ID}, page, limit)
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]any{"data": show.Each(list, func(f chat.Feedback) *value.Object {
		return value.Obj(
			"id", f.ID, "app_id", f.AppID, "conversation_id", f.ConversationID, "message_id", f.MessageID, "rating", f.Rating,
			"content", show.OrNull(f.Content), "from_source", f.FromSource, "from_end_user_id", show.OrNull(f.FromEndUserID),
			"from_account_id", show.OrNull(f.FromAccountID), "created_at", show.ISO(f.CreatedAt), "updated_at", show.ISO(f.UpdatedAt),
		)
	})})
}

// annotations lists the prepared answers of an app.
func (a *api) annotations(w http.ResponseWriter, r *http.Request, app *App) error {
	q := edge.NewQuery(r)
	page, limit := q.Int("page", 1, 1, 0), q.Int("limit", 20, 1, 100)
	if err := q.Err(); err != nil {
		return err
	}
	list, total, err := a.Chats.Annotations(r.Context(), chat.Scope{TenantID: app.TenantID, AppID: app.ID}, q.Text("keyword"), page, limit)
	if err != nil {
		return err
	}
	return edge.OK(w, edge.NewPage(page, limit, total, show.Each(list, func(n chat.Annotation) *value.Object {
		return value.Obj("id", n.ID, "question", show.OrNull(n.Question), "answer", n.Answer, "hit_count", n.Hits, "created_at", n.CreatedAt.Unix())
	})))
}
