package memchat

import (
	"context"
	"slices"

	"github.com/millrace/millrace/shared/chat"
)

// AddVariable puts a variable of a conversation in.
func (s *Store) AddVariable(v chat.Variable) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.variables = append(s.variables, v)
}

// Variables returns what a conversation keeps, oldest first.
func (s *Store) Variables(_ context.Context, scope chat.Scope, conversationID string) ([]chat.Variable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.conversation(scope, conversationID); err != nil {
		return nil, nil //nolint:nilerr // what is not there has none
	}
	var out []chat.Variable
	for _, v := range s.variables {
		if v.ConversationID == conversationID {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b chat.Variable) int { return later(a.CreatedAt, a.ID, b.CreatedAt, b.ID) })
	return out, nil
}

// SaveVariable changes the value of a variable.
func (s *Store) SaveVariable(_ context.Context, scope chat.Scope, v chat.Variable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.conversation(scope, v.ConversationID); err != nil {
		return err
	}
	for i := range s.variables {
		if have := &s.variables[i]; have.ID == v.ID && have.ConversationID == v.ConversationID {
			have.Value, have.UpdatedAt = v.Value, v.UpdatedAt
			return nil
		}
	}
	return missing()
}
