//go:build linux

package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/local/apiclient"
	"github.com/millrace/millrace/local/embedded"
	"github.com/millrace/millrace/local/embedded/pgtest"
	"github.com/millrace/millrace/local/lambdaemu"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/mockecho"
	"github.com/millrace/millrace/shared/mockmodel"
)

var (
	kills  = flag.Int("kills", 250, "kill points at random moments, in both modes together; CI runs the tests twice")
	update = flag.Bool("update", false, "record the journals of shared/run/testdata again, as those of this version")
	seed   = flag.Uint64("seed", 0, "seed of the random moments; 0 draws one and logs it")
)

// program is the command under test, built once.
var program struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "millrace-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program.path = filepath.Join(dir, "under-test")
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build returns the path of the command under test.
func build(t testing.TB) string {
	t.Helper()
	program.once.Do(func() {
		cmd := exec.Command("go", "build", "-o", program.path, "..")
		if out, err := cmd.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	require.NoError(t, program.err, "build the command")
	return program.path
}

// functions builds the function binaries into a folder that stays, so that the
// next run links only what has changed, and returns it.
func functions(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	dir := filepath.Join(cache, "millrace", "test-functions")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	unlock, err := embedded.Lock(t.Context(), filepath.Join(dir, ".lock"))
	require.NoError(t, err)
	defer unlock()
	root := filepath.Join("..", "..")
	template, err := lambdaemu.ReadTemplate(filepath.Join(root, "infra", "template.yaml"), nil)
	require.NoError(t, err)
	start := clock.System{}.Now()
	require.NoError(t, lambdaemu.Builder{Root: root, Dir: dir, Env: cleanEnvironment()}.Build(t.Context(), template.Functions))
	t.Logf("functions built in %s", clock.Since(clock.System{}, start).Round(time.Millisecond))
	return dir
}

// world is everything that outlives a killed process.
type world struct {
	databaseURL string
	pool        *pgxpool.Pool
	model       *mockmodel.Server
	echo        *mockecho.Server
	gate        *gate // before echo
	modelURL    string
	echoURL     string
}

func newWorld(t *testing.T) *world {
	w := &world{databaseURL: pgtest.URL(t), model: mockmodel.New(nil), echo: mockecho.New(nil)}
	w.pool = pgtest.Open(t, w.databaseURL)
	w.gate = newGate(w.echo.Handler())
	model, echo := httptest.NewServer(w.model.Handler()), httptest.NewServer(w.gate)
	w.modelURL, w.echoURL = model.URL+"/v1", echo.URL
	t.Cleanup(func() {
		model.CloseClientConnections()
		model.Close()
		echo.Close()
	})
	return w
}

// setUp makes account and model and imports the apps under test.
func (w *world) setUp(t *testing.T, s *server) []*app {
	t.Helper()
	ctx := t.Context()
	c := apiclient.New(s.base, nil)
	_, err := c.Login(ctx, "e2e@example.com", "end-to-end-1")
	require.NoError(t, err)
	require.NoError(t, c.UseModel(ctx, apiclient.Model{BaseURL: w.modelURL, APIKey: "e2e", Name: "e2e-chat"}))
	list := scenarios()
	for _, a := range list {
		dsl := strings.ReplaceAll(a.dsl, "ECHO", w.echoURL)
		for _, called := range list {
			if a.calls == called.name {
				dsl = strings.ReplaceAll(dsl, "CALLED", publishTool(ctx, t, c, called.id))
			}
		}
		got, err := c.Import(ctx, dsl)
		require.NoError(t, err, a.name)
		a.id, a.key = got.ID, got.Key
	}
	return list
}

// eventually polls until ok, and says what it waited for when the time is over.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for !ok() {
		if pause(ctx, 10*time.Millisecond) != nil {
			require.FailNow(t, "waited in vain", "%s, for %s", what, limit)
		}
	}
}

// pause lets time go by: real processes do not follow an injected clock.
func pause(ctx context.Context, d time.Duration) error { return clock.Sleep(ctx, clock.System{}, d) }
