package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/millrace/millrace/local/lambdaemu"
	"github.com/millrace/millrace/shared/catalogue"
)

// footprint is part (e): memory after the demo and the time until /health.
func footprint(ctx context.Context, s *server, _ time.Duration) error {
	fmt.Println("\n(e) the local command, with a database of its own")
	s.stop()
	own := filepath.Join(s.dir, "own")
	addr := s.addr
	demo := exec.CommandContext(ctx, s.binary, "demo", "--listen", addr, "--data", own)
	demo.Env = withoutDatabase()
	var out bytes.Buffer
	demo.Stdout, demo.Stderr = &out, &out
	if err := demo.Start(); err != nil {
		return err
	}
	if err := s.healthy(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, out.String())
	}
	if err := eventually(30*time.Second, func() bool { return strings.Contains(out.String(), "repeat it") }); err != nil {
		return fmt.Errorf("the demo did not finish:\n%s", out.String())
	}
	rss, err := residentMB(demo.Process.Pid)
	if err != nil {
		return err
	}
	_ = demo.Process.Signal(os.Interrupt)
	_ = demo.Wait()
	fmt.Printf("    resident after the demo, without Postgres: %.0f MB  %s\n", rss, verdict(rss < 80, "under 80 MB"))

	var best []time.Duration
	for range 3 {
		up := exec.CommandContext(ctx, s.binary, "up", "--listen", addr, "--data", own)
		up.Env = withoutDatabase()
		start := time.Now()
		if err := up.Start(); err != nil {
			return err
		}
		err := s.healthy(ctx)
		best = append(best, time.Since(start))
		_ = up.Process.Signal(os.Interrupt)
		_ = up.Wait()
		if err != nil {
			return err
		}
	}
	p50 := percentile(best, 50)
	fmt.Printf("    start to /health on an existing data folder: %s  %s\n", ms(p50), verdict(p50 < time.Second, "under 1 s"))
	return nil
}

func withoutDatabase() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DATABASE_URL=") && !strings.HasPrefix(kv, "OPENAI_") {
			env = append(env, kv)
		}
	}
	return env
}

func residentMB(pid int) (float64, error) { return statusMB(pid, "VmRSS:") }

func eventually(limit time.Duration, ok func() bool) error {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if ok() {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("timed out")
}

// coldStart is part (d): each function's binary as it would be deployed.
func coldStart(ctx context.Context, dir string) error {
	fmt.Println("\n(d) Lambda binaries: spawn to first answer (the sample event), size, zipped size")
	template, err := lambdaemu.ReadTemplate(filepath.Join("infra", "template.yaml"), nil)
	if err != nil {
		return err
	}
	bin := filepath.Join(dir, "bin")
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "GO") {
			env = append(env, kv)
		}
	}
	if err := (lambdaemu.Builder{Root: ".", Dir: bin, Env: env}).Build(ctx, template.Functions); err != nil {
		return err
	}
	for i := range template.Functions {
		template.Functions[i].Queues = nil // messages are given by hand
	}
	// No database is reachable: what is measured is the process, its settings and
	// its first answer, not the network behind it.
	emu, err := lambdaemu.New(ctx, lambdaemu.Options{
		Template: template, BinaryDir: bin, Freeze: true,
		Env: func(f lambdaemu.Function) map[string]string { return coldEnv(f, dir) },
	})
	if err != nil {
		return err
	}
	defer emu.Close()
	for _, f := range template.Functions {
		row, known := catalogue.Find(f.Folder)
		if !known {
			return fmt.Errorf("%s is not in the catalogue", f.Folder)
		}
		event, err := os.ReadFile(filepath.Join("events", row.Sample))
		if err != nil {
			return err
		}
		first, err := firstAnswer(ctx, emu, f.Folder, event)
		if err != nil {
			return err
		}
		note := ""
		if row.Kind == catalogue.Direct {
			// The sample starts an interpreter besides the function, whose time is its
			// own: what is compared is the answer to an empty request.
			note = fmt.Sprintf("  (%s with the interpreter's start and the sample's code)", ms(first))
			if first, err = firstAnswer(ctx, emu, f.Folder, []byte("{}")); err != nil {
				return err
			}
		}
		size, zipped, err := sizes(filepath.Join(bin, f.Folder))
		if err != nil {
			return err
		}
		fmt.Printf("    %-18s %9s  %5.1f MB  %5.1f MB zipped  %s%s\n", f.Folder, ms(first), size, zipped,
			verdict(first < 30*time.Millisecond && zipped < 15, "under 30 ms and 15 MB"), note)
	}
	return nil
}

// firstAnswer is the median of the time from spawning an instance to its answer;
// a failure is an answer.
func firstAnswer(ctx context.Context, emu *lambdaemu.Emulator, function string, event []byte) (time.Duration, error) {
	var times []time.Duration
	for range 5 {
		for _, i := range emu.Instances(function) {
			emu.Kill(i.ID)
		}
		if err := eventually(5*time.Second, func() bool { return len(emu.Instances(function)) == 0 }); err != nil {
			return 0, err
		}
		start := time.Now()
		_, err := emu.Invoke(ctx, function, event)
		var failed *lambdaemu.FunctionError
		if err != nil && !errors.As(err, &failed) {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	return percentile(times, 50), nil
}

func coldEnv(f lambdaemu.Function, dir string) map[string]string {
	env := map[string]string{}
	for k, v := range f.Env {
		env[k] = v
	}
	for k, v := range map[string]string{
		"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "SECRET_KEY": "bench", "BLOB_URL": "mem://", "REDIS_URL": "",
		"MILLRACE_QUEUE_URL": "mem://%s", "HOME": dir,
	} {
		if _, used := f.Env[k]; used {
			env[k] = v
		}
	}
	return env
}

// sizes returns a binary's size and its size in a deployment package, in MB.
func sizes(path string) (size, zipped float64, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	w, err := z.Create("bootstrap")
	if err != nil {
		return 0, 0, err
	}
	if _, err := w.Write(raw); err != nil {
		return 0, 0, err
	}
	if err := z.Close(); err != nil {
		return 0, 0, err
	}
	return float64(len(raw)) / 1e6, float64(b.Len()) / 1e6, nil
}
