package service_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// keep gives a conversation variables and returns their ids by name.
func (w *world) keep(conversationID string, list ...chat.Variable) map[string]string {
	out := map[string]string{}
	for i, v := range list {
		v.ID, v.ConversationID, v.CreatedAt, v.UpdatedAt = ids.Random(), conversationID, time.Unix(int64(1000+i), 0), time.Unix(int64(1000+i), 0)
		out[v.Name] = v.ID
		w.chats.AddVariable(v)
	}
	return out
}

func TestConversationVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.talk(1)
	id := w.keep(c,
		chat.Variable{Name: "s", Type: "string", Description: "what", Value: "text"},
		chat.Variable{Name: "n", Type: "number", Value: 1.5},
		chat.Variable{Name: "l", Type: "array[string]", Value: []any{"it's", "b"}},
		chat.Variable{Name: "o", Type: "object", Value: value.Obj("k", nil)},
		chat.Variable{Name: "b", Type: "boolean", Value: true},
	)
	path := "/v1/conversations/" + c + "/variables"
	list := w.do("app-chat", "GET", path+"?user=ann", "").object(t)
	require.Equal(t, false, list["has_more"])
	require.Equal(t, 20.0, list["limit"])
	var shown []string
	for _, x := range list["data"].([]any) {
		o := x.(map[string]any)
		shown = append(shown, fmt.Sprint(o["name"], " ", o["value_type"], " ", o["value"]))
	}
	require.Equal(t, []string{"s string text", "n number 1.5", `l array[string] ["it's", 'b']`, "o object {'k': None}", "b boolean True"}, shown)
	require.Equal(t, map[string]any{
		"id": id["s"], "name": "s", "value_type": "string", "value": "text", "description": "what", "created_at": 1000.0, "updated_at": 1000.0,
	}, list["data"].([]any)[0])

	for query, want := range map[string]string{
		"&limit=2": "s n true", "&limit=2&last_id=" + id["n"]: "l o true", "&last_id=" + id["o"]: "b false", "&variable_name=o": "o false",
		"&variable_name=nope": "false", "&variable_name=s&last_id=" + id["n"]: "false",
	} {
		list := w.do("app-chat", "GET", path+"?user=ann"+query, "").object(t)
		var got []string
		for _, x := range list["data"].([]any) {
			got = append(got, x.(map[string]any)["name"].(string))
		}
		require.Equal(t, want, strings.Join(append(got, fmt.Sprint(list["has_more"])), " "), query)
	}
	w.refused(w.do("app-chat", "GET", path+"?user=ann&last_id="+tenantID, ""), 404, "not_found", "Conversation Variable Not Exists")
	for _, bad := range []string{"limit=0", "limit=101", "last_id=x", "variable_name=" + strings.Repeat("x", 256)} {
		w.refused(w.do("app-chat", "GET", path+"?user=ann&"+bad, ""), 400, "invalid_param", "")
	}
	w.refused(w.do("app-chat", "GET", path+"?user=bob", ""), 404, "not_found", "Conversation Not Exists")
	w.refused(w.do("app-flow", "GET", path+"?user=ann", ""), 400, "not_chat_app", "")
}

func TestSetConversationVariable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.talk(1)
	id := w.keep(c, chat.Variable{Name: "n", Type: "number", Value: int64(1)}, chat.Variable{Name: "l", Type: "array[string]", Value: []any{}},
		chat.Variable{Name: "s", Type: "string", Value: ""})
	path := "/v1/conversations/" + c + "/variables/"
	set := func(name, v string) reply {
		return w.do("app-chat", "PUT", path+id[name], `{"user":"ann","value":`+v+`}`)
	}
	for _, c := range [][3]string{{"n", `2.0`, "2.0"}, {"n", `7`, "7"}, {"l", `["a"]`, "['a']"}, {"l", `[]`, "[]"}, {"s", `"x"`, "x"}} {
		r := set(c[0], c[1])
		require.Equal(t, 200, r.status, r.body)
		require.Equal(t, c[2], r.object(t)["value"])
		require.Greater(t, r.object(t)["updated_at"], r.object(t)["created_at"])
	}
	for _, c := range [][2]string{{"n", `"7"`}, {"n", `true`}, {"n", `null`}, {"l", `[1]`}, {"l", `"a"`}, {"s", `5`}} {
		w.refused(set(c[0], c[1]), 400, "bad_request", "")
	}
	w.refused(set("s", `"`+strings.Repeat("x", 204800)+`"`), 400, "invalid_param", "variable size 204841 exceeds limit 204800")
	w.refused(w.do("app-chat", "PUT", path+id["s"], `{"user":"ann"}`), 400, "invalid_param", "")
	w.refused(w.do("app-chat", "PUT", path+tenantID, `{"user":"ann","value":1}`), 404, "not_found", "Conversation Variable Not Exists")
	w.refused(w.do("app-chat", "PUT", path+id["s"], `{"user":"bob","value":"x"}`), 404, "not_found", "Conversation Not Exists")
	w.refused(w.do("app-flow", "PUT", path+id["s"], `{"user":"ann","value":"x"}`), 400, "not_chat_app", "")
}
