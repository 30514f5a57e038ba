// Command bench compares Millrace with the limits of the machine it runs on and
// prints ratios: everything is measured in one run, on the same PostgreSQL with
// the same durability settings, because machines are noisy.
//
//	go run ./bench             all parts
//	go run ./bench -only a,b   some of them
//
// The parts: (a) blocking runs against plain write transactions, (b) time to
// the first event and token against calling the model directly, (c) the cost of
// a durable step, (d) cold start and size of the function binaries, (e) memory
// and start time of the local command, (f) iterations against a plain loop of
// the same calls, (g) a graph of pure nodes, (h) 2,000 runs started at once.
// docs/benchmarks.md shows results.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sort"
	"strings"
	"time"
)

func main() {
	var (
		only    = flag.String("only", "a,b,c,d,f,g,h,e", "parts to run")
		seconds = flag.Int("d", 5, "seconds for each load")
		burst   = flag.Int("burst", 2000, "runs that part (h) starts at once")
		keep    = flag.Bool("v", false, "show what the server prints")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, strings.Split(*only, ","), time.Duration(*seconds)*time.Second, *burst, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, parts []string, load time.Duration, burst int, verbose bool) error {
	want := map[string]bool{}
	for _, p := range parts {
		want[strings.TrimSpace(p)] = true
	}
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	// The database server runs as another account when we are root.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	fmt.Printf("%s, %d processors, %s\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.RFC3339))
	if want["d"] {
		if err := coldStart(ctx, dir); err != nil {
			return fmt.Errorf("part d: %w", err)
		}
	}
	delete(want, "d")
	if len(want) == 0 {
		return nil
	}
	s, err := startServer(ctx, dir, burst, verbose)
	if err != nil {
		return err
	}
	defer s.close()
	for _, part := range []struct {
		name string
		f    func(context.Context, *server, time.Duration) error
	}{{"a", blockingRuns}, {"b", firstToken}, {"c", durableStep}, {"f", iterations}, {"g", pureGraph}, {"h", bursts}, {"e", footprint}} {
		if !want[part.name] {
			continue
		}
		if err := part.f(ctx, s, load); err != nil {
			return fmt.Errorf("part %s: %w", part.name, err)
		}
	}
	return nil
}

// percentile returns the p-th percentile (0 to 100) of samples.
func percentile(samples []time.Duration, p int) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	return samples[min(len(samples)-1, len(samples)*p/100)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

// verdict prints a goal and whether this run met it.
func verdict(met bool, goal string) string {
	if met {
		return "goal met: " + goal
	}
	return "goal MISSED: " + goal
}
