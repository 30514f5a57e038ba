package console_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/console/consoletest"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

const somePath = "/console/api/apps/11111111-1111-4111-8111-111111111111/workflows/draft"

// router has a route for each way to let somebody in.
func router(a *console.Auth) http.Handler {
	who := func(w http.ResponseWriter, _ *http.Request, p account.Principal) error {
		return edge.OK(w, map[string]string{"tenant": p.Tenant.ID, "role": string(p.Role)})
	}
	return edge.NewRouter([]edge.Route{
		{Method: "GET", Path: "/who", Handler: a.Member(who)},
		{Method: "GET", Path: "/edit", Handler: a.Session(who, console.CanEdit)},
		{Method: "GET", Path: "/manage", Handler: a.Session(who, console.CanManage)},
		{Method: "GET", Path: "/own", Handler: a.Session(who, console.IsOwner)},
		{Method: "POST", Path: "/console/api/apps/{id:uuid}/workflows/draft", Handler: a.Session(who)},
		{Method: "GET", Path: "/out", Handler: a.Session(func(http.ResponseWriter, *http.Request, account.Principal) error {
			return errs.New(errs.UnauthorizedForceLogout, "")
		})},
	}, nil)
}

func TestWithoutSession(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	h := router(b.Auth)
	answer := func(status int, code, message string, header ...string) {
		t.Helper()
		c := consoletest.NewClient(h)
		if len(header) > 0 {
			c.Header.Set(header[0], header[1])
		}
		w := c.Do(t, "GET", "/who", nil)
		require.Equal(t, status, w.Code)
		require.Contains(t, w.Body.String(), `"code": "`+code+`", "message": "`+message)
		require.Equal(t, `Bearer realm="api"`, w.Header().Get("WWW-Authenticate"))
	}
	answer(401, "not_setup", "")
	b.SetUp(t)
	answer(401, "unauthorized", "Invalid Authorization token")
	answer(401, "unauthorized", "Invalid Authorization token", "Authorization", "Basic abc")
	answer(401, "unauthorized", "Invalid token", "Authorization", "Bearer junk")
}

func TestInitPasswordGuardsEverything(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, &account.Options{InitPassword: "open sesame"}, nil)
	w := consoletest.NewClient(router(b.Auth)).Do(t, "GET", "/who", nil)
	require.Contains(t, w.Body.String(), "not_init_validated")
}

func TestSession(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	h := router(b.Auth)
	c := b.LogIn(t, h, owner.Account.Email)
	w := c.Do(t, "GET", "/who", nil)
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"tenant": "`+owner.Tenant.ID+`", "role": "owner"}`, w.Body.String())

	t.Run("the token works in the header too, with the CSRF token", func(t *testing.T) {
		d := consoletest.NewClient(h)
		d.Header.Set("Authorization", "Bearer "+c.Cookie("access_token").Value)
		w := d.Do(t, "GET", "/who", nil)
		require.Equal(t, 401, w.Code)
		require.Contains(t, w.Body.String(), "CSRF token is missing or invalid")
		d.Header.Set("Cookie", "csrf_token="+c.Cookie("csrf_token").Value)
		d.Header.Set("X-CSRF-Token", c.Cookie("csrf_token").Value)
		require.Equal(t, 200, d.Do(t, "GET", "/who", nil).Code)
	})
	t.Run("another's CSRF token", func(t *testing.T) {
		b.Join(t, owner.Tenant.ID, "eve@example.com", account.Normal)
		eve := b.LogIn(t, h, "eve@example.com")
		d := consoletest.NewClient(h)
		d.Header.Set("Cookie", "access_token="+c.Cookie("access_token").Value+"; csrf_token="+eve.Cookie("csrf_token").Value)
		d.Header.Set("X-CSRF-Token", eve.Cookie("csrf_token").Value)
		require.Equal(t, 401, d.Do(t, "GET", "/who", nil).Code)
	})
	t.Run("drafts are saved without CSRF token", func(t *testing.T) {
		d := consoletest.NewClient(h)
		d.Header.Set("Cookie", "access_token="+c.Cookie("access_token").Value)
		require.Equal(t, 401, d.Do(t, "GET", "/who", nil).Code)
		require.Equal(t, 200, d.Do(t, "POST", somePath, nil).Code)
	})
	t.Run("forced logout clears the cookies", func(t *testing.T) {
		d := b.LogIn(t, h, owner.Account.Email)
		require.Equal(t, 401, d.Do(t, "GET", "/out", nil).Code)
		require.Nil(t, d.Cookie("access_token"))
		require.Nil(t, d.Cookie("refresh_token"))
	})
	t.Run("banned and uninitialized accounts", func(t *testing.T) {
		acc := b.Join(t, owner.Tenant.ID, "bob@example.com", account.Normal)
		d := b.LogIn(t, h, acc.Email)
		for status, want := range map[account.Status]int{account.Banned: 401, account.Closed: 401, account.Uninitialized: 400} {
			require.NoError(t, b.Store.Edit(acc.ID, func(a *account.Account) { a.Status = status }))
			require.Equal(t, want, d.Do(t, "GET", "/who", nil).Code, status)
		}
	})
}

func TestExpiredSession(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	c := b.LogIn(t, router(b.Auth), owner.Account.Email)
	b.Clock.Advance(61 * time.Minute)
	w := c.Do(t, "GET", "/who", nil)
	require.Equal(t, 401, w.Code)
	require.Contains(t, w.Body.String(), "Token has expired")
}

func TestRoles(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, nil)
	owner := b.SetUp(t)
	h := router(b.Auth)
	clients := map[account.Role]*consoletest.Client{account.Owner: b.LogIn(t, h, owner.Account.Email)}
	for _, r := range []account.Role{account.Admin, account.Editor, account.Normal, account.DatasetOperator} {
		clients[r] = b.LogIn(t, h, b.Join(t, owner.Tenant.ID, string(r)+"@example.com", r).Email)
	}
	may := map[string][]account.Role{
		"/edit":   {account.Owner, account.Admin, account.Editor},
		"/manage": {account.Owner, account.Admin},
		"/own":    {account.Owner},
	}
	for path, roles := range may {
		for role, c := range clients {
			want := 403
			for _, r := range roles {
				if r == role {
					want = 200
				}
			}
			w := c.Do(t, "GET", path, nil)
			require.Equal(t, want, w.Code, "%s %s", role, path)
			if want == 403 {
				require.Contains(t, w.Body.String(), "You don't have the permission to access the requested resource.")
			}
		}
	}
}

func TestAdminKey(t *testing.T) {
	t.Parallel()
	b := consoletest.NewBench(t, nil, &console.Options{AdminAPIKey: "master"})
	owner := b.SetUp(t)
	call := func(key, workspace string) int {
		c := consoletest.NewClient(router(b.Auth))
		c.Header.Set("Authorization", "Bearer "+key)
		if workspace != "" {
			c.Header.Set("X-Workspace-Id", workspace)
		}
		return c.Do(t, "GET", "/own", nil).Code
	}
	require.Equal(t, 200, call("master", owner.Tenant.ID))
	require.Equal(t, 401, call("master", ""))
	require.Equal(t, 401, call("master", "junk"))
	require.Equal(t, 401, call("master", ids.Random()))
	require.Equal(t, 401, call("mister", owner.Tenant.ID))
	require.NoError(t, b.Store.Edit(owner.Account.ID, func(a *account.Account) { a.Status = account.Banned }))
	require.Equal(t, 401, call("master", owner.Tenant.ID))
}

func TestCookies(t *testing.T) {
	t.Parallel()
	const web = "https://console.example.com"
	for name, c := range map[string]struct {
		opts   console.Options
		prefix string
		domain string
		secure bool
	}{
		"plain":  {opts: console.Options{}},
		"mixed":  {opts: console.Options{WebURL: web, APIURL: "http://api.example.com"}},
		"https":  {opts: console.Options{WebURL: web, APIURL: web}, prefix: "__Host-", secure: true},
		"domain": {opts: console.Options{WebURL: web, APIURL: web, CookieDomain: ".example.com"}, domain: "example.com", secure: true},
	} {
		b := consoletest.NewBench(t, nil, &c.opts)
		owner := b.SetUp(t)
		client := b.LogIn(t, router(b.Auth), owner.Account.Email)
		require.Equal(t, 200, client.Do(t, "GET", "/who", nil).Code, name)
		for cookie, age := range map[string]int{"access_token": 3600, "csrf_token": 3600, "refresh_token": 30 * 24 * 3600} {
			got := client.Cookie(c.prefix + cookie)
			require.NotNil(t, got, name)
			require.Equal(t, age, got.MaxAge, name)
			require.Equal(t, "/", got.Path, name)
			require.Equal(t, c.domain, got.Domain, name)
			require.Equal(t, c.secure, got.Secure, name)
			require.Equal(t, cookie != "csrf_token", got.HttpOnly, name)
			require.Equal(t, http.SameSiteLaxMode, got.SameSite, name)
		}
	}
}
