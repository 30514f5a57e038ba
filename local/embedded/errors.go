package embedded

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Error is a failure a person at a terminal can do something about: what went
// wrong, and what to do.
type Error struct {
	// Problem says what went wrong, in one line.
	Problem string
	// Hint says what the reader can do about it.
	Hint string
	// Err is the cause, when there is one below.
	Err error
}

// Error renders problem, cause and hint.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Problem)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		b.WriteString("\n  what to do: " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const ownDatabaseHint = "set DATABASE_URL to a PostgreSQL 14+ server you run yourself"

// diagnose turns what PostgreSQL left in its log into advice. The log is the
// only place where the server says why it ended.
func diagnose(problem, dataDir, log string, cause error) error {
	tail := lastLines(log, 6)
	e := &Error{Problem: problem, Err: cause}
	low := strings.ToLower(log)
	switch {
	case errors.Is(cause, syscall.ENOSPC), strings.Contains(low, "no space left on device"):
		e.Problem = "no disk space left for PostgreSQL in " + dataDir
		e.Hint = "free some space (about 200 MB are needed), or choose another folder with --data"
	case strings.Contains(low, "address already in use"):
		e.Problem = "the port for PostgreSQL is in use"
		e.Hint = "end the program that uses it, or leave the port unset so that a free one is taken"
	case strings.Contains(low, "database files are incompatible"):
		e.Hint = "the folder was made by another PostgreSQL version: use that version, or remove " + dataDir + " to start afresh (its data is lost)"
	case brokenFolder(low):
		e.Problem = "the PostgreSQL data folder " + dataDir + " is damaged"
		e.Hint = "restore it from a backup, or remove it to start afresh (its data is lost): rm -r " + dataDir
	case strings.Contains(low, "could not create shared memory"), strings.Contains(low, "could not resize shared memory"):
		e.Hint = "the machine limits shared memory (see /dev/shm; containers take --shm-size), or " + ownDatabaseHint
	case strings.Contains(low, "permission denied"):
		e.Hint = "the account PostgreSQL runs as cannot use a file below " + dataDir + ": choose another folder with --data, or " + ownDatabaseHint
	default:
		e.Hint = ownDatabaseHint
	}
	if tail != "" {
		e.Problem += "\n  PostgreSQL says:\n    " + strings.ReplaceAll(tail, "\n", "\n    ")
		e.Err = nil
		if cause != nil {
			e.Err = cause
		}
	}
	return e
}

func brokenFolder(low string) bool {
	for _, sign := range []string{
		"invalid checkpoint record", "could not locate a valid checkpoint", "is not a valid data directory",
		"could not read file \"global/pg_control\"", "could not open file \"global/pg_control\"", "pg_filenode.map",
		"incorrect checksum in control file", "is missing or empty", "could not find the database system",
		"could not access directory", "could not access the server configuration file", "could not open control file",
		"invalid data in file", "invalid page in block", "could not load",
	} {
		if strings.Contains(low, sign) {
			return true
		}
	}
	return false
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
