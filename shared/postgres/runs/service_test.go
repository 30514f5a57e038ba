package runs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	tenant = "11111111-1111-4111-8111-111111111111"
	appID  = "22222222-2222-4222-8222-222222222222"
	wfID   = "33333333-3333-4333-8333-333333333333"
	userID = "44444444-4444-4444-8444-444444444444"
)

type graph string

func (g graph) Definition(_ context.Context, tenantID, id string) (*run.Definition, error) {
	if id != wfID || tenantID != tenant {
		return nil, errs.New(errs.NotFound, "")
	}
	return &run.Definition{ID: id, TenantID: tenantID, AppID: appID, Type: "workflow", Version: "v1", Graph: string(g)}, nil
}

func service(p *pgxpool.Pool, g string, call fakenode.Func, opts run.Options) *run.Service {
	return run.New(run.Deps{
		Store: runstore.New(runs.New(p), 0), Stream: eventstream.New(memstream.New(clock.System{})), Types: fakenode.Types(call), Graphs: graph(g), Clock: clock.System{},
	}, opts)
}

func request(kv ...any) run.StartRequest {
	return run.StartRequest{
		TenantID: tenant, AppID: appID, WorkflowID: wfID, Mode: run.ModeWorkflow, InvokeFrom: "service-api", CreatedFrom: "service-api",
		User: run.User{ID: userID, Role: "end_user", SessionID: "user-1"}, Inputs: value.Obj(kv...),
	}
}

func chatRequest(query string) run.StartRequest {
	r := request()
	r.Mode, r.CreatedFrom, r.RunID = run.ModeAdvancedChat, "", ids.New()
	r.Chat = &run.ChatTurn{ConversationID: ids.New(), NewConversation: true, MessageID: ids.New(), ParentMessageID: ids.Nil, Query: query}
	r.Files = []any{
		&value.File{Type: "image", TransferMethod: "local_file", RelatedID: userID, Filename: "a.png", Size: 1},
		&value.File{Type: "image", TransferMethod: "remote_url", RemoteURL: "http://x/y.png", Filename: "y.png", Size: 1},
	}
	return r
}

var pureGraph = fakenode.Graph([]string{
	`{"id":"start","type":"start","title":"Start"}`, `{"id":"t","type":"text","title":"T","template":"hello {{#start.q#}}"}`,
	`{"id":"end","type":"end","title":"End","outputs":[{"variable":"out","value_selector":["t","output"]}]}`,
}, []string{"start", "t"}, []string{"t", "end"})

func one[T any](t *testing.T, p *pgxpool.Pool, sql string, args ...any) T {
	t.Helper()
	var v T
	require.NoError(t, p.QueryRow(t.Context(), sql, args...).Scan(&v))
	return v
}

func TestWorkflowRowsAreTheContracts(t *testing.T) {
	t.Parallel()
	p := pool(t)
	res, err := service(p, pureGraph, nil, run.Options{}).Start(t.Context(), request("q", "you é\x00"), nil)
	require.NoError(t, err)
	require.Equal(t, `{"out": "hello you \u00e9"}`, one[string](t, p, `SELECT outputs FROM workflow_runs WHERE id=$1 AND tenant_id=$2 AND status='succeeded' AND total_steps=3 AND finished_at >= created_at`, res.RunID, tenant))
	require.Contains(t, one[string](t, p, `SELECT inputs FROM workflow_runs WHERE id=$1`, res.RunID), `"sys.workflow_run_id": "`+res.RunID)
	require.Equal(t, pureGraph, one[string](t, p, `SELECT graph FROM workflow_runs WHERE id=$1`, res.RunID))
	require.Equal(t, "start Start 1 succeeded,t T 2 succeeded,end End 3 succeeded", one[string](t, p,
		`SELECT string_agg(node_id||' '||title||' '||index||' '||status, ',' ORDER BY index) FROM workflow_node_executions WHERE workflow_run_id=$1 AND tenant_id=$2 AND app_id=$3 AND id::text=node_execution_id`, res.RunID, tenant, appID))
	require.Equal(t, 1, one[int](t, p, `SELECT count(*)::int FROM workflow_app_logs WHERE workflow_run_id=$1 AND created_from='service-api' AND created_by_role='end_user'`, res.RunID))
	require.Equal(t, 1, one[int](t, p, `SELECT count(*)::int FROM run_events WHERE run_id=$1`, res.RunID), "one commit is one row")
	created := one[time.Time](t, p, `SELECT created_at FROM workflow_runs WHERE id=$1`, res.RunID)
	require.WithinDuration(t, time.Now().UTC(), created, time.Minute, "UTC without a zone")
}

func TestChatRowsAreTheContracts(t *testing.T) {
	t.Parallel()
	p := pool(t)
	g := fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"h","type":"http-request"}`, `{"id":"a","type":"answer","answer":"re {{#h.text#}}"}`}, []string{"start", "h"}, []string{"h", "a"})
	fail := false
	s := service(p, g, func(context.Context, *workflow.Execution) (*workflow.Result, error) {
		if fail {
			return nil, workflow.Fail("E", "broke")
		}
		return &workflow.Result{Outputs: value.Obj("text", "ok"), Usage: &workflow.Usage{PromptTokens: 3, CompletionTokens: 4, TotalTokens: 7, TotalPrice: "0.0000123", Currency: "EUR"}}, nil
	}, run.Options{})
	req := chatRequest("hello")
	_, err := s.Start(t.Context(), req, nil)
	require.NoError(t, err)
	again := chatRequest("more")
	again.Chat.ConversationID, again.Chat.NewConversation, again.Chat.DialogueCount = req.Chat.ConversationID, false, 1
	fail = true
	_, err = s.Start(t.Context(), again, nil)
	require.NoError(t, err)

	require.Equal(t, "hello 2 advanced-chat api", one[string](t, p, `SELECT name||' '||dialogue_count||' '||mode||' '||from_source FROM conversations WHERE id=$1 AND app_id=$2`, req.Chat.ConversationID, appID))
	require.Equal(t, "re ok normal 3 4 0.0000123 EUR", one[string](t, p, `SELECT answer||' '||status||' '||message_tokens||' '||answer_tokens||' '||total_price||' '||currency FROM messages WHERE id=$1 AND workflow_run_id=$2 AND parent_message_id='00000000-0000-0000-0000-000000000000'`, req.Chat.MessageID, req.RunID))
	require.Equal(t, " error Run failed: broke", one[string](t, p, `SELECT answer||' '||status||' '||error FROM messages WHERE id=$1`, again.Chat.MessageID))
	require.Equal(t, 2, one[int](t, p, `SELECT count(*)::int FROM message_files WHERE message_id=$1 AND belongs_to='user' AND (upload_file_id IS NULL) <> (url IS NULL)`, req.Chat.MessageID))
	require.Equal(t, "failed", one[string](t, p, `SELECT status FROM workflow_node_executions WHERE workflow_run_id=$1 AND node_id='h'`, again.RunID))
	require.Equal(t, 2, one[int](t, p, `SELECT count(*)::int FROM run_events WHERE run_id=$1`, req.RunID))
}

// TestForeignConversationIsNotTouched: the tables of the contract without a
// tenant are still guarded.
func TestForeignConversationIsNotTouched(t *testing.T) {
	t.Parallel()
	p := pool(t)
	g := fakenode.Graph([]string{`{"id":"start","type":"start"}`, `{"id":"a","type":"answer","answer":"x"}`}, []string{"start", "a"})
	s := service(p, g, nil, run.Options{})
	foreign := ids.New()
	_, err := p.Exec(t.Context(), `INSERT INTO conversations (id, app_id, mode, name, inputs, status, from_source, dialogue_count) VALUES ($1, $2, 'advanced-chat', 'n', '{}', 'normal', 'api', 5)`, foreign, ids.New())
	require.NoError(t, err)
	req := chatRequest("q")
	req.Chat.ConversationID, req.Chat.NewConversation = foreign, false
	_, err = s.Start(t.Context(), req, nil)
	require.NoError(t, err)
	require.Equal(t, 5, one[int](t, p, `SELECT dialogue_count FROM conversations WHERE id=$1`, foreign))
}

func chain(n int) string {
	nodes, edges, prev := []string{`{"id":"start","type":"start"}`}, [][]string(nil), "start"
	for i := range n {
		id := fmt.Sprintf("h%d", i)
		nodes = append(nodes, fmt.Sprintf(`{"id":%q,"type":"http-request"}`, id))
		edges = append(edges, []string{prev, id})
		prev = id
	}
	return fakenode.Graph(nodes, edges...)
}

func nothing(context.Context, *workflow.Execution) (*workflow.Result, error) {
	return &workflow.Result{Outputs: value.Obj("text", "x")}, nil
}

// BenchmarkDurableStep measures what one more effect in a chain costs.
func BenchmarkDurableStep(b *testing.B) {
	s := service(pool(b), chain(50), nothing, run.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Start(b.Context(), request(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/50, "µs/step")
}

// BenchmarkPureRun is a start-template-end run: one commit.
func BenchmarkPureRun(b *testing.B) {
	s := service(pool(b), pureGraph, nil, run.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Start(b.Context(), request("q", strings.Repeat("x", 20)), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPureRunParallel and BenchmarkWritePairs are to be compared: runs
// against pairs of small write transactions, with 16 clients each.
func BenchmarkPureRunParallel(b *testing.B) {
	s := service(pool(b), pureGraph, nil, run.Options{})
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Start(b.Context(), request("q", strings.Repeat("x", 20)), nil); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkWritePairs(b *testing.B) {
	p := pool(b)
	if _, err := p.Exec(b.Context(), `CREATE TABLE pairs (id uuid PRIMARY KEY, n int)`); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := ids.New()
			if _, err := p.Exec(b.Context(), `INSERT INTO pairs VALUES ($1, 0)`, id); err != nil {
				b.Error(err)
				return
			}
			if _, err := p.Exec(b.Context(), `UPDATE pairs SET n = 1 WHERE id = $1`, id); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
