// Package workflowtooltest is the suite of workflowtool.Store: every
// implementation passes it.
package workflowtooltest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/workflowtool"
)

// New returns a tool of a new workspace and app.
func New() workflowtool.Published {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return workflowtool.Published{
		ID: ids.Random(), TenantID: ids.Random(), AppID: ids.Random(), UserID: ids.Random(), Name: "say", Label: "Say it", Description: "Says",
		Icon:       workflowtool.Icon{Background: "#fff", Content: "🤖"},
		Parameters: []workflowtool.Parameter{{Name: "q", Description: "what", Form: driver.FormLLM}, {Name: "n", Form: driver.FormForm}},
		Privacy:    "none", Version: "v1", Labels: []string{"design", "search"}, CreatedAt: at, UpdatedAt: at,
	}
}

// Run runs the suite.
func Run(t *testing.T, s workflowtool.Store) {
	t.Run("tools", func(t *testing.T) { tools(t, s) })
	t.Run("names and apps are taken once", func(t *testing.T) { unique(t, s) })
	t.Run("workspaces are apart", func(t *testing.T) { tenants(t, s) })
}

func tools(t *testing.T, s workflowtool.Store) {
	ctx := t.Context()
	p := New()
	require.NoError(t, s.Add(ctx, p))
	got, err := s.Tool(ctx, p.TenantID, p.ID)
	require.NoError(t, err)
	require.Equal(t, p, got)
	got, err = s.OfApp(ctx, p.TenantID, p.AppID)
	require.NoError(t, err)
	require.Equal(t, p, got)
	got, err = s.Named(ctx, p.TenantID, "say")
	require.NoError(t, err)
	require.Equal(t, p, got)

	second := New()
	second.TenantID, second.Name, second.Labels, second.Parameters = p.TenantID, "other", []string{}, []workflowtool.Parameter{}
	second.CreatedAt = p.CreatedAt.Add(time.Second)
	second.UpdatedAt = second.CreatedAt
	require.NoError(t, s.Add(ctx, second))
	p.Name, p.Label, p.Description, p.Icon.Content, p.Privacy, p.Version = "tell", "Tell", "Tells", "x", "", "v2"
	p.Parameters, p.Labels, p.UpdatedAt = p.Parameters[:1], []string{"finance"}, p.UpdatedAt.Add(time.Hour)
	require.NoError(t, s.Update(ctx, p))
	list, err := s.Tools(ctx, p.TenantID)
	require.NoError(t, err)
	require.Equal(t, []workflowtool.Published{p, second}, list)

	require.NoError(t, s.Delete(ctx, p.TenantID, p.ID))
	_, err = s.Tool(ctx, p.TenantID, p.ID)
	require.True(t, errs.Is(err, errs.NotFound))
	require.True(t, errs.Is(s.Delete(ctx, p.TenantID, p.ID), errs.NotFound))
	require.True(t, errs.Is(s.Update(ctx, p), errs.NotFound))
}

func unique(t *testing.T, s workflowtool.Store) {
	ctx := t.Context()
	p := New()
	require.NoError(t, s.Add(ctx, p))
	same := func(change func(*workflowtool.Published)) workflowtool.Published {
		x := New()
		x.TenantID, x.Name = p.TenantID, "another"
		change(&x)
		return x
	}
	require.True(t, errs.Is(s.Add(ctx, same(func(x *workflowtool.Published) { x.Name = p.Name })), errs.Conflict))
	require.True(t, errs.Is(s.Add(ctx, same(func(x *workflowtool.Published) { x.AppID = p.AppID })), errs.Conflict))
	another := same(func(*workflowtool.Published) {})
	require.NoError(t, s.Add(ctx, another))
	another.Name = p.Name
	require.True(t, errs.Is(s.Update(ctx, another), errs.Conflict))
}

func tenants(t *testing.T, s workflowtool.Store) {
	ctx := t.Context()
	p, elsewhere := New(), ids.Random()
	require.NoError(t, s.Add(ctx, p))
	foreign := p
	foreign.TenantID = elsewhere
	for what, err := range map[string]error{
		"tool": func() error { _, err := s.Tool(ctx, elsewhere, p.ID); return err }(),
		"app":  func() error { _, err := s.OfApp(ctx, elsewhere, p.AppID); return err }(),
		"name": func() error { _, err := s.Named(ctx, elsewhere, p.Name); return err }(),
		"del":  s.Delete(ctx, elsewhere, p.ID),
		"upd":  s.Update(ctx, foreign),
		"odd":  func() error { _, err := s.Tool(ctx, p.TenantID, "no id"); return err }(),
		"v":    func() error { _, err := s.Version(ctx, elsewhere, p.AppID, ""); return err }(),
	} {
		require.True(t, errs.Is(err, errs.NotFound), "%s: %v", what, err)
	}
	list, err := s.Tools(ctx, elsewhere)
	require.NoError(t, err)
	require.Empty(t, list)
	other := New()
	require.NoError(t, s.Add(ctx, other), "another workspace has its own names")
	got, err := s.Tool(ctx, p.TenantID, p.ID)
	require.NoError(t, err)
	require.Equal(t, p, got)
}
