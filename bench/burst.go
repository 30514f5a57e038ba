package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// bursts is part (h): as many runs at once, each with a connection of its own, of
// three kinds. All must succeed, in what their clients see and in the database.
func bursts(ctx context.Context, s *server, _ time.Duration) error {
	burstRuns := s.burst
	fmt.Printf("\n(h) %d runs started at once\n", burstRuns)
	if err := s.importAll(ctx, map[string]string{"effect": app("effect", []appNode{
		{"start", startData},
		{"h", fmt.Sprintf(httpData("h", s.echo.URL+"/text"), "")},
		{"t", `{type: template-transform, title: T, desc: "", template: "{{ b }}", variables: [{variable: b, value_selector: [h, status_code]}]}`},
		{"end", `{type: end, title: End, desc: "", outputs: [{variable: out, value_selector: [t, output], value_type: string}]}`},
	})}); err != nil {
		return err
	}
	for _, kind := range []struct{ name, app, mode, says string }{
		{"pure, blocking", "template", "blocking", `"status": "succeeded"`},
		{"one HTTP request, blocking", "effect", "blocking", `"status": "succeeded"`},
		{"a model's stream, streaming", "llm", "streaming", `"status":"succeeded"`},
	} {
		if err := s.burstOf(ctx, kind.name, kind.app, kind.mode, kind.says); err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
	}
	return nil
}

func (s *server) burstOf(ctx context.Context, name, app, mode, says string) error {
	stored, err := s.storedRuns(ctx)
	if err != nil {
		return err
	}
	burstRuns := s.burst
	idle, err := residentMB(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte("5"), 0o200) // forget the peak so far
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	body, err := json.Marshal(map[string]any{"inputs": map[string]any{"q": "one two three"}, "response_mode": mode, "user": "bench"})
	if err != nil {
		return err
	}
	var (
		mu    sync.Mutex
		wrong = map[string]int{}
		times []time.Duration
		wg    sync.WaitGroup
		gate  = make(chan struct{})
	)
	for range burstRuns {
		wg.Go(func() {
			<-gate
			start := time.Now()
			problem := s.burstRun(ctx, client, app, body, says)
			took := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, took)
			if problem != "" {
				wrong[problem]++
			}
		})
	}
	before, start := s.cpu(), time.Now()
	close(gate)
	wg.Wait()
	took := time.Since(start)
	used := s.cpu().minus(before)
	peak, err := statusMB(s.cmd.Process.Pid, "VmHWM:")
	if err != nil {
		return err
	}
	now, err := s.storedRuns(ctx)
	if err != nil {
		return err
	}
	failed := 0
	for _, n := range wrong {
		failed += n
	}
	fmt.Printf("    %s: %.1f s, %.0f runs/s, p50 %s p99 %s; server's memory %.0f MB before, %.0f MB at its peak  %s\n", name, took.Seconds(),
		float64(burstRuns)/took.Seconds(), ms(percentile(times, 50)), ms(percentile(times, 99)), idle, peak,
		verdict(failed == 0 && now["succeeded"]-stored["succeeded"] == burstRuns, fmt.Sprintf("all %d succeed", burstRuns)))
	fmt.Printf("       processor time of a run %s\n", used.per(burstRuns))
	for text, n := range wrong {
		fmt.Printf("       %d times: %.300s\n", n, text)
	}
	return nil
}

// burstRun makes one run and says what was wrong with it.
func (s *server) burstRun(ctx context.Context, client *http.Client, app string, body []byte, says string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/v1/workflows/run", bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.apps[app].Key)
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err.Error()
	case res.StatusCode != http.StatusOK, !bytes.Contains(text, []byte(says)):
		return fmt.Sprintf("%d %s", res.StatusCode, text[max(0, len(text)-300):])
	}
	return ""
}

// storedRuns counts the runs in the database by their status.
func (s *server) storedRuns(ctx context.Context) (map[string]int, error) {
	conn, err := pgx.Connect(ctx, s.pg.URL())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing to lose
	rows, err := conn.Query(ctx, "SELECT status, count(*) FROM workflow_runs GROUP BY status")
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	var (
		status string
		n      int
	)
	_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error { out[status] = n; return nil })
	return out, err
}

// statusMB reads one of the sizes in /proc/PID/status.
func statusMB(pid int, field string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, field); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s", field)
}
