//go:build unix

// Package pgtest gives every test its own PostgreSQL database and needs nothing
// installed but Go.
//
// One private server runs per test binary, without durability, from a prepared
// copy, and ends with the binary however that ends. MILLRACE_TEST_DATABASE_URL
// names another server to use instead (its role must be allowed to create
// databases). It is a test helper: nothing that ships imports it.
//
// Start with [URL] or [Pool] for an empty database, and [Template] where the
// same preparation (migrations) serves many tests.
package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/millrace/millrace/local/embedded"
)

// serverVariable names a server to use instead of a private one.
const serverVariable = "MILLRACE_TEST_DATABASE_URL"

// password guards the private test server. It is fixed because prepared copies
// are shared between runs; the server listens on loopback alone.
const password = "millrace-test"

// shared is the server of this test binary and the templates made on it. It is
// package state because a test binary has no other place that outlives a test.
var shared = struct {
	sync.Mutex
	admin     string // address of a database to run CREATE DATABASE from
	err       error
	asked     bool
	server    *embedded.Postgres // held: when it is collected, so is its lock on the folder
	templates map[string]*template
}{templates: map[string]*template{}}

type template struct {
	once sync.Once
	name string
	err  error
}

// URL returns the address of a fresh, empty database that is dropped when the
// test ends.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, "template0")
}

// Pool returns a connection pool on a fresh, empty database.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return Open(t, URL(t))
}

// Open returns a connection pool on the given database, closed when the test
// ends.
func Open(t testing.TB, databaseURL string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), databaseURL)
	if err != nil {
		t.Fatalf("pgtest: open a pool: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Template returns the address of a fresh database that is a copy of one on
// which prepare ran. prepare runs once per key and test binary; it must have
// closed its connections when it returns.
func Template(t testing.TB, key string, prepare func(ctx context.Context, databaseURL string) error) string {
	t.Helper()
	admin := server(t)
	shared.Lock()
	tpl := shared.templates[key]
	if tpl == nil {
		tpl = &template{name: "template_" + suffix()}
		shared.templates[key] = tpl
	}
	shared.Unlock()
	tpl.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if tpl.err = execute(ctx, admin, createStatement(tpl.name, "template0")); tpl.err == nil {
			tpl.err = prepare(ctx, withDatabase(admin, tpl.name))
		}
	})
	if tpl.err != nil {
		t.Fatalf("pgtest: prepare the template %q: %v", key, tpl.err)
	}
	return create(t, tpl.name)
}

func create(t testing.TB, from string) string {
	t.Helper()
	admin := server(t)
	name := "test_" + suffix()
	if err := execute(context.Background(), admin, createStatement(name, from)); err != nil {
		t.Fatalf("pgtest: create a database: %v", err)
	}
	t.Cleanup(func() {
		drop := "DROP DATABASE IF EXISTS " + pgx.Identifier{name}.Sanitize() + " WITH (FORCE)"
		if err := execute(context.Background(), admin, drop); err != nil {
			t.Logf("pgtest: drop a database: %v", err)
		}
	})
	return withDatabase(admin, name)
}

func createStatement(name, from string) string {
	return "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE " + pgx.Identifier{from}.Sanitize()
}

func execute(ctx context.Context, databaseURL, statement string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func withDatabase(databaseURL, name string) string {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return databaseURL
	}
	u.Path = "/" + name
	return u.String()
}

func suffix() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// server returns the address of the server, started by the first test to ask.
func server(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.asked {
		shared.asked = true
		if shared.admin = os.Getenv(serverVariable); shared.admin == "" {
			shared.server, shared.err = start(func(s string) { t.Log("pgtest: " + s) })
			if shared.err == nil {
				shared.admin = shared.server.DatabaseURL("postgres")
			}
		}
	}
	if shared.err != nil {
		t.Fatalf("pgtest: start PostgreSQL (or set %s): %v", serverVariable, shared.err)
	}
	return shared.admin
}

// start runs the private server in a folder of its own below the temporary
// folder. Folders of binaries that have ended are removed on the way: a test
// binary has no moment of its own to clean up in.
func start(progress func(string)) (*embedded.Postgres, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	root := filepath.Join(os.TempDir(), fmt.Sprintf("millrace-pgtest-%d", os.Geteuid()))
	if err := os.MkdirAll(root, 0o711); err != nil {
		return nil, err
	}
	unlock, err := embedded.Lock(ctx, filepath.Join(root, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	sweep(root)
	seed, err := prepareSeed(ctx, progress)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(root, "run-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	return embedded.Start(ctx, options(dir, seed, progress))
}

func options(dir, seed string, progress func(string)) embedded.Options {
	return embedded.Options{
		DataDir: dir, Seed: seed, Password: password, Fast: true, Progress: progress,
		Settings: map[string]string{
			"autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0", "shared_buffers": "64MB",
			"max_wal_size": "1GB",
		},
	}
}

// sweep removes the folders of binaries that have ended: their lock is free.
func sweep(root string) {
	old, _ := filepath.Glob(filepath.Join(root, "run-*"))
	for _, dir := range old {
		if embedded.InUse(dir) {
			continue
		}
		_ = os.RemoveAll(dir)
	}
}

// prepareSeed returns a folder with an initialised cluster, made by the first
// run on this machine: copying it takes a fraction of what initdb takes. The
// caller holds the lock.
func prepareSeed(ctx context.Context, progress func(string)) (string, error) {
	cache := embedded.DefaultCacheDir()
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	seed := filepath.Join(cache, "pgtest-seed-1")
	if _, err := os.Stat(filepath.Join(seed, "PG_VERSION")); err == nil {
		return seed, nil
	}
	stage, err := os.MkdirTemp(cache, "seed-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(stage) //nolint:errcheck // a rest costs space only
	if err := os.Chmod(stage, 0o711); err != nil {
		return "", err
	}
	pg, err := embedded.Start(ctx, options(stage, "", progress))
	if err != nil {
		return "", err
	}
	if err := pg.Stop(ctx); err != nil {
		return "", err
	}
	return seed, os.Rename(pg.ClusterDir(), seed)
}
