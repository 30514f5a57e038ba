// Package identity is the console's edge of people: first-time setup, login and
// logout, the own account, workspaces and members, and the feature sheets that
// the console reads first. It has the routes of the function console-identity.
//
// START HERE: Routes.
package identity

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
)

// Deps are what the routes work with.
type Deps struct {
	// Accounts answers. Required.
	Accounts *account.Service
	// Sessions lets people in. Required.
	Sessions *console.Sessions
	// AllowRegister and AllowCreateWorkspace are shown in the feature sheets.
	AllowRegister, AllowCreateWorkspace bool
}

type api struct{ Deps }

// Routes returns the table of the function console-identity.
func Routes(d *Deps) []edge.Route {
	a := &api{*d}
	const base = "/console/api"
	open := func(method, path string, h edge.Handler) edge.Route {
		return edge.Route{Method: method, Path: base + path, Handler: h}
	}
	member := func(method, path string, h console.Handler) edge.Route {
		return open(method, path, d.Sessions.Auth(h))
	}
	return []edge.Route{
		open("GET", "/setup", a.setupState),
		open("POST", "/setup", a.setup),
		open("GET", "/init", a.initState),
		open("POST", "/init", a.validateInit),
		open("GET", "/ping", func(w http.ResponseWriter, _ *http.Request) error {
			return edge.OK(w, map[string]string{"result": "pong"})
		}),
		open("GET", "/version", a.version),
		open("POST", "/login", d.Sessions.NeedSetup(a.login)),
		open("POST", "/logout", d.Sessions.NeedSetup(a.logout)),
		open("POST", "/refresh-token", a.refresh),

		open("GET", "/system-features", a.systemFeatures),
		member("GET", "/features", a.features),

		member("GET", "/account/profile", a.profile),
		member("POST", "/account/name", a.changeName),
		member("POST", "/account/avatar", a.changeAvatar),
		member("POST", "/account/interface-language", a.changeLanguage),
		member("POST", "/account/interface-theme", a.changeTheme),
		member("POST", "/account/timezone", a.changeTimezone),
		member("POST", "/account/password", a.changePassword),

		member("GET", "/workspaces", a.workspaces),
		member("GET", "/workspaces/current/summary", a.summary),
		member("GET", "/workspaces/current/members", a.members),
		member("POST", "/workspaces/switch", a.switchWorkspace),
		member("POST", "/workspaces/info", console.Editor(a.renameWorkspace)),
	}
}

// bootError is the body of errors of the routes that work before a setup.
func bootError(w http.ResponseWriter, status int, kind, message string) error {
	return edge.JSON(w, status, map[string]any{"error": map[string]any{"type": kind, "message": message, "status": status}})
}

func (a *api) setupState(w http.ResponseWriter, r *http.Request) error {
	at, err := a.Accounts.SetupAt(r.Context())
	if err != nil {
		return err
	}
	if at.IsZero() {
		return edge.OK(w, map[string]any{"step": "not_started", "setup_at": nil})
	}
	return edge.OK(w, map[string]any{"step": "finished", "setup_at": at.UTC().Format("2006-01-02T15:04:05")})
}

type setupBody struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Password string `json:"password"`
	Language string `json:"language"`
}

func (b *setupBody) Validate() error {
	var p edge.Problems
	p.Require("email", b.Email != "")
	p.Length("name", b.Name, 1, 30)
	p.Require("password", b.Password != "")
	return p.Err()
}

func (a *api) setup(w http.ResponseWriter, r *http.Request) error {
	at, err := a.Accounts.SetupAt(r.Context())
	if err != nil {
		return err
	}
	if !at.IsZero() {
		return bootError(w, http.StatusForbidden, "authorization_error", "Forbidden")
	}
	if a.Accounts.NeedsInitPassword() && !a.initDone(r) {
		return bootError(w, http.StatusUnauthorized, "authentication_error", "Unauthorized")
	}
	var b setupBody
	if err := edge.Decode(r, &b); err != nil {
		return bootError(w, http.StatusUnprocessableEntity, "validation_error", errs.Public(err).Message)
	}
	_, err = a.Accounts.Setup(r.Context(), account.SetupInput{
		Email: b.Email, Name: b.Name, Password: b.Password, Language: b.Language, IP: console.ClientIP(r),
	})
	switch {
	case errs.Is(err, errs.AlreadySetup):
		return bootError(w, http.StatusForbidden, "authorization_error", "Forbidden")
	case errs.Is(err, errs.InvalidParam):
		return bootError(w, http.StatusUnprocessableEntity, "validation_error", errs.Public(err).Message)
	case err != nil:
		return err
	}
	return edge.Success(w, http.StatusCreated)
}

const initCookie = "millrace_init"

func (a *api) initDone(r *http.Request) bool {
	c, err := r.Cookie(initCookie)
	return err == nil && a.Accounts.CheckInitToken(c.Value) == nil
}

func (a *api) initState(w http.ResponseWriter, r *http.Request) error {
	status := "finished"
	if a.Accounts.NeedsInitPassword() && !a.initDone(r) {
		at, err := a.Accounts.SetupAt(r.Context())
		if err != nil {
			return err
		}
		if at.IsZero() {
			status = "not_started"
		}
	}
	return edge.OK(w, map[string]string{"status": status})
}

func (a *api) validateInit(w http.ResponseWriter, r *http.Request) error {
	at, err := a.Accounts.SetupAt(r.Context())
	if err != nil {
		return err
	}
	if !at.IsZero() {
		return bootError(w, http.StatusForbidden, "authorization_error", "Forbidden")
	}
	var b struct {
		Password string `json:"password"`
	}
	if err := edge.Decode(r, &b); err != nil || b.Password == "" || len([]rune(b.Password)) > 30 {
		return bootError(w, http.StatusUnprocessableEntity, "validation_error", "password: 1 to 30 characters are required")
	}
	token, err := a.Accounts.InitToken(b.Password)
	if err != nil {
		return bootError(w, http.StatusUnauthorized, "authentication_error", "Unauthorized")
	}
	http.SetCookie(w, &http.Cookie{Name: initCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return edge.Success(w, http.StatusCreated)
}

func (a *api) version(w http.ResponseWriter, r *http.Request) error {
	if q := edge.NewQuery(r); !q.Has("current_version") {
		return bootError(w, http.StatusUnprocessableEntity, "validation_error", "current_version: Field required")
	}
	return edge.OK(w, map[string]any{
		"version": account.ContractRelease, "release_date": "", "release_notes": "", "can_auto_update": false,
		"features": map[string]bool{"can_replace_logo": false, "model_load_balancing_enabled": false},
	})
}

type loginBody struct {
	Email       *string `json:"email"`
	Password    *string `json:"password"`
	RememberMe  bool    `json:"remember_me"`
	InviteToken *string `json:"invite_token"`
}

func (b *loginBody) Validate() error {
	var p edge.Problems
	p.Require("email", b.Email != nil)
	p.Require("password", b.Password != nil)
	return p.Err()
}

func (a *api) login(w http.ResponseWriter, r *http.Request) error {
	var b loginBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	password, err := base64.StdEncoding.DecodeString(*b.Password)
	if err != nil {
		return errs.New(errs.AuthenticationFailed, "Invalid encrypted data")
	}
	if b.InviteToken != nil && *b.InviteToken != "" {
		return errs.New(errs.NotImplemented, "")
	}
	tokens, err := a.Accounts.Login(r.Context(), *b.Email, string(password), console.ClientIP(r))
	if errs.Is(err, errs.AccountNotLinkTenant) {
		return edge.OK(w, map[string]string{
			"result": "fail", "data": "workspace not found, please contact system admin to invite you to join in a workspace",
		})
	}
	if err != nil {
		return err
	}
	a.Sessions.Open(w, tokens)
	return edge.Success(w, http.StatusOK)
}

func (a *api) logout(w http.ResponseWriter, r *http.Request) error {
	if p, err := a.Sessions.Principal(r); err == nil {
		if err := a.Accounts.Logout(r.Context(), p.Account.ID); err != nil {
			return err
		}
	}
	a.Sessions.Close(w)
	return edge.Success(w, http.StatusOK)
}

func (a *api) refresh(w http.ResponseWriter, r *http.Request) error {
	fail := func(message string) error {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		return edge.JSON(w, http.StatusUnauthorized, map[string]string{"result": "fail", "message": message})
	}
	token := a.Sessions.RefreshToken(r)
	if token == "" {
		return fail("No refresh token provided")
	}
	tokens, err := a.Accounts.Refresh(r.Context(), token)
	if errs.Is(err, errs.Unauthorized) {
		return fail(errs.Public(err).Message)
	}
	if err != nil {
		return err
	}
	a.Sessions.Open(w, tokens)
	return edge.Success(w, http.StatusOK)
}

type accountView struct {
	ID                string  `json:"id"`
	Name              string  `json:"name"`
	Avatar            *string `json:"avatar"`
	AvatarURL         *string `json:"avatar_url"`
	Email             string  `json:"email"`
	IsPasswordSet     bool    `json:"is_password_set"`
	InterfaceLanguage *string `json:"interface_language"`
	InterfaceTheme    *string `json:"interface_theme"`
	Timezone          *string `json:"timezone"`
	LastLoginAt       *int64  `json:"last_login_at"`
	LastLoginIP       *string `json:"last_login_ip"`
	CreatedAt         *int64  `json:"created_at"`
}

func viewAccount(a account.Account) accountView {
	v := accountView{
		ID: a.ID, Name: a.Name, Avatar: console.OrNil(a.Avatar), Email: a.Email, IsPasswordSet: a.PasswordHash != "",
		InterfaceLanguage: console.OrNil(a.Language), InterfaceTheme: console.OrNil(a.Theme), Timezone: console.OrNil(a.Timezone),
		LastLoginAt: console.Unix(a.LastLoginAt), LastLoginIP: console.OrNil(a.LastLoginIP), CreatedAt: console.Unix(a.CreatedAt),
	}
	v.AvatarURL = avatarURL(a.Avatar)
	return v
}

// avatarURL is the address of an avatar that is one; uploaded avatars have none
// until uploads for accounts are served.
func avatarURL(avatar string) *string {
	if strings.HasPrefix(avatar, "http://") || strings.HasPrefix(avatar, "https://") {
		return &avatar
	}
	return nil
}

func (a *api) profile(w http.ResponseWriter, _ *http.Request, p account.Principal) error {
	return edge.OK(w, viewAccount(p.Account))
}

// text decodes a body with one text field.
func text(r *http.Request, field string, least, most int) (string, error) {
	var b map[string]any
	if err := edge.Decode(r, &b); err != nil {
		return "", err
	}
	var p edge.Problems
	s, ok := b[field].(string)
	p.Require(field, ok)
	if ok {
		p.Length(field, s, least, most)
	}
	return s, p.Err()
}

func (a *api) update(w http.ResponseWriter, r *http.Request, p account.Principal, change account.Profile) error {
	acc, err := a.Accounts.Update(r.Context(), p.Account.ID, change)
	if err != nil {
		return err
	}
	return edge.OK(w, viewAccount(acc))
}

func (a *api) changeName(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	name, err := text(r, "name", 3, 30)
	if err != nil {
		return err
	}
	return a.update(w, r, p, account.Profile{Name: &name})
}

func (a *api) changeAvatar(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	avatar, err := text(r, "avatar", 0, 255)
	if err != nil {
		return err
	}
	return a.update(w, r, p, account.Profile{Avatar: &avatar})
}

func (a *api) changeLanguage(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	language, err := text(r, "interface_language", 1, 0)
	if err != nil {
		return err
	}
	if _, ok := account.Languages()[language]; !ok {
		return errs.Newf(errs.InvalidParam, "%s is not a valid language.", language)
	}
	return a.update(w, r, p, account.Profile{Language: &language})
}

func (a *api) changeTheme(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	theme, err := text(r, "interface_theme", 1, 0)
	if err != nil {
		return err
	}
	if theme != "light" && theme != "dark" {
		return errs.New(errs.InvalidParam, "interface_theme: should be light or dark")
	}
	return a.update(w, r, p, account.Profile{Theme: &theme})
}

func (a *api) changeTimezone(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	zone, err := text(r, "timezone", 1, 0)
	if err != nil {
		return err
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return errs.Newf(errs.InvalidParam, "%s is not a valid timezone.", zone)
	}
	return a.update(w, r, p, account.Profile{Timezone: &zone})
}

type passwordBody struct {
	Password *string `json:"password"`
	New      *string `json:"new_password"`
	Repeat   *string `json:"repeat_new_password"`
}

func (b *passwordBody) Validate() error {
	var p edge.Problems
	p.Require("new_password", b.New != nil)
	p.Require("repeat_new_password", b.Repeat != nil)
	return p.Err()
}

func (a *api) changePassword(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b passwordBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if *b.New != *b.Repeat {
		return errs.New(errs.RepeatPasswordNotMatch, "")
	}
	current := ""
	if b.Password != nil {
		current = *b.Password
	}
	acc, err := a.Accounts.ChangePassword(r.Context(), p.Account, current, *b.New)
	if err != nil {
		return err
	}
	return edge.OK(w, viewAccount(acc))
}
