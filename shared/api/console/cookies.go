package console

import (
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/account"
)

// The session's cookies, before their prefix.
const (
	accessCookie  = "access_token"
	refreshCookie = "refresh_token"
	csrfCookie    = "csrf_token"
)

// secure reports whether the console is reached over https alone.
func (a *Auth) secure() bool {
	return strings.HasPrefix(a.opts.WebURL, "https://") && strings.HasPrefix(a.opts.APIURL, "https://")
}

// name is a cookie's full name. Browsers accept names with this prefix only
// from https and for one host, which keeps neighbours from planting them.
func (a *Auth) name(cookie string) string {
	if a.secure() && a.opts.CookieDomain == "" {
		return "__Host-" + cookie
	}
	return cookie
}

func (a *Auth) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(a.name(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// RefreshToken returns the refresh token of a request, "" when it has none.
func (a *Auth) RefreshToken(r *http.Request) string { return a.cookie(r, refreshCookie) }

// SetCookies hands a session to the browser. Pages read the CSRF token; the
// other two are out of their reach.
func (a *Auth) SetCookies(w http.ResponseWriter, t account.Tokens) {
	a.set(w, accessCookie, t.Access, t.AccessTTL, true)
	a.set(w, csrfCookie, t.CSRF, t.AccessTTL, false)
	a.set(w, refreshCookie, t.Refresh, t.RefreshTTL, true)
}

// ClearCookies takes the session from the browser.
func (a *Auth) ClearCookies(w http.ResponseWriter) {
	for _, name := range []string{accessCookie, csrfCookie, refreshCookie} {
		a.set(w, name, "", -1, name != csrfCookie)
	}
}

// set writes a cookie; a negative life deletes it.
func (a *Auth) set(w http.ResponseWriter, name, value string, life time.Duration, httpOnly bool) {
	c := a.NewCookie(name, value, life)
	c.HttpOnly = httpOnly
	http.SetCookie(w, c)
}

// NewCookie returns a cookie with the attributes that all cookies of the
// console have. Pages cannot read it. A negative life deletes it.
func (a *Auth) NewCookie(name, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: a.name(name), Value: value, Path: "/", Domain: a.opts.CookieDomain, MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: a.secure(), SameSite: http.SameSiteLaxMode,
	}
	if life < 0 {
		c.MaxAge = -1
		c.Expires = time.Unix(1, 0) // for browsers that know no max-age
	}
	return c
}

// Cookie returns the value of a cookie that NewCookie made, "" when the request
// has none.
func (a *Auth) Cookie(r *http.Request, name string) string { return a.cookie(r, name) }
