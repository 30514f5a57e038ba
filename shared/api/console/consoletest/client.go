package consoletest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/account/ephemeral"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/ids"
)

// Bench is everything that a test of the console's routes needs to log in.
type Bench struct {
	Store    *Accounts
	Accounts *account.Service
	Auth     *console.Auth
	Clock    *clock.Fake
}

// SecretKey signs a Bench's tokens.
const SecretKey = "a key for tests"

// Password is the password of the accounts that a Bench makes.
const Password = "Passw0rd1"

// noKeys stands for tenants' keys, which take long to make.
type noKeys struct{}

func (noKeys) GenerateKey(context.Context, string) (string, error) { return "PEM", nil }

// NewBench returns an empty installation; nil options mean their zero values.
// Secret key and clock are always the bench's.
func NewBench(t *testing.T, accounts *account.Options, auth *console.Options) *Bench {
	t.Helper()
	b := &Bench{Store: NewAccounts(), Clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC))}
	o := account.Options{}
	if accounts != nil {
		o = *accounts
	}
	o.SecretKey, o.Clock = SecretKey, b.Clock
	b.Accounts = account.New(b.Store, ephemeral.NewMemory(b.Clock), noKeys{}, &o)
	b.Auth = console.New(b.Accounts, auth)
	return b
}

// SetUp does the first-time setup and returns the owner.
func (b *Bench) SetUp(t *testing.T) account.Principal {
	t.Helper()
	p, err := b.Accounts.Setup(t.Context(), account.SetupInput{
		Email: "owner@example.com", Name: "Conformance", Password: Password, Language: "en-US",
	})
	require.NoError(t, err)
	return p
}

// Join makes an account that is a member of a workspace and no other.
func (b *Bench) Join(t *testing.T, tenantID, email string, role account.Role) account.Account {
	t.Helper()
	hash, salt, err := account.HashPassword(Password)
	require.NoError(t, err)
	a := account.Account{
		ID: ids.Random(), Name: email, Email: email, PasswordHash: hash, PasswordSalt: salt, Status: account.Active,
		CreatedAt: b.Clock.Now(), LastActiveAt: b.Clock.Now(),
	}
	require.NoError(t, b.Store.AddAccount(t.Context(), a))
	require.NoError(t, b.Store.AddMember(t.Context(), tenantID, a.ID, role, b.Clock.Now()))
	return a
}

// Client calls a handler as a browser does: it keeps cookies and repeats the
// CSRF token in the header.
type Client struct {
	handler http.Handler
	cookies map[string]*http.Cookie
	// Header is sent with every request.
	Header http.Header
}

// NewClient returns a client without a session.
func NewClient(h http.Handler) *Client {
	return &Client{handler: h, cookies: map[string]*http.Cookie{}, Header: http.Header{}}
}

// LogIn opens a session for an account, without the login route.
func (b *Bench) LogIn(t *testing.T, h http.Handler, email string) *Client {
	t.Helper()
	tokens, err := b.Accounts.Login(context.Background(), email, Password, "192.0.2.1")
	require.NoError(t, err)
	w := httptest.NewRecorder()
	b.Auth.SetCookies(w, tokens)
	c := NewClient(h)
	c.keep(w.Result())
	return c
}

// Do sends a request; a body that is not nil goes as JSON.
func (c *Client) Do(t *testing.T, method, path string, body any) *httptest.ResponseRecorder {
	t.Helper()
	var content []byte
	if body != nil {
		var err error
		content, err = json.Marshal(body)
		require.NoError(t, err)
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(content))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, cookie := range c.cookies {
		r.AddCookie(cookie)
		if name == "csrf_token" || name == "__Host-csrf_token" {
			r.Header.Set("X-CSRF-Token", cookie.Value)
		}
	}
	for name, values := range c.Header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	c.keep(w.Result())
	return w
}

func (c *Client) keep(r *http.Response) {
	for _, cookie := range r.Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.cookies, cookie.Name)
		} else {
			c.cookies[cookie.Name] = cookie
		}
	}
}

// Cookie returns a cookie that the client keeps, nil when it has none of the
// name.
func (c *Client) Cookie(name string) *http.Cookie { return c.cookies[name] }
