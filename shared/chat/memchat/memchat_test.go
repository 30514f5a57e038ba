package memchat_test

import (
	"testing"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/chattest"
	"github.com/millrace/millrace/shared/chat/memchat"
)

type world struct{ *memchat.Store }

func (w world) AddApp(*testing.T, string, string) {}

func (w world) AddConversation(_ *testing.T, tenantID string, c chat.Conversation) {
	w.Store.AddConversation(tenantID, c)
}

func (w world) AddMessage(_ *testing.T, tenantID string, m chat.Message) {
	w.Store.AddMessage(tenantID, m)
}

func (w world) AddVariable(_ *testing.T, _, _ string, v chat.Variable) { w.Store.AddVariable(v) }

func (w world) AddAnnotation(_ *testing.T, tenantID, appID string, a chat.Annotation) {
	w.Store.AddAnnotation(tenantID, appID, a)
}

func TestStore(t *testing.T) {
	t.Parallel()
	chattest.Run(t, func(*testing.T) (chat.Store, chattest.World) {
		s := memchat.New()
		return s, world{s}
	})
}
