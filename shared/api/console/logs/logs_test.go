package logs_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console/logs"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/memchat"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/run/history/memhistory"
)

type signer struct{}

func (signer) Preview(id string) string   { return id }
func (signer) Image(id string) string     { return id }
func (signer) Tool(id, ext string) string { return id + ext }

type same struct{}

func (same) Refresh(v any) any { return v }

type apps map[string]app.App

func (a apps) App(_ context.Context, tenantID, id string) (app.App, error) {
	if x, ok := a[id]; ok && x.TenantID == tenantID {
		return x, nil
	}
	return app.App{}, errs.New(errs.NotFound, "")
}

func (a apps) Published(context.Context, app.App) (app.Workflow, error) {
	return app.Workflow{Features: `{"opening_statement": "Hi", "suggested_questions": []}`}, nil
}

const (
	tenant = "99999999-9999-4999-8999-999999999999"
	flow   = "11111111-1111-4111-8111-111111111111"
	talk   = "22222222-2222-4222-8222-222222222222"
)

type world struct {
	t       *testing.T
	handler http.Handler
	chats   *memchat.Store
	runs    *memhistory.Store
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, chats: memchat.New(), runs: memhistory.New()}
	w.handler = edge.NewRouter(logs.Routes(logs.Deps{
		Apps:  apps{flow: {ID: flow, TenantID: tenant, Mode: "workflow"}, talk: {ID: talk, TenantID: tenant, Mode: "advanced-chat"}},
		Chats: chat.NewService(w.chats, func() time.Time { return time.Unix(1700000000, 0) }), History: history.NewService(w.runs), Files: same{}, Signer: signer{},
		Clock: clock.NewFake(time.Date(2025, 3, 5, 0, 0, 0, 0, time.UTC)),
		Auth: func(next logs.Handler) edge.Handler {
			return func(rw http.ResponseWriter, r *http.Request) error {
				p := account.Principal{Account: account.Account{ID: ids.Nil, Timezone: "Asia/Tokyo"}, Tenant: account.Tenant{ID: r.Header.Get("X-Tenant")}, Role: account.Role(r.Header.Get("X-Role"))}
				return next(rw, r, p)
			}
		},
	}), nil)
	return w
}

func (w *world) do(method, path, tenantID, role string) (int, map[string]any) {
	w.t.Helper()
	r := httptest.NewRequest(method, "/console/api/apps/"+path, nil)
	r.Header.Set("X-Tenant", tenantID)
	r.Header.Set("X-Role", role)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	var o map[string]any
	if rec.Body.Len() > 0 {
		require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &o), rec.Body.String())
	}
	return rec.Code, o
}

func (w *world) get(path string) map[string]any {
	w.t.Helper()
	status, o := w.do("GET", path, tenant, "owner")
	require.Equal(w.t, 200, status, "%v", o)
	return o
}

func TestConversationsAndMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	c, m, user := ids.New(), ids.New(), ids.New()
	w.chats.AddConversation(tenant, chat.Conversation{ID: c, AppID: talk, Name: "n", Status: "normal", FromSource: "api", FromEndUserID: user, CreatedAt: at, UpdatedAt: at})
	w.chats.AddMessage(tenant, chat.Message{ID: m, AppID: talk, ConversationID: c, Query: "q", Answer: "a", Status: "normal", FromEndUserID: user, CreatedAt: at})

	list := w.get(talk + "/chat-conversations?page=1&limit=10")
	require.Equal(t, 1.0, list["total"])
	one := list["data"].([]any)[0].(map[string]any)
	require.Equal(t, "q", one["summary"])
	require.Equal(t, 1.0, one["message_count"])
	require.Equal(t, map[string]any{"success": 1.0, "failed": 0.0, "partial_success": 0.0, "paused": 0.0}, one["status_count"])
	require.Nil(t, one["read_at"])
	// Times are the reader's: nine o'clock in Tokyo is midnight in UTC.
	require.Equal(t, 1.0, w.get(talk + "/chat-conversations?start=2025-01-01+09:00")["total"])
	require.Equal(t, 0.0, w.get(talk + "/chat-conversations?start=2025-01-01+09:01")["total"])

	detail := w.get(talk + "/chat-conversations/" + c)
	require.Equal(t, "Hi", detail["model_config"].(map[string]any)["opening_statement"])
	require.NotNil(t, w.get(talk + "/chat-conversations")["data"].([]any)[0].(map[string]any)["read_at"], "somebody has read it now")

	messages := w.get(talk + "/chat-messages?conversation_id=" + c)
	require.Equal(t, messages["data"].([]any)[0], any(w.get(talk+"/messages/"+m)))

	for path, want := range map[string]int{
		talk + "/chat-conversations?limit=0": 400, talk + "/chat-conversations?annotation_status=x": 400, talk + "/chat-conversations?start=soon": 400,
		talk + "/chat-messages": 400, flow + "/chat-conversations": 404, talk + "/chat-conversations/" + flow: 404, talk + "/messages/" + flow: 404,
	} {
		status, o := w.do("GET", path, tenant, "owner")
		require.Equal(t, want, status, "%s %v", path, o)
	}
	status, _ := w.do("GET", talk+"/chat-conversations", tenant, "normal")
	require.Equal(t, 403, status)
	status, _ = w.do("GET", talk+"/messages/"+m, flow, "owner")
	require.Equal(t, 404, status, "another workspace")
	status, _ = w.do("DELETE", talk+"/chat-conversations/"+c, tenant, "editor")
	require.Equal(t, 204, status)
}

func TestRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	ann := history.Person{EndUser: &history.EndUser{ID: ids.New(), Type: "service-api", SessionID: "ann"}}
	id := ids.New()
	w.runs.AddRun(tenant, history.Run{
		ID: id, AppID: flow, TriggeredFrom: "app-run", Graph: []byte(`{"nodes": []}`), Inputs: []byte(`{"q": 1}`), Status: "failed", Error: "no",
		CreatedByRole: "end_user", CreatedBy: ann, CreatedAt: at,
	}, &history.Log{ID: ids.New(), CreatedBy: ann, CreatedAt: at}, history.NodeExecution{ID: ids.New(), Index: 1, NodeID: "start", Status: "succeeded", CreatedBy: ann, CreatedAt: at})

	require.Equal(t, 1.0, w.get(flow + "/workflow-app-logs?status=failed")["total"])
	require.Empty(t, w.get(flow + "/workflow-runs")["data"], "debugging is the default")
	runs := w.get(flow + "/workflow-runs?triggered_from=app-run")["data"].([]any)
	require.Len(t, runs, 1)
	require.NotContains(t, runs[0], "conversation_id")
	detail := w.get(flow + "/workflow-runs/" + id)
	require.Equal(t, map[string]any{"nodes": []any{}}, detail["graph"])
	require.Equal(t, map[string]any{"q": 1.0}, detail["inputs"])
	require.Equal(t, "no", detail["error"])
	require.Nil(t, detail["finished_at"])
	nodes := w.get(flow + "/workflow-runs/" + id + "/node-executions")["data"].([]any)
	require.Len(t, nodes, 1)
	require.Equal(t, map[string]any{}, nodes[0].(map[string]any)["execution_metadata"])

	for path, want := range map[string]int{
		flow + "/workflow-runs?triggered_from=x": 400, flow + "/workflow-app-logs?status=x": 400, talk + "/workflow-app-logs": 404,
		flow + "/workflow-runs/" + talk: 404, flow + "/workflow-runs/" + talk + "/node-executions": 404, talk + "/advanced-chat/workflow-runs": 200,
		flow + "/advanced-chat/workflow-runs": 404,
	} {
		status, o := w.do("GET", path, tenant, "owner")
		require.Equal(t, want, status, "%s %v", path, o)
	}
}

func TestConversationVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	c, id := ids.New(), ids.New()
	w.chats.AddConversation(tenant, chat.Conversation{ID: c, AppID: talk, Name: "n", Status: "normal", FromSource: "api", CreatedAt: at, UpdatedAt: at})
	w.chats.AddVariable(chat.Variable{ID: id, ConversationID: c, Name: "ls", Type: "array[string]", Value: []any{"a"}, CreatedAt: at, UpdatedAt: at})
	one := map[string]any{
		"id": id, "name": "ls", "value_type": "array[string]", "value": "['a']", "description": "", "created_at": float64(at.Unix()), "updated_at": float64(at.Unix()),
	}
	page := func(list ...any) map[string]any {
		return map[string]any{"page": 1.0, "limit": 100.0, "total": float64(len(list)), "has_more": false, "data": append([]any{}, list...)}
	}
	require.Equal(t, page(one), w.get(talk+"/conversation-variables?conversation_id="+c))
	require.Equal(t, page(), w.get(talk+"/conversation-variables?conversation_id="+ids.New()))
	for path, want := range map[string]int{
		talk + "/conversation-variables": 400, talk + "/conversation-variables?conversation_id=x": 400,
		flow + "/conversation-variables?conversation_id=" + c: 404,
	} {
		status, o := w.do("GET", path, tenant, "owner")
		require.Equal(t, want, status, "%s %v", path, o)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC)
	for i, status := range []string{"succeeded", "succeeded", "partial-succeeded", "failed", "paused"} {
		w.runs.AddRun(tenant, history.Run{ID: ids.New(), AppID: flow, TriggeredFrom: "debugging", Status: status, CreatedAt: at.Add(-24 * time.Hour * time.Duration(i))}, nil)
	}
	w.runs.AddRun(tenant, history.Run{ID: ids.New(), AppID: flow, TriggeredFrom: "app-run", Status: "stopped", CreatedAt: at}, nil)
	all := map[string]any{"total": 5.0, "running": 0.0, "succeeded": 2.0, "failed": 1.0, "stopped": 0.0, "partial_succeeded": 1.0}
	require.Equal(t, all, w.get(flow+"/workflow-runs/count"))
	require.Equal(t, 1.0, w.get(flow + "/workflow-runs/count?triggered_from=app-run")["stopped"])
	require.Equal(t, 1.0, w.get(flow + "/workflow-runs/count?time_range=24h")["total"])
	require.Equal(t, 2.0, w.get(flow + "/workflow-runs/count?time_range=2d&status=succeeded")["total"])
	require.Equal(t, 0.0, w.get(talk + "/advanced-chat/workflow-runs/count")["total"])
	for path, want := range map[string]int{
		"/workflow-runs/count?status=paused": 400, "/workflow-runs/count?triggered_from=x": 400, "/workflow-runs/count?time_range=soon": 400,
		"/workflow-runs/count?time_range=d": 400, "/workflow-runs/count?time_range=99999999999d": 400, "/workflow-runs/count?time_range=-1d": 400,
		"/advanced-chat/workflow-runs/count": 404,
	} {
		status, o := w.do("GET", flow+path, tenant, "owner")
		require.Equal(t, want, status, "%s %v", path, o)
	}
}
