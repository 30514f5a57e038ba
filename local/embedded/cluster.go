//go:build unix

package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// place settles the account and the folder of the cluster. Root's own folders
// are often closed to everybody else (/root is); the cluster then lives below
// /var/lib, and a note in the data folder says so.
func (p *Postgres) place() error {
	p.data = filepath.Join(p.opts.DataDir, "postgres")
	p.account = pickAccount(p.data)
	if !p.account.canReach(p.opts.DataDir) {
		sum := sha256.Sum256([]byte(p.opts.DataDir))
		home := filepath.Join("/var/lib/millrace", hex.EncodeToString(sum[:6]))
		if err := os.MkdirAll(home, 0o755); err != nil {
			return &Error{
				Problem: fmt.Sprintf("PostgreSQL cannot run as root, and the account it runs as (uid %d) cannot reach %s", p.account.uid, p.opts.DataDir),
				Hint:    "choose a folder every account can pass through with --data, or run as a normal user", Err: err,
			}
		}
		p.data = filepath.Join(home, "postgres")
		p.account = pickAccount(p.data)
		p.opts.Progress(fmt.Sprintf("%s is closed to the account PostgreSQL runs as; its files are in %s", p.opts.DataDir, p.data))
		note := "The PostgreSQL files of this folder are in " + p.data + ":\nroot's folders are closed to the account PostgreSQL runs as.\n"
		if err := os.WriteFile(filepath.Join(p.opts.DataDir, "postgres-is-elsewhere.txt"), []byte(note), 0o644); err != nil {
			return err
		}
	}
	p.logFile = p.data + ".log"
	return nil
}

// existingMajor reads the version of the cluster, 0 when there is none yet.
func (p *Postgres) existingMajor() (int, error) {
	if major, err := readMajor(p.data); err == nil {
		return major, nil
	}
	entries, dirErr := os.ReadDir(p.data)
	if errors.Is(dirErr, os.ErrNotExist) || (dirErr == nil && len(entries) == 0) {
		return 0, nil
	}
	return 0, &Error{
		Problem: "the PostgreSQL data folder " + p.data + " is damaged: it has no readable PG_VERSION",
		Hint:    "restore it from a backup, or remove it to start afresh (its data is lost): rm -r " + p.data,
	}
}

func readMajor(cluster string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if err != nil {
		return 0, err
	}
	if major := parseMajor(string(raw)); major > 0 {
		return major, nil
	}
	return 0, fmt.Errorf("%s has no readable PG_VERSION", cluster)
}

// initialise makes the cluster in a staging folder and renames it into place,
// so that a kill in between leaves nothing half made.
func (p *Postgres) initialise(ctx context.Context) error {
	if free, err := freeSpace(filepath.Dir(p.data)); err == nil && free < neededSpace {
		return &Error{
			Problem: fmt.Sprintf("only %d MB are free for the data folder %s", free>>20, p.opts.DataDir),
			Hint:    fmt.Sprintf("free some space (%d MB are needed), or choose another folder with --data", neededSpace>>20),
		}
	}
	stage := p.data + ".new"
	if err := os.RemoveAll(stage); err != nil {
		return err
	}
	if err := os.MkdirAll(stage, 0o700); err != nil {
		return err
	}
	if err := p.account.own(stage); err != nil {
		return err
	}
	if p.opts.Seed != "" {
		if err := os.CopyFS(stage, os.DirFS(p.opts.Seed)); err != nil {
			return diagnose("cannot copy the prepared database", p.data, "", err)
		}
		if err := p.closeAndOwn(stage); err != nil {
			return err
		}
	} else if err := p.initdb(ctx, stage); err != nil {
		return err
	}
	return os.Rename(stage, p.data)
}

// closeAndOwn gives a copied cluster the modes and owner PostgreSQL insists on.
func (p *Postgres) closeAndOwn(dir string) error {
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	return p.account.own(dir)
}

func (p *Postgres) initdb(ctx context.Context, stage string) error {
	p.opts.Progress(fmt.Sprintf("preparing a new database with %s", p.programs))
	password := p.opts.Password
	if password == "" {
		password = newPassword()
	}
	if err := os.WriteFile(p.passwordFile(), []byte(password), 0o600); err != nil {
		return err
	}
	pwfile := stage + ".pw" // apart from the one kept: this one the account must read
	if err := os.WriteFile(pwfile, []byte(password), 0o600); err != nil {
		return err
	}
	defer os.Remove(pwfile) //nolint:errcheck // the folder keeps the same password anyway
	if err := p.account.own(pwfile); err != nil {
		return err
	}
	args := []string{
		"-D", stage, "-U", superuser, "--encoding=UTF8", "--pwfile=" + pwfile,
		// The password is random and stays on this machine; the newer scheme
		// would add milliseconds to every connection.
		"--auth=md5",
	}
	if p.programs.major >= 17 {
		// The same sorting and case rules on every machine, whatever locales it has.
		args = append(args, "--locale-provider=builtin", "--locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C", "--lc-messages=C")
	} else {
		args = append(args, "--locale=C.UTF-8")
	}
	if p.opts.Fast {
		args = append(args, "--no-sync")
	}
	out, err := p.run(ctx, "initdb", args...)
	if err != nil && p.programs.major < 17 && strings.Contains(out, "locale") {
		// Not every system has C.UTF-8.
		args[len(args)-1] = "--locale=C"
		if err := os.RemoveAll(stage); err != nil {
			return err
		}
		out, err = p.run(ctx, "initdb", args...)
	}
	if err != nil {
		return diagnose("cannot initialise the database", p.data, out, err)
	}
	return nil
}

// run runs one of the programs as the account and returns what it printed.
func (p *Postgres) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.programs.path(name), args...)
	cmd.Dir = "/"
	cmd.Env = environment()
	cmd.SysProcAttr = processAttributes(p.account)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	pr, err := startProcess(cmd)
	if err != nil {
		return "", err
	}
	<-pr.done
	if ctx.Err() != nil {
		return out.String(), ctx.Err()
	}
	return out.String(), pr.err
}

// environment is the little the programs need: settings of the user's shell
// (PGDATA, locales) must not change what they do.
func environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}

func (p *Postgres) passwordFile() string { return p.data + ".password" }

func (p *Postgres) readPassword() (string, error) {
	if p.opts.Seed != "" {
		return p.opts.Password, nil
	}
	raw, err := os.ReadFile(p.passwordFile())
	if err != nil {
		return "", &Error{
			Problem: "the password of the private PostgreSQL is missing", Err: err,
			Hint: "restore the file from a backup, or remove " + p.data + " to start afresh (its data is lost)",
		}
	}
	return strings.TrimSpace(string(raw)), nil
}

// stopOrphan ends a server that outlived the process that started it. The data
// folder's lock is held, so nobody else owns such a server.
func (p *Postgres) stopOrphan(ctx context.Context) error {
	pidFile := filepath.Join(p.data, "postmaster.pid")
	pid := readPID(pidFile)
	if pid == 0 {
		return nil
	}
	wait := func(sig syscall.Signal, patience time.Duration) bool {
		if !isPostmaster(pid, p.data) {
			return true
		}
		_ = syscall.Kill(pid, sig)
		return poll(ctx, patience, func() bool { return !isPostmaster(pid, p.data) })
	}
	if isPostmaster(pid, p.data) {
		p.opts.Progress(fmt.Sprintf("stopping the PostgreSQL an earlier run left behind (process %d)", pid))
	}
	if !wait(syscall.SIGINT, 10*time.Second) && !wait(syscall.SIGQUIT, 5*time.Second) && !wait(syscall.SIGKILL, 5*time.Second) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &Error{
			Problem: fmt.Sprintf("a PostgreSQL left behind by an earlier run (process %d) does not end", pid),
			Hint:    fmt.Sprintf("end it: kill -9 %d", pid),
		}
	}
	// The number may belong to a stranger by now, which would make the new
	// server refuse to start.
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func readPID(path string) int {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(first))
	return pid
}

// poll asks until the answer is yes, the patience is over or ctx ends.
func poll(ctx context.Context, patience time.Duration, yes func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
