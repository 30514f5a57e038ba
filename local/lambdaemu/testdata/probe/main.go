// Command probe is the function that the emulator's tests run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/millrace/millrace/shared/cloudruntime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if os.Getenv("PROBE_CRASH_AT_START") != "" {
		os.Exit(7)
	}
	platform, addr := cloudruntime.Detect(os.LookupEnv)
	err := cloudruntime.Serve(ctx, cloudruntime.Handlers{HTTP: handler(), Task: task}, cloudruntime.Options{
		Function: os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), Platform: platform, Addr: addr,
		Streaming: os.Getenv("MILLRACE_STREAM_RESPONSE") == "true",
		Queues:    []string{"probe-queue"},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("stopped cleanly")
}

func handler() http.Handler {
	var served atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/echo/{rest...}", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %s %d %s", r.Method, r.URL.Path, r.URL.RawQuery, len(body), r.Header.Get("X-Probe"))
	})
	mux.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%d %d", os.Getpid(), served.Add(1))
	})
	// hold answers once the address in ?gate= answers, so that tests decide when.
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		wait(r.Context(), r.URL.Query().Get("gate"))
		fmt.Fprint(w, os.Getpid())
	})
	mux.HandleFunc("/sse", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "id: %d\ndata: x\n\n", i)
			w.(http.Flusher).Flush()
			wait(r.Context(), r.URL.Query().Get("gate"))
		}
	})
	mux.HandleFunc("/sized", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5000")
		_, _ = w.Write(make([]byte, 5000))
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic("half way")
	})
	mux.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	mux.HandleFunc("/hang", func(http.ResponseWriter, *http.Request) { select {} })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 7<<20))
	})
	mux.HandleFunc("/deadline", func(w http.ResponseWriter, r *http.Request) {
		d, ok := r.Context().Deadline()
		fmt.Fprintf(w, "%v %d", ok, int(time.Until(d).Seconds()+0.5))
	})
	return mux
}

func wait(ctx context.Context, gate string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, gate, nil)
	if err != nil {
		panic(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

func task(ctx context.Context, t cloudruntime.Task) ([]byte, error) {
	switch {
	case t.Kind == cloudruntime.KindDirect:
		return json.Marshal(map[string]any{"got": json.RawMessage(t.Body), "kind": t.Kind, "attributes": t.Attributes})
	case strings.HasPrefix(string(t.Body), "fail once") && t.Attempt == 1:
		return nil, errors.New("asked to fail")
	}
	report, err := json.Marshal(map[string]any{
		"kind": t.Kind, "source": t.Source, "body": string(t.Body), "attempt": t.Attempt, "attributes": t.Attributes,
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("PROBE_REPORT"), strings.NewReader(string(report)))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return nil, resp.Body.Close()
}
