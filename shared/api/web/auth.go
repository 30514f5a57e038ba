package web

import (
	"net/http"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow/value"
)

// visit is who makes a request, and to which page.
type visit struct {
	access app.SiteAccess
	user   app.EndUser
}

// guard lets visitors with a passport in, while the page is open.
func (a *api) guard(h func(http.ResponseWriter, *http.Request, *visit) error) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := a.visit(r)
		if err != nil {
			return err
		}
		return h(w, r, v)
	}
}

// Guard lets visitors with a passport in, for routes of other packages.
func Guard(d Deps, next func(w http.ResponseWriter, r *http.Request, x app.SiteAccess, user app.EndUser) error) edge.Handler {
	a := &api{d}
	return a.guard(func(w http.ResponseWriter, r *http.Request, v *visit) error { return next(w, r, v.access, v.user) })
}

// visit finds out who makes a request. Codes: Unauthorized (no passport, or
// none of ours), BadRequest (the page is closed or has another code), NotFound
// (the app or the visitor is gone).
func (a *api) visit(r *http.Request) (*visit, error) {
	token := shown(r)
	if token == "" {
		return nil, errs.New(errs.Unauthorized, "App token is missing.")
	}
	pass, err := a.verify(token)
	if err != nil {
		return nil, err
	}
	access, user, err := a.Apps.Visit(r.Context(), pass)
	if errs.Is(err, errs.NotFound) {
		return nil, nowhere()
	}
	if err != nil {
		return nil, err
	}
	return &visit{access, user}, nil
}

// shown returns the passport that a request shows: browsers keep one for each
// page in a cookie, and say by a header which page they are on. What the header
// says is not compared with the passport.
func shown(r *http.Request) string {
	if code := r.Header.Get("X-App-Code"); code != "" {
		if c, err := r.Cookie("passport-" + code); err == nil && c.Value != "" {
			return c.Value
		}
	}
	return r.Header.Get("X-App-Passport")
}

// loginStatus tells a page whether its visitor has to sign in first, and whether
// the passport still works. Nobody has to sign in where pages are public.
func (a *api) loginStatus(w http.ResponseWriter, r *http.Request) error {
	code, user := r.URL.Query().Get("app_code"), r.URL.Query().Get("user_id")
	if code == "" {
		return edge.OK(w, value.Obj("logged_in", false, "app_logged_in", false))
	}
	v, err := a.visit(r)
	if errs.Is(err, errs.Internal) {
		return err
	}
	// A passport made for somebody else, or for another page, has to be made anew.
	known := err == nil && v.access.Site.Code == code && (user == "" || v.user.SessionID == user)
	return edge.OK(w, value.Obj("logged_in", true, "app_logged_in", known))
}
