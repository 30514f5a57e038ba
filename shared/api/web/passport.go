package web

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/ids"
	"github.com/millrace/millrace/shared/workflow/value"
)

// passportSubject tells passports from the other tokens signed with the key.
const passportSubject = "Web API Passport"

// claims are a passport's. It is good for as long as its site is: the contract
// gives it no end.
type claims struct {
	jwt.RegisteredClaims

	AppID     string `json:"app_id"`
	AppCode   string `json:"app_code"`
	EndUserID string `json:"end_user_id"`
}

// maxSession bounds the names that visitors give themselves; the column has room
// for no more.
const maxSession = 255

// storable reports whether Postgres takes s as text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// nowhere is the contract's answer for pages that there are not.
func nowhere() error {
	return errs.New(errs.NotFound, "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.")
}

// passport gives a visitor of a page the token of their requests.
func (a *api) passport(w http.ResponseWriter, r *http.Request) error {
	code := r.Header.Get("X-App-Code")
	if code == "" {
		return errs.New(errs.Unauthorized, "X-App-Code header is missing.")
	}
	session := r.URL.Query().Get("user_id")
	var p edge.Problems
	p.Length("user_id", session, 0, maxSession)
	if !storable(session) {
		p.Add("user_id", "should be text")
	}
	if err := p.Err(); err != nil {
		return err
	}
	if !storable(code) {
		return nowhere()
	}
	access, err := a.Apps.OpenSite(r.Context(), code)
	if errs.Is(err, errs.NotFound) {
		return nowhere()
	}
	if err != nil {
		return err
	}
	u, err := a.Apps.Visitor(r.Context(), access, session)
	if err != nil {
		return err
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: access.App.ID, Subject: passportSubject},
		AppID:            access.App.ID, AppCode: code, EndUserID: u.ID,
	}).SignedString([]byte(a.SecretKey))
	if err != nil {
		return err
	}
	return edge.OK(w, value.Obj("access_token", token))
}

// verify returns what a passport proves. Codes: Unauthorized.
func (a *api) verify(token string) (app.Pass, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return []byte(a.SecretKey), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithSubject(passportSubject), jwt.WithTimeFunc(a.Clock.Now))
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return app.Pass{}, errs.New(errs.Unauthorized, "Token has expired.")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return app.Pass{}, errs.New(errs.Unauthorized, "Invalid token signature.")
	case err != nil || !ids.Valid(c.AppID) || !ids.Valid(c.EndUserID):
		return app.Pass{}, errs.New(errs.Unauthorized, "Invalid token.")
	}
	return app.Pass{AppID: c.AppID, Code: c.AppCode, EndUserID: c.EndUserID}, nil
}
