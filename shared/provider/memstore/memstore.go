// Package memstore keeps the rows of package provider in memory, for tests and
// as the second implementation that the suite in provider/providertest holds
// the Postgres one against.
package memstore

import (
	"context"
	"slices"
	"sync"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/provider"
)

// Store is a provider.Store in memory.
type Store struct {
	mu       sync.Mutex
	models   []provider.CustomModel
	creds    []provider.ModelCredential
	settings []provider.ModelSetting
	defaults []provider.DefaultModel
}

var _ provider.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{} }

func notFound(what string) error { return errs.New(errs.NotFound, what+" not found.") }

// fill joins a model with its credentials and settings.
func (s *Store) fill(m provider.CustomModel) provider.CustomModel {
	m.Enabled = true
	for _, set := range s.settings {
		if set.TenantID == m.TenantID && set.Provider == m.Provider && set.ModelRef == m.ModelRef {
			m.Enabled, m.LoadBalancing = set.Enabled, set.LoadBalancing
		}
	}
	for _, c := range s.creds {
		if c.TenantID == m.TenantID && c.ID == m.CredentialID {
			m.CredentialName, m.Config = c.Name, c.Config
		}
	}
	return m
}

// CustomModels lists the workspace's models.
func (s *Store) CustomModels(_ context.Context, tenantID string) ([]provider.CustomModel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []provider.CustomModel
	for _, m := range s.models {
		if m.TenantID == tenantID {
			out = append(out, s.fill(m))
		}
	}
	return out, nil
}

func (s *Store) find(tenantID, prov string, ref provider.ModelRef) int {
	return slices.IndexFunc(s.models, func(m provider.CustomModel) bool {
		return m.TenantID == tenantID && m.Provider == prov && m.ModelRef == ref
	})
}

// CustomModel returns one model.
func (s *Store) CustomModel(_ context.Context, tenantID, prov string, ref provider.ModelRef) (provider.CustomModel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(tenantID, prov, ref)
	if i < 0 {
		return provider.CustomModel{}, notFound("Model")
	}
	return s.fill(s.models[i]), nil
}

// DeleteCustomModel takes a model out.
func (s *Store) DeleteCustomModel(_ context.Context, tenantID, prov string, ref provider.ModelRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(tenantID, prov, ref)
	if i < 0 {
		return notFound("Model")
	}
	s.drop(i)
	return nil
}

func (s *Store) drop(i int) {
	gone := s.models[i]
	s.models = slices.Delete(s.models, i, i+1)
	s.settings = slices.DeleteFunc(s.settings, func(x provider.ModelSetting) bool {
		return x.TenantID == gone.TenantID && x.Provider == gone.Provider && x.ModelRef == gone.ModelRef
	})
}

func (s *Store) credential(tenantID, prov string, ref provider.ModelRef, id string) int {
	return slices.IndexFunc(s.creds, func(c provider.ModelCredential) bool {
		return c.TenantID == tenantID && c.Provider == prov && c.ModelRef == ref && c.ID == id
	})
}

// UseCredential makes a model use a credential.
func (s *Store) UseCredential(_ context.Context, tenantID, prov string, ref provider.ModelRef, credentialID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.credential(tenantID, prov, ref, credentialID)
	if c < 0 {
		return notFound("Credential")
	}
	s.use(s.creds[c])
	return nil
}

func (s *Store) use(c provider.ModelCredential) {
	if i := s.find(c.TenantID, c.Provider, c.ModelRef); i >= 0 {
		s.models[i].CredentialID, s.models[i].Valid = c.ID, true
		return
	}
	s.models = append(s.models, provider.CustomModel{ID: ids.Random(), TenantID: c.TenantID, Provider: c.Provider,
		ModelRef: c.ModelRef, Valid: true, CredentialID: c.ID, CreatedAt: c.CreatedAt})
}

// ModelCredentials lists credentials.
func (s *Store) ModelCredentials(_ context.Context, tenantID, prov string, ref *provider.ModelRef) ([]provider.ModelCredential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []provider.ModelCredential
	for _, c := range s.creds {
		if c.TenantID == tenantID && c.Provider == prov && (ref == nil || c.ModelRef == *ref) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (s *Store) nameTaken(c provider.ModelCredential) bool {
	return slices.ContainsFunc(s.creds, func(x provider.ModelCredential) bool {
		return x.TenantID == c.TenantID && x.Provider == c.Provider && x.ModelRef == c.ModelRef && x.Name == c.Name && x.ID != c.ID
	})
}

// AddModelCredential stores a new credential.
func (s *Store) AddModelCredential(_ context.Context, c provider.ModelCredential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nameTaken(c) {
		return errs.New(errs.Conflict, "A credential with this name exists.")
	}
	s.creds = append(s.creds, c)
	if s.find(c.TenantID, c.Provider, c.ModelRef) < 0 {
		s.use(c)
	}
	return nil
}

// UpdateModelCredential replaces name and config.
func (s *Store) UpdateModelCredential(_ context.Context, c provider.ModelCredential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.credential(c.TenantID, c.Provider, c.ModelRef, c.ID)
	if i < 0 {
		return notFound("Credential")
	}
	if s.nameTaken(c) {
		return errs.New(errs.Conflict, "A credential with this name exists.")
	}
	s.creds[i].Name, s.creds[i].Config, s.creds[i].UpdatedAt = c.Name, c.Config, c.UpdatedAt
	return nil
}

// RemoveModelCredential deletes a credential.
func (s *Store) RemoveModelCredential(_ context.Context, tenantID, prov string, ref provider.ModelRef, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.credential(tenantID, prov, ref, id)
	if i < 0 {
		return notFound("Credential")
	}
	s.creds = slices.Delete(s.creds, i, i+1)
	m := s.find(tenantID, prov, ref)
	if m < 0 || s.models[m].CredentialID != id {
		return nil
	}
	s.models[m].CredentialID = ""
	left := slices.ContainsFunc(s.creds, func(c provider.ModelCredential) bool {
		return c.TenantID == tenantID && c.Provider == prov && c.ModelRef == ref
	})
	if !left {
		s.drop(m)
	}
	return nil
}

// SaveModelSetting inserts or replaces settings.
func (s *Store) SaveModelSetting(_ context.Context, set provider.ModelSetting) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, x := range s.settings {
		if x.TenantID == set.TenantID && x.Provider == set.Provider && x.ModelRef == set.ModelRef {
			s.settings[i] = set
			return nil
		}
	}
	s.settings = append(s.settings, set)
	return nil
}

// DefaultModels lists the defaults.
func (s *Store) DefaultModels(_ context.Context, tenantID string) ([]provider.DefaultModel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []provider.DefaultModel
	for _, d := range s.defaults {
		if d.TenantID == tenantID {
			out = append(out, d)
		}
	}
	return out, nil
}

// SaveDefaultModels inserts or replaces defaults.
func (s *Store) SaveDefaultModels(_ context.Context, tenantID string, models []provider.DefaultModel) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range models {
		d.TenantID = tenantID
		s.defaults = slices.DeleteFunc(s.defaults, func(x provider.DefaultModel) bool {
			return x.TenantID == tenantID && x.Type == d.Type
		})
		s.defaults = append(s.defaults, d)
	}
	return nil
}
