//go:build unix

package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// superuser is the one role of the private server.
const superuser = "millrace"

// neededSpace is what a new data folder needs to begin with, in bytes.
const neededSpace = 200 << 20

// Postgres is a running private server.
type Postgres struct {
	opts     Options
	programs programs
	account  account
	data     string // the cluster itself
	logFile  string
	port     int
	password string
	process  *process
	unlock   func()
	stopOnce sync.Once
	stopErr  error
}

// Start runs the private server of a data folder and returns when it accepts
// connections. A new folder is initialised; a server left over from a killed
// process is stopped first, so that there is never a second one on the same
// files. The server ends with this process, however that ends.
func Start(ctx context.Context, opts Options) (*Postgres, error) {
	p := &Postgres{opts: opts}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	started := false
	defer func() {
		if !started {
			p.unlock()
		}
	}()
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	started = true
	p.opts.Logger.InfoContext(ctx, "postgres started", "programs", p.programs.String(), "data", p.data, "port", p.port)
	return p, nil
}

// DefaultCacheDir is where downloaded programs are kept: a folder other
// accounts can pass through when this process is root, the user's own cache
// otherwise.
func DefaultCacheDir() string {
	if os.Geteuid() == 0 {
		const dir = "/var/cache/millrace"
		if os.MkdirAll(dir, 0o755) == nil { // not where the system is read-only
			return dir
		}
	} else if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "millrace")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("millrace-cache-%d", os.Geteuid()))
}

// prepare fills in defaults, claims the data folder and settles where the
// cluster lives.
func (p *Postgres) prepare() error {
	o := &p.opts
	if o.DataDir == "" {
		return errors.New("embedded: Options.DataDir is empty")
	}
	if o.CacheDir == "" {
		o.CacheDir = DefaultCacheDir()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return err
	}
	o.DataDir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &Error{Problem: "cannot make the data folder " + dir, Err: err, Hint: "choose another folder with --data"}
	}
	unlock, err := lockNow(filepath.Join(dir, "lock"))
	if errors.Is(err, errLocked) {
		return &Error{
			Problem: "another process is already running on the data folder " + dir,
			Hint:    "stop it, or choose another folder with --data",
		}
	}
	if err != nil {
		return &Error{Problem: "cannot use the data folder " + dir, Err: err, Hint: "choose another folder with --data"}
	}
	p.unlock = unlock
	if err := p.place(); err != nil {
		unlock()
		return err
	}
	return nil
}

func (p *Postgres) begin(ctx context.Context) error {
	major, err := p.existingMajor()
	if err != nil {
		return err
	}
	fresh := major == 0
	if fresh && p.opts.Seed != "" {
		if major, err = readMajor(p.opts.Seed); err != nil {
			return fmt.Errorf("read the seed: %w", err)
		}
	}
	if p.programs, err = findPrograms(ctx, &p.opts, major); err != nil {
		return err
	}
	if !p.account.canReach(p.programs.dir) {
		return &Error{
			Problem: fmt.Sprintf("PostgreSQL cannot run as root, and the account it runs as (uid %d) cannot reach %s", p.account.uid, p.programs.dir),
			Hint:    "set the cache folder to one every account can pass through, run as a normal user, or " + ownDatabaseHint,
		}
	}
	if fresh {
		if err := p.initialise(ctx); err != nil {
			return err
		}
	} else if err := p.stopOrphan(ctx); err != nil {
		return err
	}
	if p.password, err = p.readPassword(); err != nil {
		return err
	}
	if err := p.launch(ctx); err != nil {
		return err
	}
	if fresh {
		if err := p.createDatabase(ctx); err != nil {
			return errors.Join(err, p.Stop(context.WithoutCancel(ctx)))
		}
	}
	return nil
}

// dyingTime is how long the processes of a killed server may take to end; until
// then its shared memory keeps a new server out.
const dyingTime = 15 * time.Second

// launch starts the server. Two things pass by themselves and are tried again: a
// free port found a moment ago that is taken when the server binds it, and the
// last processes of a server that was killed.
func (p *Postgres) launch(ctx context.Context) error {
	begun := time.Now()
	for attempt := 1; ; attempt++ {
		port, err := p.choosePort()
		if err != nil {
			return err
		}
		p.port = port
		log, err := p.startServer(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		low := strings.ToLower(log)
		if strings.Contains(low, "shared memory block") && strings.Contains(low, "still in use") && time.Since(begun) < dyingTime {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		stolen := p.opts.Port == 0 && strings.Contains(low, "address already in use")
		if !stolen || attempt >= 5 {
			return diagnose("PostgreSQL did not start", p.data, log, err)
		}
	}
}

func (p *Postgres) choosePort() (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.opts.Port)))
	if err != nil {
		return 0, &Error{
			Problem: fmt.Sprintf("port %d for PostgreSQL is in use", p.opts.Port),
			Hint:    "end the program that uses it, or leave the port unset so that a free one is taken",
			Err:     err,
		}
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// URL is the address of the product's database.
func (p *Postgres) URL() string { return p.DatabaseURL(Database) }

// DatabaseURL is the address of a database on this server.
func (p *Postgres) DatabaseURL(name string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, p.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), Path: "/" + name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// String says which PostgreSQL runs, for people.
func (p *Postgres) String() string { return p.programs.String() }

// PID is the process id of the server.
func (p *Postgres) PID() int { return p.process.pid() }

// ClusterDir is the folder with the server's own files. It differs from a
// folder below DataDir only where root's folders are closed to other accounts.
func (p *Postgres) ClusterDir() string { return p.data }

// Done is closed when the server has ended, asked or not.
func (p *Postgres) Done() <-chan struct{} { return p.process.done }

// Stop ends the server: open transactions are rolled back, everything committed
// is on disk. When ctx ends first the server is stopped at once, which is still
// safe: the next start recovers. Calling it again answers the same.
func (p *Postgres) Stop(ctx context.Context) error {
	p.stopOnce.Do(func() {
		p.stopErr = p.process.stop(ctx)
		p.unlock()
	})
	return p.stopErr
}

func (p *Postgres) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.DatabaseURL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the new server: %w", err)
	}
	defer conn.Close(ctx)
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, Database).Scan(&there); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if there {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{Database}.Sanitize()); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

func newPassword() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b)
}
