package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/millrace/millrace/local/apiclient"
	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/shared/mockecho"
	"github.com/millrace/millrace/shared/mockmodel"
	"github.com/millrace/millrace/shared/postgres"
)

// server is a local server under test with the database and the partners that
// it uses.
type server struct {
	dir    string
	binary string
	pg     *embedded.Postgres
	model  *httptest.Server
	echo   *httptest.Server
	cmd    *exec.Cmd
	out    bytes.Buffer
	addr   string
	api    *apiclient.Client
	apps   map[string]apiclient.App
	burst  int // runs at once in part (h)
}

func startServer(ctx context.Context, dir string, burst int, verbose bool) (*server, error) {
	s := &server{dir: dir, burst: burst, binary: filepath.Join(dir, "millrace"), apps: map[string]apiclient.App{}}
	if err := goBuild(ctx, s.binary, "./local"); err != nil {
		return nil, err
	}
	var err error
	if s.pg, err = embedded.Start(ctx, embedded.Options{DataDir: filepath.Join(dir, "postgres")}); err != nil {
		return nil, err
	}
	s.model = httptest.NewServer(mockmodel.New(nil).Handler())
	s.echo = httptest.NewServer(mockecho.New(nil).Handler())
	if err := s.start(ctx, verbose); err != nil {
		s.close()
		return nil, err
	}
	s.api = apiclient.New("http://"+s.addr, nil)
	if _, err := s.api.Login(ctx, "bench@example.com", "bench-password-1"); err != nil {
		s.close()
		return nil, err
	}
	if err := s.api.UseModel(ctx, apiclient.Model{BaseURL: s.model.URL + "/v1", APIKey: "k", Name: "mock-chat"}); err != nil {
		s.close()
		return nil, err
	}
	for name, dsl := range apps(s.echo.URL) {
		app, err := s.api.Import(ctx, dsl)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("app %s: %w", name, err)
		}
		s.apps[name] = app
	}
	return s, s.describe(ctx)
}

// start runs the server and waits for /health.
func (s *server) start(ctx context.Context, verbose bool) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	s.cmd = exec.Command(s.binary, "up", "--listen", s.addr, "--data", filepath.Join(s.dir, "data"))
	s.cmd.Env = append(os.Environ(), "DATABASE_URL="+postgres.Direct(s.pg.URL()), "MILLRACE_DB_POOL_SIZE=16", "LOG_LEVEL=ERROR")
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if verbose {
		s.cmd.Stdout, s.cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	return s.healthy(ctx)
}

func (s *server) healthy(ctx context.Context) error {
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if res, err := http.Get("http://" + s.addr + "/health"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errors.New("the server did not get ready:\n" + s.out.String())
}

// stop ends the server process and waits for it.
func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) close() {
	s.stop()
	if s.pg != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.pg.Stop(ctx)
	}
	for _, partner := range []*httptest.Server{s.model, s.echo} {
		if partner != nil {
			partner.Close()
		}
	}
}

// describe says which durability the database has.
func (s *server) describe(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.pg.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing to lose
	var settings []string
	for _, name := range []string{"server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"} {
		var v string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&v); err != nil {
			return err
		}
		settings = append(settings, name+"="+v)
	}
	fmt.Println("postgres:", strings.Join(settings, " "))
	return nil
}

func goBuild(ctx context.Context, out, pkg string, flags ...string) error {
	args := append(append([]string{"build"}, flags...), "-o", out, pkg)
	cmd := exec.CommandContext(ctx, "go", args...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
	}
	return nil
}
