// Package memhistory is a history.Store in memory: for tests and as the second
// implementation behind the suite in run/history/historytest.
package memhistory

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run/history"
)

type key struct{ tenantID, appID string }

// Store keeps what it was given until the process ends. It is safe for
// concurrent use.
type Store struct {
	mu    sync.Mutex
	runs  map[key][]history.Run
	logs  map[key][]history.Log
	nodes map[string][]history.NodeExecution // by run
}

var _ history.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{runs: map[key][]history.Run{}, logs: map[key][]history.Log{}, nodes: map[string][]history.NodeExecution{}}
}

// AddRun puts a run with its node executions in; a log that is not nil makes it
// part of the app's log.
func (s *Store) AddRun(tenantID string, r history.Run, log *history.Log, nodes ...history.NodeExecution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{tenantID, r.AppID}
	s.runs[k] = append(s.runs[k], r)
	s.nodes[r.ID] = append(s.nodes[r.ID], nodes...)
	if log != nil {
		l := *log
		l.Run = r
		s.logs[k] = append(s.logs[k], l)
	}
}

// Run returns one run.
func (s *Store) Run(_ context.Context, tenantID, appID, runID string) (history.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs[key{tenantID, appID}] {
		if r.ID == runID {
			return r, nil
		}
	}
	return history.Run{}, errs.New(errs.NotFound, "")
}

func newestRun(a, b history.Run) int {
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(b.ID, a.ID)
}

// Runs returns a page of runs, newest first.
func (s *Store) Runs(_ context.Context, tenantID, appID string, q history.RunQuery) ([]history.Run, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.runs[key{tenantID, appID}])
	slices.SortFunc(all, newestRun)
	if q.LastID != "" {
		at := slices.IndexFunc(all, func(r history.Run) bool { return r.ID == q.LastID })
		if at < 0 {
			return nil, false, errs.New(errs.NotFound, "")
		}
		all = all[at+1:]
	}
	var out []history.Run
	for _, r := range all {
		if slices.Contains(q.TriggeredFrom, r.TriggeredFrom) && (q.Status == "" || r.Status == q.Status) {
			out = append(out, r)
		}
	}
	if len(out) > q.Limit {
		return out[:q.Limit], true, nil
	}
	return out, false, nil
}

// Logs returns a page of an app's log, newest first.
func (s *Store) Logs(_ context.Context, tenantID, appID string, q history.LogQuery) ([]history.Log, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []history.Log
	for _, l := range s.logs[key{tenantID, appID}] {
		if matches(l, q) {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b history.Log) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	from := min((q.Page-1)*q.Limit, len(out))
	return out[from:min(from+q.Limit, len(out))], len(out), nil
}

func matches(l history.Log, q history.LogQuery) bool {
	session, email := "", ""
	if u := l.CreatedBy.EndUser; u != nil {
		session = u.SessionID
	}
	if a := l.CreatedBy.Account; a != nil {
		email = a.Email
	}
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(q.Keyword)) }
	return (q.Status == "" || l.Run.Status == q.Status) &&
		(q.Keyword == "" || has(string(l.Run.Inputs)) || has(string(l.Run.Outputs)) || has(session) || l.Run.ID == q.Keyword) &&
		(q.Before == nil || !l.CreatedAt.After(*q.Before)) && (q.After == nil || !l.CreatedAt.Before(*q.After)) &&
		(q.SessionID == "" || session == q.SessionID) && (q.Account == "" || email == q.Account)
}

// NodeExecutions returns a run's executions in the order they started.
func (s *Store) NodeExecutions(ctx context.Context, tenantID, appID, runID string) ([]history.NodeExecution, error) {
	if _, err := s.Run(ctx, tenantID, appID, runID); err != nil {
		return nil, nil //nolint:nilerr // a run of somebody else has no executions here
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.nodes[runID])
	slices.SortFunc(out, func(a, b history.NodeExecution) int { return a.Index - b.Index })
	return out, nil
}

// NodeExecution returns one execution.
func (s *Store) NodeExecution(_ context.Context, tenantID, appID, id string) (history.NodeExecution, error) {
	return s.lastNode(tenantID, appID, func(n history.NodeExecution) bool { return n.ID == id })
}

// LastNodeExecution returns the latest execution of a node in one version.
func (s *Store) LastNodeExecution(_ context.Context, tenantID, appID, workflowID, nodeID string) (history.NodeExecution, error) {
	return s.lastNode(tenantID, appID, func(n history.NodeExecution) bool { return n.WorkflowID == workflowID && n.NodeID == nodeID })
}

func (s *Store) lastNode(tenantID, appID string, match func(history.NodeExecution) bool) (history.NodeExecution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []history.NodeExecution
	for _, r := range s.runs[key{tenantID, appID}] {
		for _, n := range s.nodes[r.ID] {
			n.WorkflowID = r.WorkflowID
			if match(n) {
				found = append(found, n)
			}
		}
	}
	if len(found) == 0 {
		return history.NodeExecution{}, errs.New(errs.NotFound, "")
	}
	return slices.MaxFunc(found, func(a, b history.NodeExecution) int { return a.CreatedAt.Compare(b.CreatedAt) }), nil
}

// CountRuns counts runs by status.
func (s *Store) CountRuns(_ context.Context, tenantID, appID string, q history.CountQuery) (map[string]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int{}
	for _, r := range s.runs[key{tenantID, appID}] {
		if (q.TriggeredFrom == "" || r.TriggeredFrom == q.TriggeredFrom) && (q.Status == "" || r.Status == q.Status) &&
			(q.Since == nil || !r.CreatedAt.Before(*q.Since)) {
			out[r.Status]++
		}
	}
	return out, nil
}
