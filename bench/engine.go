package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// items is the number of passes of the iterations that part (f) measures, and
	// atOnce how many of them the parallel one has under way.
	items, atOnce = 100, 10
	// pureNodes is the number of nodes of the graph of part (g).
	pureNodes = 50
)

// httpData is a node that asks the echo server for a little text.
func httpData(title, url string) string {
	return fmt.Sprintf(`{type: http-request, title: %s, desc: "", method: get, url: "%s", headers: "", params: "",
          body: {type: none, data: []}, authorization: {type: no-auth, config: null}, timeout: {max_connect_timeout: 0, max_read_timeout: 0, max_write_timeout: 0},
          ssl_verify: true, retry_config: {retry_enabled: false, max_retries: 1, retry_interval: 100}, variables: []%s}`, title, url, "%s")
}

// iterationApp is an iteration over start.o.items with one HTTP request a pass.
func iterationApp(echo string, parallel bool) string {
	text := app("iteration", []appNode{
		{"start", `{type: start, title: Start, desc: "", variables: [{variable: o, label: o, type: json_object, required: true}]}`},
		{"it", fmt.Sprintf(`{type: iteration, title: It, desc: "", start_node_id: its, iterator_selector: [start, o, items], output_selector: [h, status_code],
          output_type: "array[number]", is_parallel: %t, parallel_nums: %d, error_handle_mode: terminated, flatten_output: true}`, parallel, atOnce)},
		{"end", `{type: end, title: End, desc: "", outputs: [{variable: out, value_selector: [it, output], value_type: "array[number]"}]}`},
	})
	inner := "    - {id: its, type: custom-iteration-start, parentId: it, data: {type: iteration-start, title: its, isInIteration: true, iteration_id: it}}\n" +
		"    - {id: h, type: custom, parentId: it, data: " + fmt.Sprintf(httpData("h", echo+"/text"), ", isInIteration: true, iteration_id: it") + "}\n"
	text = strings.Replace(text, "    edges:\n", inner+"    edges:\n", 1)
	return text + "    - {id: ei, source: its, sourceHandle: source, target: h, targetHandle: target, type: custom, data: {isInIteration: true, iteration_id: it}}\n"
}

// pureApp is a chain of pureNodes nodes that touch nothing outside.
func pureApp() string {
	nodes := []appNode{{"start", startData}}
	last, name := "start", "q"
	for i := range pureNodes - 2 {
		id := fmt.Sprintf("t%d", i)
		nodes = append(nodes, appNode{id, fmt.Sprintf(
			`{type: template-transform, title: %s, desc: "", template: "{{ v }}", variables: [{variable: v, value_selector: [%s, %s]}]}`, id, last, name)})
		last, name = id, "output"
	}
	return app("pure", append(nodes, appNode{"end", fmt.Sprintf(
		`{type: end, title: End, desc: "", outputs: [{variable: out, value_selector: [%s, output], value_type: string}]}`, last)}))
}

// importAll imports apps unless they are there.
func (s *server) importAll(ctx context.Context, apps map[string]string) error {
	for name, text := range apps {
		if s.apps[name].Key != "" {
			continue
		}
		a, err := s.api.Import(ctx, text)
		if err != nil {
			return fmt.Errorf("app %s: %w", name, err)
		}
		s.apps[name] = a
	}
	return nil
}

// answer is what a blocking run of a workflow answers.
type answer struct {
	RunID string `json:"workflow_run_id"`
	Data  struct {
		Status, Error string
		Outputs       map[string]any
	}
}

// run makes a blocking run, which must succeed.
func (s *server) run(ctx context.Context, app string, inputs map[string]any) (answer, error) {
	var a answer
	body := map[string]any{"inputs": inputs, "response_mode": "blocking", "user": "bench"}
	if err := s.api.Service(ctx, s.apps[app].Key, http.MethodPost, "/v1/workflows/run", body, &a); err != nil {
		return a, err
	}
	if a.Data.Status != "succeeded" {
		return a, fmt.Errorf("a run of %s ends as %s: %s", app, a.Data.Status, a.Data.Error)
	}
	return a, nil
}

// ask makes the request that the nodes make, as a plain client would.
func (s *server) ask(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.echo.URL+"/text", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.Body.Close()
}

// iterations is part (f).
func iterations(ctx context.Context, s *server, d time.Duration) error {
	fmt.Printf("\n(f) an iteration over %d items with an HTTP request each, against the same requests in a plain loop\n", items)
	if err := s.importAll(ctx, map[string]string{"sequential": iterationApp(s.echo.URL, false), "parallel": iterationApp(s.echo.URL, true)}); err != nil {
		return err
	}
	list := make([]int, items)
	for i := range list {
		list[i] = i
	}
	inputs := map[string]any{"o": map[string]any{"items": list}}
	for _, kind := range []struct {
		name    string
		workers int
	}{{"sequential", 1}, {"parallel", atOnce}} {
		plain := func(int) error { return inTurn(kind.workers, func(int) error { return s.ask(ctx) }) }
		durable := func(int) error {
			a, err := s.run(ctx, kind.name, inputs)
			if err != nil {
				return err
			}
			if out, _ := a.Data.Outputs["out"].([]any); len(out) != items {
				return fmt.Errorf("an iteration over %d items gives %d", items, len(out))
			}
			return nil
		}
		if _, err := repeat(ctx, 1, d/4, durable); err != nil { // warm up
			return err
		}
		loops, err := repeat(ctx, 1, d/2, plain)
		if err != nil {
			return err
		}
		kept, err := s.keptLoop(ctx, kind.workers, d/2)
		if err != nil {
			return err
		}
		before, commits := s.cpu(), s.transactions(ctx)
		runs, err := repeat(ctx, 1, d, durable)
		if err != nil {
			return err
		}
		commits = s.transactions(ctx) - commits
		p, k, q := percentile(loops, 50), percentile(kept, 50), percentile(runs, 50)
		fmt.Printf("    %-10s p50 loop %s, loop that keeps each result in a small transaction %s, run %s: %s an item over the request itself\n",
			kind.name, ms(p), ms(k), ms(q), ms((q-p)/items))
		fmt.Printf("       ratio to the loop %.1f, to the loop that keeps results %.2f; %.1f transactions a run\n",
			float64(q)/float64(p), float64(q)/float64(k), float64(commits)/float64(len(runs)))
		fmt.Printf("       processor time of an item %s\n", s.cpu().minus(before).per(len(runs)*items))
	}
	return nil
}

// inTurn does something once for each item, on so many workers.
func inTurn(workers int, do func(worker int) error) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	for w := range workers {
		wg.Go(func() {
			for range items / workers {
				if err := do(w); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}

// keptLoop measures the plain loop when each of its workers writes what it got
// into a table: the least that a loop must do that does not repeat itself after
// a crash.
func (s *server) keptLoop(ctx context.Context, workers int, d time.Duration) ([]time.Duration, error) {
	conns := make([]*pgx.Conn, workers)
	for i := range conns {
		var err error
		if conns[i], err = pgx.Connect(ctx, s.pg.URL()); err != nil {
			return nil, err
		}
		defer conns[i].Close(ctx) //nolint:errcheck,revive // ten connections at most
	}
	if _, err := conns[0].Exec(ctx, `CREATE TABLE IF NOT EXISTS bench_kept (id bigserial PRIMARY KEY, v text NOT NULL)`); err != nil {
		return nil, err
	}
	return repeat(ctx, 1, d, func(int) error {
		return inTurn(workers, func(w int) error {
			if err := s.ask(ctx); err != nil {
				return err
			}
			_, err := conns[w].Exec(ctx, `INSERT INTO bench_kept (v) VALUES ($1)`, "what came back")
			return err
		})
	})
}

// transactions counts the transactions so far that wrote something.
func (s *server) transactions(ctx context.Context) int64 {
	conn, err := pgx.Connect(ctx, s.pg.URL())
	if err != nil {
		return 0
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing to lose
	var n int64
	_ = conn.QueryRow(ctx, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").Scan(&n)
	return n
}

// pureGraph is part (g).
func pureGraph(ctx context.Context, s *server, d time.Duration) error {
	fmt.Printf("\n(g) a graph of %d pure nodes, against the graph of three in part (a)\n", pureNodes)
	if err := s.importAll(ctx, map[string]string{"pure": pureApp()}); err != nil {
		return err
	}
	inputs := map[string]any{"q": "x"}
	times := map[string]time.Duration{}
	for _, name := range []string{"template", "pure"} {
		one := func(int) error {
			_, err := s.run(ctx, name, inputs)
			return err
		}
		if _, err := repeat(ctx, 1, d/4, one); err != nil { // warm up
			return err
		}
		before, commits := s.cpu(), s.transactions(ctx)
		runs, err := repeat(ctx, 1, d/2, one)
		if err != nil {
			return err
		}
		commits = s.transactions(ctx) - commits
		times[name] = percentile(runs, 50)
		fmt.Printf("    %-8s p50 %s p99 %s, %.2f transactions a run\n", name, ms(times[name]), ms(percentile(runs, 99)), float64(commits)/float64(len(runs)))
		fmt.Printf("       processor time of a run %s\n", s.cpu().minus(before).per(len(runs)))
	}
	more := times["pure"] - times["template"]
	fmt.Printf("    %s for each node more (ratio %.1f for %.0f times the nodes)\n", ms(more/(pureNodes-3)), float64(times["pure"])/float64(times["template"]), pureNodes/3.0)
	return nil
}
