package service

import (
	"context"
	"net/http"
	"strings"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/show"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
)

// chatRequest is the body of a chat request.
type chatRequest struct {
	*options
	query          string
	conversationID string
	workflowID     string
	autoName       bool
}

func readChat(c *caller) (*chatRequest, error) {
	var p edge.Problems
	q := &chatRequest{options: readOptions(c.body, &p)}
	raw, sent := c.body.Get("query")
	p.Require("query", sent)
	if text, ok := raw.(string); ok {
		q.query = strings.ReplaceAll(text, "\x00", "")
	} else if sent {
		p.Add("query", "should be a valid string")
	}
	if q.conversationID = strings.TrimSpace(optionalText(c.body, "conversation_id", &p)); q.conversationID != "" && !ids.Valid(q.conversationID) {
		p.Add("conversation_id", "should be a valid uuid")
	}
	q.workflowID = optionalText(c.body, "workflow_id", &p)
	q.autoName = flag(c.body, "auto_generate_name", true, &p)
	return q, p.Err()
}

// chatMessage answers a message in a chatflow.
func (a *api) chatMessage(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	q, err := readChat(c)
	if err != nil {
		return err
	}
	if c.app.Mode != modeAdvancedChat {
		return errs.New(errs.NotImplemented, "")
	}
	ctx := r.Context()
	version, f, err := a.version(ctx, c.app, q.workflowID)
	if err != nil {
		return err
	}
	if q.query == "" {
		return errs.New(errs.InvalidParam, "query is required")
	}
	t := a.newTurn(c, version, f, q.options)
	t.req.Chat = &run.ChatTurn{
		ConversationID: q.conversationID, MessageID: ids.New(), ParentMessageID: ids.Nil, Query: q.query,
	}
	if q.conversationID != "" {
		conversation, err := a.Chats.Conversation(ctx, c.scope(), q.conversationID)
		if err != nil {
			return err
		}
		t.req.Chat.DialogueCount = conversation.DialogueCount
		if t.req.Chat.Variables, err = a.keptVariables(ctx, c.scope(), q.conversationID); err != nil {
			return err
		}
	} else {
		t.req.Chat.ConversationID, t.req.Chat.NewConversation = ids.New(), true
		// The opening may show inputs, so it is filled after they are checked.
		t.opening = f.features.String("opening_statement")
	}
	t.view.Chat, t.view.ConversationID, t.view.MessageID = true, t.req.Chat.ConversationID, t.req.Chat.MessageID

	wait := func() {}
	if t.req.Chat.NewConversation && q.autoName && a.Assistant != nil {
		t.started = func() { wait = a.nameLater(ctx, c, t.req.Chat.ConversationID, q.query) }
	}
	err = a.execute(w, r, t)
	if a.Hold {
		wait()
	}
	return err
}

// nameLater gives a new conversation its name beside the run that answers its
// first message. The returned function waits for it.
func (a *api) nameLater(ctx context.Context, c *caller, conversationID, query string) (wait func()) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), namingTimeout)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		name := a.Assistant.Name(ctx, c.app.TenantID, query)
		if _, err := a.Chats.Rename(ctx, c.scope(), conversationID, name); err != nil {
			a.Logger.WarnContext(ctx, "name conversation", "conversation_id", conversationID, "error", err.Error())
		}
	}()
	return func() { <-done }
}

// completionMessage is for completion apps, whose runs come later.
func (a *api) completionMessage(_ http.ResponseWriter, _ *http.Request, c *caller) error {
	if c.app.Mode != modeCompletion {
		return errs.New(errs.AppUnavailable, "")
	}
	return errs.New(errs.NotImplemented, "")
}

// stopChat stops a run that the same end user started.
func (a *api) stopChat(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	return a.stop(w, r, c, func(v *run.View) bool { return v.Request.User.ID == c.user.ID })
}

func (a *api) stopCompletion(w http.ResponseWriter, r *http.Request, c *caller) error {
	if c.app.Mode != modeCompletion {
		return errs.New(errs.AppUnavailable, "")
	}
	return a.stop(w, r, c, func(v *run.View) bool { return v.Request.User.ID == c.user.ID })
}

// conversations lists the end user's conversations.
func (a *api) conversations(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	q := edge.NewQuery(r)
	p := chat.Page{After: show.QueryID(q, "last_id", false), Limit: q.Int("limit", 20, 1, 100), SortBy: "-updated_at"}
	if q.Has("sort_by") {
		p.SortBy = q.Text("sort_by")
		q.OneOf("sort_by", p.SortBy, "created_at", "-created_at", "updated_at", "-updated_at")
	}
	if err := q.Err(); err != nil {
		return err
	}
	list, more, err := a.Chats.Conversations(r.Context(), c.scope(), p)
	if err != nil {
		return err
	}
	return edge.OK(w, show.NewScroll(p.Limit, more, list, a.render.Conversation))
}

func (a *api) deleteConversation(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	if err := a.Chats.Delete(r.Context(), c.scope(), r.PathValue("c_id")); err != nil {
		return err
	}
	return edge.NoContent(w)
}

// renameConversation takes a name or makes one from the first message.
func (a *api) renameConversation(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := needChat(c.app); err != nil {
		return err
	}
	var p edge.Problems
	name := strings.TrimSpace(optionalText(c.body, "name", &p))
	auto := flag(c.body, "auto_generate", false, &p)
	if !auto && name == "" {
		p.Add("name", "is required when auto_generate is false")
	}
	if err := p.Err(); err != nil {
		return err
	}
	ctx, id := r.Context(), r.PathValue("c_id")
	if auto {
		first, err := a.Chats.FirstMessage(ctx, c.scope(), id)
		if err != nil {
			return err
		}
		name = first.Query
		if a.Assistant != nil {
			name = a.Assistant.Name(ctx, c.app.TenantID, first.Query)
		}
	}
	renamed, err := a.Chats.Rename(ctx, c.scope(), id, name)
	if err != nil {
		return err
	}
	return edge.OK(w, a.render.Conversation(renamed))
}
