// Package memapp keeps apps and workflows in memory, for tests and as the
// second implementation that the suite in app/apptest holds the Postgres one
// against.
package memapp

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
)

// Store is an app.Store in memory.
type Store struct {
	mu        sync.Mutex
	apps      []app.App
	sites     []app.Site
	configs   []app.ModelConfig
	tokens    []app.Token
	users     []app.EndUser
	workflows []app.Workflow
	numbers   map[string]int
	authors   map[string]app.Author
}

var _ app.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{numbers: map[string]int{}, authors: map[string]app.Author{}} }

// AddAuthor makes an account known.
func (s *Store) AddAuthor(a app.Author) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.authors[a.ID] = a
}

func missing(what string) error { return errs.New(errs.NotFound, what+" not found.") }

// CreateApp stores an app with what belongs to it.
func (s *Store) CreateApp(_ context.Context, a app.App, site app.Site, c *app.ModelConfig) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps, s.sites = append(s.apps, a), append(s.sites, site)
	if c != nil {
		s.configs = append(s.configs, *c)
	}
	return nil
}

func (s *Store) find(tenantID, id string) int {
	return slices.IndexFunc(s.apps, func(a app.App) bool {
		return a.TenantID == tenantID && a.ID == id && a.Status == app.StatusNormal
	})
}

// App returns an app.
func (s *Store) App(_ context.Context, tenantID, id string) (app.App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(tenantID, id); i >= 0 {
		return s.apps[i], nil
	}
	return app.App{}, missing("App")
}

// Apps lists apps.
func (s *Store) Apps(_ context.Context, tenantID string, f app.Filter) ([]app.App, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []app.App
	for _, a := range s.apps {
		if a.TenantID == tenantID && a.Status == app.StatusNormal && (f.Mode == "" || f.Mode == "all" || f.Mode == a.Mode) &&
			strings.Contains(strings.ToLower(a.Name), strings.ToLower(f.Name)) &&
			(len(f.Creators) == 0 || slices.Contains(f.Creators, a.CreatedBy)) && len(f.Tags) == 0 {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b app.App) int {
		switch f.Sort {
		case "recently_created":
			return b.CreatedAt.Compare(a.CreatedAt)
		case "earliest_created":
			return a.CreatedAt.Compare(b.CreatedAt)
		}
		return b.UpdatedAt.Compare(a.UpdatedAt)
	})
	from := min((f.Page-1)*f.Limit, len(out))
	return out[from:min(from+f.Limit, len(out))], len(out), nil
}

// UpdateApp stores an app's fields; the published version has its own way.
func (s *Store) UpdateApp(_ context.Context, a app.App) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(a.TenantID, a.ID)
	if i < 0 {
		return missing("App")
	}
	a.WorkflowID = s.apps[i].WorkflowID
	s.apps[i] = a
	return nil
}

// DeleteApp removes an app and its definition.
func (s *Store) DeleteApp(_ context.Context, tenantID, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(tenantID, id)
	if i < 0 {
		return missing("App")
	}
	s.apps = slices.Delete(s.apps, i, i+1)
	s.sites = slices.DeleteFunc(s.sites, func(x app.Site) bool { return x.AppID == id })
	s.configs = slices.DeleteFunc(s.configs, func(x app.ModelConfig) bool { return x.AppID == id })
	s.workflows = slices.DeleteFunc(s.workflows, func(x app.Workflow) bool { return x.AppID == id })
	return nil
}

// Tags returns no tags: nothing here makes any.
func (s *Store) Tags(context.Context, string, []string) (map[string][]app.Tag, error) {
	return map[string][]app.Tag{}, nil
}

// Authors returns accounts by id.
func (s *Store) Authors(_ context.Context, ids []string) (map[string]app.Author, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]app.Author{}
	for _, id := range ids {
		if a, ok := s.authors[id]; ok {
			out[id] = a
		}
	}
	return out, nil
}

// Site returns an app's site.
func (s *Store) Site(_ context.Context, tenantID, appID string) (app.Site, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sites {
		if x.AppID == appID && s.find(tenantID, appID) >= 0 {
			return x, nil
		}
	}
	return app.Site{}, missing("Site")
}

// SaveSite replaces an app's site.
func (s *Store) SaveSite(_ context.Context, tenantID string, site app.Site) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, x := range s.sites {
		if x.AppID == site.AppID && s.find(tenantID, x.AppID) >= 0 {
			s.sites[i] = site
			return nil
		}
	}
	return missing("Site")
}

// ModelConfig returns an app's current model config.
func (s *Store) ModelConfig(_ context.Context, tenantID, appID string) (app.ModelConfig, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.configs {
		if i := s.find(tenantID, appID); i >= 0 && c.ID == s.apps[i].ModelConfigID {
			return c, nil
		}
	}
	return app.ModelConfig{}, missing("Model config")
}

func of(t app.Token, tenantID, kind, appID string) bool {
	return t.TenantID == tenantID && t.Type == kind && t.AppID == appID
}

func (s *Store) list(tenantID, kind, appID string) (out []app.Token) {
	for _, t := range s.tokens {
		if of(t, tenantID, kind, appID) {
			out = append(out, t)
		}
	}
	return out
}

// Tokens lists keys.
func (s *Store) Tokens(_ context.Context, tenantID, kind, appID string) ([]app.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list(tenantID, kind, appID), nil
}

// AddToken stores a key.
func (s *Store) AddToken(_ context.Context, t app.Token, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.AppID != "" && s.find(t.TenantID, t.AppID) < 0 {
		return missing("App")
	}
	if len(s.list(t.TenantID, t.Type, t.AppID)) >= limit {
		return errs.Newf(errs.Conflict, "Cannot create more than %d API keys for this resource type", limit)
	}
	s.tokens = append(s.tokens, t)
	return nil
}

// DeleteToken removes a key.
func (s *Store) DeleteToken(_ context.Context, tenantID, kind, appID, id string) (app.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.tokens {
		if of(t, tenantID, kind, appID) && t.ID == id {
			s.tokens = slices.Delete(s.tokens, i, i+1)
			return t, nil
		}
	}
	return app.Token{}, missing("API key")
}

// Access returns what a key opens.
func (s *Store) Access(_ context.Context, kind, token string, now time.Time) (app.Access, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.tokens {
		if t.Token != token || t.Type != kind {
			continue
		}
		if now.Sub(t.LastUsedAt) > time.Minute {
			s.tokens[i].LastUsedAt = now
		}
		x := app.Access{TokenID: t.ID, TenantID: t.TenantID, TenantStatus: "normal", AppMissing: kind == app.TokenApp}
		if j := s.find(t.TenantID, t.AppID); j >= 0 {
			x.App, x.AppMissing = s.apps[j], false
		}
		return x, nil
	}
	return app.Access{}, missing("Access token")
}

// SiteAccess returns what a site's code opens.
func (s *Store) SiteAccess(_ context.Context, appID, code string) (app.SiteAccess, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var x app.SiteAccess
	at := slices.IndexFunc(s.sites, func(site app.Site) bool { return site.Code == code && (appID == "" || site.AppID == appID) })
	if at >= 0 {
		x.Site, appID = s.sites[at], s.sites[at].AppID
	}
	x.SiteMissing = at < 0
	i := slices.IndexFunc(s.apps, func(a app.App) bool { return a.ID == appID && a.Status == app.StatusNormal })
	if i < 0 {
		return app.SiteAccess{}, missing("App")
	}
	x.App, x.TenantStatus = s.apps[i], "normal"
	return x, nil
}

// EndUser returns or makes an end user.
func (s *Store) EndUser(_ context.Context, u app.EndUser) (app.EndUser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.users {
		if x.TenantID == u.TenantID && x.AppID == u.AppID && x.Type == u.Type && x.SessionID == u.SessionID {
			return x, nil
		}
	}
	if s.find(u.TenantID, u.AppID) < 0 {
		return app.EndUser{}, missing("App")
	}
	s.users = append(s.users, u)
	return u, nil
}

// EndUserByID returns an end user of an app.
func (s *Store) EndUserByID(_ context.Context, tenantID, appID, id string) (app.EndUser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		if u.TenantID == tenantID && u.AppID == appID && u.ID == id {
			return u, nil
		}
	}
	return app.EndUser{}, missing("End user")
}
