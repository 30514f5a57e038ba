// Package postgres opens connection pools and holds what the stores in its
// subfolders share: the interface they need of a database, transactions, and
// the mapping of database errors to codes. Each store is a folder of its own.
//
// Pools are tiny, open their first connection when it is needed and keep no
// state in the session, so that thousands of function instances work through a
// transaction pooler. It does not create tables: that is package migrations.
//
// START HERE: Open, then any store's folder.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/millrace/millrace/shared/errs"
)

// Querier is what a single statement needs of a pool, connection or
// transaction.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// DB is a Querier that can begin transactions: a *pgxpool.Pool is one.
type DB interface {
	Querier
	Begin(ctx context.Context) (pgx.Tx, error)
}

var (
	_ DB      = (*pgxpool.Pool)(nil)
	_ Querier = (pgx.Tx)(nil)
)

// Options tunes Open. The zero value works.
type Options struct {
	// MaxConns bounds the pool; 0 means 3.
	MaxConns int32
	// Trace opens a span for every statement on the global tracer provider.
	Trace bool
	// Name is shown in the server's list of connections; "" means millrace.
	Name string
}

// Open returns a pool on an address (postgres://...). It does not connect: the first
// statement does. The pool suits a transaction pooler; Direct makes the URL of
// a server itself.
func Open(ctx context.Context, address string, opts *Options) (*pgxpool.Pool, error) {
	if opts == nil {
		opts = &Options{}
	}
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("postgres: the database URL: %w", err)
	}
	cfg.MaxConns = opts.MaxConns
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 3
	}
	cfg.MinConns = 0
	cfg.MaxConnIdleTime = 5 * time.Minute
	// Prepared statements live in a session, and behind a transaction pooler the
	// session changes with every transaction; descriptions can be kept here.
	// Who connects to the server itself says so in the URL.
	if !namesExecMode(address) {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC" // the contract's timestamps have no zone and mean UTC
	name := opts.Name
	if name == "" {
		name = "millrace"
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = name
	if opts.Trace {
		cfg.ConnConfig.Tracer = otelpgx.NewTracer()
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return pool, nil
}

const execModeParameter = "default_query_exec_mode"

// namesExecMode reports whether a URL chooses how statements are sent. URLs that
// cannot be read choose nothing.
func namesExecMode(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Query().Has(execModeParameter)
}

// Direct returns the URL of a server that is connected to without a pooler:
// statements are then prepared once for each connection. It keeps a URL that has
// made its own choice.
func Direct(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Query().Has(execModeParameter) {
		return address
	}
	q := u.Query()
	q.Set(execModeParameter, "cache_statement")
	u.RawQuery = q.Encode()
	return u.String()
}

// InTx runs fn in a transaction that commits when fn returns nil.
func InTx(ctx context.Context, db DB, fn func(tx pgx.Tx) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return Error(err, "")
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after a commit
	if err := fn(tx); err != nil {
		return err
	}
	return Error(tx.Commit(ctx), "")
}

// Error gives a database error its code. No row is NotFound with the message
// "<what> not found.", a violated unique key Conflict; anything else stays
// internal. Errors that have a code keep it.
func Error(err error, what string) error {
	if err == nil {
		return nil
	}
	var coded *errs.Error
	if errors.As(err, &coded) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		if what == "" {
			what = "Record"
		}
		return errs.New(errs.NotFound, what+" not found.")
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23505" {
		if what == "" {
			what = "Record"
		}
		return errs.Wrap(errs.Conflict, err, what+" already exists.")
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("postgres: %w", err)
}

// Affected turns a statement that touched no row into NotFound.
func Affected(tag pgconn.CommandTag, err error, what string) error {
	if err != nil {
		return Error(err, what)
	}
	if tag.RowsAffected() == 0 {
		return Error(pgx.ErrNoRows, what)
	}
	return nil
}

// Null returns nil for "", so that empty texts are stored as NULL.
func Null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Text returns what p points to, "" for nil.
func Text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
