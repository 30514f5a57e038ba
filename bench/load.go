package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/millrace/millrace/local/apiclient"
)

// repeat runs work on n goroutines for d and returns how long each took.
func repeat(ctx context.Context, n int, d time.Duration, work func(worker int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var (
		mu    sync.Mutex
		all   []time.Duration
		first error
		wg    sync.WaitGroup
	)
	for w := range n {
		wg.Go(func() {
			var mine []time.Duration
			for ctx.Err() == nil {
				start := time.Now()
				if err := work(w); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
					return
				}
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return all, first
}

// blockingBody is the request of part (a).
const blockingBody = `{"inputs":{"q":"x"},"response_mode":"blocking","user":"bench"}`

// blockingRuns is part (a).
func blockingRuns(ctx context.Context, s *server, d time.Duration) error {
	fmt.Println("\n(a) start-template-end, blocking, against pairs of small write transactions with as many connections")
	setup, err := pgx.Connect(ctx, s.pg.URL())
	if err != nil {
		return err
	}
	defer setup.Close(ctx) //nolint:errcheck // nothing to lose
	if _, err := setup.Exec(ctx, `CREATE TABLE IF NOT EXISTS bench_pairs (id bigserial PRIMARY KEY, v text NOT NULL)`); err != nil {
		return err
	}
	for _, clients := range []int{1, 16} {
		conns := make([]*pgx.Conn, clients)
		for i := range conns {
			if conns[i], err = pgx.Connect(ctx, s.pg.URL()); err != nil {
				return err
			}
			defer conns[i].Close(ctx) //nolint:errcheck,revive // 17 connections at most
		}
		pair := func(w int) error {
			for range 2 {
				if _, err := conns[w].Exec(ctx, `INSERT INTO bench_pairs (v) VALUES ($1)`, "a small row"); err != nil {
					return err
				}
			}
			return nil
		}
		wires := make([]*wire, clients)
		for i := range wires {
			if wires[i], err = dialWire(ctx, s.addr, "/v1/workflows/run", s.apps["template"].Key, []byte(blockingBody)); err != nil {
				return err
			}
			defer wires[i].close() //nolint:revive // 17 connections at most
		}
		request := func(w int) error {
			answer, err := wires[w].do()
			if err != nil {
				return err
			}
			if !bytes.Contains(answer, []byte(`"status": "succeeded"`)) {
				return fmt.Errorf("a run ends with %s", answer)
			}
			return nil
		}
		if _, err := repeat(ctx, clients, d/4, request); err != nil { // warm up
			return err
		}
		// The two take turns, so that the machine's mood hits both.
		var pairs, runs int
		var times []time.Duration
		var pairCPU, runCPU cpu
		for range 2 {
			before := s.cpu()
			p, err := repeat(ctx, clients, d/2, pair)
			if err != nil {
				return err
			}
			between := s.cpu()
			r, err := repeat(ctx, clients, d/2, request)
			if err != nil {
				return err
			}
			pairCPU, runCPU = pairCPU.plus(between.minus(before)), runCPU.plus(s.cpu().minus(between))
			pairs, runs, times = pairs+len(p), runs+len(r), append(times, r...)
		}
		ratio := float64(runs) / float64(pairs)
		goal := ""
		if clients == 16 {
			goal = "  " + verdict(ratio >= 0.5, "ratio >= 0.5")
		}
		fmt.Printf("    %2d clients: %6.0f runs/s, %6.0f pairs/s, ratio %.2f; run p50 %s p99 %s%s\n", clients,
			float64(runs)/d.Seconds(), float64(pairs)/d.Seconds(), ratio, ms(percentile(times, 50)), ms(percentile(times, 99)), goal)
		fmt.Printf("       processor time of a run %s, of a pair %s\n", runCPU.per(runs), pairCPU.per(pairs))
	}
	return nil
}

// firstToken is part (b).
func firstToken(ctx context.Context, s *server, d time.Duration) error {
	fmt.Println("\n(b) first event and first token of a streamed model call, against calling the model directly")
	var direct, event, token []time.Duration
	once := func() error {
		start := time.Now()
		at, err := directToken(ctx, s.model.URL)
		if err != nil {
			return err
		}
		direct = append(direct, at.Sub(start))
		start = time.Now()
		var sawEvent, sawToken bool
		body := map[string]any{"inputs": map[string]any{"q": "one two three"}, "response_mode": "streaming", "user": "bench"}
		return s.api.Stream(ctx, s.apps["llm"].Key, "/v1/workflows/run", body, func(ev apiclient.Event) error {
			if !sawEvent {
				event, sawEvent = append(event, time.Since(start)), true
			}
			if ev.Name == "text_chunk" && !sawToken {
				token, sawToken = append(token, time.Since(start)), true
			}
			return nil
		})
	}
	for range 20 {
		if err := once(); err != nil {
			return err
		}
	}
	direct, event, token = nil, nil, nil
	before := s.cpu()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := once(); err != nil {
			return err
		}
	}
	added := percentile(token, 50) - percentile(direct, 50)
	fmt.Printf("    p50: model's first token %s; our first event %s, first token %s: %s added (p99 %s)  %s\n",
		ms(percentile(direct, 50)), ms(percentile(event, 50)), ms(percentile(token, 50)), ms(added),
		ms(percentile(token, 99)-percentile(direct, 99)), verdict(added < 5*time.Millisecond, "under 5 ms at p50"))
	fmt.Printf("       processor time of a run %s\n", s.cpu().minus(before).per(len(token)))
	return nil
}

// directToken calls the model as a plain client would and returns when its first
// token came.
func directToken(ctx context.Context, base string) (time.Time, error) {
	body := `{"model":"mock-chat","stream":true,"messages":[{"role":"user","content":"one two three"}]}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", bytes.NewReader([]byte(body)))
	if err != nil {
		return time.Time{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer k")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	var at time.Time
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if at.IsZero() && strings.Contains(lines.Text(), `"content":"`) && !strings.Contains(lines.Text(), `"content":""`) {
			at = time.Now()
		}
	}
	return at, lines.Err()
}

// durableStep is part (c).
func durableStep(ctx context.Context, s *server, d time.Duration) error {
	fmt.Printf("\n(c) cost of a durable step: a chain of %d HTTP requests, against the same requests in a loop\n", steps)
	body := map[string]any{"inputs": map[string]any{"q": "x"}, "response_mode": "blocking", "user": "bench"}
	chain := func(int) error {
		return s.api.Service(ctx, s.apps["chain"].Key, http.MethodPost, "/v1/workflows/run", body, nil)
	}
	loop := func(int) error {
		for range steps {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.echo.URL+"/text", nil)
			if err != nil {
				return err
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		return nil
	}
	if _, err := repeat(ctx, 1, d/4, chain); err != nil {
		return err
	}
	plain, err := repeat(ctx, 1, d/2, loop)
	if err != nil {
		return err
	}
	before := s.cpu()
	durable, err := repeat(ctx, 1, d, chain)
	if err != nil {
		return err
	}
	p, q := percentile(plain, 50), percentile(durable, 50)
	fmt.Printf("    p50: loop %s, durable run %s: %s a step over the request itself (ratio %.1f)\n",
		ms(p), ms(q), ms((q-p)/steps), float64(q)/float64(p))
	fmt.Printf("       processor time of a step %s\n", s.cpu().minus(before).per(len(durable)*steps))
	return nil
}
