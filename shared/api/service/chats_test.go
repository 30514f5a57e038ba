package service_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/llm"
	"github.com/millrace/millrace/shared/run/history"
)

const chatMessages = "/v1/chat-messages"

func TestMalformedChatRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, want := range map[string]string{
		`{"inputs":{},"query":"q"}`:                                             "Arg user must be provided",
		`{"inputs":{},"user":"u"}`:                                              "",
		`{"query":"q","user":"u"}`:                                              "",
		`{"inputs":{},"query":5,"user":"u"}`:                                    "",
		`{"inputs":{},"query":"","user":"u"}`:                                   "query is required",
		`{"inputs":{},"query":"\u0000","user":"u"}`:                             "query is required",
		`{"inputs":{},"query":"q","user":"u","conversation_id":"junk"}`:         "",
		`{"inputs":{},"query":"q","user":"u","auto_generate_name":"sometimes"}`: "",
	} {
		w.refused(w.do("app-chat", "POST", chatMessages, body), 400, "invalid_param", want)
	}
	unknown := fmt.Sprintf(`{"inputs":{},"query":"q","user":"u","conversation_id":%q,"response_mode":"streaming"}`, tenantID)
	w.refused(w.do("app-chat", "POST", chatMessages, unknown), 404, "not_found", "Conversation Not Exists")
	w.refused(w.do("app-flow", "POST", chatMessages, `{"inputs":{},"query":"q","user":"u"}`), 400, "not_chat_app", "")
	w.refused(w.do("app-basic", "POST", chatMessages, `{"inputs":{},"query":"q","user":"u"}`), 501, "not_implemented", "")
	for _, key := range []string{"app-flow", "app-chat"} {
		w.refused(w.do(key, "POST", "/v1/completion-messages", `{"inputs":{},"user":"u"}`), 400, "app_unavailable", "")
	}
	require.Equal(t, 200, w.do("app-chat", "POST", chatMessages+"/"+tenantID+"/stop", `{"user":"u"}`).status)
}

func TestBlockingChat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.do("app-chat", "POST", chatMessages, `{"inputs":{},"query":"a\u0000b","user":"u","auto_generate_name":false}`)
	require.Equal(t, 200, r.status, r.body)
	o := r.object(t)
	require.Equal(t, "re ab", o["answer"])
	require.Equal(t, "message", o["event"])
	require.Equal(t, "advanced-chat", o["mode"])
	require.Equal(t, o["id"], o["message_id"])
	require.Empty(t, w.model.Seen(), "nobody asked for a name")
}

func TestStreamedChatAndItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.model.Script = func(*llm.DriverRequest) ([]llm.Chunk, error) {
		return []llm.Chunk{{Text: "```json\n{\"title\": \"A title\"}\n```", FinishReason: "stop"}}, nil
	}
	list := w.open("app-chat", "POST", chatMessages, `{"inputs":{"name":"you"},"query":"q","user":"u","response_mode":"streaming"}`).rest()
	names := events(t, list)
	require.Equal(t, []string{"message_end", "workflow_finished"}, names[len(names)-2:])
	require.Contains(t, names, "message")
	require.Empty(t, list[len(list)-2].id, "who misses the end gets both of its events again")
	require.NotEmpty(t, list[len(list)-1].id)
	first := list[0].object(t)
	for _, f := range list {
		o := f.object(t)
		require.Equal(t, first["conversation_id"], o["conversation_id"])
		require.Equal(t, first["message_id"], o["message_id"])
	}
	require.Len(t, w.model.Seen(), 1)
	view, err := w.runs.Get(t.Context(), tenantID, first["workflow_run_id"].(string))
	require.NoError(t, err)
	require.Equal(t, "Hi you!", view.Request.Chat.Introduction)
	require.Equal(t, ids.Nil, view.Request.Chat.ParentMessageID)
}

// talk puts a conversation of ann with n messages in.
func (w *world) talk(n int) (conversationID string, messageIDs []string) {
	user, err := w.apps.EndUser(w.t.Context(), tenantID, "c", "ann", false)
	require.NoError(w.t, err)
	conversationID = ids.New()
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	w.chats.AddConversation(tenantID, chat.Conversation{
		ID: conversationID, AppID: "c", Mode: "advanced-chat", Name: "first", Inputs: []byte(`{"x":null}`), Status: "normal", FromSource: "api",
		FromEndUserID: user.ID, CreatedAt: at, UpdatedAt: at,
	})
	for i := range n {
		id := ids.New()
		messageIDs = append(messageIDs, id)
		w.chats.AddMessage(tenantID, chat.Message{
			ID: id, AppID: "c", ConversationID: conversationID, ParentMessageID: ids.Nil, Query: fmt.Sprintf("m%d", i), Answer: fmt.Sprintf("re m%d", i),
			AnswerTokens: 2, MessageTokens: 3, TotalPrice: "0.0000000", Currency: "USD", Status: "normal", FromSource: "api", FromEndUserID: user.ID,
			CreatedAt: at.Add(time.Duration(i) * time.Minute),
		})
	}
	return conversationID, messageIDs
}

func TestConversations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.talk(1)
	list := w.do("app-chat", "GET", "/v1/conversations?user=ann", "").object(t)
	require.Equal(t, map[string]any{
		"limit": 20.0, "has_more": false, "data": []any{map[string]any{
			"id": c, "name": "first", "inputs": map[string]any{"x": nil}, "status": "normal", "introduction": "",
			"created_at": 1735689600.0, "updated_at": 1735689600.0,
		}},
	}, list)
	for _, user := range []string{"?user=bob", ""} {
		require.Empty(t, w.do("app-chat", "GET", "/v1/conversations"+user, "").object(t)["data"])
	}
	for _, query := range []string{"sort_by=nope", "limit=1000", "last_id=junk"} {
		w.refused(w.do("app-chat", "GET", "/v1/conversations?user=ann&"+query, ""), 400, "invalid_param", "")
	}
	w.refused(w.do("app-chat", "GET", "/v1/conversations?user=ann&last_id="+tenantID, ""), 404, "not_found", "Last Conversation Not Exists")
	w.refused(w.do("app-flow", "GET", "/v1/conversations?user=ann", ""), 400, "not_chat_app", "")

	name := "/v1/conversations/" + c + "/name"
	require.Equal(t, "My name", w.do("app-chat", "POST", name, `{"name":"My name","user":"ann"}`).object(t)["name"])
	w.refused(w.do("app-chat", "POST", name, `{"name":" ","user":"ann"}`), 400, "invalid_param", "")
	w.refused(w.do("app-chat", "POST", name, `{"user":"ann"}`), 400, "invalid_param", "")
	w.refused(w.do("app-chat", "POST", name, `{"name":"x","user":"bob"}`), 404, "not_found", "Conversation Not Exists")
	require.Equal(t, "m0", w.do("app-chat", "POST", name, `{"auto_generate":true,"user":"ann"}`).object(t)["name"], "the model said nothing of use")

	w.refused(w.do("app-chat", "DELETE", "/v1/conversations/"+c, `{"user":"bob"}`), 404, "not_found", "Conversation Not Exists")
	require.Equal(t, 204, w.do("app-chat", "DELETE", "/v1/conversations/"+c, `{"user":"ann"}`).status)
	w.refused(w.do("app-chat", "GET", "/v1/messages?user=ann&conversation_id="+c, ""), 404, "not_found", "Conversation Not Exists")
}

func TestMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, m := w.talk(3)
	list := w.do("app-chat", "GET", "/v1/messages?user=ann&limit=2&conversation_id="+c, "").object(t)
	require.Equal(t, true, list["has_more"])
	data := list["data"].([]any)
	require.Len(t, data, 2)
	last := data[1].(map[string]any)
	require.Equal(t, "re m2", last["answer"])
	require.Equal(t, "0E-7", last["total_price"])
	require.Equal(t, 5.0, last["total_tokens"])
	require.Nil(t, last["feedback"])
	for _, key := range []string{"agent_thoughts", "message_files", "extra_contents", "retriever_resources"} {
		require.Equal(t, []any{}, last[key], key)
	}
	w.refused(w.do("app-chat", "GET", "/v1/messages?user=ann", ""), 400, "invalid_param", "")
	w.refused(w.do("app-chat", "GET", "/v1/messages?user=bob&conversation_id="+c, ""), 404, "not_found", "Conversation Not Exists")
	w.refused(w.do("app-chat", "GET", "/v1/messages?user=ann&conversation_id="+c+"&first_id="+tenantID, ""), 404, "not_found", "First Message Not Exists")

	rate := "/v1/messages/" + m[0] + "/feedbacks"
	require.Equal(t, `{"result": "success"}`+"\n", w.do("app-chat", "POST", rate, `{"rating":"like","content":"good","user":"ann"}`).body)
	w.refused(w.do("app-chat", "POST", rate, `{"rating":"meh","user":"ann"}`), 400, "invalid_param", "")
	w.refused(w.do("app-chat", "POST", rate, `{"rating":"like","user":"bob"}`), 404, "not_found", "Message Not Exists")
	shown := w.do("app-chat", "GET", "/v1/messages?user=ann&conversation_id="+c, "").object(t)["data"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{"rating": "like"}, shown["feedback"])
	all := w.do("app-chat", "GET", "/v1/app/feedbacks", "").object(t)["data"].([]any)
	require.Len(t, all, 1)
	require.Equal(t, "good", all[0].(map[string]any)["content"])
	require.Equal(t, 200, w.do("app-chat", "POST", rate, `{"rating":null,"user":"ann"}`).status)
	w.refused(w.do("app-chat", "POST", rate, `{"rating":null,"user":"ann"}`), 400, "invalid_param", "rating cannot be None when feedback not exists")
}

func TestSuggestedQuestions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, m := w.talk(2)
	w.model.Script = func(req *llm.DriverRequest) ([]llm.Chunk, error) {
		require.Contains(t, req.Messages[0].Text, "Person: m0\nAssistant: re m0\nPerson: m1")
		return []llm.Chunk{{Text: `Here: ["One?", 2, "Two?"] and ["no"]`, FinishReason: "stop"}}, nil
	}
	path := "/v1/messages/" + m[1] + "/suggested?user="
	require.Equal(t, map[string]any{"result": "success", "data": []any{"One?", "Two?"}}, w.do("app-chat", "GET", path+"ann", "").object(t))
	w.refused(w.do("app-chat", "GET", path+"bob", ""), 404, "not_found", "Message Not Exists")
	w.apps.flows["c"].ID, w.apps.flows["c"].Features = tenantID, []byte(`{}`)
	w.refused(w.do("app-chat", "GET", path+"ann", ""), 400, "bad_request", "Suggested Questions Is Disabled")
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.upload("ann", map[string]string{"file": "ü n.txt"})
	require.Equal(t, 201, r.status, r.body)
	f := r.object(t)
	require.Equal(t, "ü n.txt", f["name"])
	require.Contains(t, f["source_url"], "https://files.example/files/"+f["id"].(string)+"/file-preview?timestamp=")
	w.refused(w.upload("ann", nil), 400, "no_file_uploaded", "Please upload your file")
	w.refused(w.do("app-flow", "POST", "/v1/files/upload", ""), 400, "no_file_uploaded", "")
	w.refused(w.upload("ann", map[string]string{"file": "a.txt", "more": "b.txt"}), 400, "too_many_files", "Only one file is allowed")
	require.Equal(t, 201, w.upload("", map[string]string{"file": "a.txt"}).status)

	path := "/v1/files/" + f["id"].(string) + "/preview"
	w.refused(w.do("app-flow", "GET", path, ""), 404, "file_not_found", "File not found in message context")
	w.files.AddToMessage(tenantID, "f", f["id"].(string))
	r = w.do("app-flow", "GET", path+"?as_attachment=true", "")
	require.Equal(t, 200, r.status)
	require.Equal(t, "content of ü n.txt", r.body)
	require.Equal(t, "attachment; filename*=UTF-8''%C3%BC%20n.txt", r.header.Get("Content-Disposition"))
	w.refused(w.do("app-other", "GET", path, ""), 404, "file_not_found", "")

	run := fmt.Sprintf(`{"inputs":{"q":"x","f":{"type":"document","transfer_method":"local_file","upload_file_id":%q}},"user":"bob"}`, f["id"])
	w.refused(w.do("app-flow", "POST", "/v1/workflows/run", run), 400, "invalid_param", "")
}

func TestInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, map[string]any{"name": "Flow", "description": "", "mode": "workflow", "tags": []any{}, "author_name": "Ann"}, w.do("app-flow", "GET", "/v1/info", "").object(t))
	require.Equal(t, map[string]any{"tool_icons": map[string]any{}}, w.do("app-flow", "GET", "/v1/meta", "").object(t))
	site := w.do("app-flow", "GET", "/v1/site", "").object(t)
	require.Equal(t, "site", site["title"])
	require.Nil(t, site["description"])

	p := w.do("app-flow", "GET", "/v1/parameters", "").object(t)
	form := p["user_input_form"].([]any)
	require.Len(t, form, 2)
	require.Equal(t, "q", form[0].(map[string]any)["text-input"].(map[string]any)["variable"])
	require.Equal(t, map[string]any{
		"enabled": true, "number_limits": 2.0, "allowed_file_upload_methods": []any{"remote_url", "local_file"},
		"allowed_file_types": []any{"image"}, "allowed_file_extensions": []any{},
	}, p["file_upload"], "older settings are shown where they belong now")
	require.Equal(t, map[string]any{
		"image_file_size_limit": 10.0, "video_file_size_limit": 100.0, "audio_file_size_limit": 50.0, "file_size_limit": 15.0, "workflow_file_upload_limit": 10.0,
	}, p["system_parameters"])
	w.refused(w.do("app-bare", "GET", "/v1/parameters", ""), 400, "app_unavailable", "")
	w.refused(w.do("app-flow", "POST", "/v1/text-to-audio", `{"text":"x","user":"u"}`), 400, "invalid_param", "TTS is not enabled")
	require.Equal(t, `{"page": 1, "limit": 20, "total": 0, "has_more": false, "data": []}`+"\n", w.do("app-flow", "GET", "/v1/apps/annotations", "").body)

	w.upload("ann", map[string]string{"file": "a.txt"})
	user := w.do("app-flow", "GET", "/v1/end-users/"+w.apps.users["ann"].ID, "").object(t)
	require.Equal(t, "ann", user["session_id"])
	w.refused(w.do("app-flow", "GET", "/v1/end-users/"+tenantID, ""), 404, "end_user_not_found", "End user not found")
}

func TestLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	id := ids.New()
	w.logs.AddRun(tenantID, history.Run{
		ID: id, WorkflowID: flowID, AppID: "f", TriggeredFrom: "app-run", Version: "v", Inputs: json.RawMessage(`{"q": "one"}`),
		Outputs: json.RawMessage(`{"out": 1.0}`), Status: "succeeded", CreatedAt: at, FinishedAt: &at,
	}, &history.Log{ID: ids.New(), CreatedFrom: "service-api", CreatedByRole: "end_user", CreatedAt: at, CreatedBy: history.Person{EndUser: &history.EndUser{ID: id, Type: "service-api", SessionID: "ann"}}})
	detail := w.do("app-flow", "GET", "/v1/workflows/run/"+id, "")
	require.Equal(t, `{"q": "one"}`, detail.object(t)["inputs"], "inputs are a text")
	require.Contains(t, detail.body, `"outputs": {"out": 1.0}`)
	w.refused(w.do("app-other", "GET", "/v1/workflows/run/"+id, ""), 404, "not_found", "Workflow run not found")
	w.refused(w.do("app-flow", "GET", "/v1/workflows/run/junk", ""), 404, "not_found", "")
	list := w.do("app-flow", "GET", "/v1/workflows/logs?keyword=ONE", "").object(t)
	require.Equal(t, 1.0, list["total"])
	entry := list["data"].([]any)[0].(map[string]any)
	require.Equal(t, "app-run", entry["workflow_run"].(map[string]any)["triggered_from"])
	require.Equal(t, "ann", entry["created_by_end_user"].(map[string]any)["session_id"])
	for _, query := range []string{"limit=101", "page=0", "status=paused", "created_at__after=yesterday"} {
		w.refused(w.do("app-flow", "GET", "/v1/workflows/logs?"+query, ""), 400, "invalid_param", "")
	}
}
