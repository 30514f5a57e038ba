//go:build unix

package runs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/migrations"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	"github.com/millrace/millrace/shared/eventstream/redisstream"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/postgres"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/redisdb"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/engine/fakenode"
	"github.com/millrace/millrace/shared/workflow/value"
)

// childVariable holds the order of a worker process: this binary, run again.
const childVariable = "MILLRACE_TEST_WORKER"

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

// order is what a worker process has to do.
type order struct {
	Database, Redis, Server, Owner string
	Start, Continue                []string // run ids
	// KillAt ends the process, as hard as can be, at the n-th named point; 0 never.
	KillAt int64
}

// killGraph has parallel effects that stream, a pure node, and an effect after
// an answer.
var killGraph = fakenode.Graph([]string{
	`{"id":"start","type":"start"}`, `{"id":"x","type":"http-request"}`, `{"id":"y","type":"http-request"}`,
	`{"id":"t","type":"text","template":"{{#x.text#}}/{{#y.text#}}"}`, `{"id":"a1","type":"answer","answer":"A {{#x.text#}} {{#y.text#}};"}`,
	`{"id":"z","type":"http-request"}`, `{"id":"a2","type":"answer","answer":"B {{#z.text#}} {{#t.output#}}"}`,
}, []string{"start", "x"}, []string{"start", "y"}, []string{"x", "t"}, []string{"y", "t"}, []string{"t", "a1"}, []string{"a1", "z"}, []string{"z", "a2"})

const killAnswer = "A <x one two three> <y one two three>;B <z one two three> <x one two three>/<y one two three>"

// effectOver calls the server once, with the key, and streams the answer.
func effectOver(client *http.Client, server string) fakenode.Func {
	return func(ctx context.Context, x *workflow.Execution) (*workflow.Result, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/"+x.Run.ID+"/"+x.Node.ID, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Idempotency-Key", x.Key)
		res, err := client.Do(req)
		if err != nil {
			return nil, workflow.Fail("CallError", err.Error())
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			return nil, workflow.Fail("CallError", fmt.Sprint(res.StatusCode, err))
		}
		for _, piece := range strings.SplitAfter(string(body), " ") {
			x.Emit(workflow.Chunk{Name: "text", Text: piece})
			if err := clock.Sleep(ctx, x.Clock, time.Millisecond); err != nil {
				return nil, err
			}
		}
		return &workflow.Result{Outputs: value.Obj("text", string(body))}, nil
	}
}

func killService(p *pgxpool.Pool, rdb *redisdb.Client, o order, hook func(string)) *run.Service {
	return run.New(run.Deps{
		Store: runstore.New(runs.New(p), 0), Stream: eventstream.New(redisstream.New(rdb)), Types: fakenode.Types(effectOver(&http.Client{}, o.Server)),
		Graphs: graph(killGraph), Clock: clock.System{},
	}, run.Options{Owner: o.Owner, Engine: engine.Options{Hook: hook}, JournalPoll: 20 * time.Millisecond})
}

// work is the worker process.
func work(raw string) error {
	var o order
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		return err
	}
	ctx := context.Background()
	p, err := postgres.Open(ctx, o.Database, &postgres.Options{MaxConns: 4})
	if err != nil {
		return err
	}
	defer p.Close()
	rdb, err := redisdb.Open("redis://"+o.Redis, nil)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	var points atomic.Int64
	s := killService(p, rdb, o, func(string) {
		if points.Add(1) == o.KillAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	do := func(f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	if err := p.Ping(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	for _, id := range o.Start {
		do(func() error { _, err := s.Start(ctx, killRequest(id), nil); return err })
	}
	for _, id := range o.Continue {
		do(func() error { return s.Continue(ctx, tenant, id) })
	}
	wg.Wait()
	s.Wait(ctx)
	return failed
}

func killRequest(id string) run.StartRequest {
	r := request()
	r.RunID, r.Mode, r.CreatedFrom = id, run.ModeAdvancedChat, ""
	tail := id[8:]
	r.Chat = &run.ChatTurn{ConversationID: "cccccccc" + tail, NewConversation: true, MessageID: "dddddddd" + tail, Query: "q"}
	return r
}

// arena is the parent's side: database, stream, the counting server.
type arena struct {
	t       *testing.T
	o       order
	p       *pgxpool.Pool
	s       *run.Service
	store   *runstore.Store
	workers int

	mu       sync.Mutex
	calls    map[string]int // by key
	repeated []string       // calls of effects that were journalled as finished
}

func newArena(t *testing.T) *arena {
	t.Helper()
	a := &arena{t: t, calls: map[string]int{}}
	a.o.Database = pgtest.Template(t, "migrated", func(ctx context.Context, url string) error { return migrations.Run(ctx, url, nil) })
	p, err := postgres.Open(context.Background(), a.o.Database, &postgres.Options{MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	a.p = p
	a.o.Redis = miniredis.RunT(t).Addr()
	rdb, err := redisdb.Open("redis://"+a.o.Redis, &redisdb.Options{MaxConns: 64})
	require.NoError(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	a.store = runstore.New(runs.New(p), 0)
	server := httptest.NewServer(http.HandlerFunc(a.count))
	t.Cleanup(server.Close)
	a.o.Server = server.URL
	a.s = killService(p, rdb, a.o, nil)
	return a
}

// count answers a call, and notes when its effect had finished before.
func (a *arena) count(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	runID, node, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	events, err := a.store.Events(r.Context(), tenant, runID, 0)
	a.mu.Lock()
	a.calls[key]++
	for _, e := range events {
		if e.Type == workflow.EventNodeFinished && e.Node.NodeID == node {
			a.repeated = append(a.repeated, key)
		}
	}
	a.mu.Unlock()
	started := false
	for _, e := range events {
		started = started || (e.Type == workflow.EventNodeStarted && e.Node.NodeID == node)
	}
	if err != nil || !started {
		http.Error(w, "the effect started before its start was durable", http.StatusConflict)
		return
	}
	_, _ = io.WriteString(w, "<"+node+" one two three>")
}

// worker runs a worker process until it ends or is killed, kill after it began. It
// reports whether it did everything it was told.
func (a *arena) worker(o order, kill time.Duration) bool {
	a.t.Helper()
	// A dead worker's last commit may have reached the database after its death.
	for n := max(1, a.workers-3); n <= a.workers; n++ {
		_, err := a.s.ExpireOwner(a.t.Context(), fmt.Sprintf("worker-%d", n))
		require.NoError(a.t, err)
	}
	a.workers++
	o.Database, o.Redis, o.Server = a.o.Database, a.o.Redis, a.o.Server
	o.Owner = fmt.Sprintf("worker-%d", a.workers)
	raw, err := json.Marshal(o)
	require.NoError(a.t, err)
	exe, err := os.Executable()
	require.NoError(a.t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVariable+"="+string(raw))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(a.t, err)
	require.NoError(a.t, cmd.Start())
	_, readErr := io.ReadFull(stdout, make([]byte, len("ready\n")))
	if kill > 0 && readErr == nil {
		timer := time.AfterFunc(kill, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	_, _ = io.Copy(io.Discard, stdout)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 {
		return false // killed
	}
	require.NoError(a.t, err, stderr.String())
	return true
}

// unfinished splits runs into those to start again (they were never promised)
// and those to continue.
func (a *arena) unfinished(idList []string) (start, cont []string) {
	for _, id := range idList {
		v, err := a.s.Get(a.t.Context(), tenant, id)
		switch {
		case errs.Is(err, errs.NotFound):
			start = append(start, id)
		case err != nil:
			a.t.Fatal(err)
		case !v.Finished:
			cont = append(cont, id)
		}
	}
	return start, cont
}

// check requires everything that the protocol promises of a finished run.
func (a *arena) check(id string) {
	t := a.t
	t.Helper()
	events, err := a.store.Events(t.Context(), tenant, id, 0)
	require.NoError(t, err)
	count := map[string]int{}
	for i, e := range events {
		require.Equal(t, int64(i+1), e.Seq)
		if e.Node != nil {
			count[string(e.Type)+" "+e.Node.NodeID]++
			require.NotEqual(t, workflow.StatusFailed, e.Node.Status, e.Node.Error)
		}
	}
	for what, n := range count {
		require.Equal(t, 1, n, "%s in run %s", what, id)
	}
	last := events[len(events)-1]
	require.Equal(t, workflow.EventRunFinished, last.Type)
	require.Equal(t, workflow.StatusSucceeded, last.Finished.Status)
	require.Equal(t, killAnswer, last.Finished.Answer)
	require.Equal(t, killAnswer, last.Finished.Outputs.String("answer"))
	require.Equal(t, 7, last.Finished.Steps)

	require.Equal(t, killAnswer, one[string](t, a.p, `SELECT answer FROM messages WHERE workflow_run_id=$1`, id))
	require.Equal(t, 1, one[int](t, a.p, `SELECT count(*)::int FROM workflow_runs WHERE id=$1 AND status='succeeded' AND tenant_id=$2`, id, tenant))
	require.Equal(t, "a1 a2 start t x y z", one[string](t, a.p,
		`SELECT string_agg(node_id, ' ' ORDER BY node_id) FROM workflow_node_executions WHERE workflow_run_id=$1 AND status='succeeded'`, id))
	require.Equal(t, 1, one[int](t, a.p, `SELECT dialogue_count FROM conversations c JOIN messages m ON m.conversation_id=c.id WHERE m.workflow_run_id=$1`, id))
}

// client watches a run all the time, loses its connection now and then, and
// joins again with the last id that it has.
type client struct {
	a    *arena
	id   string
	seqs []int64
	text strings.Builder
	last string
	done bool
	all  []string
}

var errCut = errors.New("connection lost")

func (c *client) watch(ctx context.Context) error {
	for {
		left := rand.IntN(12)
		res, err := c.a.s.Join(ctx, tenant, c.id, run.JoinFrom{LastEventID: c.last, Start: c.last == ""}, run.SinkFunc(func(i run.Item) error {
			if left--; left < 0 {
				return errCut
			}
			c.take(i)
			return nil
		}))
		switch {
		case errs.Is(err, errs.NotFound): // nothing was promised yet
			if err := clock.Sleep(ctx, clock.System{}, 5*time.Millisecond); err != nil {
				return err
			}
		case err != nil:
			return err
		case res.Finished != nil && len(c.seqs) > 0 && c.done:
			return nil
		}
	}
}

func (c *client) take(i run.Item) {
	c.last = i.ID
	c.all = append(c.all, fmt.Sprintf("%s %s", i.ID, i.Event.Type))
	switch e := i.Event; e.Type {
	case workflow.EventText:
		c.text.WriteString(e.Text.Text)
	case workflow.EventTextReplaced:
		c.text.Reset()
		c.text.WriteString(e.Text.Text)
	case workflow.EventRunFinished:
		c.done = true
	}
	if i.Event.Seq > 0 && i.Event.Type != workflow.EventText {
		c.seqs = append(c.seqs, i.Event.Seq)
	}
}

// check compares what the client saw with the journal.
func (c *client) check(t *testing.T) {
	t.Helper()
	events, err := c.a.store.Events(t.Context(), tenant, c.id, 0)
	require.NoError(t, err)
	var want []int64
	for _, e := range events {
		if e.Type != workflow.EventText {
			want = append(want, e.Seq)
		}
	}
	require.Equal(t, want, c.seqs, "run %s: %v", c.id, c.all)
	require.Equal(t, killAnswer, c.text.String(), "run %s: %v", c.id, c.all)
}

func watchAll(t *testing.T, a *arena, idList []string) func() {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	clients := make([]*client, len(idList))
	failed := make([]error, len(idList))
	var wg sync.WaitGroup
	for k, id := range idList {
		clients[k] = &client{a: a, id: id}
		wg.Go(func() { failed[k] = clients[k].watch(ctx) })
	}
	return func() {
		t.Helper()
		defer cancel()
		wg.Wait()
		for k := range clients {
			require.NoError(t, failed[k], clients[k].all)
			clients[k].check(t)
		}
	}
}

// TestKillAtEveryPoint ends the worker at each named point of a run once.
func TestKillAtEveryPoint(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	var runIDs []string
	for point := int64(1); ; point++ {
		id := ids.New()
		runIDs = append(runIDs, id)
		if a.worker(order{Start: []string{id}, KillAt: point}, 0) {
			require.Greater(t, point, int64(10), "a run has more points than that")
			break
		}
		if testing.Short() && point > 4 {
			break
		}
	}
	done := watchAll(t, a, runIDs)
	start, cont := a.unfinished(runIDs)
	require.LessOrEqual(t, len(start), 1, "only a kill before the first commit may leave nothing")
	require.True(t, a.worker(order{Start: start, Continue: cont}, 0))
	for _, id := range runIDs {
		a.check(id)
	}
	done()
	require.Empty(t, a.repeated, "finished effects that were called again")
}

// TestKillAtRandom kills workers that have many runs in hand, again and again,
// until all runs are over.
func TestKillAtRandom(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	batches := 3
	if testing.Short() {
		batches = 1
	}
	killed := 0
	for range batches {
		runIDs := make([]string, 10)
		for k := range runIDs {
			runIDs[k] = ids.New()
		}
		done := watchAll(t, a, runIDs)
		for try := 0; ; try++ {
			start, cont := a.unfinished(runIDs)
			if len(start)+len(cont) == 0 {
				break
			}
			o, kill := order{Start: start, Continue: cont}, time.Duration(0)
			switch {
			case try > 12: // enough
			case try%2 == 0:
				kill = time.Duration(1+rand.IntN(25)) * time.Millisecond
			default:
				o.KillAt = 1 + rand.Int64N(int64(8*(len(start)+len(cont))))
			}
			if !a.worker(o, kill) {
				left, open := a.unfinished(runIDs)
				killed += len(left) + len(open)
			}
		}
		for _, id := range runIDs {
			a.check(id)
		}
		done()
	}
	require.Empty(t, a.repeated, "finished effects that were called again")
	t.Logf("%d runs were hit by %d dead workers", killed, a.workers)
	n := 0
	for _, c := range a.calls {
		if c > 1 {
			n++
		}
	}
	t.Logf("%d effects had to be called again because the worker died before it could journal the answer", n)
}
