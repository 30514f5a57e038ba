package app

import (
	"context"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// SiteAccess is what a site's code opens.
type SiteAccess struct {
	App  App
	Site Site
	// SiteMissing is true where the app has no site with that code, such as
	// after the code was changed.
	SiteMissing  bool
	TenantPlan   string
	TenantStatus string
}

// Archived reports whether the app's workspace is archived.
func (a SiteAccess) Archived() bool { return a.TenantStatus == account.Archived }

// Pass is what a visitor of a site proves: where they came in and who they are.
type Pass struct{ AppID, Code, EndUserID string }

// OpenSite returns what a site's code opens for somebody new. Codes: NotFound
// (no such site, or people may not open it).
func (s *Service) OpenSite(ctx context.Context, code string) (SiteAccess, error) {
	x, err := s.store.SiteAccess(ctx, "", code)
	if err != nil {
		return SiteAccess{}, err
	}
	if x.SiteMissing || x.Site.Status != StatusNormal || !x.App.EnableSite {
		return SiteAccess{}, errs.New(errs.NotFound, "Site not found.")
	}
	return x, nil
}

// SiteOf returns the site of an app, whoever looks at it. Codes: NotFound (the
// tenant has no such app, or the app no site).
func (s *Service) SiteOf(ctx context.Context, tenantID, appID string) (SiteAccess, error) {
	site, err := s.store.Site(ctx, tenantID, appID)
	if err != nil {
		return SiteAccess{}, err
	}
	x, err := s.store.SiteAccess(ctx, appID, site.Code)
	if err == nil && (x.SiteMissing || x.App.TenantID != tenantID) {
		err = errs.New(errs.NotFound, "Site not found.")
	}
	return x, err
}

// Visitor returns the visitor of a site who calls themselves session, and makes
// them at their first visit; "" makes somebody new. Whoever the app's backend
// speaks for is never a visitor, even under the same name: visitors choose
// their names.
func (s *Service) Visitor(ctx context.Context, x SiteAccess, session string) (EndUser, error) {
	if session == "" {
		session = ids.Random()
	}
	now := s.now()
	return s.store.EndUser(ctx, EndUser{
		ID: ids.Random(), TenantID: x.App.TenantID, AppID: x.App.ID, Type: EndUserBrowser, SessionID: session, IsAnonymous: true,
		CreatedAt: now, UpdatedAt: now,
	})
}

// Visit returns what a visitor's pass opens now, and the visitor. Codes:
// NotFound (the app or the visitor is gone), BadRequest (the site has another
// code or is off).
func (s *Service) Visit(ctx context.Context, p Pass) (SiteAccess, EndUser, error) {
	x, err := s.store.SiteAccess(ctx, p.AppID, p.Code)
	switch {
	case err != nil:
		return SiteAccess{}, EndUser{}, err
	case x.SiteMissing:
		return SiteAccess{}, EndUser{}, errs.New(errs.BadRequest, "Site URL is no longer valid.")
	case !x.App.EnableSite:
		return SiteAccess{}, EndUser{}, errs.New(errs.BadRequest, "Site is disabled.")
	}
	u, err := s.store.EndUserByID(ctx, x.App.TenantID, x.App.ID, p.EndUserID)
	return x, u, err
}
