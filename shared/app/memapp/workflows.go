package memapp

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/app"
)

func (s *Store) draft(tenantID, appID string) int {
	return slices.IndexFunc(s.workflows, func(w app.Workflow) bool {
		return w.TenantID == tenantID && w.AppID == appID && w.Version == app.VersionDraft
	})
}

func (s *Store) workflow(tenantID, appID, id string) int {
	return slices.IndexFunc(s.workflows, func(w app.Workflow) bool {
		return w.TenantID == tenantID && (appID == "" || w.AppID == appID) && w.ID == id
	})
}

// Draft returns an app's draft.
func (s *Store) Draft(_ context.Context, tenantID, appID string) (app.Workflow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.draft(tenantID, appID); i >= 0 {
		return s.workflows[i], nil
	}
	return app.Workflow{}, missing("Draft workflow")
}

// ChangeDraft changes an app's draft.
func (s *Store) ChangeDraft(_ context.Context, tenantID, appID string, change func(*app.Workflow) (*app.Workflow, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(tenantID, appID) < 0 {
		return missing("App")
	}
	i := s.draft(tenantID, appID)
	var have *app.Workflow
	if i >= 0 {
		w := s.workflows[i]
		have = &w
	}
	next, err := change(have)
	if err != nil || next == nil {
		return err
	}
	if i >= 0 {
		s.workflows[i] = *next
	} else {
		s.workflows = append(s.workflows, *next)
	}
	return nil
}

// Publish stores a version and makes it the current one.
func (s *Store) Publish(_ context.Context, w app.Workflow) (app.Workflow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(w.TenantID, w.AppID)
	if i < 0 {
		return w, missing("App")
	}
	s.numbers[w.AppID]++
	n := s.numbers[w.AppID]
	w.Number = &n
	s.apps[i].WorkflowID, s.apps[i].UpdatedBy, s.apps[i].UpdatedAt = w.ID, w.CreatedBy, w.CreatedAt
	s.workflows = append(s.workflows, w)
	return w, nil
}

// Workflow returns a draft or version.
func (s *Store) Workflow(_ context.Context, tenantID, appID, id string) (app.Workflow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.workflow(tenantID, appID, id); i >= 0 {
		return s.workflows[i], nil
	}
	return app.Workflow{}, missing("Workflow")
}

// Workflows lists versions.
func (s *Store) Workflows(_ context.Context, tenantID, appID string, f app.VersionFilter) ([]app.Workflow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []app.Workflow
	for _, w := range s.workflows {
		if w.TenantID == tenantID && w.AppID == appID && (!f.NamedOnly || w.Name != "") && (f.CreatedBy == "" || f.CreatedBy == w.CreatedBy) {
			out = append(out, w)
		}
	}
	// "draft" sorts after every time, as it should when the newest goes first.
	slices.SortStableFunc(out, func(a, b app.Workflow) int { return strings.Compare(b.Version, a.Version) })
	from := min((f.Page-1)*f.Limit, len(out))
	return out[from:min(from+f.Limit+1, len(out))], nil
}

// MarkWorkflow changes name and comment.
func (s *Store) MarkWorkflow(_ context.Context, tenantID, appID, id string, name, comment *string, by string, at time.Time) (app.Workflow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.workflow(tenantID, appID, id)
	if i < 0 {
		return app.Workflow{}, missing("Workflow")
	}
	w := &s.workflows[i]
	if name != nil {
		w.Name = *name
	}
	if comment != nil {
		w.Comment = *comment
	}
	w.UpdatedBy, w.UpdatedAt = by, at
	return *w, nil
}

// DeleteWorkflow removes a version.
func (s *Store) DeleteWorkflow(_ context.Context, tenantID, appID, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.workflow(tenantID, appID, id)
	if i < 0 || s.workflows[i].Version == app.VersionDraft {
		return missing("Workflow")
	}
	s.workflows = slices.Delete(s.workflows, i, i+1)
	return nil
}

// DraftVariables is empty: nothing here runs drafts.
func (s *Store) DraftVariables(context.Context, string, string, string, string) ([]app.DraftVariable, error) {
	return nil, nil
}

// ClearDraftVariables has nothing to remove.
func (s *Store) ClearDraftVariables(context.Context, string, string) error { return nil }
