package identity

import (
	"context"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // functions run in images without a time zone database

	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/api/console"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
)

type accountAnswer struct {
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

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func unix(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.Unix()
	return &n
}

// pictureOf returns the URL of an account's picture, null when it has none or
// it is another workspace's.
func (a *api) pictureOf(ctx context.Context, tenantID string, acc *account.Account) (*string, error) {
	url, err := a.picture(ctx, tenantID, acc.Avatar)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	return orNull(url), err
}

func (a *api) picture(ctx context.Context, tenantID, avatar string) (string, error) {
	switch {
	case strings.HasPrefix(avatar, "https://"), strings.HasPrefix(avatar, "http://"):
		return avatar, nil
	case a.Avatar == nil, !ids.Valid(avatar):
		return "", errs.New(errs.NotFound, "Avatar not found.")
	}
	return a.Avatar(ctx, tenantID, avatar)
}

func (a *api) answer(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	acc := p.Account
	picture, err := a.pictureOf(r.Context(), p.Tenant.ID, &acc)
	if err != nil {
		return err
	}
	return edge.OK(w, accountAnswer{
		ID: acc.ID, Name: acc.Name, Avatar: orNull(acc.Avatar), AvatarURL: picture, Email: acc.Email,
		IsPasswordSet: acc.PasswordHash != "", InterfaceLanguage: orNull(acc.Language), InterfaceTheme: orNull(acc.Theme),
		Timezone: orNull(acc.Timezone), LastLoginAt: unix(acc.LastLoginAt), LastLoginIP: orNull(acc.LastLoginIP),
		CreatedAt: unix(acc.CreatedAt),
	})
}

func (a *api) profile(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	return a.answer(w, r, p)
}

func (a *api) avatarURL(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	q := edge.NewQuery(r)
	q.Require("avatar", q.Text("avatar") != "")
	if err := q.Err(); err != nil {
		return err
	}
	url, err := a.picture(r.Context(), p.Tenant.ID, q.Text("avatar"))
	if err != nil {
		return err
	}
	return edge.OK(w, map[string]string{"avatar_url": url})
}

// change is a body that changes one field of the caller's account.
type change interface {
	edge.Validator
	profile() account.Profile
}

func (a *api) change(body func() change) console.Handler {
	return func(w http.ResponseWriter, r *http.Request, p account.Principal) error {
		b := body()
		if err := edge.Decode(r, b); err != nil {
			return err
		}
		var err error
		if p.Account, err = a.Accounts.Update(r.Context(), p.Account.ID, b.profile()); err != nil {
			return err
		}
		return a.answer(w, r, p)
	}
}

type avatarBody struct {
	Avatar string `json:"avatar"`
}

// Validate reports missing and unfit fields.
func (b *avatarBody) Validate() error {
	var p edge.Problems
	p.Length("avatar", b.Avatar, 1, 255)
	return p.Err()
}

func (b *avatarBody) profile() account.Profile { return account.Profile{Avatar: &b.Avatar} }

type nameBody struct {
	Name string `json:"name"`
}

// Validate reports missing and unfit fields.
func (b *nameBody) Validate() error {
	var p edge.Problems
	p.Length("name", b.Name, 3, 30)
	return p.Err()
}

func (b *nameBody) profile() account.Profile { return account.Profile{Name: &b.Name} }

type languageBody struct {
	Language string `json:"interface_language"`
}

// Validate reports missing and unfit fields.
func (b *languageBody) Validate() error {
	var p edge.Problems
	if language(b.Language) == "" {
		p.Add("interface_language", "is not a supported language")
	}
	return p.Err()
}

func (b *languageBody) profile() account.Profile { return account.Profile{Language: &b.Language} }

type themeBody struct {
	Theme string `json:"interface_theme"`
}

// Validate reports missing and unfit fields.
func (b *themeBody) Validate() error {
	var p edge.Problems
	p.OneOf("interface_theme", b.Theme, "light", "dark")
	return p.Err()
}

func (b *themeBody) profile() account.Profile { return account.Profile{Theme: &b.Theme} }

type timezoneBody struct {
	Timezone string `json:"timezone"`
}

// Validate reports missing and unfit fields.
func (b *timezoneBody) Validate() error {
	var p edge.Problems
	// Go reads "" and Local as zones of its own.
	if _, err := time.LoadLocation(b.Timezone); err != nil || b.Timezone == "" || b.Timezone == "Local" {
		p.Add("timezone", "is not a time zone")
	}
	return p.Err()
}

func (b *timezoneBody) profile() account.Profile { return account.Profile{Timezone: &b.Timezone} }

type passwordBody struct {
	Current *string `json:"password"`
	New     *string `json:"new_password"`
	Repeat  *string `json:"repeat_new_password"`
}

// Validate reports missing and unfit fields.
func (b *passwordBody) Validate() error {
	var p edge.Problems
	p.Require("new_password", b.New != nil)
	p.Require("repeat_new_password", b.Repeat != nil)
	if err := p.Err(); err != nil {
		return err
	}
	if *b.New != *b.Repeat {
		return errs.New(errs.RepeatPasswordNotMatch, "")
	}
	return nil
}

func (a *api) password(w http.ResponseWriter, r *http.Request, p account.Principal) error {
	var b passwordBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	current := ""
	if b.Current != nil {
		current = *b.Current
	}
	var err error
	if p.Account, err = a.Accounts.ChangePassword(r.Context(), p.Account, current, *b.New); err != nil {
		return err
	}
	return a.answer(w, r, p)
}
