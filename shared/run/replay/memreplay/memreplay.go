// Package memreplay keeps origins and batches in memory, for tests.
package memreplay

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/run/replay"
)

// Store is a replay.Store.
type Store struct {
	mu      sync.Mutex
	origins map[string]replay.Origin
	batches map[string]replay.Batch
}

var _ replay.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{origins: map[string]replay.Origin{}, batches: map[string]replay.Batch{}}
}

// Link implements replay.Store.
func (s *Store) Link(_ context.Context, o replay.Origin) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link(o)
	return nil
}

func (s *Store) link(o replay.Origin) {
	if _, ok := s.origins[o.RunID]; !ok {
		s.origins[o.RunID] = o
	}
}

// Origin implements replay.Store.
func (s *Store) Origin(_ context.Context, tenantID, runID string) (replay.Origin, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.origins[runID]
	if !ok || o.TenantID != tenantID {
		return replay.Origin{}, errs.New(errs.NotFound, "")
	}
	return o, nil
}

// Replays implements replay.Store.
func (s *Store) Replays(_ context.Context, tenantID, originID string, limit int) ([]replay.Origin, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []replay.Origin
	for _, o := range s.origins {
		if o.TenantID == tenantID && o.OriginID == originID {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b replay.Origin) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.RunID, a.RunID))
	})
	return out[:min(limit, len(out))], nil
}

// CreateBatch implements replay.Store.
func (s *Store) CreateBatch(_ context.Context, b replay.Batch, list []replay.Origin) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches[b.ID] = b
	for _, o := range list {
		s.link(o)
	}
	return nil
}

// Batch implements replay.Store.
func (s *Store) Batch(_ context.Context, tenantID, appID, id string) (replay.Batch, []replay.Origin, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.batches[id]
	if !ok || b.TenantID != tenantID || b.AppID != appID {
		return replay.Batch{}, nil, errs.New(errs.NotFound, "")
	}
	var out []replay.Origin
	for _, o := range s.origins {
		if o.BatchID == id {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b replay.Origin) int { return cmp.Compare(a.Position, b.Position) })
	return b, out, nil
}

// Batches implements replay.Store.
func (s *Store) Batches(_ context.Context, tenantID, appID string, limit int) ([]replay.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []replay.Batch
	for _, b := range s.batches {
		if b.TenantID == tenantID && b.AppID == appID {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b replay.Batch) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID)) })
	return out[:min(limit, len(out))], nil
}

// Refuse implements replay.Store.
func (s *Store) Refuse(_ context.Context, tenantID, runID, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.origins[runID]
	if !ok || o.TenantID != tenantID || o.BatchID == "" {
		return errs.New(errs.NotFound, "")
	}
	o.Refused = reason
	s.origins[runID] = o
	return nil
}
