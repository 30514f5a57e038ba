package debug_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/debug/memdebug"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/inputs"
	"github.com/millrace/millrace/shared/workflow/node"
	"github.com/millrace/millrace/shared/workflow/node/end"
	"github.com/millrace/millrace/shared/workflow/node/ifelse"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/node/start"
	"github.com/millrace/millrace/shared/workflow/node/templatetransform"
	"github.com/millrace/millrace/shared/workflow/truncate"
	"github.com/millrace/millrace/shared/workflow/value"
)

const draftID = "33333333-3333-4333-8333-333333333333"

type source struct {
	mu  sync.Mutex
	def run.Definition
}

func (s *source) Definition(_ context.Context, _, id string) (*run.Definition, error) {
	if id != draftID {
		return nil, errs.New(errs.NotFound, "")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	def := s.def
	return &def, nil
}

// set changes the draft's graph.
func (s *source) set(graph string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.def.Graph = graph
}

// files makes a file of every reference to the own workspace.
type files struct{}

func (files) ResolveFile(_ context.Context, ref *value.Object, _ inputs.FileRules) (*value.File, error) {
	if ref.String("related_id") != "" {
		return nil, errs.New(errs.InvalidParam, "Invalid upload file")
	}
	return &value.File{Type: ref.String("type"), TransferMethod: "remote_url", RemoteURL: ref.String("url")}, nil
}

type bench struct {
	*debug.Service
	store  *memdebug.Store
	source *source
	scope  debug.Scope
	clock  *clock.Fake
	call   fakenode.Func
}

func setup(t *testing.T, graph string) *bench {
	t.Helper()
	b := &bench{
		store: memdebug.New(), source: &source{def: run.Definition{ID: draftID, Graph: graph, Mutable: true}},
		scope: debug.Scope{TenantID: ids.Random(), AppID: ids.Random(), AccountID: ids.Random()},
		clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
	}
	b.store.AddApp(b.scope.TenantID, b.scope.AppID)
	types := node.NewRegistry(start.New(), end.New(), ifelse.New(), templatetransform.New(templatetransform.Options{}), iteration.New(),
		fakenode.Type{TypeName: "code", NodeKind: workflow.KindExecutable, IsEffect: true,
			Do: func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) { return b.call(ctx, x) }})
	b.Service = debug.New(debug.Deps{Store: b.store, Blobs: memdebug.NewBlobs(), Graphs: b.source, Types: types, Clock: b.clock}, debug.Options{})
	return b
}

func (b *bench) request(nodeID string, kv ...any) debug.NodeRequest {
	return debug.NodeRequest{Scope: b.scope, WorkflowID: draftID, Mode: "workflow", NodeID: nodeID, Inputs: value.Obj(kv...), Resolver: files{}}
}

func (b *bench) run(t *testing.T, nodeID string, kv ...any) debug.Execution {
	t.Helper()
	e, err := b.RunNode(t.Context(), b.request(nodeID, kv...))
	require.NoError(t, err)
	stored, ok := b.store.Execution(b.scope.TenantID, b.scope.AppID, e.ID)
	require.True(t, ok)
	require.Equal(t, *e, stored)
	return stored
}

// left are the values that are left behind, by selector.
func (b *bench) left(t *testing.T) map[string]string {
	t.Helper()
	list, err := b.store.Variables(t.Context(), b.scope, "")
	require.NoError(t, err)
	out := map[string]string{}
	for _, v := range list {
		out[v.NodeID+"."+v.Name] = string(v.Value)
	}
	return out
}

func (b *bench) find(t *testing.T, nodeID, name string) debug.Variable {
	t.Helper()
	v, err := b.store.Find(t.Context(), b.scope, nodeID, name)
	require.NoError(t, err)
	return v
}

const template = `{"id":"t","data":{"type":"template-transform","title":"T","template":"T {{ q }}","variables":[{"variable":"q","value_selector":["start","q"]}]}}`

func graphOf(nodes ...string) string {
	return `{"nodes":[` + strings.Join(nodes, ",") + `],"edges":[]}`
}

func TestWhereValuesComeFrom(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(template))
	_, err := b.RunNode(t.Context(), b.request("t", "start.q", "no", "#start.q#", "no"))
	require.True(t, errs.Is(err, errs.InvalidParam))
	require.ErrorContains(t, err, "Variable key t.q not found in user inputs")
	require.Empty(t, b.left(t))

	e := b.run(t, "t", "t.q", "given")
	require.JSONEq(t, `{"output":"T given"}`, *e.Outputs)
	require.JSONEq(t, `{"q":"given"}`, *e.Inputs)
	require.Nil(t, e.Process)
	require.Equal(t, workflow.StatusSucceeded, e.Status)
	require.Equal(t, map[string]string{"t.output": `"T given"`}, b.left(t), "what was given is not kept, what came out is")

	require.NoError(t, b.store.Save(t.Context(), b.scope, []debug.Variable{{ID: ids.Random(), NodeID: "start", Name: "q", ValueType: "string", Value: json.RawMessage(`"kept"`)}}))
	require.JSONEq(t, `{"output":"T kept"}`, *b.run(t, "t").Outputs)
	require.JSONEq(t, `{"output":"T other"}`, *b.run(t, "t", "q", "other").Outputs, "what is given comes first")

	_, err = b.RunNode(t.Context(), b.request("nobody"))
	require.True(t, errs.Is(err, errs.NotFound))
	q := b.request("t")
	q.WorkflowID = ids.Random()
	_, err = b.RunNode(t.Context(), q)
	require.True(t, errs.Is(err, errs.NotFound))
}

func TestStartAndEndAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(
		`{"id":"start","data":{"type":"start","variables":[{"variable":"q","type":"text-input"},{"variable":"f","type":"file"}]}}`,
		`{"id":"end","data":{"type":"end","outputs":[{"variable":"out","value_selector":["start","q"]}]}}`))
	e := b.run(t, "start", "q", "s", "f", value.Obj("type", "image", "transfer_method", "remote_url", "url", "http://x"))
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(*e.Outputs), &got))
	require.Equal(t, "s", got["q"])
	require.Equal(t, "http://x", got["f"].(map[string]any)["remote_url"])
	require.Equal(t, b.scope.AccountID, got["sys.user_id"])
	require.InDelta(t, b.clock.Now().Unix(), got["sys.timestamp"], 0)
	require.NotContains(t, *e.Inputs, "sys.")
	require.Equal(t, `"s"`, b.left(t)["start.q"])
	files := b.find(t, "sys", "files")
	require.True(t, files.Visible && files.Editable)
	user := b.find(t, "sys", "user_id")
	require.False(t, user.Visible || user.Editable)
	require.Equal(t, "file", b.find(t, "start", "f").ValueType)

	require.JSONEq(t, `{"out":null}`, *b.run(t, "end").Outputs, "an end takes what it is given, and it can be given nothing")

	q := b.request("start", "q", "s")
	q.Mode, q.Query = "advanced-chat", "hello"
	chat, err := b.RunNode(t.Context(), q)
	require.NoError(t, err)
	require.Contains(t, *chat.Outputs, `"sys.query": "hello"`)
	require.Contains(t, *chat.Outputs, `"sys.dialogue_count": 1`)
}

func TestFailuresAreExecutions(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(
		`{"id":"c","data":{"type":"code"}}`, `{"id":"fb","data":{"type":"code","error_strategy":"fail-branch"}}`,
		`{"id":"dv","data":{"type":"code","error_strategy":"default-value","default_value":[{"key":"r","type":"number","value":"3"}]}}`))
	b.call = func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return &workflow.Result{Inputs: value.Obj("a", int64(1))}, workflow.Fail("CodeExecutionError", "boom")
	}
	e := b.run(t, "c")
	require.Equal(t, workflow.StatusFailed, e.Status)
	require.Equal(t, "boom", *e.Error)
	require.JSONEq(t, `{"a":1}`, *e.Inputs)
	require.Nil(t, e.Outputs)
	require.Empty(t, b.left(t), "what failed leaves nothing behind")
	e = b.run(t, "fb")
	require.Equal(t, workflow.StatusException, e.Status)
	require.JSONEq(t, `{"error_message":"boom","error_type":"CodeExecutionError"}`, *e.Outputs)
	require.JSONEq(t, `{"error_strategy":"fail-branch"}`, *e.Metadata)
	e = b.run(t, "dv")
	require.JSONEq(t, `{"r":3.0,"error_message":"boom","error_type":"CodeExecutionError"}`, *e.Outputs)
	require.Equal(t, "3.0", b.left(t)["dv.r"])

	gone, cancel := context.WithCancel(t.Context())
	b.call = func(ctx context.Context, _ *workflow.Execution) (*workflow.Result, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	_, err := b.RunNode(gone, b.request("c"))
	require.ErrorIs(t, err, context.Canceled)
}

func TestEnvironmentAndConversation(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(`{"id":"t","data":{"type":"template-transform","template":"{{ e }} {{ c }}","variables":[
		{"variable":"e","value_selector":["env","E"]},{"variable":"c","value_selector":["conversation","s"]}]}}`))
	b.source.def.Environment = []run.Variable{{Name: "E", Value: "env"}}
	b.source.def.Conversation = []run.Variable{{Name: "s", Value: "init"}}
	require.JSONEq(t, `{"output":"env init"}`, *b.run(t, "t").Outputs, "variables that nobody changed have the draft's defaults")

	list, err := b.Conversation(t.Context(), b.scope, b.source.def.Conversation)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.True(t, list[0].IsDefault)
	_, err = b.Edit(t.Context(), b.scope, list[0].ID, debug.Edit{HasValue: true, Value: "mine"})
	require.NoError(t, err)
	require.JSONEq(t, `{"output":"env mine"}`, *b.run(t, "t").Outputs)

	v, ok, err := b.Reset(t.Context(), b.scope, list[0].ID, b.source.def.Conversation)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, `"init"`, string(v.Value))
	require.False(t, v.Edited())
	_, ok, err = b.Reset(t.Context(), b.scope, list[0].ID, nil)
	require.NoError(t, err)
	require.False(t, ok, "the draft has no such variable any more")
	_, err = b.Variable(t.Context(), b.scope, list[0].ID)
	require.ErrorContains(t, err, "variable not found, id="+list[0].ID)
}

func TestEditAndReset(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(`{"id":"c","data":{"type":"code"}}`))
	b.call = func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return &workflow.Result{Outputs: value.Obj("n", int64(1), "l", []any{"a"}, "s", "text", "f", &value.File{Type: "image"})}, nil
	}
	e := b.run(t, "c")
	edit := func(name string, v any) error {
		_, err := b.Edit(t.Context(), b.scope, b.find(t, "c", name).ID, debug.Edit{HasValue: true, Value: v, Resolver: files{}})
		return err
	}
	for name, bad := range map[string]any{"n": "1", "l": []any{int64(1)}, "s": int64(1), "f": "x"} {
		require.True(t, errs.Is(edit(name, bad), errs.InvalidParam), name)
	}
	require.NoError(t, edit("n", 1.5))
	require.Equal(t, "float", b.find(t, "c", "n").ValueType)
	require.NoError(t, edit("l", []any{}))
	require.Equal(t, "array[string]", b.find(t, "c", "l").ValueType)
	require.NoError(t, edit("l", []any{"b", "c"}))
	require.NoError(t, edit("f", value.Obj("type", "document", "transfer_method", "remote_url", "url", "http://y")))
	require.Contains(t, b.left(t)["c.f"], `"http://y"`)
	id := b.find(t, "c", "s").ID
	name := "renamed"
	v, err := b.Edit(t.Context(), b.scope, id, debug.Edit{Name: &name})
	require.NoError(t, err)
	require.Equal(t, "renamed", v.Name)
	name = "n"
	_, err = b.Edit(t.Context(), b.scope, id, debug.Edit{Name: &name})
	require.True(t, errs.Is(err, errs.InvalidParam))

	l := b.find(t, "c", "l")
	require.True(t, l.Edited())
	require.Equal(t, e.ID, l.ExecutionID)
	l, ok, err := b.Reset(t.Context(), b.scope, l.ID, nil)
	require.NoError(t, err)
	require.True(t, ok)
	require.JSONEq(t, `["a"]`, string(l.Value))
	require.False(t, l.Edited())
	_, ok, err = b.Reset(t.Context(), b.scope, l.ID, nil)
	require.NoError(t, err)
	require.True(t, ok, "what was not edited stays")
	_, ok, err = b.Reset(t.Context(), b.scope, id, nil)
	require.NoError(t, err)
	require.False(t, ok, "the node never made a variable of that name")

	_, err = b.OfNode(t.Context(), b.scope, "sys")
	require.True(t, errs.Is(err, errs.InvalidParam))
	require.True(t, errs.Is(b.DeleteOfNode(t.Context(), b.scope, "conversation"), errs.InvalidParam))
	require.NoError(t, b.DeleteOfNode(t.Context(), b.scope, "c"))
	require.Empty(t, b.left(t))
}

func TestLargeValuesLieOutside(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(`{"id":"c","data":{"type":"code"}}`,
		`{"id":"t","data":{"type":"template-transform","template":"{{ l | length }}","variables":[{"variable":"l","value_selector":["c","l"]}]}}`))
	b.call = func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		list := make([]any, 1500)
		for i := range list {
			list[i] = int64(i)
		}
		return &workflow.Result{Outputs: value.Obj("l", list)}, nil
	}
	b.run(t, "c")
	v := b.find(t, "c", "l")
	require.NotNil(t, v.File)
	require.Equal(t, 1500, *v.File.Length)
	require.Equal(t, "array[number]", v.File.ValueType)
	require.Len(t, v.Shown(), 1000)
	require.JSONEq(t, `{"output":"1500"}`, *b.run(t, "t").Outputs, "nodes get all of it")

	_, err := b.Edit(t.Context(), b.scope, v.ID, debug.Edit{HasValue: true, Value: []any{int64(1)}})
	require.NoError(t, err)
	require.Nil(t, b.find(t, "c", "l").File)
	v, ok, err := b.Reset(t.Context(), b.scope, v.ID, nil)
	require.NoError(t, err)
	require.True(t, ok)
	require.NotNil(t, v.File)
}

// full has no room for anything.
type full struct{ debug.Blobs }

func (full) Put(context.Context, string, string, []byte) (string, error) {
	return "", errs.New(errs.FileTooLarge, "")
}

func TestKeep(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(template))
	req := &run.StartRequest{TenantID: b.scope.TenantID, AppID: b.scope.AppID, User: run.User{ID: b.scope.AccountID}}
	finished := func(id, kind, status string, outputs *value.Object) workflow.Event {
		return workflow.Event{Type: workflow.EventNodeFinished, Node: &workflow.NodeEvent{ExecutionID: ids.New(), NodeID: id, NodeType: kind, Status: status, Outputs: outputs}}
	}
	inside := finished("child", "template-transform", "succeeded", value.Obj("output", "x"))
	inside.Frame = []workflow.Frame{{NodeID: "it", Type: "iteration"}}
	inside.Node.Updates = []workflow.Update{
		{Selector: workflow.Selector{"conversation", "s"}, Value: "first"}, {Selector: workflow.Selector{"it", "x"}, Value: "no"},
	}
	assigned := finished("as", "assigner", "succeeded", nil)
	assigned.Node.Updates = []workflow.Update{{Selector: workflow.Selector{"conversation", "s"}, Value: "last"}}
	events := []workflow.Event{
		{Type: workflow.EventNodeStarted, Node: &workflow.NodeEvent{NodeID: "never"}}, finished("start", "start", "succeeded", value.Obj("q", "v")), inside, assigned,
		finished("llm", "llm", "succeeded", value.Obj("text", "t", "finish_reason", "stop")), finished("ie", "if-else", "succeeded", value.Obj("result", true)),
		finished("bad", "code", "failed", value.Obj("x", "y")), finished("ex", "code", "exception", value.Obj("error_message", "m")),
	}
	require.NoError(t, b.Keep(t.Context(), req, events))
	want := map[string]string{
		"start.q": `"v"`, "conversation.s": `"last"`, "as.__dummy__": "null", "llm.text": `"t"`, "ie.result": "true", "ex.error_message": `"m"`,
	}
	require.Equal(t, want, b.left(t))
	require.False(t, b.find(t, "ie", "result").Visible)
	require.False(t, b.find(t, "as", "__dummy__").Visible)
	first := b.find(t, "start", "q")

	require.NoError(t, b.Keep(t.Context(), req, events), "after a crash the same comes again")
	require.Equal(t, want, b.left(t))
	require.Equal(t, first.ID, b.find(t, "start", "q").ID)
	require.NoError(t, b.Keep(t.Context(), req, events[:1]))

	b.Blobs = full{}
	require.NoError(t, b.Keep(t.Context(), req, []workflow.Event{finished("big", "code", "succeeded", value.Obj("s", strings.Repeat("x", 200000)))}))
	v := b.find(t, "big", "s")
	require.Nil(t, v.File, "what cannot be kept whole is kept cut")
	require.Equal(t, truncated(t, strings.Repeat("x", 200000)), string(v.Value))
}

func truncated(t *testing.T, s string) string {
	t.Helper()
	short, cut := truncate.Limits{}.Value(s)
	require.True(t, cut)
	return value.JSON(short)
}

func TestContainersAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(template,
		`{"id":"it","data":{"type":"iteration","start_node_id":"its","iterator_selector":["mk","l"],"output_selector":["tt","output"]}}`,
		`{"id":"its","parentId":"it","data":{"type":"iteration-start","iteration_id":"it"}}`,
		`{"id":"tt","parentId":"it","data":{"type":"template-transform","iteration_id":"it","template":"x","variables":[
			{"variable":"x","value_selector":["it","item"]},{"variable":"q","value_selector":["start","q"]}]}}`))
	_, err := b.Alone(t.Context(), b.request("it", "it.input_selector", []any{"a"}), "iteration")
	require.ErrorContains(t, err, "Variable key it.tt.q not found in user inputs")
	alone, err := b.Alone(t.Context(), b.request("it", "it.input_selector", []any{"a"}, "it.tt.q", "v"), "iteration")
	require.NoError(t, err)
	require.Equal(t, "it", alone.NodeID)
	require.NotEmpty(t, alone.RunID)
	require.Equal(t, []workflow.Update{
		{Selector: workflow.Selector{"mk", "l"}, Value: []any{"a"}}, {Selector: workflow.Selector{"start", "q"}, Value: "v"},
	}, alone.Variables)
	_, err = b.Alone(t.Context(), b.request("it"), "loop")
	require.True(t, errs.Is(err, errs.InvalidParam))
	_, err = b.RunNode(t.Context(), b.request("it"))
	require.True(t, errs.Is(err, errs.InvalidParam))
}

func TestNobodyNamesFilesOfOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, graphOf(`{"id":"c","data":{"type":"code","variables":[{"variable":"o","value_selector":["start","o"]}]}}`, `{"id":"h","data":{"type":"human-input"}}`))
	b.call = func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		return &workflow.Result{Outputs: value.Obj("o", value.Obj("k", "v"), "l", []any{value.Obj("k", "v")})}, nil
	}
	foreign := value.Obj("dify_model_identity", value.FileMarker, "type", "image", "transfer_method", "local_file", "related_id", ids.Random())
	for _, v := range []any{foreign, []any{foreign}, value.Obj("deep", []any{value.Obj("er", foreign)})} {
		_, err := b.RunNode(t.Context(), b.request("c", "c.o", v))
		require.True(t, errs.Is(err, errs.InvalidParam))
		q := b.request("c", "c.o", v)
		q.Resolver = nil
		_, err = b.RunNode(t.Context(), q)
		require.True(t, errs.Is(err, errs.InvalidParam))
	}
	b.run(t, "c", "c.o", value.Obj("type", "x", "n", "a\x00b"))
	for name, v := range map[string]any{"o": value.Obj("deep", foreign), "l": []any{foreign}} {
		_, err := b.Edit(t.Context(), b.scope, b.find(t, "c", name).ID, debug.Edit{HasValue: true, Value: v, Resolver: files{}})
		require.True(t, errs.Is(err, errs.InvalidParam), name)
	}
	_, err := b.RunNode(t.Context(), b.request("h"))
	require.True(t, errs.Is(err, errs.InvalidParam))
}
