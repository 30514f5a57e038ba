// Package chattest is the suite that every chat.Store passes.
package chattest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// World puts rows into a store that other parts of the system write: apps, and
// what runs make.
type World interface {
	AddApp(t *testing.T, tenantID, appID string)
	AddConversation(t *testing.T, tenantID string, c chat.Conversation)
	AddMessage(t *testing.T, tenantID string, m chat.Message)
	AddVariable(t *testing.T, tenantID, appID string, v chat.Variable)
	AddAnnotation(t *testing.T, tenantID, appID string, a chat.Annotation)
}

// fixture is an app with conversations of one end user, a minute apart.
type fixture struct {
	chat.Store
	world World
	scope chat.Scope
	at    time.Time
}

func (f *fixture) conversation(t *testing.T, name string, minute int) string {
	t.Helper()
	id := ids.New()
	at := f.at.Add(time.Duration(minute) * time.Minute)
	f.world.AddConversation(t, f.scope.TenantID, chat.Conversation{
		ID: id, AppID: f.scope.AppID, Mode: "advanced-chat", Name: name, Inputs: []byte(`{"x": null}`), Status: "normal",
		FromSource: "api", FromEndUserID: f.scope.EndUserID, CreatedAt: at, UpdatedAt: at,
	})
	return id
}

func (f *fixture) message(t *testing.T, conversationID, query string, minute int) string {
	t.Helper()
	id := ids.New()
	f.world.AddMessage(t, f.scope.TenantID, chat.Message{
		ID: id, AppID: f.scope.AppID, ConversationID: conversationID, ParentMessageID: ids.Nil, Inputs: []byte(`{}`), Query: query,
		Answer: "re " + query, AnswerTokens: 1, Currency: "USD", Status: "normal", Prompt: []byte(`""`), FromSource: "api",
		FromEndUserID: f.scope.EndUserID, CreatedAt: f.at.Add(time.Duration(minute) * time.Minute),
	})
	return id
}

// foreign are scopes that may see nothing of the fixture.
func (f *fixture) foreign() map[string]chat.Scope {
	tenant, app, user := f.scope, f.scope, f.scope
	tenant.TenantID, app.AppID, user.EndUserID = ids.Random(), ids.Random(), ids.Random()
	return map[string]chat.Scope{"tenant": tenant, "app": app, "person": user}
}

// Run runs the suite; open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) (chat.Store, World)) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"Conversations": conversations, "ChangeConversation": changeConversation, "Messages": messages, "Feedback": feedback,
		"Foreign": foreign, "Console": console, "Annotations": annotations, "Variables": variables,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, world := open(t)
			f := &fixture{
				Store: store, world: world, at: time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC),
				scope: chat.Scope{TenantID: ids.Random(), AppID: ids.Random(), EndUserID: ids.Random()},
			}
			world.AddApp(t, f.scope.TenantID, f.scope.AppID)
			test(t, f)
		})
	}
}

func names(list []chat.Conversation) []string {
	out := []string{}
	for _, c := range list {
		out = append(out, c.Name)
	}
	return out
}

func queries(list []chat.Message) []string {
	out := []string{}
	for _, m := range list {
		out = append(out, m.Query)
	}
	return out
}

func conversations(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.conversation(t, "a", 1)
	b := f.conversation(t, "b", 2)
	f.conversation(t, "c", 3)
	for _, c := range []struct {
		page chat.Page
		want []string
		more bool
	}{
		{chat.Page{Limit: 10, SortBy: "-updated_at"}, []string{"c", "b", "a"}, false},
		{chat.Page{Limit: 2, SortBy: "-updated_at"}, []string{"c", "b"}, true},
		{chat.Page{Limit: 2, SortBy: "-updated_at", After: b}, []string{"a"}, false},
		{chat.Page{Limit: 2, SortBy: "created_at", After: b}, []string{"c"}, false},
		{chat.Page{Limit: 1, SortBy: "created_at"}, []string{"a"}, true},
	} {
		list, more, err := f.Conversations(ctx, f.scope, c.page)
		require.NoError(t, err)
		require.Equal(t, c.want, names(list))
		require.Equal(t, c.more, more)
	}
	_, _, err := f.Conversations(ctx, f.scope, chat.Page{Limit: 1, SortBy: "created_at", After: ids.Random()})
	require.True(t, errs.Is(err, errs.NotFound), "%v", err)

	got, err := f.Conversation(ctx, f.scope, b)
	require.NoError(t, err)
	require.JSONEq(t, `{"x": null}`, string(got.Inputs))
	require.True(t, got.CreatedAt.Equal(f.at.Add(2*time.Minute)), "%v", got.CreatedAt)
	require.Equal(t, f.scope.EndUserID, got.FromEndUserID)
}

func changeConversation(t *testing.T, f *fixture) {
	ctx := t.Context()
	a := f.conversation(t, "a", 1)
	f.conversation(t, "b", 2)
	require.NoError(t, f.RenameConversation(ctx, f.scope, a, "renamed", f.at.Add(time.Hour)))
	list, _, err := f.Conversations(ctx, f.scope, chat.Page{Limit: 10, SortBy: "-updated_at"})
	require.NoError(t, err)
	require.Equal(t, []string{"renamed", "b"}, names(list))

	require.NoError(t, f.DeleteConversation(ctx, f.scope, a, f.at))
	require.True(t, errs.Is(f.DeleteConversation(ctx, f.scope, a, f.at), errs.NotFound))
	_, err = f.Conversation(ctx, f.scope, a)
	require.True(t, errs.Is(err, errs.NotFound))
}

func messages(t *testing.T, f *fixture) {
	ctx := t.Context()
	c := f.conversation(t, "c", 0)
	f.message(t, c, "1", 1)
	two := f.message(t, c, "2", 2)
	f.message(t, c, "3", 3)
	f.message(t, f.conversation(t, "other", 0), "elsewhere", 1)

	list, more, err := f.Messages(ctx, f.scope, c, "", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2", "3"}, queries(list))
	require.False(t, more)
	list, more, err = f.Messages(ctx, f.scope, c, "", 2)
	require.NoError(t, err)
	require.Equal(t, []string{"2", "3"}, queries(list))
	require.True(t, more)
	list, more, err = f.Messages(ctx, f.scope, c, two, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"1"}, queries(list))
	require.False(t, more)
	_, _, err = f.Messages(ctx, f.scope, c, ids.Random(), 2)
	require.True(t, errs.Is(err, errs.NotFound))

	list, err = f.Recent(ctx, f.scope, c, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"3", "2"}, queries(list))
	first, err := f.First(ctx, f.scope, c)
	require.NoError(t, err)
	require.Equal(t, "1", first.Query)
	_, err = f.First(ctx, f.scope, ids.Random())
	require.True(t, errs.Is(err, errs.NotFound))

	m, err := f.Message(ctx, f.scope, two)
	require.NoError(t, err)
	require.Equal(t, "re 2", m.Answer)
	require.EqualValues(t, 1, m.AnswerTokens)
	require.Equal(t, ids.Nil, m.ParentMessageID)
	require.Equal(t, c, m.ConversationID)
}

func feedback(t *testing.T, f *fixture) {
	ctx := t.Context()
	c := f.conversation(t, "c", 0)
	m := f.message(t, c, "1", 1)
	_, ok, err := f.Feedback(ctx, f.scope, m)
	require.NoError(t, err)
	require.False(t, ok)
	mine := chat.Feedback{
		ID: ids.New(), AppID: f.scope.AppID, ConversationID: c, MessageID: m, Rating: "like", Content: "good", FromSource: "user",
		FromEndUserID: f.scope.EndUserID, CreatedAt: f.at, UpdatedAt: f.at,
	}
	require.NoError(t, f.SaveFeedback(ctx, f.scope, mine))
	mine.Rating = "dislike"
	require.NoError(t, f.SaveFeedback(ctx, f.scope, mine))
	got, ok, err := f.Feedback(ctx, f.scope, m)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "dislike", got.Rating)
	require.Equal(t, "good", got.Content)

	list, err := f.Feedbacks(ctx, chat.Scope{TenantID: f.scope.TenantID, AppID: f.scope.AppID}, 1, 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	shown, err := f.Message(ctx, f.scope, m)
	require.NoError(t, err)
	require.Len(t, shown.Feedbacks, 1)

	require.NoError(t, f.DeleteFeedback(ctx, f.scope, mine.ID))
	require.True(t, errs.Is(f.DeleteFeedback(ctx, f.scope, mine.ID), errs.NotFound))
}

func foreign(t *testing.T, f *fixture) {
	ctx := t.Context()
	c := f.conversation(t, "c", 0)
	m := f.message(t, c, "1", 1)
	mine := chat.Feedback{
		ID: ids.New(), AppID: f.scope.AppID, ConversationID: c, MessageID: m, Rating: "like", FromSource: "user",
		FromEndUserID: f.scope.EndUserID, CreatedAt: f.at, UpdatedAt: f.at,
	}
	require.NoError(t, f.SaveFeedback(ctx, f.scope, mine))
	for name, s := range f.foreign() {
		_, err := f.Conversation(ctx, s, c)
		require.True(t, errs.Is(err, errs.NotFound), name)
		list, _, err := f.Conversations(ctx, s, chat.Page{Limit: 10, SortBy: "created_at"})
		require.NoError(t, err, name)
		require.Empty(t, list, name)
		require.True(t, errs.Is(f.RenameConversation(ctx, s, c, "x", f.at), errs.NotFound), name)
		require.True(t, errs.Is(f.DeleteConversation(ctx, s, c, f.at), errs.NotFound), name)
		_, err = f.Message(ctx, s, m)
		require.True(t, errs.Is(err, errs.NotFound), name)
		recent, err := f.Recent(ctx, s, c, 10)
		require.NoError(t, err, name)
		require.Empty(t, recent, name)
		_, ok, err := f.Feedback(ctx, s, m)
		require.NoError(t, err, name)
		require.False(t, ok, name)
		require.True(t, errs.Is(f.DeleteFeedback(ctx, s, mine.ID), errs.NotFound), name)
	}
	for _, s := range []chat.Scope{f.foreign()["tenant"], f.foreign()["app"]} {
		list, total, err := f.ConsoleConversations(ctx, s, chat.ConsoleQuery{Page: 1, Limit: 10})
		require.NoError(t, err)
		require.Empty(t, list)
		require.Zero(t, total)
	}
}

func console(t *testing.T, f *fixture) {
	ctx := t.Context()
	app := chat.Scope{TenantID: f.scope.TenantID, AppID: f.scope.AppID}
	a, b := f.conversation(t, "a", 1), f.conversation(t, "b", 2)
	f.message(t, a, "a question", 1)
	f.message(t, a, "100% more", 2)
	require.NoError(t, f.SaveFeedback(ctx, f.scope, chat.Feedback{
		ID: ids.New(), AppID: f.scope.AppID, ConversationID: a, MessageID: f.message(t, a, "x", 3), Rating: "like", FromSource: "user",
		FromEndUserID: f.scope.EndUserID, CreatedAt: f.at, UpdatedAt: f.at,
	}))
	list, total, err := f.ConsoleConversations(ctx, app, chat.ConsoleQuery{Page: 1, Limit: 1, SortBy: "-updated_at"})
	require.NoError(t, err)
	require.Equal(t, 2, total)
	require.Equal(t, []string{"b"}, names(list))
	list, _, err = f.ConsoleConversations(ctx, app, chat.ConsoleQuery{ID: a, Page: 1, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, names(list))
	require.Equal(t, "a question", list[0].Summary)
	require.Equal(t, chat.Stats{Messages: 3, Success: 3, UserLike: 1}, list[0].Stats)

	yes, minute := true, f.at.Add(90*time.Second)
	for _, c := range []struct {
		q    chat.ConsoleQuery
		want []string
	}{
		{chat.ConsoleQuery{Keyword: "00% m"}, []string{"a"}},
		{chat.ConsoleQuery{Keyword: "0%0"}, []string{}},
		{chat.ConsoleQuery{Start: &minute}, []string{"b"}},
		{chat.ConsoleQuery{End: &minute}, []string{"a"}},
		{chat.ConsoleQuery{Annotated: &yes}, []string{}},
		{chat.ConsoleQuery{SortBy: "created_at"}, []string{"a", "b"}},
	} {
		c.q.Page, c.q.Limit = 1, 10
		list, _, err := f.ConsoleConversations(ctx, app, c.q)
		require.NoError(t, err)
		require.Equal(t, c.want, names(list))
	}

	reader := ids.Random()
	require.NoError(t, f.MarkRead(ctx, app, b, reader, f.at))
	require.NoError(t, f.MarkRead(ctx, app, b, reader, f.at.Add(time.Hour)))
	got, err := f.Conversation(ctx, f.scope, b)
	require.NoError(t, err)
	require.NotNil(t, got.ReadAt)
	require.True(t, got.ReadAt.Equal(f.at), "the first reading counts")
}

func annotations(t *testing.T, f *fixture) {
	ctx := t.Context()
	for i, q := range []string{"How?", "Why?"} {
		f.world.AddAnnotation(t, f.scope.TenantID, f.scope.AppID, chat.Annotation{
			ID: ids.New(), Question: q, Answer: "because", CreatedAt: f.at.Add(time.Duration(i) * time.Minute),
		})
	}
	list, total, err := f.Annotations(ctx, f.scope, "", 1, 1)
	require.NoError(t, err)
	require.Equal(t, 2, total)
	require.Len(t, list, 1)
	require.Equal(t, "Why?", list[0].Question)
	_, total, err = f.Annotations(ctx, f.scope, "how", 1, 10)
	require.NoError(t, err)
	require.Equal(t, 1, total)
	_, total, err = f.Annotations(ctx, f.foreign()["tenant"], "", 1, 10)
	require.NoError(t, err)
	require.Zero(t, total)
}
