// Package memchat is a chat.Store in memory: for tests and as the second
// implementation behind the suite in chat/chattest. Rows that runs write in a
// database are put in with the Add methods.
package memchat

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/errs"
)

type row[T any] struct {
	tenantID string
	v        T
}

// Store keeps everything until the process ends. It is safe for concurrent use.
type Store struct {
	mu            sync.Mutex
	conversations map[string]*row[chat.Conversation]
	messages      map[string]*row[chat.Message]
	feedbacks     map[string]*row[chat.Feedback]
	variables     []chat.Variable
	annotations   []row[chat.Annotation]
	annotatedApp  []string // of annotations, by index
}

var _ chat.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		conversations: map[string]*row[chat.Conversation]{}, messages: map[string]*row[chat.Message]{}, feedbacks: map[string]*row[chat.Feedback]{},
	}
}

// AddConversation puts a conversation in, or replaces it.
func (s *Store) AddConversation(tenantID string, c chat.Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conversations[c.ID] = &row[chat.Conversation]{tenantID, c}
}

// AddMessage puts a message in, or replaces it.
func (s *Store) AddMessage(tenantID string, m chat.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages[m.ID] = &row[chat.Message]{tenantID, m}
}

// AddAnnotation puts a prepared answer of an app in.
func (s *Store) AddAnnotation(tenantID, appID string, a chat.Annotation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.annotations = append(s.annotations, row[chat.Annotation]{tenantID, a})
	s.annotatedApp = append(s.annotatedApp, appID)
}

func missing() error { return errs.New(errs.NotFound, "") }

func inScope(s chat.Scope, tenantID, appID, endUserID, accountID string) bool {
	return tenantID == s.TenantID && appID == s.AppID && (s.EndUserID == "" || s.EndUserID == endUserID) &&
		(s.AccountID == "" || s.AccountID == accountID)
}

func (s *Store) conversation(scope chat.Scope, id string) (*chat.Conversation, error) {
	r, ok := s.conversations[id]
	if !ok || !inScope(scope, r.tenantID, r.v.AppID, r.v.FromEndUserID, r.v.FromAccountID) {
		return nil, missing()
	}
	return &r.v, nil
}

// Conversation returns one conversation.
func (s *Store) Conversation(_ context.Context, scope chat.Scope, id string) (chat.Conversation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.conversation(scope, id)
	if err != nil {
		return chat.Conversation{}, err
	}
	return *c, nil
}

// later orders by time, then id.
func later(at1 time.Time, id1 string, at2 time.Time, id2 string) int {
	if c := at1.Compare(at2); c != 0 {
		return c
	}
	return strings.Compare(id1, id2)
}

// Conversations returns a page of a person's conversations.
func (s *Store) Conversations(_ context.Context, scope chat.Scope, p chat.Page) ([]chat.Conversation, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := func(c chat.Conversation) time.Time {
		if strings.HasSuffix(p.SortBy, "created_at") {
			return c.CreatedAt
		}
		return c.UpdatedAt
	}
	order := func(a, b chat.Conversation) int {
		n := later(at(a), a.ID, at(b), b.ID)
		if strings.HasPrefix(p.SortBy, "-") {
			return -n
		}
		return n
	}
	var last *chat.Conversation
	if p.After != "" {
		var err error
		if last, err = s.conversation(scope, p.After); err != nil {
			return nil, false, err
		}
	}
	var out []chat.Conversation
	for _, r := range s.conversations {
		if inScope(scope, r.tenantID, r.v.AppID, r.v.FromEndUserID, r.v.FromAccountID) && (last == nil || order(r.v, *last) > 0) {
			out = append(out, r.v)
		}
	}
	slices.SortFunc(out, order)
	if len(out) > p.Limit {
		return out[:p.Limit], true, nil
	}
	return out, false, nil
}

// ConsoleConversations returns a page of an app's conversations with counts.
func (s *Store) ConsoleConversations(_ context.Context, scope chat.Scope, q chat.ConsoleQuery) ([]chat.Conversation, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []chat.Conversation
	for _, r := range s.conversations {
		c := r.v
		if r.tenantID != scope.TenantID || c.AppID != scope.AppID || q.ID != "" && q.ID != c.ID ||
			q.Start != nil && c.CreatedAt.Before(*q.Start) || q.End != nil && c.CreatedAt.After(*q.End) || q.Annotated != nil && *q.Annotated != c.Stats.Annotated {
			continue
		}
		found := q.Keyword == "" || contains(c.Name, q.Keyword)
		for _, m := range s.of(scope, c.ID) {
			if c.Summary == "" {
				c.Summary = m.Query
			}
			found = found || contains(m.Query, q.Keyword) || contains(m.Answer, q.Keyword)
			c.Stats.Messages++
			if m.Status == "error" {
				c.Stats.Failed++
			} else {
				c.Stats.Success++
			}
		}
		for _, f := range s.feedbacks {
			if f.v.ConversationID == c.ID {
				countFeedback(&c.Stats, f.v)
			}
		}
		if found {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b chat.Conversation) int {
		x, y := a.UpdatedAt, b.UpdatedAt
		if strings.HasSuffix(q.SortBy, "created_at") {
			x, y = a.CreatedAt, b.CreatedAt
		}
		if n := later(x, a.ID, y, b.ID); q.SortBy != "" && !strings.HasPrefix(q.SortBy, "-") {
			return n
		} else {
			return -n
		}
	})
	total := len(out)
	from := min((q.Page-1)*q.Limit, total)
	return out[from:min(from+q.Limit, total)], total, nil
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func countFeedback(n *chat.Stats, f chat.Feedback) {
	switch f.FromSource + f.Rating {
	case "userlike":
		n.UserLike++
	case "userdislike":
		n.UserDislike++
	case "adminlike":
		n.AdminLike++
	case "admindislike":
		n.AdminDislike++
	}
}

// MarkRead notes the first reader.
func (s *Store) MarkRead(_ context.Context, scope chat.Scope, id, _ string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, err := s.conversation(scope, id); err == nil && c.ReadAt == nil {
		c.ReadAt = &at
	}
	return nil
}

// RenameConversation stores a new name.
func (s *Store) RenameConversation(_ context.Context, scope chat.Scope, id, name string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.conversation(scope, id)
	if err == nil {
		c.Name, c.UpdatedAt = name, at
	}
	return err
}

// DeleteConversation removes a conversation.
func (s *Store) DeleteConversation(_ context.Context, scope chat.Scope, id string, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.conversation(scope, id)
	if err == nil {
		delete(s.conversations, id)
	}
	return err
}

// of returns a conversation's messages that the scope may see, oldest first.
func (s *Store) of(scope chat.Scope, conversationID string) []chat.Message {
	var out []chat.Message
	for _, r := range s.messages {
		m := r.v
		if m.ConversationID != conversationID || !inScope(scope, r.tenantID, m.AppID, m.FromEndUserID, m.FromAccountID) {
			continue
		}
		out = append(out, s.withFeedback(m))
	}
	slices.SortFunc(out, func(a, b chat.Message) int { return later(a.CreatedAt, a.ID, b.CreatedAt, b.ID) })
	return out
}

func (s *Store) withFeedback(m chat.Message) chat.Message {
	for _, f := range s.feedbacks {
		if f.v.MessageID == m.ID {
			m.Feedbacks = append(m.Feedbacks, f.v)
		}
	}
	slices.SortFunc(m.Feedbacks, func(a, b chat.Feedback) int { return later(a.CreatedAt, a.ID, b.CreatedAt, b.ID) })
	return m
}

// Message returns one message.
func (s *Store) Message(_ context.Context, scope chat.Scope, id string) (chat.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.messages[id]
	if !ok || !inScope(scope, r.tenantID, r.v.AppID, r.v.FromEndUserID, r.v.FromAccountID) {
		return chat.Message{}, missing()
	}
	return s.withFeedback(r.v), nil
}

// Messages returns a page of a conversation, oldest first.
func (s *Store) Messages(_ context.Context, scope chat.Scope, conversationID, first string, limit int) ([]chat.Message, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.of(scope, conversationID)
	if first != "" {
		at := slices.IndexFunc(list, func(m chat.Message) bool { return m.ID == first })
		if at < 0 {
			return nil, false, missing()
		}
		list = list[:at]
	}
	if len(list) > limit {
		return list[len(list)-limit:], true, nil
	}
	return list, false, nil
}

// First returns the oldest message of a conversation.
func (s *Store) First(_ context.Context, scope chat.Scope, conversationID string) (chat.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.of(scope, conversationID)
	if len(list) == 0 {
		return chat.Message{}, missing()
	}
	return list[0], nil
}

// Recent returns the newest messages, newest first.
func (s *Store) Recent(_ context.Context, scope chat.Scope, conversationID string, limit int) ([]chat.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.of(scope, conversationID)
	slices.Reverse(list)
	return list[:min(limit, len(list))], nil
}

// Feedback returns the scope's person's feedback on a message.
func (s *Store) Feedback(_ context.Context, scope chat.Scope, messageID string) (chat.Feedback, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.feedbacks {
		if r.v.MessageID == messageID && inScope(scope, r.tenantID, r.v.AppID, r.v.FromEndUserID, r.v.FromAccountID) {
			return r.v, true, nil
		}
	}
	return chat.Feedback{}, false, nil
}

// SaveFeedback inserts or replaces feedback.
func (s *Store) SaveFeedback(_ context.Context, scope chat.Scope, f chat.Feedback) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.messages[f.MessageID]; !ok || m.tenantID != scope.TenantID || m.v.AppID != scope.AppID {
		return missing()
	}
	if have, ok := s.feedbacks[f.ID]; ok && have.v.MessageID != f.MessageID {
		return missing()
	}
	f.AppID = scope.AppID
	s.feedbacks[f.ID] = &row[chat.Feedback]{scope.TenantID, f}
	return nil
}

// DeleteFeedback removes feedback.
func (s *Store) DeleteFeedback(_ context.Context, scope chat.Scope, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.feedbacks[id]
	if !ok || !inScope(scope, r.tenantID, r.v.AppID, r.v.FromEndUserID, r.v.FromAccountID) {
		return missing()
	}
	delete(s.feedbacks, id)
	return nil
}

// Feedbacks returns a page of an app's feedback, newest first.
func (s *Store) Feedbacks(_ context.Context, scope chat.Scope, page, limit int) ([]chat.Feedback, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []chat.Feedback
	for _, r := range s.feedbacks {
		if r.tenantID == scope.TenantID && r.v.AppID == scope.AppID {
			out = append(out, r.v)
		}
	}
	slices.SortFunc(out, func(a, b chat.Feedback) int { return -later(a.CreatedAt, a.ID, b.CreatedAt, b.ID) })
	from := min((page-1)*limit, len(out))
	return out[from:min(from+limit, len(out))], nil
}

// Annotations returns a page of an app's annotations, newest first.
func (s *Store) Annotations(_ context.Context, scope chat.Scope, keyword string, page, limit int) ([]chat.Annotation, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []chat.Annotation
	for i, r := range s.annotations {
		if r.tenantID == scope.TenantID && s.annotatedApp[i] == scope.AppID && (contains(r.v.Question, keyword) || contains(r.v.Answer, keyword)) {
			out = append(out, r.v)
		}
	}
	slices.SortFunc(out, func(a, b chat.Annotation) int { return -later(a.CreatedAt, a.ID, b.CreatedAt, b.ID) })
	from := min((page-1)*limit, len(out))
	return out[from:min(from+limit, len(out))], len(out), nil
}
