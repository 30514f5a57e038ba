package workflows_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/millrace/millrace/shared/api/console/workflows"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/chat/memchat"
	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/debug/memdebug"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/run/history"
	"github.com/millrace/millrace/shared/run/history/memhistory"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/runstore/memrunstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/node"
	"github.com/millrace/millrace/shared/workflow/node/answer"
	"github.com/millrace/millrace/shared/workflow/node/end"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/node/start"
	"github.com/millrace/millrace/shared/workflow/node/templatetransform"
	"github.com/millrace/millrace/shared/workflow/value"
)

// past shows the executions of single nodes as they were stored.
type past struct {
	*memhistory.Store
	left *memdebug.Store
}

func (p past) NodeExecution(_ context.Context, tenantID, appID, id string) (history.NodeExecution, error) {
	e, ok := p.left.Execution(tenantID, appID, id)
	if !ok {
		return history.NodeExecution{}, errs.New(errs.NotFound, "")
	}
	n := history.NodeExecution{
		ID: e.ID, TriggeredFrom: history.FromSingleStep, NodeID: e.NodeID, NodeType: e.NodeType, Title: e.Title, Status: e.Status,
		CreatedAt: e.CreatedAt, FinishedAt: &e.FinishedAt, Index: 1,
	}
	if e.Outputs != nil {
		n.Outputs = json.RawMessage(*e.Outputs)
	}
	return n, nil
}

// gate is a node that waits to be released.
type gate struct{ started, release chan struct{} }

func (g gate) wait(ctx context.Context, _ *workflow.Execution) (*workflow.Result, error) {
	g.started <- struct{}{}
	select {
	case <-g.release:
		return &workflow.Result{Outputs: value.Obj("r", "done")}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// debugger is a bench whose drafts can run.
type debugger struct {
	*bench
	gate    gate
	journal *memrunstore.Driver
	runs    *run.Service
	left    *memdebug.Store
	past    *memhistory.Store
}

func setupDebug(t *testing.T, mode string, graph string) *debugger {
	t.Helper()
	b := setup(t, mode)
	d := &debugger{bench: b, left: memdebug.New(), past: memhistory.New(), journal: memrunstore.New(b.Clock)}
	d.left.AddApp(b.who.Tenant.ID, b.app)
	d.gate = gate{started: make(chan struct{}, 9), release: make(chan struct{})}
	types := node.NewRegistry(start.New(), end.New(), answer.New(), iteration.New(), templatetransform.New(templatetransform.Options{}),
		fakenode.Type{TypeName: "code", NodeKind: workflow.KindExecutable, IsEffect: true, Do: d.gate.wait})
	left := debug.New(debug.Deps{Store: d.left, Blobs: memdebug.NewBlobs(), Graphs: b.apps, Types: types, Clock: b.Clock}, debug.Options{})
	d.runs = run.New(run.Deps{
		Store: runstore.New(d.journal, 0), Stream: eventstream.New(memstream.New(b.Clock)), Types: types, Graphs: b.apps, Clock: b.Clock, Keeper: left,
	}, run.Options{})
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	deps := workflows.Deps{
		Apps: b.apps, Auth: b.Auth, Debug: left, Runs: d.runs, History: history.NewService(past{d.past, d.left}),
		Chats: chat.NewService(memchat.New(), b.Clock.Now), Clock: b.Clock, Logger: slog.New(slog.DiscardHandler),
		Files: file.NewService(file.Options{Store: file.NewMemory(), Bucket: bucket, Clock: b.Clock, Signer: file.NewSigner("k", "http://files", 0, b.Clock)}),
	}
	b.router = edge.NewRouter(append(workflows.Routes(&deps), workflows.StopRoute(&deps)), nil)
	b.owner = b.LogIn(t, b.router, b.who.Account.Email)
	var parsed object
	require.NoError(t, json.Unmarshal([]byte(graph), &parsed))
	b.ok(t, 200, "POST", "/draft", object{"graph": parsed, "features": object{"opening_statement": "Hi {{q}}"}, "conversation_variables": []any{
		object{"name": "s", "value_type": "string", "value": "init"}}})
	return d
}

// events calls a route that streams.
func (d *debugger) events(t *testing.T, method, path string, body any) []object {
	t.Helper()
	w := d.owner.Do(t, method, path, body)
	require.Equal(t, 200, w.Code, w.Body.String())
	return eventsOf(t, w)
}

func eventsOf(t *testing.T, w *httptest.ResponseRecorder) []object {
	t.Helper()
	require.Equal(t, "text/event-stream; charset=utf-8", w.Header().Get("Content-Type"))
	var out []object
	for s := bufio.NewScanner(w.Body); s.Scan(); {
		if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
			var o object
			require.NoError(t, json.Unmarshal([]byte(data), &o))
			out = append(out, o)
		}
	}
	return out
}

func kinds(list []object) string {
	var out []string
	for _, e := range list {
		out = append(out, e["event"].(string))
	}
	return strings.Join(out, " ")
}

const (
	flowGraph = `{"nodes":[{"id":"start","data":{"type":"start","title":"Start","variables":[{"variable":"q","type":"text-input","max_length":9}]}},
		{"id":"t","data":{"type":"template-transform","title":"t","template":"T {{ q }}","variables":[{"variable":"q","value_selector":["start","q"]}]}},
		{"id":"it","data":{"type":"iteration","title":"it","start_node_id":"its","iterator_selector":["mk","l"],"output_selector":["tt","output"],"output_type":"array[string]"}},
		{"id":"its","parentId":"it","data":{"type":"iteration-start","iteration_id":"it"}},
		{"id":"tt","parentId":"it","data":{"type":"template-transform","iteration_id":"it","template":"<{{ x }}>","variables":[{"variable":"x","value_selector":["it","item"]}]}},
		{"id":"end","data":{"type":"end","title":"End","outputs":[{"variable":"out","value_selector":["t","output"]}]}}],
		"edges":[{"source":"start","target":"t"},{"source":"t","target":"end"},{"source":"its","target":"tt"}]}`
	chatGraph = `{"nodes":[{"id":"start","data":{"type":"start","variables":[{"variable":"q","type":"text-input"}]}},
		{"id":"a","data":{"type":"answer","answer":"re {{#sys.query#}} {{#sys.dialogue_count#}}"}}],"edges":[{"source":"start","target":"a"}]}`
)

func (d *debugger) path(rest string) string { return "/console/api/apps/" + d.app + rest }

func TestRunDraft(t *testing.T) {
	t.Parallel()
	d := setupDebug(t, app.ModeWorkflow, flowGraph)
	got := d.events(t, "POST", d.path("/workflows/draft/run"), object{"inputs": object{"q": "dbg"}})
	require.Equal(t, "workflow_started node_started node_finished node_started text_chunk node_finished node_started node_finished workflow_finished", kinds(got))
	last := got[len(got)-1]["data"].(object)
	require.Equal(t, object{"out": "T dbg"}, last["outputs"])
	require.Equal(t, object{"id": d.who.Account.ID, "name": "Conformance", "email": d.who.Account.Email}, last["created_by"])
	v, err := d.runs.Get(t.Context(), d.who.Tenant.ID, last["id"].(string))
	require.NoError(t, err)
	require.Equal(t, []string{run.InvokeFromDebugger, run.FromDebugging, ""}, []string{v.Request.InvokeFrom, v.Request.TriggeredFrom, v.Request.CreatedFrom})

	all := d.ok(t, 200, "GET", "/draft/variables?limit=2", nil)
	require.Equal(t, 3.0, all["total"])
	require.Len(t, all["items"], 2)
	require.NotContains(t, all["items"].([]any)[0], "value")
	one := d.ok(t, 200, "GET", "/draft/nodes/t/variables", nil)["items"].([]any)[0].(object)
	id := one["id"].(string)
	require.Equal(t, object{"id": id, "type": "node", "name": "output", "description": "", "selector": []any{"t", "output"}, "value_type": "string", "value": "T dbg",
		"edited": false, "visible": true, "is_truncated": false, "full_content": nil}, one)

	changed := d.ok(t, 200, "PATCH", "/draft/variables/"+id, object{"value": "mine"})
	require.Equal(t, []any{"mine", true}, []any{changed["value"], changed["edited"]})
	require.Equal(t, changed, d.ok(t, 200, "GET", "/draft/variables/"+id, nil))
	d.ok(t, 400, "PATCH", "/draft/variables/"+id, object{"value": 5})
	d.ok(t, 400, "PATCH", "/draft/variables/"+id, object{"name": ""})
	require.Nil(t, d.ok(t, 204, "PUT", "/draft/variables/"+id+"/reset", nil), "its execution is not stored here")
	d.ok(t, 404, "GET", "/draft/variables/"+id, nil)
	d.ok(t, 404, "PUT", "/draft/variables/"+id+"/reset", nil)
	d.ok(t, 400, "GET", "/draft/nodes/sys/variables", nil)
	d.ok(t, 204, "DELETE", "/draft/nodes/start/variables", nil)
	require.Equal(t, 1.0, d.ok(t, 200, "GET", "/draft/variables", nil)["total"])
	end := d.ok(t, 200, "GET", "/draft/nodes/end/variables", nil)["items"].([]any)[0].(object)
	d.ok(t, 204, "DELETE", "/draft/variables/"+end["id"].(string), nil)
	d.ok(t, 204, "DELETE", "/draft/variables", nil)

	dead := d.events(t, "POST", d.path("/workflows/draft/run"), object{"inputs": object{"q": "much too long"}})
	require.Equal(t, "workflow_started workflow_finished", kinds(dead))
	require.Equal(t, "q in input form must be less than 9 characters", dead[1]["data"].(object)["error"])
	require.Equal(t, dead[1]["workflow_run_id"], dead[1]["task_id"])
	d.ok(t, 400, "POST", "/draft/run", object{})
	d.ok(t, 400, "POST", "/draft/run", object{"inputs": object{}, "files": []any{1}})
	code, o := call(t, d.owner, "POST", d.path("/advanced-chat/workflows/draft/run"), object{"inputs": object{}})
	require.Equal(t, 404, code)
	require.Equal(t, "App mode is not in the supported list: {'advanced-chat'}", o["message"])

	// Who made the run joins it again by its run or task id.
	for _, runID := range []string{last["id"].(string), got[0]["task_id"].(string)} {
		again := d.events(t, "GET", "/console/api/workflow/"+runID+"/events", nil)
		require.Equal(t, "workflow_finished", kinds(again))
	}
	again := d.events(t, "GET", "/console/api/workflow/"+last["id"].(string)+"/events?last_event_id=1", nil)
	require.Equal(t, kinds(got[1:]), kinds(again))
	for _, bad := range []string{last["id"].(string) + "/events?last_event_id=99", last["id"].(string) + "/events?last_event_id=x"} {
		code, _ = call(t, d.owner, "GET", "/console/api/workflow/"+bad, nil)
		require.Equal(t, 400, code)
	}
	code, _ = call(t, d.owner, "GET", "/console/api/workflow/"+ids.Random()+"/events", nil)
	require.Equal(t, 404, code)
	for _, task := range []string{got[0]["task_id"].(string), ids.Random(), "x"} {
		code, o = call(t, d.owner, "POST", d.path("/workflow-runs/tasks/"+task+"/stop"), nil)
		require.Equal(t, 200, code)
		require.Equal(t, object{"result": "success"}, o)
	}
}

func TestOthersSeeNothingOfADebuggersRuns(t *testing.T) {
	t.Parallel()
	d := setupDebug(t, app.ModeWorkflow, flowGraph)
	got := d.events(t, "POST", d.path("/workflows/draft/run"), object{"inputs": object{"q": "dbg"}})
	runID := got[0]["workflow_run_id"].(string)
	d.Join(t, d.who.Tenant.ID, "editor@example.com", "editor")
	d.Join(t, d.who.Tenant.ID, "reader@example.com", "normal")
	editor, reader := d.LogIn(t, d.router, "editor@example.com"), d.LogIn(t, d.router, "reader@example.com")
	code, _ := call(t, editor, "GET", "/console/api/workflow/"+runID+"/events", nil)
	require.Equal(t, 404, code)
	_, o := call(t, editor, "GET", d.path("/workflows/draft/variables"), nil)
	require.Equal(t, 0.0, o["total"], "variables are each account's own")
	for _, path := range []string{"/workflows/draft/run", "/workflows/draft/nodes/t/run", "/workflows/draft/iteration/nodes/it/run"} {
		code, _ = call(t, reader, "POST", d.path(path), object{"inputs": object{}})
		require.Equal(t, 403, code, path)
	}
	code, _ = call(t, reader, "DELETE", d.path("/workflows/draft/variables"), nil)
	require.Equal(t, 403, code)
}

func TestRunNodesAlone(t *testing.T) {
	t.Parallel()
	d := setupDebug(t, app.ModeWorkflow, flowGraph)
	require.Equal(t, "Variable key t.q not found in user inputs", d.ok(t, 400, "POST", "/draft/nodes/t/run", object{"inputs": object{}})["message"])
	done := d.ok(t, 200, "POST", "/draft/nodes/t/run", object{"inputs": object{"t.q": "one"}})
	require.Equal(t, object{"output": "T one"}, done["outputs"])
	require.Nil(t, done["process_data"])
	require.Equal(t, object{}, done["execution_metadata"])
	require.Equal(t, "succeeded", done["status"])
	d.ok(t, 400, "POST", "/draft/nodes/t/run", object{})
	d.ok(t, 404, "POST", "/draft/nodes/ghost/run", object{"inputs": object{}})
	require.Equal(t, "last run not found", d.ok(t, 404, "GET", "/draft/nodes/t/last-run", nil)["message"])
	draft, err := d.apps.Draft(t.Context(), d.who.Tenant.ID, d.app)
	require.NoError(t, err)
	d.past.AddRun(d.who.Tenant.ID, history.Run{ID: ids.New(), AppID: d.app, WorkflowID: draft.ID}, nil, history.NodeExecution{ID: ids.New(), NodeID: "t", Status: "failed", Error: "no"})
	require.Equal(t, "no", d.ok(t, 200, "GET", "/draft/nodes/t/last-run", nil)["error"])

	got := d.events(t, "POST", d.path("/workflows/draft/iteration/nodes/it/run"), object{"inputs": object{"it.input_selector": []any{"x", "y"}}})
	require.Equal(t, "workflow_started iteration_started iteration_next node_started node_finished iteration_next node_started node_finished iteration_completed workflow_finished", kinds(got))
	require.Equal(t, object{"output": []any{"<x>", "<y>"}}, got[8]["data"].(object)["outputs"])
	require.NotEqual(t, got[0]["workflow_run_id"], got[0]["data"].(object)["inputs"].(object)["sys.workflow_run_id"])
	require.Equal(t, []any{"<x>", "<y>"}, d.ok(t, 200, "GET", "/draft/nodes/it/variables", nil)["items"].([]any)[0].(object)["value"])
	require.Empty(t, d.ok(t, 200, "GET", "/draft/nodes/tt/variables", nil)["items"])
	d.ok(t, 400, "POST", "/draft/iteration/nodes/it/run", object{"inputs": object{}})
	d.ok(t, 400, "POST", "/draft/loop/nodes/it/run", nil)
	d.ok(t, 404, "POST", "/draft/iteration/nodes/ghost/run", nil)
}

func TestRunChatDraft(t *testing.T) {
	t.Parallel()
	d := setupDebug(t, app.ModeAdvancedChat, chatGraph)
	path := d.path("/advanced-chat/workflows/draft/run")
	got := d.events(t, "POST", path, object{"query": "hello", "conversation_id": "", "inputs": object{"q": "Ann"}})
	require.Equal(t, "re hello 1", got[len(got)-1]["data"].(object)["outputs"].(object)["answer"])
	require.NotEmpty(t, got[0]["conversation_id"])
	v, err := d.runs.Get(t.Context(), d.who.Tenant.ID, got[0]["workflow_run_id"].(string))
	require.NoError(t, err)
	require.True(t, v.Request.Chat.NewConversation)
	require.Equal(t, "Hi Ann", v.Request.Chat.Introduction)
	require.Empty(t, v.Request.Chat.ParentMessageID)

	code, o := call(t, d.owner, "POST", path, object{"query": "x", "conversation_id": ids.Random()})
	require.Equal(t, 404, code, "%v", o)
	code, _ = call(t, d.owner, "POST", path, object{"query": "x", "conversation_id": "no uuid"})
	require.Equal(t, 400, code)
	code, _ = call(t, d.owner, "POST", d.path("/workflows/draft/run"), object{"inputs": object{}})
	require.Equal(t, 404, code)

	list := d.ok(t, 200, "GET", "/draft/conversation-variables", nil)["items"].([]any)
	require.Len(t, list, 1)
	one := list[0].(object)
	require.Equal(t, []any{"s", "init", "conversation", false}, []any{one["name"], one["value"], one["type"], one["edited"]})
	d.ok(t, 200, "PATCH", "/draft/variables/"+one["id"].(string), object{"value": "changed"})
	require.Equal(t, "init", d.ok(t, 200, "PUT", "/draft/variables/"+one["id"].(string)+"/reset", nil)["value"])
}

const slowGraph = `{"nodes":[{"id":"start","data":{"type":"start","title":"Start","variables":[]}},{"id":"c","data":{"type":"code","title":"c"}},
	{"id":"end","data":{"type":"end","title":"End","outputs":[{"variable":"out","value_selector":["c","r"]}]}}],
	"edges":[{"source":"start","target":"c"},{"source":"c","target":"end"}]}`

// began starts a draft run and returns its id when its slow node runs; its answer
// comes through the channel at its end.
func (d *debugger) began(t *testing.T) (id string, done <-chan *httptest.ResponseRecorder) {
	t.Helper()
	client, answer := d.LogIn(t, d.router, d.who.Account.Email), make(chan *httptest.ResponseRecorder, 1)
	go func() { answer <- client.Do(t, "POST", d.path("/workflows/draft/run"), object{"inputs": object{}}) }()
	<-d.gate.started
	list := d.journal.RunIDs()
	require.Len(t, list, 1)
	return list[0], answer
}

func TestJoinADraftThatRuns(t *testing.T) {
	t.Parallel()
	d := setupDebug(t, app.ModeWorkflow, slowGraph)
	id, done := d.began(t)
	client, joined := d.LogIn(t, d.router, d.who.Account.Email), make(chan *httptest.ResponseRecorder, 1)
	go func() {
		joined <- client.Do(t, "GET", "/console/api/workflow/"+id+"/events?include_state_snapshot=true&continue_on_pause=true", nil)
	}()
	close(d.gate.release)
	all := eventsOf(t, <-done)
	require.Equal(t, "workflow_started node_started node_finished node_started text_chunk node_finished node_started node_finished workflow_finished", kinds(all))
	got := eventsOf(t, <-joined)
	require.Equal(t, "workflow_finished", kinds(got[len(got)-1:]), "whether it came in time or late")
	require.Equal(t, object{"out": "done"}, got[len(got)-1]["data"].(object)["outputs"])
}

func TestStopADraftThatRuns(t *testing.T) {
	t.Parallel()
	d := setupDebug(t, app.ModeWorkflow, slowGraph)
	id, done := d.began(t)
	code, _ := call(t, d.owner, "POST", d.path("/workflow-runs/tasks/"+run.TaskID(id)+"/stop"), nil)
	require.Equal(t, 200, code)
	all := eventsOf(t, <-done)
	require.Equal(t, "stopped", all[len(all)-1]["data"].(object)["status"])
}
