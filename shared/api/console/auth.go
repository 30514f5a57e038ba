package console

import (
	"context"
	"crypto/subtle"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

// Handler serves a route for a signed-in member of a workspace.
type Handler = func(w http.ResponseWriter, r *http.Request, p account.Principal) error

// Check refuses a member by an error.
type Check func(p account.Principal) error

// Options tunes an Auth. The zero value works, for plain HTTP.
type Options struct {
	// WebURL and APIURL are the console's public addresses. When both are https,
	// cookies are for https only.
	WebURL, APIURL string
	// CookieDomain shares cookies with the subdomains of a domain.
	CookieDomain string
	// AdminAPIKey lets its bearer act as the owner of any workspace; "" means
	// that there is none.
	AdminAPIKey string
}

// Auth finds out who makes a request. It is safe for concurrent use.
type Auth struct {
	accounts *account.Service
	opts     Options
	// setUp remembers that the setup is done: it cannot be undone.
	setUp atomic.Bool
}

// New returns an Auth; nil options mean their zero value.
func New(accounts *account.Service, opts *Options) *Auth {
	a := &Auth{accounts: accounts}
	if opts != nil {
		a.opts = *opts
	}
	a.opts.CookieDomain = strings.TrimPrefix(a.opts.CookieDomain, ".")
	return a
}

// Session lets members of a workspace in that pass the checks. Codes of what it
// refuses: NotSetup, NotInitValidated, Unauthorized, AccountNotInitialized,
// AccountNotLinkTenant and those of the checks.
func (a *Auth) Session(next Handler, checks ...Check) edge.Handler {
	return a.Setup(func(w http.ResponseWriter, r *http.Request) error {
		p, err := a.principal(r)
		for i := 0; err == nil && i < len(checks); i++ {
			err = checks[i](p)
		}
		if err == nil {
			err = next(w, r, p)
		}
		if errs.Is(err, errs.UnauthorizedForceLogout) {
			a.ClearCookies(w)
		}
		return err
	})
}

// Member is Session without checks, for packages that ask for a plain function.
func (a *Auth) Member(next Handler) edge.Handler { return a.Session(next) }

// Setup lets requests in once the first-time setup is done. Codes: NotSetup,
// NotInitValidated.
func (a *Auth) Setup(next edge.Handler) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := a.checkSetup(r.Context()); err != nil {
			return err
		}
		return next(w, r)
	}
}

func (a *Auth) checkSetup(ctx context.Context) error {
	if a.setUp.Load() {
		return nil
	}
	at, err := a.accounts.SetupAt(ctx)
	switch {
	case err != nil:
		return err
	case !at.IsZero():
		a.setUp.Store(true)
		return nil
	case a.accounts.NeedsInitPassword():
		return errs.New(errs.NotInitValidated, "")
	}
	return errs.New(errs.NotSetup, "")
}

// principal returns who makes the request.
func (a *Auth) principal(r *http.Request) (account.Principal, error) {
	if workspace, ok := a.byAdminKey(r); ok {
		return a.owner(r.Context(), workspace)
	}
	token := a.accessToken(r)
	if token == "" {
		return account.Principal{}, errs.New(errs.Unauthorized, "Invalid Authorization token.")
	}
	p, err := a.accounts.Authenticate(r.Context(), token)
	if err != nil || withoutCSRF(r.URL.Path) {
		return p, err
	}
	return p, a.accounts.CheckCSRF(a.cookie(r, csrfCookie), r.Header.Get("X-CSRF-Token"), p.Account.ID)
}

// Caller returns who makes the request; it asks for no CSRF token, so that what
// it guards must do no harm. Codes: Unauthorized and those of
// account.Service.Authenticate.
func (a *Auth) Caller(r *http.Request) (account.Principal, error) {
	return a.accounts.Authenticate(r.Context(), a.accessToken(r))
}

// accessToken returns the token of the cookie, otherwise that of the header.
func (a *Auth) accessToken(r *http.Request) string {
	if token := a.cookie(r, accessCookie); token != "" {
		return token
	}
	return bearer(r)
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// exempt are paths that pages call where they can set no header: when a page is
// left, and downloads.
var exempt = regexp.MustCompile(`^/console/api/(apps/[0-9a-fA-F-]{36}/workflows/draft|workflow-run-archives/downloads/[0-9a-f]+/file$)`)

func withoutCSRF(path string) bool { return exempt.MatchString(path) }

// byAdminKey returns the workspace of a request that brings the admin key. The
// key counts in the header only: browsers do not add that by themselves.
func (a *Auth) byAdminKey(r *http.Request) (workspace string, ok bool) {
	if a.opts.AdminAPIKey == "" || subtle.ConstantTimeCompare([]byte(bearer(r)), []byte(a.opts.AdminAPIKey)) != 1 {
		return "", false
	}
	workspace = r.Header.Get("X-WORKSPACE-ID")
	return workspace, workspace != ""
}

// owner returns the owner of a workspace, at work in it.
func (a *Auth) owner(ctx context.Context, tenantID string) (account.Principal, error) {
	unknown := errs.New(errs.Unauthorized, "Invalid workspace.")
	if !ids.Valid(tenantID) {
		return account.Principal{}, unknown
	}
	members, err := a.accounts.Members(ctx, tenantID)
	if err != nil {
		return account.Principal{}, err
	}
	for _, m := range members {
		if m.Role != account.Owner || m.Account.Status == account.Banned || m.Account.Status == account.Closed {
			continue
		}
		joined, err := a.accounts.Memberships(ctx, m.Account.ID)
		if err != nil {
			return account.Principal{}, err
		}
		for _, j := range joined {
			if j.Tenant.ID == tenantID {
				return account.Principal{Account: m.Account, Tenant: j.Tenant, Role: m.Role}, nil
			}
		}
	}
	return account.Principal{}, unknown
}
