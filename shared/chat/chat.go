// Package chat is the domain of conversations: their messages, feedback, files
// and what a model may remember of them.
//
// It does not write messages: a turn is a run, and the run store writes its
// rows in the transactions of the run (see shared/runstore). START HERE:
// Service for what clients may do, Store for what a database must provide.
package chat

import (
	"context"
	"encoding/json"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// Scope says whose conversations are meant. Every store method puts all of it
// into its statement.
type Scope struct {
	TenantID string
	AppID    string
	// EndUserID or AccountID restricts to one person; both empty means every
	// conversation of the app (console lists).
	EndUserID string
	AccountID string
}

// Source is the contract's from_source of the scope: api or console.
func (s Scope) Source() string {
	if s.AccountID != "" {
		return "console"
	}
	return "api"
}

// Conversation is a row of conversations.
type Conversation struct {
	ID            string
	AppID         string
	Mode          string
	Name          string
	Summary       string
	Inputs        json.RawMessage
	Introduction  string
	Status        string
	FromSource    string
	FromEndUserID string // "" when an account started it
	FromAccountID string // "" when an end user started it
	SessionID     string // of the end user; only in console lists
	AccountName   string // of the account; only in console lists
	ReadAt        *time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
	DialogueCount int
	Stats         Stats // only in console lists
}

// Stats counts a conversation's messages for the console.
type Stats struct {
	Messages                                int
	UserLike, UserDislike                   int
	AdminLike, AdminDislike                 int
	Success, Failed, PartialSuccess, Paused int
	Annotated                               bool
}

// Message is a row of messages with what belongs to it.
type Message struct {
	ID              string
	AppID           string
	ConversationID  string
	ParentMessageID string // "" shows as null
	Inputs          json.RawMessage
	Query           string
	Answer          string
	MessageTokens   int64
	AnswerTokens    int64
	TotalPrice      string // decimal as stored; "" shows as null
	Currency        string
	Latency         float64 // seconds
	Status          string
	Error           string // "" shows as null
	Metadata        json.RawMessage
	Prompt          json.RawMessage // the messages column
	FromSource      string
	FromEndUserID   string
	FromAccountID   string
	WorkflowRunID   string
	CreatedAt       time.Time
	Files           []MessageFile
	Feedbacks       []Feedback
	// Extra is what else the message shows, in the contract's form: what its run
	// has asked people. Stores leave it empty.
	Extra []any
}

// MessageFile is a file that came with a message or was made by its answer.
type MessageFile struct {
	ID             string
	MessageID      string
	Type           string
	TransferMethod string
	URL            string
	UploadFileID   string
	BelongsTo      string // user or assistant
	Filename       string
	MimeType       string
	Extension      string // without the dot, as stored
	Size           int64
}

// Feedback is somebody's opinion of a message.
type Feedback struct {
	ID             string
	AppID          string
	ConversationID string
	MessageID      string
	Rating         string // like or dislike
	Content        string
	FromSource     string // user or admin
	FromEndUserID  string
	FromAccountID  string
	// AccountName and AccountEmail are set with a message's feedback.
	AccountName, AccountEmail string
	CreatedAt                 time.Time
	UpdatedAt                 time.Time
}

// Annotation is an answer that was prepared for a question.
type Annotation struct {
	ID        string
	Question  string
	Answer    string
	Hits      int64
	CreatedAt time.Time
}

// Page asks for a part of a list that is sorted by time.
type Page struct {
	// After is the id of the last item the client has, "" for the start.
	After string
	Limit int
	// SortBy is created_at or updated_at; with a leading minus newest first.
	SortBy string
}

// ConsoleQuery asks for the console's list of conversations.
type ConsoleQuery struct {
	// ID restricts the list to one conversation; "" does not.
	ID          string
	Page, Limit int
	Keyword     string
	Start, End  *time.Time
	SortBy      string
	// Annotated, when set, asks for those with or without annotations.
	Annotated *bool
}

// Store keeps conversations. Methods answer errs.NotFound for what does not
// exist or does not belong to the scope.
type Store interface {
	Conversation(ctx context.Context, s Scope, id string) (Conversation, error)
	// Conversations returns up to p.Limit conversations and whether more follow.
	Conversations(ctx context.Context, s Scope, p Page) ([]Conversation, bool, error)
	ConsoleConversations(ctx context.Context, s Scope, q ConsoleQuery) (list []Conversation, total int, err error)
	// MarkRead notes the first time that an account looked at a conversation.
	MarkRead(ctx context.Context, s Scope, id, accountID string, at time.Time) error
	RenameConversation(ctx context.Context, s Scope, id, name string, at time.Time) error
	DeleteConversation(ctx context.Context, s Scope, id string, at time.Time) error

	Message(ctx context.Context, s Scope, id string) (Message, error)
	// Messages returns up to limit messages before the message first ("" for the
	// newest), oldest first, and whether older ones exist.
	Messages(ctx context.Context, s Scope, conversationID, first string, limit int) ([]Message, bool, error)
	// First returns the oldest message of a conversation.
	First(ctx context.Context, s Scope, conversationID string) (Message, error)
	// Recent returns up to limit messages of a conversation, newest first.
	Recent(ctx context.Context, s Scope, conversationID string, limit int) ([]Message, error)

	Feedback(ctx context.Context, s Scope, messageID string) (Feedback, bool, error)
	SaveFeedback(ctx context.Context, s Scope, f Feedback) error
	DeleteFeedback(ctx context.Context, s Scope, id string) error
	Feedbacks(ctx context.Context, s Scope, page, limit int) ([]Feedback, error)

	// Variables returns everything that a conversation keeps, oldest first; what
	// cannot be read is left out.
	Variables(ctx context.Context, s Scope, conversationID string) ([]Variable, error)
	// SaveVariable changes the value of a variable that the conversation keeps.
	SaveVariable(ctx context.Context, s Scope, v Variable) error

	// Annotations returns a page of an app's annotations, newest first, and how
	// many there are.
	Annotations(ctx context.Context, s Scope, keyword string, page, limit int) (list []Annotation, total int, err error)
}

// Service applies the contract's rules to conversations.
type Service struct {
	store Store
	now   func() time.Time
}

// NewService returns the service; now tells the time.
func NewService(store Store, now func() time.Time) *Service {
	return &Service{store: store, now: now}
}

func conversationMissing(err error) error {
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.NotFound, "Conversation Not Exists.")
	}
	return err
}

// Conversation returns one conversation of the scope.
func (s *Service) Conversation(ctx context.Context, scope Scope, id string) (Conversation, error) {
	c, err := s.store.Conversation(ctx, scope, id)
	return c, conversationMissing(err)
}

// Conversations lists a person's conversations. A scope of nobody (a user that
// never wrote) has none.
func (s *Service) Conversations(ctx context.Context, scope Scope, p Page) ([]Conversation, bool, error) {
	if scope.EndUserID == "" && scope.AccountID == "" {
		return nil, false, nil
	}
	list, more, err := s.store.Conversations(ctx, scope, p)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "Last Conversation Not Exists.")
	}
	return list, more, err
}

// ConsoleConversations lists all conversations of an app with their statistics.
func (s *Service) ConsoleConversations(ctx context.Context, scope Scope, q ConsoleQuery) ([]Conversation, int, error) {
	return s.store.ConsoleConversations(ctx, scope, q)
}

// ConsoleConversation returns one conversation with its statistics, for an
// account that reads it.
func (s *Service) ConsoleConversation(ctx context.Context, scope Scope, id, accountID string) (Conversation, error) {
	list, _, err := s.store.ConsoleConversations(ctx, scope, ConsoleQuery{ID: id, Page: 1, Limit: 1})
	if err != nil {
		return Conversation{}, err
	}
	if len(list) == 0 {
		return Conversation{}, errs.New(errs.NotFound, "Conversation Not Exists.")
	}
	if list[0].ReadAt == nil {
		err = s.store.MarkRead(ctx, scope, id, accountID, s.now())
	}
	return list[0], err
}

// Rename gives a conversation a name and returns it as it is afterwards.
func (s *Service) Rename(ctx context.Context, scope Scope, id, name string) (Conversation, error) {
	if err := s.store.RenameConversation(ctx, scope, id, name, s.now()); err != nil {
		return Conversation{}, conversationMissing(err)
	}
	return s.Conversation(ctx, scope, id)
}

// Delete hides a conversation; its rows are removed later.
func (s *Service) Delete(ctx context.Context, scope Scope, id string) error {
	return conversationMissing(s.store.DeleteConversation(ctx, scope, id, s.now()))
}

// Message returns one message of the scope.
func (s *Service) Message(ctx context.Context, scope Scope, id string) (Message, error) {
	m, err := s.store.Message(ctx, scope, id)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "Message Not Exists.")
	}
	return m, err
}

// Messages lists a conversation's messages before first, oldest first.
func (s *Service) Messages(ctx context.Context, scope Scope, conversationID, first string, limit int) ([]Message, bool, error) {
	if _, err := s.Conversation(ctx, scope, conversationID); err != nil {
		return nil, false, err
	}
	list, more, err := s.store.Messages(ctx, scope, conversationID, first, limit)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "First Message Not Exists.")
	}
	return list, more, err
}

// FirstMessage returns the message that a conversation began with.
func (s *Service) FirstMessage(ctx context.Context, scope Scope, conversationID string) (Message, error) {
	if _, err := s.Conversation(ctx, scope, conversationID); err != nil {
		return Message{}, err
	}
	m, err := s.store.First(ctx, scope, conversationID)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "Message Not Exists.")
	}
	return m, err
}

// Rate sets or clears (rating "") the scope's person's feedback on a message.
func (s *Service) Rate(ctx context.Context, scope Scope, messageID, rating, content string) error {
	m, err := s.Message(ctx, scope, messageID)
	if err != nil {
		return err
	}
	have, ok, err := s.store.Feedback(ctx, scope, messageID)
	if err != nil {
		return err
	}
	switch {
	case rating == "" && !ok:
		return errs.New(errs.InvalidParam, "rating cannot be None when feedback not exists")
	case rating == "":
		return s.store.DeleteFeedback(ctx, scope, have.ID)
	}
	now := s.now()
	f := Feedback{
		ID: ids.New(), AppID: scope.AppID, ConversationID: m.ConversationID, MessageID: messageID,
		FromSource: "user", FromEndUserID: scope.EndUserID, FromAccountID: scope.AccountID, CreatedAt: now,
	}
	if scope.AccountID != "" {
		f.FromSource = "admin"
	}
	if ok {
		f = have
	}
	f.Rating, f.Content, f.UpdatedAt = rating, content, now
	return s.store.SaveFeedback(ctx, scope, f)
}

// Feedbacks lists an app's feedback, newest first.
func (s *Service) Feedbacks(ctx context.Context, scope Scope, page, limit int) ([]Feedback, error) {
	return s.store.Feedbacks(ctx, scope, page, limit)
}

// Annotations lists an app's prepared answers, newest first.
func (s *Service) Annotations(ctx context.Context, scope Scope, keyword string, page, limit int) ([]Annotation, int, error) {
	return s.store.Annotations(ctx, scope, keyword, page, limit)
}

// maxHistory is how many messages a model's memory may look back.
const maxHistory = 500

// History returns what a model may remember: the chain of messages that leads
// to the newest answered one, oldest first, at most limit messages (500 when
// limit is 0 or more). The message that is being answered is left out.
func (s *Service) History(ctx context.Context, scope Scope, conversationID string, limit int) ([]Message, error) {
	if limit <= 0 || limit > maxHistory {
		limit = maxHistory
	}
	recent, err := s.store.Recent(ctx, scope, conversationID, limit+1)
	if err != nil {
		return nil, err
	}
	chain := Thread(recent)
	if len(chain) > 0 && chain[0].Answer == "" && chain[0].AnswerTokens == 0 {
		chain = chain[1:]
	}
	if len(chain) > limit {
		chain = chain[:limit]
	}
	for i, j := 0, len(chain)-1; i < j; i, j = i+1, j-1 {
		chain[i], chain[j] = chain[j], chain[i]
	}
	return chain, nil
}

// Thread follows the parents from the newest message on. messages are newest
// first. No parent ends the chain; the nil id stands for the message before,
// whichever it is.
func Thread(messages []Message) []Message {
	var chain []Message
	next := ""
	for i, m := range messages {
		if i > 0 && next != ids.Nil && m.ID != next {
			continue
		}
		chain = append(chain, m)
		if m.ParentMessageID == "" {
			break
		}
		next = m.ParentMessageID
	}
	return chain
}
