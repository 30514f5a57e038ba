// Package memdebug is a debug.Store in memory, and values that lie outside of
// rows: for tests, and as the second implementation behind debug/debugtest.
package memdebug

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/millrace/millrace/shared/debug"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// Store keeps variables until the process ends. It is safe for concurrent use.
// Only apps that AddApp has named are there.
type Store struct {
	mu         sync.Mutex
	apps       map[[2]string]bool
	variables  map[debug.Scope][]debug.Variable // oldest first
	executions map[[2]string]map[string]debug.Execution
}

var _ debug.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		apps: map[[2]string]bool{}, variables: map[debug.Scope][]debug.Variable{}, executions: map[[2]string]map[string]debug.Execution{},
	}
}

// AddApp makes an app of a tenant known.
func (s *Store) AddApp(tenantID, appID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[[2]string{tenantID, appID}] = true
}

func notFound() error { return errs.New(errs.NotFound, "") }

func (s *Store) check(sc debug.Scope) error {
	if !s.apps[[2]string{sc.TenantID, sc.AppID}] {
		return notFound()
	}
	return nil
}

func same(node, name string) func(debug.Variable) bool {
	return func(v debug.Variable) bool { return v.NodeID == node && v.Name == name }
}

// Save puts variables in the place of those with the same name.
func (s *Store) Save(_ context.Context, sc debug.Scope, list []debug.Variable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(sc); err != nil {
		return err
	}
	for _, v := range list {
		if i := slices.IndexFunc(s.variables[sc], same(v.NodeID, v.Name)); i >= 0 {
			old := s.variables[sc][i]
			v.ID, v.CreatedAt, v.Description = old.ID, old.CreatedAt, old.Description
			s.variables[sc][i] = v
			continue
		}
		s.variables[sc] = append(s.variables[sc], v)
	}
	return nil
}

// Prefill adds variables that are not there yet.
func (s *Store) Prefill(_ context.Context, sc debug.Scope, list []debug.Variable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(sc); err != nil {
		return err
	}
	for _, v := range list {
		if !slices.ContainsFunc(s.variables[sc], same(v.NodeID, v.Name)) {
			s.variables[sc] = append(s.variables[sc], v)
		}
	}
	return nil
}

// Variables lists those of a node, or all.
func (s *Store) Variables(_ context.Context, sc debug.Scope, nodeID string) ([]debug.Variable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []debug.Variable
	for _, v := range s.variables[sc] {
		if nodeID == "" || v.NodeID == nodeID {
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, newest)
	return out, nil
}

func newest(a, b debug.Variable) int {
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	if a.ID < b.ID {
		return -1
	}
	return 1
}

// Page lists variables without values.
func (s *Store) Page(ctx context.Context, sc debug.Scope, offset, limit int) ([]debug.Variable, int, error) {
	all, err := s.Variables(ctx, sc, "")
	from := min(offset, len(all))
	list := slices.Clone(all[from:min(from+limit, len(all))])
	for i := range list {
		list[i].Value = nil
	}
	return list, len(all), err
}

func (s *Store) one(sc debug.Scope, match func(debug.Variable) bool) (int, error) {
	if i := slices.IndexFunc(s.variables[sc], match); i >= 0 {
		return i, nil
	}
	return 0, notFound()
}

func withID(id string) func(debug.Variable) bool {
	return func(v debug.Variable) bool { return v.ID == id }
}

// Variable returns one.
func (s *Store) Variable(_ context.Context, sc debug.Scope, id string) (debug.Variable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.one(sc, withID(id))
	if err != nil {
		return debug.Variable{}, err
	}
	return s.variables[sc][i], nil
}

// Find returns the one with that name.
func (s *Store) Find(_ context.Context, sc debug.Scope, nodeID, name string) (debug.Variable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.one(sc, same(nodeID, name))
	if err != nil {
		return debug.Variable{}, err
	}
	return s.variables[sc][i], nil
}

// Update changes one.
func (s *Store) Update(_ context.Context, sc debug.Scope, v debug.Variable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.one(sc, withID(v.ID))
	if err != nil {
		return err
	}
	if k := slices.IndexFunc(s.variables[sc], same(v.NodeID, v.Name)); k >= 0 && k != i {
		return errs.New(errs.Conflict, "")
	}
	s.variables[sc][i] = v
	return nil
}

// Delete removes one.
func (s *Store) Delete(_ context.Context, sc debug.Scope, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.one(sc, withID(id))
	if err != nil {
		return err
	}
	s.variables[sc] = slices.Delete(s.variables[sc], i, i+1)
	return nil
}

// DeleteAll removes those of a node, or all.
func (s *Store) DeleteAll(_ context.Context, sc debug.Scope, nodeID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.variables[sc] = slices.DeleteFunc(s.variables[sc], func(v debug.Variable) bool { return nodeID == "" || v.NodeID == nodeID })
	return nil
}

// AddExecution keeps an execution.
func (s *Store) AddExecution(_ context.Context, sc debug.Scope, e debug.Execution) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(sc); err != nil {
		return err
	}
	k := [2]string{sc.TenantID, sc.AppID}
	if s.executions[k] == nil {
		s.executions[k] = map[string]debug.Execution{}
	}
	s.executions[k][e.ID] = e
	return nil
}

// Execution returns an execution that was added.
func (s *Store) Execution(tenantID, appID, id string) (debug.Execution, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.executions[[2]string{tenantID, appID}][id]
	return e, ok
}

// Outputs returns the outputs of an execution.
func (s *Store) Outputs(_ context.Context, sc debug.Scope, executionID string) (json.RawMessage, error) {
	e, ok := s.Execution(sc.TenantID, sc.AppID, executionID)
	if !ok {
		return nil, notFound()
	}
	if e.Outputs == nil {
		return json.RawMessage("{}"), nil
	}
	return json.RawMessage(*e.Outputs), nil
}

// Blobs keeps large values until the process ends.
type Blobs struct {
	mu   sync.Mutex
	data map[[2]string][]byte
}

var _ debug.Blobs = (*Blobs)(nil)

// NewBlobs returns an empty one.
func NewBlobs() *Blobs { return &Blobs{data: map[[2]string][]byte{}} }

// Put keeps data.
func (b *Blobs) Put(_ context.Context, tenantID, _ string, data []byte) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := ids.New()
	b.data[[2]string{tenantID, id}] = slices.Clone(data)
	return id, nil
}

// Get returns what was put.
func (b *Blobs) Get(_ context.Context, tenantID, id string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok := b.data[[2]string{tenantID, id}]
	if !ok {
		return nil, notFound()
	}
	return data, nil
}

// URL is a name for the data.
func (b *Blobs) URL(id string) string { return "mem:" + id }
