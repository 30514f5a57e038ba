// Package apptest is the suite that every app.Store passes. It is for tests
// only.
package apptest

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// Run runs the suite. open returns a store, which may be shared: every test
// works in workspaces of its own, made by newTenant.
func Run(t *testing.T, open func(t *testing.T) (app.Store, func(t *testing.T) string)) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *bench){
		"Apps": testApps, "List": testList, "Site": testSite, "ModelConfig": testModelConfig, "Tokens": testTokens,
		"Access": testAccess, "SiteAccess": testSiteAccess, "EndUsers": testEndUsers, "Drafts": testDrafts, "Versions": testVersions, "Tenants": testTenants,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, newTenant := open(t)
			test(t, &bench{Store: s, tenant: newTenant(t), other: newTenant(t), account: ids.Random()})
		})
	}
}

type bench struct {
	app.Store
	tenant, other, account string
}

func at(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }

func (b *bench) app(t *testing.T, name string, minute int) app.App {
	t.Helper()
	a := app.App{ID: ids.Random(), TenantID: b.tenant, Name: name, Mode: app.ModeWorkflow, Description: "d", IconType: "emoji",
		Icon: "🤖", Status: app.StatusNormal, EnableSite: true, EnableAPI: true, CreatedBy: b.account, UpdatedBy: b.account,
		Maintainer: b.account, CreatedAt: at(minute), UpdatedAt: at(minute)}
	require.NoError(t, b.CreateApp(t.Context(), a, b.site(a), nil))
	return a
}

func (b *bench) site(a app.App) app.Site {
	return app.Site{ID: ids.Random(), AppID: a.ID, Title: a.Name, DefaultLanguage: "en-US", CustomizeToken: "not_allow",
		Status: "normal", Code: ids.Token(16), CreatedAt: a.CreatedAt, UpdatedAt: a.CreatedAt}
}

func missing(t *testing.T, err error) {
	t.Helper()
	require.True(t, errs.Is(err, errs.NotFound), "%v", err)
}

func testApps(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a := b.app(t, "one", 0)
	got, err := b.App(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	got.CreatedAt, got.UpdatedAt = got.CreatedAt.UTC(), got.UpdatedAt.UTC()
	require.Equal(t, a, got)
	limit := 3
	got.Name, got.EnableAPI, got.MaxActiveRequests, got.Tracing = "uno", false, &limit, `{"enabled":true}`
	got.UpdatedAt = at(5)
	require.NoError(t, b.UpdateApp(ctx, got))
	again, err := b.App(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	require.Equal(t, "uno", again.Name)
	require.False(t, again.EnableAPI)
	require.Equal(t, 3, *again.MaxActiveRequests)
	require.Equal(t, `{"enabled":true}`, again.Tracing)
	require.True(t, again.UpdatedAt.Equal(at(5)))
	require.NoError(t, b.DeleteApp(ctx, b.tenant, a.ID))
	_, err = b.App(ctx, b.tenant, a.ID)
	missing(t, err)
	missing(t, b.UpdateApp(ctx, got))
	missing(t, b.DeleteApp(ctx, b.tenant, a.ID))
	_, err = b.Site(ctx, b.tenant, a.ID)
	missing(t, err)
}

func testList(t *testing.T, b *bench) {
	t.Helper()
	for i, name := range []string{"alpha", "beta 100%", "gamma"} {
		b.app(t, name, i)
	}
	list := func(f app.Filter) (names []string, total int) {
		t.Helper()
		got, total, err := b.Apps(t.Context(), b.tenant, f)
		require.NoError(t, err)
		for _, a := range got {
			names = append(names, a.Name)
		}
		return names, total
	}
	names, total := list(app.Filter{Page: 1, Limit: 2})
	require.Equal(t, []string{"gamma", "beta 100%"}, names)
	require.Equal(t, 3, total)
	names, _ = list(app.Filter{Page: 2, Limit: 2})
	require.Equal(t, []string{"alpha"}, names)
	names, _ = list(app.Filter{Page: 1, Limit: 9, Sort: "earliest_created"})
	require.Equal(t, []string{"alpha", "beta 100%", "gamma"}, names)
	names, _ = list(app.Filter{Page: 1, Limit: 9, Name: "00%"})
	require.Equal(t, []string{"beta 100%"}, names)
	names, _ = list(app.Filter{Page: 1, Limit: 9, Name: "a_"})
	require.Empty(t, names)
	names, _ = list(app.Filter{Page: 1, Limit: 9, Mode: app.ModeChat})
	require.Empty(t, names)
	names, _ = list(app.Filter{Page: 1, Limit: 9, Mode: "all", Creators: []string{b.account}})
	require.Len(t, names, 3)
	names, _ = list(app.Filter{Page: 1, Limit: 9, Creators: []string{ids.Random()}})
	require.Empty(t, names)
}

func testSite(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a := b.app(t, "one", 0)
	s, err := b.Site(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	require.Nil(t, s.Description)
	text := "text"
	s.Title, s.Description, s.PromptPublic, s.Code, s.UpdatedAt = "T", &text, true, "0123456789abcdef", at(4)
	require.NoError(t, b.SaveSite(ctx, b.tenant, s))
	got, err := b.Site(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	require.Equal(t, "text", *got.Description)
	require.Equal(t, "0123456789abcdef", got.Code)
	require.True(t, got.PromptPublic)
	s.AppID = ids.Random()
	missing(t, b.SaveSite(ctx, b.tenant, s))
}

func testModelConfig(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	prompt := "P {{query}}"
	c := app.ModelConfig{ID: ids.Random(), PrePrompt: &prompt, PromptType: "simple", CreatedBy: b.account, CreatedAt: at(0), UpdatedAt: at(0),
		Parts: map[string]json.RawMessage{"model": json.RawMessage(`{"name":"m"}`)}}
	a := app.App{ID: ids.Random(), TenantID: b.tenant, Name: "chat", Mode: app.ModeChat, Status: app.StatusNormal, ModelConfigID: c.ID,
		CreatedAt: at(0), UpdatedAt: at(0)}
	c.AppID = a.ID
	require.NoError(t, b.CreateApp(ctx, a, b.site(a), &c))
	got, err := b.ModelConfig(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	require.Equal(t, prompt, *got.PrePrompt)
	require.Nil(t, got.OpeningStatement)
	require.JSONEq(t, `{"name":"m"}`, string(got.Parts["model"]))
	_, err = b.ModelConfig(ctx, b.tenant, b.app(t, "flow", 1).ID)
	missing(t, err)
}

func (b *bench) token(appID, kind string) app.Token {
	return app.Token{ID: ids.Random(), TenantID: b.tenant, AppID: appID, Type: kind, Token: kind + "-" + ids.Token(24), CreatedAt: at(0)}
}

func testTokens(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a, z := b.app(t, "one", 0), b.app(t, "two", 1)
	require.NoError(t, b.AddToken(ctx, b.token(z.ID, app.TokenApp), 3))
	require.NoError(t, b.AddToken(ctx, b.token("", app.TokenDataset), 3))
	var wg sync.WaitGroup
	results := make([]error, 6)
	for i := range results {
		k := b.token(a.ID, app.TokenApp)
		wg.Go(func() { results[i] = b.AddToken(ctx, k, 3) })
	}
	wg.Wait()
	full := 0
	for _, err := range results {
		if err != nil {
			require.True(t, errs.Is(err, errs.Conflict), "%v", err)
			full++
		}
	}
	require.Equal(t, 3, full)
	list, err := b.Tokens(ctx, b.tenant, app.TokenApp, a.ID)
	require.NoError(t, err)
	require.Len(t, list, 3)
	_, err = b.DeleteToken(ctx, b.tenant, app.TokenApp, z.ID, list[0].ID)
	missing(t, err)
	gone, err := b.DeleteToken(ctx, b.tenant, app.TokenApp, a.ID, list[0].ID)
	require.NoError(t, err)
	require.Equal(t, list[0].Token, gone.Token)
	_, err = b.DeleteToken(ctx, b.tenant, app.TokenApp, a.ID, list[0].ID)
	missing(t, err)
	list, err = b.Tokens(ctx, b.tenant, app.TokenDataset, "")
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func testAccess(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a := b.app(t, "one", 0)
	k, d := b.token(a.ID, app.TokenApp), b.token("", app.TokenDataset)
	require.NoError(t, b.AddToken(ctx, k, 10))
	require.NoError(t, b.AddToken(ctx, d, 10))
	x, err := b.Access(ctx, app.TokenApp, k.Token, at(3))
	require.NoError(t, err)
	require.Equal(t, a.ID, x.App.ID)
	require.Equal(t, b.tenant, x.TenantID)
	require.Equal(t, "normal", x.TenantStatus)
	require.False(t, x.AppMissing)
	list, err := b.Tokens(ctx, b.tenant, app.TokenApp, a.ID)
	require.NoError(t, err)
	require.True(t, list[0].LastUsedAt.Equal(at(3)))
	_, err = b.Access(ctx, app.TokenDataset, k.Token, at(3))
	missing(t, err)
	_, err = b.Access(ctx, app.TokenApp, "app-nosuchkey", at(3))
	missing(t, err)
	x, err = b.Access(ctx, app.TokenDataset, d.Token, at(3))
	require.NoError(t, err)
	require.Equal(t, b.tenant, x.TenantID)
	require.False(t, x.AppMissing)
	require.NoError(t, b.DeleteApp(ctx, b.tenant, a.ID))
	x, err = b.Access(ctx, app.TokenApp, k.Token, at(4))
	require.NoError(t, err)
	require.True(t, x.AppMissing)
}

func testSiteAccess(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a, other := b.app(t, "one", 0), b.app(t, "two", 1)
	site, err := b.Site(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	for _, appID := range []string{"", a.ID} {
		x, err := b.SiteAccess(ctx, appID, site.Code)
		require.NoError(t, err)
		require.Equal(t, a.ID, x.App.ID)
		require.Equal(t, b.tenant, x.App.TenantID)
		require.False(t, x.SiteMissing)
		require.Equal(t, site.ID, x.Site.ID)
		require.Equal(t, site.Code, x.Site.Code)
		require.Equal(t, "normal", x.TenantStatus)
	}
	// The code of another app's site opens nothing of this one.
	x, err := b.SiteAccess(ctx, other.ID, site.Code)
	require.NoError(t, err)
	require.Equal(t, other.ID, x.App.ID)
	require.True(t, x.SiteMissing)
	_, err = b.SiteAccess(ctx, "", "nosuchcode")
	missing(t, err)
	require.NoError(t, b.DeleteApp(ctx, b.tenant, a.ID))
	_, err = b.SiteAccess(ctx, a.ID, site.Code)
	missing(t, err)
	_, err = b.SiteAccess(ctx, "", site.Code)
	missing(t, err)
}

func testEndUsers(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a := b.app(t, "one", 0)
	got := make([]app.EndUser, 6)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			u, err := b.EndUser(ctx, app.EndUser{ID: ids.Random(), TenantID: b.tenant, AppID: a.ID, Type: app.EndUserService,
				SessionID: "u1", CreatedAt: at(0), UpdatedAt: at(0)})
			if err == nil {
				got[i] = u
			}
		})
	}
	wg.Wait()
	for _, u := range got {
		require.NotEmpty(t, u.ID)
		require.Equal(t, got[0].ID, u.ID, "first calls at once make one user")
	}
	other, err := b.EndUser(ctx, app.EndUser{ID: ids.Random(), TenantID: b.tenant, AppID: a.ID, Type: app.EndUserBrowser, SessionID: "u1",
		CreatedAt: at(0), UpdatedAt: at(0)})
	require.NoError(t, err)
	require.NotEqual(t, got[0].ID, other.ID)
	u, err := b.EndUserByID(ctx, b.tenant, a.ID, other.ID)
	require.NoError(t, err)
	require.Equal(t, "u1", u.SessionID)
	_, err = b.EndUserByID(ctx, b.other, a.ID, other.ID)
	missing(t, err)
}

func (b *bench) workflow(a app.App, version string, minute int) app.Workflow {
	return app.Workflow{ID: ids.Random(), TenantID: b.tenant, AppID: a.ID, Type: "workflow", Version: version, Graph: `{"nodes":[]}`,
		Features: `{}`, Environment: []app.Variable{{ID: ids.Random(), Name: "E", Type: "string", Value: "v", Selector: []string{"env", "E"}}},
		Conversation: []app.Variable{{ID: ids.Random(), Name: "C", Type: "number", Value: int64(5)}},
		CreatedBy:    b.account, CreatedAt: at(minute), UpdatedAt: at(minute)}
}

func testDrafts(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a := b.app(t, "one", 0)
	_, err := b.Draft(ctx, b.tenant, a.ID)
	missing(t, err)
	w := b.workflow(a, app.VersionDraft, 1)
	require.NoError(t, b.ChangeDraft(ctx, b.tenant, a.ID, func(have *app.Workflow) (*app.Workflow, error) {
		require.Nil(t, have)
		return &w, nil
	}))
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			err := b.ChangeDraft(ctx, b.tenant, a.ID, func(have *app.Workflow) (*app.Workflow, error) {
				have.Graph += " "
				return have, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := b.Draft(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	require.Equal(t, w.Graph+"     ", got.Graph, "no change is lost")
	require.Equal(t, w.Environment, got.Environment)
	require.Equal(t, int64(5), got.Conversation[0].Value)
	require.Nil(t, got.Number)
	refused := errs.New(errs.InvalidParam, "no")
	err = b.ChangeDraft(ctx, b.tenant, a.ID, func(have *app.Workflow) (*app.Workflow, error) { have.Graph = "x"; return nil, refused })
	require.ErrorIs(t, err, refused)
	again, err := b.Draft(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	require.Equal(t, got.Graph, again.Graph)
	missing(t, b.ChangeDraft(ctx, b.other, a.ID, func(*app.Workflow) (*app.Workflow, error) { return &w, nil }))
}

func testVersions(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a := b.app(t, "one", 0)
	draft := b.workflow(a, app.VersionDraft, 1)
	require.NoError(t, b.ChangeDraft(ctx, b.tenant, a.ID, func(*app.Workflow) (*app.Workflow, error) { return &draft, nil }))
	one, err := b.Publish(ctx, b.workflow(a, "2026-01-02 03:02:00.000000", 2))
	require.NoError(t, err)
	two, err := b.Publish(ctx, b.workflow(a, "2026-01-02 03:03:00.000000", 3))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, []int{*one.Number, *two.Number})
	got, err := b.App(ctx, b.tenant, a.ID)
	require.NoError(t, err)
	require.Equal(t, two.ID, got.WorkflowID)
	name := "named"
	marked, err := b.MarkWorkflow(ctx, b.tenant, a.ID, one.ID, &name, nil, b.account, at(9))
	require.NoError(t, err)
	require.Equal(t, "named", marked.Name)
	require.Equal(t, b.account, marked.UpdatedBy)
	list := func(f app.VersionFilter) (out []string) {
		t.Helper()
		l, err := b.Workflows(ctx, b.tenant, a.ID, f)
		require.NoError(t, err)
		for _, w := range l {
			out = append(out, w.ID)
		}
		return out
	}
	require.Equal(t, []string{draft.ID, two.ID, one.ID}, list(app.VersionFilter{Page: 1, Limit: 10}))
	require.Equal(t, []string{draft.ID, two.ID, one.ID}, list(app.VersionFilter{Page: 1, Limit: 2}), "one more than the limit")
	require.Equal(t, []string{one.ID}, list(app.VersionFilter{Page: 2, Limit: 2}))
	require.Equal(t, []string{one.ID}, list(app.VersionFilter{Page: 1, Limit: 10, NamedOnly: true}))
	require.NoError(t, b.DeleteWorkflow(ctx, b.tenant, a.ID, one.ID))
	missing(t, b.DeleteWorkflow(ctx, b.tenant, a.ID, one.ID))
	missing(t, b.DeleteWorkflow(ctx, b.tenant, a.ID, draft.ID))
	byID, err := b.Workflow(ctx, b.tenant, "", two.ID)
	require.NoError(t, err)
	require.Equal(t, two.Version, byID.Version)
}

// testTenants tries every method with another workspace's id.
func testTenants(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	a := b.app(t, "one", 0)
	w, err := b.Publish(ctx, b.workflow(a, "2026-01-02 03:02:00.000000", 2))
	require.NoError(t, err)
	k := b.token(a.ID, app.TokenApp)
	require.NoError(t, b.AddToken(ctx, k, 10))
	stolen := a
	stolen.TenantID = b.other
	name := "x"
	foreign := b.token(a.ID, app.TokenApp)
	foreign.TenantID = b.other
	for what, err := range map[string]error{
		"App":         second(b.App(ctx, b.other, a.ID)),
		"UpdateApp":   b.UpdateApp(ctx, stolen),
		"DeleteApp":   b.DeleteApp(ctx, b.other, a.ID),
		"Site":        second(b.Site(ctx, b.other, a.ID)),
		"SaveSite":    b.SaveSite(ctx, b.other, app.Site{AppID: a.ID}),
		"ModelConfig": second(b.ModelConfig(ctx, b.other, a.ID)),
		"AddToken":    b.AddToken(ctx, foreign, 10),
		"EndUser": second(b.EndUser(ctx, app.EndUser{ID: ids.Random(), TenantID: b.other, AppID: a.ID, Type: app.EndUserService,
			SessionID: "u", CreatedAt: at(0), UpdatedAt: at(0)})),
		"DeleteToken":    second(b.DeleteToken(ctx, b.other, app.TokenApp, a.ID, k.ID)),
		"Draft":          second(b.Draft(ctx, b.other, a.ID)),
		"Publish":        second(b.Publish(ctx, app.Workflow{ID: ids.Random(), TenantID: b.other, AppID: a.ID, Version: "v", CreatedBy: b.account})),
		"Workflow":       second(b.Workflow(ctx, b.other, a.ID, w.ID)),
		"Workflow by id": second(b.Workflow(ctx, b.other, "", w.ID)),
		"MarkWorkflow":   second(b.MarkWorkflow(ctx, b.other, a.ID, w.ID, &name, nil, b.account, at(1))),
		"DeleteWorkflow": b.DeleteWorkflow(ctx, b.other, a.ID, w.ID),
	} {
		require.True(t, errs.Is(err, errs.NotFound), "%s: %v", what, err)
	}
	list, total, err := b.Apps(ctx, b.other, app.Filter{Page: 1, Limit: 10})
	require.NoError(t, err)
	require.Empty(t, list)
	require.Zero(t, total)
	tokens, err := b.Tokens(ctx, b.other, app.TokenApp, a.ID)
	require.NoError(t, err)
	require.Empty(t, tokens)
	versions, err := b.Workflows(ctx, b.other, a.ID, app.VersionFilter{Page: 1, Limit: 10})
	require.NoError(t, err)
	require.Empty(t, versions)
}

func second[T any](_ T, err error) error { return err }
