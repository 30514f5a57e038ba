// Package console is what the routes of the console share: sessions in cookies,
// the CSRF check, roles, and the app that a path names. The routes themselves
// are in its subfolders, one for each function: identity, apps, workflows,
// providers.
//
// It decides nothing about accounts (package account) and renders nothing but
// cookies.
//
// START HERE: Sessions.Auth.
package console

import (
	"crypto/subtle"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
)

// Handler serves a route for a signed-in member of a workspace.
type Handler = func(w http.ResponseWriter, r *http.Request, p account.Principal) error

// Options tunes Sessions. The zero value works.
type Options struct {
	// Secure is set when the console is served over https.
	Secure bool
	// Domain is the domain of cookies; "" means the host that was asked.
	Domain string
	// AdminKey lets operators act as a workspace's owner; "" lets nobody.
	AdminKey string
}

// Sessions lets members of workspaces in.
type Sessions struct {
	accounts *account.Service
	opts     Options
	setup    atomic.Bool // the setup is done; it is never undone
}

// New returns sessions of accounts.
func New(accounts *account.Service, opts *Options) *Sessions {
	s := &Sessions{accounts: accounts}
	if opts != nil {
		s.opts = *opts
	}
	s.opts.Domain = strings.TrimPrefix(s.opts.Domain, ".")
	return s
}

// The cookies of a session.
const (
	accessCookie  = "access_token"
	refreshCookie = "refresh_token"
	csrfCookie    = "csrf_token"
)

// exempt are paths whose changes carry no CSRF token: browsers send them while
// a page closes, when no header can be set.
var exempt = regexp.MustCompile(`^/console/api/(?:apps/[0-9a-f-]{36}/workflows/draft|workflow-run-archives/downloads/[0-9a-f]+/file$)`)

func (s *Sessions) name(cookie string) string {
	if s.opts.Secure && s.opts.Domain == "" {
		return "__Host-" + cookie
	}
	return cookie
}

func (s *Sessions) value(r *http.Request, cookie string) string {
	c, err := r.Cookie(s.name(cookie))
	if err != nil {
		return ""
	}
	return c.Value
}

func (s *Sessions) set(w http.ResponseWriter, name, value string, ttl time.Duration, hidden bool) {
	c := &http.Cookie{
		Name: s.name(name), Value: value, Path: "/", Domain: s.opts.Domain, MaxAge: int(ttl.Seconds()),
		Secure: s.opts.Secure, HttpOnly: hidden, SameSite: http.SameSiteLaxMode,
	}
	if ttl <= 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// Open puts a session's tokens into the answer.
func (s *Sessions) Open(w http.ResponseWriter, t account.Tokens) {
	s.set(w, accessCookie, t.Access, t.AccessTTL, true)
	s.set(w, refreshCookie, t.Refresh, t.RefreshTTL, true)
	s.set(w, csrfCookie, t.CSRF, t.AccessTTL, false)
}

// Close takes a session's tokens out of the browser.
func (s *Sessions) Close(w http.ResponseWriter) {
	s.set(w, accessCookie, "", 0, true)
	s.set(w, refreshCookie, "", 0, true)
	s.set(w, csrfCookie, "", 0, false)
}

// RefreshToken returns the refresh token of a request, "" when it has none.
func (s *Sessions) RefreshToken(r *http.Request) string { return s.value(r, refreshCookie) }

// NeedSetup lets requests through once the first-time setup is done. Codes:
// NotSetup.
func (s *Sessions) NeedSetup(next edge.Handler) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !s.setup.Load() {
			at, err := s.accounts.SetupAt(r.Context())
			if err != nil {
				return err
			}
			if at.IsZero() {
				return errs.New(errs.NotSetup, "")
			}
			s.setup.Store(true)
		}
		return next(w, r)
	}
}

// Auth lets members of a workspace in: a live session, the CSRF token where it
// is asked for, an account that is ready. Codes: NotSetup, Unauthorized and
// those of account.Service.Authenticate.
func (s *Sessions) Auth(next Handler) edge.Handler {
	return s.NeedSetup(func(w http.ResponseWriter, r *http.Request) error {
		p, err := s.Principal(r)
		if err != nil {
			return err
		}
		return next(w, r, p)
	})
}

// Principal returns who makes a request. Codes: as for Auth.
func (s *Sessions) Principal(r *http.Request) (account.Principal, error) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	bearer = strings.TrimSpace(bearer)
	if s.opts.AdminKey != "" && subtle.ConstantTimeCompare([]byte(bearer), []byte(s.opts.AdminKey)) == 1 {
		return s.operator(r)
	}
	token := s.value(r, accessCookie)
	if token == "" {
		token = bearer
	}
	if token == "" {
		return account.Principal{}, errs.New(errs.Unauthorized, "Invalid Authorization token.")
	}
	p, err := s.accounts.Authenticate(r.Context(), token)
	if err != nil {
		return account.Principal{}, err
	}
	if !exempt.MatchString(r.URL.Path) {
		err = s.accounts.CheckCSRF(s.value(r, csrfCookie), r.Header.Get("X-CSRF-Token"), p.Account.ID)
	}
	return p, err
}

// operator acts as the owner of the workspace that the request names.
func (s *Sessions) operator(r *http.Request) (account.Principal, error) {
	p, err := s.accounts.OwnerOf(r.Context(), r.Header.Get("X-WORKSPACE-ID"))
	if errs.Is(err, errs.NotFound) {
		return p, errs.New(errs.Unauthorized, "Invalid Authorization token.")
	}
	return p, err
}

// noPermission is the contract's answer to members whose role is too low.
const noPermission = "You don't have the permission to access the requested resource. It is either read-protected or not readable by the server."

// Editor lets members in who may edit apps. Codes: Forbidden.
func Editor(next Handler) Handler { return role(account.Role.CanEdit, next) }

// Admin lets members in who manage the workspace. Codes: Forbidden.
func Admin(next Handler) Handler { return role(account.Role.IsAdmin, next) }

func role(may func(account.Role) bool, next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		if !may(p.Role) {
			return errs.New(errs.Forbidden, noPermission)
		}
		return next(w, r, p)
	}
}

// ClientIP is the address that a request came from, as far as it can be known.
func ClientIP(r *http.Request) string {
	if forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ","); forwarded != "" {
		return strings.TrimSpace(forwarded)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Unix returns a time as the contract shows it, nil for the zero time.
func Unix(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.Unix()
	return &n
}

// OrNil returns nil for an empty text.
func OrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
