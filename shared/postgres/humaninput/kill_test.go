//go:build unix

package humaninput_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	pgforms "github.com/millrace/millrace/shared/postgres/humaninput"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	node "github.com/millrace/millrace/shared/workflow/node/humaninput"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	// childVariable holds the order of a worker process: this binary, run again.
	childVariable = "MILLRACE_TEST_WORKER"

	tenant     = "11111111-1111-4111-8111-111111111111"
	appID      = "22222222-2222-4222-8222-222222222222"
	workflowID = "33333333-3333-4333-8333-333333333333"
	userID     = "44444444-4444-4444-8444-444444444444"
)

func TestMain(m *testing.M) {
	if raw := os.Getenv(childVariable); raw != "" {
		if err := work(raw); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func asks(id string) string {
	return `{"id":"` + id + `","type":"human-input","title":"` + id + `","form_content":"{{#$output.note#}}","timeout":1,"timeout_unit":"hour",
		"inputs":[{"type":"paragraph","output_variable_name":"note"}],"user_actions":[{"id":"ok","title":"OK"}],
		"delivery_methods":[{"type":"webapp","enabled":true}]}`
}

// graph asks two people at once, with effects before and after each.
func graph() string {
	return fakenode.Graph([]string{
		`{"id":"start","type":"start"}`, `{"id":"a","type":"http-request"}`, asks("h1"), asks("h2"), `{"id":"b","type":"http-request"}`,
		`{"id":"c","type":"http-request"}`, `{"id":"t","type":"text","template":"{{#h1.note#}}/{{#h2.note#}}"}`,
		`{"id":"end","type":"end","outputs":[{"variable":"out","value_selector":["t","output"]},{"variable":"how","value_selector":["h1","__action_id"]}]}`,
	}, []string{"start", "a"}, []string{"a", "h1"}, []string{"start", "h2"}, []string{"h1", "ok", "b"}, []string{"h1", "__timeout__", "b"},
		[]string{"h2", "ok", "c"}, []string{"b", "t"}, []string{"c", "t"}, []string{"t", "end"})
}

type graphs struct{}

func (graphs) Definition(context.Context, string, string) (*run.Definition, error) {
	return &run.Definition{ID: workflowID, TenantID: tenant, AppID: appID, Type: "workflow", Version: "1", Graph: graph()}, nil
}

// order is what a worker process has to do.
type order struct {
	Database, Owner  string
	Do               string // start, answer or continue
	Run, Token, Note string
	// KillAt ends the process, as hard as can be, at the n-th named point; 0 never.
	KillAt int64
}

// later is a clock that is ahead.
type later struct{ by time.Duration }

func (l later) Now() time.Time                         { return time.Now().Add(l.by) }
func (l later) After(d time.Duration) <-chan time.Time { return time.After(d) }

// pointed names the moments around what a form's store does.
type pointed struct {
	humaninput.Store
	hook func(string)
}

func (p pointed) Create(ctx context.Context, f *humaninput.Form, mails []humaninput.Mail) error {
	p.hook("before_form")
	defer p.hook("after_form")
	return p.Store.Create(ctx, f, mails)
}

func (p pointed) Submit(ctx context.Context, tenantID, id string, s humaninput.Submission, notBefore time.Time) (bool, error) {
	p.hook("before_submit")
	defer p.hook("after_submit")
	return p.Store.Submit(ctx, tenantID, id, s, notBefore)
}

func (p pointed) SettleWake(ctx context.Context, tenantID, formID string) error {
	p.hook("before_settle")
	return p.Store.SettleWake(ctx, tenantID, formID)
}

// services are what a process has.
type services struct {
	pool  *pgxpool.Pool
	store *runstore.Store
	runs  *run.Service
	forms *humaninput.Service
}

func newServices(pool *pgxpool.Pool, owner string, c clock.Clock, hook func(string)) *services {
	s := &services{pool: pool, store: runstore.New(runs.New(pool), 0)}
	wake := wakerFunc(func(ctx context.Context, tenantID, runID string) error { return s.runs.Signal(ctx, tenantID, runID) })
	s.forms = humaninput.New(pointed{pgforms.New(pool), hook}, humaninput.Options{Clock: c, Waker: wake})
	stop := func(ctx context.Context, tenantID, runID, reason string) error {
		return s.runs.Stop(ctx, tenantID, runID, reason)
	}
	s.runs = run.New(run.Deps{
		Store: s.store, Stream: eventstream.New(memstream.New(c)), Types: fakenode.Types(s.effect, node.New(s.forms, stop)), Graphs: graphs{}, Clock: c,
	}, run.Options{Owner: owner, Engine: engine.Options{Hook: hook}, JournalPoll: 20 * time.Millisecond})
	return s
}

type wakerFunc func(ctx context.Context, tenantID, runID string) error

func (f wakerFunc) Signal(ctx context.Context, tenantID, runID string) error {
	return f(ctx, tenantID, runID)
}

// effect leaves a row for each call, which says whether the effect was journalled
// as finished before.
func (s *services) effect(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
	events, err := s.store.Events(ctx, tenant, x.Run.ID, 0)
	if err != nil {
		return nil, err
	}
	repeated := false
	for _, e := range events {
		repeated = repeated || e.Type == workflow.EventNodeFinished && e.Node.NodeID == x.Node.ID
	}
	if _, err := s.pool.Exec(ctx, `INSERT INTO effects (run, key, repeated) VALUES ($1, $2, $3)`, x.Run.ID, x.Key, repeated); err != nil {
		return nil, err
	}
	return &workflow.Result{Outputs: value.Obj("text", x.Node.ID)}, nil
}

// work is the worker process.
func work(raw string) error {
	var o order
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		return err
	}
	ctx := context.Background()
	pool, err := postgres.Open(ctx, o.Database, &postgres.Options{MaxConns: 4})
	if err != nil {
		return err
	}
	defer pool.Close()
	var points atomic.Int64
	s := newServices(pool, o.Owner, clock.System{}, func(string) {
		if points.Add(1) == o.KillAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	defer s.runs.Wait(ctx)
	switch o.Do {
	case "start":
		_, err = s.runs.Start(ctx, request(o.Run), nil)
	case "continue":
		err = s.runs.Continue(ctx, tenant, o.Run)
	case "answer":
		err = s.answer(ctx, o.Token, o.Note)
	}
	return err
}

func (s *services) answer(ctx context.Context, token, note string) error {
	x, err := s.forms.ByToken(ctx, token)
	if err != nil {
		return err
	}
	err = s.forms.Submit(ctx, x, humaninput.Answer{Action: "ok", Inputs: value.Obj("note", note)})
	if errs.Is(err, errs.HumanInputFormSubmitted) || errs.Is(err, errs.HumanInputFormExpired) {
		return nil
	}
	return err
}

func request(id string) run.StartRequest {
	return run.StartRequest{
		TenantID: tenant, AppID: appID, WorkflowID: workflowID, RunID: id, Mode: run.ModeWorkflow, InvokeFrom: "service-api",
		User: run.User{ID: userID, Role: "end_user", SessionID: "u"},
	}
}

// arena is the parent's side.
type arena struct {
	t        *testing.T
	database string
	*services
	workers int
}

func newArena(t *testing.T) *arena {
	t.Helper()
	a := &arena{t: t, database: pgtest.Template(t, "humaninput", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })}
	pool, err := postgres.Open(context.Background(), a.database, &postgres.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), `CREATE TABLE effects (run uuid, key text, repeated boolean)`)
	require.NoError(t, err)
	// Ahead of the workers, so that what they leave is old enough to be swept.
	a.services = newServices(pool, "parent", later{time.Minute}, func(string) {})
	return a
}

// worker runs a worker process, which may be killed.
func (a *arena) worker(o order) {
	a.t.Helper()
	a.workers++
	o.Database, o.Owner = a.database, fmt.Sprintf("worker-%d", a.workers)
	raw, err := json.Marshal(o)
	require.NoError(a.t, err)
	exe, err := os.Executable()
	require.NoError(a.t, err)
	cmd := exec.CommandContext(a.t.Context(), exe)
	cmd.Env = append(os.Environ(), childVariable+"="+string(raw))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != -1 {
		require.NoError(a.t, err, stderr.String())
	}
	// A dead worker's last commit may have reached the database after its death.
	for n := max(1, a.workers-3); n <= a.workers; n++ {
		_, err := a.runs.ExpireOwner(a.t.Context(), fmt.Sprintf("worker-%d", n))
		require.NoError(a.t, err)
	}
}

// waiting returns the tokens of the run's forms that wait, by node.
func (a *arena) waiting(runID string) map[string]string {
	list, err := a.forms.OfRun(a.t.Context(), tenant, runID)
	require.NoError(a.t, err)
	out := map[string]string{}
	for i := range list {
		if list[i].Status == humaninput.StatusWaiting {
			out[list[i].NodeID] = list[i].Token(humaninput.RecipientWebApp)
		}
	}
	return out
}

// TestKilledWhileWaiting kills processes at random points of everything that
// happens to a run that asks two people: while it begins, between a form and the
// pause, between the pause and the release, between an answer and its wake-up, and
// while it goes on. Answers come twice at the same moment.
func TestKilledWhileWaiting(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	rounds := 6
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		runID := ids.Random()
		kill := func(most int64) int64 { return rand.Int64N(most + 1) }
		a.worker(order{Do: "start", Run: runID, KillAt: kill(14)})
		for step := 0; ; step++ {
			require.Less(t, step, 40, "the run makes no progress")
			v, err := a.runs.Get(t.Context(), tenant, runID)
			if errs.Is(err, errs.NotFound) {
				a.worker(order{Do: "start", Run: runID, KillAt: kill(14)})
				continue
			}
			require.NoError(t, err)
			if v.Finished {
				break
			}
			for id, token := range a.waiting(runID) {
				if v.Status != "suspended" && step < 3 && rand.IntN(2) == 0 {
					continue // answer it later
				}
				var wg sync.WaitGroup
				if rand.IntN(2) == 0 {
					wg.Go(func() { _ = a.answer(context.Background(), token, id) })
				}
				a.worker(order{Do: "answer", Run: runID, Token: token, Note: id, KillAt: kill(5)})
				wg.Wait()
			}
			require.NoError(t, a.forms.Sweep(t.Context()))
			a.worker(order{Do: "continue", Run: runID, KillAt: kill(20)})
		}
		a.check(runID)
	}
}

// check requires everything that is promised of a finished run.
func (a *arena) check(runID string) {
	t := a.t
	events, err := a.store.Events(t.Context(), tenant, runID, 0)
	require.NoError(t, err)
	count := map[string]int{}
	for i, e := range events {
		require.Equal(t, int64(i+1), e.Seq)
		if e.Node != nil {
			count[string(e.Type)+" "+e.Node.NodeID]++
		}
	}
	for _, id := range []string{"h1", "h2"} {
		require.Equal(t, 1, count["node_finished "+id])
		require.LessOrEqual(t, count["node_paused "+id], 1)
		require.Equal(t, count["node_paused "+id], count["node_resumed "+id])
	}
	last := events[len(events)-1]
	require.Equal(t, workflow.EventRunFinished, last.Type)
	require.Equal(t, workflow.StatusSucceeded, last.Finished.Status, last.Finished.Error)
	require.Equal(t, "h1/h2", last.Finished.Outputs.String("out"))

	var text string
	one := func(sql string) string {
		require.NoError(t, a.pool.QueryRow(t.Context(), sql, runID).Scan(&text))
		return text
	}
	require.Equal(t, "3 keys, 0 repeated", one(`SELECT count(DISTINCT key) || ' keys, ' || count(*) FILTER (WHERE repeated) || ' repeated' FROM effects WHERE run = $1`))
	require.Equal(t, "h1 submitted h2 submitted", one(`SELECT string_agg(node_id || ' ' || status, ' ' ORDER BY node_id) FROM human_input_forms WHERE workflow_run_id = $1`))
	require.Equal(t, "succeeded", one(`SELECT status FROM workflow_runs WHERE id = $1`))
	require.Equal(t, "a b c end h1 h2 start t", one(`SELECT string_agg(node_id, ' ' ORDER BY node_id) FROM workflow_node_executions WHERE workflow_run_id = $1 AND status = 'succeeded'`))
	require.Equal(t, "0", one(`SELECT count(*)::text FROM workflow_pauses WHERE workflow_run_id = $1 AND resumed_at IS NULL`))
	require.Equal(t, "0", one(`SELECT count(*)::text FROM millrace_form_wakes WHERE run_id = $1`))
}

// TestTimeoutRacesAnswer has an answer arrive at the moment when the form's time
// is over: the run takes the branch of whichever came first.
func TestTimeoutRacesAnswer(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	now := newServices(a.pool, "now", clock.System{}, func(string) {})
	late := newServices(a.pool, "late", later{2 * time.Hour}, func(string) {})
	seen := map[string]int{}
	for range 12 {
		runID := ids.Random()
		res, err := now.runs.Start(t.Context(), request(runID), nil)
		require.NoError(t, err)
		require.NotNil(t, res.Paused)
		require.Equal(t, []string{"h2", "h1"}, res.Paused.Nodes)
		tokens := a.waiting(runID)
		require.NoError(t, now.answer(t.Context(), tokens["h2"], "h2"))
		var wg sync.WaitGroup
		wg.Go(func() { _ = late.runs.Continue(context.Background(), tenant, runID) })
		wg.Go(func() {
			_ = clock.Sleep(context.Background(), clock.System{}, time.Duration(rand.IntN(8))*time.Millisecond)
			_ = now.answer(context.Background(), tokens["h1"], "h1")
		})
		wg.Wait()
		require.NoError(t, late.runs.Continue(t.Context(), tenant, runID))
		list, err := a.forms.OfRun(t.Context(), tenant, runID)
		require.NoError(t, err)
		events, err := a.store.Events(t.Context(), tenant, runID, 0)
		require.NoError(t, err)
		last := events[len(events)-1]
		require.Equal(t, workflow.EventRunFinished, last.Type)
		require.Equal(t, workflow.StatusSucceeded, last.Finished.Status, last.Finished.Error)
		want := map[string]string{humaninput.StatusSubmitted: "ok", humaninput.StatusTimeout: ""}
		for _, f := range list {
			if f.NodeID == "h1" {
				seen[f.Status]++
				require.Equal(t, want[f.Status], last.Finished.Outputs.String("how"))
			}
		}
	}
	t.Log(seen)
	require.Equal(t, 12, seen[humaninput.StatusSubmitted]+seen[humaninput.StatusTimeout])
}

// TestExpiredFormsStopTheRun lets the deployment's time for forms pass.
func TestExpiredFormsStopTheRun(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	now := newServices(a.pool, "now", clock.System{}, func(string) {})
	runID := ids.Random()
	res, err := now.runs.Start(t.Context(), request(runID), nil)
	require.NoError(t, err)
	require.NotNil(t, res.Paused)
	var due bool
	require.NoError(t, a.pool.QueryRow(t.Context(), `SELECT due_at BETWEEN now() + interval '58 minutes' AND now() + interval '61 minutes' AND lease_owner IS NULL
		FROM millrace_runs WHERE id = $1`, runID).Scan(&due))
	require.True(t, due, "nobody has the run, and it comes back when its forms' time is over")
	short := &services{pool: a.pool, store: a.store}
	c := later{30 * time.Minute}
	short.forms = humaninput.New(pgforms.New(a.pool), humaninput.Options{Clock: c, GlobalTimeout: time.Minute})
	stop := func(ctx context.Context, tenantID, id, reason string) error {
		return short.runs.Stop(ctx, tenantID, id, reason)
	}
	short.runs = run.New(run.Deps{
		Store: short.store, Stream: eventstream.New(memstream.New(c)), Types: fakenode.Types(short.effect, node.New(short.forms, stop)), Graphs: graphs{}, Clock: c,
	}, run.Options{Owner: "short"})
	require.NoError(t, now.runs.Signal(t.Context(), tenant, runID))
	for range 3 {
		require.NoError(t, short.runs.Continue(t.Context(), tenant, runID))
	}
	v, err := a.runs.Get(t.Context(), tenant, runID)
	require.NoError(t, err)
	require.Equal(t, workflow.StatusStopped, v.Status)
	var text string
	require.NoError(t, a.pool.QueryRow(t.Context(), `SELECT status || ': ' || error FROM workflow_runs WHERE id = $1`, runID).Scan(&text))
	require.Contains(t, text, "Human input global timeout at node")
	require.NoError(t, a.pool.QueryRow(t.Context(), `SELECT string_agg(DISTINCT status, ' ') FROM human_input_forms WHERE workflow_run_id = $1`, runID).Scan(&text))
	// The first form whose time is over stops the run; the other one may not have
	// been looked at any more.
	require.Contains(t, text, humaninput.StatusExpired)
	require.NotContains(t, text, humaninput.StatusSubmitted)
}

// TestStoppedRunsTakeNoAnswers stops a run that waits.
func TestStoppedRunsTakeNoAnswers(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	runID := ids.Random()
	_, err := a.runs.Start(t.Context(), request(runID), nil)
	require.NoError(t, err)
	token := a.waiting(runID)["h1"]
	require.NoError(t, a.runs.Stop(t.Context(), tenant, runID, "enough"))
	require.NoError(t, a.runs.Continue(t.Context(), tenant, runID))
	var text string
	require.NoError(t, a.pool.QueryRow(t.Context(), `SELECT status || ' ' || (SELECT string_agg(DISTINCT n.status, ' ' ORDER BY n.status) FROM workflow_node_executions n
		WHERE n.workflow_run_id = r.id) FROM workflow_runs r WHERE id = $1`, runID).Scan(&text))
	require.Equal(t, "stopped stopped succeeded", text)
	x, err := a.forms.ByToken(t.Context(), token)
	require.NoError(t, err)
	err = a.forms.Submit(t.Context(), x, humaninput.Answer{Action: "ok", Inputs: value.Obj("note", "x")})
	require.True(t, errs.Is(err, errs.HumanInputFormExpired), "%v", err)
	x, err = a.forms.ByToken(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, humaninput.StatusExpired, x.Form.Status)
}
