package identity

import (
	"encoding/base64"
	"net/http"
	"unicode/utf8"

	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/errs"
)

type loginBody struct {
	Email       string  `json:"email"`
	Password    *string `json:"password"`
	RememberMe  bool    `json:"remember_me"`
	InviteToken *string `json:"invite_token"`
	clear       string  // the password
}

// Validate decodes the password and reports missing and unfit fields. A
// password that is not decodable counts first.
func (b *loginBody) Validate() error {
	if b.Password != nil {
		raw, err := base64.StdEncoding.DecodeString(*b.Password)
		if err != nil || !utf8.Valid(raw) {
			return errs.New(errs.AuthenticationFailed, "Invalid encrypted data")
		}
		b.clear = string(raw)
	}
	var p edge.Problems
	checkEmail(&p, b.Email)
	p.Require("password", b.Password != nil)
	return p.Err()
}

// noWorkspace is what an account without a workspace is told, with status 200.
type noWorkspace struct {
	Result string `json:"result"`
	Data   string `json:"data"`
}

func (a *api) login(w http.ResponseWriter, r *http.Request) error {
	var b loginBody
	if err := edge.Decode(r, &b); err != nil {
		return err
	}
	if b.InviteToken != nil && *b.InviteToken != "" {
		return errs.New(errs.NotImplemented, "")
	}
	tokens, err := a.Accounts.Login(r.Context(), b.Email, b.clear, edge.ClientIP(r))
	if errs.Is(err, errs.AccountNotLinkTenant) {
		return edge.OK(w, noWorkspace{
			Result: "fail", Data: "workspace not found, please contact system admin to invite you to join in a workspace",
		})
	}
	if err != nil {
		return err
	}
	a.Auth.SetCookies(w, tokens)
	return edge.Success(w, http.StatusOK)
}

// logout ends the session; without one it only clears the browser's cookies.
func (a *api) logout(w http.ResponseWriter, r *http.Request) error {
	p, err := a.Auth.Caller(r)
	switch status := errs.Public(err).Status; {
	case err == nil:
		if err := a.Accounts.Logout(r.Context(), p.Account.ID); err != nil {
			return err
		}
	case status >= http.StatusInternalServerError:
		return err
	}
	a.Auth.ClearCookies(w)
	return edge.Success(w, http.StatusOK)
}

type refused struct {
	Result  string `json:"result"`
	Message string `json:"message"`
}

func (a *api) refresh(w http.ResponseWriter, r *http.Request) error {
	tokens, err := a.Accounts.Refresh(r.Context(), a.Auth.RefreshToken(r))
	if errs.Is(err, errs.Unauthorized) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		return edge.JSON(w, http.StatusUnauthorized, refused{Result: "fail", Message: errs.Public(err).Message})
	}
	if err != nil {
		return err
	}
	a.Auth.SetCookies(w, tokens)
	return edge.Success(w, http.StatusOK)
}
