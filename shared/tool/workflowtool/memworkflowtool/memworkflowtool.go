// Package memworkflowtool keeps published tools in memory, for tests.
package memworkflowtool

import (
	"context"
	"slices"
	"sync"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/workflowtool"
)

// Store is a workflowtool.Store. The zero value is empty.
type Store struct {
	mu       sync.Mutex
	tools    []workflowtool.Published
	versions []version
}

type version struct{ tenantID, appID, name, id string }

var _ workflowtool.Store = (*Store)(nil)

// AddVersion makes an app's version known; later ones are newer.
func (s *Store) AddVersion(tenantID, appID, name, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions = append(s.versions, version{tenantID, appID, name, id})
}

// Add implements workflowtool.Store.
func (s *Store) Add(_ context.Context, p workflowtool.Published) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken(p) {
		return errs.New(errs.Conflict, "Tool already exists.")
	}
	s.tools = append(s.tools, p)
	return nil
}

func (s *Store) taken(p workflowtool.Published) bool {
	return slices.ContainsFunc(s.tools, func(x workflowtool.Published) bool {
		return x.TenantID == p.TenantID && x.ID != p.ID && (x.Name == p.Name || x.AppID == p.AppID)
	})
}

func (s *Store) at(match func(workflowtool.Published) bool) (int, error) {
	i := slices.IndexFunc(s.tools, match)
	if i < 0 {
		return 0, errs.New(errs.NotFound, "Tool not found.")
	}
	return i, nil
}

func (s *Store) find(match func(workflowtool.Published) bool) (workflowtool.Published, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.at(match)
	if err != nil {
		return workflowtool.Published{}, err
	}
	return s.tools[i], nil
}

// Update implements workflowtool.Store.
func (s *Store) Update(_ context.Context, p workflowtool.Published) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.at(func(x workflowtool.Published) bool { return x.TenantID == p.TenantID && x.ID == p.ID })
	if err != nil {
		return err
	}
	if s.taken(p) {
		return errs.New(errs.Conflict, "Tool already exists.")
	}
	s.tools[i] = p
	return nil
}

// Delete implements workflowtool.Store.
func (s *Store) Delete(_ context.Context, tenantID, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.at(func(x workflowtool.Published) bool { return x.TenantID == tenantID && x.ID == id })
	if err == nil {
		s.tools = slices.Delete(s.tools, i, i+1)
	}
	return err
}

// Tool implements workflowtool.Store.
func (s *Store) Tool(_ context.Context, tenantID, id string) (workflowtool.Published, error) {
	return s.find(func(x workflowtool.Published) bool { return x.TenantID == tenantID && x.ID == id })
}

// OfApp implements workflowtool.Store.
func (s *Store) OfApp(_ context.Context, tenantID, appID string) (workflowtool.Published, error) {
	return s.find(func(x workflowtool.Published) bool { return x.TenantID == tenantID && x.AppID == appID })
}

// Named implements workflowtool.Store.
func (s *Store) Named(_ context.Context, tenantID, name string) (workflowtool.Published, error) {
	return s.find(func(x workflowtool.Published) bool { return x.TenantID == tenantID && x.Name == name })
}

// Tools implements workflowtool.Store.
func (s *Store) Tools(_ context.Context, tenantID string) ([]workflowtool.Published, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []workflowtool.Published
	for _, p := range s.tools {
		if p.TenantID == tenantID {
			out = append(out, p)
		}
	}
	return out, nil
}

// Version implements workflowtool.Store.
func (s *Store) Version(_ context.Context, tenantID, appID, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range slices.Backward(s.versions) {
		if v.tenantID == tenantID && v.appID == appID && (name == "" || v.name == name) {
			return v.id, nil
		}
	}
	return "", errs.New(errs.NotFound, "Workflow not found.")
}
