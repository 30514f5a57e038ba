// Package migrations holds the database schema as numbered files and brings a
// database up to date. The contract's tables are in 00001_contract.sql; what
// Millrace adds beside them follows in later files. All of them add what is
// missing and change nothing that is there, so an existing database of the
// contract's release can be attached by running them.
//
// It runs from the migrate function and the local command, never at the start
// of a serving function. It needs a connection to the server itself: the lock
// that keeps two runs apart does not survive a transaction pooler.
//
// START HERE: Run. A new migration is a new file NNNNN_name.sql with a
// "-- +goose Up" line; every statement must be safe to run twice.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/millrace/millrace/shared/pgqueue"
)

//go:embed *.sql
var files embed.FS

// versionTable lies beside the contract's own record of its version.
const versionTable = "millrace_migrations"

// ContractVersion is the contract's own mark of the release whose tables these
// are.
const ContractVersion = "56124e050600"

// ErrOtherRelease is returned for a database that another release of the
// contract left behind: its tables have other columns.
var ErrOtherRelease = errors.New("the database belongs to another release than 1.16; " +
	"bring it to 1.16 with the server that made it, then attach it")

// Step is the state of a run, told before each migration and once at the end.
type Step struct {
	// Name of the migration that starts; "" at the end.
	Name string
	// Done of Total migrations that were missing are applied.
	Done, Total int
}

// Options tunes Run. The zero value works.
type Options struct {
	// Progress is told of every step; nil tells nobody.
	Progress func(Step)
}

// Run applies what is missing to the database at dsn (a postgres:// URL). Two
// runs at once wait for each other.
func Run(ctx context.Context, dsn string, opts *Options) (err error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("migrate: the database URL: %w", err)
	}
	// Tables appear between statements, so nothing may be prepared in advance.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	return RunDB(ctx, db, opts)
}

// RunDB is Run on a database/sql handle of the pgx driver. It needs two
// connections.
func RunDB(ctx context.Context, db *sql.DB, opts *Options) error {
	if opts == nil {
		opts = &Options{}
	}
	if err := checkRelease(ctx, db); err != nil {
		return err
	}
	p, err := provider(db)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	total, err := missing(ctx, p)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	tell := opts.Progress
	if tell == nil {
		tell = func(Step) {}
	}
	for done := 0; ; done++ {
		// Another process may have applied some meanwhile: what is next is asked
		// before each step and goose decides under its lock.
		left, err := missing(ctx, p)
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		if len(left) == 0 {
			tell(Step{Done: len(total), Total: len(total)})
			return nil
		}
		tell(Step{Name: left[0], Done: done, Total: len(total)})
		if _, err := p.UpByOne(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
			return fmt.Errorf("migrate: %s: %w", left[0], err)
		}
	}
}

// Missing names the migrations that the database at dsn lacks.
func Missing(ctx context.Context, dsn string) (names []string, err error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("migrate: the database URL: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := provider(db)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return missing(ctx, p)
}

func provider(db *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return nil, err
	}
	queue := goose.NewGoMigration(3, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, pgqueue.Schema)
		return err
	}}, nil)
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSessionLocker(locker),
		goose.WithAllowOutofOrder(true),
		goose.WithGoMigrations(queue))
}

func missing(ctx context.Context, p *goose.Provider) ([]string, error) {
	status, err := p.Status(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range status {
		if s.State == goose.StatePending {
			name := s.Source.Path
			if name == "" {
				name = fmt.Sprintf("%05d", s.Source.Version)
			}
			out = append(out, name)
		}
	}
	return out, nil
}

func checkRelease(ctx context.Context, db *sql.DB) error {
	var marked bool
	err := db.QueryRowContext(ctx, `SELECT to_regclass('alembic_version') IS NOT NULL`).Scan(&marked)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if !marked {
		return nil
	}
	var version string
	switch err := db.QueryRowContext(ctx, `SELECT version_num FROM alembic_version LIMIT 1`).Scan(&version); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("migrate: %w", err)
	case version != ContractVersion:
		return fmt.Errorf("migrate: schema version %s: %w", version, ErrOtherRelease)
	}
	return nil
}
