//go:build unix

package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/embedded"
)

// ownerVariable makes this test binary a process that owns a server on the
// named folder, so that a test can kill it.
const ownerVariable = "MILLRACE_TEST_EMBEDDED_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerVariable); dir != "" {
		pg, err := embedded.Start(context.Background(), embedded.Options{DataDir: dir})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("ready", pg.PID(), pg.URL())
		<-pg.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// openDir is a fresh folder that the server's account can reach, which the
// folders of testing are not when root runs the tests.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "millrace-embedded-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func start(t *testing.T, opts embedded.Options) *embedded.Postgres {
	t.Helper()
	begun := time.Now()
	pg, err := embedded.Start(t.Context(), opts)
	require.NoError(t, err)
	t.Logf("%s ready in %v", pg, time.Since(begun).Round(time.Millisecond))
	t.Cleanup(func() { require.NoError(t, pg.Stop(context.Background())) })
	return pg
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestDataOutlivesAKilledOwner(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerVariable+"="+dir)
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	var pid int
	var url string
	_, err = fmt.Sscanf(line, "ready %d %s", &pid, &url)
	require.NoError(t, err, line)

	conn := connect(t, url)
	_, err = conn.Exec(t.Context(), `CREATE TABLE kept (id int); INSERT INTO kept SELECT generate_series(1, 1000)`)
	require.NoError(t, err)
	// A session with an open transaction is what makes a shutdown linger.
	_, err = conn.Exec(t.Context(), `BEGIN; INSERT INTO kept VALUES (1001)`)
	require.NoError(t, err)
	require.NoError(t, owner.Process.Signal(syscall.SIGKILL))
	_ = owner.Wait()

	// At once: the old server may still be on its way down.
	pg := start(t, embedded.Options{DataDir: dir})
	var n int
	require.NoError(t, connect(t, pg.URL()).QueryRow(t.Context(), `SELECT count(*) FROM kept`).Scan(&n))
	require.Equal(t, 1000, n)
	require.NotEqual(t, pid, pg.PID())
	require.True(t, gone(pid), "the killed owner's server still runs")
}

// gone reports whether a process has ended; one nobody has waited for counts.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestKilledServerRecovers(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	pg := start(t, embedded.Options{DataDir: dir})
	_, err := connect(t, pg.URL()).Exec(t.Context(), `CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id`)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pg.PID(), syscall.SIGKILL))
	<-pg.Done()
	require.NoError(t, pg.Stop(t.Context()))

	again := start(t, embedded.Options{DataDir: dir})
	var n int
	require.NoError(t, connect(t, again.URL()).QueryRow(t.Context(), `SELECT count(*) FROM kept`).Scan(&n))
	require.Equal(t, 1000, n)
}

func TestStopLeavesNothingRunningAndStartsAgain(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	pg := start(t, embedded.Options{DataDir: dir})
	pid := pg.PID()
	group, err := syscall.Getpgid(pid)
	require.NoError(t, err)
	require.NotEqual(t, syscall.Getpgrp(), group, "Ctrl-C in the terminal must not stop the server before its owner does")
	require.NoError(t, pg.Stop(t.Context()))
	require.NoError(t, pg.Stop(t.Context()), "stopping twice")
	require.True(t, gone(pid))
	require.NoFileExists(t, filepath.Join(pg.ClusterDir(), "postmaster.pid"))

	again := start(t, embedded.Options{DataDir: dir})
	var fsync, commit string
	conn := connect(t, again.URL())
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_setting('fsync'), current_setting('synchronous_commit')`).Scan(&fsync, &commit))
	require.Equal(t, "on on", fsync+" "+commit, "a user's data is durable unless asked otherwise")
}

func TestSecondOwnerIsRefused(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	start(t, embedded.Options{DataDir: dir, Fast: true})
	_, err := embedded.Start(t.Context(), embedded.Options{DataDir: dir})
	require.ErrorContains(t, err, "another process is already running on the data folder")
	require.ErrorContains(t, err, "--data")
}

func TestStaleProcessNumberOfAStranger(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	pg := start(t, embedded.Options{DataDir: dir, Fast: true})
	require.NoError(t, pg.Stop(t.Context()))
	// This test's own number: alive, and no server.
	stale := fmt.Sprintf("%d\n%s\n0\n5432\n\n127.0.0.1\n0 0\nready\n", os.Getpid(), pg.ClusterDir())
	require.NoError(t, os.WriteFile(filepath.Join(pg.ClusterDir(), "postmaster.pid"), []byte(stale), 0o600))
	start(t, embedded.Options{DataDir: dir, Fast: true})
}

func TestDamagedFolderIsNamed(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	pg := start(t, embedded.Options{DataDir: dir, Fast: true})
	require.NoError(t, pg.Stop(t.Context()))

	control := filepath.Join(pg.ClusterDir(), "global", "pg_control")
	require.NoError(t, os.WriteFile(control, []byte("garbage"), 0o600))
	_, err := embedded.Start(t.Context(), embedded.Options{DataDir: dir})
	require.ErrorContains(t, err, "is damaged")
	require.ErrorContains(t, err, "rm -r "+pg.ClusterDir())

	require.NoError(t, os.Remove(filepath.Join(pg.ClusterDir(), "PG_VERSION")))
	_, err = embedded.Start(t.Context(), embedded.Options{DataDir: dir})
	require.ErrorContains(t, err, "no readable PG_VERSION")
	require.ErrorContains(t, err, "rm -r "+pg.ClusterDir())
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	first := start(t, embedded.Options{DataDir: openDir(t), Fast: true})
	cfg, err := pgx.ParseConfig(first.URL())
	require.NoError(t, err)
	_, err = embedded.Start(t.Context(), embedded.Options{DataDir: openDir(t), Fast: true, Port: int(cfg.Port)})
	require.ErrorContains(t, err, fmt.Sprintf("port %d for PostgreSQL is in use", cfg.Port))
}

func TestWithoutNetworkSaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	var said []string
	pg, err := embedded.Start(t.Context(), embedded.Options{
		DataDir: dir, CacheDir: filepath.Join(dir, "cache"), Fast: true,
		MirrorURL: "http://127.0.0.1:1", Progress: func(s string) { said = append(said, s) },
	})
	if err == nil { // a PostgreSQL is installed here: it must be used, and named
		require.NoError(t, pg.Stop(t.Context()))
		require.Contains(t, strings.Join(said, "\n"), "using the system PostgreSQL")
		return
	}
	require.ErrorContains(t, err, "no PostgreSQL to run")
	require.ErrorContains(t, err, "DATABASE_URL")
}

func TestFolderClosedToOthers(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	require.NoError(t, os.Chmod(dir, 0o700)) // like root's home
	pg := start(t, embedded.Options{DataDir: filepath.Join(dir, "data"), Fast: true})
	if os.Geteuid() == 0 {
		t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(pg.ClusterDir())) })
		require.FileExists(t, filepath.Join(dir, "data", "postgres-is-elsewhere.txt"))
	}
	var one int
	require.NoError(t, connect(t, pg.URL()).QueryRow(t.Context(), `SELECT 1`).Scan(&one))
}
