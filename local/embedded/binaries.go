//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// defaultMajor is the server version for new data folders.
const defaultMajor = 17

// oldestMajor is the oldest server the schema is written for.
const oldestMajor = 14

// programs is one installed PostgreSQL.
type programs struct {
	dir    string // holds initdb and postgres
	major  int
	source Source
}

func (p programs) path(name string) string { return filepath.Join(p.dir, name) }

func (p programs) String() string {
	return fmt.Sprintf("PostgreSQL %d (%s, %s)", p.major, p.source, p.dir)
}

func embeddedVersion(major int) (embeddedpostgres.PostgresVersion, bool) {
	switch major {
	case 14:
		return embeddedpostgres.V14, true
	case 15:
		return embeddedpostgres.V15, true
	case 16:
		return embeddedpostgres.V16, true
	case 17:
		return embeddedpostgres.V17, true
	case 18:
		return embeddedpostgres.V18, true
	}
	return "", false
}

// findPrograms returns a PostgreSQL able to serve a data folder of the given
// major version; 0 means a new folder, where any supported version does.
func findPrograms(ctx context.Context, o *Options, major int) (programs, error) {
	order := []Source{SourceEmbedded, SourceSystem}
	if o.Prefer == SourceSystem {
		order = []Source{SourceSystem, SourceEmbedded}
	}
	var failures []error
	for _, source := range order {
		var p programs
		var err error
		if source == SourceEmbedded {
			p, err = fetchPrograms(ctx, o, major)
		} else {
			p, err = systemPrograms(major)
		}
		if err == nil {
			if len(failures) > 0 {
				o.Progress(fmt.Sprintf("using the %s PostgreSQL in %s instead (%v)", p.source, p.dir, failures[0]))
			}
			return p, nil
		}
		if ctx.Err() != nil {
			return programs{}, ctx.Err()
		}
		failures = append(failures, err)
	}
	return programs{}, &Error{
		Problem: "no PostgreSQL to run",
		Hint: "the first start needs the network once; without it install PostgreSQL (14 or later, with initdb on the PATH), or " +
			ownDatabaseHint,
		Err: errors.Join(failures...),
	}
}

// systemPrograms looks on the PATH and where distributions put the server
// programs, newest first.
func systemPrograms(major int) (programs, error) {
	var dirs []string
	if found, err := exec.LookPath("postgres"); err == nil {
		// Distributions link single programs into the PATH; initdb finds its
		// share folder only from its real place.
		if real, err := filepath.EvalSymlinks(found); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		more, _ := filepath.Glob(pattern)
		sort.Sort(sort.Reverse(sort.StringSlice(more)))
		dirs = append(dirs, more...)
	}
	for _, dir := range dirs {
		if !hasPrograms(dir) {
			continue
		}
		out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
		if err != nil {
			continue
		}
		got := parseMajor(string(out))
		if got < oldestMajor || (major != 0 && got != major) {
			continue
		}
		return programs{dir: dir, major: got, source: SourceSystem}, nil
	}
	if major != 0 {
		return programs{}, fmt.Errorf("no PostgreSQL %d installed on this machine", major)
	}
	return programs{}, fmt.Errorf("no PostgreSQL of version %d or later installed on this machine", oldestMajor)
}

// parseMajor reads "postgres (PostgreSQL) 15.18 (Debian ...)".
func parseMajor(version string) int {
	fields := strings.Fields(version)
	for _, f := range fields {
		head, _, _ := strings.Cut(f, ".")
		head = strings.TrimRight(head, "abcdefghijklmnopqrstuvwxyz")
		if n, err := strconv.Atoi(head); err == nil {
			return n
		}
	}
	return 0
}

func hasPrograms(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// fetchPrograms downloads the embedded build unless the cache has it.
func fetchPrograms(ctx context.Context, o *Options, major int) (programs, error) {
	if major == 0 {
		major = defaultMajor
	}
	version, ok := embeddedVersion(major)
	if !ok {
		return programs{}, fmt.Errorf("there is no embedded PostgreSQL %d", major)
	}
	final := filepath.Join(o.CacheDir, fmt.Sprintf("postgres-%s-%s-%s", version, runtime.GOOS, runtime.GOARCH))
	found := programs{dir: filepath.Join(final, "bin"), major: major, source: SourceEmbedded}
	if hasPrograms(found.dir) {
		return found, nil
	}
	if err := os.MkdirAll(o.CacheDir, 0o755); err != nil {
		return programs{}, fmt.Errorf("make the cache folder: %w", err)
	}
	unlock, err := lockWait(ctx, filepath.Join(o.CacheDir, "fetch.lock"))
	if err != nil {
		return programs{}, err
	}
	defer unlock()
	if hasPrograms(found.dir) { // another process fetched it while this one waited
		return found, nil
	}
	o.Progress(fmt.Sprintf("downloading PostgreSQL %s (once, about 10 MB) into %s", version, o.CacheDir))
	return found, fetchInto(ctx, o, version, final)
}

// fetchInto lets the library download, verify and unpack into a staging folder
// and renames that into place, so that a kill in between leaves no half
// installation. Only those steps of the library are wanted (it cannot start a
// server as root nor tie it to this process): its data path is blocked by a
// plain file, so its Start ends with an error right after unpacking.
func fetchInto(ctx context.Context, o *Options, version embeddedpostgres.PostgresVersion, final string) error {
	stage, err := os.MkdirTemp(o.CacheDir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage) //nolint:errcheck // a rest costs space only
	blocker := filepath.Join(stage, "blocked")
	if err := os.WriteFile(blocker, nil, 0o600); err != nil {
		return err
	}
	unpacked := filepath.Join(stage, "postgres")
	cfg := embeddedpostgres.DefaultConfig().Version(version).Port(0).Logger(io.Discard).
		CachePath(filepath.Join(stage, "archive")).BinariesPath(unpacked).
		RuntimePath(filepath.Join(stage, "runtime")).DataPath(filepath.Join(blocker, "data"))
	if o.MirrorURL != "" {
		cfg = cfg.BinaryRepositoryURL(o.MirrorURL)
	}
	defer removeNew(filepath.Join(os.TempDir(), "embedded_postgres_log*"))()
	done := make(chan error, 1)
	go func() { done <- embeddedpostgres.NewDatabase(cfg).Start() }()
	if err := waitWithProgress(ctx, done, o.Progress); !hasPrograms(filepath.Join(unpacked, "bin")) {
		return fmt.Errorf("download PostgreSQL %s: %w", version, err)
	}
	if err := makeReadable(unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, final)
}

// removeNew returns a function that removes the files that match the pattern by
// then but not yet: the library leaves its log behind when it ends with an error.
func removeNew(pattern string) func() {
	before, _ := filepath.Glob(pattern)
	return func() {
		after, _ := filepath.Glob(pattern)
		for _, name := range after {
			if !slices.Contains(before, name) {
				_ = os.Remove(name)
			}
		}
	}
}

func waitWithProgress(ctx context.Context, done <-chan error, progress func(string)) error {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for seconds := 3; ; seconds += 3 {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			progress(fmt.Sprintf("still downloading PostgreSQL (%d s)", seconds))
		}
	}
}

// makeReadable lets any account run the programs: as root the server runs as
// another one, and the caller's umask may have hidden what was unpacked.
func makeReadable(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}
