package chat_test

import (
	"testing"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/ids"
	"github.com/stretchr/testify/require"
)

func TestThreadFollowsParents(t *testing.T) {
	t.Parallel()
	m := func(id, parent string) chat.Message { return chat.Message{ID: id, ParentMessageID: parent} }
	names := func(list []chat.Message) (out []string) {
		for _, x := range list {
			out = append(out, x.ID)
		}
		return out
	}
	for name, c := range map[string]struct {
		in   []chat.Message
		want []string
	}{
		"empty":        {nil, nil},
		"service api":  {[]chat.Message{m("3", ids.Nil), m("2", ids.Nil), m("1", ids.Nil)}, []string{"3", "2", "1"}},
		"a branch":     {[]chat.Message{m("4", "2"), m("3", "2"), m("2", "1"), m("1", "")}, []string{"4", "2", "1"}},
		"a new thread": {[]chat.Message{m("2", ""), m("1", "")}, []string{"2"}},
	} {
		require.Equal(t, c.want, names(chat.Thread(c.in)), name)
	}
}
